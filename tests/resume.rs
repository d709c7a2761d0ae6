//! Runs that are killed, stopped or out of disk go on as if nothing had happened.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latent_cycles::record::{self, SampledState, TrainingState};
use serde_json::Value;

use crate::command::{SMALL, metrics, run};
use crate::common::{interrupt, program, signal};

const STEPS: u64 = 2000;

fn train(folder: &Path, backend: &str, more: &[&str]) -> Command {
    let mut command = program();
    command
        .args(["train", "--backend", backend, "--run", "run"])
        .args(["--set", &format!("training.steps={STEPS}"), "--set", "checkpoint.seconds=1"])
        .args(SMALL)
        .args(more)
        .current_dir(folder);
    command
}

fn resume(folder: &Path) -> Command {
    let mut command = program();
    command.args(["train", "--resume", "--run", "run"]).current_dir(folder);
    command
}

/// Everything that a run ends with: the model, the last checkpoint (chains and optimizer in it), the figures without their seconds.
fn result(folder: &Path) -> (Vec<u8>, Vec<u8>, Vec<Value>) {
    result_at(folder, STEPS)
}

/// The same of a run of so many steps.
fn result_at(folder: &Path, steps: u64) -> (Vec<u8>, Vec<u8>, Vec<Value>) {
    let run = folder.join("run");
    let lines = metrics(&run).into_iter().map(|mut line| {
        line.as_object_mut().unwrap().remove("seconds");
        line
    });
    (
        std::fs::read(run.join("model.mpk")).unwrap(),
        std::fs::read(run.join(format!("checkpoints/step-{steps:07}.mpk"))).unwrap(),
        lines.collect(),
    )
}

