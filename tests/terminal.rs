//! What reaches the terminal: text from outside gives it no orders and does not fill it; a system that grants little is named.

use std::path::Path;

use crate::command::{SMALL, run};
use crate::common::program;

const ESCAPE: &str = "\u{1b}[31mred\u{7}\u{9b}2J\u{202e}\r";

/// Nothing but printable characters and ends of lines.
fn expect_printable(arguments: &[&str], text: &str) {
    let order = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
    assert!(!text.chars().any(|c| order(&c)), "{arguments:?}: {text:?}");
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(program().args(arguments).current_dir(folder));
    assert!(status == 1 || status == 2, "{arguments:?}: {status} {stderr:?}");
    expect_printable(arguments, &[stdout.as_str(), &stderr].concat());
    stderr
}

#[test]
fn text_from_outside_gives_the_terminal_no_orders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let toml = ESCAPE
        .escape_unicode()
        .map(|c| if c == '{' || c == '}' { String::new() } else { c.to_string() });
    // TOML has four digits.
    let toml: String = toml
        .collect::<String>()
        .split("\\u")
        .skip(1)
        .map(|digits| format!("\\u{digits:0>4}"))
        .collect();
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    write("word.toml", &format!("[training]\nschedule = \"{toml}\"\n"));
    write("key.toml", &format!("[training]\n\"{toml}\" = 1\n"));
    write("path.toml", &format!("[model]\ninit = \"record\"\nrecord = \"{toml}\"\n"));
    write("syntax.toml", &format!("[training]\nsteps = {ESCAPE}\n"));
    write("variant.toml", &format!("[[variants]]\nname = \"{toml}\"\n"));
    write(
        "baseline.toml",
        &format!("title = \"{toml}\"\nbaseline = \"{toml}\"\n[[variants]]\nname = \"a\"\n"),
    );
    write("grid.toml", &format!("[grid]\nmodel.latent = [3, \"{toml}\"]\n"));
    write(
        "failing.toml",
        &format!("title = \"{toml}\"\n[set]\nmodel = {{ init = \"record\", record = \"{toml}\" }}\n"),
    );
    write(&format!("{ESCAPE}.toml"), "[training]\nsteps = 0\n");

    let value = |key: &str| format!("{key}={ESCAPE}");
    let (key, run_dir) = (format!("{ESCAPE}=1"), format!("missing{ESCAPE}"));
    for arguments in [
        &["train", "--set", &value("training.schedule")][..],
        &["train", "--set", &value("training.steps")],
        &["train", "--set", &key],
        &["train", "--set", ESCAPE],
        &["train", ESCAPE],
        &["train", "--backend", ESCAPE],
        &[ESCAPE],
        &["train", "--config", &run_dir],
        &["train", "--config", &format!("{ESCAPE}.toml")],
        &["train", "--config", "word.toml"],
        &["train", "--config", "key.toml"],
        &["train", "--config", "path.toml"],
        &["train", "--config", "syntax.toml"],
        &["train", "--resume", "--run", &run_dir],
        &["analyze", &run_dir],
        &["export", &run_dir, "--out", "x.safetensors"],
        &["import", &run_dir],
        &["sample", &run_dir, "--count", "1", "--out", ESCAPE],
        &["sweep", "--config", &run_dir],
        &["sweep", "--config", "variant.toml"],
        &["sweep", "--config", "baseline.toml"],
        &["sweep", "--config", "grid.toml"],
        &["sweep", "--config", "failing.toml", "--out", &format!("out{ESCAPE}")],
    ] {
        assert!(!refused(path, arguments).is_empty());
    }
    // A name that is printed to be pasted is one that a shell takes.
    let run_dir = "run '\u{1b}[31m\u{e9}\u{7}";
    let train = [&["train", "--set", "training.steps=1", "--run", run_dir], &SMALL[..]].concat();
    let (status, stdout, stderr) = run(program().args(&train).current_dir(path));
    assert_eq!((status, stderr.as_str()), (0, ""));
    expect_printable(&train, &stdout);
    let name = stdout.lines().last().unwrap().split(" holds ").next().unwrap();
    if let Ok(shell) = std::process::Command::new("bash")
        .arg("-c")
        .arg(format!("cat {name}/config.toml"))
        .current_dir(path)
        .output()
    {
        assert!(shell.status.success() && !shell.stdout.is_empty(), "{name}");
    }
}

