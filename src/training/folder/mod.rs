//! A run's folder: what it holds, how it is claimed, and how a run is found again.

mod error;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use self::error::FolderError;
use super::manifest::{Manifest, Status};
use crate::config::Config;
use crate::files::{self, FileError};
use crate::lock::{self, Lock, LockError};
use crate::record::{self, RecordError, TrainingState};

/// Where runs go that name no folder.
pub const RUNS: &str = "artifacts/runs";

/// The longest config.toml that is read, in bytes.
pub(crate) const LONGEST_CONFIG: u64 = 1 << 20;
/// The checkpoint that the next one replaces.
const LATEST: &str = "checkpoints/latest.mpk";

/// The folder of one run, held by this process alone.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// config.toml as it was when the folder was opened.
    config: Vec<u8>,
    lock: Lock,
}

/// How far the run in a folder came.
#[derive(Debug)]
pub enum Left {
    /// To its end.
    Finished,
    /// To a checkpoint, with what is wrong with later ones that cannot be read.
    At(Box<TrainingState>, Vec<RecordError>),
    /// It took no step.
    Nothing,
}

impl RunFolder {
    /// Makes a new folder, the one named, or the next of `base`, `base-2`, `base-3`, ... in [`RUNS`], with its config.toml. If that cannot be
    /// written there is no folder.
    pub fn create(named: Option<&Path>, base: &str, config: &Config) -> Result<Self, FolderError> {
        let path = match named {
            Some(path) => claim(path)?,
            None => claim_next(base)?,
        };
        match Self::begin(&path, config) {
            Err(error) if !matches!(error, FolderError::Busy(_) | FolderError::Exists(_)) => {
                let _ = remove_unbegun(&path);
                Err(error)
            }
            begun => begun,
        }
    }

    fn begin(path: &Path, config: &Config) -> Result<Self, FolderError> {
        let lock = take(path)?;
        // Another process may have begun here and ended before the lock was taken.
        if path.join("config.toml").symlink_metadata().is_ok() {
            return Err(FolderError::Exists(path.to_owned()));
        }
        files::remove_partial(path);
        let config = config.to_toml().into_bytes();
        files::write(&path.join("config.toml"), &config)?;
        Ok(Self {
            path: path.to_owned(),
            config,
            lock,
        })
    }

    /// Refuses a name for a new run that is taken.
    pub fn refuse_taken(path: &Path) -> Result<(), FolderError> {
        if path.symlink_metadata().is_ok() && !is_unbegun(path) {
            return Err(FolderError::Exists(path.to_owned()));
        }
        Ok(())
    }

    /// Opens the folder of a run to go on with.
    pub fn reopen(path: &Path) -> Result<Self, FolderError> {
        if !holds_run(path) {
            return Err(FolderError::NotARun(path.to_owned()));
        }
        let lock = take(path)?;
        let folder = Self {
            config: files::read_at_most(&path.join("config.toml"), LONGEST_CONFIG)?,
            path: path.to_owned(),
            lock,
        };
        files::remove_partial(&folder.path);
        files::remove_partial(&folder.file("checkpoints"));
        Ok(folder)
    }

