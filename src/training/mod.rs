//! Training: the loop around the step, with its evaluations and checkpoints.

pub mod candidates;
pub mod em;
pub mod folder;
pub mod kept_steps;
pub mod manifest;
pub mod metrics;
pub mod path_weight;
pub mod posterior;
pub mod restarts;
pub mod runs;
pub mod schedule;
pub mod session;
pub mod start;
pub mod step;
pub mod tensorboard;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::folder::RunFolder;
use self::metrics::{Metrics, MetricsFile};
use self::step::{Recipe, Trainer};
use crate::config::Config;
use crate::data::Dataset;
use crate::data::batches::Batches;
use crate::estimate::EstimateError;
use crate::evaluation::{Evaluator, units};
use crate::files::{self, FileError, UnreadLine};
use crate::generation::steady_images;
use crate::model::Parameters;
use crate::numerics::Numerics;
use crate::random::Seed;
use crate::record::{self, RecordError, TrainingState};
use crate::report::grid;

/// Why training stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// Numbers that are no longer numbers.
    #[error("training diverged: the parameters were not finite at step {step}; {advice}start from other parameters")]
    Diverged {
        /// Updates done.
        step: u64,
        /// What else may help.
        advice: String,
    },
    /// A checkpoint or the model could not be saved.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At the last step.
    Finished,
    /// Because it was asked to stop, after this many steps; the state is saved.
    Interrupted(u64),
}

/// Told how training goes; `()` listens to nothing.
pub trait Observer {
    /// Of a mixture: the pseudo-count, as configured or chosen.
    fn pseudo_count(&mut self, _pseudo_count: f64) {}
    /// A line of metrics.jsonl could not be read and was dropped.
    fn passed_over(&mut self, _line: &UnreadLine) {}
    /// An update was done.
    fn stepped(&mut self, _step: u64) {}
    /// An evaluation was done.
    fn evaluated(&mut self, _metrics: &Metrics) {}
}

impl Observer for () {}

/// One run: everything that training needs.
pub struct Run<'a> {
    /// As resolved and checked.
    pub config: &'a Config,
    /// What is trained on.
    pub data: &'a Dataset,
    /// What judges the model.
    pub evaluator: &'a Evaluator,
    /// What computes.
    pub numerics: &'a dyn Numerics,
    /// What a step does.
    pub recipe: Recipe,
    /// Where everything goes.
    pub folder: &'a RunFolder,
}

impl Run<'_> {
    /// Trains from `state` to the end, or until `stop` is set.
    ///
    /// A state of step 0 is a new run; any other was loaded from a checkpoint, and what follows is, bit for bit on the CPU backends,
    /// what would have followed without the break.
    ///
    /// # Errors
    /// When the parameters diverge or a file cannot be written.
    pub fn train(&self, state: TrainingState, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainingError> {
        let training = &self.config.training;
        let mut batches = Batches::new(
            &self.data.train,
            training.method.batch_of(self.data.train.len()),
            Seed(training.seed),
        );
        let resumed = (state.step > 0).then_some(state.step);
        let (metrics_file, earlier) = MetricsFile::open(&self.folder.file("metrics.jsonl"), resumed)?;
        earlier.unread.iter().for_each(|line| observer.passed_over(line));
        let mut journal = Journal {
            run: self,
            metrics_file,
            start: Instant::now(),
            seconds_before: earlier.last.map_or(0.0, |metrics| metrics.seconds),
            last_saved: Instant::now(),
        };

        let first = state.step;
        let mut trainer = self.numerics.trainer(&state, self.recipe.clone());
        let is_due = |step: u64| step.is_multiple_of(self.config.evaluation.every) || step == training.steps;
        // The start of a run, or what an earlier sitting was stopped in.
        let is_missing = earlier.last.is_none_or(|last| last.step < first);
        if is_due(first) && is_missing && !journal.evaluate(&*trainer, first, observer, stop)? {
            return Ok(Outcome::Interrupted(first));
        }
        if first == 0 {
            self.folder.keep_checkpoint(&state)?;
        }
        for step in first..training.steps {
            trainer.step(&batches.at(step));
            let done = step + 1;
            let evaluated = !is_due(done) || journal.evaluate(&*trainer, done, observer, stop)?;
            let saved = journal.checkpoint(&*trainer, done)?;
            observer.stepped(done);
            if !evaluated || stop.load(Ordering::Relaxed) && done < training.steps {
                if !saved {
                    self.folder.replace_latest(&self.checked_state(&*trainer)?)?;
                }
                journal.metrics_file.restore()?;
                return Ok(Outcome::Interrupted(done));
            }
        }
        let state = self.checked_state(&*trainer)?;
        self.folder.expect_held()?;
        record::save_model(&self.folder.file("model.mpk"), &state.parameters)?;
        if let Some(sampled) = &state.sampled {
            record::save_recognition(&self.folder.file(record::RECOGNITION), &sampled.recognition)?;
        }
        let images = match state.chains {
            Some(chains) => chains,
            None => match steady_images(&state.parameters, grid::SAMPLES, Seed(training.seed), stop) {
                Ok(images) => images,
                Err(EstimateError::Stopped(_)) => return Ok(Outcome::Interrupted(training.steps)),
                Err(_) => return Err(self.diverged(training.steps)),
            },
        };
        let picture = grid::samples(&images, (self.data.rows, self.data.columns));
        files::write(&self.folder.file("samples.png"), &picture)?;
        self.folder.remove_latest();
        journal.metrics_file.restore()?;
        Ok(Outcome::Finished)
    }

    /// The trainer's state, if it may be saved: a checkpoint that is not finite would be of no use.
    fn checked_state(&self, trainer: &dyn Trainer) -> Result<TrainingState, TrainingError> {
        let state = trainer.state();
        if state.is_finite() {
            return Ok(state);
        }
        Err(self.diverged(state.step))
    }

    fn diverged(&self, step: u64) -> TrainingError {
        let method = &self.config.training.method;
        let advice = method.ascent().map(|ascent| {
            let (rate, optimizer) = (ascent.learning_rate, method.optimizer());
            format!("lower training.learning_rate (now {rate}), raise training.{optimizer}.epsilon or ")
        });
        TrainingError::Diverged {
            step,
            advice: advice.unwrap_or_default(),
        }
    }
}

