//! The commands that look at a trained model: analyze and sample.

use std::path::Path;

use latent_cycles::analysis::Headline;
use latent_cycles::analysis::measures::MEASURES;
use latent_cycles::estimate::Estimate;
use latent_cycles::evaluation::Figures;
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_npy::NpzReader;
use serde_json::Value;

use crate::command::{SMALL, run};
use crate::common::{interrupt, program, random_model};

pub fn in_folder(folder: &Path, arguments: &str) -> (i32, String, String) {
    run(program().args(arguments.split_whitespace()).current_dir(folder))
}

/// Runs a command that must succeed without a word on stderr.
pub fn succeeds(folder: &Path, arguments: &str) -> String {
    let (status, stdout, stderr) = in_folder(folder, arguments);
    assert_eq!((status, stderr.as_str()), (0, ""), "{arguments}: {stdout}");
    stdout
}

pub fn train(folder: &Path, name: &str, more: &str) {
    let all = format!("train --quiet --run {name} --set training.steps=30 {} {more}", SMALL.join(" "));
    succeeds(folder, &all);
}

pub fn analysis(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("analysis.json")).unwrap()).unwrap()
}

fn array(folder: &Path, name: &str) -> Array2<f64> {
    NpzReader::new(std::fs::File::open(folder.join("latent.npz")).unwrap())
        .unwrap()
        .by_name(name)
        .unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every file below a folder but those of analyses, with its content.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        } else if !path.ends_with("analysis") {
            all.extend(contents(&path));
        }
    }
    all.sort();
    all
}

/// On every backend: all keys and files are there, agree with each other, and leave the run as it was.
#[test]
fn a_run_is_analyzed_on_every_backend() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "");
    let path = folder.path().join("run");
    let before = contents(&path);
    let first = std::cell::RefCell::new(None::<Value>);
    crate::common::on_every_backend("analysis", |numerics| {
        let backend = numerics.device().backend;
        // Mesa says things of its own on stderr.
        let (status, stdout, stderr) = in_folder(folder.path(), &format!("analyze run --samples 320 --backend {backend}"));
        assert_eq!(status, 0, "{backend}: {stderr}");
        assert!(stdout.contains("entropy production") && stdout.contains("cycle "), "{stdout}");
        let out = path.join("analysis");
        let found = analysis(&out);
        for key in [
            "log_likelihood_train",
            "log_likelihood_test",
            "entropy_production",
            "path_entropy_production",
            "self_transition",
            "class_kl",
            "relaxation_time",
        ] {
            let [value, low, high] = ["value", "low", "high"].map(|part| number(&found[key][part]));
            assert!(low <= value && value <= high && low < high, "{key}: {}", found[key]);
        }
        assert!(found["units"]["entropy_production, path_entropy_production"] == "nats per step");
        assert!(found["method"].as_str().unwrap().contains("320 images"));
        // What was computed on the host is the same on all backends; the images that walked are not.
        let mut hosted = found.clone();
        for key in ["class_kl", "classes"] {
            hosted.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(first.borrow_mut().get_or_insert(hosted.clone()), &hosted, "{backend}");
        let classes = &found["classes"];
        for (generated, expected) in classes["generated"]
            .as_array()
            .unwrap()
            .iter()
            .zip(classes["from_stationary"].as_array().unwrap())
        {
            // 10,016 images and 1,600 in the states: five standard errors.
            assert!(
                (number(generated) - number(expected)).abs() < 5.0 * (0.25 / 10_016.0 + 0.25 / 1600.0_f64).sqrt(),
                "{classes}"
            );
        }

        let (t, j) = (array(&out, "transition"), array(&out, "currents"));
        assert_eq!(t.dim(), (5, 5));
        assert!(t.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-12));
        assert!(j.sum_axis(Axis(1)).iter().all(|sum| sum.abs() < 1e-12));
        assert!((number(&found["transition"][3][1]) - t[[3, 1]]).abs() < 1e-15);
        assert!((number(&found["currents"][3][1]) - j[[3, 1]]).abs() < 1e-15);
        let carried: f64 = found["cycles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| number(&c["weight"]) * number(&c["affinity"]))
            .sum();
        let whole = number(&found["entropy_production_of_transition"]);
        assert!((carried - whole).abs() < 1e-9 * (1.0 + whole), "{carried} {whole}");
        assert!((0.5 * array(&out, "pair_entropy_production").sum() - whole).abs() < 1e-9 * (1.0 + whole));
        let mut npz = NpzReader::new(std::fs::File::open(out.join("latent.npz")).unwrap()).unwrap();
        let (means, generated): (Array3<f64>, Array3<u8>) = (npz.by_name("mean_images").unwrap(), npz.by_name("generated").unwrap());
        assert_eq!((means.dim(), generated.dim()), ((5, 28, 28), (10_016, 28, 28)));
        let pi: Array1<f64> = npz.by_name("stationary").unwrap();
        // The mean generated image is the mixture of the states' means.
        let mixture = means.map_axis(Axis(0), |pixel| pixel.dot(&pi));
        let mean = generated.mapv(f64::from).mean_axis(Axis(0)).unwrap();
        assert!(
            (&mixture - &mean)
                .iter()
                .all(|difference| difference.abs() < 6.0 * (0.25 / 10_016.0_f64).sqrt())
        );

        let page = std::fs::read_to_string(out.join("report.html")).unwrap();
        for id in [
            "headlines",
            "training-0",
            "training-2",
            "graph",
            "map-transitions",
            "map-currents",
            "spectrum",
            "cycles",
            "classes",
            "samples",
            "states",
        ] {
            assert!(page.contains(&format!("<figure id=\"{id}\"")), "{id}");
        }
        let names = ["http://www.w3.org/2000/svg", "href=\"https://arxiv.org/abs/2512.11415\""];
        let rest = names.iter().fold(page.clone(), |page, name| page.replace(name, ""));
        assert!(!rest.contains("http"), "no external resource");
        assert!(std::fs::read_to_string(out.join("currents.dot")).unwrap().contains("->"));
    });
    assert_eq!(contents(&path), before, "the run is only read");
}

