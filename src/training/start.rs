//! The state at step 0: initial parameters and initial chains.

use std::path::Path;

use ndarray::{Array1, Array2, Axis};
use rand::Rng;

use crate::codes::{Codes, Layers};
use crate::conditionals::Conditionals;
use crate::config::{Config, Init, Method, ModelKind, SampledConfig};
use crate::data::GreyImages;
use crate::data::packed::PackedImages;
use crate::estimate::reversible::closed_form;
use crate::logs::{sigmoid, softplus};
use crate::model::tanh::TanhParameters;
use crate::model::{BetweenParameters, Parameters};
use crate::random::{Seed, Stream, normal, permutation, uniform_f64};
use crate::record::{self, RecordError, SampledState, TrainingState};
use crate::units::UnitConditionals;

/// The state that a configuration starts from.
///
/// # Errors
/// With `model.init = "record"`, when the record cannot be used or has another shape.
pub fn initial_state(config: &Config, train: &GreyImages, visible: usize) -> Result<TrainingState, RecordError> {
    let seed = Seed(config.training.seed);
    let layers = &config.model.latent;
    let floor = config.training.probability_floor;
    if let Method::Sampled(sampled) = &config.training.method {
        return sampled_state(config, sampled, train, visible);
    }
    let kind = config.training.method.machine();
    let equilibrium = kind != ModelKind::Nonequilibrium;
    let parameters = match &config.model.init {
        Init::Random { scale } if equilibrium => {
            let mut generator = seed.generator(Stream::Parameters, 0, 0);
            let parameters = around_the_mean(&train.mean(), layers, *scale, floor, &mut generator);
            match kind {
                ModelKind::Mixture | ModelKind::Directed => with_prior(parameters),
                _ => tied_start(parameters),
            }
        }
        Init::Images { scale } => {
            let parameters = images(train, layers.states(), *scale, floor, seed, 0);
            if equilibrium { tied_start(parameters) } else { parameters }
        }
        Init::Random { scale } => random(&train.mean(), layers, *scale, floor, seed),
        Init::Reversible { scale } => reversible(&train.mean(), layers, *scale, floor, seed),
        Init::Cyclic { scale } => cyclic(&train.mean(), layers.states(), *scale, floor, seed),
        Init::Record(path) => {
            let loaded = recorded(path, config, visible)?;
            let log_pi = closed_form(&loaded);
            let mut parameters = within_floor(loaded, floor);
            match kind {
                ModelKind::Mixture | ModelKind::Directed => as_posterior(parameters, log_pi, kind),
                ModelKind::Rbm => {
                    record::expect_fixed_log_weights(path, &parameters)?;
                    parameters.forward = tied(&parameters.backward);
                    parameters
                }
                ModelKind::Nonequilibrium => {
                    record::expect_fixed_log_weights(path, &parameters)?;
                    parameters
                }
            }
        }
    };
    Ok(TrainingState {
        mean_squares: Parameters::of_zeros(visible, layers),
        chains: config
            .training
            .method
            .chains()
            .map(|chains| initial_chains(&parameters, chains.count, seed)),
        sampled: None,
        parameters,
        path_entropy_weight: None,
        step: 0,
    })
}

/// The model of a record, which must be of the configuration's shape.
fn recorded(path: &Path, config: &Config, visible: usize) -> Result<Parameters, RecordError> {
    let parameters = record::load_model(path)?;
    record::expect_shape(path, &parameters, visible, &config.model.latent)?;
    record::expect_tanh(path, &parameters, config.model.tanh)?;
    Ok(parameters)
}

/// With the pixels within the floor on probabilities.
fn within_floor(mut parameters: Parameters, floor: f64) -> Parameters {
    let bound = logit_bound(floor) as f32;
    parameters.backward.mapv_inplace(|logit| logit.clamp(-bound, bound));
    parameters
}

