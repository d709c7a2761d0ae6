//! The scripts of an array job, written for a user who reads them, changes them and submits them by hand.

use std::path::Path;

use super::{Usage, shell};
use crate::sweep::names::is_safe;

/// What the scripts are about.
pub(super) struct Scripts<'a> {
    /// Of the sweep, as it may stand in the name of a job.
    pub name: &'a str,
    /// Its mark among the jobs of a user.
    pub mark: &'a str,
    /// The folder of the scripts, absolute.
    pub folder: &'a Path,
    /// Where the sweep was asked for: paths in its file are relative to it.
    pub present: &'a Path,
    /// The command of a task but for the names of its runs.
    pub task: &'a str,
    /// Was it said how many runs a task does at a time?
    pub jobs_given: bool,
    /// The command that writes the summary.
    pub collect: &'a str,
    /// Options of sbatch, in the user's words.
    pub options: &'a str,
    /// The comment of an array but for the line of its first task.
    pub comment: &'a str,
    /// The most tasks of an array.
    pub array_size: usize,
}

/// Options of sbatch that also the job which writes the summary needs to be let in.
const OF_ACCESS: [(&str, &str); 5] = [
    ("--partition", "-p"),
    ("--account", "-A"),
    ("--qos", "-q"),
    ("--clusters", "-M"),
    ("--reservation", ""),
];

impl Scripts<'_> {
    /// The script of the array's tasks.
    pub fn array(&self) -> String {
        let Self { name, options, task, .. } = self;
        let (log, tasks, present) = (self.log("%A_%a"), shell(&self.folder.join("tasks")), shell(self.present));
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("#SBATCH {options}\n")
        };
        let jobs = if self.jobs_given { "" } else { " --jobs \"$RAYON_NUM_THREADS\"" };
        format!(
            r#"#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --output={log}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
{options}
# A task: the runs that its line of the file `tasks` names. The line's number is this script's argument plus the task's index, both from 0.
# submit.sh submits it. A task that is done again goes on where it was left.

line=$((${{1:-0}} + SLURM_ARRAY_TASK_ID + 1))
runs=$(sed -n "${{line}}p" {tasks})
if [ -z "$runs" ]; then
    echo "{tasks} has no line $line" >&2
    exit 1
fi
cd {present} || exit 1
export RAYON_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-1}}

# At SIGTERM the program stops with a checkpoint. A minute before the time is up Slurm sends SIGUSR1: then the task goes back to the queue.
trap 'told=yes; kill -TERM "$program"' TERM
trap 'told=yes; again=yes; kill -TERM "$program"' USR1
echo "$(date '+%F %T') task $line on $(hostname)"
{task}{jobs} --only $runs &
program=$!
told=yes
while [ "$told" ]; do
    told=
    wait "$program"
    status=$?
done
# A run that gets nowhere in the time it is given must not go round for ever.
if [ "$again" ] && [ "$status" -ne 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt 100 ]; then
    echo "$(date '+%F %T') out of time; back to the queue"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"#
        )
    }

    /// The script of the job that writes the summary.
    pub fn collect(&self) -> String {
        let Self { name, mark, collect, .. } = self;
        let (log, present) = (self.log("collect-%j"), shell(self.present));
        let access = self.access().iter().map(|option| format!("#SBATCH {option}\n")).collect::<String>();
        format!(
            r#"#!/bin/bash
#SBATCH --job-name={name}-summary-{mark}
#SBATCH --output={log}
{access}
# Writes the sweep's summary and page when all tasks have ended.

cd {present} || exit 1
export RAYON_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-1}}
exec {collect}
"#
        )
    }

    /// The script that submits both.
    pub fn submit(&self) -> String {
        let Self {
            name, comment, array_size, ..
        } = self;
        format!(
            r#"#!/bin/bash
# Submits the tasks of the sweep {name} as arrays of at most {array_size}, which Slurm's MaxArraySize allows, and the job that writes the summary when
# all of them have ended, whatever became of them.
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
mkdir -p logs

submit() {{
    local answer
    answer=$(sbatch --parsable "$@")
    job=${{answer%%;*}}
    if ! [[ $job =~ ^[0-9]+$ ]]; then
        echo "sbatch answered '$answer', and not with the number of a job" >&2
        exit 1
    fi
}}

tasks=$(wc -l < tasks)
all=
for ((first = 0; first < tasks; first += {array_size})); do
    count=$((tasks - first < {array_size} ? tasks - first : {array_size}))
    submit --comment="{comment} $first" --array=0-$((count - 1)) array.sh "$first"
    echo "job $job: tasks $first to $((first + count - 1))"
    all+=:$job
done
submit --dependency="afterany$all,singleton" collect.sh
echo "job $job: the summary, when these have ended"
"#
        )
    }

    /// A file of Slurm's: in its patterns a percent sign has a meaning.
    fn log(&self, name: &str) -> String {
        let folder = self.folder.display().to_string().replace('%', "%%");
        format!("\"{folder}/logs/{name}.log\"")
    }

    fn access(&self) -> Vec<String> {
        let words: Vec<&str> = self.options.split_whitespace().collect();
        let option = |place: usize| {
            let word = words[place];
            OF_ACCESS.iter().find_map(|(long, short)| {
                let next = || words.get(place + 1).map(|value| format!("{long}={value}"));
                match word.strip_prefix(long) {
                    Some("") => next(),
                    Some(rest) => rest.starts_with('=').then(|| word.to_owned()),
                    None if !short.is_empty() && word == *short => next(),
                    None if !short.is_empty() && !word.starts_with("--") => word.strip_prefix(short).map(|value| format!("{long}={value}")),
                    None => None,
                }
            })
        };
        (0..words.len()).filter_map(option).collect()
    }
}

/// Refuses options that would break what the scripts do.
pub(super) fn check_options(options: &str) -> Result<(), Usage> {
    let refuse = |problem: &str| Err(Usage(format!("--slurm-args {problem}")));
    if options.contains(['\n', '\r']) {
        return refuse("has more than one line; give all options in one");
    }
    let word = options.split_whitespace().find(|word| {
        ["--array", "--output", "--comment", "--dependency", "--wrap", "--job-name"]
            .iter()
            .any(|name| word.starts_with(name))
            || ["-a", "-o", "-d", "-J"].iter().any(|name| word.starts_with(name))
    });
    match word {
        Some(word) => refuse(&format!(
            "has {word}, which the scripts set themselves; leave it out, or change the scripts"
        )),
        None => Ok(()),
    }
}

/// Refuses a path that Slurm's files cannot name.
pub(super) fn check_path(path: &Path) -> Result<(), Usage> {
    let fits = path
        .to_str()
        .is_some_and(|path| !path.chars().any(|character| character.is_control() || "\\\"".contains(character)));
    if fits {
        return Ok(());
    }
    Err(Usage(format!(
        "{} cannot be the folder of a sweep for Slurm: its path must be of printable characters but for \" and \\",
        shell(path)
    )))
}

/// The name of a job: Slurm's tables are easier to read without special characters.
pub(super) fn job_name(name: &str) -> String {
    name.chars()
        .map(|character| if is_safe(character) { character } else { '_' })
        .collect()
}
