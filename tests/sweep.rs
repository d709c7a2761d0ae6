//! Sweeps through the program: failures that stay alone, kills, Ctrl-C, the page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use crate::command::run;
#[cfg(target_os = "linux")]
use crate::common::children;
use crate::common::{interrupt, program, wait_until};
use crate::plan::plan;

/// Settings of a run of a fraction of a second.
const SMALL: &str = "[set]
data.max_images = 307
data.max_test_images = 53
training = { steps = 40, batch_size = 101, chains = 103 }
evaluation = { every = 20, samples = 53 }
";

fn sweep(folder: &Path, more: &[&str]) -> (i32, String, String) {
    run(program()
        .args(["sweep", "--config", "sweep.toml", "--out", "out"])
        .args(more)
        .current_dir(folder))
}

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("sweep.toml"), text).unwrap();
}

/// The rows of summary.csv by run and column.
fn summary(folder: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join("out/summary.csv")).unwrap();
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(|row| row.unwrap()).map(|row| (row["run"].clone(), row)).collect()
}

fn model(folder: &Path, name: &str) -> PathBuf {
    folder.join("out/runs").join(name).join("model.mpk")
}

fn changed(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// A run that was killed before it wrote its manifest goes on with the sweep's backend; that of a manifest is never exchanged for another.
#[test]
fn a_resumed_sweep_keeps_its_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = format!("analyze = false\n{SMALL}");
    write(path, &text);
    let begun = path.join("out/runs/run");
    std::fs::create_dir_all(&begun).unwrap();
    std::fs::write(path.join("out/sweep.toml"), &text).unwrap();
    std::fs::write(begun.join("config.toml"), plan(&text).runs[0].config.to_toml()).unwrap();
    // So that it fails, and its log stays.
    std::fs::write(begun.join("model.mpk"), "").unwrap();
    let (status, _, stderr) = sweep(path, &["--resume", "--backend", "ndarray"]);
    assert!(status == 1 && stderr.contains("1 of 1 runs failed"), "{stderr}");
    let log = std::fs::read_to_string(path.join("out/runs/run.log")).unwrap();
    assert!(
        log.contains("$ latent-cycles train --quiet --resume --run out/runs/run --backend ndarray"),
        "{log}"
    );

    std::fs::remove_dir_all(path.join("out")).unwrap();
    assert_eq!(sweep(path, &["--quiet"]).0, 0);
    let manifest = begun.join("manifest.json");
    let other = std::fs::read_to_string(&manifest).unwrap().replace("\"ndarray\"", "\"abacus\"");
    std::fs::write(&manifest, other).unwrap();
    let (status, _, stderr) = sweep(path, &["--resume"]);
    assert!(
        status == 2 && stderr.contains("was made with backend abacus, and ndarray is asked for"),
        "{stderr}"
    );
}

