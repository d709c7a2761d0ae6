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

/// Two machines of equilibrium.toml with a seed that is not in it: each figure lies where a run of the same distribution does, within t
/// standard deviations of the table's mean, sqrt(1 + 1/n) wider for the mean's own error. With ten runs and t = 6.6 (Student, 9 degrees of
/// freedom) one of the four figures falls outside with probability 4e-4.
#[test]
fn a_cell_of_the_table_comes_out_again_with_another_seed() {
    const T: f64 = 6.6;
    let plan = plan("equilibrium");
    let text = std::fs::read_to_string(root().join("artifacts/paper/equilibrium/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for variant in ["rbm-exact", "mixture"] {
        let planned = plan.runs.iter().find(|run| run.variant.as_deref() == Some(variant)).unwrap();
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
            .find(|setting| setting["name"] == variant)
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

/// The committed records are those of the tables: their entropy production, analyzed anew with other draws and fewer, lies within six of its
/// own standard errors of what summary.csv says (or of zero, for the independent chain), apart from what that says of itself.
#[test]
fn the_records_have_the_entropy_production_of_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let records = root().join("artifacts/paper/records");
    let mut seen = 0;
    for (record, sweep, of) in [
        ("two-step", "equilibrium", Some("two-step-seed-11")),
        ("rbm-exact", "equilibrium", Some("rbm-exact-seed-11")),
        ("mixture", "equilibrium", Some("mixture-seed-11")),
        ("no-entropy-production", "entropy", Some("weight-0.01-seed-1")),
        ("small-steps", "causes", Some("eighth-steps-seed-1")),
        ("independent", "", None),
    ] {
        let (status, _, stderr) = run(program()
            .args(["analyze", "--quiet", "--samples", "2048", "--seed", "77", "--out", record])
            .arg(records.join(format!("{record}.mpk")))
            .current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""), "{record}");
        let text = std::fs::read_to_string(folder.path().join(record).join("analysis.json")).unwrap();
        let analysis: Value = serde_json::from_str(&text).unwrap();
        let figure = &analysis["entropy_production"];
        let error = figure["standard_error"].as_f64().unwrap_or(0.0);
        let expected = of.map_or(0.0, |of| {
            let mut table = csv::Reader::from_path(root().join(format!("artifacts/paper/{sweep}/summary.csv"))).unwrap();
            let column = table
                .headers()
                .unwrap()
                .iter()
                .position(|name| name == "entropy_production")
                .unwrap();
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
