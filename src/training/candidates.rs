//! Training of a machine of many binary units: the posterior of the data is sampled, with candidates from a recognition distribution.

use burn::module::Param;
use burn::tensor::Tensor;

use super::schedule::learning_rate;
use super::step::{Recipe, Trainer, ascend, chains_of, rules};
use crate::chain::walk_units;
use crate::config::{Optimizer, SampledConfig};
use crate::data::packed::PackedImages;
use crate::gradient::chain_path::ChainPath;
use crate::gradient::sampled::sampled;
use crate::model::recognition::{Recognition, RecognitionParameters};
use crate::model::tanh::{Tanh, TanhGradient, UpwardGradient};
use crate::model::{Model, Parameters};
use crate::ops::{Adam, ChainBackend, DeviceImages, Moved, RmsProp};
use crate::random::{Seed, Stream};
use crate::record::{SampledState, TrainingState};
use crate::training::path_weight::PathWeight;

/// A machine in training, with its recognition distribution.
pub struct CandidateTraining<B: ChainBackend> {
    model: Model<B>,
    recognition: Recognition<B>,
    moments: Moments<B>,
    chains: DeviceImages<B>,
    path: Option<PathWeight>,
    config: SampledConfig,
    step: u64,
    /// Steps in all.
    steps: u64,
    seed: Seed,
    probability_floor: f64,
}

/// What the optimizer remembers of every parameter.
struct Moments<B: ChainBackend> {
    /// Running means of the gradient, which Adam has.
    means: Option<(Model<B>, Recognition<B>)>,
    /// Running means of its square.
    mean_squares: (Model<B>, Recognition<B>),
}

/// How parameters move uphill.
#[derive(Clone, Copy)]
enum Rule {
    RmsProp(RmsProp),
    Adam(Adam),
}

impl<B: ChainBackend> CandidateTraining<B> {
    /// Puts a state on a device. A state without chains gets those that a run begins with.
    pub fn new(state: &TrainingState, config: SampledConfig, recipe: &Recipe, device: &B::Device) -> Self {
        let begun = || SampledState::begin(&state.parameters, config.optimizer);
        let sampled = state.sampled.clone().unwrap_or_else(begun);
        let means = sampled.means.as_ref();
        Self {
            model: Model::new(&state.parameters, device),
            recognition: Recognition::new(&sampled.recognition, device),
            moments: Moments {
                means: means.map(|(model, recognition)| (Model::new(model, device), Recognition::new(recognition, device))),
                mean_squares: (
                    Model::new(&state.mean_squares, device),
                    Recognition::new(&sampled.recognition_mean_squares, device),
                ),
            },
            chains: chains_of(state, config.chains, recipe.seed, device),
            path: PathWeight::new(config.path_entropy, state.path_entropy_weight),
            config,
            step: state.step,
            steps: recipe.steps,
            seed: recipe.seed,
            probability_floor: recipe.probability_floor,
        }
    }

    /// How parameters move in this step: those on the way up, and A, whose pixels keep off certainty.
    fn rules(&self) -> [Rule; 2] {
        let SampledConfig { ascent, optimizer, .. } = &self.config;
        let rules = rules(ascent, learning_rate(ascent, self.step, self.steps), self.probability_floor);
        let Optimizer::Adam(adam) = optimizer else {
            return rules.map(Rule::RmsProp);
        };
        let seen = |decay: f64| (1.0 - decay.powf(self.step as f64 + 1.0)) as f32;
        rules.map(|RmsProp { rate, bound, .. }| {
            Rule::Adam(Adam {
                decay: adam.decay as f32,
                square_decay: adam.square_decay as f32,
                epsilon: adam.epsilon as f32,
                rate,
                mean_seen: seen(adam.decay),
                square_seen: seen(adam.square_decay),
                bound,
            })
        })
    }
}

