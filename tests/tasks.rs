//! Sweeps in tasks: commands that other engines run, scripts for Slurm, and folders that other hosts hold. A real Slurm is asked by .ci/slurm.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::command::run;
use crate::common::{program, wait_until};

const SWEEP: &str = "samples = 32
[set]
data.max_images = 307
data.max_test_images = 53
model.latent = 3
training = { steps = 40, batch_size = 101, chains = 103 }
evaluation = { every = 20, samples = 53 }
[grid]
training.seed = \"1..5\"
";

/// Where no command of Slurm is found.
fn without_slurm(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let none = folder.join("none");
    std::fs::create_dir_all(&none).unwrap();
    run(sweep(folder, arguments).env("PATH", none))
}

fn sweep(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command
        .args(["sweep", "--config", "sweep.toml"])
        .args(arguments)
        .current_dir(folder);
    command
}

fn begin(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sweep.toml"), text).unwrap();
    folder
}

/// The commands of a list, run by a shell in any order, and a summary at the end give the bytes of a sweep in one piece; none does anything twice.
#[test]
fn a_sweep_in_tasks_is_that_in_one_piece() {
    let folder = begin(SWEEP);
    let path = folder.path();
    assert_eq!(run(&mut sweep(path, &["--out", "whole", "--quiet"])).0, 0);
    let (status, list, stderr) = run(&mut sweep(path, &["--out", "parts", "--list", "--runs-per-task", "2"]));
    assert!(
        status == 0 && stderr.contains("5 runs in 3 tasks: 2 in a task, as asked for"),
        "{stderr}"
    );
    let commands: Vec<&str> = list.lines().collect();
    assert!(
        commands.len() == 3 && commands[2].ends_with(" --only seed-5") && commands[0].ends_with(" --only seed-1 seed-2"),
        "{list}"
    );
    let shell = |command: &str| run(Command::new("sh").args(["-c", command]).current_dir("/"));
    for command in commands.iter().rev() {
        let (status, stdout, stderr) = shell(command);
        assert!(status == 0 && stderr.is_empty(), "{command}: {stdout}{stderr}");
    }
    assert!(!path.join("parts/summary.csv").exists());
    let (_, stdout, _) = shell(commands[0]);
    assert!(stdout.contains("2 runs, 2 of them finished before"), "{stdout}");

    let (status, stdout, _) = run(&mut sweep(path, &["--out", "parts", "--status"]));
    assert!(
        status == 0 && stdout.starts_with("5 runs: 5 finished, 0 failed, 0 begun"),
        "{stdout}"
    );
    assert_eq!(run(&mut sweep(path, &["--out", "parts", "--collect", "--quiet"])).0, 0);
    let bytes = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert!(bytes("parts/summary.csv") == bytes("whole/summary.csv") && bytes("parts/summary.json") == bytes("whole/summary.json"));
    assert!(path.join("parts/report.html").is_file());
    for seed in 1..=5 {
        let model = |folder: &str| bytes(&format!("{folder}/runs/seed-{seed}/model.mpk"));
        assert!(model("parts") == model("whole"), "seed {seed}");
    }
    // Nothing is left, and how long a run takes is known by now.
    let (status, list, stderr) = run(&mut sweep(path, &["--out", "parts", "--list", "--resume"]));
    assert!(
        status == 0 && list.is_empty() && stderr.contains("0 runs in 0 tasks: ") && stderr.contains(" s a run"),
        "{stderr}"
    );
}

/// Of several processes that begin a run at the same moment one trains it, and the others wait for it.
#[test]
fn a_run_that_is_begun_several_times_at_once_is_trained_once() {
    let folder = begin(SWEEP);
    let path = folder.path();
    assert_eq!(run(&mut sweep(path, &["--out", "whole", "--quiet"])).0, 0);
    let (_, list, _) = run(&mut sweep(path, &["--out", "parts", "--list", "--runs-per-task", "1", "--quiet"]));
    for command in list.lines().take(3) {
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| run(Command::new("sh").args(["-c", command]))))
                .collect();
            for other in others {
                let (status, stdout, stderr) = other.join().unwrap();
                assert!(status == 0 && stderr.is_empty(), "{command}: {stdout}{stderr}");
            }
        });
    }
    for seed in 1..=3 {
        let model = |folder: &str| std::fs::read(path.join(format!("{folder}/runs/seed-{seed}/model.mpk"))).unwrap();
        assert!(model("parts") == model("whole"), "seed {seed}");
        assert!(!path.join(format!("parts/runs/seed-{seed}.error")).exists(), "seed {seed}");
    }
}