/// Waits until so many lines of figures are written; `false` if the program ended before.
fn wait_for_lines(child: &mut Child, folder: &Path, lines: usize) -> bool {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap_or_default();
        if text.lines().count() >= lines {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no progress");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn killed_and_resumed_equals_uninterrupted(backend: &str) {
    // At the first line, in the middle of things, and late; some of the time inside a write.
    let kills = [(1, 0), (4, 3), (9, 17), (23, 41), (31, 7)];
    killed_at_equals_uninterrupted(backend, STEPS, &kills, &[]);
}

/// `kills`: after so many lines of figures, and so many milliseconds more.
fn killed_at_equals_uninterrupted(backend: &str, steps: u64, kills: &[(usize, u64)], more: &[&str]) {
    let of_steps = format!("training.steps={steps}");
    let more = [&["--quiet", "--set", &of_steps], more].concat();
    let whole = tempfile::tempdir().unwrap();
    assert_eq!(run(&mut train(whole.path(), backend, &more)).0, 0);
    let expected = result_at(whole.path(), steps);
    assert_eq!(expected.2.len() as u64, steps / 50 + 1);

    let broken = tempfile::tempdir().unwrap();
    let mut killed = 0;
    let mut command = train(broken.path(), backend, &more);
    for &(lines, delay) in kills {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        if wait_for_lines(&mut child, broken.path(), lines) {
            std::thread::sleep(Duration::from_millis(delay));
            killed += 1;
        }
        // SIGKILL: nothing can be tidied up.
        let _ = child.kill();
        child.wait().unwrap();
        command = resume(broken.path());
    }
    assert!(killed + 1 >= kills.len(), "the run was over before it could be killed");
    let (status, _, stderr) = run(&mut command);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let found = result_at(broken.path(), steps);
    assert_eq!(found.2, expected.2, "figures");
    assert!(found.0 == expected.0, "model");
    assert!(found.1 == expected.1, "chains and optimizer");
    let left: Vec<_> = std::fs::read_dir(broken.path().join("run"))
        .unwrap()
        .chain(std::fs::read_dir(broken.path().join("run/checkpoints")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_killed_run_resumes_bit_for_bit_on_ndarray() {
    killed_and_resumed_equals_uninterrupted("ndarray");
}

#[test]
fn a_killed_run_of_latent_layers_with_structure_resumes_bit_for_bit() {
    for latent in [
        "{ kind = \"binary\", units = 3 }",
        "{ kind = \"groups\", sizes = [2, 3] }",
        "{ kind = \"grid\", dimensions = 2, points = 3, range = 2.0 }",
        "[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]",
    ] {
        let latent = format!("model.latent={latent}");
        killed_at_equals_uninterrupted("ndarray", 400, &[(2, 1), (5, 3)], &["--set", &latent]);
    }
}

#[test]
fn a_killed_run_whose_posterior_is_sampled_resumes_bit_for_bit() {
    for (optimizer, layer, tanh) in [("adam", 3, None), ("rmsprop", 3, None), ("adam", 13, Some(7))] {
        let mut more = vec![
            format!("model.latent={{ kind = \"binary\", units = {layer} }}"),
            "training.posterior=recognition".to_owned(),
            format!("training.optimizer={optimizer}"),
        ];
        more.extend(tanh.map(|tanh| format!("model.tanh={tanh}")));
        let more: Vec<&str> = more.iter().flat_map(|setting| ["--set", setting]).collect();
        killed_at_equals_uninterrupted("ndarray", 400, &[(2, 1), (5, 3)], &more);
    }
}

/// What an optimizer remembers must be that of the configuration's: a checkpoint of another is refused before a step is taken.
#[test]
fn a_checkpoint_without_what_a_sampled_posterior_needs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "model.latent={ kind = \"binary\", units = 3 }",
        "training.posterior=recognition",
        "training.steps=50",
    ];
    let more = more.map(|setting| ["--set", setting]).concat();
    assert_eq!(run(&mut train(folder.path(), "ndarray", &more)).0, 0);
    let path = folder.path().join("run/checkpoints/step-0000050.mpk");
    let state = record::load_checkpoint(&path).unwrap();
    let of_rmsprop = state.sampled.clone().map(|sampled| SampledState { means: None, ..sampled });
    for sampled in [None, of_rmsprop] {
        record::save_checkpoint(&path, &TrainingState { sampled, ..state.clone() }).unwrap();
        let (status, _, stderr) = run(resume(folder.path()).args(["--set", "training.steps=100"]));
        assert_eq!(status, 1);
        assert!(stderr.contains("of step 50, is not one of this configuration"), "{stderr}");
    }
}

#[test]
fn a_killed_run_of_a_deeper_chain_with_the_complete_gradient_resumes_bit_for_bit() {
    let more = [
        "model.latent=[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]",
        "training.gradient=complete",
        "training.path_entropy_weight=-0.01",
    ];
    let more = more.map(|setting| ["--set", setting]).concat();
    killed_at_equals_uninterrupted("ndarray", 400, &[(2, 1), (5, 3)], &more);
}

/// The weight is part of the state.
#[test]
fn a_killed_run_whose_path_entropy_production_is_held_at_a_target_resumes_bit_for_bit() {
    for latent in ["{ kind = \"binary\", units = 3 }", "5"] {
        let latent = format!("model.latent={latent}");
        let more = ["--set", &latent, "--set", "training.path_entropy_target=20"];
        killed_at_equals_uninterrupted("ndarray", 400, &[(2, 1), (5, 3)], &more);
    }
}

#[cfg(feature = "flex")]
#[test]
fn a_killed_run_resumes_bit_for_bit_on_flex() {
    killed_and_resumed_equals_uninterrupted("flex");
}

#[test]
fn a_run_is_the_same_on_one_thread() {
    let results = ["1", "2"].map(|threads| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = train(folder.path(), "ndarray", &["--quiet"]);
        assert_eq!(run(command.env("RAYON_NUM_THREADS", threads)).0, 0);
        result(folder.path())
    });
    assert!(results[0] == results[1]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_after_a_step_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = train(folder.path(), "ndarray", &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(wait_for_lines(&mut child, folder.path(), 3));
    // While it runs, its folder is taken. It pauses meanwhile: on a busy machine it might end before the other program starts.
    signal(&child, "STOP");
    let (status, _, stderr) = run(&mut resume(folder.path()));
    assert!(status == 1 && stderr.contains("another process"), "{stderr}");
    interrupt(&child);
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("stopping after the present step") && stderr.lines().count() == 2,
        "{stderr}"
    );
    let manifest = std::fs::read_to_string(folder.path().join("run/manifest.json")).unwrap();
    assert!(manifest.contains("\"interrupted\""));

    let command = stderr.split("go on with: ").nth(1).unwrap();
    let (status, stdout, stderr) = run(Command::new("sh").arg("-c").arg(command).current_dir(folder.path()));
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.lines().next().unwrap().contains("; from step "), "{stdout}");
    let whole = tempfile::tempdir().unwrap();
    assert_eq!(run(&mut train(whole.path(), "ndarray", &["--quiet"])).0, 0);
    assert!(result(folder.path()) == result(whole.path()));
}

/// A limit on the size of files stands in for a full disk: the write that passes it fails.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_latent-cycles");
    let small = SMALL.map(|word| format!("'{word}'")).join(" ");
    // A checkpoint of this run takes 400 KiB; the limit of `ulimit -f` counts 512 bytes in dash and 1,024 in bash.
    let script = format!("ulimit -f 100; exec '{program}' train --quiet --run run --set training.steps=50 {small}");
    let (status, stdout, stderr) = run(Command::new("sh").arg("-c").arg(script).current_dir(folder.path()));
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(
        stderr.contains("step-0000000.mpk: cannot be written") && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path().join("run/checkpoints")).unwrap().count(),
        0,
        "no part of a file"
    );
    let manifest = std::fs::read_to_string(folder.path().join("run/manifest.json")).unwrap();
    assert!(manifest.contains("\"failed\""), "{manifest}");
    // With space again, the run goes on and is the one it would have been.
    assert_eq!(run(&mut resume(folder.path())).0, 0);
}

