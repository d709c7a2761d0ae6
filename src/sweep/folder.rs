//! A sweep's folder: what it holds, how it is claimed, and how far each of its runs is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::run::PlannedRun;
use crate::files::{self, FileError};
use crate::lock::{self, Lock, LockError};
use crate::training::folder::{FolderError, LONGEST_CONFIG, read_config, read_manifest, remove_unbegun};
use crate::training::manifest::Status;

/// Where sweeps go that name no folder.
pub const SWEEPS: &str = "artifacts/sweeps";

/// Why a folder cannot be used for a sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepFolderError {
    /// A new sweep wants an old name.
    #[error("{0} exists already; give --out a new folder, or --resume to go on with the sweep in it")]
    Exists(PathBuf),
    /// Something else is in it.
    #[error("{0} holds no sweep (no sweep.toml); give --out the folder of one, or a new one")]
    NotASweep(PathBuf),
    /// Two programs, one folder.
    #[error("{0} is in use by another sweep; wait for it or stop it")]
    Busy(PathBuf),
    /// A run that is not what is asked for now.
    #[error(
        "{0} was made with another configuration than the sweep's file now asks for under this name; move it away or give --out a new folder"
    )]
    OtherConfiguration(PathBuf),
    /// A run that was computed with something else.
    #[error("{path} was made with backend {then}, and {now} is asked for; leave out --backend or give --out a new folder")]
    OtherBackend {
        /// The run's folder.
        path: PathBuf,
        /// In its manifest.
        then: String,
        /// Asked for.
        now: String,
    },
    /// It cannot be made or tidied.
    #[error("{path}: cannot be made: {source}; check its path, what is in it and its permissions")]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A run's own files.
    #[error(transparent)]
    Run(#[from] FolderError),
    /// The sweep's own files.
    #[error(transparent)]
    File(#[from] FileError),
}

impl SweepFolderError {
    /// Would other arguments do?
    pub fn is_of_usage(&self) -> bool {
        !matches!(self, Self::Busy(_) | Self::Create { .. } | Self::Run(_) | Self::File(_))
    }
}

/// The folder of one sweep.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    /// Held by a process that answers for the whole sweep; those that do some of its runs hold these.
    _lock: Option<Lock>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunProgress {
    /// It has no folder.
    New,
    /// It was stopped, killed, or failed; or it is being trained by someone else.
    Begun,
    /// Trained to the end.
    Trained,
    /// And analyzed after that.
    Analyzed,
}

impl SweepFolder {
    /// Makes the folder; with `resume`, an earlier sweep may lie in it.
    pub fn open(path: &Path, resume: bool) -> Result<Self, SweepFolderError> {
        if path.symlink_metadata().is_ok() {
            if !resume {
                return Err(SweepFolderError::Exists(path.to_owned()));
            }
            // An empty one was left by a kill at the very start.
            let visible = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
            let empty = fs::read_dir(path).is_ok_and(|mut entries| !entries.any(visible));
            if !empty && !path.join("sweep.toml").is_file() {
                return Err(SweepFolderError::NotASweep(path.to_owned()));
            }
        }
        fs::create_dir_all(path).map_err(|source| create_error(path, source))?;
        let lock = Lock::take(path).map_err(|error| match error {
            LockError::Busy => SweepFolderError::Busy(path.to_owned()),
            LockError::File(error) => SweepFolderError::File(error),
        })?;
        let folder = Self {
            path: path.to_owned(),
            _lock: Some(lock),
        };
        files::remove_partial(&folder.path);
        files::remove_old_partial(&folder.file("runs"));
        Ok(folder)
    }

    /// The folder of a sweep that was begun, to do some of its runs or to look at it beside other processes.
    pub fn join(path: &Path) -> Result<Self, SweepFolderError> {
        if !path.join("sweep.toml").is_file() {
            return Err(SweepFolderError::NotASweep(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: None,
        })
    }

    /// Writes sweep.toml, and makes room for the runs: what is in the folder once has always its sweep.toml beside it.
    pub fn begin(&self, source: &str) -> Result<(), SweepFolderError> {
        files::write(&self.file("sweep.toml"), source.as_bytes())?;
        let runs = self.file("runs");
        fs::create_dir_all(&runs).map_err(|source| create_error(&runs, source))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of a run.
    pub fn run(&self, name: &str) -> PathBuf {
        self.file("runs").join(name)
    }

    /// What a run's commands said.
    pub fn log(&self, name: &str) -> PathBuf {
        self.file("runs").join(format!("{name}.log"))
    }

    /// The configuration that a new run is given.
    pub fn config(&self, name: &str) -> PathBuf {
        self.file("runs").join(format!("{name}.toml"))
    }

    /// Why the last attempt at a run failed, for those who were not there.
    pub fn error(&self, name: &str) -> PathBuf {
        self.file("runs").join(format!("{name}.error"))
    }

    /// Is another process at work on the run, such as one that was told to stop and takes its last step?
    pub fn is_held(&self, run: &PlannedRun) -> bool {
        lock::is_held(&self.run(&run.name))
    }

    /// How far a run is, and the backend that it was begun with, as far as its manifest says.
    ///
    /// # Errors
    /// When its folder holds another run than the one planned, or something else.
    pub fn progress(&self, run: &PlannedRun) -> Result<(RunProgress, Option<String>), SweepFolderError> {
        let folder = self.run(&run.name);
        if folder.symlink_metadata().is_err() {
            return Ok((RunProgress::New, None));
        }
        if !folder.join("config.toml").is_file() {
            if self.is_held(run) {
                return Ok((RunProgress::Begun, None));
            }
            remove_unbegun(&folder).map_err(|source| SweepFolderError::Create { path: folder, source })?;
            return Ok((RunProgress::New, None));
        }
        // Most are as they were planned, to the last character, and are quickly compared.
        let text = files::read_at_most(&folder.join("config.toml"), LONGEST_CONFIG);
        let as_planned = text.is_ok_and(|text| text == run.config.to_toml().as_bytes());
        if !as_planned && !run.config.is_that_of(&read_config(&folder)?) {
            return Err(SweepFolderError::OtherConfiguration(folder));
        }
        let manifest = read_manifest(&folder)?;
        let trained = manifest.as_ref().is_some_and(|manifest| manifest.status == Status::Finished) && folder.join("model.mpk").is_file();
        let progress = match (trained, is_analyzed(&folder)) {
            (false, _) => RunProgress::Begun,
            (true, false) => RunProgress::Trained,
            (true, true) => RunProgress::Analyzed,
        };
        Ok((progress, manifest.map(|manifest| manifest.backend)))
    }
}

fn create_error(path: &Path, source: io::Error) -> SweepFolderError {
    SweepFolderError::Create {
        path: path.to_owned(),
        source,
    }
}

/// Is there an analysis of the run's model as it is? The page is written last.
fn is_analyzed(folder: &Path) -> bool {
    let changed = |name: &str| folder.join(name).metadata().and_then(|file| file.modified()).ok();
    let Some(model) = changed("model.mpk") else {
        return false;
    };
    let newer = |name: &str| changed(name).is_some_and(|time| time >= model);
    newer("analysis/analysis.json") && newer("analysis/report.html")
}
