//! Burn records of a model and of a whole training state, sealed with a checksum and checked for shape.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::data::packed::PackedImages;
use crate::files::{self, FileError};
use crate::model::{Model, ModelRecord, Parameters, matrix, to_matrix, to_vector, vector};
use crate::ops::cpu::NdArrayBackend;

/// Records are made and read on the host: their content does not depend on the backend, so any backend loads any record.
type Host = NdArrayBackend;
type Recording = NamedMpkBytesRecorder<FullPrecisionSettings>;

/// What training's configuration allows at most; the kernels count columns in 16 bits.
const MOST_PIXELS: usize = 1 << 16;
const MOST_STATES: usize = 10_000;

/// Why a record could not be saved or used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a record of this kind.
    #[error("{path}: holds no {what}: {problem}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of record that was looked for.
        what: &'static str,
        /// burn's words.
        problem: String,
    },
    /// Shapes that do not fit together, or not what was configured.
    #[error("{path}: {problem}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
}

/// Everything that a run needs to go on: what a checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// W, b and A.
    pub parameters: Parameters,
    /// RMSprop's running mean of the squared gradient, of each parameter.
    pub mean_squares: Parameters,
    /// The persistent chains, N images of D pixels, of a method that has some.
    pub chains: Option<PackedImages>,
    /// Steps taken.
    pub step: u64,
}

/// The burn record of a [`TrainingState`].
#[derive(Record)]
struct CheckpointRecord<B: Backend> {
    model: ModelRecord<B>,
    forward_mean_square: Tensor<B, 2>,
    forward_bias_mean_square: Tensor<B, 1>,
    backward_mean_square: Tensor<B, 2>,
    chains: Option<Tensor<B, 2>>,
    step: u64,
}

/// Saves a model as a burn record of [`Model`].
pub fn save_model(path: &Path, parameters: &Parameters) -> Result<(), RecordError> {
    let record = Model::<Host>::new(parameters, &Default::default()).into_record();
    save(path, record, "model")
}

/// Loads a model from its record, or from a checkpoint's.
pub fn load_model(path: &Path) -> Result<Parameters, RecordError> {
    Ok(load_trained(path)?.0)
}

/// As [`load_model`], with the steps behind the model, which a checkpoint knows.
pub fn load_trained(path: &Path) -> Result<(Parameters, Option<u64>), RecordError> {
    let content = files::read_sealed(path)?;
    let (parameters, step) = match decode::<ModelRecord<Host>>(&content) {
        Ok(record) => (parameters(record), None),
        Err(problem) => match decode::<CheckpointRecord<Host>>(&content) {
            Ok(record) => (parameters(record.model), Some(record.step)),
            Err(_) => return Err(foreign(path, "model", problem)),
        },
    };
    check_model(path, &parameters)?;
    Ok((parameters, step))
}

/// Saves a checkpoint.
pub fn save_checkpoint(path: &Path, state: &TrainingState) -> Result<(), RecordError> {
    let device = Default::default();
    let record = CheckpointRecord::<Host> {
        model: Model::new(&state.parameters, &device).into_record(),
        forward_mean_square: matrix(&state.mean_squares.forward, &device),
        forward_bias_mean_square: vector(&state.mean_squares.forward_bias, &device),
        backward_mean_square: matrix(&state.mean_squares.backward, &device),
        chains: state
            .chains
            .as_ref()
            .map(|chains| matrix(&chains.unpack().mapv(f32::from), &device)),
        step: state.step,
    };
    save(path, record, "checkpoint")
}

/// Loads a checkpoint; its arrays fit together and its numbers are possible.
pub fn load_checkpoint(path: &Path) -> Result<TrainingState, RecordError> {
    let content = files::read_sealed(path)?;
    let record = decode::<CheckpointRecord<Host>>(&content).map_err(|problem| foreign(path, "checkpoint", problem))?;
    let state = TrainingState {
        parameters: parameters(record.model),
        mean_squares: Parameters {
            forward: to_matrix(record.forward_mean_square),
            forward_bias: to_vector(record.forward_bias_mean_square),
            backward: to_matrix(record.backward_mean_square),
        },
        chains: record
            .chains
            .map(|chains| PackedImages::pack(&to_matrix(chains).mapv(|pixel| u8::from(pixel != 0.0)))),
        step: record.step,
    };
    check_model(path, &state.parameters)?;
    let [here, moments] = [&state.parameters, &state.mean_squares].map(|p| (p.visible(), p.latent()));
    if !state.mean_squares.is_consistent() || here != moments || state.chains.as_ref().is_some_and(|chains| chains.pixels() != here.0) {
        return Err(RecordError::Shape {
            path: path.to_owned(),
            problem: "its model, optimizer state and chains have different shapes".into(),
        });
    }
    Ok(state)
}

/// Refuses a model that is not of `visible` pixels and `latent` states. burn itself loads a record of another shape in silence.
pub fn expect_shape(path: &Path, parameters: &Parameters, visible: usize, latent: usize) -> Result<(), RecordError> {
    let found = (parameters.visible(), parameters.latent());
    if found == (visible, latent) {
        return Ok(());
    }
    Err(RecordError::Shape {
        path: path.to_owned(),
        problem: format!(
            "holds a model of {} pixels and {} latent states, and the configuration and data ask for {visible} and {latent}",
            found.0, found.1
        ),
    })
}

fn check_model(path: &Path, parameters: &Parameters) -> Result<(), RecordError> {
    let problem = if !parameters.is_consistent() {
        "its two matrices and the bias have shapes that do not fit together"
    } else if parameters.visible() == 0 || parameters.latent() == 0 {
        "its matrices are empty"
    } else if parameters.visible() > MOST_PIXELS || parameters.latent() > MOST_STATES {
        "its matrices are larger than any model of this program, 65,536 pixels and 10,000 latent states"
    } else if !parameters.is_finite() {
        "its parameters are not all finite"
    } else {
        return Ok(());
    };
    Err(RecordError::Shape {
        path: path.to_owned(),
        problem: problem.into(),
    })
}

fn parameters(record: ModelRecord<Host>) -> Parameters {
    Parameters {
        forward: to_matrix(record.forward.val()),
        forward_bias: to_vector(record.forward_bias.val()),
        backward: to_matrix(record.backward.val()),
    }
}

/// burn's file recorders delete the old file first, never flush, and cut names at their last dot: only its encoding is used.
fn save(path: &Path, record: impl Record<Host>, what: &'static str) -> Result<(), RecordError> {
    let content = Recorder::<Host>::record(&Recording::default(), record, ()).map_err(|error| foreign(path, what, error.to_string()))?;
    Ok(files::write_sealed(path, &content)?)
}

fn decode<R: Record<Host>>(content: &[u8]) -> Result<R, String> {
    Recorder::<Host>::load(&Recording::default(), content.to_vec(), &Default::default()).map_err(|error| error.to_string())
}

fn foreign(path: &Path, what: &'static str, problem: String) -> RecordError {
    RecordError::Foreign {
        path: path.to_owned(),
        what,
        problem: problem.replace('\n', " "),
    }
}
