//! The latent kernel of a model by importance sampling: every state draws along the tilts of all its transitions.
//!
//! The images of a state j come from q(.|j) itself and from the proposals q_jk of [`super::tilt`], n from each of these C distributions.
//! All of them serve all targets (E. Veach and L. Guibas's balance heuristic, SIGGRAPH 1995):
//!
//! ```text
//! T_jk = 1/(C n) sum_x w(x) p(k|x),       w(x) = q(x|j) / ( 1/C sum_c q_c(x) ) = C / sum_c e^{ tau_c . a(x) - K_c }
//! ```
//!
//! The proposals depend on the model alone and never on draws, so each row is unbiased; rows are then divided by their sums. No weight
//! is above C, since q(.|j) is one of the C, and no term of T_jk above `C e^{K_jk}`, the bound on what it estimates, which is why sums
//! are kept in its units and never underflow. Draws are divided into 32 groups, each a whole mixture.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::path::Path;
use super::sampling::{GROUPS, Sampling, blocks, mean_of_groups};
use super::tilt::{Tilt, Untilted, best_tilt};
use super::{Estimate, EstimateError, Kernel, Method, reversible};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::kernels::visible::Thresholds;
use crate::latent::SteadyState;
use crate::logs::{logsumexp, sigmoid};
use crate::random::{Draws, Stream};
use crate::watch::{Stopped, Watch};

/// An estimate, with what it shows of itself and of the images.
pub struct Sampled<T> {
    /// The kernel and its groups.
    pub estimate: Estimate,
    /// What the rows of T summed to before they were divided by it, `[L]`; 1 but for the error of the estimate.
    pub row_sums: Array1<f64>,
    /// For every state, what was observed of each of its M images from q(.|j), group by group.
    pub observed: Vec<Vec<T>>,
}

/// What one source state gives.
struct Source {
    /// K of each target, `[L]`.
    log_bounds: Array1<f64>,
    /// `sum_x w(x) p(k|x) e^-K_k / C` of each group, `[G, L]`.
    sums: Array2<f64>,
}

/// Estimates a model's kernel; `log_pi` is its steady state where that has a [closed form](super::reversible::closed_form).
/// `observe` gives one observation for each image drawn from q(.|j). [`Sampling::parts`] parts are announced.
///
/// # Errors
/// When so many draws are asked for that a stream has no room for them, when the model's numbers overflow, or when it is stopped.
pub fn sample<T: Send + Sync>(
    model: &Conditionals,
    log_pi: Option<&Array1<f64>>,
    sampling: Sampling,
    observe: impl Fn(&PackedImages) -> Vec<T> + Sync,
    watch: &dyn Watch,
) -> Result<Sampled<T>, EstimateError> {
    let latent = model.latent();
    sampling.check(latent)?;
    let sources: Result<Vec<Source>, Stopped> = (0..latent)
        .into_par_iter()
        .map(|state| Source::draw(model, state, sampling, watch))
        .collect();
    let sources = sources?;
    let rows = |left_out: Option<usize>| Array2::from_shape_fn((latent, latent), |(j, k)| sources[j].log_mean(k, left_out, sampling));
    let row_sums = rows(None).map_axis(Axis(1), |row| logsumexp(row).exp());
    let steady = |left_out: Option<usize>| -> Result<SteadyState, EstimateError> {
        let mut log_transition = rows(left_out);
        for mut row in log_transition.rows_mut() {
            row -= logsumexp(row.view());
        }
        let steady = SteadyState::from_logs_watched(log_transition, watch)?;
        match log_pi {
            Some(log_pi) => Ok(reversible::balanced(&steady, log_pi, watch)?),
            None => Ok(steady),
        }
    };
    let whole = steady(None)?;
    let path = Path::draw(model, whole.log_pi(), sampling, observe, watch)?;
    let kernel = |steady: SteadyState, left_out: Option<usize>| Kernel {
        path: path.by_state(steady.log_pi(), left_out),
        steady,
    };
    let without: Result<Vec<Kernel>, EstimateError> = (0..GROUPS)
        .into_par_iter()
        .map(|group| Ok(kernel(steady(Some(group))?, Some(group))))
        .collect();
    let estimate = Estimate {
        kernel: kernel(whole, None),
        without: without?,
        reversible: log_pi.is_some(),
        method: Method::Tilts,
        samples: sampling.samples(),
    };
    if !is_sound(&estimate, &row_sums) {
        return Err(EstimateError::NoNumbers);
    }
    Ok(Sampled {
        estimate,
        row_sums,
        observed: path.observed,
    })
}

