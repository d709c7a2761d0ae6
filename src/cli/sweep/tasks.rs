//! Runs that are left, packed into tasks of some minutes, and as commands that do one task each.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::{Sweep, counted, read_all, say, shell, tell, this_program};
use crate::backend::BackendName;
use crate::sweep::folder::SweepFolder;
use crate::sweep::plan::Plan;
use crate::sweep::run::PlannedRun;
use crate::sweep::statistics::describe;
use crate::sweep::summary::{RunRecord, RunStatus};

/// How runs are packed into tasks.
#[derive(Args, Clone, Copy)]
pub(super) struct Packing {
    /// Runs in a task [default: as many as take --task-minutes; 1 as long as no run has shown how long it takes]
    #[arg(long, help_heading = "On several machines", value_name = "N", requires = "spread", value_parser = clap::value_parser!(u32).range(1..))]
    runs_per_task: Option<u32>,
    /// Minutes that a task shall take
    #[arg(long, help_heading = "On several machines", value_name = "M", requires = "spread", conflicts_with = "runs_per_task", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    task_minutes: u32,
    /// Seconds that a run takes [default: the median of those that are finished]
    #[arg(long, help_heading = "On several machines", value_name = "S", requires = "spread", conflicts_with = "runs_per_task", value_parser = clap::value_parser!(u32).range(1..))]
    seconds_per_run: Option<u32>,
}

/// The tasks that are left of a sweep, each a list of runs.
pub(super) struct Tasks<'a> {
    pub backend: BackendName,
    pub tasks: Vec<Vec<&'a str>>,
    /// How they were packed, in words.
    pub packed: String,
}

impl Sweep {
    /// Begins the sweep's folder, or finds it again, and packs the runs that are left; those that `is_elsewhere` are left out.
    pub(super) fn pack<'a>(&self, plan: &'a Plan, folder: &SweepFolder, is_elsewhere: impl Fn(&str) -> bool) -> anyhow::Result<Tasks<'a>> {
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let (_, backend) = self.survey(&runs, folder)?;
        folder.begin(&plan.source)?;
        let records = read_all(plan, folder, &plan.runs);
        let left = records
            .iter()
            .filter(|record| record.status != RunStatus::Finished)
            .map(|record| record.run.name.as_str());
        let left: Vec<&str> = left.filter(|name| !is_elsewhere(name)).collect();
        let (runs, packed) = self.packing.runs_per_task(folder, &records);
        Ok(Tasks {
            backend,
            tasks: left.chunks(runs).map(<[&str]>::to_vec).collect(),
            packed,
        })
    }

    /// `--list`: a command a line.
    pub(super) fn list_tasks(&self, plan: &Plan) -> anyhow::Result<()> {
        let folder = SweepFolder::open(&self.path(), self.resume)?;
        let tasks = self.pack(plan, &folder, |_| false)?;
        let command = self.task_command(&folder, tasks.backend)?;
        for runs in &tasks.tasks {
            say(format_args!("{command} --only {}", runs.join(" ")));
        }
        if !self.quiet {
            tell(format_args!(
                "{}; when all have ended, `sweep --collect` writes the summary",
                tasks.in_words()
            ));
        }
        Ok(())
    }

    /// The command of a task but for the names of its runs, as a shell takes it in the present folder.
    pub(super) fn task_command(&self, folder: &SweepFolder, backend: BackendName) -> anyhow::Result<String> {
        let path = std::path::absolute(folder.path())?;
        let mut words = vec![
            shell(&this_program()?),
            format!("sweep --config {} --out {}", shell(&path.join("sweep.toml")), shell(&path)),
            format!("--backend {}", backend.name()),
        ];
        words.extend(self.jobs.map(|jobs| format!("--jobs {jobs}")));
        words.extend(self.quiet.then(|| "--quiet".to_owned()));
        Ok(words.join(" "))
    }
}

impl Tasks<'_> {
    /// How many runs in how many tasks.
    pub fn in_words(&self) -> String {
        let runs = self.tasks.iter().map(Vec::len).sum();
        format!("{} in {}: {}", counted(runs, "run"), counted(self.tasks.len(), "task"), self.packed)
    }
}

impl Packing {
    /// How many runs make a task, and why.
    fn runs_per_task(&self, folder: &SweepFolder, records: &[RunRecord]) -> (usize, String) {
        if let Some(runs) = self.runs_per_task {
            return (runs as usize, format!("{runs} in a task, as asked for"));
        }
        let given = self.seconds_per_run.map(f64::from);
        let Some(seconds) = given.or_else(|| measured(folder, records)) else {
            let advice = "one in a task, as none has shown how long it takes; --seconds-per-run or --runs-per-task packs more";
            return (1, advice.to_owned());
        };
        let runs = (f64::from(self.task_minutes) * 60.0 / seconds).floor().clamp(1.0, 1e6) as usize;
        let minutes = runs as f64 * seconds / 60.0;
        (runs, format!("{runs} in a task, {minutes:.0} minutes at {seconds:.1} s a run"))
    }
}

/// The median of the seconds that finished runs took, if there are any: of training, and of the analysis that followed.
fn measured(folder: &SweepFolder, records: &[RunRecord]) -> Option<f64> {
    let finished = records.iter().filter(|record| record.status == RunStatus::Finished);
    let seconds: Vec<f64> = finished
        .filter_map(|record| Some(record.seconds? + analysis(&folder.run(&record.run.name)).as_secs_f64()))
        .collect();
    describe(&seconds).map(|seconds| seconds.median.max(0.01))
}

/// From the model to the page, the last file of its analysis; nothing without one.
fn analysis(run: &Path) -> Duration {
    let changed = |name: &str| run.join(name).metadata().and_then(|file| file.modified()).ok();
    let lasted = changed("model.mpk").zip(changed("analysis/report.html"));
    lasted.and_then(|(from, to)| to.duration_since(from).ok()).unwrap_or_default()
}