/// A run that fails in a task is known to have failed to those who come later, with the reason, until it is tried again.
#[test]
fn failures_of_tasks_are_kept() {
    let folder = begin(&SWEEP.replace("batch_size = 101", "batch_size = 400"));
    let path = folder.path();
    let list = ["--out", "out", "--list", "--quiet", "--seconds-per-run", "1", "--task-minutes", "1"];
    let (_, list, _) = run(&mut sweep(path, &list));
    assert_eq!(list.lines().count(), 1, "five runs of a second in a minute: {list}");
    let (status, _, stderr) = run(Command::new("sh").args(["-c", list.trim()]));
    assert!(
        status == 1 && stderr.contains("5 of 5 runs failed: seed-1, seed-2") && stderr.contains("runs/seed-1.log"),
        "{stderr}"
    );
    let (status, stdout, _) = run(&mut sweep(path, &["--out", "out", "--status"]));
    assert!(
        status == 0 && stdout.starts_with("5 runs: 0 finished, 5 failed, 0 begun"),
        "{stdout}"
    );
    let (status, _, stderr) = run(&mut sweep(path, &["--out", "out", "--collect"]));
    assert!(status == 1 && stderr.contains("5 of 5 runs failed"), "{stderr}");
    let summary = std::fs::read_to_string(path.join("out/summary.csv")).unwrap();
    assert!(
        summary.contains("failed,") && summary.contains("training.batch_size is 400"),
        "{summary}"
    );
}

/// The scripts are written without Slurm, can be read by bash, and stay as they are when more are written; nothing is submitted without it.
#[test]
fn scripts_for_slurm_are_written_before_they_are_submitted() {
    let folder = begin(SWEEP);
    let path = folder.path();
    let arguments = [
        "--out",
        "out dir",
        "--slurm",
        "--runs-per-task",
        "2",
        "--slurm-args",
        "--partition=long -A physics --time=10 --gres=gpu:1",
    ];
    let (status, stdout, stderr) = without_slurm(path, &arguments);
    assert!(
        status == 0 && stdout.contains("5 runs in 3 tasks") && stderr.contains("scontrol cannot be started"),
        "{stdout}{stderr}"
    );
    let submission = path.join("out dir/slurm/1");
    let text = |name: &str| std::fs::read_to_string(submission.join(name)).unwrap();
    assert_eq!(text("tasks"), "seed-1 seed-2\nseed-3 seed-4\nseed-5\n");
    let (array, collect, submit) = (text("array.sh"), text("collect.sh"), text("submit.sh"));
    assert!(
        array.contains("\n#SBATCH --partition=long -A physics --time=10 --gres=gpu:1\n"),
        "{array}"
    );
    assert!(
        array.contains(&format!("#SBATCH --output=\"{}/logs/%A_%a.log\"", submission.display())),
        "{array}"
    );
    // The summary needs what lets it in, and no GPU.
    assert!(
        collect.contains("#SBATCH --partition=long\n#SBATCH --account=physics\n") && !collect.contains("gres"),
        "{collect}"
    );
    assert!(submit.contains("first += 1001"), "Slurm's default: {submit}");
    assert!(submission.join("logs").is_dir());
    for name in ["array.sh", "collect.sh", "submit.sh"] {
        let (status, _, stderr) = run(Command::new("bash").arg("-n").arg(submission.join(name)));
        assert!(status == 0, "{name}: {stderr}");
    }

    std::fs::write(submission.join("array.sh"), "changed by hand").unwrap();
    let again = ["--out", "out dir", "--slurm", "--resume"];
    assert_eq!(without_slurm(path, &again).0, 0);
    assert_eq!(text("array.sh"), "changed by hand");
    assert_eq!(
        std::fs::read_to_string(path.join("out dir/slurm/2/tasks")).unwrap().lines().count(),
        5
    );

    let (status, _, stderr) = without_slurm(path, &["--out", "out dir", "--slurm", "--resume", "--submit"]);
    assert!(
        status == 1 && stderr.starts_with("error: scontrol cannot be started; is this a machine from which jobs are submitted"),
        "{stderr}"
    );
    assert!(!path.join("out dir/slurm/3").exists());
}

