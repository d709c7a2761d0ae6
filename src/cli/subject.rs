//! A trained model as a command names it: a run's folder, one of its checkpoints, or a record file.

use std::path::{Path, PathBuf};

use super::{Usage, shell};
use crate::config::Config;
use crate::data::{Dataset, likely_size};
use crate::model::Parameters;
use crate::record::{self, RecordError};
use crate::training::folder::{checkpoints, last_checkpoint, read_config, read_manifest};
use crate::training::manifest::Manifest;

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
    // Where the run is must not depend on where the user stands.
    let path = &std::path::absolute(path)?;
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
    let mut folders = path.ancestors().skip(1).take(2);
    match folders.find(|folder| folder.join("config.toml").is_file()) {
        Some(folder) => open(folder),
        None => Ok(None),
    }
}

/// A run's model, or the last of its checkpoints that can be read where it has not ended.
pub fn trained(run: &RunOf) -> anyhow::Result<Trained> {
    let model = run.folder.join("model.mpk");
    if model.is_file() {
        let Trained { parameters, step } = record_file(&model)?;
        let of_manifest = run.manifest.as_ref().map(|manifest| manifest.step);
        return Ok(Trained {
            parameters,
            step: step.or(of_manifest),
        });
    }
    let (last, mut broken) = last_checkpoint(&run.folder);
    match last {
        Some(state) => Ok(Trained {
            parameters: state.parameters,
            step: Some(state.step),
        }),
        None if !broken.is_empty() => Err(broken.remove(0).into()),
        None => Err(Usage(format!("{} holds no model and no checkpoint yet", shell(&run.folder))).into()),
    }
}

/// A record file: a model, or a checkpoint, which knows its step.
pub fn record_file(path: &Path) -> Result<Trained, RecordError> {
    let (parameters, step) = record::load_trained(path)?;
    Ok(Trained { parameters, step })
}

impl RunOf {
    /// The checkpoint of a step.
    pub fn checkpoint(&self, step: u64) -> anyhow::Result<PathBuf> {
        let all = checkpoints(&self.folder);
        match all.iter().find(|(found, _)| *found == step) {
            Some((_, path)) => Ok(path.clone()),
            None => {
                let steps: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
                let there = if steps.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("there are those of steps {}", steps.join(", "))
                };
                Err(Usage(format!("{} has no checkpoint of step {step}; {there}", shell(&self.folder))).into())
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

/// Height and width of a model's images: those of its run's manifest, or what is likely.
pub fn image_size(run: Option<&RunOf>, visible: usize) -> anyhow::Result<(usize, usize)> {
    let Some((run, manifest)) = run.and_then(|run| Some((run, run.manifest.as_ref()?))) else {
        return Ok(likely_size(visible));
    };
    let (rows, columns) = (manifest.data.rows, manifest.data.columns);
    if rows.checked_mul(columns) != Some(visible) {
        anyhow::bail!(
            "{}: says that images have {rows} x {columns} pixels, and the model has {visible}; restore it",
            shell(&run.folder.join("manifest.json"))
        );
    }
    Ok((rows, columns))
}
