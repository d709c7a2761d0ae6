//! One training step: move the chains, build the gradient, go uphill.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::chain::walk;
use crate::config::{GradientKind, PseudoCount, Sampling, TrainingConfig};
use crate::data::packed::PackedImages;
use crate::gradient::equilibrium::{TiedGradient, exact, persistent};
use crate::gradient::functional::Objective;
use crate::gradient::stratified::{draw, stratified};
use crate::gradient::{Gradient, two_step};
use crate::model::{Model, Parameters};
use crate::numerics::Trainer;
use crate::ops::{ChainBackend, Images, Rule};
use crate::random::{Seed, Stream};
use crate::record::TrainingState;
use crate::training::em;

/// What a step follows.
#[derive(Clone, Copy, Debug)]
enum Method {
    /// The two-step gradient at the chains' images, as they are after the move or before.
    TwoStep { stale: bool },
    /// A gradient at images drawn anew, so many from each state.
    Stratified { each: usize, objective: Objective },
    /// The RBM's exact gradient.
    Exact,
    /// The RBM's gradient at the chains' images.
    Persistent,
    /// Expectation and maximization.
    Em { pseudo_count: f64 },
}

impl Method {
    fn of(config: &TrainingConfig, latent: usize) -> Self {
        /// For mixtures that are trained before a pseudo-count was chosen.
        const PSEUDO_COUNT: f64 = 0.1;
        match (config.gradient, config.sampling) {
            (GradientKind::Exact, _) => Self::Exact,
            (GradientKind::Pcd, _) => Self::Persistent,
            (GradientKind::Em, _) => Self::Em {
                pseudo_count: match config.em.pseudo_count {
                    PseudoCount::Number(count) => count,
                    PseudoCount::HeldOut(_) => PSEUDO_COUNT,
                },
            },
            (GradientKind::TwoStep, Sampling::Persistent) => Self::TwoStep { stale: false },
            (GradientKind::TwoStep, Sampling::Stale) => Self::TwoStep { stale: true },
            (GradientKind::TwoStep | GradientKind::Complete, _) => Self::Stratified {
                each: (config.chains / latent).max(2),
                objective: Objective {
                    complete: config.gradient == GradientKind::Complete,
                    entropy_weight: config.entropy_weight,
                },
            },
        }
    }
}

/// A model in training on backend B.
pub struct Training<B: ChainBackend> {
    model: Model<B>,
    /// RMSprop's running mean of the squared gradient, for each parameter.
    mean_squares: Model<B>,
    /// N persistent chains.
    chains: Images<B>,
    /// Steps taken.
    step: u64,
    method: Method,
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
            chains: Images::new(&state.chains, device),
            step: state.step,
            method: Method::of(config, state.parameters.latent()),
            forward_rule: rule(config.rmsprop.epsilon.forward, f32::INFINITY),
            // A pixel that is dark in every image would drive its logit to minus infinity.
            backward_rule: rule(config.rmsprop.epsilon.backward, logit_bound(config.probability_floor) as f32),
            chain_steps: config.chain_steps,
            seed: Seed(config.seed),
        }
    }
}

impl<B: ChainBackend> Training<B> {
    /// Goes uphill.
    fn follow(&mut self, gradient: Gradient<B>, rate: f32) {
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
    }

    /// Goes uphill with b and A; W is tied to A.
    fn follow_tied(&mut self, gradient: TiedGradient<B>, rate: f32) {
        let forward = Rule { rate, ..self.forward_rule };
        let backward = Rule {
            rate,
            ..self.backward_rule
        };
        let (model, moments) = (&mut self.model, &mut self.mean_squares);
        ascend(forward, &mut model.forward_bias, gradient.bias, &mut moments.forward_bias);
        ascend(backward, &mut model.backward, gradient.backward, &mut moments.backward);
        let tied = model.backward.val().transpose();
        model.forward = Param::initialized(model.forward.id, tied);
    }
}

impl<B: ChainBackend> Trainer for Training<B> {
    /// The order is part of the method: the chains move with the parameters that the last update left, and the gradient is taken at
    /// the images they arrive at, with those same parameters. Taking it at images drawn before the update, `stale`, would save a
    /// product and end, at learning rates of 5e-3 and more, in a machine that mostly stays where it is instead of cycling.
    fn step(&mut self, images: &PackedImages, learning_rate: f64) {
        let rate = learning_rate as f32;
        let images = Images::new(images, &self.chains.words.device());
        let moved = walk(&self.model, self.chains.clone(), self.chain_steps, self.seed, self.step);
        let before = std::mem::replace(&mut self.chains, moved);
        match self.method {
            Method::TwoStep { stale } => {
                let chains = if stale { &before } else { &self.chains };
                self.follow(two_step(&self.model, &images, chains), rate);
            }
            Method::Stratified { each, objective } => {
                let drawn = draw(&self.model, each, self.seed.draws(Stream::Strata, self.step, 0));
                self.follow(stratified(&self.model, &images, &drawn, objective), rate);
            }
            Method::Exact => self.follow_tied(exact(&self.model, &images), rate),
            Method::Persistent => self.follow_tied(persistent(&self.model, &images, &self.chains), rate),
            Method::Em { pseudo_count } => {
                self.model = em::step(self.model.clone(), &images, pseudo_count, self.backward_rule.bound.into());
            }
        }
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
            chains: self.chains.to_host(),
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