/// Images of twelve pixels: enumerated by itself, and the estimate's intervals hold what enumeration says.
#[test]
fn few_pixels_are_enumerated() {
    let folder = tempfile::tempdir().unwrap();
    let grey: Vec<u8> = (0..211 * 12).map(|n: u32| if n * n % 11 < 3 + n % 3 { 255 } else { 0 }).collect();
    std::fs::write(folder.path().join("images"), crate::data::idx_bytes(&[211, 3, 4], &grey)).unwrap();
    let own = "--set data.source=idx --set data.images=images --set data.classes=all --set model.latent=5 --set training.batch_size=101";
    succeeds(
        folder.path(),
        &format!("train --quiet --run run --set training.steps=500 --set training.chains=103 {own}"),
    );
    succeeds(folder.path(), "analyze run");
    let exact = analysis(&folder.path().join("run/analysis"));
    assert!(exact["method"].as_str().unwrap().contains("enumeration"));
    let sigma = number(&exact["entropy_production"]["value"]);
    assert!(exact["entropy_production"].get("low").is_none() && sigma > 0.0);
    assert!(exact["class_kl"]["value"].is_null() && exact["class_kl"]["note"].as_str().unwrap().contains("labels"));
    assert!(exact["log_likelihood_test"]["note"].as_str().unwrap().contains("no test images"));
    succeeds(folder.path(), "analyze run --samples 2000 --out elsewhere");
    let found = analysis(&folder.path().join("elsewhere"));
    for key in [
        "entropy_production",
        "path_entropy_production",
        "self_transition",
        "log_likelihood_train",
    ] {
        let [value, error] = ["value", "standard_error"].map(|part| number(&found[key][part]));
        let expected = number(&exact[key]["value"]);
        assert!((value - expected).abs() < 5.0 * error, "{key}: {value} +- {error}, {expected}");
    }
    assert!(
        found["method"].as_str().unwrap().contains("2016 images"),
        "rounded up to a multiple of 32"
    );
    let (status, _, stderr) = in_folder(folder.path(), "analyze run --exact --samples 5");
    assert!(status == 2 && stderr.contains("cannot be used with"), "{stderr}");
}