#[test]
fn long_values_are_shortened_and_deep_keys_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long = "x".repeat(5000);
    let value = |key: &str| format!("{key}={long}");
    let deep = vec!["a"; 8000].join(".");
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    write("value.toml", &format!("[training]\nsteps = \"{long}\"\n"));
    write("key.toml", &format!("{long} = 1\n"));
    write("deep.toml", &format!("{deep} = 1\n"));
    write("section.toml", &format!("[{deep}]\n"));
    write("nested.toml", &format!("training = {}\n", "[".repeat(8000)));
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "{ a = ".repeat(depth), " }".repeat(depth));
    write(
        "braces.toml",
        &format!("[{}]\n{} = {}\n", vec!["a"; 70].join("."), vec!["b"; 70].join("."), nested(70, "1")),
    );
    write("grid.toml", &format!("[grid]\nmodel.latent = [3, \"{long}\"]\n"));
    write("sweep.toml", &format!("[set.{deep}]\n"));
    write("name.toml", &format!("[[variants]]\nname = \"{long}\"\n"));
    write("baseline.toml", &format!("baseline = \"{long}\"\n[[variants]]\nname = \"a\"\n"));
    for (arguments, words) in [
        (&["train", "--set", &value("training.steps")][..], "invalid type"),
        (&["train", "--set", &value("training.schedule")], "unknown variant"),
        (&["train", "--set", &value("data.images")], "left out unless"),
        (&["train", "--set", &value(&long)], "unknown key `xxx"),
        (&["train", "--set", &long], "has no `=`"),
        (&["train", "--set", &format!("{deep}=1")], "unknown key `a.a."),
        (
            &["train", "--set", &format!("training.steps.{deep}=1")],
            "unknown key `training.steps.a.",
        ),
        (&["train", "--set", &format!("training={}", nested(8000, "1"))], "--set training="),
        (&["train", "--backend", &long], "invalid value"),
        (&["train", "--config", "value.toml"], "invalid type"),
        (&["train", "--config", "key.toml"], "unknown key `xxx"),
        (
            &["train", "--config", "deep.toml"],
            "deep.toml: sections or lists within each other, more than any configuration has",
        ),
        (&["train", "--config", "section.toml"], "section.toml: sections or lists"),
        (&["train", "--config", "nested.toml"], "nested.toml, line 1: sections or lists"),
        (&["train", "--config", "braces.toml"], "braces.toml"),
        (&["sweep", "--config", "grid.toml"], "expected a number of states"),
        (&["sweep", "--config", "sweep.toml"], "sweep.toml: sections or lists"),
        (&["sweep", "--config", "name.toml"], "becomes part of file names"),
        (&["sweep", "--config", "baseline.toml"], "it must be the name of a variant"),
    ] {
        let stderr = refused(path, arguments);
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        assert!(stderr.lines().all(|line| line.chars().count() < 600), "{stderr}");
    }
}

#[test]
fn an_empty_path_is_called_that() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, said) in [
        (
            &["model.init=record", "model.record="][..],
            "model.record is nothing; it must be the path of a record",
        ),
        (
            &["data.source=idx", "data.images="],
            "data.images is empty; it must be the path of a file",
        ),
        (&["data.source=idx", "data.images=x", "data.labels="], "data.labels is empty"),
    ] {
        let settings = settings.iter().flat_map(|&setting| ["--set", setting]);
        let arguments: Vec<&str> = ["train"].into_iter().chain(settings).collect();
        let stderr = refused(folder.path(), &arguments);
        assert!(stderr.contains(said), "{stderr}");
    }
    let empty = latent_cycles::record::load_model("".as_ref()).unwrap_err().to_string();
    assert_eq!(empty, "the path of a file is empty; name the file");
    for arguments in [&["train", "--config", ""][..], &["analyze", ""], &["sweep", "--config", ""]] {
        assert!(refused(folder.path(), arguments).contains("a value is required"));
    }
}

/// Where the system grants too few threads, the run goes on with those that it grants, says so, and is the same. Address space for their
/// stacks stands in for a limit on processes, which does not bind every user: each stack takes 1 GiB, so that the few that fit leave room
/// for all else.
#[cfg(target_os = "linux")]
#[test]
fn a_run_needs_no_more_threads_than_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_latent-cycles");
    let small = SMALL.map(|word| format!("'{word}'")).join(" ");
    let models = ["", "ulimit -v 3700000; export RUST_MIN_STACK=1073741824 RAYON_NUM_THREADS=50;"].map(|limit| {
        let name = format!("run-{}", limit.len());
        let script = format!("{limit} exec '{program}' train --quiet --run {name} --set training.steps=10 {small}");
        let (status, stdout, stderr) = run(std::process::Command::new("sh").arg("-c").arg(script).current_dir(&folder));
        assert_eq!((status, stdout.as_str()), (0, ""), "{stderr}");
        match limit {
            "" => assert_eq!(stderr, ""),
            _ => assert!(
                stderr.starts_with("warning: not all threads could be started (")
                    && stderr.contains("; going on with ")
                    && stderr.lines().count() == 1,
                "{stderr}"
            ),
        }
        std::fs::read(folder.path().join(name).join("model.mpk")).unwrap()
    });
    assert!(models[0] == models[1]);
}
