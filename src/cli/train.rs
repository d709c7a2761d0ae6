//! `train`: from images to a model that cycles.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::progress::Progress;
use super::{Usage, program, say, shell, stop_on_ctrl_c};
use crate::backend::BackendName;
use crate::config::{Config, ModelKind};
use crate::data::Dataset;
use crate::evaluation::Evaluator;
use crate::numerics::DeviceInfo;
use crate::random::Seed;
use crate::record::{self, TrainingState};
use crate::training::folder::{DataManifest, Manifest, RunFolder, Status, config_checksum, last_checkpoint, read_config, read_manifest};
use crate::training::restarts::Restarts;
use crate::training::start::initial_state;
use crate::training::{Outcome, Run};

/// Train a model
///
/// Without arguments: digits 0, 1 and 2 of the bundled MNIST images, 10 latent states, 6,000 steps.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles train
  latent-cycles train --backend wgpu --set training.seed=2
  latent-cycles train --config configs/all-digits.toml --run artifacts/runs/mine
  latent-cycles train --resume --run artifacts/runs/mine")]
pub struct Train {
    /// Configuration file; keys that it leaves out keep their defaults
    #[arg(long, value_name = "F.toml")]
    config: Option<PathBuf>,
    /// What computes [default: ndarray; with --resume, the run's own]
    #[arg(long, value_enum, ignore_case = true)]
    backend: Option<BackendName>,
    /// Set a configuration key, as in training.steps=1000; may be given often
    #[arg(long = "set", value_name = "key=value")]
    settings: Vec<String>,
    /// The run's folder; must be new, unless --resume [default: artifacts/runs/CONFIG-BACKEND-SEED, numbered]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Go on with a run that was stopped or killed, from its last checkpoint
    #[arg(long)]
    resume: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

impl Train {
    pub fn run(self, commit: Option<&'static str>) -> anyhow::Result<()> {
        let line = "stopping after the present step; Ctrl-C again stops at once, without a checkpoint";
        let stop = stop_on_ctrl_c(if self.quiet { "" } else { line })?;
        let given = Config::load(self.config.as_deref(), &self.settings)?;
        let plan = if self.resume { self.resumed(given)? } else { self.fresh(given)? };
        plan.train(&stop, self.quiet, commit)
    }

    /// A new run. The folder is claimed last, so that a run that cannot begin leaves none.
    fn fresh(&self, config: Config) -> anyhow::Result<Plan> {
        if let Some(folder) = &self.run {
            RunFolder::refuse_taken(folder)?;
        }
        let backend = self.backend.unwrap_or(BackendName::Ndarray);
        let (data, numerics) = prepare(&config, backend)?;
        let state = initial_state(&config, &data.train, data.visible())?;
        let folder = RunFolder::create(self.run.as_deref(), &self.base_name(&config, backend))?;
        folder.write_config(&config)?;
        Ok(Plan {
            config,
            data,
            numerics,
            state,
            folder,
            earlier: None,
        })
    }

    /// An old run: its own configuration, its last checkpoint.
    fn resumed(&self, given: Config) -> anyhow::Result<Plan> {
        let named_backend = self.backend.unwrap_or(BackendName::Ndarray);
        let folder = RunFolder::reopen(self.run.as_deref(), &self.base_name(&given, named_backend))?;
        let config = read_config(folder.path())?;
        if (self.config.is_some() || !self.settings.is_empty()) && given != config {
            return Err(Usage(format!(
                "{} was started with another configuration and can only go on with its own; leave out --config and --set",
                folder.path().display()
            ))
            .into());
        }
        let earlier = read_manifest(folder.path())?;
        if earlier.as_ref().is_some_and(|manifest| manifest.status == Status::Imported) {
            let path = shell(folder.path());
            return Err(Usage(format!(
                "{path} holds an imported model and no run to go on with; start one from it with \
                 --config {path}/config.toml --set model.init=record --set model.record={path}/model.mpk"
            ))
            .into());
        }
        if earlier.as_ref().is_some_and(|manifest| manifest.config != config_checksum(&config)) {
            return Err(Usage(format!(
                "{}/config.toml was changed since the run began, and a run can only go on with its own configuration; restore it",
                shell(folder.path())
            ))
            .into());
        }
        let backend = match (&self.backend, &earlier) {
            (Some(backend), _) => *backend,
            (None, Some(manifest)) => <BackendName as clap::ValueEnum>::from_str(&manifest.backend, true).map_err(|_| {
                Usage(format!(
                    "the run was made with backend {}, which this build lacks; name another with --backend",
                    manifest.backend
                ))
            })?,
            (None, None) => named_backend,
        };
        let (data, numerics) = prepare(&config, backend)?;
        if let Some(manifest) = &earlier {
            manifest.expect_data(folder.path(), &data)?;
        }
        let (state, mut broken) = last_checkpoint(folder.path());
        if state.is_none() && !broken.is_empty() {
            // Starting over would write over a run that may yet be saved.
            return Err(broken.remove(0).into());
        }
        for error in broken {
            let _ = writeln!(std::io::stderr(), "warning: passed over {error}");
        }
        let state = match state {
            Some(state) => {
                let name = folder.file(&format!("checkpoints (step {})", state.step));
                record::expect_shape(&name, &state.parameters, data.visible(), config.model.latent)?;
                if state.chains.len() != config.training.chains || state.step > config.training.steps {
                    anyhow::bail!("{}: is not a checkpoint of this configuration", name.display());
                }
                state
            }
            // Only a run that never began may begin again.
            None if folder.file("model.mpk").exists() || folder.file("metrics.jsonl").metadata().is_ok_and(|file| file.len() > 1000) => {
                anyhow::bail!(
                    "{}: the checkpoints are gone, and the run cannot go on; bring them back or start a new run",
                    folder.path().display()
                )
            }
            None => initial_state(&config, &data.train, data.visible())?,
        };
        Ok(Plan {
            config,
            data,
            numerics,
            state,
            folder,
            earlier,
        })
    }

