//! One training step: move the chains, build the gradient, go uphill.

use burn::module::Param;
use burn::optim::{CenteredState, RmsProp, RmsPropConfig, RmsPropState, SimpleOptimizer, SquareAvgState};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::chain::walk;
use crate::config::TrainingConfig;
use crate::data::BinaryImages;
use crate::gradient::two_step;
use crate::model::{Model, Parameters, matrix, to_matrix, to_vector, vector};
use crate::numerics::{Trainer, from_tensor, to_tensor};
use crate::random::Seed;
use crate::record::TrainingState;

/// A model in training on backend B.
pub struct Training<B: Backend> {
    model: Model<B>,
    mean_squares: MeanSquares<B>,
    /// The persistent chains, `[N, D]`.
    chains: Tensor<B, 2>,
    /// Steps taken.
    step: u64,
    forward_rule: RmsProp,
    backward_rule: RmsProp,
    chain_steps: usize,
    /// No logit of a pixel leaves `[-bound, bound]`.
    logit_bound: f64,
    seed: Seed,
}

/// RMSprop's running mean of the squared gradient, for each parameter.
struct MeanSquares<B: Backend> {
    forward: Tensor<B, 2>,
    forward_bias: Tensor<B, 1>,
    backward: Tensor<B, 2>,
}

impl<B: Backend> Training<B> {
    /// Puts a state on a device.
    pub fn new(state: &TrainingState, config: &TrainingConfig, device: &B::Device) -> Self {
        let rule = |epsilon| {
            RmsPropConfig::new()
                .with_alpha(config.rmsprop.decay as f32)
                .with_momentum(0.0)
                .with_epsilon(epsilon)
                .build()
        };
        Self {
            model: Model::new(&state.parameters, device),
            mean_squares: MeanSquares {
                forward: matrix(&state.mean_squares.forward, device),
                forward_bias: vector(&state.mean_squares.forward_bias, device),
                backward: matrix(&state.mean_squares.backward, device),
            },
            chains: to_tensor(&state.chains, device),
            step: state.step,
            forward_rule: rule(config.rmsprop.epsilon.forward as f32),
            backward_rule: rule(config.rmsprop.epsilon.backward as f32),
            chain_steps: config.chain_steps,
            logit_bound: logit_bound(config.probability_floor),
            seed: Seed(config.seed),
        }
    }
}

impl<B: Backend> Trainer for Training<B> {
    /// The order is part of the method: the chains move with the parameters that the last update left, and the gradient is taken at
    /// the images they arrive at, with those same parameters. Taking it at images drawn before the update would save a product and
    /// end, at a learning rate of 5e-3, in a nearly reversible machine instead of a cycling one.
    fn step(&mut self, images: &BinaryImages, learning_rate: f64) {
        let images = to_tensor(images, &self.chains.device());
        self.chains = walk(&self.model, self.chains.clone(), self.chain_steps, self.seed, self.step);
        let gradient = two_step(&self.model, images, self.chains.clone());

        let model = self.model.clone();
        let moments = &mut self.mean_squares;
        let ascent = Ascent {
            rule: &self.forward_rule,
            rate: learning_rate,
        };
        self.model.forward = ascent.update(model.forward, gradient.forward, &mut moments.forward);
        self.model.forward_bias = ascent.update(model.forward_bias, gradient.forward_bias, &mut moments.forward_bias);
        let ascent = Ascent {
            rule: &self.backward_rule,
            rate: learning_rate,
        };
        let backward = ascent.update(model.backward, gradient.backward, &mut moments.backward);
        // A pixel that is dark in every image would drive its logit to minus infinity.
        self.model.backward = backward.map(|logits| logits.clamp(-self.logit_bound, self.logit_bound));
        self.step += 1;
    }

    fn parameters(&self) -> Parameters {
        self.model.parameters()
    }

    fn state(&self) -> TrainingState {
        TrainingState {
            parameters: self.parameters(),
            mean_squares: Parameters {
                forward: to_matrix(self.mean_squares.forward.clone()),
                forward_bias: to_vector(self.mean_squares.forward_bias.clone()),
                backward: to_matrix(self.mean_squares.backward.clone()),
            },
            chains: from_tensor(self.chains.clone()),
            step: self.step,
        }
    }
}

/// Plain RMSprop uphill: `v <- a v + (1 - a) g^2`, `theta <- theta + rate g / (sqrt(v) + epsilon)`.
struct Ascent<'a> {
    rule: &'a RmsProp,
    rate: f64,
}

impl Ascent<'_> {
    fn update<B: Backend, const R: usize>(
        &self,
        parameter: Param<Tensor<B, R>>,
        gradient: Tensor<B, R>,
        mean_square: &mut Tensor<B, R>,
    ) -> Param<Tensor<B, R>> {
        // burn keeps the mean square twice and writes the second from the first; only the first is our state.
        let state = RmsPropState::new(
            SquareAvgState::new(mean_square.clone()),
            CenteredState::new(None, mean_square.clone()),
            None,
        );
        let (id, theta, mapper) = parameter.consume();
        // burn's optimizers go downhill.
        let (theta, state) = self.rule.step(self.rate, theta, -gradient, Some(state));
        if let Some(state) = state {
            *mean_square = state.square_avg.square_avg;
        }
        Param::from_mapped_value(id, theta, mapper)
    }
}

/// The logit whose probability is `1 - floor`.
pub fn logit_bound(floor: f64) -> f64 {
    ((1.0 - floor) / floor).ln()
}
