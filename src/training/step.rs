//! One training step: move the chains, build the gradient, go uphill.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::chain::walk;
use crate::config::TrainingConfig;
use crate::data::packed::PackedImages;
use crate::gradient::two_step;
use crate::model::{Model, Parameters};
use crate::numerics::Trainer;
use crate::ops::{ChainBackend, Images, Rule};
use crate::random::Seed;
use crate::record::TrainingState;

/// A model in training on backend B.
pub struct Training<B: ChainBackend> {
    model: Model<B>,
    /// RMSprop's running mean of the squared gradient, for each parameter.
    mean_squares: Model<B>,
    /// N persistent chains.
    chains: Images<B>,
    /// Steps taken.
    step: u64,
    forward_rule: Rule,
    backward_rule: Rule,
    chain_steps: usize,
    seed: Seed,
}

impl<B: ChainBackend> Training<B> {
    /// Puts a state on a device.
    pub fn new(state: &TrainingState, config: &TrainingConfig, device: &B::Device) -> Self {
        let rule = |epsilon, bound| Rule {
            decay: config.rmsprop.decay as f32,
            epsilon: epsilon as f32,
            rate: 0.0,
            bound,
        };
        Self {
            model: Model::new(&state.parameters, device),
            mean_squares: Model::new(&state.mean_squares, device),
            chains: Images::new(&PackedImages::pack(&state.chains), device),
            step: state.step,
            forward_rule: rule(config.rmsprop.epsilon.forward, f32::INFINITY),
            // A pixel that is dark in every image would drive its logit to minus infinity.
            backward_rule: rule(config.rmsprop.epsilon.backward, logit_bound(config.probability_floor) as f32),
            chain_steps: config.chain_steps,
            seed: Seed(config.seed),
        }
    }
}

impl<B: ChainBackend> Trainer for Training<B> {
    /// The order is part of the method: the chains move with the parameters that the last update left, and the gradient is taken at
    /// the images they arrive at, with those same parameters. Taking it at images drawn before the update would save a product and
    /// end, at a learning rate of 5e-3, in a nearly reversible machine instead of a cycling one.
    fn step(&mut self, images: &PackedImages, learning_rate: f64) {
        let images = Images::new(images, &self.chains.words.device());
        self.chains = walk(&self.model, self.chains.clone(), self.chain_steps, self.seed, self.step);
        let gradient = two_step(&self.model, &images, &self.chains);

        let rate = learning_rate as f32;
        let forward = Rule { rate, ..self.forward_rule };
        let backward = Rule {
            rate,
            ..self.backward_rule
        };
        let (model, moments) = (&mut self.model, &mut self.mean_squares);
        B::both(
            || {
                ascend(forward, &mut model.forward, gradient.forward, &mut moments.forward);
                ascend(forward, &mut model.forward_bias, gradient.forward_bias, &mut moments.forward_bias);
            },
            || ascend(backward, &mut model.backward, gradient.backward, &mut moments.backward),
        );
        self.step += 1;
    }

    fn wait(&self) {
        // A fault on the device shows where its results are read.
        let _ = B::sync(&self.chains.words.device());
    }

    fn parameters(&self) -> Parameters {
        self.model.parameters()
    }

    fn state(&self) -> TrainingState {
        TrainingState {
            parameters: self.parameters(),
            mean_squares: self.mean_squares.parameters(),
            chains: self.chains.to_host().unpack(),
            step: self.step,
        }
    }
}

/// Moves a parameter and its mean square.
fn ascend<B: ChainBackend, const R: usize>(
    rule: Rule,
    parameter: &mut Param<Tensor<B, R>>,
    gradient: Tensor<B, R>,
    mean_square: &mut Param<Tensor<B, R>>,
) {
    let (theta, square) = B::ascend(rule, parameter.val(), gradient, mean_square.val());
    *parameter = Param::initialized(parameter.id, theta);
    *mean_square = Param::initialized(mean_square.id, square);
}

/// The logit whose probability is `1 - floor`.
pub fn logit_bound(floor: f64) -> f64 {
    ((1.0 - floor) / floor).ln()
}
