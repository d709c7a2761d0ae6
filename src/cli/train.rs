//! `train`: from images to a model that cycles.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::progress::Progress;
use super::{program, say, shell, stop_on_termination, warn};
use crate::backend::BackendName;
use crate::config::Config;
use crate::training::Outcome;
use crate::training::session::{Place, Resumed, Session};

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
        let stop = stop_on_termination(if self.quiet { "" } else { line })?;
        let config = Config::load(self.config.as_deref(), &self.settings)?;
        let backend = self.backend.unwrap_or(BackendName::Ndarray);
        let base = self.base_name(&config, backend);
        let place = Place {
            folder: self.run.as_deref(),
            base: &base,
        };
        if !self.resume {
            return self.train(Session::begin(config, backend, place)?.built_from(commit), &stop);
        }
        let given = (self.config.is_some() || !self.settings.is_empty()).then_some(&config);
        match Session::resume(place, given, self.backend)? {
            Resumed::Finished { folder, steps } => {
                if !self.quiet {
                    say(format_args!("{} is finished: {steps} of {steps} steps are done", shell(&folder)));
                }
                Ok(())
            }
            Resumed::Session(session) => {
                for error in session.passed_over() {
                    warn(format_args!("passed over {error}"));
                }
                self.train(session.built_from(commit), &stop)
            }
        }
    }

    fn train(&self, session: Session, stop: &AtomicBool) -> anyhow::Result<()> {
        let steps = session.config().training.steps;
        let path = shell(session.folder());
        let program = program();
        if !self.quiet {
            say(first_line(&session, &path));
        }
        let mut progress = Progress::new(&path, session.step(), steps, self.quiet);
        let outcome = session.train(&mut progress, stop);
        progress.close();
        match outcome? {
            Outcome::Finished => {
                if !self.quiet {
                    say(format_args!(
                        "{path} holds model.mpk, samples.png, metrics.jsonl, manifest.json, config.toml and checkpoints/; next: {program} analyze {path}"
                    ));
                }
                Ok(())
            }
            Outcome::Interrupted(0) => {
                anyhow::bail!("stopped before the first step; start it with: {program} train --resume --run {path}")
            }
            Outcome::Interrupted(step) => {
                anyhow::bail!("stopped after step {step} of {steps}, with a checkpoint; go on with: {program} train --resume --run {path}")
            }
        }
    }

    /// CONFIG-BACKEND-SEED, which names a run that is given no name.
    fn base_name(&self, config: &Config, backend: BackendName) -> String {
        let stem = self.config.as_deref().and_then(Path::file_stem);
        let stem = stem.map_or("default".into(), |stem| stem.to_string_lossy());
        format!("{stem}-{}-{}", backend.name(), config.training.seed)
    }
}

/// What is trained, on what, and from where.
fn first_line(session: &Session, path: &str) -> String {
    let (config, data, device) = (session.config(), session.data(), session.device());
    let from = match session.step() {
        0 => String::new(),
        step => format!("; from step {step}"),
    };
    format!(
        "{path}: {} training images of {} x {}, {}, {} steps on {}: {}{from}",
        data.train.len(),
        data.rows,
        data.columns,
        config.model.latent.describe(),
        config.training.steps,
        device.backend,
        device.name,
    )
}
