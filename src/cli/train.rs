//! `train`: from images to a model that cycles.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::progress::{Progress, ROUGH};
use super::{Stopped, known_runs, named_run, program, say, shell, stop_on_termination, tell, warn};
use crate::backend::BackendName;
use crate::config::{Config, ConfigError, parse_setting};
use crate::files::{self, UnreadLine};
use crate::sweep::names;
use crate::training::metrics::Metrics;
use crate::training::session::{Asked, Place, Resumed, Session};
use crate::training::tensorboard::EventFile;
use crate::training::{Observer, Outcome};

/// Train a model
///
/// Without arguments: digits 0, 1 and 2 of the bundled MNIST images, 10 latent states, 6,000 steps.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles train
  latent-cycles train --backend wgpu --set training.seed=2
  latent-cycles train --config configs/all-digits.toml --run artifacts/runs/mine
  latent-cycles train --resume
  latent-cycles train --resume --run artifacts/runs/mine --set training.steps=12000")]
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
    /// The run's folder; must be new, unless --resume [default: artifacts/runs/CONFIG-SETTINGS-BACKEND-SEED, numbered; with --resume, the last
    /// run there that was interrupted]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Go on with a run that was stopped or killed, from its last checkpoint; with --set training.steps=N, also with a finished one
    #[arg(long)]
    resume: bool,
    /// Write the figures to tensorboard/ in the run's folder, too, for TensorBoard
    #[arg(long)]
    tensorboard: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

impl Train {
    pub fn run(self, commit: Option<&'static str>) -> anyhow::Result<()> {
        let line = "stopping after the present step; Ctrl-C again stops at once, without a checkpoint";
        let stop = stop_on_termination(if self.quiet { "" } else { line })?;
        if self.resume {
            return self.go_on(commit, &stop);
        }
        let config = Config::load(self.config.as_deref(), &self.settings)?;
        let backend = self.backend.unwrap_or(BackendName::Ndarray);
        let base = self.base_name(&config, backend)?;
        let place = Place {
            folder: self.run.as_deref(),
            base: &base,
        };
        self.train(Session::begin(config, backend, place)?.built_from(commit), &stop)
    }

    fn go_on(&self, commit: Option<&'static str>, stop: &AtomicBool) -> anyhow::Result<()> {
        let asked = Asked {
            config: self.config.as_deref(),
            settings: &self.settings,
            backend: self.backend,
        };
        let folder = match &self.run {
            Some(folder) => named_run(folder),
            None => {
                let (folder, others) = asked.interrupted(known_runs())?;
                if others > 0 && !self.quiet {
                    tell(format_args!(
                        "going on with {}, the last of {} interrupted runs; `{} runs` lists them, --run names another",
                        shell(&folder),
                        others + 1,
                        program()
                    ));
                }
                folder
            }
        };
        match Session::resume(&folder, asked)? {
            Resumed::Finished { folder, steps } => {
                if !self.quiet {
                    say(format_args!(
                        "{path} is finished: {steps} of {steps} steps are done; for more: {program} train --resume --run {path} --set training.steps={more}",
                        path = shell(&folder),
                        program = program(),
                        more = 2 * steps
                    ));
                }
                Ok(())
            }
            Resumed::Session(session) => {
                for error in session.passed_over() {
                    warn(format_args!("passed over {error}"));
                }
                self.train(session.built_from(commit), stop)
            }
        }
    }