#[test]
fn checkpoints_are_analyzed_one_by_one_and_all() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "--set model.init=reversible");
    let out = folder.path().join("run/analysis");
    // The reversible start, by its closed form.
    succeeds(folder.path(), "analyze run --checkpoint 0 --samples 64");
    let start = analysis(&out.join("step-0000000"));
    for key in ["entropy_production", "path_entropy_production"] {
        assert!(
            number(&start[key]["value"]) == 0.0 && start[key]["note"] == "reversible by construction",
            "{}",
            start[key]
        );
    }
    assert!(start["reversibility"]["reversible"] == true && start["cycles"].as_array().unwrap().is_empty());
    assert!(
        start["stationary"]
            .as_array()
            .unwrap()
            .iter()
            .all(|pi| (number(pi) - 0.2).abs() < 1e-5)
    );
    let page = std::fs::read_to_string(out.join("step-0000000/report.html")).unwrap();
    assert!(page.contains("is in equilibrium") && page.contains("No current differs from zero"));

    let stdout = succeeds(folder.path(), "analyze run --all-checkpoints --samples 64");
    let lines = std::fs::read_to_string(out.join("checkpoints.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<u64> = lines.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [0, 1, 2, 3, 6, 10, 18, 30]);
    assert_eq!(stdout.lines().filter(|line| line.starts_with("step ")).count(), 8);
    for (step, line) in steps.iter().zip(&lines) {
        let one = analysis(&out.join(format!("step-{step:07}")));
        assert_eq!(one["step"].as_u64(), Some(*step));
        assert_eq!(one["entropy_production"], line["entropy_production"]);
    }
    assert!(number(&lines[7]["log_likelihood_train"]["value"]) > number(&lines[0]["log_likelihood_train"]["value"]));
    assert_eq!(analysis(&out)["step"], 30);
    // A checkpoint's record file finds its run, and its figures.
    succeeds(folder.path(), "analyze run/checkpoints/step-0000010.mpk --samples 64 --out ten");
    let ten = analysis(&folder.path().join("ten"));
    assert_eq!(ten["log_likelihood_train"], lines[5]["log_likelihood_train"]);
}

/// A record without its run: everything but what needs data.
#[test]
fn a_lone_record_is_analyzed() {
    let folder = tempfile::tempdir().unwrap();
    let lone = folder.path().join("lone.mpk");
    latent_cycles::record::save_model(&lone, &random_model(300, 35, 3, 1.0)).unwrap();
    succeeds(folder.path(), "analyze lone.mpk --quiet --samples 320 --seed 7");
    let found = analysis(&folder.path().join("lone-analysis"));
    assert!(number(&found["entropy_production"]["value"]) > 0.0);
    assert!(found["log_likelihood_train"]["note"].as_str().unwrap().contains("without its run"));
    assert!(found["step"].is_null() && found["classes"].is_null());
    assert!(folder.path().join("lone-analysis/report.html").is_file());
    // One state and two have clear answers, too.
    for (latent, note) in [(1, "reversible by construction"), (2, "two states")] {
        latent_cycles::record::save_model(&lone, &random_model(301, 35, latent, 1.0)).unwrap();
        succeeds(folder.path(), "analyze lone.mpk --quiet --samples 320");
        let found = analysis(&folder.path().join("lone-analysis"));
        assert!(number(&found["entropy_production"]["value"]) == 0.0);
        assert!(
            found["entropy_production"]["note"].as_str().unwrap().contains(note),
            "{}",
            found["entropy_production"]
        );
    }
    // Parameters that overflow end in a sentence.
    let mut huge = latent_cycles::model::Parameters::zeros(35, 3);
    huge.forward.fill(1e38);
    huge.forward[[7, 1]] = -1e38;
    latent_cycles::record::save_model(&folder.path().join("huge.mpk"), &huge).unwrap();
    let (status, _, stderr) = in_folder(folder.path(), "analyze huge.mpk --samples 32");
    assert!(
        status == 0 || (status == 1 && stderr.contains("cannot be computed in f64") && stderr.lines().count() == 1),
        "{status} {stderr}"
    );
    let before = std::fs::read(folder.path().join("lone-analysis/analysis.json")).unwrap();
    succeeds(folder.path(), "analyze lone.mpk --quiet --samples 320");
    assert_eq!(
        std::fs::read(folder.path().join("lone-analysis/analysis.json")).unwrap(),
        before,
        "the same again"
    );
}

/// A record file is one record, whether its run is beside it or not.
#[test]
fn a_record_file_takes_no_other_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "");
    succeeds(folder.path(), "analyze run --quiet --all-checkpoints --samples 32");
    let before = std::fs::read(folder.path().join("run/analysis/checkpoints.jsonl")).unwrap();
    assert_eq!(before.iter().filter(|byte| **byte == b'\n').count(), 8);
    for record in ["run/model.mpk", "run/checkpoints/step-0000010.mpk"] {
        for flag in ["--all-checkpoints", "--checkpoint 3"] {
            let (status, stdout, stderr) = in_folder(folder.path(), &format!("analyze {record} {flag} --samples 32"));
            assert!(status == 2 && stdout.is_empty() && stderr.lines().count() == 1, "{status} {stderr}");
            assert!(stderr.contains("is one record") && stderr.contains("/run\n"), "{stderr}");
        }
    }
    assert_eq!(std::fs::read(folder.path().join("run/analysis/checkpoints.jsonl")).unwrap(), before);
    assert!(!folder.path().join("run/analysis/step-0000003/report.html").exists());
}

