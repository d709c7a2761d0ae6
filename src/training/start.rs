//! The state at step 0: initial parameters and initial chains.

use std::path::Path;

use ndarray::{Array1, Array2};

use super::step::logit_bound;
use crate::conditionals::Conditionals;
use crate::config::{Config, Init};
use crate::data::{BinaryImages, Images};
use crate::model::Parameters;
use crate::random::{Seed, Stream, normal, uniform_f64};
use crate::record::{self, RecordError, TrainingState};

/// The state that a configuration starts from.
///
/// # Errors
/// With `model.init = "record"`, when the record cannot be used or has another shape.
pub fn initial_state(config: &Config, train: &Images, visible: usize) -> Result<TrainingState, RecordError> {
    let seed = Seed(config.training.seed);
    let latent = config.model.latent;
    let floor = config.training.probability_floor;
    let parameters = match config.model.init {
        Init::Random => random(&train.mean(), latent, config.model.scale, floor, seed),
        Init::Reversible => reversible(&train.mean(), latent, config.model.scale, floor, seed),
        Init::Record => {
            let path = config.model.record.as_deref().unwrap_or(Path::new(""));
            let mut parameters = record::load_model(path)?;
            record::expect_shape(path, &parameters, visible, latent)?;
            let bound = logit_bound(floor) as f32;
            parameters.backward.mapv_inplace(|logit| logit.clamp(-bound, bound));
            parameters
        }
    };
    Ok(TrainingState {
        mean_squares: Parameters::zeros(visible, latent),
        chains: initial_chains(&parameters, config.training.chains, seed),
        parameters,
        step: 0,
    })
}

/// Every pixel starts near its mean over the data in every state: `A_ki = logit(mean_i) + noise`, `W_ik = noise`, `b = 0`, with
/// normal noise of standard deviation `scale`. The two matrices' noises are independent.
pub fn random(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut generator = seed.generator(Stream::Parameters, 0, 0);
    let mut noise = || scale * normal(&mut generator);
    let visible = mean.len();
    let bound = logit_bound(floor);
    Parameters {
        forward: Array2::from_shape_simple_fn((visible, latent), || noise() as f32),
        forward_bias: Array1::zeros(latent),
        backward: Array2::from_shape_fn((latent, visible), |(_, pixel)| {
            (logit(mean[pixel], floor) + noise()).clamp(-bound, bound) as f32
        }),
    }
}

/// As [`random`], but with the forward matrix that makes p the Bayes posterior of q: `W_ik = A_ki - logit(mean_i)`. Detailed balance
/// holds and no current flows; the bias `b_k = sum_i ln(1 + exp(logit(mean_i))) - sum_i ln(1 + exp(A_ki))` makes all states equally
/// likely, since then `pi_k ~ exp(b_k) prod_i (1 + exp(A_ki))` does not depend on k.
pub fn reversible(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut parameters = random(mean, latent, scale, floor, seed);
    let common = Array1::from_iter(mean.iter().map(|&mean| logit(mean, floor) as f32));
    parameters.forward = (&parameters.backward - &common).reversed_axes().as_standard_layout().into_owned();
    let softplus = |logit: f32| f64::from(logit).exp().ln_1p();
    let log_dark = |logits: ndarray::ArrayView1<f32>| logits.iter().copied().map(softplus).sum::<f64>();
    let common = log_dark(common.view());
    parameters.forward_bias = parameters
        .backward
        .rows()
        .into_iter()
        .map(|logits| (common - log_dark(logits)) as f32)
        .collect();
    parameters
}

/// N images drawn from `q(.|z)` with every state equally likely.
fn initial_chains(parameters: &Parameters, count: usize, seed: Seed) -> BinaryImages {
    let model = Conditionals::new(parameters);
    let draws = seed.draws(Stream::ChainStart, 0, 0);
    let mut generator = draws.generator();
    let states: Vec<i32> = (0..count)
        .map(|_| (uniform_f64(&mut generator) * model.latent() as f64) as i32)
        .collect();
    model.draw(&states, draws.part(1)).unpack()
}

/// The logit of a probability, within the floor on probabilities.
fn logit(probability: f64, floor: f64) -> f64 {
    let probability = probability.clamp(floor, 1.0 - floor);
    (probability / (1.0 - probability)).ln()
}