/// What cannot be done is refused with a sentence before anything is written.
#[test]
fn tasks_refuse_what_they_cannot_do() {
    let folder = begin(SWEEP);
    let path = folder.path();
    let refused = |arguments: &[&str], sentence: &str| {
        let (status, stdout, stderr) = without_slurm(path, arguments);
        assert!(
            status == 2 && stdout.is_empty() && stderr.contains(sentence),
            "{arguments:?}: {stderr}"
        );
    };
    for mode in [&["--status"][..], &["--collect"], &["--only", "seed-1"]] {
        refused(&[mode, &["--out", "out"]].concat(), "out holds no sweep (no sweep.toml)");
    }
    refused(
        &["--out", "out", "--slurm", "--slurm-args", "--array=1-3"],
        "--slurm-args has --array=1-3, which the scripts set themselves",
    );
    refused(
        &["--out", "out", "--slurm", "--slurm-args", "--time=1\nrm"],
        "--slurm-args has more than one line",
    );
    refused(&["--out", "a\"b", "--slurm"], "cannot be the folder of a sweep for Slurm");
    assert!(!path.join("out").exists() && !path.join("a\"b").exists());
    refused(&["--runs-per-task", "2"], "--list|--slurm");
    refused(&["--slurm", "--list"], "cannot be used with");
    refused(&["--submit"], "--slurm");
    refused(&["--list", "--runs-per-task", "0"], "0 is not in 1..");

    assert_eq!(without_slurm(path, &["--out", "out", "--list", "--quiet"]).0, 0);
    refused(&["--out", "out", "--list"], "out exists already");
    refused(
        &["--out", "out", "--only", "seed-1", "seed-9"],
        "--only names seed-9, and sweep.toml asks for no run of that name",
    );
}

/// A claim of another host is respected while its beat changes, whether or not the lock of the file is free.
#[test]
fn a_run_that_another_host_holds_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = |more: &[&str]| {
        let settings = [
            "--set",
            "training.steps=60",
            "--set",
            "data.max_images=307",
            "--set",
            "training.batch_size=101",
        ];
        run(program().args(["train", "--quiet"]).args(settings).args(more).current_dir(path))
    };
    assert_eq!(train(&["--run", "run"]).0, 0);
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter(|name| name.starts_with(".claim")).collect::<Vec<_>>()
    };
    assert_eq!(names(&path.join("run")), Vec::<String>::new(), "given up at the end");
    let claim = path.join("run/.claim-7");
    let beat = |number: u32| {
        let text = format!("{{\"holder\":{{\"host\":\"elsewhere\",\"process\":1,\"since\":2}},\"beat\":\"{number:012}\"}}");
        std::fs::write(&claim, text).unwrap();
    };
    beat(0);
    let alive = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1.. {
                if !alive.load(Ordering::Relaxed) {
                    break;
                }
                beat(number);
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        let (status, _, stderr) = run(program().args(["train", "--quiet", "--resume", "--run", "run"]).current_dir(path));
        alive.store(false, Ordering::Relaxed);
        assert!(
            status == 1 && stderr.contains("run is being trained by another process"),
            "{stderr}"
        );
    });
    assert_eq!(names(&path.join("run")), [".claim-7"]);
}

/// The claim of a process of this host that was killed is taken over at once, by the next number.
#[cfg(target_os = "linux")]
#[test]
fn the_claim_of_a_killed_process_is_taken_over_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let arguments = [
        "train",
        "--quiet",
        "--run",
        "run",
        "--set",
        "training.steps=300000",
        "--set",
        "checkpoint.seconds=1",
    ];
    let mut child = program().args(arguments).current_dir(path).spawn().unwrap();
    wait_until("a checkpoint", || path.join("run/checkpoints/latest.mpk").is_file());
    let claim = std::fs::read_to_string(path.join("run/.claim-1")).unwrap();
    let found: BTreeMap<String, serde_json::Value> = serde_json::from_str(&claim).unwrap();
    assert_eq!(found["holder"]["process"].as_u64(), Some(u64::from(child.id())), "{claim}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(path.join("run/.claim-1").is_file(), "a killed process gives up nothing");
    let mut child = program()
        .args(["train", "--quiet", "--resume", "--run", "run"])
        .current_dir(path)
        .spawn()
        .unwrap();
    wait_until("the next claim", || path.join("run/.claim-2").is_file());
    wait_until("the tidying", || !path.join("run/.claim-1").exists());
    child.kill().unwrap();
    child.wait().unwrap();
}
