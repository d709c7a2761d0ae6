//! The program as a user runs it: the README's commands, what they print and leave behind.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{program, root};

pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

pub fn metrics(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The first command of the README, as it stands there, and the figures that the README promises for it.
#[test]
fn the_default_run_reaches_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = run(program().arg("train").current_dir(&folder));
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let path = folder.path().join("artifacts/runs/default-ndarray-1");
    let lines = metrics(&path);
    assert_eq!(lines.len(), 61);
    let last = lines.last().unwrap();
    let figure = |key: &str| last[key].as_f64().unwrap();
    assert_eq!(last["step"], 6000);
    assert!(figure("log_likelihood_train") >= -136.0, "{last}");
    assert!(
        (figure("log_likelihood_train") - figure("log_likelihood_test")).abs() <= 1.5,
        "{last}"
    );
    assert!(figure("self_transition") <= 0.05, "{last}");
    assert!(figure("entropy_production") >= 3.0, "{last}");
    assert!(figure("path_entropy_production") >= figure("entropy_production"), "{last}");
    assert!(figure("class_kl") < 0.01, "{last}");
    let first = &lines[0];
    assert!(first["log_likelihood_train"].as_f64().unwrap() < -190.0 && first["entropy_production"].as_f64().unwrap() < 1.0);

    let manifest = json(&path.join("manifest.json"));
    assert_eq!((&manifest["status"], &manifest["step"]), (&"finished".into(), &6000.into()));
    assert_eq!(manifest["data"]["train_images"], 3119);
    assert_eq!(manifest["backend"], "ndarray");
    let (first_line, last_line) = (stdout.lines().next().unwrap(), stdout.lines().last().unwrap());
    assert!(first_line.contains(manifest["device"].as_str().unwrap()), "{first_line}");

    // The kept checkpoints: four a decade, the start and the end.
    let mut checkpoints: Vec<String> = std::fs::read_dir(path.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    checkpoints.sort();
    let steps = [0, 1, 2, 3, 6, 10, 18, 32, 56, 100, 178, 316, 562, 1000, 1778, 3162, 5623, 6000];
    assert_eq!(checkpoints, steps.map(|step| format!("step-{step:07}.mpk")));
    let picture = image::open(path.join("samples.png")).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (582, 582));
    let lit = picture.pixels().filter(|pixel| pixel.0[0] == 255).count() as f64 / 582.0 / 582.0;
    assert!((0.05..0.3).contains(&lit), "{lit} of the picture is lit");

    // The next command that the last line names keeps its promises: every transition within 10%, both entropy productions within 1%.
    let next = last_line.split("next: ").nth(1).unwrap();
    let (status, stdout, stderr) = run(Command::new("sh").arg("-c").arg(next).current_dir(&folder));
    assert_eq!((status, stderr.as_str()), (0, ""), "{next}: {stdout}");
    let found = crate::analyze::analysis(&path.join("analysis"));
    let precision = |key: &str| found["precision"][key].as_f64().unwrap();
    assert!(precision("worst_transition") <= 0.1 && found["precision"]["transitions_above_10_percent"] == 0);
    assert!(precision("entropy_production") <= 0.01 && precision("path_entropy_production") <= 0.01);
    let value = |key: &str| found[key]["value"].as_f64().unwrap();
    assert!(value("entropy_production") >= 3.0 && value("self_transition") <= 0.05);
    assert!((value("log_likelihood_train") - figure("log_likelihood_train")).abs() < 0.02);

    let export = ["export", "artifacts/runs/default-ndarray-1", "--out", "model.safetensors"];
    let (status, stdout, stderr) = run(program().args(export).current_dir(&folder));
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(stdout.contains("forward [784, 10]"), "{stdout}");
    let imported = ["import", "model.safetensors", "--run", "back"];
    let (status, stdout, _) = run(program().args(imported).current_dir(&folder));
    assert_eq!(status, 0);
    let next = stdout.trim().split("next: ").nth(1).unwrap().to_owned() + " --samples 320";
    assert_eq!(run(Command::new("sh").arg("-c").arg(&next).current_dir(&folder)).0, 0, "{next}");
    assert!(folder.path().join("back/analysis/report.html").is_file());
    let refused = run(program().args(["train", "--resume", "--run", "back"]).current_dir(&folder));
    assert!(refused.0 == 2 && refused.2.contains("an imported model"), "{refused:?}");
    let model = |folder: &Path| std::fs::read(folder.join("model.mpk")).unwrap();
    assert_eq!(model(&folder.path().join("back")), model(&path), "out and back, bit for bit");
    let finished = ["train", "--resume", "--run", "artifacts/runs/default-ndarray-1"];
    let finished = run(program().args(finished).current_dir(&folder));
    assert!(finished.0 == 0 && finished.1.contains("is finished"), "{finished:?}");
}

