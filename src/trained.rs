//! A trained model as it lies on the disk: a run's folder, one of its checkpoints, or a record file.

use std::path::{Path, PathBuf};

use crate::analysis::{self, Analysis, AnalysisError, Settings, Subject};
use crate::backend::{BackendError, BackendName};
use crate::config::{Config, Source};
use crate::data::{DataError, Dataset, likely_size};
use crate::evaluation::Reference;
use crate::files::FileError;
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::random::Seed;
use crate::record::{self, LoadedModel, RecordError};
use crate::training::folder::{FolderError, checkpoints, holds_run, last_checkpoint, read_config, read_manifest};
use crate::training::manifest::{Manifest, Status};

/// Why a trained model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrainedError {
    /// There is nothing of the name.
    #[error("{0} does not exist; give a run's folder or a record file (.mpk)")]
    Missing(PathBuf),
    /// A run that has just begun.
    #[error("{0} holds no model and no checkpoint yet")]
    NoModel(PathBuf),
    /// A step that was not kept.
    #[error("{folder} has no checkpoint of step {step}; {there}")]
    NoCheckpoint {
        /// The run's.
        folder: PathBuf,
        /// Asked for.
        step: u64,
        /// In words.
        there: String,
    },
    /// Images whose size is not that of the model's.
    #[error("{path}: says that images have {rows} x {columns} pixels, and the model has {visible}; restore it")]
    Size {
        /// The manifest.
        path: PathBuf,
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
        /// D.
        visible: usize,
    },
    /// The run's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The run's data.
    #[error("{config}: {source}", config = .config.display())]
    Data {
        /// The file that names them.
        config: PathBuf,
        /// What is wrong.
        source: DataError,
    },
    /// A path that cannot be followed.
    #[error(transparent)]
    File(#[from] FileError),
    /// What moves the chains.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The model as such.
    #[error("{path}: {source}")]
    Analysis {
        /// The record or its run.
        path: PathBuf,
        /// What is wrong with it.
        source: AnalysisError,
    },
}

impl TrainedError {
    /// Would other arguments do?
    pub fn is_of_usage(&self) -> bool {
        match self {
            Self::Missing(_) | Self::NoModel(_) | Self::NoCheckpoint { .. } => true,
            Self::Data { source, .. } => matches!(source, DataError::Config(_)),
            Self::Folder(error) => error.is_of_usage(),
            _ => false,
        }
    }
}

/// The run that a record belongs to.
pub struct RunOf {
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Its manifest, if it got so far.
    pub manifest: Option<Manifest>,
}

/// A model with what is known of it.
pub struct Trained {
    /// The model.
    pub parameters: Parameters,
    /// Its recognition distribution, where its posterior was sampled.
    pub recognition: Option<RecognitionParameters>,
    /// Steps behind it; unknown for a model's record without its run.
    pub step: Option<u64>,
}

/// The parameters of a run's model (of a run that has not ended, its last checkpoint), or of a record file.
///
/// ```no_run
/// let parameters = latent_cycles::load("artifacts/runs/default-ndarray-1")?;
/// println!("{} pixels, {} latent states", parameters.visible(), parameters.latent());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is none that can be read.
pub fn load(path: impl AsRef<Path>) -> Result<Parameters, TrainedError> {
    let path = path.as_ref();
    Ok(Trained::load(path, run_of(path)?.as_ref())?.parameters)
}

/// Everything that is found of a run's model (of a run that has not ended, its last checkpoint) or of a record file, as `analyze` finds it
/// without options: on the CPU, with the settings that suit the model.
///
/// ```no_run
/// let analysis = latent_cycles::analyze("artifacts/runs/default-ndarray-1")?;
/// println!("entropy production {} nats per step", analysis.headline.entropy_production);
/// println!("log-likelihood {} nats per image", analysis.headline.log_likelihood_test);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the model, its run or the run's data cannot be read, or when the model's numbers overflow.
pub fn analyze(path: impl AsRef<Path>) -> Result<Analysis, TrainedError> {
    let path = path.as_ref();
    let run = run_of(path)?;
    let trained = Trained::load(path, run.as_ref())?;
    let mut settings = Settings::of(&trained.parameters);
    let data = run.as_ref().map(RunOf::data).transpose()?.flatten();
    let mut reference = None;
    if let (Some(run), Some(data)) = (&run, &data) {
        record::expect_shape(path, &trained.parameters, data.visible(), &run.config.model.latent)?;
        settings.seed = Seed(run.config.training.seed);
        reference = Some(Reference::new(data, settings.seed));
    }
    let subject = Subject {
        parameters: &trained.parameters,
        step: trained.step,
        data: reference.as_ref(),
        classes: data.as_ref().map_or(&[], |data| &data.classes),
        partition: None,
    };
    let numerics = BackendName::Ndarray.open()?;
    analysis::analyze(&subject, settings, &*numerics, &()).map_err(|source| TrainedError::Analysis {
        path: path.to_owned(),
        source,
    })
}

