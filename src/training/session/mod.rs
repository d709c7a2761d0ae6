//! A run from its configuration to its end, or from where it was left: what `train` does, for any program.

mod asked;
mod error;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::ValueEnum;

pub use self::asked::Asked;
pub use self::error::SessionError;
use self::watched::Watched;
use super::folder::{FolderError, Left, RunFolder, read_config, read_manifest};
use super::manifest::{DataManifest, Manifest, Status};
use super::restarts::Restarts;
use super::schedule::learning_rate;
use super::start::initial_state;
use super::step::{Recipe, Update};
use super::{Observer, Outcome, Run};
use crate::backend::BackendName;
use crate::config::{Ascent, Config, Method, Schedule};
use crate::data::Dataset;
use crate::evaluation::Evaluator;
use crate::numerics::{DeviceInfo, Numerics};
use crate::random::Seed;
use crate::record::{self, RecordError, TrainingState};

/// Where a run goes: a folder by name, or one of `base`, `base-2`, ... in [`super::folder::RUNS`].
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder, if it was named.
    pub folder: Option<&'a Path>,
    /// The name for one that was not.
    pub base: &'a str,
}

/// Trains a model in a new folder, as the command `train` does.
///
/// ```no_run
/// use latent_cycles::{BackendName, Config};
///
/// let config = Config::from_toml("model.latent = 5\ntraining.steps = 3000", "my program")?;
/// latent_cycles::train(config, BackendName::Ndarray, "five-states")?;
/// let analysis = latent_cycles::analyze("five-states")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the folder is taken, when data, device or start cannot be used, when the parameters diverge, or when a file cannot be written.
pub fn train(config: Config, backend: BackendName, folder: impl AsRef<Path>) -> Result<Outcome, SessionError> {
    let place = Place {
        folder: Some(folder.as_ref()),
        base: "",
    };
    Session::begin(config, backend, place)?.train(&mut (), &AtomicBool::new(false))
}

/// A run that is ready to go: begun, or found again where it was left.
///
/// ```no_run
/// use std::sync::atomic::AtomicBool;
///
/// use latent_cycles::training::session::{Asked, Resumed};
/// use latent_cycles::{Outcome, Session};
///
/// if let Resumed::Session(session) = Session::resume("five-states".as_ref(), Asked::default())? {
///     println!("goes on from step {}", session.step());
///     let stop = AtomicBool::new(false); // a signal handler or another thread may set it
///     assert_eq!(session.train(&mut (), &stop)?, Outcome::Finished);
/// }
/// # Ok::<(), latent_cycles::training::session::SessionError>(())
/// ```
pub struct Session {
    config: Config,
    data: Dataset,
    numerics: Box<dyn Numerics>,
    state: TrainingState,
    folder: RunFolder,
    earlier: Option<Manifest>,
    commit: Option<&'static str>,
    passed_over: Vec<RecordError>,
    /// The configuration's number of steps before, where the run was given another.
    steps_before: Option<u64>,
}

/// A run that was found again.
pub enum Resumed {
    /// It has nothing left to do.
    Finished {
        /// Its folder.
        folder: PathBuf,
        /// The steps that it took.
        steps: u64,
    },
    /// It goes on.
    Session(Box<Session>),
}

impl Session {
    /// A new run. Its folder is claimed last, so that a run that cannot begin leaves none.
    ///
    /// # Errors
    /// When the folder is taken, or data, device, configuration or start cannot be used.
    pub fn begin(config: Config, backend: BackendName, place: Place) -> Result<Self, SessionError> {
        if let Some(folder) = place.folder {
            RunFolder::refuse_taken(folder)?;
        }
        let mut config = config.with_absolute_paths();
        let (data, numerics) = prepare(&mut config, backend)?;
        let state = initial_state(&config, &data.train, data.visible())?;
        let folder = RunFolder::create(place.folder, place.base, &config)?;
        Ok(Self {
            config,
            data,
            numerics,
            state,
            folder,
            earlier: None,
            commit: None,
            passed_over: Vec::new(),
            steps_before: None,
        })
    }

