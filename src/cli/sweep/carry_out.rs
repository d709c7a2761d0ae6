//! Runs of a sweep from where they are to their analyses, several at a time, each command a child process.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rayon::prelude::*;

use super::collect::failures;
use super::progress::SweepProgress;
use super::{Stopped, read_all, say, warn};
use crate::backend::BackendName;
use crate::files::{self, FileError};
use crate::sweep::folder::{RunProgress, SweepFolder};
use crate::sweep::plan::Plan;
use crate::sweep::pool::{Event, Failure, run_program, spread};
use crate::sweep::run::PlannedRun;
use crate::sweep::summary::{RunRecord, RunStatus, count};
use crate::training::folder::read_manifest;
use crate::training::manifest::Status;

/// Seconds between notes of what there is while runs end.
const NOTE_SECONDS: u64 = 2;
/// How often a run that another process is at work on is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs to be carried out.
pub(super) struct Work<'a> {
    pub plan: &'a Plan,
    pub folder: &'a SweepFolder,
    /// How far each of the runs is.
    pub progress: Vec<RunProgress>,
    pub backend: BackendName,
    /// Runs at a time, if it was said.
    pub jobs: Option<usize>,
    pub stop: &'a AtomicBool,
}

impl<'a> Work<'a> {
    /// Was it stopped?
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Carries out those of the runs that are not finished, and says what has come of all; every few seconds `note` is told too.
    pub fn run(
        &self,
        runs: &[&'a PlannedRun],
        quiet: bool,
        note: &mut dyn FnMut(&[RunRecord]) -> Result<(), FileError>,
    ) -> anyhow::Result<Vec<RunRecord<'a>>> {
        let mut records = read_all(self.plan, self.folder, runs.par_iter().copied());
        let unfinished = |place: &usize| records[*place].status != RunStatus::Finished;
        let left: Vec<usize> = (0..records.len()).filter(unfinished).collect();
        if !left.is_empty() {
            // Without its device every run would fail in turn.
            drop(self.backend.open()?);
        }
        let held = left.iter().map(|&place| runs[place]).filter(|run| self.folder.is_held(run));
        let held: Vec<&str> = held.map(|run| run.name.as_str()).collect();
        if !held.is_empty() && !quiet {
            say(format_args!(
                "another process is at work on {}; waiting for it to end",
                held.join(", ")
            ));
        }
        let (jobs, threads) = self.shares(left.len());
        let finished = records.len() - left.len();
        let display = RefCell::new(SweepProgress::new(finished, records.len(), jobs, threads, quiet));
        let mut noted: Option<Instant> = None;
        let mut unwritten = Ok(());
        let work = |number: usize| self.attempt(runs[left[number]], self.progress[left[number]], threads);
        let carried_out = spread(left.len(), jobs, self.stop, &work, &mut |event| match event {
            Event::Started(number) => display.borrow_mut().started(&runs[left[number]].name),
            Event::Ended(number, ended) => {
                let place = left[number];
                records[place] = RunRecord::read(self.folder, runs[place], self.plan.analyze, ended);
                display.borrow_mut().ended(&records[place]);
                if noted.is_none_or(|noted| noted.elapsed().as_secs() >= NOTE_SECONDS) {
                    unwritten = note(&records);
                    noted = Some(Instant::now());
                }
            }
        });
        display.into_inner().close();
        carried_out.context("no thread can be started; allow more processes or memory")?;
        unwritten?;
        Ok(records)
    }

    /// Runs at a time, and threads for each: together they use every core, and none twice unless more jobs are asked for.
    fn shares(&self, runs: usize) -> (usize, usize) {
        // As many as there are cores, or RAYON_NUM_THREADS: the share that a cluster grants.
        let cores = rayon::current_num_threads();
        let default = if self.backend.is_cpu() { cores } else { 1 };
        let jobs = self.jobs.unwrap_or(default).min(runs).max(1);
        (jobs, (cores / jobs).max(1))
    }

