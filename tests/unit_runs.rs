//! Runs of machines of units whose states are not listed, as a user makes them.

use std::path::Path;

use latent_cycles::analysis::Headline;
use latent_cycles::analysis::measures::MEASURES;
use ndarray::{Array2, Array3};
use ndarray_npy::NpzReader;
use serde_json::Value;

use crate::analyze::{self, succeeds};
use crate::command::{metrics, run};
use crate::common::{on_every_backend, program};

/// A run of a second or two.
const UNITS: [&str; 14] = [
    "--set",
    "model.latent={ kind = \"binary\", units = 17 }",
    "--set",
    "data.max_images=307",
    "--set",
    "data.max_test_images=97",
    "--set",
    "training.batch_size=101",
    "--set",
    "training.chains=103",
    "--set",
    "evaluation.samples=53",
    "--set",
    "training.steps=200",
];

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], words: &str) {
    let (status, _, stderr) = run(program().args(arguments).current_dir(folder));
    assert!(
        status == 2 && stderr.contains(words) && stderr.lines().count() == 1,
        "{arguments:?}: {stderr}"
    );
}

fn train(folder: &Path, name: &str, more: &[&str]) {
    let settings: Vec<&str> = more.iter().flat_map(|setting| ["--set", setting]).collect();
    let (status, _, stderr) = run(program()
        .args(["train", "--run", name])
        .args(UNITS)
        .args(settings)
        .current_dir(folder));
    assert_eq!(status, 0, "{stderr}");
}

fn analysis(folder: &Path, arguments: &str) -> (Value, String) {
    let stdout = succeeds(folder, arguments);
    let run = arguments.split(' ').nth(1).unwrap();
    (analyze::analysis(&folder.join(run).join("analysis")), stdout)
}

/// The whole way: trained, evaluated, analyzed, sampled, exported and imported again.
#[test]
fn a_machine_of_units_goes_all_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, "run", &[]);
    let lines = metrics(&path.join("run"));
    let (first, last) = (&lines[0], lines.last().unwrap());
    let figure = |line: &Value, key: &str| line[key].as_f64().unwrap();
    for key in ["log_likelihood_bound_train", "log_likelihood_bound_test"] {
        assert!(figure(last, key) > figure(first, key) + 20.0, "{key}: {first} {last}");
    }
    for key in ["log_likelihood_train", "log_likelihood_test", "entropy_production"] {
        assert!(last[key].is_null(), "{key}: {last}");
    }
    assert!(figure(last, "lit_pixels") > 50.0 && figure(last, "path_entropy_production") > 1.0);
    assert!(figure(last, "path_entropy_production_chains") > 1.0, "{last}");

    let (found, stdout) = analysis(path, "analyze run --candidates 100 --samples 256");
    let value = |key: &str| found[key]["value"].as_f64();
    assert!((value("log_likelihood_bound_test").unwrap() - figure(last, "log_likelihood_bound_test")).abs() < 10.0);
    assert_eq!(found["drift"]["steady"], true, "{found}");
    assert!(value("path_entropy_production").unwrap() > 1.0 && value("autocorrelation_time").unwrap() > 0.2);
    for key in ["entropy_production", "relaxation_time", "rotation_period", "log_likelihood_test"] {
        assert!(
            value(key).is_none() && found[key]["note"].as_str().unwrap().contains("not to be had"),
            "{key}"
        );
    }
    assert_eq!(found["unit_figures"].as_array().unwrap().len(), 17);
    assert_eq!(found["classes"]["labels"], serde_json::json!([0, 1, 2]));
    assert!(stdout.contains("steady state") && stdout.contains("2^17 words"), "{stdout}");
    let headline: Headline = serde_json::from_value(found.clone()).unwrap();
    let page = std::fs::read_to_string(path.join("run/analysis/report.html")).unwrap();
    for measure in &MEASURES {
        assert_eq!(
            serde_json::to_value((measure.of)(&headline)).unwrap(),
            found[measure.key],
            "{}",
            measure.key
        );
        assert!(page.contains(&format!("<h3>{}</h3>", measure.card.0)), "{}", measure.key);
        assert!(stdout.contains(&measure.title.to_lowercase()), "{}", measure.key);
    }
    let mut tables = NpzReader::new(std::fs::File::open(path.join("run/analysis/latent.npz")).unwrap()).unwrap();
    let generated: Array3<u8> = tables.by_name("generated").unwrap();
    assert_eq!(generated.dim(), (100, 28, 28));

    succeeds(path, "sample run --count 11 --steps 3 --means --out drawn.npz");
    let mut drawn = NpzReader::new(std::fs::File::open(path.join("drawn.npz")).unwrap()).unwrap();
    let (images, means): (Array3<u8>, Array3<f64>) = (drawn.by_name("images").unwrap(), drawn.by_name("means").unwrap());
    let words: Array2<u8> = drawn.by_name("words").unwrap();
    assert_eq!((images.dim(), means.dim(), words.dim()), ((11, 28, 28), (11, 28, 28), (11, 17)));
    assert!(means.iter().all(|mean| (0.0..=1.0).contains(mean)));
    succeeds(path, "sample run --film --count 5 --means --out film.gif");
    succeeds(path, "sample run --count 9 --out drawn.png");

    let stdout = succeeds(path, "export run --out run.safetensors");
    assert!(
        stdout.contains("visible_bias [784], recognition [784, 17], recognition_bias [17]"),
        "{stdout}"
    );
    succeeds(path, "import run.safetensors --run back");
    for file in ["model.mpk", "recognition.mpk"] {
        let read = |run: &str| std::fs::read(path.join(run).join(file)).unwrap();
        assert!(read("run") == read("back"), "{file}");
    }
    let (back, _) = analysis(path, "analyze back --candidates 100 --samples 256 --seed 1");
    assert!(back["log_likelihood_bound_test"]["value"].is_number());
    std::fs::remove_file(path.join("back/recognition.mpk")).unwrap();
    let (without, _) = analysis(path, "analyze back --samples 256");
    assert!(
        without["log_likelihood_bound_test"]["note"]
            .as_str()
            .unwrap()
            .contains("recognition.mpk")
    );
    let (checkpoint, _) = analysis(
        path,
        "analyze run --checkpoint 100 --candidates 100 --samples 256 --out run/analysis",
    );
    assert_eq!(checkpoint["step"], 100);
    assert!(checkpoint["log_likelihood_bound_test"]["value"].is_number());
}

