//! The folders of runs and sweeps: how they are claimed, found again and kept whole.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use latent_cycles::Config;
use latent_cycles::record::TrainingState;
use latent_cycles::training::folder::{RunFolder, last_checkpoint};

use crate::command::{SMALL, metrics, run};
use crate::common::{program, random_mean_squares, random_model, wait_until};

fn train(folder: &Path, more: &[&str]) -> (i32, String, String) {
    run(&mut command(folder, more))
}

fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command.arg("train").args(more).current_dir(folder);
    command
}

fn new(folder: &Path, more: &[&str]) -> (i32, String, String) {
    train(folder, &[&SMALL[..], &["--set", "training.steps=2"], more].concat())
}

/// The program ends, and not because this test ends it.
#[cfg(unix)]
fn ends(command: &mut Command, said: &str) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed().as_secs() > 60 {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && stderr.contains(said) && stderr.lines().count() == 1,
        "{stderr}"
    );
}

/// A lock that is a link is not followed, and one that is a pipe not waited for.
#[cfg(unix)]
#[test]
fn a_lock_is_a_regular_file_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(new(path, &["--run", "run"]).0, 0);
    std::fs::write(path.join("sweep.toml"), "[set]\ntraining.steps = 2\n").unwrap();
    std::fs::create_dir_all(path.join("out/runs")).unwrap();
    std::fs::copy(path.join("sweep.toml"), path.join("out/sweep.toml")).unwrap();
    std::fs::write(path.join("precious"), "content").unwrap();
    let both = || {
        let said = ".lock: cannot be written: what is there is not a regular file";
        ends(&mut command(path, &["--resume", "--run", "run"]), said);
        let sweep = ["sweep", "--config", "sweep.toml", "--out", "out", "--resume"];
        ends(program().args(sweep).current_dir(path), said);
    };
    for target in ["precious", "missing"] {
        for folder in ["run", "out"] {
            let lock = path.join(folder).join(".lock");
            let _ = std::fs::remove_file(&lock);
            std::os::unix::fs::symlink(path.join(target), lock).unwrap();
        }
        both();
    }
    assert_eq!(std::fs::read_to_string(path.join("precious")).unwrap(), "content");
    assert!(!path.join("missing").exists());
    for folder in ["run", "out"] {
        let lock = path.join(folder).join(".lock");
        std::fs::remove_file(&lock).unwrap();
        assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    }
    both();
}

/// A limit on the size of files makes writing fail, with a sentence, and no folder stays that could be neither started nor resumed.
#[cfg(unix)]
#[test]
fn a_run_that_cannot_write_its_configuration_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_latent-cycles");
    for (more, name) in [("--run run", "run"), ("", "artifacts/runs/default-ndarray-1")] {
        let script = format!("ulimit -f 0; exec '{program}' train --quiet {more}");
        let (status, stdout, stderr) = run(Command::new("sh").arg("-c").arg(script).current_dir(&folder));
        assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
        assert!(
            stderr.contains(&format!("{name}/.claim-1: cannot be written: File too large")),
            "{stderr}"
        );
        assert!(stderr.lines().count() == 1 && !folder.path().join(name).exists(), "{stderr}");
    }
}

/// The same of a sweep: its folder can be gone on with.
#[cfg(unix)]
#[test]
fn a_sweep_that_could_not_begin_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = "analyze = false\n[set]\ndata.max_images = 307\ntraining = { steps = 2, batch_size = 101, chains = 103 }\nevaluation.samples = 53\n";
    std::fs::write(folder.path().join("sweep.toml"), text).unwrap();
    let script = format!(
        "ulimit -f 0; exec '{}' sweep --config sweep.toml --out out",
        env!("CARGO_BIN_EXE_latent-cycles")
    );
    let (status, _, stderr) = run(Command::new("sh").arg("-c").arg(script).current_dir(&folder));
    assert!(
        status == 1 && stderr.contains("out/.claim-1: cannot be written: File too large"),
        "{stderr}"
    );
    let arguments = ["sweep", "--config", "sweep.toml", "--out", "out", "--resume", "--quiet"];
    assert_eq!(
        run(program().args(arguments).current_dir(&folder)),
        (0, String::new(), String::new())
    );
}

