//! Burn records of a model and of a whole training state, sealed with a checksum, and checked when they are read.

mod fields;
mod messagepack;
mod recognition;
mod state;
mod written;

use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

pub use self::state::{SampledState, TrainingState};
use crate::codes::Layers;
use crate::files::{self, FileError};
use crate::model::recognition::{Recognition, RecognitionParameters, RecognitionRecord};
use crate::model::tanh::TanhRecord;
use crate::model::{BetweenRecord, Model, Parameters, matrix, vector};
use crate::ops::DeviceImages;
use crate::ops::cpu::NdArrayBackend;

/// Records are made on the host: their content does not depend on the backend, so any backend loads any record.
type Host = NdArrayBackend;
type Recording = NamedMpkBytesRecorder<FullPrecisionSettings>;

/// What training's configuration allows at most; the kernels count columns in 16 bits.
pub(crate) const MOST_PIXELS: usize = 1 << 16;
pub(crate) const MOST_STATES: usize = crate::codes::MOST_ONE_HOT;
const MOST_CHAINS: usize = 1 << 16;
const MOST_STEPS: u64 = 1_000_000_000;

/// Why a record could not be saved or used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a record of this kind, or one whose parts do not fit together.
    #[error("{path}: holds no {what}: {problem}; restore the file or use another")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of record that was looked for.
        what: &'static str,
        /// In words, with the field.
        problem: String,
    },
    /// A record that cannot be put into bytes.
    #[error("{path}: the record cannot be made: {problem}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// burn's words.
        problem: String,
    },
    /// A model of another shape than was asked for.
    #[error("{path}: {problem}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// A model alone.
    Model(Box<Parameters>),
    /// A checkpoint.
    Checkpoint(Box<TrainingState>),
}

/// The burn record of a model with one one-hot layer: that of a [`Model`], without what it does not have.
#[derive(Record)]
struct OneHotRecord<B: Backend> {
    forward: Param<Tensor<B, 2>>,
    forward_bias: Param<Tensor<B, 1>>,
    backward: Param<Tensor<B, 2>>,
}

/// The burn record of any other model: that of a [`Model`], and what its latent layers are.
#[derive(Record)]
struct LayersRecord<B: Backend> {
    forward: Param<Tensor<B, 2>>,
    forward_bias: Param<Tensor<B, 1>>,
    between: Vec<BetweenRecord<B>>,
    backward: Param<Tensor<B, 2>>,
    visible_bias: Option<Param<Tensor<B, 1>>>,
    log_weights: Option<Param<Tensor<B, 1>>>,
    tanh: Option<TanhRecord<B>>,
    /// As in a configuration.
    layers: String,
}

/// The burn record of a [`TrainingState`] of a model with layers.
#[derive(Record)]
struct LayersCheckpointRecord<B: Backend> {
    model: LayersRecord<B>,
    mean_squares: LayersRecord<B>,
    chain_words: Option<Tensor<B, 2, Int>>,
    path_entropy_weight: Option<f64>,
    sampled: Option<SampledRecord<B>>,
    step: u64,
}

/// The burn record of a [`SampledState`].
#[derive(Record)]
struct SampledRecord<B: Backend> {
    recognition: RecognitionRecord<B>,
    recognition_mean_squares: RecognitionRecord<B>,
    means: Option<LayersRecord<B>>,
    recognition_means: Option<RecognitionRecord<B>>,
}

/// The burn record of a [`TrainingState`] of a model with one one-hot layer.
#[derive(Record)]
struct CheckpointRecord<B: Backend> {
    model: OneHotRecord<B>,
    forward_mean_square: Tensor<B, 2>,
    forward_bias_mean_square: Tensor<B, 1>,
    backward_mean_square: Tensor<B, 2>,
    /// `[N, ceil(D / 32)]`, pixel i in bit i mod 32 of word i / 32. Earlier versions wrote `chains` instead, `[N, D]` of 0.0 and 1.0.
    chain_words: Option<Tensor<B, 2, Int>>,
    path_entropy_weight: Option<f64>,
    step: u64,
}