/// One of six runs cannot train: the others do, as `train` alone would; a second sweep does only what is new.
#[test]
fn a_failing_run_neither_stops_nor_hides_in_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = format!(
        "title = \"A < B\"\nbaseline = \"small\"\nsamples = 32\n{SMALL}[grid]\ntraining.seed = [1, 2]\n[[variants]]\nname = \"small\"\nset.model.latent = 3\n\
         [[variants]]\nname = \"large\"\nset.model.latent = 5\n[[variants]]\nname = \"hungry\"\nset.training.batch_size = 400\ngrid.training.seed = [1]"
    );
    write(path, &text);
    let (status, stdout, stderr) = sweep(path, &["--jobs", "2"]);
    assert_eq!((status, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(
        stderr.contains("1 of 5 runs failed: hungry-seed-1; see out/report.html and out/runs/hungry-seed-1.log"),
        "{stderr}"
    );
    assert!(
        stdout.contains("small-seed-2: log-likelihood -") && stdout.contains("5/5  "),
        "{stdout}"
    );
    let log = std::fs::read_to_string(path.join("out/runs/hungry-seed-1.log")).unwrap();
    assert!(
        log.contains("$ latent-cycles train --quiet") && log.contains("error: training.batch_size"),
        "{log}"
    );

    let rows = summary(path);
    let figure = |run: &str, key: &str| rows[run][key].parse::<f64>().unwrap_or_else(|_| panic!("{:?}", rows[run]));
    for run in ["small-seed-1", "small-seed-2", "large-seed-1", "large-seed-2"] {
        assert_eq!((rows[run]["status"].as_str(), rows[run]["steps"].as_str()), ("finished", "40"));
        assert!(figure(run, "log_likelihood_test") < 0.0);
        assert!(figure(run, "entropy_production_low") < figure(run, "entropy_production"));
        assert!(figure(run, "entropy_production") < figure(run, "entropy_production_high"));
        let analysis = crate::analyze::analysis(&path.join("out/runs").join(run).join("analysis"));
        assert_eq!(
            figure(run, "self_transition"),
            analysis["self_transition"]["value"].as_f64().unwrap()
        );
        assert!(!path.join(format!("out/runs/{run}.log")).exists() && !path.join(format!("out/runs/{run}.toml")).exists());
    }
    assert_eq!(
        (
            rows["large-seed-1"]["variant"].as_str(),
            rows["large-seed-1"]["model.latent"].as_str()
        ),
        ("large", "5")
    );
    assert_eq!(rows["hungry-seed-1"]["status"], "failed");
    assert!(rows["hungry-seed-1"]["error"].starts_with("training.batch_size is 400; it must be at most"));
    assert_eq!(rows["hungry-seed-1"]["entropy_production"], "");

    let page = std::fs::read_to_string(path.join("out/report.html")).unwrap();
    assert_eq!(check_page(&page, &path.join("out")), 4 * 4, "four plots of four runs");
    assert!(page.contains("<h1>A &lt; B</h1>") && page.contains("Failed runs") && page.contains("Differences from small"));
    let summary_json = std::fs::read(path.join("out/summary.json")).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&summary_json).unwrap();
    let mean = found["differences"][0]["figures"]["log_likelihood_test"]["difference"]["mean"]
        .as_f64()
        .unwrap();
    let of_seed = |seed: u32| {
        figure(&format!("large-seed-{seed}"), "log_likelihood_test") - figure(&format!("small-seed-{seed}"), "log_likelihood_test")
    };
    assert!((mean - 0.5 * (of_seed(1) + of_seed(2))).abs() < 1e-12, "{found}");

    // A run of a sweep is the run that `train` makes of its configuration.
    let alone = [
        "train",
        "--quiet",
        "--config",
        "out/runs/large-seed-2/config.toml",
        "--run",
        "alone",
    ];
    assert_eq!(run(program().args(alone).current_dir(path)).0, 0);
    let bytes = |path: &Path| std::fs::read(path).unwrap();
    assert!(
        bytes(&model(path, "large-seed-2")) == bytes(&path.join("alone/model.mpk")),
        "bit for bit"
    );

    // Without --resume the folder is taken; with it, only what is new is done, and what is no longer asked for is left out.
    assert_eq!(sweep(path, &[]).0, 2);
    let before = changed(&model(path, "large-seed-2"));
    let analysis = path.join("out/runs/large-seed-2/analysis/analysis.json");
    let analyzed = changed(&analysis);
    let text = text
        .replace("training.seed = [1, 2]", "training.seed = [2, 3]")
        .replace("batch_size = 400", "batch_size = 300");
    write(path, &text);
    let (status, stdout, stderr) = sweep(path, &["--resume"]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("5 runs, 2 of them finished before"), "{stdout}");
    assert_eq!((changed(&model(path, "large-seed-2")), changed(&analysis)), (before, analyzed));
    let rows = summary(path);
    assert_eq!(rows.len(), 5);
    assert!(rows.values().all(|row| row["status"] == "finished") && !rows.contains_key("large-seed-1"));
    assert!(model(path, "large-seed-1").is_file());
    assert_eq!(std::fs::read_to_string(path.join("out/sweep.toml")).unwrap(), text);
    let page = std::fs::read_to_string(path.join("out/report.html")).unwrap();
    assert_eq!(check_page(&page, &path.join("out")), 4 * 5);

    // A run that was made with another configuration is named; so is one of another backend.
    write(path, &text.replace("steps = 40", "steps = 41"));
    let (status, _, stderr) = sweep(path, &["--resume"]);
    assert!(
        status == 2 && stderr.contains("out/runs/small-seed-2 was made with another configuration"),
        "{stderr}"
    );
    write(path, &text);
    let (status, _, stderr) = sweep(path, &["--resume", "--backend", "flex"]);
    assert!(
        status == 2 && stderr.contains("was made with backend ndarray, and flex is asked for"),
        "{stderr}"
    );
}