/// A Boltzmann machine by persistent contrastive divergence: its likelihood is found by annealing, and it produces nothing.
#[test]
fn a_boltzmann_machine_of_many_units_is_annealed() {
    let folder = tempfile::tempdir().unwrap();
    train(
        folder.path(),
        "rbm",
        &["model.kind=rbm", "model.scale=0.01", "training.learning_rate=0.003"],
    );
    let (found, _) = analysis(folder.path(), "analyze rbm --samples 256");
    let test = found["log_likelihood_test"]["value"].as_f64().unwrap();
    assert!((-260.0..-120.0).contains(&test), "{test}");
    assert_eq!(found["path_entropy_production"]["value"], 0.0);
    assert!(found["annealing"]["effective"].as_f64().unwrap() > 30.0, "{}", found["annealing"]);
    assert!(found["bounds"].is_null());
    let last = &metrics(&folder.path().join("rbm"));
    assert!(last.last().unwrap()["log_likelihood_bound_train"].is_null());
}

/// A directed machine keeps W at zero: successive images are independent.
#[test]
fn a_directed_machine_of_many_units_draws_every_image_anew() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "directed", &["model.kind=directed"]);
    let parameters = latent_cycles::load(folder.path().join("directed")).unwrap();
    assert!(parameters.forward.iter().all(|weight| *weight == 0.0));
    assert!(parameters.forward_bias.iter().any(|bias| *bias != 0.0));
    let lines = metrics(&folder.path().join("directed"));
    let bound = |line: &Value| line["log_likelihood_bound_test"].as_f64().unwrap();
    assert!(bound(lines.last().unwrap()) > bound(&lines[0]) + 20.0);
    let (found, _) = analysis(folder.path(), "analyze directed --candidates 100 --samples 256");
    let (time, error) = (
        found["autocorrelation_time"]["value"].as_f64().unwrap(),
        found["autocorrelation_time"]["standard_error"].as_f64().unwrap(),
    );
    assert!((time - 0.5).abs() < 4.0 * error && error < 0.05, "{time} +- {error}");
}

#[test]
fn every_backend_trains_a_machine_of_units() {
    let bounds = std::cell::RefCell::new(Vec::<f64>::new());
    on_every_backend("training of units", |numerics| {
        let folder = tempfile::tempdir().unwrap();
        let backend = numerics.device().backend;
        let (status, _, stderr) = run(program()
            .args(["train", "--backend", backend, "--run", "run"])
            .args(UNITS)
            .args(["--set", "training.steps=60"])
            .current_dir(&folder));
        assert_eq!(status, 0, "{backend}: {stderr}");
        let last = metrics(&folder.path().join("run")).pop().unwrap();
        bounds.borrow_mut().push(last["log_likelihood_bound_train"].as_f64().unwrap());
    });
    let bounds = bounds.into_inner();
    assert!(bounds.iter().all(|bound| (bound - bounds[0]).abs() < 10.0), "{bounds:?}");
}

#[test]
fn a_weight_on_the_path_entropy_production_lowers_it() {
    let folder = tempfile::tempdir().unwrap();
    let produced = ["0", "-0.1"].map(|weight| {
        train(
            folder.path(),
            &format!("run{weight}"),
            &[&format!("training.path_entropy_weight={weight}")],
        );
        let last = metrics(&folder.path().join(format!("run{weight}"))).pop().unwrap();
        last["path_entropy_production"].as_f64().unwrap()
    });
    assert!(produced[1] < 0.5 * produced[0], "{produced:?}");
}

