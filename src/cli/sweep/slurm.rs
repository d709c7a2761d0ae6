//! `--slurm`: what is left of a sweep as an array job.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::cluster::{Limits, QueuedTask, comment, mark, queued};
use super::scripts::{Scripts, check_options, check_path, job_name};
use super::tasks::Tasks;
use super::{Sweep, say, shell, tell, this_program};
use crate::files;
use crate::sweep::folder::SweepFolder;
use crate::sweep::plan::Plan;

/// The folder of the submissions in a sweep's folder.
const SUBMISSIONS: &str = "slurm";

impl Sweep {
    /// Writes the scripts of an array job for the runs that are left, and submits it if asked to.
    pub(super) fn spread_by_slurm(&self, plan: &Plan) -> anyhow::Result<()> {
        let options = self.slurm_args.as_deref().unwrap_or_default().trim();
        check_options(options)?;
        let path = std::path::absolute(self.path())?;
        check_path(&path)?;
        let limits = match Limits::ask() {
            Ok(limits) => limits,
            Err(error) if self.submit => return Err(error),
            Err(error) => {
                tell(format_args!("{error}; the scripts suit Slurm's defaults"));
                Limits::DEFAULT
            }
        };
        let folder = SweepFolder::open(&self.path(), self.resume)?;
        let queue = match queued(&path) {
            Err(error) if self.submit => return Err(error),
            queue => queue.unwrap_or_default(),
        };
        let in_queue = runs_of(&folder, &queue.tasks);
        let mut tasks = self.pack(plan, &folder, |name| in_queue.contains(name))?;
        if !in_queue.is_empty() {
            tell(format_args!(
                "{} runs are in Slurm's queue already and are left out",
                in_queue.len()
            ));
        }
        if tasks.tasks.is_empty() {
            say("no runs are left to submit");
            return Ok(());
        }
        let room = self.room(limits, queue.jobs)?;
        let beyond: usize = tasks.tasks.iter().skip(room).map(Vec::len).sum();
        tasks.tasks.truncate(room);
        let submission = self.write(&folder, &path, &tasks, limits, options)?;
        if !self.quiet {
            say(tasks.in_words());
            say(format_args!(
                "{} holds array.sh, tasks, collect.sh and submit.sh",
                shell(&submission)
            ));
        }
        if beyond > 0 {
            tell(format_args!(
                "{beyond} runs are left for later: Slurm takes {} jobs; when there is room: {}",
                limits.jobs,
                self.slurm_command()
            ));
        }
        if self.submit {
            return self.run_submit(&submission);
        }
        if !self.quiet {
            say(format_args!("submit with: {}", shell(&submission.join("submit.sh"))));
        }
        Ok(())
    }

    /// The tasks that may be submitted now.
    fn room(&self, limits: Limits, in_queue: usize) -> anyhow::Result<usize> {
        // One place is for the summary.
        let most = limits.jobs.saturating_sub(1).max(1);
        let room = most.saturating_sub(in_queue);
        if room == 0 && self.submit {
            anyhow::bail!(
                "Slurm takes {} jobs, and {in_queue} of yours are in its queue; when there is room: {}",
                limits.jobs,
                self.slurm_command()
            );
        }
        // Scripts that are only written may wait for room.
        Ok(if room == 0 { most } else { room })
    }

    /// Writes a submission's files into a folder of its own, which is returned.
    fn write(&self, folder: &SweepFolder, path: &Path, tasks: &Tasks, limits: Limits, options: &str) -> anyhow::Result<PathBuf> {
        let number = last_submission(folder) + 1;
        let submission = path.join(SUBMISSIONS).join(number.to_string());
        // Before Slurm 23.02 a job whose log has no folder fails without a word.
        let logs = submission.join("logs");
        fs::create_dir_all(&logs).with_context(|| format!("{}: cannot be made", logs.display()))?;
        let program = shell(&this_program()?);
        let [config, out] = [path.join("sweep.toml"), path.to_owned()].map(|path| shell(&path));
        let name = job_name(&self.name(folder));
        let scripts = Scripts {
            name: &name,
            mark: &mark(path),
            folder: &submission,
            present: &std::env::current_dir().context("the present folder is not to be had")?,
            task: &self.task_command(folder, tasks.backend)?,
            jobs_given: self.jobs.is_some(),
            collect: &format!("{program} sweep --config {config} --out {out} --collect"),
            options,
            comment: &comment(path, number),
            array_size: limits.array_size,
        };
        let lines: String = tasks.tasks.iter().map(|runs| runs.join(" ") + "\n").collect();
        files::write(&submission.join("tasks"), lines.as_bytes())?;
        for (name, text) in [
            ("array.sh", scripts.array()),
            ("collect.sh", scripts.collect()),
            ("submit.sh", scripts.submit()),
        ] {
            let path = submission.join(name);
            files::write(&path, text.as_bytes())?;
            make_executable(&path)?;
        }
        Ok(submission)
    }

    fn run_submit(&self, submission: &Path) -> anyhow::Result<()> {
        let script = submission.join("submit.sh");
        let output = Command::new("bash").arg(&script).output().context("bash cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !self.quiet || !output.status.success() {
            said.lines().for_each(say);
        }
        let problems = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let problem = problems.trim().lines().next_back().unwrap_or("nothing");
            let so_far = if said.is_empty() {
                "nothing was submitted"
            } else {
                "the jobs above were"
            };
            anyhow::bail!(
                "submission failed, and {so_far}; sbatch said: {problem}; after mending the cause: {}",
                self.slurm_command()
            );
        }
        problems.lines().for_each(tell);
        Ok(())
    }

    /// This command, to submit what is left.
    fn slurm_command(&self) -> String {
        let mut command = format!("{} --slurm --submit", self.command(true));
        if let Some(options) = &self.slurm_args {
            command += &format!(" --slurm-args {}", shell(Path::new(options)));
        }
        command
    }
}

/// The names of the runs of tasks in the queue, as far as their files are still there.
pub(super) fn runs_of(folder: &SweepFolder, queue: &[QueuedTask]) -> BTreeSet<String> {
    let submissions: BTreeSet<u32> = queue.iter().map(|task| task.submission).collect();
    let mut runs = BTreeSet::new();
    for submission in submissions {
        let path = folder.file(SUBMISSIONS).join(submission.to_string()).join("tasks");
        let tasks = files::read_at_most(&path, 1 << 30).unwrap_or_default();
        let tasks = String::from_utf8_lossy(&tasks);
        let lines: Vec<&str> = tasks.lines().collect();
        let of_it = queue.iter().filter(|task| task.submission == submission);
        let names = of_it
            .filter_map(|task| lines.get(task.line))
            .flat_map(|line| line.split_whitespace());
        runs.extend(names.map(str::to_owned));
    }
    runs
}

fn last_submission(folder: &SweepFolder) -> u32 {
    let entries = fs::read_dir(folder.file(SUBMISSIONS)).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.max().unwrap_or(0)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata()?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
