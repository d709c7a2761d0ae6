//! The likelihood of a Boltzmann machine of many units: its partition function, by annealed importance sampling.
//!
//! A machine without couplings is taken to the machine itself in B steps, `0 = beta_0 < beta_1 < ... < 1`,
//!
//! ```text
//! f_beta(x) = exp( x . a_beta ) prod_j ( 1 + e^{beta (b + A x)_j} ),      a_beta = (1 - beta) a_0 + beta a,      Z_0 = 2^H prod_i ( 1 + e^{a_0i} )
//! Z / Z_0 = E prod_t f_{beta_t}(x_t) / f_{beta_{t-1}}(x_t)
//! ```
//!
//! each x_t drawn by one step of the chain at beta_{t-1} from x_{t-1} (R. Neal, 2001; R. Salakhutdinov and I. Murray, ICML 2008). The mean of the product is exact for any B;
//! its logarithm is too small on average, so that likelihoods come out too large rather than too small where there are too few steps. a_0 has the mean of the data.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::UnitConditionals;
use super::conditionals::draw_bits;
use super::marginal::GROUPS;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::{Figure, error_of_mean};
use crate::logs::{effective_number, logsumexp, softplus};
use crate::random::{Seed, Stream};
use crate::watch::{Stopped, Watch};

/// Steps of the annealing.
pub const STEPS: usize = 10_000;
/// Chains that are annealed.
pub const CHAINS: usize = 256;

/// `ln Z` with what is known of it.
#[derive(Clone, Debug)]
pub struct Partition {
    /// ln of the weights of the chains, `ln Z` each on its own.
    log_weights: Array1<f64>,
}

impl Partition {
    /// Of the machine whose matrices are tied; `mean` is the probability of each pixel at beta = 0, `[D]`. A part is announced for each hundred steps.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn anneal(
        model: &UnitConditionals,
        mean: &[f64],
        (chains, steps): (usize, usize),
        seed: Seed,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        const PART: usize = 100;
        watch.begins("partition function", steps.div_ceil(PART));
        let base: Array1<f64> = mean.iter().map(|&mean| (mean / (1.0 - mean)).ln()).collect();
        let own = model.visible_bias().mapv(f64::from);
        let at = |beta: f64| (&base * (1.0 - beta) + &own * beta).mapv(|a| a as f32);
        let draws = |step: usize, which| seed.draws(Stream::Annealing, step as u64, which);
        let mut images = draw_bits(&at(0.0).insert_axis(Axis(0)), chains, draws(0, 1));
        let mut log_weights = Array1::from_elem(
            chains,
            base.iter().copied().map(softplus).sum::<f64>() + model.units() as f64 * 2.0_f64.ln(),
        );
        for step in 1..=steps {
            let [before, beta] = [step - 1, step].map(|step| step as f64 / steps as f64);
            let logits = model.forward_logits(&images); //                       b + A x     [N, H]
            log_weights += &log_ratio(&images, &logits, &(&own - &base), [before, beta]);
            if step == steps {
                break;
            }
            if step % PART == 0 {
                watch.go_on()?;
                watch.part_done();
            }
            let words = draw_bits(&logits.mapv(|logit| beta as f32 * logit), 1, draws(step, 0));
            let pull = model.visible_pull(&words); //                            A^T h       [N, D]
            let logits = pull.mapv(|pull| beta as f32 * pull) + &at(beta);
            images = draw_bits(&logits, 1, draws(step, 1));
        }
        Ok(Self { log_weights })
    }

    /// ln Z from all chains, or all but those of a group.
    fn log_z(&self, left_out: Option<usize>) -> f64 {
        let used: Array1<f64> = (self.log_weights.iter().enumerate())
            .filter(|(chain, _)| Some(chain % GROUPS) != left_out)
            .map(|(_, weight)| *weight)
            .collect();
        logsumexp(used.view()) - (used.len() as f64).ln()
    }

    /// Chains that count: `(sum w)^2 / sum w^2`.
    pub fn effective(&self) -> f64 {
        effective_number(self.log_weights.view())
    }

    /// Mean of `ln P(x) = x . a + sum_j ln( 1 + e^{(b + A x)_j} ) - ln Z` over some images, with its interval by the annealing and its error over images.
    pub fn log_likelihood(&self, model: &UnitConditionals, images: &PackedImages) -> Figure {
        let log_f = log_density(model, images);
        let mean = log_f.sum() / log_f.len() as f64;
        let over_images = error_of_mean(log_f.iter().copied(), mean);
        let without: Vec<f64> = (0..GROUPS).map(|group| mean - self.log_z(Some(group))).collect();
        Figure {
            standard_error_over_images: Some(over_images),
            ..Figure::jackknife(mean - self.log_z(None), &without)
        }
    }
}

/// `ln f_beta'(x) - ln f_beta(x)`, `[N]`.
fn log_ratio(images: &PackedImages, logits: &Array2<f32>, difference: &Array1<f64>, [before, beta]: [f64; 2]) -> Array1<f64> {
    let of_bias = lit_sums(images, difference) * (beta - before);
    let of_units: Vec<f64> = (0..images.len())
        .into_par_iter()
        .map(|chain| {
            let terms = logits.row(chain).into_iter().map(|&logit| f64::from(logit));
            terms.map(|logit| softplus(beta * logit) - softplus(before * logit)).sum::<f64>()
        })
        .collect();
    of_bias + Array1::from(of_units)
}

/// `ln f_1(x)`, `[N]`.
fn log_density(model: &UnitConditionals, images: &PackedImages) -> Array1<f64> {
    let own = model.visible_bias().mapv(f64::from);
    let of_units = model.forward_logits(images).map_axis(Axis(1), |logits| {
        logits.iter().map(|&logit| softplus(f64::from(logit))).sum::<f64>()
    });
    lit_sums(images, &own) + of_units
}

/// `x . v`, `[N]`.
fn lit_sums(images: &PackedImages, values: &Array1<f64>) -> Array1<f64> {
    crate::conditionals::affine(images, &values.clone().insert_axis(Axis(1)), &Array1::zeros(1)).remove_axis(Axis(1))
}