/// What is written down along the way, and when.
struct Journal<'a> {
    run: &'a Run<'a>,
    metrics_file: MetricsFile,
    start: Instant,
    seconds_before: f64,
    last_saved: Instant,
}

impl Journal<'_> {
    /// Evaluates and appends a line, before the checkpoint of the same step, so that a resumed run finds the line; `false` if it was stopped,
    /// which a resumed run makes up for.
    fn evaluate(
        &mut self,
        trainer: &dyn Trainer,
        step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<bool, TrainingError> {
        let (parameters, recognition) = (trainer.parameters(), trainer.recognition());
        let figures = match (self.run.evaluator).evaluate(&parameters, recognition.as_ref(), step, stop) {
            Ok(figures) => figures,
            Err(EstimateError::Stopped(_)) => return Ok(false),
            Err(_) => return Err(self.run.diverged(step)),
        };
        let metrics = Metrics {
            step,
            seconds: self.seconds_before + self.start.elapsed().as_secs_f64(),
            figures,
            path_entropy_weight: trainer.path_entropy_weight(),
            path_entropy_production_chains: self.produced_by_chains(trainer, &parameters, step),
        };
        self.run.folder.expect_held()?;
        self.metrics_file.append(&metrics)?;
        observer.evaluated(&metrics);
        Ok(true)
    }

    /// Of the persistent chains in their next step, where chains from noise may differ from them.
    fn produced_by_chains(&self, trainer: &dyn Trainer, parameters: &Parameters, step: u64) -> Option<f64> {
        if parameters.layers.are_listed() {
            return None;
        }
        let seed = Seed(self.run.config.training.seed);
        units::path_entropy_production(parameters, &trainer.persistent_chains()?, seed, step)
    }

    /// Saves a checkpoint if it is time for one.
    fn checkpoint(&mut self, trainer: &dyn Trainer, step: u64) -> Result<bool, TrainingError> {
        let config = self.run.config;
        let keep = kept_steps::is_kept(step, config.checkpoint.per_decade) || step == config.training.steps;
        let replace = self.last_saved.elapsed() >= Duration::from_secs(config.checkpoint.seconds);
        if keep {
            self.run.folder.keep_checkpoint(&self.run.checked_state(trainer)?)?;
        } else if replace {
            self.run.folder.replace_latest(&self.run.checked_state(trainer)?)?;
        }
        if keep || replace {
            self.last_saved = Instant::now();
        }
        Ok(keep || replace)
    }
}
