//! `sweep`: many runs from one file, in parallel, and what they say together.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::sweep_progress::SweepProgress;
use super::{Stopped, program, say, shell, stop_on_termination, warn};
use crate::backend::BackendName;
use crate::files;
use crate::report::sweep_page::SweepPage;
use crate::sweep::effects::Effects;
use crate::sweep::folder::{RunProgress, SWEEPS, SweepFolder, SweepFolderError};
use crate::sweep::plan::Plan;
use crate::sweep::pool::{Event, Failure, PERIOD, run_program, spread};
use crate::sweep::run::PlannedRun;
use crate::sweep::summary::{RunRecord, RunStatus, write_csv};
use crate::training::folder::read_manifest;

/// Seconds between summaries while runs end.
const SUMMARY_SECONDS: u64 = 2;
/// Failed runs named in the last line.
const NAMED: usize = 5;

/// Train and analyze many runs: every combination of the values in a file, several at a time
///
/// The file names configuration keys with lists of values. Each run is an ordinary one, in a folder of its own; summary.csv and
/// report.html hold the figures of all.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles sweep --config configs/sweep-example.toml
  latent-cycles sweep --config configs/sweep-example.toml --resume --jobs 4")]
pub struct Sweep {
    /// The sweep's file
    #[arg(long, value_name = "F.toml")]
    config: PathBuf,
    /// Runs at a time, which share the cores [default: one for each core; on a GPU one]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Go on with the sweep in the folder, if there is one: finished runs stay, failed and unfinished ones go on
    #[arg(long)]
    resume: bool,
    /// The folder; must be new, unless --resume [default: artifacts/sweeps/NAME, from the file's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What computes [default: ndarray; with --resume, what the runs that are there began with]
    #[arg(long, value_enum, ignore_case = true)]
    backend: Option<BackendName>,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

impl Sweep {
    pub fn run(self) -> anyhow::Result<()> {
        let line = "stopping the runs, each with a checkpoint; Ctrl-C again does not wait for them; the same command with --resume goes on";
        let stop = stop_on_termination(if self.quiet { "" } else { line })?;
        let plan = Plan::read(&self.config)?;
        let folder = SweepFolder::open(&self.path(), self.resume)?;
        let (progress, backend) = self.survey(&plan, &folder)?;
        folder.begin(&plan.source)?;

        let read = |run| RunRecord::read(&folder, run, plan.analyze, Ok(()));
        let mut records: Vec<RunRecord> = plan.runs.iter().map(read).collect();
        let unfinished = |number: &usize| records[*number].status != RunStatus::Finished;
        let left: Vec<usize> = (0..records.len()).filter(unfinished).collect();
        if !left.is_empty() {
            // Without its device every run would fail in turn.
            drop(backend.open()?);
        }
        let held: Vec<&str> = left
            .iter()
            .map(|&number| &plan.runs[number])
            .filter(|run| folder.is_held(run))
            .map(|run| run.name.as_str())
            .collect();
        if !held.is_empty() && !self.quiet {
            say(format_args!(
                "another process is at work on {}; waiting for it to end",
                held.join(", ")
            ));
        }
        let (jobs, threads) = self.shares(backend, left.len());
        let sweeping = Sweeping {
            plan: &plan,
            folder: &folder,
            backend,
            threads,
            stop: &stop,
        };
        sweeping.run(&left, &progress, jobs, &mut records, self.quiet)?;
        write_csv(&folder, &plan, &records)?;
        let effects = Effects::new(&plan, &records);
        files::write(&folder.file("summary.json"), &serde_json::to_vec_pretty(&effects)?)?;
        // All runs are of one program, and most of one data set; those that are not say so in their settings.
        let manifest = plan
            .runs
            .iter()
            .find_map(|run| read_manifest(&folder.run(&run.name)).ok().flatten());
        let page = SweepPage {
            name: &self.config.file_stem().unwrap_or_default().to_string_lossy(),
            command: &self.command(false),
            plan: &plan,
            records: &records,
            effects: &effects,
            folder: folder.path(),
            manifest: manifest.as_ref(),
        };
        let html = page.html().map_err(anyhow::Error::msg)?;
        let figures = folder.file("figures");
        for (name, drawing) in SweepPage::drawings(&html) {
            std::fs::create_dir_all(&figures).with_context(|| format!("{}: cannot be made", figures.display()))?;
            files::write(&figures.join(format!("{name}.svg")), drawing.as_bytes())?;
        }
        files::write(&folder.file("report.html"), html.as_bytes())?;
        self.conclude(&folder, &records, stop.load(Ordering::Relaxed))
    }