    /// CONFIG-BACKEND-SEED, which names a run that is given no name.
    fn base_name(&self, config: &Config, backend: BackendName) -> String {
        let stem = self.config.as_deref().and_then(Path::file_stem);
        let stem = stem.map_or("default".into(), |stem| stem.to_string_lossy());
        format!("{stem}-{}-{}", backend.name(), config.training.seed)
    }
}

/// The data and the device of a configuration, checked against each other.
fn prepare(config: &Config, backend: BackendName) -> anyhow::Result<(Dataset, Box<dyn crate::numerics::Numerics>)> {
    let data = Dataset::load(&config.data)?;
    let numerics = backend.open()?;
    config.check_against(data.train.len(), data.visible(), numerics.device().largest_array)?;
    Ok((data, numerics))
}

/// A run that is ready to go.
struct Plan {
    config: Config,
    data: Dataset,
    numerics: Box<dyn crate::numerics::Numerics>,
    state: TrainingState,
    folder: RunFolder,
    earlier: Option<Manifest>,
}

impl Plan {
    fn train(self, stop: &AtomicBool, quiet: bool, commit: Option<&str>) -> anyhow::Result<()> {
        let Self {
            mut config,
            data,
            numerics,
            mut state,
            folder,
            earlier,
        } = self;
        let steps = config.training.steps;
        let path = shell(folder.path());
        let program = shell(Path::new(&program()));
        if earlier.as_ref().is_some_and(|manifest| manifest.status == Status::Finished) && folder.file("model.mpk").is_file() {
            if !quiet {
                say(format_args!("{path} is finished: {steps} of {steps} steps are done"));
            }
            return Ok(());
        }
        let device = numerics.device().clone();
        if !quiet {
            say(format_args!(
                "{}: {} training images of {} x {}, {} latent states, {steps} steps on {}: {}{}",
                path,
                data.train.len(),
                data.rows,
                data.columns,
                config.model.latent,
                device.backend,
                device.name,
                if state.step > 0 {
                    format!("; from step {}", state.step)
                } else {
                    String::new()
                }
            ));
        }
        let evaluator = Evaluator::new(&data, config.evaluation.samples, Seed(config.training.seed));
        let mut manifest = manifest(
            &config,
            &data,
            &device,
            evaluator.reference.judge.as_ref().map(|judge| judge.accuracy()),
        );
        manifest.commit = commit.map(str::to_owned);
        manifest.step = state.step;
        if let Some(earlier) = earlier {
            manifest.start = earlier.start;
            manifest.pseudo_count = earlier.pseudo_count;
        }
        folder.write_manifest(&manifest)?;
        if config.model.kind == ModelKind::Mixture {
            let restarts = Restarts {
                config: &config,
                data: &data,
                numerics: &*numerics,
                tick: &|| !stop.load(Ordering::Relaxed),
            };
            let Some((pseudo_count, start)) = restarts.begin(manifest.pseudo_count, state) else {
                manifest.status = Status::Interrupted;
                folder.write_manifest(&manifest)?;
                anyhow::bail!("stopped before the first step; start it with: {program} train --resume --run {path}");
            };
            if !quiet {
                say(format_args!("{path}: pseudo-count {pseudo_count}"));
            }
            manifest.pseudo_count = Some(pseudo_count);
            folder.write_manifest(&manifest)?;
            config.training = config.training.with_pseudo_count(pseudo_count);
            state = start;
        }

        let mut progress = Progress::new(state.step, steps, quiet);
        let run = Run {
            config: &config,
            data: &data,
            evaluator: &evaluator,
            numerics: &*numerics,
            folder: &folder,
        };
        let result = run.train(state, &mut progress, stop);
        let last = progress.close();
        (manifest.status, manifest.step) = match result {
            Ok(Outcome::Finished) => (Status::Finished, steps),
            Ok(Outcome::Interrupted(step)) => (Status::Interrupted, step),
            Err(_) => (Status::Failed, last),
        };
        manifest.end = Some(now());
        // Training's own error is the one to tell of, not that its manifest could not be written either.
        let written = folder.write_manifest(&manifest);
        match result? {
            Outcome::Finished => {
                written?;
                if !quiet {
                    say(format_args!(
                        "{path} holds model.mpk, samples.png, metrics.jsonl, manifest.json, config.toml and checkpoints/; next: {program} analyze {path}"
                    ));
                }
                Ok(())
            }
            Outcome::Interrupted(step) => {
                anyhow::bail!("stopped after step {step} of {steps}, with a checkpoint; go on with: {program} train --resume --run {path}")
            }
        }
    }
}

/// The manifest of a run that begins now.
pub(super) fn manifest(config: &Config, data: &Dataset, device: &DeviceInfo, classifier_accuracy: Option<f64>) -> Manifest {
    Manifest {
        program: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: None,
        backend: device.backend.to_owned(),
        device: device.name.clone(),
        config: config_checksum(config),
        data: DataManifest {
            name: data.name.clone(),
            checksum: data.checksum(),
            rows: data.rows,
            columns: data.columns,
            classes: data.classes.clone(),
            train_images: data.train.len(),
            test_images: data.test.as_ref().map_or(0, |test| test.len()),
        },
        visible: data.visible(),
        latent: config.model.latent,
        seed: config.training.seed,
        classifier_accuracy,
        pseudo_count: None,
        start: now(),
        end: None,
        status: Status::Running,
        step: 0,
    }
}

/// The present time (UTC), to the second.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
