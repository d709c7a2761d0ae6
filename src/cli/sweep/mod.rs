//! `sweep`: many runs from one file: all of them here, or in tasks that are spread over machines.

mod carry_out;
mod cluster;
mod collect;
mod progress;
mod scripts;
mod slurm;
mod status;
mod tasks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::{ArgGroup, Args};
use rayon::prelude::*;

use self::carry_out::{Work, conclude_task};
use self::tasks::Packing;
use super::{Stopped, Usage, counted, program, say, shell, stop_on_termination, tell, warn};
use crate::backend::BackendName;
use crate::sweep::folder::{RunProgress, SWEEPS, SweepFolder, SweepFolderError};
use crate::sweep::plan::Plan;
use crate::sweep::run::PlannedRun;
use crate::sweep::summary::{RunRecord, RunStatus, count, write_csv};

/// Train and analyze many runs: every combination of the values in a file, several at a time
///
/// The file names configuration keys with lists of values. Each run is an ordinary one, in a folder of its own; summary.csv and
/// report.html hold the figures of all.
#[derive(Args)]
#[command(group = ArgGroup::new("spread").args(["list", "slurm"]))]
#[command(after_help = "Examples:
  latent-cycles sweep --config configs/sweep-example.toml
  latent-cycles sweep --config configs/sweep-example.toml --resume --jobs 4
  latent-cycles sweep --config configs/sweep-example.toml --slurm --submit --slurm-args '--partition=long --time=4:00:00'
  latent-cycles sweep --config configs/sweep-example.toml --status")]
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

    /// Tell how far the sweep is
    #[arg(long, help_heading = "On several machines", group = "mode")]
    status: bool,
    /// Write an array job for Slurm that does the runs that are left, into the folder
    #[arg(long, help_heading = "On several machines", group = "mode")]
    slurm: bool,
    /// Submit it too
    #[arg(long, help_heading = "On several machines", requires = "slurm")]
    submit: bool,
    /// Options of sbatch for its tasks, such as '--partition=long --time=4:00:00'
    #[arg(
        long,
        help_heading = "On several machines",
        value_name = "OPTIONS",
        requires = "slurm",
        allow_hyphen_values = true
    )]
    slurm_args: Option<String>,
    /// Print a command a line, which together do the runs that are left, for xargs, GNU parallel or HTCondor
    #[arg(long, help_heading = "On several machines", group = "mode")]
    list: bool,
    #[command(flatten)]
    packing: Packing,
    /// Do these runs and write no summary; other processes may do other runs of the sweep in the folder
    #[arg(long, help_heading = "On several machines", value_name = "RUN", num_args = 1.., group = "mode")]
    only: Vec<String>,
    /// Write the summary and the page of the runs as they are
    #[arg(long, help_heading = "On several machines", group = "mode")]
    collect: bool,
}

impl Sweep {
    pub fn run(self) -> anyhow::Result<()> {
        let plan = Plan::read(&self.config)?;
        if self.status {
            self.tell_status(&plan)
        } else if self.slurm {
            self.spread_by_slurm(&plan)
        } else if self.list {
            self.list_tasks(&plan)
        } else if !self.only.is_empty() {
            self.do_task(&plan)
        } else if self.collect {
            self.collect_all(&plan)
        } else {
            self.do_all(&plan)
        }
    }

    /// All runs, here.
    fn do_all(&self, plan: &Plan) -> anyhow::Result<()> {
        let line = "stopping the runs, each with a checkpoint; Ctrl-C again does not wait for them; the same command with --resume goes on";
        let stop = stop_on_termination(if self.quiet { "" } else { line })?;
        let folder = SweepFolder::open(&self.path(), self.resume)?;
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let work = self.work(plan, &folder, &runs, &stop)?;
        folder.begin(&plan.source)?;
        let records = work.run(&runs, self.quiet, &mut |records| write_csv(&folder, plan, records))?;
        self.summarize(plan, &folder, &records)?;
        self.conclude(&folder, &records, work.is_stopped())
    }

    /// Some of the runs, beside other processes that do others.
    fn do_task(&self, plan: &Plan) -> anyhow::Result<()> {
        let line = "stopping the runs, each with a checkpoint; the same command goes on";
        let stop = stop_on_termination(if self.quiet { "" } else { line })?;
        let folder = SweepFolder::join(&self.path())?;
        let known: BTreeMap<&str, &PlannedRun> = plan.runs.iter().map(|run| (run.name.as_str(), run)).collect();
        let named = |name: &String| {
            let problem = || {
                Usage(format!(
                    "--only names {name}, and {} asks for no run of that name",
                    shell(&self.config)
                ))
            };
            known.get(name.as_str()).copied().ok_or_else(problem)
        };
        let runs: Vec<&PlannedRun> = self.only.iter().map(named).collect::<Result<_, _>>()?;
        let work = self.work(plan, &folder, &runs, &stop)?;
        let records = work.run(&runs, self.quiet, &mut |_| Ok(()))?;
        conclude_task(&folder, &records, work.is_stopped())
    }

    /// The summary and the page of the runs as they are.
    fn collect_all(&self, plan: &Plan) -> anyhow::Result<()> {
        SweepFolder::join(&self.path())?;
        let folder = SweepFolder::open(&self.path(), true)?;
        let records = read_all(plan, &folder, &plan.runs);
        self.summarize(plan, &folder, &records)?;
        let missing = count(&records, RunStatus::Missing);
        if missing > 0 && !self.quiet {
            say(format_args!("{missing} of {} runs are not finished", records.len()));
        }
        self.conclude(&folder, &records, false)
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

    /// What is to be done for some runs, with the backend that they were begun with.
    fn work<'a>(&self, plan: &'a Plan, folder: &'a SweepFolder, runs: &[&PlannedRun], stop: &'a AtomicBool) -> anyhow::Result<Work<'a>> {
        let (progress, backend) = self.survey(runs, folder)?;
        Ok(Work {
            plan,
            folder,
            progress,
            backend,
            jobs: self.jobs.map(usize::from),
            stop,
        })
    }

    /// How far each run is, and the backend for all: that of the runs that are there, or what is asked for.
    fn survey(&self, runs: &[&PlannedRun], folder: &SweepFolder) -> anyhow::Result<(Vec<RunProgress>, BackendName)> {
        let found = runs.par_iter().map(|run| match folder.progress(run) {
            // Files that were damaged: `train` says so itself, as the failure of this run.
            Err(SweepFolderError::Run(_)) => Ok((RunProgress::Begun, None)),
            found => found,
        });
        // All first, so that of several errors the first is told, and not the one that was found first.
        let found: Vec<Result<_, SweepFolderError>> = found.collect();
        let found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
        let (progress, begun_with): (Vec<RunProgress>, Vec<Option<String>>) = found.into_iter().unzip();
        let known = |name: &String| <BackendName as clap::ValueEnum>::from_str(name, true).ok();
        let backend = self
            .backend
            .or_else(|| begun_with.iter().flatten().find_map(known))
            .unwrap_or(BackendName::Ndarray);
        for (run, then) in runs.iter().zip(begun_with) {
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
}

/// What has come of runs of the plan, from the folder alone.
fn read_all<'a>(plan: &Plan, folder: &SweepFolder, runs: impl IntoParallelIterator<Item = &'a PlannedRun>) -> Vec<RunRecord<'a>> {
    let read = |run| RunRecord::read(folder, run, plan.analyze, Ok(()));
    runs.into_par_iter().map(read).collect()
}

/// This program, for commands that others run elsewhere.
fn this_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the path of this program is not to be had")
}
