//! What can be configured, and the defaults. The same text with a comment on every key is configs/default.toml.

mod check;
mod load;
mod training;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::load::ConfigError;
pub(crate) use self::load::{check_keys, from_table, known_keys, merge, syntax};
pub use self::training::{EmConfig, Epsilon, GradientKind, HeldOutWord, PseudoCount, RmsPropConfig, Sampling, Schedule, TrainingConfig};

/// The whole configuration of a run; TOML keys are the names of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Images and how they become binary.
    pub data: DataConfig,
    /// Size and start of the model.
    pub model: ModelConfig,
    /// The training step and how often it is taken.
    pub training: TrainingConfig,
    /// The figures computed while training.
    pub evaluation: EvaluationConfig,
    /// What is kept of a run.
    pub checkpoint: CheckpointConfig,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Where images come from.
    pub source: Source,
    /// IDX file of training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// IDX file of their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// IDX file of test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
    /// IDX file of their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// The classes in use.
    pub classes: Classes,
    /// Keep the first so many training images of these classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_images: Option<usize>,
    /// Keep the first so many test images of these classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_test_images: Option<usize>,
    /// How grey becomes binary.
    pub binarize: Binarize,
    /// A pixel is lit if its grey value, as a fraction of 255, is larger.
    pub threshold: f64,
}

/// `data.source`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The images inside the program.
    Bundled,
    /// The full MNIST set in burn-dataset's cache.
    Mnist,
    /// Files named by `data.images` and so on.
    Idx,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binarize {
    /// Lit above `data.threshold`.
    Threshold,
    /// Lit with the grey value as probability, drawn anew each epoch.
    Stochastic,
}

/// `[model]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Which machine.
    pub kind: ModelKind,
    /// L, the number of latent states.
    pub latent: usize,
    /// How the parameters start.
    pub init: Init,
    /// Standard deviation of the initial parameters around the data's mean.
    pub scale: f64,
    /// The record to start from, with `init = "record"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<PathBuf>,
}

/// `model.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Two independent transition matrices.
    Nonequilibrium,
    /// A Boltzmann machine with a one-hot hidden layer: the forward transition is the Bayes posterior of the backward one.
    Rbm,
    /// The same machine, trained as a mixture of Bernoulli products by expectation and maximization.
    Mixture,
}

/// `model.init`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Both matrices random, the backward one around the data's mean.
    Random,
    /// The forward matrix is the Bayes posterior of the backward one: no currents at the start.
    Reversible,
    /// As reversible, but with the posterior of each state's successor: the states follow each other in one ring.
    Cyclic,
    /// The backward matrix halfway between a training image of each state and the data's mean, the forward one random.
    Images,
    /// A record made earlier.
    Record,
}

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Steps between evaluations; the start and the end are always evaluated.
    pub every: u64,
    /// M, images drawn in each latent state to estimate the latent kernel.
    pub samples: usize,
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
            images: None,
            labels: None,
            test_images: None,
            test_labels: None,
            classes: Classes::Some(vec![0, 1, 2]),
            max_images: None,
            max_test_images: None,
            binarize: Binarize::Threshold,
            threshold: 0.5,
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            kind: ModelKind::Nonequilibrium,
            latent: 10,
            init: Init::Random,
            scale: 0.5,
            record: None,
        }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: 100, samples: 1000 }
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
