//! One training step: move the chains, build the gradient, go uphill.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::chain::{walk, walk_with_states};
use crate::config::{Ascent, Chains, GradientKind, SampledConfig, TrainingConfig};
use crate::data::packed::PackedImages;
use crate::gradient::chain_path::ChainPath;
use crate::gradient::equilibrium::{Center, TiedGradient, exact, persistent};
use crate::gradient::functional::Objective;
use crate::gradient::stratified::{draw, stratified};
use crate::gradient::{Gradient, two_step};
use crate::model::recognition::RecognitionParameters;
use crate::model::{Model, Parameters};
use crate::ops::{ChainBackend, DeviceImages, RmsProp};
use crate::random::{Seed, Stream};
use crate::record::TrainingState;
use crate::training::candidates::CandidateTraining;
use crate::training::em;
use crate::training::path_weight::PathWeight;
use crate::training::posterior::{Posterior, Prior};
use crate::training::schedule::learning_rate;
use crate::training::start::{initial_chains, logit_bound};

/// What a step does, and with which draws.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What moves the parameters.
    pub update: Update,
    /// Steps in all, which the learning rate's schedule is stretched over.
    pub steps: u64,
    /// The seed of the chains' moves and of all other draws.
    pub seed: Seed,
    /// Every pixel keeps at least this probability to be lit, and to be dark, in every state.
    pub probability_floor: f64,
}

/// What moves the parameters.
#[derive(Clone, Debug)]
pub enum Update {
    /// RMSprop uphill along a gradient.
    Gradient {
        /// Which one.
        kind: GradientKind,
        /// RMSprop.
        ascent: Ascent,
    },
    /// Uphill along the gradient at a sampled posterior; the work of [`super::candidates`].
    Sampled(SampledConfig),
    /// Expectation and maximization.
    Em {
        /// Images added to each state's count of images, and to its lit and dark pixels.
        pseudo_count: f64,
    },
}

impl Recipe {
    /// An update with the length, the seed and the floor of a run.
    pub fn new(training: &TrainingConfig, update: Update) -> Self {
        Self {
            update,
            steps: training.steps,
            seed: Seed(training.seed),
            probability_floor: training.probability_floor,
        }
    }
}

/// A model in training on one device.
pub trait Trainer {
    /// Takes one training step with a minibatch `[B, D]`.
    fn step(&mut self, images: &PackedImages);

    /// Waits until all steps are done: a GPU works on while the program goes on.
    fn wait(&self);

    /// The present parameters.
    fn parameters(&self) -> Parameters;

    /// The recognition distribution, where the posterior is sampled.
    fn recognition(&self) -> Option<RecognitionParameters> {
        None
    }

    /// Where the path entropy production is held at a target, the present weight of it in the objective.
    fn path_entropy_weight(&self) -> Option<f64>;

    /// The persistent chains, of a method that has some.
    fn persistent_chains(&self) -> Option<PackedImages>;

    /// All that is needed to go on from here.
    fn state(&self) -> TrainingState;
}

/// A model in training on backend B.
pub struct Training<B: ChainBackend> {
    model: Model<B>,
    /// RMSprop's running mean of the squared gradient, for each parameter.
    mean_squares: Model<B>,
    /// Steps taken.
    step: u64,
    /// Steps in all.
    steps: u64,
    work: Work<B>,
    seed: Seed,
    probability_floor: f64,
}

/// What moves the parameters, with what it keeps on the device.
enum Work<B: ChainBackend> {
    /// RMSprop uphill.
    Gradient { slope: Slope<B>, ascent: Ascent },
    /// Expectation and maximization.
    Em { pseudo_count: f64 },
}

/// What a gradient is taken of, and at which of the model's own images.
enum Slope<B: ChainBackend> {
    /// The last two steps of the persistent chains, after their move or before it.
    TwoStep {
        chains: DeviceImages<B>,
        moves: usize,
        stale: bool,
        path: Option<PathWeight>,
    },
    /// The latent kernel, at images drawn anew, so many from each state.
    Stratified { each: usize, objective: Objective },
    /// The RBM's exact gradient.
    Exact { centered: bool },
    /// The RBM's gradient at the persistent chains.
    Pcd {
        chains: DeviceImages<B>,
        moves: usize,
        centered: bool,
    },
    /// That of a mixture or a directed model.
    Posterior(Posterior<B>),
}

/// A state on a device, to be trained there. A state without chains, where they are needed, gets those that a run begins with.
pub fn trainer<B: ChainBackend>(state: &TrainingState, recipe: Recipe, device: &B::Device) -> Box<dyn Trainer> {
    let model = Model::<B>::new(&state.parameters, device);
    let work = match recipe.update {
        Update::Sampled(ref config) => return Box::new(CandidateTraining::<B>::new(state, config.clone(), &recipe, device)),
        Update::Em { pseudo_count } => Work::Em { pseudo_count },
        Update::Gradient { kind, ascent } => Work::Gradient {
            slope: Slope::of(kind, state, &model, recipe.seed),
            ascent,
        },
    };
    Box::new(Training {
        model,
        mean_squares: Model::new(&state.mean_squares, device),
        step: state.step,
        steps: recipe.steps,
        work,
        seed: recipe.seed,
        probability_floor: recipe.probability_floor,
    })
}