/// An import that cannot write its model leaves no folder that `--resume` would train from the start.
#[cfg(unix)]
#[test]
fn an_import_that_cannot_write_its_model_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(new(folder.path(), &["--run", "run"]).0, 0);
    let export = ["export", "run", "--out", "model.safetensors"];
    assert_eq!(run(program().args(export).current_dir(&folder)).0, 0);
    // 4 or 8 KiB; the model takes 31.
    let script = format!(
        "ulimit -f 8; exec '{}' import model.safetensors --run new",
        env!("CARGO_BIN_EXE_latent-cycles")
    );
    let (status, _, stderr) = run(Command::new("sh").arg("-c").arg(script).current_dir(&folder));
    assert!(
        status == 1 && stderr.contains("new/model.mpk: cannot be written: File too large"),
        "{stderr}"
    );
    assert!(!folder.path().join("new").exists());
}

/// A lock may outlive its holder for a moment, in a process that was just being started: it is asked for again.
#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_is_given_back_soon_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(new(path, &["--run", "run"]).0, 0);
    let lock = File::open(path.join("run/.lock")).unwrap();
    lock.lock().unwrap();
    let mut resume = command(path, &["--resume", "--run", "run"]);
    let child = resume.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the program asks", || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", child.id()))
            .into_iter()
            .flatten()
            .flatten();
        let mut files = open.filter_map(|file| std::fs::read_link(file.path()).ok());
        files.any(|file| file.ends_with("run/.lock"))
    });
    drop(lock);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is finished"));
}

/// A kill between the making of a folder and its config.toml leaves the lock alone in it: the next run of that name takes it over, unless
/// the lock is held.
#[test]
fn a_folder_in_which_no_run_began_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("run")).unwrap();
    let (status, _, stderr) = new(path, &["--run", "run"]);
    assert!(
        status == 2 && stderr.contains("run exists already"),
        "an empty folder may be anyone's: {stderr}"
    );
    let lock = File::create(path.join("run/.lock")).unwrap();
    std::fs::write(path.join("run/.partial-x"), "").unwrap();
    lock.try_lock().unwrap();
    let (status, _, stderr) = new(path, &["--run", "run"]);
    assert!(
        status == 1 && stderr.contains("run is being trained by another process"),
        "{stderr}"
    );
    drop(lock);
    std::fs::write(path.join("run/notes"), "").unwrap();
    assert_eq!(new(path, &["--run", "run"]).0, 2, "anything else in it");
    std::fs::remove_file(path.join("run/notes")).unwrap();
    let (status, _, stderr) = new(path, &["--run", "run"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(new(path, &["--run", "run"]).0, 2, "now it is a run");
}

/// New runs count on from the largest number, and `--resume` takes the last that was interrupted.
#[test]
fn the_last_interrupted_run_is_the_one_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let runs = path.join("artifacts/runs");
    let name = "default-max_images-307-latent-5-batch_size-101-chains-103-samples-53-every-50-steps-2-ndarray-1";
    let numbered = |number: u32| runs.join(format!("{name}-{number}"));
    for _ in 0..3 {
        assert_eq!(new(path, &["--quiet"]).0, 0);
    }
    std::fs::remove_dir_all(numbered(2)).unwrap();
    let (status, stdout, _) = new(path, &[]);
    assert!(status == 0 && stdout.starts_with(&format!("artifacts/runs/{name}-4: ")), "{stdout}");
    std::fs::create_dir(numbered(5)).unwrap();
    File::create(numbered(5).join(".lock")).unwrap();
    // A finished run needs no checkpoints to be known as one.
    std::fs::remove_dir_all(numbered(4).join("checkpoints")).unwrap();
    let fourth = format!("artifacts/runs/{name}-4");
    let named = ["--resume", "--run", &fourth];
    let (status, stdout, stderr) = train(path, &named);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(
        stdout.starts_with(&format!("{fourth} is finished: 2 of 2 steps are done; for more: ")),
        "{stdout}"
    );
    let (status, _, stderr) = train(path, &["--resume"]);
    assert!(
        status == 2 && stderr.contains("artifacts/runs holds no run that was interrupted; name a run"),
        "{stderr}"
    );
    for (folder, start) in [(runs.join(name), "2026-01-02"), (numbered(3), "2026-01-01")] {
        let manifest = folder.join("manifest.json");
        let mut content: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
        (content["status"], content["start"]) = ("interrupted".into(), format!("{start}T00:00:00Z").into());
        std::fs::write(&manifest, content.to_string()).unwrap();
    }
    let (status, _, stderr) = train(path, &["--resume", "--set", "training.seed=2"]);
    assert!(
        status == 2 && stderr.contains("no run that was interrupted and has these settings"),
        "{stderr}"
    );
    let (status, stdout, stderr) = train(path, &["--resume"]);
    assert!(status == 0 && stdout.starts_with(&format!("artifacts/runs/{name}: ")), "{stdout}");
    assert!(
        stderr.starts_with(&format!("going on with artifacts/runs/{name}, the last of 2 interrupted runs")),
        "{stderr}"
    );
    let (status, stdout, stderr) = train(path, &["--resume"]);
    assert!(status == 0 && stdout.starts_with(&format!("artifacts/runs/{name}-3: ")), "{stdout}");
    assert_eq!(stderr, "");
}