    /// Removes a folder that was made for nothing, with all that is in it.
    pub fn discard(self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// How far the run came, as its manifest and its checkpoints say; one that has finished and is `to_go_on`, to its last checkpoint.
    ///
    /// # Errors
    /// When it holds an imported model, when config.toml was changed since the run began, or when the checkpoints are gone or cannot be read.
    pub fn left(&self, manifest: Option<&Manifest>, to_go_on: bool) -> Result<Left, FolderError> {
        let path = || self.path.clone();
        if let Some(manifest) = manifest {
            if manifest.status == Status::Imported {
                return Err(FolderError::Imported(path()));
            }
            let checksum = self.config_checksum();
            if manifest.config != checksum && manifest.earlier_config.as_ref() != Some(&checksum) {
                return Err(FolderError::ChangedConfiguration(path()));
            }
            if manifest.status == Status::Finished && self.file("model.mpk").is_file() && !to_go_on {
                return Ok(Left::Finished);
            }
        }
        match last_checkpoint(&self.path) {
            (Some(state), broken) => Ok(Left::At(Box::new(state), broken)),
            // Starting over would write over a run that may yet be saved.
            (None, mut broken) if !broken.is_empty() => Err(broken.remove(0).into()),
            // A run evaluates its start before it saves its first checkpoint: one line, and no model.
            (None, _) if manifest.is_some_and(|manifest| manifest.step > 0) => Err(FolderError::NoCheckpoint(path())),
            (None, _) if self.file("model.mpk").exists() || self.file("metrics.jsonl").metadata().is_ok_and(|file| file.len() > 1000) => {
                Err(FolderError::NoCheckpoint(path()))
            }
            (None, _) => Ok(Left::Nothing),
        }
    }

    /// SHA-256 of config.toml, in hexadecimal.
    pub fn config_checksum(&self) -> String {
        files::hexadecimal(&Sha256::digest(&self.config))
    }

    /// Gives the run another configuration. The manifest, which is written first, knows both while config.toml is the old one, so that a kill
    /// at any moment leaves a run that can go on.
    pub fn replace_config(&mut self, config: &Config, manifest: &mut Manifest) -> Result<(), FileError> {
        let earlier = self.config_checksum();
        self.config = config.to_toml().into_bytes();
        manifest.config = self.config_checksum();
        manifest.earlier_config = Some(earlier);
        self.write_manifest(manifest)?;
        files::write(&self.file("config.toml"), &self.config)?;
        manifest.earlier_config = None;
        Ok(())
    }

    /// Writes config.toml again if it was deleted since the folder was opened.
    pub fn restore_config(&self) -> Result<(), FileError> {
        let path = self.file("config.toml");
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        files::write(&path, &self.config)
    }

    /// Refuses to write on in a folder that another host has taken over.
    pub fn expect_held(&self) -> Result<(), FileError> {
        self.lock.expect_held()
    }

    /// Writes manifest.json.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), FileError> {
        self.expect_held()?;
        let mut text = serde_json::to_string_pretty(manifest).unwrap_or_default();
        text.push('\n');
        files::write(&self.file("manifest.json"), text.as_bytes())
    }