impl<B: ChainBackend> Slope<B> {
    fn of(kind: GradientKind, state: &TrainingState, model: &Model<B>, seed: Seed) -> Self {
        let device = model.forward.device();
        let images = |chains| chains_of(state, chains, seed, &device);
        match kind {
            GradientKind::TwoStep {
                chains,
                stale,
                path_entropy,
            } => Self::TwoStep {
                chains: images(chains),
                moves: chains.steps,
                stale,
                path: PathWeight::new(path_entropy, state.path_entropy_weight),
            },
            GradientKind::Stratified {
                images,
                complete,
                entropy_weight,
                path_entropy_weight,
            } => Self::Stratified {
                each: images / state.parameters.latent(),
                objective: Objective {
                    complete,
                    entropy_weight,
                    path_entropy_weight,
                },
            },
            GradientKind::Exact { centered } => Self::Exact { centered },
            GradientKind::Pcd { chains, centered } => Self::Pcd {
                chains: images(chains),
                moves: chains.steps,
                centered,
            },
            GradientKind::Mixture => Self::Posterior(Posterior::new(Prior::Free, model)),
            GradientKind::Directed => Self::Posterior(Posterior::new(Prior::OfFactors, model)),
        }
    }
}

impl<B: ChainBackend> Training<B> {
    /// Goes uphill.
    fn climb(&mut self, gradient: Gradient<B>, [forward, backward]: [RmsProp; 2]) {
        let (model, moments) = (&mut self.model, &mut self.mean_squares);
        B::both(
            || {
                ascend(forward, &mut model.forward, gradient.forward, &mut moments.forward);
                ascend(forward, &mut model.forward_bias, gradient.forward_bias, &mut moments.forward_bias);
                let (between, moments) = (model.between.iter_mut().flatten(), moments.between.iter_mut().flatten());
                let layers = between.zip(moments).zip(gradient.between);
                for ((model, moments), (matrix, bias)) in layers {
                    ascend(forward, &mut model.matrix, matrix, &mut moments.matrix);
                    ascend(forward, &mut model.bias, bias, &mut moments.bias);
                }
            },
            || {
                ascend(backward, &mut model.backward, gradient.backward, &mut moments.backward);
                ascend_bias(backward, &mut model.visible_bias, gradient.visible_bias, &mut moments.visible_bias);
            },
        );
    }

    /// Goes uphill with b, A and a, in coordinates about a center if there is one; W is tied to A.
    fn climb_tied(&mut self, gradient: TiedGradient<B>, center: Option<Center<B>>, [forward, backward]: [RmsProp; 2]) {
        let (model, moments) = (&mut self.model, &mut self.mean_squares);
        let before = model.backward.val();
        let gradient = match &center {
            Some(center) => gradient.about(center),
            None => gradient,
        };
        ascend(forward, &mut model.forward_bias, gradient.bias, &mut moments.forward_bias);
        ascend(backward, &mut model.backward, gradient.backward, &mut moments.backward);
        ascend_bias(backward, &mut model.visible_bias, gradient.visible_bias, &mut moments.visible_bias);
        if let Some(center) = center {
            let (of_bias, of_visible_bias) = center.shifts(model.backward.val() - before);
            model.forward_bias = Param::initialized(model.forward_bias.id, model.forward_bias.val() + of_bias);
            if let Some(bias) = &mut model.visible_bias {
                let bound = backward.bound;
                *bias = Param::initialized(bias.id, (bias.val() + of_visible_bias).clamp(-bound, bound));
            }
        }
        let tied = model.backward.val().transpose();
        model.forward = Param::initialized(model.forward.id, tied);
    }
}