/// Saves a model as a burn record of [`Model`].
pub fn save_model(path: &Path, parameters: &Parameters) -> Result<(), RecordError> {
    if parameters.layers.is_one_hot() {
        save(path, OneHotRecord::of(parameters))
    } else {
        save(path, LayersRecord::of(parameters))
    }
}

/// Loads a model from its record, or from a checkpoint's.
pub fn load_model(path: &Path) -> Result<Parameters, RecordError> {
    Ok(match load(path)? {
        Recorded::Model(parameters) => *parameters,
        Recorded::Checkpoint(state) => state.parameters,
    })
}

/// What a record holds of a trained model.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    /// The model.
    pub parameters: Parameters,
    /// The recognition distribution beside it: in a checkpoint, or in [`RECOGNITION`] beside the record of a model.
    pub recognition: Option<RecognitionParameters>,
    /// The steps behind it, which a checkpoint knows.
    pub step: Option<u64>,
}

/// The file of a recognition distribution, beside the model's.
pub const RECOGNITION: &str = "recognition.mpk";

/// As [`load_model`], with what else is known of it.
pub fn load_trained(path: &Path) -> Result<LoadedModel, RecordError> {
    let loaded = match load(path)? {
        Recorded::Model(parameters) => {
            let beside = path.with_file_name(RECOGNITION);
            let is_there = parameters.layers.binary_units().is_some() && beside.is_file();
            LoadedModel {
                recognition: is_there.then(|| load_recognition(&beside, &parameters)).transpose()?,
                parameters: *parameters,
                step: None,
            }
        }
        Recorded::Checkpoint(state) => LoadedModel {
            parameters: state.parameters,
            recognition: state.sampled.map(|sampled| sampled.recognition),
            step: Some(state.step),
        },
    };
    Ok(loaded)
}

/// Saves a recognition distribution as a burn record of [`Recognition`].
pub fn save_recognition(path: &Path, parameters: &RecognitionParameters) -> Result<(), RecordError> {
    save(path, Recognition::<Host>::new(parameters, &Default::default()).into_record())
}

/// Loads one that is to go with a model, which must have one layer of binary units.
///
/// # Errors
/// When it cannot be read, or is that of other sizes.
pub fn load_recognition(path: &Path, model: &Parameters) -> Result<RecognitionParameters, RecordError> {
    let read = recognition::read(&files::read_sealed(path)?, model);
    read.map_err(|problem| foreign(path, "recognition distribution", problem))
}

/// Saves a checkpoint.
pub fn save_checkpoint(path: &Path, state: &TrainingState) -> Result<(), RecordError> {
    let device = Default::default();
    if !state.parameters.layers.is_one_hot() {
        let record = LayersCheckpointRecord::<Host> {
            model: LayersRecord::of(&state.parameters),
            mean_squares: LayersRecord::of(&state.mean_squares),
            chain_words: state.chains.as_ref().map(|chains| DeviceImages::new(chains, &device).words),
            path_entropy_weight: state.path_entropy_weight,
            sampled: state.sampled.as_ref().map(SampledRecord::of),
            step: state.step,
        };
        return save(path, record);
    }
    let record = CheckpointRecord::<Host> {
        model: OneHotRecord::of(&state.parameters),
        forward_mean_square: matrix(&state.mean_squares.forward, &device),
        forward_bias_mean_square: vector(&state.mean_squares.forward_bias, &device),
        backward_mean_square: matrix(&state.mean_squares.backward, &device),
        chain_words: state.chains.as_ref().map(|chains| DeviceImages::new(chains, &device).words),
        path_entropy_weight: state.path_entropy_weight,
        step: state.step,
    };
    save(path, record)
}

/// Loads a checkpoint; its arrays fit together and its numbers are possible.
pub fn load_checkpoint(path: &Path) -> Result<TrainingState, RecordError> {
    match load(path)? {
        Recorded::Checkpoint(state) => Ok(*state),
        Recorded::Model(_) => Err(foreign(path, "checkpoint", "it is the record of a model alone".to_owned())),
    }
}

