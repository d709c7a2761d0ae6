//! A trained model as a command names it: a run's folder, one of its checkpoints, or a record file.

use std::path::{Path, PathBuf};

use super::{Usage, shell};
use crate::config::Config;
use crate::data::Dataset;
use crate::model::Parameters;
use crate::record::{self, RecordError};
use crate::training::folder::{Manifest, checkpoints, read_config, read_manifest};

/// The run that a record belongs to.
pub struct RunOf {
    /// Its folder.
    pub folder: PathBuf,
    pub config: Config,
    pub manifest: Option<Manifest>,
}

/// A record with what is known of it.
pub struct Trained {
    pub parameters: Parameters,
    /// Steps behind it; unknown for a model's record without its run.
    pub step: Option<u64>,
}

/// Finds the run of a folder or a record file; `None` where a record file stands alone.
pub fn run_of(path: &Path) -> anyhow::Result<Option<RunOf>> {
    if !path.exists() {
        return Err(Usage(format!(
            "{} does not exist; give a run's folder or a record file (.mpk)",
            shell(path)
        ))
        .into());
    }
    let open = |folder: &Path| -> anyhow::Result<Option<RunOf>> {
        Ok(Some(RunOf {
            config: read_config(folder)?,
            manifest: read_manifest(folder)?,
            folder: folder.to_owned(),
        }))
    };
    if path.is_dir() {
        return open(path);
    }
    let mut folders = path
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    match folders.find(|folder| folder.join("config.toml").is_file()) {
        Some(folder) => open(folder),
        None => Ok(None),
    }
}

/// A run's model, or its last checkpoint where it has not ended.
pub fn trained(run: &RunOf) -> anyhow::Result<Trained> {
    let model = run.folder.join("model.mpk");
    if model.is_file() {
        return Ok(Trained {
            parameters: record::load_model(&model)?,
            step: run.manifest.as_ref().map(|manifest| manifest.step),
        });
    }
    let latest = run.folder.join("checkpoints/latest.mpk");
    let last = checkpoints(&run.folder).pop().map(|(_, path)| path);
    let mut found: Option<Trained> = None;
    for path in last.into_iter().chain(latest.is_file().then_some(latest)) {
        let trained = record_file(&path)?;
        if found.as_ref().is_none_or(|found| found.step < trained.step) {
            found = Some(trained);
        }
    }
    found.ok_or_else(|| Usage(format!("{} holds no model and no checkpoint yet", shell(&run.folder))).into())
}

/// A record file: a model, or a checkpoint, which knows its step.
pub fn record_file(path: &Path) -> Result<Trained, RecordError> {
    match record::load_checkpoint(path) {
        Ok(state) => Ok(Trained {
            parameters: state.parameters,
            step: Some(state.step),
        }),
        Err(_) => Ok(Trained {
            parameters: record::load_model(path)?,
            step: None,
        }),
    }
}

impl RunOf {
    /// The checkpoint of a step.
    pub fn checkpoint(&self, step: u64) -> anyhow::Result<PathBuf> {
        let all = checkpoints(&self.folder);
        match all.iter().find(|(found, _)| *found == step) {
            Some((_, path)) => Ok(path.clone()),
            None => {
                let steps: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
                Err(Usage(format!(
                    "{} has no checkpoint of step {step}; its checkpoints are of steps {}",
                    shell(&self.folder),
                    steps.join(", ")
                ))
                .into())
            }
        }
    }

    /// The data of the run, which must be those that it was trained on.
    pub fn data(&self) -> anyhow::Result<Dataset> {
        let data = Dataset::load(&self.config.data)?;
        if let Some(manifest) = &self.manifest {
            manifest.expect_data(&self.folder, &data)?;
        }
        Ok(data)
    }
}

/// Height and width of images of so many pixels, of which nothing else is known.
pub fn likely_size(visible: usize) -> (usize, usize) {
    let side = visible.isqrt();
    if side * side == visible { (side, side) } else { (1, visible) }
}

/// Refuses a model of another shape than its data and configuration.
pub fn expect_shape(path: &Path, trained: &Trained, run: &RunOf, data: &Dataset) -> Result<(), RecordError> {
    record::expect_shape(path, &trained.parameters, data.visible(), run.config.model.latent)
}