/// A run of a few seconds.
pub const SMALL: [&str; 12] = [
    "--set",
    "data.max_images=307",
    "--set",
    "model.latent=5",
    "--set",
    "training.batch_size=101",
    "--set",
    "training.chains=103",
    "--set",
    "evaluation.samples=53",
    "--set",
    "evaluation.every=50",
];

/// The same few steps on every backend: they start alike, learn, and stay close; a pixel that f32 rounds to the other side of its
/// uniform is all that can part them.
#[test]
fn every_backend_learns() {
    let all = std::cell::RefCell::new(Vec::<(f64, f64)>::new());
    crate::common::on_every_backend("learning", |numerics| {
        let backend = numerics.device().backend;
        let folder = tempfile::tempdir().unwrap();
        let (status, stdout, stderr) = run(program()
            .args(["train", "--backend", backend, "--run", "run", "--set", "training.steps=100"])
            .args(SMALL)
            .current_dir(&folder));
        assert_eq!(status, 0, "{backend}: {stderr}");
        assert!(stdout.lines().next().unwrap().contains(&numerics.device().name), "{stdout}");
        let lines = metrics(&folder.path().join("run"));
        let likelihood = |line: &Value| line["log_likelihood_train"].as_f64().unwrap();
        assert!(likelihood(&lines[2]) > likelihood(&lines[0]) + 5.0, "{backend}: {lines:?}");
        assert_eq!(
            json(&folder.path().join("run/manifest.json"))["device"],
            numerics.device().name.as_str()
        );
        all.borrow_mut().push((likelihood(&lines[0]), likelihood(&lines[2])));
    });
    let expected = all.borrow()[0];
    for (first, last) in all.borrow().iter() {
        assert_eq!(*first, expected.0, "one start");
        assert!((last - expected.1).abs() < 1.0, "{last} {}", expected.1);
    }
}

/// Every start and schedule, stochastic pixels, several chain steps, a record made on another backend.
#[test]
fn every_option_trains() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, more: &[&str]| {
        let (status, _, stderr) = run(program()
            .args(["train", "--quiet", "--run", name, "--set", "training.steps=30"])
            .args(SMALL)
            .args(more)
            .current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""), "{name}");
        metrics(&folder.path().join(name))
    };
    let random = train("random", &[]);
    let reversible = train("reversible", &["--set", "model.init=reversible"]);
    let sigma = |lines: &[Value], key: &str| lines[0][key].as_f64().unwrap();
    // The path's figure sees the start's reversibility past the kernel's noise.
    assert!(sigma(&reversible, "path_entropy_production").abs() < 0.2 * sigma(&random, "path_entropy_production"));
    for more in [
        ["--set", "training.schedule=cosine"],
        ["--set", "training.schedule=constant"],
        ["--set", "training.chain_steps=3"],
        ["--set", "data.binarize=stochastic"],
        ["--set", "data.classes=all"],
        ["--set", "model.latent=1"],
        ["--set", "model.latent=2"],
    ] {
        train(&more[1].replace('=', "-"), &more);
    }
    let again = train(
        "again",
        &[
            "--backend",
            "ndarray",
            "--set",
            "model.init=record",
            "--set",
            "model.record=random/model.mpk",
        ],
    );
    let close = again[0]["log_likelihood_train"].as_f64().unwrap() - random.last().unwrap()["log_likelihood_train"].as_f64().unwrap();
    assert!(close.abs() < 0.5, "goes on where the record was: {close}");
    train(
        "from-checkpoint",
        &[
            "--set",
            "model.init=record",
            "--set",
            "model.record=random/checkpoints/step-0000010.mpk",
        ],
    );
}

