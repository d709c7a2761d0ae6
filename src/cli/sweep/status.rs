//! How far a sweep is, from its folder and Slurm's queue.

use rayon::prelude::*;

use super::cluster::queued;
use super::collect::failures;
use super::slurm::runs_of;
use super::{Sweep, read_all, say};
use crate::sweep::folder::{RunProgress, SweepFolder};
use crate::sweep::plan::Plan;
use crate::sweep::summary::{RunStatus, count};

impl Sweep {
    /// `--status`.
    pub(super) fn tell_status(&self, plan: &Plan) -> anyhow::Result<()> {
        let folder = SweepFolder::join(&self.path())?;
        let records = read_all(plan, &folder, &plan.runs);
        let unfinished = records.iter().filter(|record| record.status == RunStatus::Missing);
        let unfinished: Vec<_> = unfinished.map(|record| record.run).collect();
        let in_training = unfinished.par_iter().filter(|run| folder.is_held(run)).count();
        let is_begun = |run: &&&_| matches!(folder.progress(run), Ok((progress, _)) if progress != RunProgress::New);
        let begun = unfinished.par_iter().filter(is_begun).count();
        say(format_args!(
            "{} runs: {} finished, {} failed, {begun} begun ({in_training} in training now), {} not begun",
            records.len(),
            count(&records, RunStatus::Finished),
            count(&records, RunStatus::Failed),
            unfinished.len() - begun
        ));
        // Without Slurm there is no queue to tell of.
        let queue = queued(folder.path()).unwrap_or_default().tasks;
        if !queue.is_empty() {
            let running = queue.iter().filter(|task| task.is_running).count();
            say(format_args!(
                "in Slurm's queue: {running} tasks running, {} waiting, with {} runs",
                queue.len() - running,
                runs_of(&folder, &queue).len()
            ));
        }
        if let Some(failures) = failures(&folder, &records, "") {
            say(failures);
        }
        Ok(())
    }
}