/// Finds the run of a folder or a record file; `None` where a record file stands alone.
///
/// # Errors
/// When there is nothing, or a folder that is no run's, or when the run's files cannot be read.
pub fn run_of(path: &Path) -> Result<Option<RunOf>, TrainedError> {
    if !path.exists() {
        return Err(TrainedError::Missing(path.to_owned()));
    }
    // Where the run is must not depend on where the user stands.
    let path = &std::path::absolute(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    if path.is_dir() {
        return Ok(Some(RunOf::open(path)?));
    }
    let folder = path.ancestors().skip(1).take(2).find(|folder| holds_run(folder));
    Ok(folder.map(RunOf::open).transpose()?)
}

impl Trained {
    /// From a run's folder, its model, or the last of its checkpoints that can be read where it has not ended; or from a record file.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn load(path: &Path, run: Option<&RunOf>) -> Result<Self, TrainedError> {
        match run {
            Some(run) if path.is_dir() => run.last(),
            _ => Ok(Self::record(path)?),
        }
    }

    /// From a record file: a model, or a checkpoint, which knows its step.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record(path: &Path) -> Result<Self, RecordError> {
        let LoadedModel {
            parameters,
            recognition,
            step,
        } = record::load_trained(path)?;
        Ok(Self {
            parameters,
            recognition,
            step,
        })
    }
}

impl RunOf {
    /// Of a run's folder.
    ///
    /// # Errors
    /// When there is no run in it, or its files cannot be read.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        Ok(Self {
            config: read_config(folder)?,
            manifest: read_manifest(folder)?,
            folder: folder.to_owned(),
        })
    }

    /// The run's model, or the last of its checkpoints that can be read where it has not ended.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn last(&self) -> Result<Trained, TrainedError> {
        if let Some(model) = self.final_model() {
            let trained = Trained::record(&model)?;
            let of_manifest = self.manifest.as_ref().map(|manifest| manifest.step);
            return Ok(Trained {
                step: trained.step.or(of_manifest),
                ..trained
            });
        }
        let (last, mut broken) = last_checkpoint(&self.folder);
        match last {
            Some(state) => Ok(Trained {
                parameters: state.parameters,
                recognition: state.sampled.map(|sampled| sampled.recognition),
                step: Some(state.step),
            }),
            None if !broken.is_empty() => Err(broken.remove(0).into()),
            None => Err(TrainedError::NoModel(self.folder.clone())),
        }
    }

    /// The record that the run ended with. A run that was given more steps since has checkpoints later than that.
    pub fn final_model(&self) -> Option<PathBuf> {
        let ended = |manifest: &Manifest| matches!(manifest.status, Status::Finished | Status::Imported);
        let model = self.folder.join("model.mpk");
        (model.is_file() && self.manifest.as_ref().is_none_or(ended)).then_some(model)
    }

    /// The checkpoint of a step.
    ///
    /// # Errors
    /// When it was not kept.
    pub fn checkpoint(&self, step: u64) -> Result<PathBuf, TrainedError> {
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
                Err(TrainedError::NoCheckpoint {
                    folder: self.folder.clone(),
                    step,
                    there,
                })
            }
        }
    }

    /// The data of the run, which must be those that it was trained on; `None` of a model that was imported without data.
    ///
    /// # Errors
    /// When they cannot be read, or are others.
    pub fn data(&self) -> Result<Option<Dataset>, TrainedError> {
        if self.config.data.source == Source::None {
            return Ok(None);
        }
        let data = Dataset::load(&self.config.data).map_err(|source| TrainedError::Data {
            config: self.folder.join("config.toml"),
            source,
        })?;
        if let Some(manifest) = &self.manifest {
            manifest.expect_data(&self.folder, &data).map_err(FolderError::from)?;
        }
        Ok(Some(data))
    }
}

/// Height and width of a model's images: those of its run's manifest, or what is likely.
///
/// # Errors
/// When the manifest's are those of another model.
pub fn image_size(run: Option<&RunOf>, visible: usize) -> Result<(usize, usize), TrainedError> {
    let Some((run, manifest)) = run.and_then(|run| Some((run, run.manifest.as_ref()?))) else {
        return Ok(likely_size(visible));
    };
    let (rows, columns) = (manifest.data.rows, manifest.data.columns);
    if rows.checked_mul(columns) != Some(visible) {
        return Err(TrainedError::Size {
            path: run.folder.join("manifest.json"),
            rows,
            columns,
            visible,
        });
    }
    Ok((rows, columns))
}