    fn path(&self) -> PathBuf {
        let stem = self.config.file_stem().unwrap_or_default();
        self.out.clone().unwrap_or_else(|| Path::new(SWEEPS).join(stem))
    }

    /// This command, to be given again.
    fn command(&self, resume: bool) -> String {
        let mut words = vec![program(), "sweep --config".to_owned(), shell(&self.config)];
        words.extend(self.jobs.map(|jobs| format!("--jobs {jobs}")));
        words.extend(self.out.as_ref().map(|out| format!("--out {}", shell(out))));
        words.extend(self.backend.map(|backend| format!("--backend {}", backend.name())));
        words.extend((resume || self.resume).then(|| "--resume".to_owned()));
        words.join(" ")
    }

    /// How far each run is, and the backend for all: that of the runs that are there, or what is asked for.
    fn survey(&self, plan: &Plan, folder: &SweepFolder) -> anyhow::Result<(Vec<RunProgress>, BackendName)> {
        let found = plan.runs.iter().map(|run| match folder.progress(run) {
            // Files that were damaged: `train` says so itself, as the failure of this run.
            Err(SweepFolderError::Run(_)) => Ok((RunProgress::Begun, None)),
            found => found,
        });
        let (progress, begun_with): (Vec<RunProgress>, Vec<Option<String>>) = found.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let known = |name: &String| <BackendName as clap::ValueEnum>::from_str(name, true).ok();
        let backend = self
            .backend
            .or_else(|| begun_with.iter().flatten().find_map(known))
            .unwrap_or(BackendName::Ndarray);
        for (run, then) in plan.runs.iter().zip(begun_with) {
            if let Some(then) = then.filter(|then| then != backend.name()) {
                return Err(SweepFolderError::OtherBackend {
                    path: folder.run(&run.name),
                    then,
                    now: backend.name().to_owned(),
                }
                .into());
            }
        }
        Ok((progress, backend))
    }

    /// Runs at a time, and threads for each: together they use every core, and none twice unless more jobs are asked for.
    fn shares(&self, backend: BackendName, runs: usize) -> (usize, usize) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let default = if backend.is_cpu() { cores } else { 1 };
        let jobs = self.jobs.map_or(default, usize::from).min(runs).max(1);
        (jobs, (cores / jobs).max(1))
    }

    fn conclude(&self, folder: &SweepFolder, records: &[RunRecord], stopped: bool) -> anyhow::Result<()> {
        records.iter().flat_map(|record| &record.unread).for_each(warn);
        let path = shell(folder.path());
        let with = |status: RunStatus| records.iter().filter(|record| record.status == status).collect::<Vec<_>>();
        let (failed, missing) = (with(RunStatus::Failed), with(RunStatus::Missing));
        let failures = (!failed.is_empty()).then(|| {
            let mut names: Vec<&str> = failed.iter().take(NAMED).map(|record| record.run.name.as_str()).collect();
            if failed.len() > NAMED {
                names.push("and others");
            }
            let log = shell(&folder.log(&failed[0].run.name));
            format!(
                "{} of {} runs failed: {}; see {path}/report.html and {log}",
                failed.len(),
                records.len(),
                names.join(", ")
            )
        });
        if stopped && !missing.is_empty() {
            let failures = failures.map_or(String::new(), |failures| format!("; {failures}"));
            return Err(Stopped(format!(
                "stopped with {} of {} runs left{failures}; go on with: {}",
                missing.len(),
                records.len(),
                self.command(true)
            ))
            .into());
        }
        if let Some(failures) = failures {
            anyhow::bail!("{failures}; after mending the cause: {}", self.command(true));
        }
        if !self.quiet {
            say(format_args!("{path} holds report.html, summary.csv, summary.json and runs/"));
        }
        Ok(())
    }
}