/// The same where the posterior is sampled: the recognition distribution starts as the forward transition. A directed machine, whose W stays 0, has a like
/// one to start from, and units that are on half of the time.
fn sampled_state(config: &Config, sampled: &SampledConfig, train: &GreyImages, visible: usize) -> Result<TrainingState, RecordError> {
    let seed = Seed(config.training.seed);
    let layers = &config.model.latent;
    let floor = config.training.probability_floor;
    let mut parameters = match &config.model.init {
        Init::Record(path) => {
            let loaded = recorded(path, config, visible)?;
            record::expect_fixed_log_weights(path, &loaded)?;
            within_floor(loaded, floor)
        }
        Init::Reversible { scale } => reversible(&train.mean(), layers, *scale, floor, seed),
        init => units(&train.mean(), layers, init.scale(), floor, seed),
    };
    if config.model.tanh > 0 && parameters.tanh.is_none() {
        parameters.tanh = Some(tanh_units(&train.mean(), config.model.tanh, parameters.forward_bias.len(), seed));
    }
    let begun = SampledState::begin(&parameters, sampled.optimizer);
    if sampled.directed && parameters.forward.iter().any(|weight| *weight != 0.0) {
        parameters.forward.fill(0.0);
        parameters.forward_bias.fill(0.0);
    }
    Ok(TrainingState {
        mean_squares: parameters.zeros_like(),
        chains: Some(initial_chains(&parameters, sampled.chains.count, seed)),
        sampled: Some(begun),
        parameters,
        path_entropy_weight: None,
        step: 0,
    })
}

/// Every pixel starts near its mean over the data in every state: `A~_ki = logit(mean_i)` but for noise in A, the matrices on the way up are
/// noise, their biases 0, with normal noise of standard deviation `scale`. The noises are independent.
pub fn random(mean: &[f64], layers: &Layers, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut generator = seed.generator(Stream::Parameters, 0, 0);
    let mut noise = |shape: (usize, usize)| Array2::from_shape_simple_fn(shape, || (scale * normal(&mut generator)) as f32);
    let zeros = Parameters::of_zeros(mean.len(), layers);
    let forward = noise(zeros.forward.dim());
    let between = zeros.between.into_iter().map(|between| BetweenParameters {
        matrix: noise(between.matrix.dim()),
        bias: between.bias,
    });
    Parameters {
        forward,
        forward_bias: zeros.forward_bias,
        between: between.collect(),
        ..around_the_mean(mean, layers, scale, floor, &mut generator)
    }
}

/// As [`random`], but for binary units that are on half of the time: `b = -W mean`, `a_i = logit(mean_i) - 1/2 sum_j A_ji`.
pub fn units(mean: &[f64], layers: &Layers, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut parameters = random(mean, layers, scale, floor, seed);
    parameters.forward_bias = balancing_bias(&parameters.forward.t().to_owned(), mean);
    if let Some(bias) = &mut parameters.visible_bias {
        bias.scaled_add(-0.5, &parameters.backward.sum_axis(Axis(0)));
    }
    parameters
}

/// T tanh units that look at random sums of the pixels, of mean 0 and variance 1 over the data if pixels were independent, and add nothing at first: a machine
/// starts as one without them.
fn tanh_units(mean: &[f64], count: usize, units: usize, seed: Seed) -> TanhParameters {
    let mut generator = seed.generator(Stream::Parameters, 2, 0);
    let variance: f64 = mean.iter().map(|mean| mean * (1.0 - mean)).sum();
    let scale = 1.0 / variance.max(1.0).sqrt();
    let mut tanh = TanhParameters::zeros([mean.len(), count, units]);
    tanh.inward.mapv_inplace(|_| (scale * normal(&mut generator)) as f32);
    tanh.bias = balancing_bias(&tanh.inward.t().to_owned(), mean);
    tanh
}