    fn train(&self, session: Session, stop: &AtomicBool) -> anyhow::Result<()> {
        let steps = session.config().training.steps;
        let path = shell(session.folder());
        let program = program();
        if !self.quiet {
            say(first_line(&session, &path));
            session.notes().iter().for_each(|note| say(format_args!("{path}: {note}")));
            say(match session.config().model.latent.are_listed() {
                true => {
                    format!("entropy productions marked {ROUGH} rest on plain means, which overstate them; analyze finds better figures")
                }
                false => "likelihoods are lower bounds by few draws, some nats too low; analyze finds better ones".to_owned(),
            });
        }
        let events = self.tensorboard.then(|| events(&session)).transpose()?;
        let progress = Progress::new(&path, session.step(), steps, session.config().checkpoint.per_decade, self.quiet);
        let mut observer = Watching { progress, events };
        let outcome = session.train(&mut observer, stop);
        observer.progress.close();
        match outcome? {
            Outcome::Finished => {
                if !self.quiet {
                    say(format_args!(
                        "{path} holds model.mpk, samples.png, metrics.jsonl, manifest.json, config.toml and checkpoints/; next: {program} analyze {path}"
                    ));
                }
                Ok(())
            }
            Outcome::Interrupted(0) => Err(Stopped(format!(
                "stopped before the first step; start it with: {program} train --resume --run {path}"
            ))
            .into()),
            Outcome::Interrupted(step) => Err(Stopped(format!(
                "stopped after step {step} of {steps}, with a checkpoint; go on with: {program} train --resume --run {path}"
            ))
            .into()),
        }
    }

    /// CONFIG-BACKEND-SEED, which names a run that is given no name; after CONFIG what was set besides the seed.
    fn base_name(&self, config: &Config, backend: BackendName) -> Result<String, ConfigError> {
        let stem = self.config.as_deref().and_then(Path::file_stem);
        let stem = stem.map_or("default".into(), |stem| stem.to_string_lossy());
        let mut settings = Vec::new();
        for setting in &self.settings {
            let (key, value) = parse_setting(setting)?;
            settings.retain(|(set, _)| *set != key);
            settings.extend((key != "training.seed").then_some((key, value)));
        }
        let name = names::of_settings(&stem, &settings);
        Ok(format!("{name}-{}-{}", backend.name(), config.training.seed))
    }
}

/// The event file of a run, with the figures of an earlier sitting.
fn events(session: &Session) -> anyhow::Result<EventFile> {
    let metrics = session.folder().join("metrics.jsonl");
    let mut earlier: Vec<Metrics> = Vec::new();
    if metrics.is_file() {
        earlier = files::read_json_lines(&metrics)?.values;
        earlier.retain(|line| line.step <= session.step());
    }
    Ok(EventFile::create(session.folder(), &earlier)?)
}

/// What is told of training: to the terminal, and to TensorBoard if it is asked for.
struct Watching {
    progress: Progress,
    events: Option<EventFile>,
}

impl Observer for Watching {
    fn pseudo_count(&mut self, pseudo_count: f64) {
        self.progress.pseudo_count(pseudo_count);
    }

    fn passed_over(&mut self, line: &UnreadLine) {
        self.progress.passed_over(line);
    }

    fn stepped(&mut self, step: u64) {
        self.progress.stepped(step);
    }

    fn evaluated(&mut self, metrics: &Metrics) {
        self.progress.evaluated(metrics);
        if let Some(Err(error)) = self.events.as_mut().map(|events| events.append(metrics)) {
            warn(format_args!("{error}; training goes on without TensorBoard's file"));
            self.events = None;
        }
    }
}

/// To a tenth, of less than one to two digits.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let digits = if percent >= 1.0 || percent == 0.0 {
        1
    } else {
        (1.0 - percent.log10().floor()) as usize
    };
    format!("{percent:.digits$}%")
}

/// What is trained, on what, and from where.
fn first_line(session: &Session, path: &str) -> String {
    let (config, data, device) = (session.config(), session.data(), session.device());
    let from = match session.step() {
        0 => String::new(),
        step => format!("; from step {step}"),
    };
    let test = data.test.as_ref().map_or(String::new(), |test| format!(" and {} test", test.len()));
    let classes: Vec<String> = data.classes.iter().map(u8::to_string).collect();
    let classes = match &classes[..] {
        [] => "no labels".to_owned(),
        [class] => format!("class {class}"),
        all => format!("classes {}", all.join(" ")),
    };
    format!(
        "{path}: {} training{test} images of {} x {} ({} of pixels lit, {classes}), {}, {} steps on {}: {}{from}",
        data.train.len(),
        data.rows,
        data.columns,
        percent(data.train.lit()),
        config.model.latent.describe(),
        config.training.steps,
        device.backend,
        device.name,
    )
}
