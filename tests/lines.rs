//! Files of one JSON value a line: what cannot be read is left out, and named.

use std::path::Path;

use latent_cycles::files::{UnreadLine, json_lines};
use latent_cycles::training::metrics::Earlier;

use crate::command::{SMALL, metrics, run};
use crate::common::program;

fn unread(lines: &[usize]) -> Vec<UnreadLine> {
    let path = Path::new("the file").to_owned();
    lines.iter().map(|&line| UnreadLine { path: path.clone(), line }).collect()
}

#[test]
fn lines_that_hold_no_value_are_named_by_their_number() {
    let content = b"1\n\ntwo\n3\n{\n\xff\xfe\n6\n7";
    let lines = json_lines::<u64>(Path::new("the file"), content);
    assert_eq!((lines.values, lines.unread), (vec![1, 3, 6, 7], unread(&[3, 5, 6])));
    // A kill may leave a last line half written.
    let lines = json_lines::<u64>(Path::new("the file"), b"1\n2\n{\"st");
    assert_eq!((lines.values, lines.unread), (vec![1, 2], Vec::new()));
}

#[test]
fn a_run_that_goes_on_and_an_analysis_name_the_lines_that_they_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let train = ["train", "--quiet", "--run", "run", "--set", "training.steps=200"];
    let (status, _, stderr) = run(program().args(train).args(SMALL).current_dir(folder.path()));
    assert_eq!(status, 0, "{stderr}");
    let path = folder.path().join("run/metrics.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let before = metrics(&folder.path().join("run"));
    // As if it had been stopped at its checkpoint of step 178, before the last line and the model.
    for name in ["model.mpk", "checkpoints/step-0000200.mpk"] {
        std::fs::remove_file(folder.path().join("run").join(name)).unwrap();
    }
    let lines: Vec<&str> = whole.lines().collect();
    let half = &lines[1][..lines[1].len() / 2];
    let spoiled = format!(
        "{}\n{half}\n{}\n\n{}\n{}\nno metrics\n{half}",
        lines[0], lines[2], lines[3], lines[4]
    );
    std::fs::write(&path, &spoiled).unwrap();
    let earlier = Earlier::from_bytes(Path::new("the file"), spoiled.as_bytes(), 178);
    assert_eq!((earlier.last.unwrap().step, earlier.unread), (150, unread(&[2, 7])));
    let (status, _, stderr) = run(program()
        .args(["train", "--quiet", "--resume", "--run", "run"])
        .current_dir(folder.path()));
    assert_eq!(status, 0, "{stderr}");
    let warnings = "warning: run/metrics.jsonl, line 2: cannot be read and is left out\n\
                    warning: run/metrics.jsonl, line 7: cannot be read and is left out\n";
    assert_eq!(stderr, warnings);
    let steps = |lines: &[serde_json::Value]| lines.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(steps(&before), [0, 50, 100, 150, 200]);
    assert_eq!(steps(&metrics(&folder.path().join("run"))), [0, 100, 150, 200]);

    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}not this one\n")).unwrap();
    let analyze = ["analyze", "run", "--quiet", "--samples", "64"];
    let (status, _, stderr) = run(program().args(analyze).current_dir(folder.path()));
    assert_eq!(status, 0, "{stderr}");
    assert!(
        stderr.starts_with("warning: ") && stderr.ends_with("run/metrics.jsonl, line 5: cannot be read and is left out\n"),
        "{stderr}"
    );
}