/// As [`random`], but with the forward matrix that makes p the Bayes posterior of q: `W = A^T`, less what A has of the data's mean. Detailed balance
/// holds and no current flows. Every state is equally likely: of a one-hot layer exactly,
///
/// ```text
/// b_k = sum_i ln(1 + exp(logit(mean_i))) - sum_i ln(1 + exp(A_ki)),     since     pi_k ~ exp(b_k) prod_i (1 + exp(A_ki))
/// ```
///
/// and of codes, which have no bias for each state, to first order in A: `b = -(A - mean of A) mean`.
pub fn reversible(mean: &[f64], layers: &Layers, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let mut parameters = random(mean, layers, scale, floor, seed);
    let common = common_logits(mean, layers, floor).mapv(|logit| logit as f32);
    let around = &parameters.backward - &common;
    parameters.forward = tied(&around);
    parameters.forward_bias = if layers.is_one_hot() {
        let of_common: f64 = common.iter().map(|&a| softplus(f64::from(a))).sum();
        log_dark(&parameters.backward).mapv(|log_dark| (of_common + log_dark) as f32)
    } else {
        balancing_bias(&around, mean)
    };
    parameters
}

/// As [`reversible`], but every image is sent to the successor of the state that it seems to be from: `p(k+1|x)` is the posterior of k.
/// As far as the states can be told apart, the chain goes round one ring of all of them. Of a one-hot layer.
pub fn cyclic(mean: &[f64], latent: usize, scale: f64, floor: f64, seed: Seed) -> Parameters {
    let of_state = reversible(mean, &Layers::one_hot(latent), scale, floor, seed);
    let before = |k: usize| (k + latent - 1) % latent;
    Parameters::one_hot(
        Array2::from_shape_fn(of_state.forward.dim(), |(i, k)| of_state.forward[[i, before(k)]]),
        Array1::from_shape_fn(latent, |k| of_state.forward_bias[before(k)]),
        of_state.backward,
    )
}

/// Every state starts halfway between the data's mean and a training image of its own, `A_ki = logit( (x_ki + mean_i) / 2 )`; W and b are
/// as in [`random`]. Many states then differ from the start by what the data differ in, and none has to find images of its own.
/// `start` tells several such starts apart. Of a one-hot layer.
pub fn images(train: &GreyImages, latent: usize, scale: f64, floor: f64, seed: Seed, start: u32) -> Parameters {
    let mean = train.mean();
    let order = permutation(&mut seed.generator(Stream::Parameters, 1, start.into()), train.len());
    let chosen: Vec<usize> = (0..latent).map(|k| order[k % order.len()]).collect();
    let chosen = train.evaluation_images(seed, 0).select(&chosen).unpack();
    Parameters {
        backward: Array2::from_shape_fn((latent, mean.len()), |(k, i)| {
            logit((f64::from(chosen[[k, i]]) + mean[i]) / 2.0, floor) as f32
        }),
        ..random(&mean, &Layers::one_hot(latent), scale, floor, seed)
    }
}

/// The start of machines in equilibrium: some A and a, `W = A^T`, and all states equally likely, as in [`reversible`].
pub fn tied_start(parameters: Parameters) -> Parameters {
    let backward = &parameters.backward;
    Parameters {
        forward: tied(backward),
        forward_bias: match &parameters.visible_bias {
            None if parameters.layers.is_one_hot() => log_dark(backward).mapv(|log_dark| log_dark as f32),
            None => balancing_bias(backward, &mean_of(&backward.mean_axis(Axis(0)).unwrap_or_default())),
            Some(bias) => balancing_bias(backward, &mean_of(bias)),
        },
        ..parameters
    }
}

/// The start of mixtures and directed models: some A and a, and the posterior of every state's own weight, `pi_k ~ e^{g_k}`: all states equally likely, or
/// N(0, 1) on a grid.
pub fn with_prior(parameters: Parameters) -> Parameters {
    if parameters.layers.is_one_hot() {
        return tied_start(parameters);
    }
    let bias = Array1::zeros(parameters.forward_bias.len());
    let log_weights = Codes::of(parameters.layers.last()).log_weights();
    posterior_of(parameters, bias, log_weights)
}

