//! Runs by their names: what is set names them, the latest is taken, `runs` lists and compares them; models come in and out without their data.

use std::path::Path;

use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView};

use crate::command::{SMALL, run};
use crate::common::program;

fn succeeds(folder: &Path, arguments: &[&str]) -> (String, String) {
    let (status, stdout, stderr) = run(program().args(arguments).current_dir(folder));
    assert_eq!(status, 0, "{arguments:?}: {stderr}");
    (stdout, stderr)
}

#[test]
fn runs_are_called_after_what_was_set_and_the_latest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (status, _, stderr) = run(program().arg("analyze").current_dir(path));
    assert!(
        status == 2 && stderr.contains("artifacts/runs holds no run with a model"),
        "{stderr}"
    );
    let small = [&SMALL[..], &["--set", "training.steps=20"]].concat();
    let train = |more: &[&str]| succeeds(path, &[&["train"], &small[..], more].concat()).0;
    let base = "default-max_images-307-latent-5-batch_size-101-chains-103-samples-53-every-50-steps-20";
    let stdout = train(&["--set", "training.seed=7"]);
    assert!(stdout.starts_with(&format!("artifacts/runs/{base}-ndarray-7: ")), "{stdout}");
    // The last setting of a key counts; what is long or odd becomes a checksum.
    let stdout = train(&["--set", "model.latent={ kind = \"binary\", units = 3 }"]);
    let second = stdout.split(": ").next().unwrap().to_owned();
    assert!(second.contains("latent-binary-3") && !second.contains("latent-5"), "{second}");
    // Runs begin in the order of their seconds.
    let manifest = path.join(&second).join("manifest.json");
    let mut content: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    content["start"] = "2999-01-01T00:00:00Z".into();
    std::fs::write(&manifest, content.to_string()).unwrap();
    for command in [
        &["analyze", "--samples", "64", "--quiet"][..],
        &["sample", "--count", "3", "--out", "x.png"],
        &["export", "--out", "x.safetensors"],
    ] {
        let (_, stderr) = succeeds(path, command);
        assert_eq!(stderr, format!("{second}, the latest run\n"), "{command:?}");
    }

    let again = |samples| succeeds(path, &["analyze", &second, "--samples", samples, "--quiet"]).1;
    assert_eq!(again("64"), "", "quiet");
    let (_, stderr) = succeeds(path, &["analyze", &second, "--samples", "64"]);
    assert!(
        stderr.contains("is better than what will replace it; --out DIR keeps it"),
        "{stderr}"
    );
    let (listed, _) = succeeds(path, &["runs"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(
        lines[0].starts_with("run  ") && lines[1].starts_with(&format!("{base}-ndarray-7  ")),
        "{listed}"
    );
    for word in ["bundled 0 1 2", "5 latent states", "20", "finished", "~-"] {
        assert!(lines[1].contains(word), "{word}: {listed}");
    }
    assert!(
        lines[2].contains("8 latent states (3 binary units)") && lines[2].contains("2999-01-01 00:00"),
        "{listed}"
    );
    // The second was analyzed: its figure has an interval or is exact, and no mark.
    assert!(
        !lines[2].contains('~') && lines[3].starts_with("~ as training noted it"),
        "{listed}"
    );
    let first = format!("artifacts/runs/{base}-ndarray-7");
    let (compared, _) = succeeds(path, &["runs", &first, &second]);
    let row = |name: &str| {
        compared
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name}: {compared}"))
    };
    assert!(
        row("training.seed").split_whitespace().eq(["training.seed", "7", "1"]),
        "{compared}"
    );
    assert!(row("model.latent").contains("{ kind = binary, units = 3 }"), "{compared}");
    assert!(!compared.contains("training.chains"), "what is the same is left out: {compared}");
    assert!(row("entropy production, nats per step").contains('~'), "{compared}");
    let (nothing, _) = succeeds(path, &["runs", "artifacts"]);
    assert_eq!(nothing, "artifacts holds no runs\n");
    let (status, _, stderr) = run(program().args(["runs", "missing", "none"]).current_dir(path));
    assert!(status == 2 && stderr.contains("missing holds no run"), "{stderr}");
}

