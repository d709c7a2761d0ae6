//! The state at step 0: initial parameters and initial chains.

use ndarray::{Array1, Array2, Axis};
use rand::Rng;

use crate::conditionals::Conditionals;
use crate::config::{Config, Init, ModelKind};
use crate::data::GreyImages;
use crate::data::packed::PackedImages;
use crate::logs::softplus;
use crate::model::Parameters;
use crate::random::{Seed, Stream, normal, permutation, uniform_f64};
use crate::record::{self, RecordError, TrainingState};

/// The state that a configuration starts from.
///
/// # Errors
/// With `model.init = "record"`, when the record cannot be used or has another shape.
pub fn initial_state(config: &Config, train: &GreyImages, visible: usize) -> Result<TrainingState, RecordError> {
    let seed = Seed(config.training.seed);
    let latent = config.model.latent;
    let floor = config.training.probability_floor;
    let equilibrium = config.training.method.machine() != ModelKind::Nonequilibrium;
    let parameters = match &config.model.init {
        Init::Random { scale } if equilibrium => {
            let mut generator = seed.generator(Stream::Parameters, 0, 0);
            tied_start(around_the_mean(&train.mean(), latent, *scale, floor, &mut generator))
        }
        Init::Images { scale } => {
            let parameters = images(train, latent, *scale, floor, seed, 0);
            if equilibrium { tied_start(parameters.backward) } else { parameters }
        }
        Init::Random { scale } => random(&train.mean(), latent, *scale, floor, seed),
        Init::Reversible { scale } => reversible(&train.mean(), latent, *scale, floor, seed),
        Init::Cyclic { scale } => cyclic(&train.mean(), latent, *scale, floor, seed),
        Init::Record(path) => {
            let mut parameters = record::load_model(path)?;
            record::expect_shape(path, &parameters, visible, latent)?;
            let bound = logit_bound(floor) as f32;
            parameters.backward.mapv_inplace(|logit| logit.clamp(-bound, bound));
            if equilibrium {
                parameters.forward = tied(&parameters.backward);
            }
            parameters
        }
    };
    Ok(TrainingState {
        mean_squares: Parameters::zeros(visible, latent),
        chains: config
            .training
            .method
            .chains()
            .map(|chains| initial_chains(&parameters, chains.count, seed)),
        parameters,
        step: 0,
    })
}

/// Every pixel starts near its mean over the data in every state: `A_ki = logit(mean_i) + noise`, `W_ik = noise`, `b = 0`, with
/// normal noise of standard deviation `scale`. The two matrices' noises are independent.
pub fn random(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut generator = seed.generator(Stream::Parameters, 0, 0);
    let visible = mean.len();
    Parameters {
        forward: Array2::from_shape_simple_fn((visible, latent), || (scale * normal(&mut generator)) as f32),
        forward_bias: Array1::zeros(latent),
        backward: around_the_mean(mean, latent, scale, floor, &mut generator),
    }
}

/// As [`random`], but with the forward matrix that makes p the Bayes posterior of q: `W_ik = A_ki - logit(mean_i)`. Detailed balance
/// holds and no current flows; the bias `b_k = sum_i ln(1 + exp(logit(mean_i))) - sum_i ln(1 + exp(A_ki))` makes all states equally
/// likely, since then `pi_k ~ exp(b_k) prod_i (1 + exp(A_ki))` does not depend on k.
pub fn reversible(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut parameters = random(mean, latent, scale, floor, seed);
    let common = Array1::from_iter(mean.iter().map(|&mean| logit(mean, floor) as f32));
    parameters.forward = tied(&(&parameters.backward - &common));
    let of_common: f64 = common.iter().map(|&a| softplus(f64::from(a))).sum();
    parameters.forward_bias = log_dark(&parameters.backward).mapv(|log_dark| (of_common + log_dark) as f32);
    parameters
}

/// As [`reversible`], but every image is sent to the successor of the state that it seems to be from: `p(k+1|x)` is the posterior of k.
/// As far as the states can be told apart, the chain goes round one ring of all of them.
pub fn cyclic(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let of_state = reversible(mean, latent, scale, floor, seed);
    let before = |k: usize| (k + latent - 1) % latent;
    Parameters {
        forward: Array2::from_shape_fn(of_state.forward.dim(), |(i, k)| of_state.forward[[i, before(k)]]),
        forward_bias: Array1::from_shape_fn(latent, |k| of_state.forward_bias[before(k)]),
        backward: of_state.backward,
    }
}

/// Every state starts halfway between the data's mean and a training image of its own, `A_ki = logit( (x_ki + mean_i) / 2 )`; W and b are
/// as in [`random`]. Many states then differ from the start by what the data differ in, and none has to find images of its own.
/// `start` tells several such starts apart.
pub fn images(train: &GreyImages, latent: usize, scale: f64, floor: f64, seed: Seed, start: u32) -> Parameters {
    let mean = train.mean();
    let order = permutation(&mut seed.generator(Stream::Parameters, 1, start.into()), train.len());
    let chosen: Vec<usize> = (0..latent).map(|k| order[k % order.len()]).collect();
    let chosen = train.evaluation_images(seed, 0).select(&chosen).unpack();
    Parameters {
        backward: Array2::from_shape_fn((latent, mean.len()), |(k, i)| {
            logit((f64::from(chosen[[k, i]]) + mean[i]) / 2.0, floor) as f32
        }),
        ..random(&mean, latent, scale, floor, seed)
    }
}

/// The start of machines in equilibrium: some A, `W = A^T`, and all states equally likely.
pub fn tied_start(backward: Array2<f32>) -> Parameters {
    Parameters {
        forward: tied(&backward),
        forward_bias: log_dark(&backward).mapv(|log_dark| log_dark as f32),
        backward,
    }
}

/// `A_ki = logit(mean_i) + noise`, `[L, D]`.
pub fn around_the_mean(mean: &[f64], latent: usize, scale: f64, floor: f64, generator: &mut impl Rng) -> Array2<f32> {
    let bound = logit_bound(floor);
    Array2::from_shape_fn((latent, mean.len()), |(_, pixel)| {
        (logit(mean[pixel], floor) + scale * normal(generator)).clamp(-bound, bound) as f32
    })
}

/// `A^T`, `[D, L]`.
fn tied(backward: &Array2<f32>) -> Array2<f32> {
    backward.t().as_standard_layout().into_owned()
}

/// `-sum_i ln(1 + exp(A_ki))`, `[L]`.
fn log_dark(backward: &Array2<f32>) -> Array1<f64> {
    backward.map_axis(Axis(1), |row| -row.iter().map(|&a| softplus(f64::from(a))).sum::<f64>())
}

/// N images drawn from `q(.|z)` with every state equally likely.
pub fn initial_chains(parameters: &Parameters, count: usize, seed: Seed) -> PackedImages {
    let model = Conditionals::new(parameters);
    let draws = seed.draws(Stream::ChainStart, 0, 0);
    let mut generator = draws.generator();
    let states: Vec<i32> = (0..count)
        .map(|_| (uniform_f64(&mut generator) * model.latent() as f64) as i32)
        .collect();
    model.draw(&states, draws.part(1))
}

/// The logit of a probability, within the floor on probabilities.
fn logit(probability: f64, floor: f64) -> f64 {
    let probability = probability.clamp(floor, 1.0 - floor);
    (probability / (1.0 - probability)).ln()
}

/// The logit whose probability is `1 - floor`.
pub fn logit_bound(floor: f64) -> f64 {
    ((1.0 - floor) / floor).ln()
}