/// Two analyses of one model at a time do not take each other's files away.
#[test]
fn two_analyses_of_one_model_both_end_well() {
    let folder = tempfile::tempdir().unwrap();
    latent_cycles::record::save_model(&folder.path().join("lone.mpk"), &random_model(303, 784, 3, 0.3)).unwrap();
    for round in 0..10 {
        let children = [1, 2].map(|seed: u32| {
            let mut command = program();
            command.args(["analyze", "lone.mpk", "--quiet", "--samples", "32", "--seed", &seed.to_string()]);
            command.current_dir(&folder).stderr(std::process::Stdio::piped()).spawn().unwrap()
        });
        let outputs = children.map(|child| child.wait_with_output().unwrap());
        for output in &outputs {
            assert!(
                output.status.success(),
                "round {round}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let out = folder.path().join("lone-analysis");
        let mut names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["analysis.json", "currents.dot", "figures", "latent.npz", "report.html"]);
        // All files are of one and the same analysis.
        let t = analysis(&out)["transition"][2][1].as_f64().unwrap();
        assert_eq!(t, array(&out, "transition")[[2, 1]]);
    }
    // What a killed analysis left is tidied up.
    let partial = folder.path().join("lone-analysis/.partial-left");
    std::fs::write(&partial, "half").unwrap();
    // One that is younger may be another host's, at work on the same.
    let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 60 * 60);
    std::fs::File::options()
        .write(true)
        .open(&partial)
        .unwrap()
        .set_modified(days_ago)
        .unwrap();
    succeeds(folder.path(), "analyze lone.mpk --quiet --samples 32");
    assert!(!partial.exists());
}

/// From a program: a run's folder, its model's record and one of its checkpoints, with the figures that the command finds.
#[test]
fn the_library_finds_what_the_command_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (visible, own) = (
        12,
        "--set data.source=idx --set data.images=images --set data.classes=all --set training.batch_size=41",
    );
    let grey: Vec<u8> = (0..83 * visible)
        .map(|n: u32| if n * n % 11 < 3 + n % 3 { 255 } else { 0 })
        .collect();
    std::fs::write(folder.path().join("images"), crate::data::idx_bytes(&[83, 3, 4], &grey)).unwrap();
    let images = folder.path().join("images");
    let own = own.replace("data.images=images", &format!("data.images={}", images.display()));
    succeeds(
        folder.path(),
        &format!("train --quiet --run run --set training.steps=100 --set model.latent=4 --set training.seed=3 {own}"),
    );
    let run = folder.path().join("run");
    for (record, out) in [
        ("run", "run/analysis"),
        ("run/model.mpk", "run/analysis"),
        ("run/checkpoints/step-0000010.mpk", "run/analysis/step-0000010"),
    ] {
        succeeds(folder.path(), &format!("analyze {record} --quiet"));
        let found = latent_cycles::analyze(folder.path().join(record)).unwrap();
        let json: Value = serde_json::from_slice(&latent_cycles::analysis::files::json(&found).unwrap()).unwrap();
        assert_eq!(json, analysis(&folder.path().join(out)), "{record}");
        assert!(found.headline.log_likelihood_train.value.is_some());
        let estimate = Estimate::of(&latent_cycles::record::load_model(&run.join("model.mpk")).unwrap()).unwrap();
        assert_eq!(
            record.ends_with("10.mpk"),
            estimate.entropy_production() != found.headline.entropy_production
        );
    }
    let missing = latent_cycles::analyze(folder.path().join("nowhere")).err().unwrap();
    assert!(missing.is_of_usage() && missing.to_string().contains("does not exist"), "{missing}");
}