/// Tags that close in order, links that lead to files; the number of points.
fn check_page(page: &str, folder: &Path) -> usize {
    let mut open = Vec::new();
    let body = &page[page.rfind("</style>").unwrap()..];
    for tag in body.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        match tag {
            _ if tag.starts_with('/') && name == "style" || name == "input" => (),
            _ if tag.ends_with('/') => (),
            _ if tag.starts_with('/') => match name {
                "head" | "html" => (),
                _ => assert_eq!(open.pop(), Some(name), "{tag}"),
            },
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let links = page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let elsewhere = ["data:", "https://arxiv.org/abs/2512.11415"];
    for link in links.filter(|link| !elsewhere.iter().any(|start| link.starts_with(start))) {
        assert!(folder.join(link).is_file(), "{link}");
    }
    body.matches("<circle").count()
}

/// Without analyses the figures are those of metrics.jsonl, and points lead nowhere.
#[test]
fn a_sweep_without_analyses_uses_the_figures_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, &format!("analyze = false\n{SMALL}[grid]\nmodel.latent = [3]\n"));
    let (status, stdout, stderr) = sweep(path, &["--quiet"]);
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
    let rows = summary(path);
    let lines = crate::command::metrics(&path.join("out/runs/latent-3"));
    for key in ["log_likelihood_train", "entropy_production", "path_entropy_production"] {
        assert_eq!(
            rows["latent-3"][key].parse::<f64>().unwrap(),
            lines.last().unwrap()[key].as_f64().unwrap()
        );
    }
    assert_eq!(
        (
            rows["latent-3"]["entropy_production_low"].as_str(),
            rows["latent-3"]["relaxation_time"].as_str()
        ),
        ("", "")
    );
    let page = std::fs::read_to_string(path.join("out/report.html")).unwrap();
    assert_eq!(check_page(&page, &path.join("out")), 4);
    assert!(!page.contains("runs/latent-3"));
    // Asked for later, the analysis is all that is done.
    let before = changed(&model(path, "latent-3"));
    write(path, &format!("samples = 32\n{SMALL}[grid]\nmodel.latent = [3]\n"));
    assert_eq!(sweep(path, &["--resume", "--quiet"]).0, 0);
    assert_eq!(changed(&model(path, "latent-3")), before);
    assert!(!summary(path)["latent-3"]["entropy_production_low"].is_empty());
}