#[test]
fn checkpoints_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        &[&["train", "--run", "run", "--set", "training.steps=20"], &SMALL[..]].concat(),
    );
    succeeds(path, &["export", "run", "--checkpoint", "10", "--out", "ten.safetensors"]);
    let found = latent_cycles::exchange::read(&path.join("ten.safetensors")).unwrap();
    let expected = latent_cycles::record::load_model(&path.join("run/checkpoints/step-0000010.mpk")).unwrap();
    assert_eq!(found.parameters, expected);
    assert_eq!(found.size, Some((28, 28)));
    let (status, _, stderr) = run(program()
        .args(["export", "run", "--checkpoint", "11", "--out", "x.safetensors"])
        .current_dir(path));
    assert!(
        status == 2 && stderr.contains("there are those of steps 0, 1, 2, 3, 6, 10, 18, 20"),
        "{stderr}"
    );
}

/// A model of another program, in f64 and of any shape, is imported without data and analyzed.
#[test]
fn models_of_any_shape_are_imported_and_analyzed_without_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let parameters = crate::common::random_model(17, 23, 3, 1.0);
    let arrays = [
        ("forward", vec![23, 3], parameters.forward.iter().copied().collect::<Vec<f32>>()),
        ("forward_bias", vec![3], parameters.forward_bias.to_vec()),
        ("backward", vec![3, 23], parameters.backward.iter().copied().collect()),
    ];
    let bytes: Vec<Vec<u8>> = arrays
        .iter()
        .map(|(_, _, numbers)| numbers.iter().flat_map(|&number| f64::from(number).to_le_bytes()).collect())
        .collect();
    let views = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap()));
    std::fs::write(path.join("other.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    let (stdout, stderr) = succeeds(path, &["import", "other.safetensors"]);
    assert!(stderr.contains("comes without data") && stderr.contains("--config"), "{stderr}");
    assert!(stdout.trim().ends_with("analyze artifacts/runs/imported-other"), "{stdout}");
    assert_eq!(latent_cycles::load(path.join("artifacts/runs/imported-other")).unwrap(), parameters);
    let (stdout, _) = succeeds(path, &["analyze", "--samples", "320"]);
    assert!(stdout.contains(&format!("{:<30}{:>24}", "log-likelihood, train", "-")), "{stdout}");
    let analysis: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.join("artifacts/runs/imported-other/analysis/analysis.json")).unwrap()).unwrap();
    assert!(analysis["entropy_production"]["value"].as_f64().unwrap() > 0.0);
    let (listed, _) = succeeds(path, &["runs"]);
    assert!(listed.contains("none") && listed.contains("imported"), "{listed}");
    let config = "artifacts/runs/imported-other/config.toml";
    let (status, _, stderr) = run(program().args(["train", "--config", config, "--run", "new"]).current_dir(path));
    assert!(status == 1 && stderr.contains("data.source is \"none\""), "{stderr}");

    // Its own configuration comes with it; where the data do not fit, --config is what the error names.
    let other = Array2::<u8>::from_shape_fn((9, 20), |(image, pixel)| ((image * pixel) % 2 * 255) as u8);
    std::fs::write(path.join("small"), crate::data::idx_bytes(&[9, 4, 5], other.as_slice().unwrap())).unwrap();
    std::fs::write(
        path.join("small.toml"),
        "data.source = \"file\"\ndata.images = \"small\"\nmodel.latent = 3\n",
    )
    .unwrap();
    let (status, _, stderr) = run(program()
        .args(["import", "other.safetensors", "--config", "small.toml"])
        .current_dir(path));
    assert!(
        status == 2 && stderr.contains("of 23 pixels and 3 latent states") && stderr.contains("--config"),
        "{stderr}"
    );
}

/// A record of an event file: its content, after both checksums are found right.
fn event(file: &mut &[u8]) -> Vec<u8> {
    // CRC-32C bit by bit, from its polynomial.
    let checksum = |bytes: &[u8]| {
        let crc = bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(
                crc ^ u32::from(byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 },
            )
        });
        (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
    };
    let mut take = |length: usize| {
        let (taken, rest) = file.split_at(length);
        *file = rest;
        taken.to_vec()
    };
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let length = take(8);
    assert_eq!(number(&take(4)), checksum(&length));
    let content = take(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    assert_eq!(number(&take(4)), checksum(&content));
    content
}