/// A sweep that is ready to go.
struct Sweeping<'a> {
    plan: &'a Plan,
    folder: &'a SweepFolder,
    backend: BackendName,
    threads: usize,
    stop: &'a AtomicBool,
}

impl<'a> Sweeping<'a> {
    /// Carries out the runs that are left, and keeps records and summary.csv up to date.
    fn run(&self, left: &[usize], progress: &[RunProgress], jobs: usize, records: &mut [RunRecord<'a>], quiet: bool) -> anyhow::Result<()> {
        let finished = records.len() - left.len();
        let display = RefCell::new(SweepProgress::new(finished, records.len(), jobs, self.threads, quiet));
        let mut written: Option<Instant> = None;
        let mut unwritten = Ok(());
        let work = |number: usize| self.carry_out(&self.plan.runs[left[number]], progress[left[number]]);
        let carried_out = spread(left.len(), jobs, self.stop, &work, &mut |event| match event {
            Event::Started(number) => display.borrow_mut().started(&self.plan.runs[left[number]].name),
            Event::Ended(number, ended) => {
                let place = left[number];
                records[place] = RunRecord::read(self.folder, &self.plan.runs[place], self.plan.analyze, ended);
                display.borrow_mut().ended(&records[place]);
                if written.is_none_or(|written| written.elapsed().as_secs() >= SUMMARY_SECONDS) {
                    unwritten = write_csv(self.folder, self.plan, records);
                    written = Some(Instant::now());
                }
            }
        });
        display.into_inner().close();
        carried_out.context("no thread can be started; allow more processes or memory")?;
        Ok(unwritten?)
    }

    /// Waits until no other process is at work on the run, and says how far it is then.
    fn wait_for_others(&self, run: &PlannedRun, progress: RunProgress) -> Result<RunProgress, Failure> {
        if !self.folder.is_held(run) {
            return Ok(progress);
        }
        while self.folder.is_held(run) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Failure::Stopped);
            }
            std::thread::sleep(PERIOD);
        }
        match self.folder.progress(run) {
            Ok((progress, _)) => Ok(progress),
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }

    /// One run from where it is to its analysis, each command a child process.
    fn carry_out(&self, run: &PlannedRun, progress: RunProgress) -> Result<(), Failure> {
        let (path, log, config) = (
            self.folder.run(&run.name),
            self.folder.log(&run.name),
            self.folder.config(&run.name),
        );
        let child = |words: &[&dyn AsRef<OsStr>]| {
            let words: Vec<&OsStr> = words.iter().map(|word| word.as_ref()).collect();
            run_program(&words, self.threads, &log, self.stop)
        };
        let backend = self.backend.name();
        // An earlier attempt's.
        let _ = std::fs::remove_file(&log);
        match self.wait_for_others(run, progress)? {
            RunProgress::New => {
                files::write(&config, run.config.to_toml().as_bytes()).map_err(|error| Failure::Failed(error.to_string()))?;
                child(&[&"train", &"--quiet", &"--config", &config, &"--run", &path, &"--backend", &backend])?;
            }
            RunProgress::Begun => child(&[&"train", &"--quiet", &"--resume", &"--run", &path, &"--backend", &backend])?,
            RunProgress::Trained | RunProgress::Analyzed => (),
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
        let _ = std::fs::remove_file(&log);
        let _ = std::fs::remove_file(&config);
        Ok(())
    }
}