    /// An old run, with its own configuration and from its last checkpoint. It may be given more steps: where the learning rate does not change
    /// with them, the result is that of a run which had them from the start.
    ///
    /// # Errors
    /// When the folder holds no run that can go on as asked, or data or device cannot be used.
    pub fn resume(folder: &Path, asked: Asked) -> Result<Resumed, SessionError> {
        let folder = RunFolder::reopen(folder)?;
        let mut config = read_config(folder.path())?;
        if !asked.agrees(&config)? {
            return Err(SessionError::OtherConfiguration(folder.path().to_owned()));
        }
        let steps_before = config.training.steps;
        let steps = asked.of(&config)?.training.steps;
        config.training.steps = steps;
        let earlier = read_manifest(folder.path())?;
        let (left, passed_over) = match folder.left(earlier.as_ref(), steps > steps_before)? {
            Left::Finished if steps == steps_before => {
                return Ok(Resumed::Finished {
                    folder: folder.path().to_owned(),
                    steps,
                });
            }
            Left::Finished => {
                return Err(SessionError::TooFewSteps {
                    folder: folder.path().to_owned(),
                    done: steps_before,
                });
            }
            Left::At(state, _) if state.step > steps && steps < steps_before => {
                return Err(SessionError::TooFewSteps {
                    folder: folder.path().to_owned(),
                    done: state.step,
                });
            }
            Left::At(state, passed_over) => (Some(*state), passed_over),
            Left::Nothing => (None, Vec::new()),
        };
        let backend = match (asked.backend, &earlier) {
            (Some(backend), _) => backend,
            (None, Some(manifest)) => {
                let name = &manifest.backend;
                BackendName::from_str(name, true).map_err(|_| SessionError::UnknownBackend(name.clone()))?
            }
            (None, None) => return Err(SessionError::NoBackend(folder.path().to_owned())),
        };
        let prepared = prepare(&mut config, backend).map_err(|error| match error {
            SessionError::Data(source) => SessionError::DataOf {
                config: folder.file("config.toml"),
                source,
            },
            error => error,
        });
        let (data, numerics) = prepared?;
        if let Some(manifest) = &earlier {
            manifest.expect_data(folder.path(), &data).map_err(FolderError::from)?;
        }
        let state = match left {
            Some(state) => {
                let name = folder.file(&format!("checkpoints (step {})", state.step));
                record::expect_shape(&name, &state.parameters, data.visible(), &config.model.latent)?;
                record::expect_tanh(&name, &state.parameters, config.model.tanh)?;
                let chains = config.training.method.chains().map(|chains| chains.count);
                let chains_fit = chains.is_none_or(|count| state.chains.as_ref().is_some_and(|chains| chains.len() == count));
                let sampled_fits = match (&config.training.method, &state.sampled) {
                    (Method::Sampled(config), Some(sampled)) => sampled.is_of(config.optimizer),
                    (Method::Sampled(_), None) | (_, Some(_)) => false,
                    (_, None) => true,
                };
                if !chains_fit || !sampled_fits || state.step > config.training.steps {
                    return Err(SessionError::ForeignCheckpoint {
                        path: folder.path().to_owned(),
                        step: state.step,
                    });
                }
                state
            }
            None => initial_state(&config, &data.train, data.visible())?,
        };
        Ok(Resumed::Session(Box::new(Self {
            config,
            data,
            numerics,
            state,
            folder,
            earlier,
            commit: None,
            passed_over,
            steps_before: (steps != steps_before).then_some(steps_before),
        })))
    }

    /// Names in the manifest the git commit that the program was built from.
    pub fn built_from(mut self, commit: Option<&'static str>) -> Self {
        self.commit = commit;
        self
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The data.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// What computes.
    pub fn device(&self) -> &DeviceInfo {
        self.numerics.device()
    }

    /// Steps done so far.
    pub fn step(&self) -> u64 {
        self.state.step
    }

    /// What a user should know of the data and of what follows from them, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.data.notes.clone();
        let training = &self.config.training;
        let images = self.data.train.len();
        if let Some(ascent) = training.method.ascent()
            && images < Ascent::BATCH_SIZE
            && ascent.batch_size == Some(images)
            && self.step() == 0
        {
            notes.push(format!(
                "training.batch_size is {images}, all training images, as there are fewer than {}",
                Ascent::BATCH_SIZE
            ));
        }
        if self.steps_before.is_some() && self.folder.file("analysis/analysis.json").is_file() {
            notes.push("analysis/ is that of the model before; analyze the run again when it ends".to_owned());
        }
        if let (Some(before), Some(ascent)) = (self.steps_before, training.method.ascent())
            && ascent.schedule != Schedule::Constant
        {
            notes.push(format!(
                "the learning rate goes down over all {} steps instead of {before}: it is {:.3e} now, as it would be in a run of that length",
                training.steps,
                learning_rate(ascent, self.step(), training.steps)
            ));
        }
        notes
    }