    /// Makes the folder of checkpoints, unless it is there.
    fn make_checkpoints(&self) -> Result<(), FileError> {
        self.expect_held()?;
        let path = self.file("checkpoints");
        match fs::create_dir(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(FileError::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Saves a checkpoint that stays. Their folder may have been deleted while the run went on: it is made again.
    pub fn keep_checkpoint(&self, state: &TrainingState) -> Result<(), RecordError> {
        self.make_checkpoints()?;
        record::save_checkpoint(&self.kept_path(state.step), state)
    }

    /// Saves the checkpoint that the next one replaces.
    pub fn replace_latest(&self, state: &TrainingState) -> Result<(), RecordError> {
        self.make_checkpoints()?;
        record::save_checkpoint(&self.file(LATEST), state)
    }

    /// Removes the checkpoint that would be replaced: a run that has ended has better ones.
    pub fn remove_latest(&self) {
        let _ = fs::remove_file(self.file(LATEST));
    }

    fn kept_path(&self, step: u64) -> PathBuf {
        self.file("checkpoints").join(kept_name(step))
    }
}

/// The checkpoints that a run's folder keeps for good, with their steps, in order.
pub fn checkpoints(folder: &Path) -> Vec<(u64, PathBuf)> {
    let files = fs::read_dir(folder.join("checkpoints")).into_iter().flatten().flatten();
    let mut kept: Vec<(u64, PathBuf)> = files
        .map(|entry| entry.path())
        .filter_map(|path| Some((path.file_stem()?.to_str()?.strip_prefix("step-")?.parse().ok()?, path)))
        .filter(|(step, path)| path.file_name().is_some_and(|name| name == kept_name(*step).as_str()))
        .collect();
    kept.sort_unstable();
    kept
}

/// The checkpoint of a run with the most steps that can be read, with what is wrong with those that cannot.
pub fn last_checkpoint(folder: &Path) -> (Option<TrainingState>, Vec<RecordError>) {
    let mut broken = Vec::new();
    let mut load = |path: PathBuf| match record::load_checkpoint(&path) {
        Ok(state) => Some(state),
        Err(error) => {
            broken.push(error);
            None
        }
    };
    let latest = folder.join(LATEST);
    let latest = if latest.exists() { load(latest) } else { None };
    let kept = checkpoints(folder).into_iter().rev().find_map(|(_, path)| load(path));
    let last = latest.into_iter().chain(kept).max_by_key(|state| state.step);
    (last, broken)
}

/// The name of the checkpoint of a step.
fn kept_name(step: u64) -> String {
    format!("step-{step:07}.mpk")
}

/// Is there a run in the folder?
pub fn holds_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file()
}

/// The configuration in a run's folder.
pub fn read_config(folder: &Path) -> Result<Config, FolderError> {
    let path = folder.join("config.toml");
    if !holds_run(folder) {
        return Err(FolderError::NotARun(folder.to_owned()));
    }
    let text = files::read_at_most(&path, LONGEST_CONFIG)?;
    Ok(Config::from_toml(&String::from_utf8_lossy(&text), &path.display().to_string())?)
}

/// The manifest in a run's folder; `None` if the run was killed before it was written.
pub fn read_manifest(folder: &Path) -> Result<Option<Manifest>, FolderError> {
    let path = folder.join("manifest.json");
    if !path.is_file() {
        return Ok(None);
    }
    let text = files::read_at_most(&path, 1 << 20)?;
    let manifest = serde_json::from_slice(&text).map_err(|error| FolderError::Manifest {
        path,
        problem: error.to_string(),
    })?;
    Ok(Some(manifest))
}

/// Makes the folder of that name; one in which a run was to begin and did not is as good as a new one.
fn claim(path: &Path) -> Result<PathBuf, FolderError> {
    RunFolder::refuse_taken(path)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| create_error(path, source))?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_unbegun(path) => Ok(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(FolderError::Exists(path.to_owned())),
        Err(source) => Err(create_error(path, source)),
        Ok(()) => Ok(path.to_owned()),
    }
}

/// Makes the next of the folders `base`, `base-2`, `base-3`, ...
fn claim_next(base: &str) -> Result<PathBuf, FolderError> {
    let runs = Path::new(RUNS);
    fs::create_dir_all(runs).map_err(|source| create_error(runs, source))?;
    let mut number = last_number(base).map_or(1, |last| last + 1);
    loop {
        let path = numbered(base, number);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(create_error(&path, source)),
        }
    }
}

fn create_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Create {
        path: path.to_owned(),
        source,
    }
}

fn take(path: &Path) -> Result<Lock, FolderError> {
    Lock::take(path).map_err(|error| match error {
        LockError::Busy => FolderError::Busy(path.to_owned()),
        LockError::File(error) => FolderError::File(error),
    })
}

/// Was a run to begin in the folder, which ended before it wrote anything? Its lock is there and nothing else.
fn is_unbegun(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let of_beginning = |name: &str| lock::is_of_holding(name) || name.starts_with(files::PARTIAL);
    lock::was_held(folder)
        && entries
            .into_iter()
            .all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(of_beginning)))
}

/// Removes the folder of a run that ended before it wrote anything; one that holds anything else stays, as an error.
pub fn remove_unbegun(folder: &Path) -> io::Result<()> {
    files::remove_partial(folder);
    lock::remove_traces(folder);
    fs::remove_dir(folder)
}

/// The largest number of the folders `base` (1), `base-2`, `base-3`, ... that are there.
fn last_number(base: &str) -> Option<u32> {
    let number = |name: &str| match name.strip_prefix(base)? {
        "" => Some(1),
        rest => rest
            .strip_prefix('-')?
            .parse()
            .ok()
            .filter(|number| numbered(base, *number).ends_with(name)),
    };
    let entries = fs::read_dir(RUNS).into_iter().flatten().flatten();
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).max()
}

fn numbered(base: &str, number: u32) -> PathBuf {
    match number {
        1 => Path::new(RUNS).join(base),
        _ => Path::new(RUNS).join(format!("{base}-{number}")),
    }
}