/// What is deleted or cut short while a run trains is written again, whole.
#[test]
fn files_that_are_deleted_while_a_run_trains_are_there_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let arguments = [
        &SMALL[..],
        &[
            "--set",
            "training.steps=2000",
            "--set",
            "evaluation.every=20",
            "--run",
            "run",
            "--quiet",
        ],
    ]
    .concat();
    let mut child = command(folder.path(), &arguments).stdout(Stdio::null()).spawn().unwrap();
    let lines = || {
        std::fs::read_to_string(path.join("metrics.jsonl"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    wait_until("figures", || lines() >= 3);
    let config = std::fs::read(path.join("config.toml")).unwrap();
    std::fs::remove_file(path.join("config.toml")).unwrap();
    std::fs::remove_file(path.join("metrics.jsonl")).unwrap();
    wait_until("figures again", || lines() >= 6);
    File::create(path.join("metrics.jsonl")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read(path.join("config.toml")).unwrap(), config);
    let steps: Vec<u64> = metrics(&path).iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (0..=100).map(|line| 20 * line).collect::<Vec<_>>());
    assert!(train(folder.path(), &["--resume", "--run", "run"]).1.contains("is finished"));
}

/// Checkpoints go on being saved where their folder was deleted, and a run's own folder is not made anew.
#[test]
fn a_deleted_folder_of_checkpoints_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run_folder = RunFolder::create(Some(&path), "", &Config::default()).unwrap();
    let state = |step| TrainingState {
        parameters: random_model(91, 7, 3, 1.0),
        mean_squares: random_mean_squares(92, 7, 3, 1.0),
        chains: None,
        path_entropy_weight: None,
        sampled: None,
        step,
    };
    for step in [2, 3] {
        run_folder.keep_checkpoint(&state(step)).unwrap();
        run_folder.replace_latest(&state(step + 2)).unwrap();
        assert_eq!(last_checkpoint(&path).0, Some(state(step + 2)));
        std::fs::remove_dir_all(path.join("checkpoints")).unwrap();
    }
    std::fs::remove_dir_all(&path).unwrap();
    assert!(run_folder.keep_checkpoint(&state(5)).is_err() && !path.exists());
}