/// The newest checkpoint is damaged: the run goes on from the one before, says so, and ends the same.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&mut train(folder.path(), "ndarray", &["--quiet"])).0, 0);
    let expected = result(folder.path());
    let path = folder.path().join("run");
    std::fs::remove_file(path.join("model.mpk")).unwrap();
    let last = path.join(format!("checkpoints/step-{STEPS:07}.mpk"));
    let mut bytes = std::fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    let (status, stdout, stderr) = run(&mut resume(folder.path()));
    assert_eq!(status, 0, "{stderr}");
    assert!(
        stderr.contains("is corrupt") && stdout.contains("from step 1778"),
        "{stdout}{stderr}"
    );
    assert!(result(folder.path()) == expected);
}

/// Where no checkpoint can be read, nothing is started over and nothing written over.
#[test]
fn a_run_without_a_readable_checkpoint_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["train", "--quiet", "--run", "run", "--set", "training.steps=3"];
    assert_eq!(run(program().args(short).args(SMALL).current_dir(folder.path())).0, 0);
    let path = folder.path().join("run");
    std::fs::remove_file(path.join("model.mpk")).unwrap();
    for entry in std::fs::read_dir(path.join("checkpoints")).unwrap() {
        std::fs::write(entry.unwrap().path(), b"damaged").unwrap();
    }
    let before = std::fs::read(path.join("metrics.jsonl")).unwrap();
    let (status, _, stderr) = run(&mut resume(folder.path()));
    assert!(status == 1 && stderr.contains("is not a complete record"), "{stderr}");
    assert_eq!(std::fs::read(path.join("metrics.jsonl")).unwrap(), before);
}

#[test]
fn a_run_whose_configuration_was_changed_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["train", "--quiet", "--run", "run", "--set", "training.steps=3"];
    assert_eq!(run(program().args(short).args(SMALL).current_dir(folder.path())).0, 0);
    let path = folder.path().join("run/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("steps = 3", "steps = 10")).unwrap();
    let (status, _, stderr) = run(&mut resume(folder.path()));
    assert!(status == 2 && stderr.contains("was changed since the run began"), "{stderr}");
    std::fs::write(&path, text).unwrap();
    std::fs::remove_dir_all(folder.path().join("run/checkpoints")).unwrap();
    std::fs::remove_file(folder.path().join("run/manifest.json")).unwrap();
    let (status, _, stderr) = run(&mut resume(folder.path()));
    assert!(status == 1 && stderr.contains("the checkpoints are gone"), "{stderr}");
}

/// A run that was killed between its config.toml and its manifest.json could have been for any backend.
#[test]
fn a_run_without_a_manifest_goes_on_only_with_a_named_backend() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["train", "--quiet", "--run", "run", "--set", "training.steps=3"];
    assert_eq!(run(program().args(short).args(SMALL).current_dir(folder.path())).0, 0);
    for entry in std::fs::read_dir(folder.path().join("run")).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str() {
            Some("config.toml" | ".lock") => (),
            _ if path.is_dir() => std::fs::remove_dir_all(path).unwrap(),
            _ => std::fs::remove_file(path).unwrap(),
        }
    }
    let (status, _, stderr) = run(&mut resume(folder.path()));
    assert!(
        status == 2 && stderr == "error: run: there is no manifest.json to say what computed this run; name its backend with --backend\n",
        "{stderr}"
    );
    assert_eq!(run(resume(folder.path()).args(["--backend", "ndarray"])).0, 0);
    assert!(folder.path().join("run/model.mpk").exists());
}

