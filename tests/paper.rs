//! The sweeps behind artifacts/paper: their files are valid, and a cell of their tables comes out again with another seed.

use latent_cycles::sweep::plan::Plan;
use serde_json::Value;

use crate::command::{metrics, run};
use crate::common::{program, root};

fn plan(name: &str) -> Plan {
    Plan::read(&root().join(format!("configs/paper/{name}.toml"))).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_sweep_of_the_paper_is_valid_and_its_summary_is_of_its_runs() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("configs/paper")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let runs: Vec<String> = plan(&name).runs.into_iter().map(|run| run.name).collect();
        let summary = std::fs::read_to_string(root().join(format!("artifacts/paper/{name}/summary.csv")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let listed: Vec<&str> = summary.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(listed, runs, "{name}");
        names.push(name);
    }
    assert!(names.len() >= 6, "{names:?}");
}

/// Two machines of equilibrium.toml and one of binary-units.toml with a seed that is not in them: each figure lies where a run of the same distribution does, within
/// t standard deviations of the table's mean, sqrt(1 + 1/n) wider for the mean's own error. With ten runs and t = 6.6 (Student, 9 degrees of
/// freedom) one of the six figures falls outside with probability 6e-4.
#[test]
fn a_cell_of_the_table_comes_out_again_with_another_seed() {
    const T: f64 = 6.6;
    let folder = tempfile::tempdir().unwrap();
    for (sweep, variant, named) in [
        ("equilibrium", "rbm-exact", "rbm-exact"),
        ("equilibrium", "mixture", "mixture"),
        ("binary-units", "chain", "chain, units = 4"),
    ] {
        let text = std::fs::read_to_string(root().join(format!("artifacts/paper/{sweep}/summary.json"))).unwrap();
        let summary: Value = serde_json::from_str(&text).unwrap();
        let runs = plan(sweep).runs;
        let planned = runs.iter().find(|run| run.setting_name() == named).unwrap();
        let mut config = planned.config.clone();
        config.training.seed = 1;
        let file = folder.path().join(format!("{variant}.toml"));
        std::fs::write(&file, config.to_toml()).unwrap();
        let (status, _, stderr) = run(program()
            .args(["train", "--quiet", "--run", variant, "--config"])
            .arg(&file)
            .current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""), "{variant}");
        let last = metrics(&folder.path().join(variant)).pop().unwrap();
        let setting = summary["settings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|setting| setting["name"] == named)
            .unwrap();
        for key in ["log_likelihood_train", "log_likelihood_test"] {
            let of = |name: &str| setting["figures"][key][name].as_f64().unwrap();
            let (mean, deviation, runs) = (of("mean"), of("deviation"), of("n"));
            assert!(
                runs >= 10.0 && deviation < 1.5,
                "a table that says little: {runs} runs, deviation {deviation}"
            );
            let found = last[key].as_f64().unwrap();
            let tolerance = T * deviation * (1.0 + 1.0 / runs).sqrt();
            assert!(
                (found - mean).abs() < tolerance,
                "{variant}: {key} is {found}, in the table {mean} +- {deviation}"
            );
        }
    }
}

/// The committed records are those of the tables: a figure of each, analyzed anew with other draws and fewer, lies within six of its own standard errors of what
/// summary.csv says (or of zero, for the independent chain), apart from what that says of itself. Of one-hot states that is the entropy production, of six
/// units, where it is known between bounds, that of the path; machines in equilibrium have none, and are told apart by their self-transition.
#[test]
fn the_records_have_the_figures_of_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let records = root().join("artifacts/paper/records");
    let mut seen = 0;
    for (record, sweep, of, measure) in [
        ("two-step", "equilibrium", Some("two-step-seed-11"), "entropy_production"),
        ("rbm-exact", "equilibrium", Some("rbm-exact-seed-11"), "entropy_production"),
        ("mixture", "equilibrium", Some("mixture-seed-11"), "entropy_production"),
        ("no-entropy-production", "entropy", Some("weight-0.01-seed-1"), "entropy_production"),
        ("small-steps", "causes", Some("eighth-steps-seed-1"), "entropy_production"),
        ("independent", "", None, "entropy_production"),
        (
            "six-units-chain",
            "binary-units",
            Some("chain-units-6-seed-11"),
            "path_entropy_production",
        ),
        (
            "six-units-directed",
            "binary-units",
            Some("directed-units-6-seed-11"),
            "self_transition",
        ),
        (
            "six-units-free-pi",
            "binary-units",
            Some("free-pi-units-6-seed-11"),
            "self_transition",
        ),
        (
            "six-units-rbm-exact",
            "binary-units",
            Some("rbm-exact-units-6-seed-11"),
            "self_transition",
        ),
    ] {
        let (status, _, stderr) = run(program()
            .args(["analyze", "--quiet", "--samples", "2048", "--seed", "77", "--out", record])
            .arg(records.join(format!("{record}.mpk")))
            .current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""), "{record}");
        let text = std::fs::read_to_string(folder.path().join(record).join("analysis.json")).unwrap();
        let analysis: Value = serde_json::from_str(&text).unwrap();
        let figure = &analysis[measure];
        let error = figure["standard_error"].as_f64().unwrap_or(0.0);
        let expected = of.map_or(0.0, |of| {
            let mut table = csv::Reader::from_path(root().join(format!("artifacts/paper/{sweep}/summary.csv"))).unwrap();
            let column = table.headers().unwrap().iter().position(|name| name == measure).unwrap();
            let row = table.records().map(Result::unwrap).find(|row| &row[0] == of);
            row.unwrap_or_else(|| panic!("no run {of}"))[column].parse().unwrap()
        });
        let found = figure["value"].as_f64().unwrap();
        assert!(
            (found - expected).abs() <= 6.0 * error + 1e-9,
            "{record}: {found} +- {error}, in the table {expected}"
        );
        seen += 1;
    }
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), seen, "every record is looked at");
}