#[test]
fn what_needs_listed_states_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let with = |setting: &str| {
        let mut arguments = vec!["train", "--run", "none"];
        arguments.extend(UNITS);
        arguments.extend(["--set", setting]);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (setting, words) in [
        ("model.kind=mixture", "a weight for each of its states"),
        ("training.posterior=enumerate", "too many states to list"),
        ("training.gradient=complete", "\"two-step\", as training.posterior is"),
        ("training.sampling=stratified", "\"persistent\""),
        ("training.entropy_weight=0.1", "left out"),
        ("model.latent={ kind = \"binary\", units = 4097 }", "at most 4096 units"),
        (
            "model.latent=[{ kind = \"binary\", units = 13 }, { kind = \"binary\", units = 2 }]",
            "2^13 is 8192",
        ),
        ("model.init=cyclic", "\"random\", \"reversible\" or \"record\""),
        ("evaluation.samples=70000", "at most 65536"),
        ("model.tanh=4097", "model.tanh is 4097; it must be a whole number from 0 to 4096"),
    ] {
        let arguments = with(setting);
        refused(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), words);
    }
    let exact_rbm = with("model.kind=rbm");
    let exact_rbm: Vec<&str> = exact_rbm
        .iter()
        .map(String::as_str)
        .chain(["--set", "training.gradient=exact"])
        .collect();
    refused(path, &exact_rbm, "\"pcd\"");
    train(path, "run", &["training.steps=2"]);
    for (arguments, words) in [
        (["analyze", "run", "--exact"].as_slice(), "--exact"),
        (&["analyze", "run", "--partition", "x.txt"], "--partition"),
        (&["analyze", "run", "--backend", "wgpu"], "--backend"),
        (&["analyze", "run", "--samples", "70000"], "at most 65536"),
        (&["sample", "run", "--start", "3"], "--start"),
        (&["sample", "run", "--backend", "wgpu"], "--backend"),
    ] {
        refused(path, arguments, words);
    }
    let error = latent_cycles::Estimate::of(&latent_cycles::load(path.join("run")).unwrap()).unwrap_err();
    assert!(error.to_string().contains("too many latent states"), "{error}");
    assert!(latent_cycles::analyze(path.join("run")).is_err());
}

/// tanh units go with the machine and its recognition distribution wherever they go.
#[test]
fn tanh_units_go_all_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, "run", &["model.tanh=7"]);
    let parameters = latent_cycles::load(path.join("run")).unwrap();
    let tanh = parameters.tanh.as_ref().unwrap();
    assert_eq!((tanh.inward.dim(), tanh.outward.dim()), ((784, 7), (7, 17)));
    assert!(tanh.outward.iter().any(|weight| *weight != 0.0), "it learns");
    let stdout = succeeds(path, "export run --out run.safetensors");
    assert!(
        stdout.contains("tanh_inward [784, 7], tanh_bias [7], tanh_outward [7, 17]") && stdout.contains("recognition_tanh_outward [7, 17]"),
        "{stdout}"
    );
    succeeds(path, "import run.safetensors --run back");
    for file in ["model.mpk", "recognition.mpk"] {
        let read = |run: &str| std::fs::read(path.join(run).join(file)).unwrap();
        assert!(read("run") == read("back"), "{file}");
    }
    let (found, _) = analysis(path, "analyze run --candidates 100 --samples 256");
    assert!(found["log_likelihood_bound_test"]["value"].is_number());
    let mut from_record = vec!["train", "--run", "more"];
    from_record.extend(UNITS);
    from_record.extend(["--set", "model.init=record", "--set", "model.record=run/model.mpk"]);
    let (status, _, stderr) = run(program().args(&from_record).current_dir(path));
    assert!(
        status == 1 && stderr.contains("7 tanh units, and the configuration asks for 0 (model.tanh)"),
        "{stderr}"
    );
    from_record.extend(["--set", "model.tanh=7"]);
    let (status, _, stderr) = run(program().args(&from_record).current_dir(path));
    assert_eq!(status, 0, "{stderr}");
}

/// A sweep compares bounds, which sweeps of other machines have no columns of.
#[test]
fn a_sweep_of_machines_of_units_has_their_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let settings: Vec<String> = UNITS
        .iter()
        .filter(|word| **word != "--set")
        .map(|setting| (*setting).to_owned())
        .collect();
    let text = format!(
        "samples = 256\n[set]\n{}\n[grid]\ntraining.seed = \"1..2\"\n",
        settings.join("\n").replace("steps=200", "steps=20")
    );
    std::fs::write(folder.path().join("units.toml"), text).unwrap();
    succeeds(folder.path(), "sweep --config units.toml --out sweep --jobs 2");
    let summary = std::fs::read_to_string(folder.path().join("sweep/summary.csv")).unwrap();
    let mut lines = summary.lines();
    let place = lines
        .next()
        .unwrap()
        .split(',')
        .position(|name| name == "log_likelihood_bound_test")
        .unwrap();
    let bounds: Vec<f64> = lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect();
    assert!(
        bounds.len() == 2 && bounds.iter().all(|bound| (-300.0..-100.0).contains(bound)),
        "{bounds:?}"
    );
}
