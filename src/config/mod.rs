//! What can be configured, and the defaults. The same text with a comment on every key is configs/default.toml.
//!
//! [`Config`] holds what a run uses and no more: a machine's settings stand where its kind and method are chosen. `written` has the
//! configuration as it is written, with every key of every machine.

mod check;
mod load;
mod sampled;
mod training;
mod written;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::codes::Layers;

pub use self::load::ConfigError;
pub(crate) use self::load::{check_keys, parse_setting, put, syntax};

pub use self::sampled::{AdamConfig, Optimizer, SampledConfig};
pub use self::training::{
    Ascent, Chains, EmConfig, Epsilon, GradientKind, HeldOutWord, Method, PathEntropy, PseudoCount, Schedule, TrainingConfig,
};
pub(crate) use self::written::{Unused, WrittenConfig, known_keys};

/// The whole configuration of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Images and how they become binary.
    pub data: DataConfig,
    /// Size and start of the model.
    pub model: ModelConfig,
    /// How long it is trained, and by which method.
    pub training: TrainingConfig,
    /// The figures computed while training.
    pub evaluation: EvaluationConfig,
    /// What is kept of a run.
    pub checkpoint: CheckpointConfig,
}

impl Config {
    /// Is it what a run was started with, whose config.toml has absolute paths and the batch that its images allow?
    pub(crate) fn is_that_of(&self, run: &Self) -> bool {
        let mut asked = self.clone().with_absolute_paths();
        asked.training.method = asked.training.method.with_batch_of(&run.training.method);
        asked == run.clone().with_absolute_paths()
    }

    /// The same with the paths of data and of a record to start from absolute, so that it means the same wherever a program runs.
    pub(crate) fn with_absolute_paths(mut self) -> Self {
        let data = match &mut self.data.source {
            Source::File(files) => Some(files.paths()),
            Source::Bundled | Source::Mnist | Source::None => None,
        };
        let record = match &mut self.model.init {
            Init::Record(path) => Some(path),
            _ => None,
        };
        for path in data.into_iter().flatten().chain(record) {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute;
            }
        }
        self
    }
}

/// `[data]`
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// Where images come from.
    pub source: Source,
    /// The classes in use.
    pub classes: Classes,
    /// Keep the first so many training images of these classes.
    pub max_images: Option<usize>,
    /// Keep the first so many test images of these classes.
    pub max_test_images: Option<usize>,
    /// How grey becomes binary.
    pub binarize: Binarize,
}

/// `data.source`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The images inside the program.
    Bundled,
    /// The full MNIST set in burn-dataset's cache.
    Mnist,
    /// None: a model that was imported without its data.
    None,
    /// Files, of a format that they tell themselves.
    File(Files),
}

impl Files {
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        std::iter::once(&mut self.images)
            .chain(&mut self.labels)
            .chain(&mut self.test_images)
            .chain(&mut self.test_labels)
    }
}

/// The files of `data.source = "file"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Training images.
    pub images: PathBuf,
    /// Their labels.
    pub labels: Option<PathBuf>,
    /// Test images.
    pub test_images: Option<PathBuf>,
    /// Their labels.
    pub test_labels: Option<PathBuf>,
}

/// `data.classes`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Every image, labelled or not.
    All,
    /// Images with one of these labels.
    Some(Vec<u8>),
}

/// `data.binarize`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binarize {
    /// Lit where the grey value, as a fraction of 255, is above `data.threshold`.
    Threshold(f64),
    /// Lit with the grey value as probability, drawn anew each epoch.
    Stochastic,
}

/// `[model]`; its kind follows from [`TrainingConfig::method`].
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The latent layers: a number of one-hot states, or layers with structure.
    pub latent: Layers,
    /// How the parameters start.
    pub init: Init,
    /// T, tanh units beside the matrices of the upward maps, of units whose states are not listed.
    pub tanh: usize,
}

