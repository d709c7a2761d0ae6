//! Why a run cannot begin, go on, or end.

use std::path::PathBuf;

use super::super::TrainingError;
use super::super::folder::FolderError;
use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::files::FileError;
use crate::record::RecordError;
use crate::watch::Stopped;

/// Why a run cannot begin, go on, or end.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are no data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There are no data where config.toml says.
    #[error("{config}: {source}", config = .config.display())]
    DataOf {
        /// The file.
        config: PathBuf,
        /// What is wrong.
        source: DataError,
    },
    /// There is no device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The configuration does not fit the data or the device.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The record to start from cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Training failed.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// It was stopped before its first step.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Another configuration was asked for.
    #[error(
        "{0} was started with another configuration, of which only training.steps can change; leave out --config, and of --set all but \
         training.steps"
    )]
    OtherConfiguration(PathBuf),
    /// Fewer steps than are done.
    #[error("{folder} has done {done} steps; to go on, set training.steps to more than that, as in --set training.steps={}", 2 * .done)]
    TooFewSteps {
        /// The run's folder.
        folder: PathBuf,
        /// Steps done.
        done: u64,
    },
    /// No run waits to be gone on with.
    #[error(
        "{runs} holds no run that was interrupted{such}; name a run with --run, or give a finished one more steps: --run RUN --set training.steps=N"
    )]
    NothingToResume {
        /// The folder of runs.
        runs: &'static str,
        /// Which was asked for, in words.
        such: &'static str,
    },
    /// A backend that this program does not know.
    #[error("the run was made with backend {0}, which this build lacks; name another with --backend")]
    UnknownBackend(String),
    /// It was stopped before its manifest was written.
    #[error("{0}: there is no manifest.json to say what computed this run; name its backend with --backend")]
    NoBackend(PathBuf),
    /// A checkpoint of another run.
    #[error("{path}: its last checkpoint, of step {step}, is not one of this configuration; restore it")]
    ForeignCheckpoint {
        /// The run's folder.
        path: PathBuf,
        /// The checkpoint's step.
        step: u64,
    },
}

impl SessionError {
    /// Would other arguments or another configuration do?
    pub fn is_of_usage(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Data(DataError::Config(_))
            | Self::DataOf {
                source: DataError::Config(_),
                ..
            }
            | Self::OtherConfiguration(_)
            | Self::TooFewSteps { .. }
            | Self::NothingToResume { .. }
            | Self::UnknownBackend(_)
            | Self::NoBackend(_) => true,
            Self::Folder(error) => error.is_of_usage(),
            _ => false,
        }
    }
}
