//! The latent kernel of a model by importance sampling: every state draws along the tilts of its transitions.
//!
//! The images of a state j come from q(.|j) itself and from the proposals q_jk of [`super::tilt`] that `src/estimate/selection.rs` chooses, n_c from each of
//! them. All serve all targets (E. Veach and L. Guibas's balance heuristic, SIGGRAPH 1995):
//!
//! ```text
//! T_jk = sum_x w(x) p(k|x),       w(x) = q(x|j) / sum_c n_c q_c(x) = 1 / sum_c n_c e^{ tau_c . a(x) - K_c }
//! ```
//!
//! The proposals do not depend on these draws, so each row is unbiased; rows are then divided by their sums. No weight is above 1/n_j, where n_j counts
//! the images of q(.|j) itself, and no term of a transition with a tilt above `e^{K_jk} / n_k`, a share of the bound on what it estimates. Draws are
//! divided into 32 groups, each a whole mixture.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::path::Path;
use super::sampling::{Batch, GROUPS, Sampling, batches, blocks, mean_of_groups};
use super::selection::Selection;
use super::tilt::Tilt;
use super::{Estimate, EstimateError, Kernel, Method, reversible};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::kernels::logsums::add_softmax;
use crate::kernels::visible::Thresholds;
use crate::latent::SteadyState;
use crate::logs::{largest, logaddexp, logsumexp, sigmoid};
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
pub(super) struct Source {
    /// For each target the logarithm of the largest sum of a group, `[L]`: probabilities of all sizes stay in the range of f64.
    log_units: Array1<f64>,
    /// `sum_x w(x) p(k|x)` of each group in these units, `[G, L]`, where n_c counts the images of a group.
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
    let selection = Selection::of(model, sampling, watch)?;
    let sources: Result<Vec<Source>, Stopped> = (0..latent)
        .into_par_iter()
        .map(|state| Source::draw(model, state, &selection, sampling, watch))
        .collect();
    let sources = sources?;
    let row_sums = rows(&sources, None).map_axis(Axis(1), |row| logsumexp(row).exp());
    let steady = |left_out: Option<usize>| -> Result<SteadyState, EstimateError> {
        let steady = steady(&sources, left_out, watch)?;
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
        tilted: selection.count(),
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

/// `ln T_jk` from all groups or all but one, `[L, L]`, as estimated: rows sum to 1 but for their errors.
fn rows(sources: &[Source], left_out: Option<usize>) -> Array2<f64> {
    Array2::from_shape_fn((sources.len(), sources.len()), |(j, k)| sources[j].log_mean(k, left_out))
}

/// The chain from all groups or all but one.
pub(super) fn steady(sources: &[Source], left_out: Option<usize>, watch: &dyn Watch) -> Result<SteadyState, EstimateError> {
    let mut log_transition = rows(sources, left_out);
    for mut row in log_transition.rows_mut() {
        row -= logsumexp(row.view());
    }
    Ok(SteadyState::from_logs_watched(log_transition, watch)?)
}

impl Source {
    pub(super) fn draw(
        model: &Conditionals,
        state: usize,
        selection: &Selection,
        sampling: Sampling,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let tilts: Vec<(&Tilt, usize)> = selection.of_state(state, sampling).collect();
        let proposals = Proposals::new(model, state, &tilts);
        let log_each = (sampling.each() as f64).ln();
        let mut log_sums = Array2::from_elem((sampling.groups(), model.latent()), f64::NEG_INFINITY);
        let drawn = sampling.images_of(model, state).chain(proposals.images(sampling, state));
        for Batch { images, blocks } in batches(drawn) {
            watch.go_on()?;
            let logits = model.forward_logits(&images);
            for (group, place) in blocks {
                let block = log_sum(log_each, &tilts, logits.slice(s![place, ..]));
                log_sums
                    .row_mut(group)
                    .zip_mut_with(&block, |sum, &block| *sum = logaddexp(*sum, block));
                watch.part_done();
            }
        }
        let log_units = log_sums.map_axis(Axis(0), |sums| largest(sums.iter().copied()));
        Ok(Self {
            sums: (log_sums - &log_units).mapv_into(f64::exp),
            log_units,
        })
    }

    /// The square of the relative standard error of `T_jk`.
    pub(super) fn relative_variance(&self, target: usize) -> f64 {
        let sums = self.sums.column(target);
        let mean = sums.mean().unwrap_or(f64::NAN);
        sums.var(1.0) / (mean * mean * sums.len() as f64)
    }

    /// `ln T_jk` from all groups or all but one.
    fn log_mean(&self, target: usize, left_out: Option<usize>) -> f64 {
        let sum = mean_of_groups(self.sums.column(target).iter().copied(), left_out);
        self.log_units[target] + sum.ln()
    }
}

/// `ln sum_x w(x) p(k|x)` over images that are given by their logits a `[N, L]`, `[L]`; `log_each` is ln n of q(.|j) itself, and n of each tilt stands beside it.
///
/// Summed as numbers, one exponential for each image and state; states whose sum f64 might not hold, once more as logarithms.
fn log_sum(log_each: f64, tilts: &[(&Tilt, usize)], logits: ArrayView2<f64>) -> Array1<f64> {
    /// Terms below e^-708 are lost: beside this they do not count.
    const LEAST: f64 = 1e-280;
    let mut sums = vec![0.0; logits.ncols()];
    let mut terms = vec![0.0; logits.ncols()];
    // The first is q(.|j) itself, whose ratio is 1.
    let mut log_ratios = Array1::from_elem(tilts.len() + 1, log_each);
    let log_counts: Vec<f64> = tilts.iter().map(|(_, count)| (*count as f64).ln()).collect();
    let divisors = logits.rows().into_iter().map(|a| {
        let a = a.to_slice().unwrap_or_default();
        for (log_ratio, ((tilt, _), log_count)) in log_ratios.iter_mut().skip(1).zip(tilts.iter().zip(&log_counts)) {
            *log_ratio = tilt.log_ratio(a) + log_count;
        }
        let log_divisor = logsumexp(log_ratios.view());
        log_divisor + add_softmax(&mut sums, -log_divisor, a, &mut terms)
    });
    let divisors: Array1<f64> = divisors.collect();
    let log_sums = sums.iter().enumerate().map(|(k, sum)| match *sum < LEAST {
        true => logsumexp((&logits.column(k) - &divisors).view()),
        false => sum.ln(),
    });
    log_sums.collect()
}

/// The tilted distributions that one state draws from.
struct Proposals {
    thresholds: Thresholds,
    /// The tilt of each image of a group.
    tilts: Vec<i32>,
    visible: usize,
}

impl Proposals {
    fn new(model: &Conditionals, state: usize, tilts: &[(&Tilt, usize)]) -> Self {
        let logits = tilts.iter().flat_map(|(tilt, _)| tilt.logits(model, state));
        let probabilities: Vec<f64> = logits.map(sigmoid).collect();
        Self {
            thresholds: Thresholds::of_probabilities(&probabilities, model.visible()),
            tilts: (tilts.iter().enumerate())
                .flat_map(|(tilt, &(_, count))| std::iter::repeat_n(tilt as i32, count))
                .collect(),
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
        blocks(sampling.groups(), self.tilts.len())
            .map(move |(group, part, block)| (group, self.draw(&self.tilts[block], draws.part(part))))
    }
}
