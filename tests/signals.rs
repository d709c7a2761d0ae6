//! Signals: whatever ends a run or a sweep, its state is saved, and nothing goes on behind the user's back.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::command::{SMALL, metrics, run};
#[cfg(target_os = "linux")]
use crate::common::{children, is_running};
use crate::common::{program, signal, wait_until};

/// A run that does not end while a test lasts, and ends some time after one that fails.
fn endless(folder: &Path) -> Command {
    let mut command = program();
    command
        .args(["train", "--run", "run", "--set", "training.steps=300000"])
        .args(SMALL)
        .current_dir(folder);
    command
}

/// Waits until a run has written so many lines of figures.
fn wait_for_lines(run: &Path, lines: usize) {
    let path = run.join("metrics.jsonl");
    wait_until("figures", || {
        std::fs::read_to_string(&path).unwrap_or_default().lines().count() >= lines
    });
}

fn spawn(command: &mut Command, folder: &Path) -> Child {
    let stderr = File::create(folder.join("stderr")).unwrap();
    command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
}

fn is_interrupted(run: &Path) -> bool {
    let manifest = std::fs::read_to_string(run.join("manifest.json")).unwrap_or_default();
    manifest.contains("\"interrupted\"")
}

/// A terminal that closes may send SIGHUP twice, a cluster SIGUSR1; each signal leaves a checkpoint and the sentence how to go on. (The line that says that the
/// run is stopping comes first.)
#[test]
fn termination_stops_a_run_as_ctrl_c_does() {
    for name in ["TERM", "HUP", "USR1"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut child = spawn(&mut endless(folder.path()), folder.path());
        wait_for_lines(&path, 3);
        signal(&child, name);
        wait_until("the line", || !std::fs::read(folder.path().join("stderr")).unwrap().is_empty());
        // Whether it still runs or not.
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{name}");
        let stderr = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        assert!(
            lines.len() == 2 && lines[0].starts_with("stopping after ") && lines[1].contains("with a checkpoint; go on with: "),
            "{name}: {stderr}"
        );
        assert!(is_interrupted(&path), "{name}");
        let step = stderr
            .split("after step ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap();
        let (saved, broken) = latent_cycles::training::folder::last_checkpoint(&path);
        assert!(saved.unwrap().step == step && broken.is_empty());
    }
}

/// `nohup` has the signal ignored, and the run goes on.
#[test]
fn nohup_keeps_its_promise() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_latent-cycles");
    let small = SMALL.map(|word| format!("'{word}'")).join(" ");
    let script = format!("trap '' HUP; exec '{program}' train --run run --set training.steps=300000 {small}");
    let mut child = spawn(Command::new("sh").arg("-c").arg(script).current_dir(&folder), folder.path());
    let path = folder.path().join("run");
    wait_for_lines(&path, 2);
    signal(&child, "HUP");
    wait_for_lines(&path, metrics(&path).len() + 3);
    assert!(child.try_wait().unwrap().is_none() && std::fs::read(folder.path().join("stderr")).unwrap().is_empty());
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(target_os = "linux")]
const SWEEP: &str = "analyze = false
[set]
data = { max_images = 307, max_test_images = 53 }
model.latent = 3
training = { steps = 300000, batch_size = 101, chains = 103 }
evaluation = { every = 20, samples = 53 }
[grid]
training.seed = [1, 2]
";

#[cfg(target_os = "linux")]
fn sweep(folder: &Path) -> Command {
    let mut command = program();
    command
        .args(["sweep", "--config", "sweep.toml", "--out", "out", "--jobs", "2"])
        .current_dir(folder);
    command
}

/// However a sweep ends, its runs end after it, each with a checkpoint; with SIGKILL too, which cannot be caught.
#[cfg(target_os = "linux")]
#[test]
fn the_runs_of_a_sweep_end_with_it() {
    for names in [&["TERM"][..], &["HUP"], &["INT", "INT"], &["KILL"]] {
        let folder = tempfile::tempdir().unwrap();
        let runs = ["seed-1", "seed-2"].map(|name| folder.path().join("out/runs").join(name));
        std::fs::write(folder.path().join("sweep.toml"), SWEEP).unwrap();
        let mut child = spawn(&mut sweep(folder.path()), folder.path());
        runs.iter().for_each(|run| wait_for_lines(run, 2));
        let trained = children(&child);
        assert_eq!(trained.len(), 2);
        let stderr = || std::fs::read_to_string(folder.path().join("stderr")).unwrap();
        signal(&child, names[0]);
        for name in &names[1..] {
            wait_until("the line", || stderr().contains("stopping the runs"));
            signal(&child, name);
        }
        let status = child.wait().unwrap();
        wait_until("the runs end", || !trained.iter().any(|&process| is_running(process)));
        assert!(runs.iter().all(|run| is_interrupted(run)), "{names:?}");
        if names == ["TERM"] || names == ["HUP"] {
            assert!(
                status.code() == Some(1) && stderr().contains("stopped with 2 of 2 runs left; go on with: "),
                "{}",
                stderr()
            );
        }
    }
}

/// A sweep that goes on at once finds the runs of the killed one in their last step, and takes them over.
#[cfg(target_os = "linux")]
#[test]
fn a_sweep_goes_on_right_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough to be killed in time, short enough to be waited for.
    let text = SWEEP.replace("300000", "2000");
    std::fs::write(folder.path().join("sweep.toml"), text).unwrap();
    let mut child = spawn(&mut sweep(folder.path()), folder.path());
    for name in ["seed-1", "seed-2"] {
        wait_for_lines(&folder.path().join("out/runs").join(name), 2);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (status, _, stderr) = run(sweep(folder.path()).arg("--resume"));
    assert_eq!((status, stderr.as_str()), (0, ""));
    for name in ["seed-1", "seed-2"] {
        let lines = metrics(&folder.path().join("out/runs").join(name));
        let steps: Vec<u64> = lines.iter().map(|line| line["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, (0..=100).map(|line| 20 * line).collect::<Vec<_>>());
    }
}