/// Are all figures numbers, and is every row of T a distribution but for the error of its estimate?
fn is_sound(estimate: &Estimate, row_sums: &Array1<f64>) -> bool {
    /// Far beyond the error of 32 draws.
    const FARTHEST: f64 = 0.9;
    let mut kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    kernels.all(Kernel::is_finite) && row_sums.iter().all(|sum| (sum - 1.0).abs() < FARTHEST)
}

impl Source {
    fn draw(model: &Conditionals, state: usize, sampling: Sampling, watch: &dyn Watch) -> Result<Self, Stopped> {
        let latent = model.latent();
        let untilted = Untilted::new(model, state);
        let tilts: Vec<Tilt> = (0..latent).map(|target| best_tilt(model, state, target, &untilted)).collect();
        let mut source = Self {
            log_bounds: tilts.iter().map(|tilt| tilt.log_bound).collect(),
            sums: Array2::zeros((GROUPS, latent)),
        };
        let tilts: Vec<Tilt> = tilts.into_iter().filter(|tilt| !tilt.competitors.is_empty()).collect();
        let proposals = Proposals::new(model, state, &tilts);
        for (group, images) in sampling.images_of(model, state).chain(proposals.images(sampling, state)) {
            watch.go_on()?;
            source.add(group, &tilts, &model.forward_logits(&images));
            watch.part_done();
        }
        Ok(source)
    }

    /// Adds images, given by their logits a `[N, L]`, to a group.
    fn add(&mut self, group: usize, tilts: &[Tilt], logits: &Array2<f64>) {
        let mut sums = self.sums.row_mut(group);
        let mut log_ratios = Array1::zeros(tilts.len() + 1);
        for a in logits.rows() {
            // The first is q(.|j) itself, whose ratio is 1.
            let flat = a.as_slice().unwrap_or_default();
            for (log_ratio, tilt) in log_ratios.iter_mut().skip(1).zip(tilts) {
                *log_ratio = tilt.log_ratio(flat);
            }
            let common = logsumexp(log_ratios.view()) + logsumexp(a);
            for ((sum, a), log_bound) in sums.iter_mut().zip(a).zip(&self.log_bounds) {
                *sum += (a - common - log_bound).exp();
            }
        }
    }

    /// `ln T_jk` from all groups or all but one.
    fn log_mean(&self, target: usize, left_out: Option<usize>, sampling: Sampling) -> f64 {
        let sum = mean_of_groups(self.sums.column(target).iter().copied(), left_out);
        self.log_bounds[target] + (sum / sampling.each() as f64).ln()
    }
}

/// The tilted distributions that one state draws from.
struct Proposals {
    thresholds: Thresholds,
    count: usize,
    visible: usize,
}

impl Proposals {
    fn new(model: &Conditionals, state: usize, tilts: &[Tilt]) -> Self {
        let logits = tilts.iter().flat_map(|tilt| tilt.logits(model, state));
        let probabilities: Vec<f64> = logits.map(sigmoid).collect();
        Self {
            thresholds: Thresholds::of_probabilities(&probabilities, model.visible()),
            count: tilts.len(),
            visible: model.visible(),
        }
    }

    /// One image from each of some tilts.
    fn draw(&self, tilts: &[i32], draws: Draws) -> PackedImages {
        PackedImages::from_words(self.thresholds.draw(tilts, draws), self.visible)
    }

    /// Images from all of them, as [`Sampling::images_of`] gives those of the state itself.
    fn images<'a>(&'a self, sampling: Sampling, state: usize) -> impl Iterator<Item = (usize, PackedImages)> + 'a {
        let draws = sampling.draws(Stream::Proposal, state);
        let each = sampling.each();
        let chosen: Vec<i32> = (0..self.count).flat_map(|tilt| std::iter::repeat_n(tilt as i32, each)).collect();
        blocks(sampling.groups(), chosen.len()).map(move |(group, part, block)| (group, self.draw(&chosen[block], draws.part(part))))
    }
}
