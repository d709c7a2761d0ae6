//! The latent kernel T of a model, estimated from images drawn in every state.

use ndarray::{Array1, Array2, Axis, Zip};
use rand::Rng;
use rayon::prelude::*;

use super::stationary::log_stationary;
use crate::conditionals::{Conditionals, log_add, log_sum_exp};
use crate::random::{Seed, Stream};

/// The latent chain of a model in its steady state, with what was observed of the images it was estimated from.
///
/// ```text
/// T_jk = E_{x ~ q(.|j)} [ p(k|x) ],       pi = pi T
/// ```
///
/// The estimate is stratified: M images from `q(.|j)` for every state j, averages of probabilities and never counts. It needs no
/// mixing, and works in log space and f64 because rare transitions underflow f32.
#[derive(Clone, Debug)]
pub struct LatentKernel<T> {
    /// `ln T`, `[L, L]`.
    pub log_transition: Array2<f64>,
    /// `ln pi`, `[L]`.
    pub log_pi: Array1<f64>,
    /// Path entropy production, nats per step of the whole chain, images included:
    ///
    /// ```text
    /// sigma = E [ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ],      z ~ pi,  x ~ q(.|z),  z' ~ p(.|x)
    /// ```
    ///
    /// The average over z' is exact for each image. It is at least the latent entropy production, which sees less of the path.
    pub path_entropy_production: f64,
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

impl<T: Send> LatentKernel<T> {
    /// Draws `samples` images in each state and shows each, as its lit pixels, to `observe`; `time` keys the draws. `None` if the
    /// steady state is not unique, which for finite parameters cannot be.
    pub fn estimate(model: &Conditionals, samples: usize, seed: Seed, time: u64, observe: impl Fn(&[usize]) -> T + Sync) -> Option<Self> {
        let latent = model.latent();
        let strata: Vec<Stratum<T>> = (0..latent)
            .into_par_iter()
            .map(|state| {
                let mut generator = seed.generator(Stream::Kernel, time, state as u64);
                Stratum::draw(model, state, samples, &mut generator, &observe)
            })
            .collect();
        let log_transition = Array2::from_shape_fn((latent, latent), |(j, k)| strata[j].log_transition[k]);
        let log_pi = log_stationary(&log_transition)?;
        let path = log_pi.iter().zip(&strata).map(|(log_pi, stratum)| log_pi.exp() * stratum.path);
        Some(Self {
            path_entropy_production: path.sum(),
            log_transition,
            log_pi,
            observed: strata.into_iter().map(|stratum| stratum.observed).collect(),
        })
    }
}

impl<T> Stratum<T> {
    fn draw(model: &Conditionals, state: usize, samples: usize, generator: &mut impl Rng, observe: impl Fn(&[usize]) -> T) -> Self {
        /// Images whose probabilities are summed at a time, so that memory does not grow with their number.
        const BLOCK: usize = 1024;
        let mut log_sum = Array1::from_elem(model.latent(), f64::NEG_INFINITY);
        let mut path = 0.0;
        let mut observed = Vec::with_capacity(samples);
        let mut lit = Vec::with_capacity(model.visible());
        for first in (0..samples).step_by(BLOCK) {
            let mut log_forward = Array2::zeros((BLOCK.min(samples - first), model.latent()));
            for mut row in log_forward.rows_mut() {
                model.draw(state, generator, &mut lit);
                let log_p = model.log_forward(&lit);
                let log_q = model.log_backward(&lit);
                let here = log_q[state] - log_p[state];
                path += Zip::from(&log_p)
                    .and(&log_q)
                    .fold(0.0, |sum, log_p, log_q| sum + log_p.exp() * (here - (log_q - log_p)));
                row.assign(&log_p);
                observed.push(observe(&lit));
            }
            let block = log_forward.map_axis(Axis(0), log_sum_exp);
            log_sum.zip_mut_with(&block, |sum, &block| *sum = log_add(*sum, block));
        }
        Self {
            log_transition: log_sum - (samples as f64).ln(),
            path: path / samples as f64,
            observed,
        }
    }
}