impl SampledRecord<Host> {
    fn of(state: &SampledState) -> Self {
        let record = |parameters: &RecognitionParameters| Recognition::<Host>::new(parameters, &Default::default()).into_record();
        let means = state.means.as_ref();
        Self {
            recognition: record(&state.recognition),
            recognition_mean_squares: record(&state.recognition_mean_squares),
            means: means.map(|(model, _)| LayersRecord::of(model)),
            recognition_means: means.map(|(_, recognition)| record(recognition)),
        }
    }
}

impl OneHotRecord<Host> {
    fn of(parameters: &Parameters) -> Self {
        let model = Model::new(parameters, &Default::default());
        Self {
            forward: model.forward,
            forward_bias: model.forward_bias,
            backward: model.backward,
        }
    }
}

impl LayersRecord<Host> {
    fn of(parameters: &Parameters) -> Self {
        let record = Model::new(parameters, &Default::default()).into_record();
        Self {
            forward: record.forward,
            forward_bias: record.forward_bias,
            between: record.between.unwrap_or_default(),
            backward: record.backward,
            visible_bias: record.visible_bias,
            log_weights: record.log_weights,
            tanh: record.tanh,
            layers: parameters.layers.to_string(),
        }
    }
}

impl Recorded {
    /// The record in some bytes, those of a file before its seal. They are read without burn, which believes what they say of the sizes of
    /// tensors.
    ///
    /// # Errors
    /// In words, with the field that is wrong: what is not a record of a model or a checkpoint, or has parts that are missing, unknown, of
    /// another type, of shapes that do not fit together or their data, larger than any model, not finite, or not possible.
    pub fn from_bytes(content: &[u8]) -> Result<Self, String> {
        written::read(content)
    }
}

fn load(path: &Path) -> Result<Recorded, RecordError> {
    Recorded::from_bytes(&files::read_sealed(path)?).map_err(|problem| foreign(path, "model or checkpoint", problem))
}

/// Refuses a model that is not of `visible` pixels and these latent layers. burn itself loads a record of another shape in silence.
pub fn expect_shape(path: &Path, parameters: &Parameters, visible: usize, layers: &Layers) -> Result<(), RecordError> {
    if parameters.visible() == visible && parameters.layers == *layers {
        return Ok(());
    }
    Err(RecordError::Shape {
        path: path.to_owned(),
        problem: format!(
            "holds a model of {} pixels and {}, and the configuration and data ask for {visible} and {}",
            parameters.visible(),
            parameters.layers.describe(),
            layers.describe()
        ),
    })
}

/// Refuses a mixture or a directed model whose states have weights of their own, which other machines lack.
pub fn expect_fixed_log_weights(path: &Path, parameters: &Parameters) -> Result<(), RecordError> {
    if parameters.log_weights.is_none() {
        return Ok(());
    }
    Err(RecordError::Shape {
        path: path.to_owned(),
        problem: "holds a mixture or a directed model, from which only model.kind = \"mixture\" or \"directed\" can start".to_owned(),
    })
}

/// Refuses a machine with another number of tanh units than was asked for.
pub fn expect_tanh(path: &Path, parameters: &Parameters, count: usize) -> Result<(), RecordError> {
    if parameters.tanh_units() == count {
        return Ok(());
    }
    Err(RecordError::Shape {
        path: path.to_owned(),
        problem: format!(
            "holds a machine with {} tanh units, and the configuration asks for {count} (model.tanh)",
            parameters.tanh_units()
        ),
    })
}

/// burn's file recorders delete the old file first, never flush, and cut names at their last dot: only its encoding is used.
fn save(path: &Path, record: impl Record<Host>) -> Result<(), RecordError> {
    let content = Recorder::<Host>::record(&Recording::default(), record, ()).map_err(|error| RecordError::Encode {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(files::write_sealed(path, &content)?)
}

fn foreign(path: &Path, what: &'static str, problem: String) -> RecordError {
    RecordError::Foreign {
        path: path.to_owned(),
        what,
        problem,
    }
}