/// Ctrl-C among many checkpoints says how many were analyzed, and where they are.
#[cfg(unix)]
#[test]
fn an_interrupted_analysis_of_checkpoints_says_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "");
    let child = program()
        .args(["analyze", "run", "--quiet", "--all-checkpoints", "--samples", "100000"])
        .current_dir(&folder)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = folder.path().join("run/analysis");
    let start = std::time::Instant::now();
    while !out.join("step-0000001/currents.dot").is_file() {
        assert!(start.elapsed().as_secs() < 120, "no progress");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let written = std::fs::read_dir(&out).unwrap().count();
    assert!(
        output.status.code() == Some(1) && stderr.lines().count() == 1 && written >= 2,
        "{written} {stderr}"
    );
    assert!(
        stderr.contains(&format!("stopped after {written} of 8 checkpoints")) && stderr.contains("run/analysis;"),
        "{written} {stderr}"
    );
    assert!(!out.join("report.html").exists() && !out.join("checkpoints.jsonl").exists());
}

/// Every measure of the table is in analysis.json and metrics.jsonl, on the terminal, on the page and in its charts, with its unit.
#[test]
fn every_measure_is_shown_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "");
    let stdout = succeeds(folder.path(), "analyze run --samples 64");
    let out = folder.path().join("run/analysis");
    let (found, page) = (analysis(&out), std::fs::read_to_string(out.join("report.html")).unwrap());
    let metrics = crate::command::metrics(&folder.path().join("run"));
    let headline: Headline = serde_json::from_value(found.clone()).unwrap();
    let units = found["units"].as_object().unwrap();
    for (place, measure) in MEASURES.iter().filter(|measure| !measure.is_bound()).enumerate() {
        assert!(found[measure.key].is_object(), "{}", measure.key);
        let json = serde_json::to_value((measure.of)(&headline)).unwrap();
        assert_eq!(json, found[measure.key], "{} reads its own figure", measure.key);
        let unit = units.iter().find(|(names, _)| names.split(", ").any(|name| name == measure.key));
        assert_eq!(unit.unwrap().1, measure.unit);
        let line = stdout.lines().nth(place).unwrap();
        assert!(
            line.starts_with(&measure.title.to_lowercase()) && line.contains(&format!("  {}", measure.unit)),
            "{line}"
        );
        let (heading, unit) = measure.card;
        assert!(page.contains(&format!("<h3>{heading}</h3>")) && page.contains(&format!("<span>{unit}</span>")));
        if let Some(chart) = measure.chart {
            assert!(
                page.contains(&format!("<h3>{}, {}</h3>", chart.title, measure.unit)),
                "{}",
                measure.key
            );
        }
        let last = metrics.last().unwrap();
        let figures: Figures = serde_json::from_value(last.clone()).unwrap();
        let noted = last.get(measure.key).and_then(Value::as_f64);
        assert_eq!((measure.noted)(&figures), noted, "{} in metrics.jsonl", measure.key);
    }
    assert_eq!(units["entropy_production, path_entropy_production"], "nats per step");
}

/// Ctrl-C ends an analysis without a file.
#[cfg(unix)]
#[test]
fn an_interrupted_analysis_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    latent_cycles::record::save_model(&folder.path().join("lone.mpk"), &random_model(302, 784, 31, 0.3)).unwrap();
    let child = program()
        .args(["analyze", "lone.mpk", "--samples", "1000000"])
        .current_dir(&folder)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && stderr.contains("stopped") && stderr.lines().count() == 1,
        "{stderr}"
    );
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lone.mpk"]);
}

