//! The runs in a folder of runs: how each stands, which is the latest, which can go on.

use std::fmt;
use std::path::{Path, PathBuf};

use super::folder::{FolderError, checkpoints, holds_run, read_config, read_manifest};
use super::manifest::{Manifest, Status};
use crate::config::Config;
use crate::lock;

/// A run that is there.
#[derive(Clone, Debug)]
pub struct KnownRun {
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Its manifest, if it got so far.
    pub manifest: Option<Manifest>,
    /// How it stands.
    pub standing: Standing,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A process trains it.
    Training,
    /// It was stopped, killed, or ended by an error, and can go on.
    Interrupted,
    /// It was stopped by an error.
    Failed,
    /// It took all its steps.
    Finished,
    /// Its model was trained elsewhere.
    Imported,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Training => "training",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Imported => "imported",
        })
    }
}

impl KnownRun {
    /// Of a run's folder.
    ///
    /// # Errors
    /// When its configuration or its manifest cannot be read.
    pub fn of(folder: &Path) -> Result<Self, FolderError> {
        let (config, manifest) = (read_config(folder)?, read_manifest(folder)?);
        let standing = match manifest.as_ref().map(|manifest| manifest.status) {
            Some(Status::Finished) => Standing::Finished,
            Some(Status::Imported) => Standing::Imported,
            _ if lock::is_held(folder) => Standing::Training,
            Some(Status::Failed) => Standing::Failed,
            Some(Status::Running | Status::Interrupted) | None => Standing::Interrupted,
        };
        Ok(Self {
            folder: folder.to_owned(),
            config,
            manifest,
            standing,
        })
    }

    /// When it began (UTC, in the order of time as text too); empty if it did not get so far.
    pub fn start(&self) -> &str {
        self.manifest.as_ref().map_or("", |manifest| &manifest.start)
    }

    /// Is there a model to be had of it?
    pub fn has_model(&self) -> bool {
        self.folder.join("model.mpk").is_file()
            || self.folder.join("checkpoints/latest.mpk").is_file()
            || !checkpoints(&self.folder).is_empty()
    }
}

/// The runs in a folder, in the order in which they began, and what is wrong with those that cannot be read.
pub fn in_folder(folder: &Path) -> (Vec<KnownRun>, Vec<FolderError>) {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| holds_run(path))
        .collect();
    folders.sort_unstable();
    let (mut runs, mut errors) = (Vec::new(), Vec::new());
    for folder in folders {
        match KnownRun::of(&folder) {
            Ok(run) => runs.push(run),
            Err(error) => errors.push(error),
        }
    }
    runs.sort_by(|a, b| a.start().cmp(b.start()));
    (runs, errors)
}

/// Of runs in the order in which they began, the last that has a model.
pub fn latest(runs: Vec<KnownRun>) -> Option<KnownRun> {
    runs.into_iter().rev().find(KnownRun::has_model)
}