/// TensorBoard's file has an event for each line of metrics.jsonl, of a resumed run too; .ci/check_export.py reads it with TensorBoard itself.
#[test]
fn figures_go_to_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let steps = |steps: &str| format!("training.steps={steps}");
    let train = |more: &[&str]| succeeds(path, &[&["train", "--tensorboard", "--quiet", "--run", "run"], more].concat());
    train(&[&SMALL[..], &["--set", &steps("100"), "--set", "training.schedule=constant"]].concat());
    train(&["--resume", "--set", &steps("200")]);
    let file = std::fs::read(path.join("run/tensorboard/events.out.tfevents.latent-cycles")).unwrap();
    let mut left = &file[..];
    let mut events = Vec::new();
    while !left.is_empty() {
        events.push(event(&mut left));
    }
    assert!(events.remove(0).ends_with(b"brain.Event:2"));
    let lines = crate::command::metrics(&path.join("run"));
    assert_eq!(events.len(), lines.len());
    let for_ci = Path::new(env!("CARGO_TARGET_TMPDIR")).join("events-for-ci");
    std::fs::create_dir_all(&for_ci).unwrap();
    for name in ["metrics.jsonl", "tensorboard/events.out.tfevents.latent-cycles"] {
        let file = Path::new(name).file_name().unwrap();
        std::fs::copy(path.join("run").join(name), for_ci.join(file)).unwrap();
    }
    for (event, line) in events.iter().zip(&lines) {
        // A time, and a step in the second field, which is below 2^14.
        let step = match event[10] {
            low if low < 128 => u64::from(low),
            low => u64::from(low & 127) | u64::from(event[11]) << 7,
        };
        assert_eq!((event[0], event[9], step), (9, 16, line["step"].as_u64().unwrap()));
        for key in ["log_likelihood_train", "entropy_production", "class_kl"] {
            let value = line[key].as_f64().unwrap() as f32;
            let tagged = [&[key.len() as u8][..], key.as_bytes(), &[21], &value.to_le_bytes()].concat();
            assert!(event.windows(tagged.len()).any(|window| window == tagged), "{key} of {line}");
        }
    }
}

/// What an attack on the commands found: a name cut within a character, a link that was followed, a run without its checkpoints that
/// started over.
#[test]
fn what_an_attack_found_stays_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let small = [&SMALL[..], &["--set", "training.steps=20"]].concat();
    let long = format!("a{}.toml", "é".repeat(90));
    std::fs::write(path.join(&long), "").unwrap();
    let (stdout, _) = succeeds(path, &[&["train", "--config", &long], &small[..]].concat());
    assert!(stdout.starts_with("'artifacts/runs/a"), "{stdout}");

    succeeds(path, &[&["train", "--run", "run"], &small[..]].concat());
    // A name alone stands for the run in artifacts/runs.
    let name = stdout
        .split(": ")
        .next()
        .unwrap()
        .trim_matches('\'')
        .strip_prefix("artifacts/runs/")
        .unwrap()
        .to_owned();
    succeeds(path, &["export", &name, "--out", "x.safetensors"]);

    std::fs::create_dir(path.join("run/tensorboard")).unwrap();
    std::fs::write(path.join("precious"), "kept").unwrap();
    std::os::unix::fs::symlink("../../precious", path.join("run/tensorboard/events.out.tfevents.latent-cycles")).unwrap();
    let more = ["train", "--resume", "--run", "run", "--tensorboard", "--set", "training.steps=30"];
    let (status, _, stderr) = run(program().args(more).current_dir(path));
    assert!(status == 1 && stderr.contains("is not a regular file"), "{stderr}");
    assert_eq!(std::fs::read_to_string(path.join("precious")).unwrap(), "kept");

    let manifest = path.join("run/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"finished\"", "\"interrupted\"")).unwrap();
    std::fs::remove_dir_all(path.join("run/checkpoints")).unwrap();
    std::fs::remove_file(path.join("run/model.mpk")).unwrap();
    std::fs::write(path.join("run/metrics.jsonl"), "").unwrap();
    let (status, _, stderr) = run(program().args(["train", "--resume", "--run", "run"]).current_dir(path));
    assert!(status == 1 && stderr.contains("the checkpoints are gone"), "{stderr}");
}