#[test]
fn samples_are_drawn_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "");
    let picture = |name: &str| image::open(folder.path().join(name)).unwrap().to_luma8();
    // Images of 28 x 28 are doubled, with a gap of 2: 9 fill three rows of three, a film one row for each start.
    succeeds(folder.path(), "sample run --count 9");
    assert_eq!(picture("samples.png").dimensions(), (3 * 58 + 2, 3 * 58 + 2));
    succeeds(folder.path(), "sample run --count 7 --film --steps 2 --start 3,1 --out film.png");
    assert_eq!(picture("film.png").dimensions(), (7 * 58 + 2, 2 * 58 + 2));

    let arrays = |name: &str| -> (Array3<u8>, Array1<i32>) {
        let mut npz = NpzReader::new(std::fs::File::open(folder.path().join(name)).unwrap()).unwrap();
        (npz.by_name("images").unwrap(), npz.by_name("start").unwrap())
    };
    succeeds(folder.path(), "sample run --count 2003 --steps 3 --out a.npz");
    succeeds(folder.path(), "sample run --count 2003 --steps 3 --out b.npz");
    succeeds(folder.path(), "sample run --count 2003 --steps 3 --seed 2 --out c.npz");
    let (a, states) = arrays("a.npz");
    assert_eq!((a.dim(), states.len()), ((2003, 28, 28), 2003));
    assert_eq!((&a, &states), (&arrays("b.npz").0, &arrays("b.npz").1));
    assert_ne!(a, arrays("c.npz").0);
    // Chains beyond the first thousand have draws of their own.
    assert_ne!(a.index_axis(Axis(0), 0), a.index_axis(Axis(0), 1000));

    // Without a step, images are those that the named states emit; their mean is the state's.
    succeeds(folder.path(), "sample run --count 4001 --steps 0 --start 2 --out two.npz");
    let (images, states) = arrays("two.npz");
    assert!(states.iter().all(|&state| state == 2));
    succeeds(folder.path(), "analyze run --quiet --samples 32");
    let mut npz = NpzReader::new(std::fs::File::open(folder.path().join("run/analysis/latent.npz")).unwrap()).unwrap();
    let means: Array3<f64> = npz.by_name("mean_images").unwrap();
    let mean = images.mapv(f64::from).mean_axis(Axis(0)).unwrap();
    assert!(
        (&mean - &means.index_axis(Axis(0), 2))
            .iter()
            .all(|d| d.abs() < 6.0 * (0.25 / 4001.0_f64).sqrt())
    );

    // The mean of each image given its state.
    succeeds(folder.path(), "sample run --count 13 --steps 2 --means --out means.npz");
    let mut npz = NpzReader::new(std::fs::File::open(folder.path().join("means.npz")).unwrap()).unwrap();
    let (given, states): (Array3<f64>, Array1<i32>) = (npz.by_name("means").unwrap(), npz.by_name("states").unwrap());
    let expected: Vec<usize> = states.iter().map(|&state| state as usize).collect();
    let apart = (given - means.select(Axis(0), &expected)).mapv(f64::abs);
    assert!(states.len() == 13 && apart.iter().all(|apart| *apart < 1e-12));

    // The frames of a film without steps are one image; with steps they are not.
    succeeds(folder.path(), "sample run --film --count 3 --steps 0 --out still.npz");
    let (still, _) = arrays("still.npz");
    assert!(still.index_axis(Axis(0), 0) == still.index_axis(Axis(0), 2) && still.dim() == (3, 28, 28));
    succeeds(folder.path(), "sample run --film --count 3 --steps 1 --out moving.npz");
    assert_ne!(
        arrays("moving.npz").0.index_axis(Axis(0), 1),
        arrays("moving.npz").0.index_axis(Axis(0), 2)
    );
}

/// A small analysis for CI, which reads its arrays with numpy, draws its graph with Graphviz and opens its page in a browser.
#[test]
fn an_analysis_is_left_for_ci() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("analysis-for-ci");
    let _ = std::fs::remove_dir_all(&target);
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", "--set training.steps=300");
    let out = format!("analyze run --quiet --all-checkpoints --samples 320 --out {}", target.display());
    succeeds(folder.path(), &out);
    assert!(target.join("report.html").is_file() && target.join("step-0000300/latent.npz").is_file());
}
