//! The latent kernel of a model by plain means over images drawn in every state: cheap enough for training.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::sampling::Sampling;
use super::stratified::{Kernels, Strata};
use super::{EstimateError, Kernel};
use crate::conditionals::{Conditionals, expected_ratio};
use crate::data::packed::PackedImages;
use crate::latent::SteadyState;
use crate::logs::{logaddexp, logsumexp};
use crate::random::{Draws, Seed, Stream};
use crate::watch::{Stopped, Watch};

/// A kernel, with what was observed of the images it was estimated from.
///
/// The estimate is stratified: M images from `q(.|j)` for every state j, averages of probabilities and never counts. It needs no
/// mixing, and works in log space and f64 because rare transitions underflow f32. A transition rarer than 1 / M rests on few draws,
/// which biases the latent entropy production upward; [`super::importance`] does better. Sums of states with structure are those of
/// [`super::stratified`].
#[derive(Clone, Debug)]
pub struct PlainEstimate<T> {
    /// T, pi, and the path's log ratios.
    pub kernel: Kernel,
    /// For every state, what was observed of each of its M images.
    pub observed: Vec<Vec<T>>,
}

/// What one state's images contribute.
struct Stratum<T> {
    /// `ln T_jk`, `[L]`.
    log_transition: Array1<f64>,
    /// The mean of the path's log ratio, given this state.
    path: f64,
    observed: Vec<T>,
}

impl<T: Send> PlainEstimate<T> {
    /// Draws `samples` images in each state and shows them, some at a time, to `observe`, which gives one observation for each; `time`
    /// keys the draws.
    ///
    /// # Errors
    /// When the parameters are not finite, or when it is stopped, which it looks for between the states, at the latest after 2,048 images.
    pub fn draw(
        model: &Conditionals,
        samples: usize,
        seed: Seed,
        time: u64,
        observe: impl Fn(&PackedImages) -> Vec<T> + Sync,
        watch: &dyn Watch,
    ) -> Result<Self, EstimateError> {
        if !model.is_one_hot() {
            let sampling = Sampling::in_groups(1, samples, seed).at(time);
            let Kernels { whole, observed, .. } = Strata::draw(model, sampling, observe, watch)?.kernels(watch)?;
            return Ok(Self { kernel: whole, observed });
        }
        let latent = model.latent();
        let strata: Result<Vec<Stratum<T>>, Stopped> = (0..latent)
            .into_par_iter()
            .map(|state| {
                let draws = seed.draws(Stream::Kernel, time, state as u64);
                Stratum::draw(model, state, samples, draws, &observe, watch)
            })
            .collect();
        let strata = strata?;
        let log_transition = Array2::from_shape_fn((latent, latent), |(j, k)| strata[j].log_transition[k]);
        Ok(Self {
            kernel: Kernel {
                steady: SteadyState::from_logs_watched(log_transition, watch)?,
                path: strata.iter().map(|stratum| stratum.path).collect(),
            },
            observed: strata.into_iter().map(|stratum| stratum.observed).collect(),
        })
    }
}

impl<T> Stratum<T> {
    fn draw(
        model: &Conditionals,
        state: usize,
        samples: usize,
        draws: Draws,
        observe: impl Fn(&PackedImages) -> Vec<T>,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        /// Images that are held at a time, so that memory does not grow with their number.
        const BLOCK: usize = 2048;
        let mut log_sum = Array1::from_elem(model.latent(), f64::NEG_INFINITY);
        let mut path = 0.0;
        let mut observed = Vec::with_capacity(samples);
        for (part, first) in (0..samples).step_by(BLOCK).enumerate() {
            watch.go_on()?;
            let states = vec![state as i32; BLOCK.min(samples - first)];
            let images = model.draw(&states, draws.part(part as u64));
            let log_forward = model.log_forward(&images);
            let log_backward = model.log_backward(&images);
            for (log_p, log_q) in log_forward.rows().into_iter().zip(log_backward.rows()) {
                path += log_q[state] - log_p[state] - expected_ratio(log_p, log_q);
            }
            let block = log_forward.map_axis(Axis(0), logsumexp);
            log_sum.zip_mut_with(&block, |sum, &block| *sum = logaddexp(*sum, block));
            observed.extend(observe(&images));
        }
        Ok(Self {
            log_transition: log_sum - (samples as f64).ln(),
            path: path / samples as f64,
            observed,
        })
    }
}