impl<B: ChainBackend> Trainer for CandidateTraining<B> {
    /// The order is that of every machine: the chains move with the parameters that the last update left, and the gradient is taken at the images
    /// they arrive at.
    fn step(&mut self, images: &PackedImages) {
        let images = DeviceImages::new(images, &self.model.forward.device());
        let [upward, downward] = self.rules();
        let Self {
            model,
            recognition,
            moments,
            seed,
            step: time,
            ..
        } = self;
        let pairs = walk_units(model, self.chains.clone(), self.config.chains.steps, *seed, *time);
        let draws = seed.draws(Stream::Candidates, *time, 0);
        let found = sampled(model, recognition, &images, &pairs, self.config.candidates, draws);
        let gradient = match &mut self.path {
            None => found.gradient,
            Some(path) => {
                let ChainPath {
                    produced,
                    gradient: of_path,
                } = ChainPath::of_units(model, &pairs);
                found.gradient.plus(of_path, path.at(produced))
            }
        };
        self.chains = pairs.images;

        if !self.config.directed {
            moments.ascend(upward, &mut model.forward, gradient.forward, |(model, _)| &mut model.forward);
        }
        moments.ascend(upward, &mut model.forward_bias, gradient.forward_bias, |(model, _)| {
            &mut model.forward_bias
        });
        moments.ascend(downward, &mut model.backward, gradient.backward, |(model, _)| &mut model.backward);
        if let (Some(bias), Some(gradient)) = (&mut model.visible_bias, gradient.visible_bias) {
            moments.ascend(downward, bias, gradient, |(model, _)| {
                model.visible_bias.as_mut().expect("moments have the shape of the model")
            });
        }
        if let (Some(tanh), Some(gradient)) = (&mut model.tanh, gradient.tanh) {
            moments.ascend_tanh(upward, tanh, gradient, |(model, _)| &mut model.tanh);
        }
        let UpwardGradient { matrix, bias, tanh } = found.recognition;
        moments.ascend(upward, &mut recognition.matrix, matrix, |(_, recognition)| &mut recognition.matrix);
        moments.ascend(upward, &mut recognition.bias, bias, |(_, recognition)| &mut recognition.bias);
        if let (Some(units), Some(gradient)) = (&mut recognition.tanh, tanh) {
            moments.ascend_tanh(upward, units, gradient, |(_, recognition)| &mut recognition.tanh);
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

    fn recognition(&self) -> Option<RecognitionParameters> {
        Some(self.recognition.parameters())
    }

    fn path_entropy_weight(&self) -> Option<f64> {
        self.path.as_ref().and_then(PathWeight::steered)
    }

    fn persistent_chains(&self) -> Option<PackedImages> {
        Some(self.chains.to_host())
    }

    fn state(&self) -> TrainingState {
        let (model, recognition) = &self.moments.mean_squares;
        let means = self.moments.means.as_ref();
        TrainingState {
            parameters: self.parameters(),
            mean_squares: model.parameters(),
            chains: self.persistent_chains(),
            path_entropy_weight: self.path_entropy_weight(),
            sampled: Some(SampledState {
                recognition: self.recognition.parameters(),
                recognition_mean_squares: recognition.parameters(),
                means: means.map(|(model, recognition)| (model.parameters(), recognition.parameters())),
            }),
            step: self.step,
        }
    }
}

impl<B: ChainBackend> Moments<B> {
    /// Moves tanh units, and their moments, which `of` finds.
    fn ascend_tanh(
        &mut self,
        rule: Rule,
        tanh: &mut Tanh<B>,
        gradient: TanhGradient<B>,
        of: impl Fn(&mut (Model<B>, Recognition<B>)) -> &mut Option<Tanh<B>>,
    ) {
        fn part<B: ChainBackend>(tanh: &mut Option<Tanh<B>>) -> &mut Tanh<B> {
            tanh.as_mut().expect("moments have the shape of what they belong to")
        }
        self.ascend(rule, &mut tanh.inward, gradient.inward, |moments| &mut part(of(moments)).inward);
        self.ascend(rule, &mut tanh.bias, gradient.bias, |moments| &mut part(of(moments)).bias);
        self.ascend(rule, &mut tanh.outward, gradient.outward, |moments| &mut part(of(moments)).outward);
    }

    /// Moves a parameter, and its moments, which `of` finds.
    fn ascend<const R: usize>(
        &mut self,
        rule: Rule,
        parameter: &mut Param<Tensor<B, R>>,
        gradient: Tensor<B, R>,
        of: impl Fn(&mut (Model<B>, Recognition<B>)) -> &mut Param<Tensor<B, R>>,
    ) {
        let mean_square = of(&mut self.mean_squares);
        match rule {
            Rule::RmsProp(rule) => ascend(rule, parameter, gradient, mean_square),
            Rule::Adam(rule) => {
                let mean = of(self.means.as_mut().expect("a state that Adam moves has means"));
                let old = Moved {
                    theta: parameter.val(),
                    mean: mean.val(),
                    mean_square: mean_square.val(),
                };
                let new = B::adam(rule, old, gradient);
                *parameter = Param::initialized(parameter.id, new.theta);
                *mean = Param::initialized(mean.id, new.mean);
                *mean_square = Param::initialized(mean_square.id, new.mean_square);
            }
        }
    }
}