/// A finished run that is given more steps ends where a run ends that had them from the start, if the learning rate is constant; a kill
/// between the files that are replaced leaves a run that can go on.
#[test]
fn a_finished_run_can_be_given_more_steps() {
    let constant = ["--quiet", "--set", "training.schedule=constant"];
    let of_steps = |steps: u64| {
        [&constant[..], &["--set", &format!("training.steps={steps}")]]
            .concat()
            .iter()
            .map(|&s| s.to_owned())
            .collect::<Vec<_>>()
    };
    let trained = |folder: &Path, steps: u64| {
        let more = of_steps(steps);
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        assert_eq!(run(&mut train(folder, "ndarray", &more)).0, 0);
    };
    let whole = tempfile::tempdir().unwrap();
    trained(whole.path(), 300);
    let short = tempfile::tempdir().unwrap();
    trained(short.path(), 100);
    let path = short.path().join("run");
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let (config, manifest) = (read("config.toml"), read("manifest.json"));

    let (status, stdout, stderr) = run(resume(short.path()).args(["--set", "training.steps=300", "--quiet"]));
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
    let (found, expected) = (result_at(short.path(), 300), result_at(whole.path(), 300));
    assert_eq!(found.2, expected.2, "figures");
    assert!(found.0 == expected.0 && found.1 == expected.1, "model, chains and optimizer");
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let whole_config = text(&whole.path().join("run/config.toml"));
    assert_eq!(text(&path.join("config.toml")), whole_config);
    assert!(!text(&path.join("manifest.json")).contains("earlier_config"));

    // Not fewer than are done, and nothing but the number of steps.
    for (setting, words) in [
        (
            "training.steps=200",
            "run has done 300 steps; to go on, set training.steps to more than that",
        ),
        (
            "training.seed=9",
            "was started with another configuration, of which only training.steps can change",
        ),
    ] {
        let (status, _, stderr) = run(resume(short.path()).args(["--set", setting]));
        assert!(status == 2 && stderr.contains(words), "{stderr}");
    }

    // Killed after the manifest was written and before config.toml was: still a run of 100 steps, or again one of 300.
    let mut between: Value = serde_json::from_slice(&manifest).unwrap();
    between["earlier_config"] = between["config"].clone();
    between["config"] = "another".into();
    between["status"] = "running".into();
    std::fs::write(path.join("config.toml"), config).unwrap();
    std::fs::write(path.join("manifest.json"), between.to_string()).unwrap();
    let (status, _, stderr) = run(resume(short.path()).args(["--set", "training.steps=300", "--quiet"]));
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(text(&path.join("config.toml")), whole_config);
}

/// With another schedule the learning rate is from there on that of the longer run, which is said; what is analyzed meanwhile is the last
/// checkpoint and not the model of the shorter run.
#[test]
fn more_steps_with_a_falling_learning_rate_are_said_to_change_it() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&mut train(folder.path(), "ndarray", &["--quiet", "--set", "training.steps=100"])).0,
        0
    );
    let (status, stdout, stderr) = run(resume(folder.path()).args(["--set", "training.steps=400"]));
    assert_eq!((status, stderr.as_str()), (0, ""));
    // Linear from 0.01: at step 100 of 400, 0.0075.
    let said = "the learning rate goes down over all 400 steps instead of 100: it is 7.500e-3 now";
    assert!(stdout.contains(said) && stdout.contains("; from step 100"), "{stdout}");
    let path = folder.path().join("run");
    let manifest = std::fs::read_to_string(path.join("manifest.json")).unwrap();
    std::fs::write(path.join("manifest.json"), manifest.replace("\"finished\"", "\"interrupted\"")).unwrap();
    std::fs::remove_file(path.join("checkpoints/step-0000400.mpk")).unwrap();
    let model = latent_cycles::load(&path).unwrap();
    let checkpoint = latent_cycles::record::load_model(&path.join("checkpoints/step-0000316.mpk")).unwrap();
    assert_eq!(model, checkpoint);
}