    /// Carries out a run, and leaves word in the folder if it fails.
    fn attempt(&self, run: &PlannedRun, progress: RunProgress, threads: usize) -> Result<(), Failure> {
        let error = self.folder.error(&run.name);
        let _ = fs::remove_file(&error);
        let ended = self.carry_out(run, progress, threads);
        if let Err(Failure::Failed(problem)) = &ended {
            let _ = files::write(&error, format!("{problem}\n").as_bytes());
        }
        ended
    }

    fn carry_out(&self, run: &PlannedRun, progress: RunProgress, threads: usize) -> Result<(), Failure> {
        let name = &run.name;
        let (path, log, config) = (self.folder.run(name), self.folder.log(name), self.folder.config(name));
        let child = |words: &[&dyn AsRef<OsStr>]| {
            let words: Vec<&OsStr> = words.iter().map(|word| word.as_ref()).collect();
            match run_program(&words, threads, &log, self.stop) {
                // It was told to stop before word came here.
                Err(Failure::Failed(_)) if self.is_interrupted(run) => Err(Failure::Stopped),
                ended => ended,
            }
        };
        let backend = self.backend.name();
        // An earlier attempt's.
        let _ = fs::remove_file(&log);
        let mut progress = if self.folder.is_held(run) {
            self.wait_for_others(run)?
        } else {
            progress
        };
        loop {
            let ended = match progress {
                RunProgress::New => {
                    files::write(&config, run.config.to_toml().as_bytes()).map_err(|error| Failure::Failed(error.to_string()))?;
                    child(&[&"train", &"--quiet", &"--config", &config, &"--run", &path, &"--backend", &backend])
                }
                RunProgress::Begun => child(&[&"train", &"--quiet", &"--resume", &"--run", &path, &"--backend", &backend]),
                RunProgress::Trained | RunProgress::Analyzed => break,
            };
            match ended {
                Ok(()) => break,
                // Another process that looked at the same moment was faster.
                Err(Failure::Failed(_)) if self.is_others(run) => progress = self.wait_for_others(run)?,
                Err(failure) => return Err(failure),
            }
        }
        if self.plan.analyze {
            let samples = self.plan.samples.map(|samples| samples.to_string());
            let mut words: Vec<&dyn AsRef<OsStr>> = vec![&"analyze", &"--quiet", &path, &"--backend", &backend];
            if let Some(samples) = &samples {
                words.extend([&"--samples" as &dyn AsRef<OsStr>, samples]);
            }
            child(&words)?;
        }
        // The run's folder says all of it.
        let _ = fs::remove_file(&log);
        let _ = fs::remove_file(&config);
        Ok(())
    }

    /// Was the run's training stopped by a signal, which a cluster sends to all processes of a task at once?
    fn is_interrupted(&self, run: &PlannedRun) -> bool {
        let manifest = read_manifest(&self.folder.run(&run.name));
        matches!(manifest, Ok(Some(manifest)) if manifest.status == Status::Interrupted)
    }

    /// After training that failed: is another process at work on the run, or has one trained it?
    fn is_others(&self, run: &PlannedRun) -> bool {
        let is_trained = |progress: &RunProgress| matches!(progress, RunProgress::Trained | RunProgress::Analyzed);
        self.folder.is_held(run) || self.folder.progress(run).is_ok_and(|(progress, _)| is_trained(&progress))
    }

    /// Waits until no other process is at work on the run, and says how far it is then.
    fn wait_for_others(&self, run: &PlannedRun) -> Result<RunProgress, Failure> {
        while self.folder.is_held(run) {
            if self.is_stopped() {
                return Err(Failure::Stopped);
            }
            std::thread::sleep(LOOK);
        }
        match self.folder.progress(run) {
            Ok((progress, _)) => Ok(progress),
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }
}

/// How a task ends.
pub(super) fn conclude_task(folder: &SweepFolder, records: &[RunRecord], stopped: bool) -> anyhow::Result<()> {
    records.iter().flat_map(|record| &record.unread).for_each(warn);
    let missing = count(records, RunStatus::Missing);
    if stopped && missing > 0 {
        return Err(Stopped(format!(
            "stopped with {missing} of {} runs left; the same command goes on",
            records.len()
        ))
        .into());
    }
    match failures(folder, records, "") {
        Some(failures) => anyhow::bail!("{failures}"),
        None => Ok(()),
    }
}