/// The mixture or the directed model that starts from a record: with its A and a; and with its pi if that has a closed form, `ln pi` `[L]`, and is
/// one that the model can have.
fn as_posterior(parameters: Parameters, log_pi: Option<Array1<f64>>, kind: ModelKind) -> Parameters {
    if parameters.layers.is_one_hot() {
        return Parameters {
            forward: tied(&parameters.backward),
            ..parameters
        };
    }
    let codes = Codes::of(parameters.layers.last());
    let own = parameters.log_weights.is_some();
    match (kind, log_pi) {
        (ModelKind::Mixture, Some(log_pi)) => {
            let bias = Array1::zeros(parameters.forward_bias.len());
            posterior_of(parameters, bias, log_pi)
        }
        (ModelKind::Directed, Some(_)) if own => {
            let bias = parameters.forward_bias.clone();
            posterior_of(parameters, bias, codes.log_weights())
        }
        _ => with_prior(parameters),
    }
}

/// The model with these A and a whose forward transition is the posterior: `W = A^T`, with a weight `e^{b . c_k + w_k}` of every state.
fn posterior_of(parameters: Parameters, bias: Array1<f32>, log_weights: Array1<f64>) -> Parameters {
    let log_weights = log_weights + log_dark(&parameters.backward_table());
    Parameters {
        forward: tied(&parameters.backward),
        forward_bias: bias,
        log_weights: Some(log_weights.mapv(|log_weight| log_weight as f32)),
        ..parameters
    }
}

/// The part of a start that draws images, all else 0: `A~_ki = logit(mean_i)`, but for noise in A.
pub fn around_the_mean(mean: &[f64], layers: &Layers, scale: f64, floor: f64, generator: &mut impl Rng) -> Parameters {
    let bound = logit_bound(floor);
    let mut parameters = Parameters::of_zeros(mean.len(), layers);
    let common = common_logits(mean, layers, floor);
    parameters.backward = Array2::from_shape_fn(parameters.backward.dim(), |(_, pixel)| {
        (common[pixel] + scale * normal(generator)).clamp(-bound, bound) as f32
    });
    if let Some(bias) = &mut parameters.visible_bias {
        *bias = mean.iter().map(|&mean| logit(mean, floor) as f32).collect();
    }
    parameters
}

/// What each row of A has of `logit(mean_i)`, `[D]`: nothing where a holds it; otherwise each one-hot factor has its share.
fn common_logits(mean: &[f64], layers: &Layers, floor: f64) -> Array1<f64> {
    let layer = layers.last();
    let share = if layer.spans_constant() {
        1.0 / layer.factors().len() as f64
    } else {
        0.0
    };
    mean.iter().map(|&mean| share * logit(mean, floor)).collect()
}

/// `-A mean`, `[H]`.
fn balancing_bias(backward: &Array2<f32>, mean: &[f64]) -> Array1<f32> {
    let of_code = |row: ndarray::ArrayView1<f32>| row.iter().zip(mean).map(|(&a, mean)| f64::from(a) * mean).sum::<f64>();
    backward.map_axis(Axis(1), |row| -of_code(row) as f32)
}

/// `s(a_i)`, `[D]`.
fn mean_of(logits: &Array1<f32>) -> Vec<f64> {
    logits.iter().map(|&logit| sigmoid(f64::from(logit))).collect()
}

/// `A^T`, `[D, L]`.
fn tied(backward: &Array2<f32>) -> Array2<f32> {
    backward.t().as_standard_layout().into_owned()
}

/// `-sum_i ln(1 + exp(A_ki))`, `[L]`.
fn log_dark<A: Copy + Into<f64>>(backward: &Array2<A>) -> Array1<f64> {
    backward.map_axis(Axis(1), |row| -row.iter().map(|&a| softplus(a.into())).sum::<f64>())
}

/// N images drawn from `q(.|z)` with every state equally likely.
pub fn initial_chains(parameters: &Parameters, count: usize, seed: Seed) -> PackedImages {
    let draws = seed.draws(Stream::ChainStart, 0, 0);
    if !parameters.layers.are_listed() {
        let model = UnitConditionals::new(parameters);
        return model.draw_images(&model.fair_words(count, draws), draws.part(1));
    }
    let model = Conditionals::new(parameters);
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