    /// What is wrong with later checkpoints, which the run does not go on from.
    pub fn passed_over(&self) -> &[RecordError] {
        &self.passed_over
    }

    /// Trains to the end, or until `stop` is set. An interruption at step 0 leaves no checkpoint, a later one does.
    ///
    /// # Errors
    /// When the parameters diverge or a file cannot be written; the manifest then says that the run failed.
    pub fn train(mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, SessionError> {
        let mut manifest = Manifest::new(
            &self.config,
            self.folder.config_checksum(),
            DataManifest::of(&self.data),
            self.numerics.device(),
            self.commit,
        );
        manifest.step = self.state.step;
        if let Some(earlier) = &self.earlier {
            manifest.start.clone_from(&earlier.start);
            manifest.pseudo_count = earlier.pseudo_count;
        }
        // Before anything that takes long: a run that is killed goes on with its own backend.
        match self.steps_before {
            Some(_) => self.folder.replace_config(&self.config, &mut manifest)?,
            None => self.folder.write_manifest(&manifest)?,
        }
        let evaluator = Evaluator::new(&self.data, self.config.evaluation.samples, Seed(self.config.training.seed));
        manifest.classifier_accuracy = evaluator.reference.judge.as_ref().map(|judge| judge.accuracy());
        self.folder.write_manifest(&manifest)?;

        let (update, state) = match self.start(&mut manifest, observer, stop) {
            Err(SessionError::Stopped(_)) => {
                manifest.ended(Status::Interrupted, 0);
                self.folder.write_manifest(&manifest)?;
                return Ok(Outcome::Interrupted(0));
            }
            started => started?,
        };
        let mut watched = Watched {
            observer,
            last: state.step,
        };
        let run = Run {
            config: &self.config,
            data: &self.data,
            evaluator: &evaluator,
            numerics: &*self.numerics,
            recipe: Recipe::new(&self.config.training, update),
            folder: &self.folder,
        };
        let result = run.train(state, &mut watched, stop);
        match result {
            Ok(Outcome::Finished) => manifest.ended(Status::Finished, self.config.training.steps),
            Ok(Outcome::Interrupted(step)) => manifest.ended(Status::Interrupted, step),
            Err(_) => manifest.ended(Status::Failed, watched.last),
        }
        // Training's own error is the one to tell of, not that other files could not be written either.
        let written = self.folder.restore_config().and_then(|()| self.folder.write_manifest(&manifest));
        let outcome = result?;
        written?;
        Ok(outcome)
    }

    /// What moves the parameters, and the state to go on from: of a mixture, the best of several starts.
    fn start(
        &self,
        manifest: &mut Manifest,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(Update, TrainingState), SessionError> {
        let state = self.state.clone();
        let em = match &self.config.training.method {
            Method::Sampled(config) => return Ok((Update::Sampled(config.clone()), state)),
            Method::Em(em) => *em,
            Method::Gradient { kind, ascent } => {
                let update = Update::Gradient {
                    kind: *kind,
                    ascent: ascent.clone(),
                };
                return Ok((update, state));
            }
        };
        let restarts = Restarts {
            config: &self.config,
            em,
            data: &self.data,
            numerics: &*self.numerics,
            watch: stop,
        };
        let (pseudo_count, state) = restarts.begin(manifest.pseudo_count, state)?;
        observer.pseudo_count(pseudo_count);
        manifest.pseudo_count = Some(pseudo_count);
        self.folder.write_manifest(manifest)?;
        Ok((Update::Em { pseudo_count }, state))
    }
}

/// The data and the device of a configuration, checked against each other.
fn prepare(config: &mut Config, backend: BackendName) -> Result<(Dataset, Box<dyn Numerics>), SessionError> {
    let data = Dataset::load(&config.data)?;
    config.training.method.settle_batch(data.train.len());
    let numerics = backend.open()?;
    config.check_against(data.train.len(), data.visible(), numerics.device().largest_array)?;
    Ok((data, numerics))
}
