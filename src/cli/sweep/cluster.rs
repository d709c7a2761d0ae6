//! What Slurm says of itself and of its queue.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::files::hexadecimal;

/// How the comments of this program's jobs begin; the sweep's mark, the number of the submission and the first line of the array follow.
const COMMENT: &str = "latent-cycles";

/// What Slurm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// One more than the largest index of an array.
    pub array_size: usize,
    /// Jobs in the queue, of this user or of all.
    pub jobs: usize,
}

/// What of this user waits in the queue or runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The tasks of a sweep.
    pub tasks: Vec<QueuedTask>,
    /// All jobs, which Slurm's limits count: each task of an array is one.
    pub jobs: usize,
}

/// A task of a sweep that waits in the queue or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueuedTask {
    /// Of which submission.
    pub submission: u32,
    /// Its line in that submission's file of tasks, from 0.
    pub line: usize,
    /// Has it begun?
    pub is_running: bool,
}

impl Limits {
    /// Slurm's own defaults.
    pub const DEFAULT: Self = Self {
        array_size: 1001,
        jobs: 10_000,
    };

    /// As the cluster is configured.
    ///
    /// # Errors
    /// When `scontrol` does not answer.
    pub fn ask() -> anyhow::Result<Self> {
        let configured = output(Command::new("scontrol").args(["show", "config"]))?;
        let user = output(Command::new("id").arg("-un"))?;
        // Where jobs are not accounted for there are no limits of a user's own.
        let of_user = output(Command::new("sacctmgr").args([
            "--noheader",
            "--parsable2",
            "show",
            "associations",
            &format!("user={}", user.trim()),
            "format=MaxSubmitJobs",
        ]));
        let mut limits = Self::configured(&configured);
        let least = of_user
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .min();
        limits.jobs = limits.jobs.min(least.unwrap_or(usize::MAX));
        Ok(limits)
    }

    /// From the words of `scontrol show config`.
    fn configured(text: &str) -> Self {
        let value = |key: &str| {
            let line = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key);
            line.and_then(|(_, value)| value.trim().parse::<usize>().ok())
        };
        let jobs = [value("MaxJobCount"), value("MaxSubmitJobs")];
        Self {
            array_size: value("MaxArraySize").unwrap_or(Self::DEFAULT.array_size).max(1),
            jobs: jobs.into_iter().flatten().min().unwrap_or(Self::DEFAULT.jobs),
        }
    }
}

/// The mark of a sweep's folder among the jobs of a user.
pub(super) fn mark(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    hexadecimal(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..6])
}

/// The comment of an array of tasks but for the line of its first.
pub(super) fn comment(folder: &Path, submission: u32) -> String {
    format!("{COMMENT} {} {submission}", mark(folder))
}

/// The user's queue, with the tasks of the sweep in a folder.
///
/// # Errors
/// When `squeue` does not answer.
pub(super) fn queued(folder: &Path) -> anyhow::Result<Queue> {
    let queue = output(Command::new("squeue").args(["--noheader", "--array", "--me", "--format=%i|%T|%k"]))?;
    Ok(Queue {
        tasks: tasks_in(&queue, &mark(folder)),
        jobs: queue.lines().count(),
    })
}

/// The tasks in the lines of squeue: job and index, state, comment.
fn tasks_in(queue: &str, mark: &str) -> Vec<QueuedTask> {
    let task = |line: &str| {
        let [job, state, comment] = line.splitn(3, '|').collect::<Vec<_>>().try_into().ok()?;
        let [program, of, submission, first] = comment.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        let index: usize = job.split_once('_')?.1.parse().ok()?;
        (program == COMMENT && of == mark).then_some(QueuedTask {
            submission: submission.parse().ok()?,
            line: first.parse::<usize>().ok()? + index,
            is_running: state != "PENDING",
        })
    };
    queue.lines().filter_map(task).collect()
}

/// What a command prints.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output = output.with_context(|| format!("{name} cannot be started; is this a machine from which jobs are submitted to Slurm?"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next_back().unwrap_or("nothing");
    anyhow::bail!("{name} failed, and said: {said}")
}
