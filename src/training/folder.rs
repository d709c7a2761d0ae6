//! A run's folder: what it holds, how it is claimed, and how a run is found again.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Config, ConfigError};
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::record::{self, RecordError, TrainingState};

/// Where runs go that name no folder.
pub const RUNS: &str = "artifacts/runs";

/// The checkpoint that the next one replaces.
const LATEST: &str = "checkpoints/latest.mpk";

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A new run wants an old name.
    #[error("{0} exists already; give --run a new folder, or --resume to go on with the run in it")]
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
    /// Data that are not what they were.
    #[error("{path}: the run was started on other images (checksum {then} in its manifest, now {now}); bring those back")]
    OtherData {
        /// The folder.
        path: PathBuf,
        /// In the manifest.
        then: String,
        /// Now.
        now: String,
    },
}

/// The folder of one run, held by this process alone.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

/// manifest.json: what was run, where, on what, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `latent-cycles`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The git commit it was built from.
    pub commit: Option<String>,
    /// As in `--backend`.
    pub backend: String,
    /// The device in words.
    pub device: String,
    /// SHA-256 of config.toml.
    pub config: String,
    /// The images in use.
    pub data: DataManifest,
    /// D.
    pub visible: usize,
    /// L.
    pub latent: usize,
    /// The run's seed.
    pub seed: u64,
    /// How well the judge of generated images (for `class_kl`) tells classes on test images; training images without labelled test
    /// images.
    pub classifier_accuracy: Option<f64>,
    /// Of a mixture: the pseudo-count, as configured or chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_count: Option<f64>,
    /// When the run began (UTC).
    pub start: String,
    /// When it ended or was last heard of.
    pub end: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Steps done when this was written.
    pub step: u64,
}

/// The `data` of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataManifest {
    /// In words.
    pub name: String,
    /// SHA-256 over sizes, grey values and labels of the images in use.
    pub checksum: String,
    /// Height of an image in pixels.
    pub rows: usize,
    /// Width of an image in pixels.
    pub columns: usize,
    /// Labels in use.
    pub classes: Vec<u8>,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
}

/// `status` of a [`Manifest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In training, or killed.
    Running,
    /// Trained to the end.
    Finished,
    /// Stopped by Ctrl-C; `--resume` goes on.
    Interrupted,
    /// Stopped by an error.
    Failed,
    /// Not trained here but imported.
    Imported,
}

impl Manifest {
    /// Refuses data that are not those the run was started on.
    pub fn expect_data(&self, folder: &Path, data: &Dataset) -> Result<(), FolderError> {
        let now = data.checksum();
        if self.data.checksum == now {
            return Ok(());
        }
        Err(FolderError::OtherData {
            path: folder.to_owned(),
            then: self.data.checksum.clone(),
            now,
        })
    }
}