/// After SIGKILL the sweep goes on, waits for a run that another process is at work on, repeats no finished run, and ends as if nothing had
/// happened.
#[test]
fn a_killed_sweep_goes_on_without_repeating_a_run() {
    let text = format!("samples = 32\n{SMALL}model.latent = 3\n[grid]\ntraining.seed = \"1..4\"\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, &text);
    let mut command = program();
    command
        .args(["sweep", "--config", "sweep.toml", "--out", "out", "--jobs", "1"])
        .current_dir(path);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("two runs", || path.join("out/runs/seed-2/analysis/report.html").is_file());
    child.kill().unwrap();
    child.wait().unwrap();
    let times = |names: &[&str]| names.iter().map(|name| changed(&model(path, name))).collect::<Vec<_>>();
    let before = times(&["seed-1", "seed-2"]);
    // Someone who still trains a run holds its folder: the sweep says so and waits, until it is stopped or the folder is free.
    let third = path.join("out/runs/seed-3");
    std::fs::create_dir_all(&third).unwrap();
    let lock = std::fs::File::create(third.join(".lock")).unwrap();
    wait_until("the child left behind", || lock.try_lock().is_ok());
    if !third.join("config.toml").is_file() {
        std::fs::write(third.join("config.toml"), plan(&text).runs[2].config.to_toml()).unwrap();
    }
    // However far it came: to be waited for it must be unfinished.
    let _ = std::fs::remove_file(third.join("model.mpk"));
    command.arg("--resume");
    let mut resume = || {
        let said = std::fs::File::create(path.join("stdout")).unwrap();
        let child = command.stdout(said).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the sweep waits", || {
            let said = std::fs::read_to_string(path.join("stdout")).unwrap();
            said.contains("another process is at work on seed-3; waiting for it to end")
        });
        child
    };
    let child = resume();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && stderr.contains("stopped with 2 of 4 runs left"),
        "{stderr}"
    );
    let child = resume();
    drop(lock);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    assert_eq!(times(&["seed-1", "seed-2"]), before);
    assert!(summary(path).values().all(|row| row["status"] == "finished"));
    let bytes = |name: &str| std::fs::read(model(path, name)).unwrap();
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), &text);
    assert_eq!(sweep(whole.path(), &["--quiet"]).0, 0);
    for name in ["seed-1", "seed-2", "seed-3", "seed-4"] {
        assert!(bytes(name) == std::fs::read(model(whole.path(), name)).unwrap(), "{name}");
    }
}

/// Ctrl-C stops every child with a checkpoint, writes what there is and says how to go on; each child has its share of the cores.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_stops_the_runs_of_a_sweep() {
    let text =
        format!("analyze = false\n{SMALL}model.latent = 3\n[grid]\ntraining.seed = \"1..3\"\n").replace("steps = 40", "steps = 3000");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, &text);
    let mut command = program();
    command
        .args(["sweep", "--config", "sweep.toml", "--out", "out", "--jobs", "2"])
        .current_dir(path);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let trains = |seed: u32| {
        path.join(format!("out/runs/seed-{seed}/metrics.jsonl"))
            .metadata()
            .is_ok_and(|file| file.len() > 0)
    };
    wait_until("two runs", || trains(1) && trains(2));
    let cores = std::thread::available_parallelism().unwrap().get();
    let share = format!("RAYON_NUM_THREADS={}", (cores / 2).max(1));
    let environment = |process: &u32| String::from_utf8_lossy(&std::fs::read(format!("/proc/{process}/environ")).unwrap()).into_owned();
    let environments: Vec<String> = children(&child).iter().map(environment).collect();
    assert_eq!(environments.len(), 2);
    assert!(
        environments
            .iter()
            .all(|environment| environment.split('\0').any(|variable| variable == share))
    );
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 2), "{stderr}");
    assert!(stderr.contains("stopped with 3 of 3 runs left; go on with: "), "{stderr}");
    for seed in [1, 2] {
        let manifest = std::fs::read_to_string(path.join(format!("out/runs/seed-{seed}/manifest.json"))).unwrap();
        assert!(manifest.contains("\"interrupted\""), "{manifest}");
    }
    assert!(
        summary(path)
            .values()
            .all(|row| row["status"] == "missing" && row["error"].is_empty())
    );
    check_page(&std::fs::read_to_string(path.join("out/report.html")).unwrap(), &path.join("out"));
    let command = stderr.split("go on with: ").nth(1).unwrap();
    let (status, _, stderr) = run(std::process::Command::new("sh").arg("-c").arg(command).current_dir(path));
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(
        summary(path)
            .values()
            .all(|row| row["status"] == "finished" && row["steps"] == "3000")
    );
}