/// `model.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Two independent transition matrices.
    Nonequilibrium,
    /// A Boltzmann machine: the forward matrix is the transpose of the backward one.
    Rbm,
    /// The backward transition with any steady state, and the Bayes posterior of both as the forward one: a mixture of Bernoulli products, trained by
    /// expectation and maximization.
    Mixture,
    /// The same with a steady state whose factors are independent, as in a directed model with a prior.
    Directed,
}

/// `model.init`; `scale` is `model.scale`, the standard deviation of the initial parameters around the data's mean. Machines in equilibrium
/// start as `Random`, `Images` or `Record`.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// Both matrices random, the backward one around the data's mean.
    Random {
        /// `model.scale`
        scale: f64,
    },
    /// The forward matrix is the Bayes posterior of the backward one: no currents at the start.
    Reversible {
        /// `model.scale`
        scale: f64,
    },
    /// As reversible, but with the posterior of each state's successor: the states follow each other in one ring.
    Cyclic {
        /// `model.scale`
        scale: f64,
    },
    /// The backward matrix halfway between a training image of each state and the data's mean, the forward one random.
    Images {
        /// `model.scale`, of the forward matrix; machines in equilibrium have no use for it.
        scale: f64,
    },
    /// The record in this file.
    Record(PathBuf),
}

impl Init {
    /// `model.scale`; of a start from a record, the default.
    pub fn scale(&self) -> f64 {
        match self {
            Self::Random { scale } | Self::Reversible { scale } | Self::Cyclic { scale } | Self::Images { scale } => *scale,
            Self::Record(_) => Self::SCALE,
        }
    }

    /// `model.scale` by default.
    pub(crate) const SCALE: f64 = 0.5;
    /// `model.scale` by default where the posterior is sampled.
    pub(crate) const SAMPLED_SCALE: f64 = 0.05;
}

/// `[evaluation]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationConfig {
    /// Steps between evaluations; the start and the end are always evaluated.
    pub every: u64,
    /// M, images drawn in each latent state to estimate the latent kernel; where states are not listed, chains.
    pub samples: usize,
}

impl EvaluationConfig {
    /// The defaults, chosen so that evaluations take about a tenth of the time of training. For L latent states, one every 100 steps for the bundled images,
    /// every 500 for others (MNIST has 70,000), or every `2 L` steps if that is more, and `250,000 / L^2` images in each state, but at most 1,000 and at least
    /// 50; where states are not listed, one every 500 steps, and 1,000 chains.
    pub fn of(layers: &Layers, source: &Source) -> Self {
        if !layers.are_listed() {
            return Self { every: 500, samples: 1000 };
        }
        let states = layers.states();
        let least = if *source == Source::Bundled { 100 } else { 500 };
        Self {
            every: states.saturating_mul(2).max(least) as u64,
            samples: (250_000 / states.saturating_mul(states)).clamp(50, 1000),
        }
    }
}

/// `[checkpoint]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Checkpoints kept for good in each decade of steps, evenly spaced in the logarithm.
    pub per_decade: u32,
    /// Seconds between checkpoints that replace one another.
    pub seconds: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: Source::Bundled,
            classes: Classes::Some(vec![0, 1, 2]),
            max_images: None,
            max_test_images: None,
            binarize: Binarize::Threshold(0.5),
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            latent: Layers::one_hot(10),
            init: Init::Random { scale: Init::SCALE },
            tanh: 0,
        }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self::of(&ModelConfig::default().latent, &Source::Bundled)
    }
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            per_decade: 4,
            seconds: 60,
        }
    }
}

/// How `data.classes` is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"all\" or a list of labels from 0 to 255")]
enum ClassesText {
    All(AllWord),
    Some(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AllWord {
    All,
}

impl Serialize for Classes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => ClassesText::All(AllWord::All),
            Self::Some(classes) => ClassesText::Some(classes.clone()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ClassesText::deserialize(deserializer).map(|text| match text {
            ClassesText::All(AllWord::All) => Self::All,
            ClassesText::Some(classes) => Self::Some(classes),
        })
    }
}