#[test]
fn own_images_of_any_size_train_with_and_without_labels_and_tests() {
    let folder = tempfile::tempdir().unwrap();
    let grey: Vec<u8> = (0..211 * 35).map(|n: u32| if n * n % 11 < 3 + n % 3 { 255 } else { 0 }).collect();
    let labels: Vec<u8> = (0..211).map(|n: u32| (n % 3) as u8).collect();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("images", crate::data::idx_bytes(&[211, 5, 7], &grey));
    write("labels.gz", crate::data::gzip(&crate::data::idx_bytes(&[211], &labels)));
    write(
        "own.toml",
        b"[data]\nsource = \"idx\"\nimages = \"images\"\nclasses = \"all\"\n[training]\nsteps = 20\nbatch_size = 101\nchains = 11\n"
            .to_vec(),
    );
    for (more, test, kl) in [
        (vec![], false, false),
        (vec!["data.labels=labels.gz"], false, true),
        (
            vec!["data.labels=labels.gz", "data.test_images=images", "data.test_labels=labels.gz"],
            true,
            true,
        ),
        (vec!["data.test_images=images"], true, false),
    ] {
        let mut command = program();
        command.args(["train", "--config", "own.toml"]).current_dir(&folder);
        more.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let (status, stdout, stderr) = run(&mut command);
        assert_eq!(status, 0, "{stderr}");
        let path = stdout.split(": ").next().unwrap();
        let last = metrics(&folder.path().join(path)).pop().unwrap();
        assert_eq!(
            (last["log_likelihood_test"].is_number(), last["class_kl"].is_number()),
            (test, kl),
            "{last}"
        );
    }
    // Runs without a name are called after what was set.
    let names = [
        "own-ndarray-1",
        "own-labels-labels.gz-ndarray-1",
        "own-labels-labels.gz-test_images-images-test_labels-labels.gz-ndarray-1",
        "own-test_images-images-ndarray-1",
    ];
    for name in names {
        assert!(
            folder.path().join("artifacts/runs").join(name).join("samples.png").is_file(),
            "{name}"
        );
    }
}

#[test]
fn every_command_has_help_with_an_example_and_a_version() {
    for command in ["", "train", "analyze", "sample", "export", "import", "runs", "bench", "sweep"] {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let (status, stdout, _) = run(program().args(arguments));
        assert!(
            status == 0 && stdout.contains("Example") && stdout.contains("latent-cycles"),
            "{stdout}"
        );
    }
    assert_eq!(
        run(program().arg("--version")).1.trim(),
        concat!("latent-cycles ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_readme_and_the_guide_name_commands_and_files_that_exist() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let mut readme = read("README.md");
    assert!(readme.split_whitespace().count() <= 1200, "nobody reads more");
    for topic in ["figures", "analysis", "objectives", "units", "runs", "sweeps", "python"] {
        readme.push_str(&read(&format!("src/guide/{topic}.md")));
    }
    for link in readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
    {
        assert!(root().join(link).is_file(), "{link}");
    }
    for line in readme.lines().filter(|line| line.starts_with("cargo run --release -- ")) {
        let command = line
            .trim_start_matches("cargo run --release -- ")
            .split_whitespace()
            .next()
            .unwrap();
        assert_eq!(run(program().args([command, "--help"])).0, 0, "{line}");
        for config in line.split_whitespace().filter(|word| word.ends_with(".toml")) {
            assert!(root().join(config).is_file(), "{line}");
        }
    }
}

/// The full set, from the four files where burn-dataset keeps them.
#[cfg(feature = "mnist")]
#[test]
fn the_full_mnist_set_comes_from_burn_datasets_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("burn-dataset/mnist");
    let bundled = root().join("src/data/mnist-subset");
    for (split, stem) in [("train", "train"), ("test", "t10k")] {
        std::fs::create_dir_all(cache.join(split)).unwrap();
        for kind in ["images-idx3-ubyte", "labels-idx1-ubyte"] {
            let mut plain = Vec::new();
            let file = std::fs::File::open(bundled.join(format!("{stem}-{kind}.gz"))).unwrap();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut plain).unwrap();
            std::fs::write(cache.join(split).join(format!("{stem}-{kind}")), plain).unwrap();
        }
    }
    let train = |name: &str, source: &str| {
        let (status, _, stderr) = run(program()
            .args(["train", "--quiet", "--run", name, "--set", source, "--set", "training.steps=10"])
            .args(SMALL)
            .env("XDG_CACHE_HOME", folder.path())
            .current_dir(&folder));
        assert_eq!(status, 0, "{stderr}");
        std::fs::read(folder.path().join(name).join("model.mpk")).unwrap()
    };
    // The cache holds the bundled images here, so both sources must train the same model.
    assert_eq!(train("one", "data.source=mnist"), train("two", "data.source=bundled"));
}
