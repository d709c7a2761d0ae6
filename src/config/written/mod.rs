//! The configuration as it is written: every key of every machine.

mod resolve;
mod sampled;
mod unused;
mod write;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(crate) use self::unused::Unused;
use super::load::{ConfigError, plain};
use super::{
    CheckpointConfig, Classes, DataConfig, EmConfig, Epsilon, EvaluationConfig, ModelConfig, ModelKind, PseudoCount, Schedule,
    TrainingConfig,
};
use crate::codes::{TABLE_KEYS, WrittenLayers};

/// A configuration as it is written. A key that may be left out because a machine does without it is an `Option`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WrittenConfig {
    data: Data,
    model: Model,
    training: Training,
    evaluation: Evaluation,
    checkpoint: CheckpointConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Data {
    source: SourceWord,
    images: Option<PathBuf>,
    labels: Option<PathBuf>,
    test_images: Option<PathBuf>,
    test_labels: Option<PathBuf>,
    classes: Option<Classes>,
    max_images: Option<usize>,
    max_test_images: Option<usize>,
    binarize: BinarizeWord,
    threshold: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Model {
    kind: ModelKind,
    latent: WrittenLayers,
    init: InitWord,
    scale: Option<f64>,
    record: Option<PathBuf>,
    tanh: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Training {
    steps: u64,
    batch_size: Option<usize>,
    chains: Option<usize>,
    chain_steps: Option<usize>,
    learning_rate: Option<f64>,
    schedule: Option<Schedule>,
    seed: u64,
    gradient: Option<GradientWord>,
    sampling: Option<SamplingWord>,
    centered: Option<bool>,
    posterior: Option<PosteriorWord>,
    candidates: Option<usize>,
    optimizer: Option<OptimizerWord>,
    entropy_weight: Option<f64>,
    path_entropy_weight: Option<f64>,
    path_entropy_target: Option<f64>,
    probability_floor: f64,
    #[serde(skip_serializing_if = "RmsProp::is_empty")]
    rmsprop: RmsProp,
    #[serde(skip_serializing_if = "Adam::is_empty")]
    adam: Adam,
    #[serde(skip_serializing_if = "Em::is_empty")]
    em: Em,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RmsProp {
    decay: Option<f64>,
    epsilon: Option<Epsilon>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Adam {
    decay: Option<f64>,
    square_decay: Option<f64>,
    epsilon: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Em {
    pseudo_count: Option<PseudoCount>,
    restarts: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Evaluation {
    every: Option<u64>,
    samples: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SourceWord {
    #[default]
    Bundled,
    Mnist,
    None,
    #[serde(alias = "idx")]
    File,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BinarizeWord {
    #[default]
    Threshold,
    Stochastic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InitWord {
    #[default]
    Random,
    Reversible,
    Cyclic,
    Images,
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum GradientWord {
    TwoStep,
    Complete,
    Exact,
    Pcd,
    Em,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SamplingWord {
    Persistent,
    Stale,
    Stratified,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PosteriorWord {
    Enumerate,
    Recognition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OptimizerWord {
    RmsProp,
    Adam,
}

impl Adam {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl RmsProp {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Em {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Data {
    fn default() -> Self {
        let mut data = Self::from(&DataConfig::default());
        (data.classes, data.threshold) = (None, None);
        data
    }
}

impl Default for Model {
    fn default() -> Self {
        let mut model = Self::new(&ModelConfig::default(), ModelKind::Nonequilibrium);
        model.scale = None;
        model
    }
}

impl Default for Training {
    fn default() -> Self {
        let TrainingConfig {
            steps,
            seed,
            probability_floor,
            ..
        } = TrainingConfig::default();
        Self {
            steps,
            seed,
            probability_floor,
            batch_size: None,
            chains: None,
            chain_steps: None,
            learning_rate: None,
            schedule: None,
            gradient: None,
            sampling: None,
            centered: None,
            posterior: None,
            candidates: None,
            optimizer: None,
            entropy_weight: None,
            path_entropy_weight: None,
            path_entropy_target: None,
            rmsprop: RmsProp::default(),
            adam: Adam::default(),
            em: Em::default(),
        }
    }
}

impl WrittenConfig {
    /// Reads a table; an error names the place and not the line.
    pub fn from_table(table: &Table, place: &str) -> Result<Self, ConfigError> {
        table.clone().try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
            place: place.to_owned(),
            problem: plain(error.message()),
        })
    }
}

/// The dotted paths of all keys, from a configuration in which every one is set.
pub(crate) fn known_keys() -> Vec<String> {
    let path = Some(PathBuf::new());
    let complete = WrittenConfig {
        data: Data {
            images: path.clone(),
            labels: path.clone(),
            test_images: path.clone(),
            test_labels: path.clone(),
            max_images: Some(1),
            max_test_images: Some(1),
            classes: Some(Classes::All),
            ..(&DataConfig::default()).into()
        },
        model: Model {
            record: path,
            tanh: Some(1),
            ..Model::new(&ModelConfig::default(), ModelKind::Nonequilibrium)
        },
        training: Training {
            batch_size: Some(1),
            path_entropy_target: Some(1.0),
            centered: Some(true),
            posterior: Some(PosteriorWord::Enumerate),
            candidates: Some(1),
            optimizer: Some(OptimizerWord::Adam),
            adam: Adam {
                decay: Some(0.0),
                square_decay: Some(0.0),
                epsilon: Some(0.0),
            },
            em: Em {
                pseudo_count: Some(EmConfig::default().pseudo_count),
                restarts: Some(1),
            },
            ..(&TrainingConfig::default()).into()
        },
        evaluation: EvaluationConfig::default().into(),
        checkpoint: CheckpointConfig::default(),
    };
    let mut keys = Vec::new();
    if let Ok(value) = Value::try_from(complete) {
        collect_keys(&value, "", &mut keys);
    }
    keys.extend(TABLE_KEYS.map(|key| format!("model.latent.{key}")));
    keys
}

fn collect_keys(value: &Value, path: &str, keys: &mut Vec<String>) {
    if let Value::Table(table) = value {
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect_keys(value, &path, keys);
        }
    } else {
        keys.push(path.to_owned());
    }
}

/// A choice as it is written.
fn word(choice: &impl Serialize) -> String {
    let value = Value::try_from(choice).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