impl RunFolder {
    /// Makes a new folder: the one named, or the first free one of `base`, `base-2`, `base-3`, ... in [`RUNS`].
    pub fn create(named: Option<&Path>, base: &str) -> Result<Self, FolderError> {
        let create_error = |path: &Path, source| FolderError::Create {
            path: path.to_owned(),
            source,
        };
        let path = match named {
            Some(path) => {
                Self::refuse_taken(path)?;
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(|source| create_error(path, source))?;
                }
                fs::create_dir(path).map_err(|source| match source.kind() {
                    io::ErrorKind::AlreadyExists => FolderError::Exists(path.to_owned()),
                    _ => create_error(path, source),
                })?;
                path.to_owned()
            }
            None => {
                let runs = Path::new(RUNS);
                fs::create_dir_all(runs).map_err(|source| create_error(runs, source))?;
                let mut number = 1;
                loop {
                    let path = numbered(base, number);
                    match fs::create_dir(&path) {
                        Ok(()) => break path,
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                        Err(source) => return Err(create_error(&path, source)),
                    }
                }
            }
        };
        Self::lock(path)
    }

    /// Refuses a name for a new run that is taken.
    pub fn refuse_taken(path: &Path) -> Result<(), FolderError> {
        if path.symlink_metadata().is_ok() {
            return Err(FolderError::Exists(path.to_owned()));
        }
        Ok(())
    }

    /// Opens the folder of a run to go on with: the one named, or the newest of `base`, `base-2`, ...
    pub fn reopen(named: Option<&Path>, base: &str) -> Result<Self, FolderError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => (1..)
                .map(|number| numbered(base, number))
                .take_while(|path| path.exists())
                .last()
                .unwrap_or(numbered(base, 1)),
        };
        if !path.join("config.toml").is_file() {
            return Err(FolderError::NotARun(path));
        }
        let folder = Self::lock(path)?;
        files::remove_partial(&folder.path);
        files::remove_partial(&folder.file("checkpoints"));
        Ok(folder)
    }

    fn lock(path: PathBuf) -> Result<Self, FolderError> {
        let name = path.join(".lock");
        let lock = File::create(&name).map_err(|source| FileError::Write { path: name, source })?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(FolderError::Busy(path)),
            // Some network file systems have no locks; then there is no protection, but the run can go on.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, _lock: lock }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes config.toml.
    pub fn write_config(&self, config: &Config) -> Result<(), FileError> {
        files::write(&self.file("config.toml"), config.to_toml().as_bytes())
    }

    /// Writes manifest.json.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), FileError> {
        let mut text = serde_json::to_string_pretty(manifest).unwrap_or_default();
        text.push('\n');
        files::write(&self.file("manifest.json"), text.as_bytes())
    }

    /// Makes the folder of checkpoints, unless it is there.
    pub fn make_checkpoints(&self) -> Result<(), FileError> {
        let path = self.file("checkpoints");
        fs::create_dir_all(&path).map_err(|source| FileError::Write { path, source })
    }

    /// Saves a checkpoint that stays.
    pub fn keep_checkpoint(&self, state: &TrainingState) -> Result<(), RecordError> {
        record::save_checkpoint(&self.rung(state.step), state)
    }

    /// Saves the checkpoint that the next one replaces.
    pub fn replace_latest(&self, state: &TrainingState) -> Result<(), RecordError> {
        record::save_checkpoint(&self.file(LATEST), state)
    }

    /// Removes the checkpoint that would be replaced: a run that has ended has better ones.
    pub fn remove_latest(&self) {
        let _ = fs::remove_file(self.file(LATEST));
    }

    fn rung(&self, step: u64) -> PathBuf {
        self.file("checkpoints").join(rung(step))
    }
}

/// The checkpoints that a run's folder keeps for good, with their steps, in order.
pub fn checkpoints(folder: &Path) -> Vec<(u64, PathBuf)> {
    let files = fs::read_dir(folder.join("checkpoints")).into_iter().flatten().flatten();
    let mut rungs: Vec<(u64, PathBuf)> = files
        .map(|entry| entry.path())
        .filter_map(|path| Some((path.file_stem()?.to_str()?.strip_prefix("step-")?.parse().ok()?, path)))
        .filter(|(step, path)| path.file_name().is_some_and(|name| name == rung(*step).as_str()))
        .collect();
    rungs.sort_unstable();
    rungs
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
    let rung = checkpoints(folder).into_iter().rev().find_map(|(_, path)| load(path));
    let last = latest.into_iter().chain(rung).max_by_key(|state| state.step);
    (last, broken)
}

/// The name of the checkpoint of a step.
fn rung(step: u64) -> String {
    format!("step-{step:07}.mpk")
}

/// SHA-256 of a configuration's text, in hexadecimal.
pub fn config_checksum(config: &Config) -> String {
    files::hexadecimal(&Sha256::digest(config.to_toml()))
}

/// The configuration in a run's folder.
pub fn read_config(folder: &Path) -> Result<Config, FolderError> {
    let path = folder.join("config.toml");
    if !path.is_file() {
        return Err(FolderError::NotARun(folder.to_owned()));
    }
    let text = files::read_at_most(&path, 1 << 20)?;
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

fn numbered(base: &str, number: u32) -> PathBuf {
    match number {
        1 => Path::new(RUNS).join(base),
        _ => Path::new(RUNS).join(format!("{base}-{number}")),
    }
}
