//! What can be wrong with a run's folder.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::files::FileError;
use crate::record::RecordError;
use crate::training::manifest::OtherData;

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A new run wants an old name.
    #[error("{0} exists already; give --run a new folder (or remove this one, if it is empty), or --resume to go on with the run in it")]
    Exists(PathBuf),
    /// It cannot be made.
    #[error("{path}: the folder cannot be made: {source}")]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing to go on with.
    #[error("{0} holds no run (no config.toml); give the folder of one")]
    NotARun(PathBuf),
    /// Two programs, one folder.
    #[error("{0} is being trained by another process; wait for it or stop it")]
    Busy(PathBuf),
    /// A manifest that cannot be read.
    #[error("{path}: {problem}; it was damaged or not written by this program: restore it")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
    /// Files that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration that is not one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Records that cannot be read, where one is needed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An imported model.
    #[error(
        "{path} holds an imported model and no run to go on with; start one from it with --config {path}/config.toml \
         --set model.init=record --set model.record={path}/model.mpk", path = .0.display()
    )]
    Imported(PathBuf),
    /// A configuration that is not the one that the run began with.
    #[error("{0}/config.toml was changed since the run began, and a run can only go on with its own configuration; restore it")]
    ChangedConfiguration(PathBuf),
    /// Nothing to go on from, and too much to start over.
    #[error("{0}: the checkpoints are gone, and the run cannot go on; bring them back or start a new run")]
    NoCheckpoint(PathBuf),
    /// Data that are not what they were.
    #[error(transparent)]
    OtherData(#[from] OtherData),
}

impl FolderError {
    /// Would other arguments do?
    pub fn is_of_usage(&self) -> bool {
        matches!(
            self,
            Self::Exists(_) | Self::NotARun(_) | Self::Config(_) | Self::Imported(_) | Self::ChangedConfiguration(_)
        )
    }
}
