//! The `bench` command: its table, its files and what it refuses.

use crate::common::program;

/// The CPU backends of this build.
const BACKENDS: &[&str] = if cfg!(feature = "flex") {
    &["flex", "ndarray"]
} else {
    &["ndarray"]
};

#[test]
fn bench_measures_every_combination_and_writes_json() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [
        "--visible",
        "31",
        "--latent",
        "2",
        "--latent",
        "3",
        "--batch",
        "7",
        "--chains",
        "11",
    ];
    let output = program()
        .current_dir(folder.path())
        .args(["bench", "--seconds", "0.01", "--out", "rows.json"])
        .args(sizes)
        .args(BACKENDS.iter().flat_map(|name| ["--backend", name]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().count(),
        1 + 2 * BACKENDS.len(),
        "a head and a row each"
    );
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(folder.path().join("rows.json")).unwrap()).unwrap();
    let keys = |row: &serde_json::Value| ["backend", "visible", "latent", "batch", "chains"].map(|key| row[key].to_string());
    let expected: Vec<_> = ["2", "3"]
        .iter()
        .flat_map(|latent| BACKENDS.iter().map(move |name| (name, *latent)))
        .collect();
    for (row, (backend, latent)) in rows.iter().zip(&expected) {
        assert_eq!(keys(row), [&format!("\"{backend}\""), "31", latent, "7", "11"]);
        let figure = |key: &str| row[key].as_f64().unwrap();
        assert!(figure("step_ms") > 0.0 && row["device"].is_string());
        let parts = figure("products_ms") + figure("sampler_ms") + figure("memory_ms");
        assert!((figure("floor_ms") - parts).abs() < 1e-9);
    }
    assert_eq!(rows.len(), expected.len());
}

/// Of latent layers with structure, L is the number of states, and what they are is said beside it.
#[test]
fn bench_measures_latent_layers_with_structure() {
    let folder = tempfile::tempdir().unwrap();
    let layers = [
        "{ kind = \"binary\", units = 3 }",
        "{ kind = \"groups\", sizes = [2, 5] }",
        "{ kind = \"grid\", dimensions = 1, points = 7, range = 3.0 }",
        "[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]",
        "[3, 5]",
    ];
    let output = program()
        .current_dir(folder.path())
        .args(["bench", "--backend", "ndarray", "--seconds", "0.01", "--out", "rows.json"])
        .args(["--visible", "31", "--batch", "7", "--chains", "11", "--latent", "3"])
        .args(layers.iter().flat_map(|layers| ["--latent", layers]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(folder.path().join("rows.json")).unwrap()).unwrap();
    assert!(rows[0].get("layers").is_none() && rows.len() == 1 + layers.len());
    for (((row, line), layers), states) in rows.iter().zip(table.lines().skip(1)).skip(1).zip(layers).zip([8, 10, 7, 4, 5]) {
        assert_eq!((row["latent"].as_u64(), row["layers"].as_str()), (Some(states), Some(layers)));
        let parts = ["products_ms", "sampler_ms", "memory_ms"].map(|key| row[key].as_f64().unwrap());
        assert!(parts.iter().all(|&part| part > 0.0) && row["step_ms"].as_f64().unwrap() > 0.0);
        assert!(line.ends_with(layers), "{line}");
    }
}

#[test]
fn bench_draws_how_a_step_scales() {
    for (layers, of_latent, values) in [
        ("3", "L, latent states", 5),
        ("{ kind = \"binary\", units = 3 }", "L, words of binary units", 6),
        ("{ kind = \"binary\", units = 13 }", "H, binary units", 5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = program()
            .current_dir(folder.path())
            .args([
                "bench",
                "--backend",
                "ndarray",
                "--seconds",
                "0.01",
                "--scaling",
                "scaling.svg",
                "--out",
                "rows.json",
            ])
            .args(["--visible", "31", "--latent", layers, "--batch", "7", "--chains", "11"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let picture = std::fs::read_to_string(folder.path().join("scaling.svg")).unwrap();
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        for words in [
            "N, persistent chains",
            "B, images in a minibatch",
            "D, pixels",
            of_latent,
            "dense floor",
        ] {
            assert!(picture.contains(words), "{words}");
        }
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(folder.path().join("rows.json")).unwrap()).unwrap();
        assert_eq!(rows.len(), 15 + values, "{layers}");
    }
}

#[test]
fn bench_refuses_what_it_cannot_measure() {
    for (arguments, words) in [
        (vec!["--latent", "0"], "latent is 0; it must be a whole number from 1 to 10000"),
        (vec!["--latent", "ten"], "expected a number of states, a table as"),
        (
            vec!["--latent", "{ kind = \"groups\", sizes = [64, 65] }"],
            "of at most 4096 states; 64 x 65 is 4160",
        ),
        (vec!["--latent", "{ kind = \"binary\" }"], "latent.units is nothing"),
        (
            vec!["--scaling", "a.svg", "--backend", "ndarray", "--latent", "[2, 3]"],
            "give --latent a number",
        ),
        (vec!["--candidates", "7"], "--candidates is of units"),
        (vec!["--chains", "65537"], "65537 is not in 1..=65536"),
        (vec!["--seconds", "0"], "above 0"),
        (vec!["--seconds", "nan"], "above 0"),
        (vec!["--out", "rows.csv"], "must end in .json"),
        (vec!["--scaling", "rows.png"], "must end in .svg"),
        (
            vec!["--scaling", "a.svg", "--backend", "ndarray", "--backend", "ndarray"],
            "--scaling draws one backend",
        ),
        (
            vec!["--scaling", "a.svg", "--backend", "ndarray", "--latent", "2", "--latent", "3"],
            "give --latent once",
        ),
        (vec!["--backend", "abacus"], "invalid value 'abacus'"),
    ] {
        let output = program().arg("bench").args(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}