impl<B: ChainBackend> Trainer for Training<B> {
    /// The order is part of the method: the chains move with the parameters that the last update left, and the gradient is taken at
    /// the images they arrive at, with those same parameters. Taking it at images drawn before the update, `stale`, would save a
    /// product and end, at learning rates of 5e-3 and more, in a machine that mostly stays where it is instead of cycling.
    fn step(&mut self, images: &PackedImages) {
        let images = DeviceImages::new(images, &self.model.forward.device());
        let (model, seed, time) = (&self.model, self.seed, self.step);
        match &mut self.work {
            Work::Gradient { slope, ascent } => {
                let rate = learning_rate(ascent, time, self.steps);
                let rules = rules(ascent, rate, self.probability_floor);
                match slope {
                    Slope::TwoStep {
                        chains,
                        moves,
                        stale,
                        path,
                    } => {
                        let (states, moved) = walk_with_states(model, chains.clone(), *moves, seed, time);
                        let before = std::mem::replace(chains, moved);
                        let mut gradient = two_step(model, &images, if *stale { &before } else { chains });
                        if let Some((path, states)) = path.as_mut().zip(states) {
                            let ChainPath {
                                produced,
                                gradient: of_path,
                            } = ChainPath::of(model, states, chains);
                            gradient = gradient.plus(of_path, path.at(produced));
                        }
                        self.climb(gradient, rules);
                    }
                    Slope::Stratified { each, objective } => {
                        let drawn = draw(model, *each, seed.draws(Stream::Strata, time, 0));
                        let gradient = stratified(model, &images, &drawn, *objective);
                        self.climb(gradient, rules);
                    }
                    Slope::Exact { centered } => {
                        let gradient = exact(model, &images);
                        let center = centered.then(|| Center::of(model, &images));
                        self.climb_tied(gradient, center, rules);
                    }
                    Slope::Pcd { chains, moves, centered } => {
                        *chains = walk(model, chains.clone(), *moves, seed, time);
                        let gradient = persistent(model, &images, chains);
                        let center = centered.then(|| Center::of(model, &images));
                        self.climb_tied(gradient, center, rules);
                    }
                    Slope::Posterior(posterior) => {
                        let schedule = rate / ascent.learning_rate;
                        posterior.step(&mut self.model, &mut self.mean_squares, &images, rules, schedule);
                    }
                }
            }
            Work::Em { pseudo_count } => {
                self.model = em::step(model.clone(), &images, *pseudo_count, logit_bound(self.probability_floor));
            }
        }
        self.step += 1;
    }

    fn wait(&self) {
        // A fault on the device shows where its results are read.
        let _ = B::sync(&self.model.forward.device());
    }

    fn parameters(&self) -> Parameters {
        self.model.parameters()
    }

    fn path_entropy_weight(&self) -> Option<f64> {
        match &self.work {
            Work::Gradient {
                slope: Slope::TwoStep { path: Some(path), .. },
                ..
            } => path.steered(),
            _ => None,
        }
    }

    fn persistent_chains(&self) -> Option<PackedImages> {
        match &self.work {
            Work::Gradient {
                slope: Slope::TwoStep { chains, .. } | Slope::Pcd { chains, .. },
                ..
            } => Some(chains.to_host()),
            _ => None,
        }
    }

    fn state(&self) -> TrainingState {
        TrainingState {
            parameters: self.parameters(),
            mean_squares: self.mean_squares.parameters(),
            chains: self.persistent_chains(),
            path_entropy_weight: self.path_entropy_weight(),
            sampled: None,
            step: self.step,
        }
    }
}

/// The persistent chains of a state; where it has none, those that a run begins with.
pub(super) fn chains_of<B: ChainBackend>(state: &TrainingState, chains: Chains, seed: Seed, device: &B::Device) -> DeviceImages<B> {
    match &state.chains {
        Some(images) => DeviceImages::new(images, device),
        None => DeviceImages::new(&initial_chains(&state.parameters, chains.count, seed), device),
    }
}

/// How the forward matrix and its bias move, and how the backward matrix does.
pub(super) fn rules(ascent: &Ascent, rate: f64, probability_floor: f64) -> [RmsProp; 2] {
    let rule = |epsilon, bound| RmsProp {
        decay: ascent.decay as f32,
        epsilon: epsilon as f32,
        rate: rate as f32,
        bound,
    };
    // A pixel that is dark in every image would drive its logit to minus infinity.
    let bound = logit_bound(probability_floor) as f32;
    [rule(ascent.epsilon.forward, f32::INFINITY), rule(ascent.epsilon.backward, bound)]
}

/// Moves a parameter and its mean square.
pub(super) fn ascend<B: ChainBackend, const R: usize>(
    rule: RmsProp,
    parameter: &mut Param<Tensor<B, R>>,
    gradient: Tensor<B, R>,
    mean_square: &mut Param<Tensor<B, R>>,
) {
    let (theta, square) = B::rmsprop(rule, parameter.val(), gradient, mean_square.val());
    *parameter = Param::initialized(parameter.id, theta);
    *mean_square = Param::initialized(mean_square.id, square);
}

/// As [`ascend`], for the bias of the pixels, where there is one.
pub(super) fn ascend_bias<B: ChainBackend>(
    rule: RmsProp,
    parameter: &mut Option<Param<Tensor<B, 1>>>,
    gradient: Option<Tensor<B, 1>>,
    mean_square: &mut Option<Param<Tensor<B, 1>>>,
) {
    if let (Some(parameter), Some(gradient), Some(mean_square)) = (parameter, gradient, mean_square) {
        ascend(rule, parameter, gradient, mean_square);
    }
}
