//! The latent kernel of a model by importance sampling: every state draws along the tilts of its transitions.
//!
//! The images of a state j come from q(.|j) itself and from the proposals q_jk of [`super::tilt`] that `src/estimate/selection.rs` chooses, n from each of these C distributions.
//! All of them serve all targets (E. Veach and L. Guibas's balance heuristic, SIGGRAPH 1995):
//!
//! ```text
//! T_jk = 1/(C n) sum_x w(x) p(k|x),       w(x) = q(x|j) / ( 1/C sum_c q_c(x) ) = C / sum_c e^{ tau_c . a(x) - K_c }
//! ```
//!
//! The proposals do not depend on these draws, so each row is unbiased; rows are then divided by their sums. No weight is above C, since q(.|j) is one of
//! the C, and no term of a transition with a tilt above `C e^{K_jk}`, the bound on what it estimates. Draws are divided into 32 groups, each a whole mixture.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::path::Path;
use super::sampling::{Batch, GROUPS, Sampling, batches, blocks, mean_of_groups};
use super::selection::Selection;
use super::tilt::Tilt;
use super::{Estimate, EstimateError, Kernel, Method, reversible};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::kernels::exp::exp_f64;
use crate::kernels::vectorized;
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
    /// `sum_x w(x) p(k|x) / C` of each group in these units, `[G, L]`.
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
    let row_sums = rows(&sources, None, sampling).map_axis(Axis(1), |row| logsumexp(row).exp());
    let steady = |left_out: Option<usize>| -> Result<SteadyState, EstimateError> {
        let steady = steady(&sources, left_out, sampling, watch)?;
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
fn rows(sources: &[Source], left_out: Option<usize>, sampling: Sampling) -> Array2<f64> {
    Array2::from_shape_fn((sources.len(), sources.len()), |(j, k)| sources[j].log_mean(k, left_out, sampling))
}

/// The chain from all groups or all but one.
pub(super) fn steady(
    sources: &[Source],
    left_out: Option<usize>,
    sampling: Sampling,
    watch: &dyn Watch,
) -> Result<SteadyState, EstimateError> {
    let mut log_transition = rows(sources, left_out, sampling);
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
        let tilts: Vec<&Tilt> = selection.of_state(state).collect();
        let proposals = Proposals::new(model, state, &tilts);
        let mut log_sums = Array2::from_elem((sampling.groups(), model.latent()), f64::NEG_INFINITY);
        let drawn = sampling.images_of(model, state).chain(proposals.images(sampling, state));
        for Batch { images, blocks } in batches(drawn) {
            watch.go_on()?;
            let logits = model.forward_logits(&images);
            for (group, place) in blocks {
                let block = log_sum(&tilts, logits.slice(s![place, ..]));
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

    /// `ln T_jk` from all groups or all but one.
    fn log_mean(&self, target: usize, left_out: Option<usize>, sampling: Sampling) -> f64 {
        let sum = mean_of_groups(self.sums.column(target).iter().copied(), left_out);
        self.log_units[target] + (sum / sampling.each() as f64).ln()
    }
}

/// `ln sum_x w(x) p(k|x) / C` over images that are given by their logits a `[N, L]`, `[L]`.
///
/// Summed as numbers, one exponential for each image and state; states whose sum f64 might not hold, once more as logarithms.
fn log_sum(tilts: &[&Tilt], logits: ArrayView2<f64>) -> Array1<f64> {
    /// Terms below e^-708 are lost: beside this they do not count.
    const LEAST: f64 = 1e-280;
    let mut sums = vec![0.0; logits.ncols()];
    let mut terms = vec![0.0; logits.ncols()];
    // The first is q(.|j) itself, whose ratio is 1.
    let mut log_ratios = Array1::zeros(tilts.len() + 1);
    let divisors = logits.rows().into_iter().map(|a| {
        let a = a.to_slice().unwrap_or_default();
        for (log_ratio, tilt) in log_ratios.iter_mut().skip(1).zip(tilts) {
            *log_ratio = tilt.log_ratio(a);
        }
        let log_divisor = logsumexp(log_ratios.view());
        let largest = largest(a.iter().copied());
        vectorized(
            #[inline(always)]
            || terms.iter_mut().zip(a).for_each(|(term, a)| *term = exp_f64(a - largest)),
        );
        let total: f64 = terms.iter().sum();
        let scale = (-log_divisor).exp() / total;
        vectorized(
            #[inline(always)]
            || sums.iter_mut().zip(&terms).for_each(|(sum, term)| *sum += scale * term),
        );
        log_divisor + largest + total.ln()
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
    count: usize,
    visible: usize,
}

impl Proposals {
    fn new(model: &Conditionals, state: usize, tilts: &[&Tilt]) -> Self {
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
