//! Bad input of every kind, through the program: one clear sentence, exit status 1 or 2, nothing left behind.

use std::path::Path;

use crate::command::run;
use crate::common::program;
use crate::data::{gzip, idx_bytes};

/// Files to go wrong with.
fn prepare(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let grey: Vec<u8> = (0..42).map(|n| n % 2 * 200).collect();
    write("images", &idx_bytes(&[7, 3, 2], &grey));
    write("other-size", &idx_bytes(&[7, 2, 2], &[200; 28]));
    write("labels", &idx_bytes(&[7], &[0, 1, 2, 0, 1, 2, 0]));
    write("few-labels", &idx_bytes(&[3], &[0, 1, 2]));
    write("lying", &idx_bytes(&[70, 3, 2], &[200; 42]));
    write("huge", &idx_bytes(&[u32::MAX, u32::MAX, 2], &[200; 42]));
    write("bomb.gz", &gzip(&[idx_bytes(&[7, 3, 2], &[]), vec![0; 1 << 26]].concat()));
    write("cut.gz", &gzip(&idx_bytes(&[7, 3, 2], &[200; 42]))[..30]);
    write("text", b"no images here");
    write("empty", b"");
    write("broken.toml", b"[training\nsteps = 5\n");
    write("unknown.toml", b"[training]\nstepz = 5\n");
    write("binary.toml", &[0xff, 0xfe, 0x00]);
    write("good.toml", b"[training]\nsteps = 5\n");
    write("file", b"a file, not a folder");
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::create_dir(folder.join("not-a-run")).unwrap();
    std::fs::create_dir(folder.join("bad-run")).unwrap();
    write("bad-run/config.toml", b"[training]\nsteps = 0\n");
    std::fs::create_dir(folder.join("odd-run")).unwrap();
    write("odd-run/config.toml", b"");
    write("odd-run/manifest.json", b"{}");
    std::fs::create_dir(folder.join("fake-run")).unwrap();
    write("fake-run/config.toml", b"");
    write("fake-run/model.mpk", b"not a record");
    // A real run of another shape, to be misused.
    let (status, _, stderr) = run(program()
        .args([
            "train",
            "--quiet",
            "--run",
            "real",
            "--set",
            "training.steps=2",
            "--set",
            "model.latent=3",
        ])
        .args(["--set", "evaluation.samples=5"])
        .current_dir(folder));
    assert_eq!(status, 0, "{stderr}");
    let record = std::fs::read(folder.join("real/model.mpk")).unwrap();
    std::fs::create_dir(folder.join("odd-size")).unwrap();
    for name in ["config.toml", "model.mpk"] {
        std::fs::copy(folder.join("real").join(name), folder.join("odd-size").join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(folder.join("real/manifest.json")).unwrap();
    write(
        "odd-size/manifest.json",
        manifest.replace("\"columns\": 28", "\"columns\": 29").as_bytes(),
    );
    write("cut.mpk", &record[..record.len() / 2]);
    let mut flipped = record.clone();
    flipped[record.len() / 2] ^= 4;
    write("flipped.mpk", &flipped);
    let (status, _, stderr) = run(program().args(["export", "real", "--out", "real.safetensors"]).current_dir(folder));
    assert_eq!(status, 0, "{stderr}");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(folder.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink("real.safetensors", folder.join("link.safetensors")).unwrap();
    let tensors = std::fs::read(folder.join("real.safetensors")).unwrap();
    write("cut.safetensors", &tensors[..tensors.len() / 2]);
}

#[test]
fn bad_input_ends_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let before = listing(folder.path());
    // (arguments, exit status, words of the sentence)
    let idx = "train --set data.source=idx --set data.classes=all --set data.images=";
    let cases: Vec<(String, i32, &str)> = [
        ("", 2, "Usage"),
        ("trian", 2, "unrecognized subcommand"),
        ("train --backend tpu", 2, "ndarray, wgpu, cuda, flex"),
        #[cfg(not(feature = "flex"))]
        ("train --backend flex", 1, "backend flex is not in this build"),
        ("train --set", 2, "a value is required"),
        ("train extra", 2, "unexpected argument"),
        ("train --seed 3", 2, "`training.seed` is a setting: write --set training.seed=VALUE"),
        (
            "train --batch-size=3",
            2,
            "`training.batch_size` is a setting: write --set training.batch_size=VALUE",
        ),
        ("train --set training.stepz=5", 2, "did you mean `training.steps`"),
        ("train --set training.learning_rate=nan", 2, "training.learning_rate is NaN"),
        ("train --set training.steps=0", 2, "training.steps is 0"),
        ("train --set model.latent=99999999999", 2, "model.latent is 99999999999"),
        (
            "train --set model.kind=mixture --set training.learning_rate=0.1",
            2,
            "training.learning_rate is 0.1; it must be left out, as model.kind is \"mixture\"",
        ),
        (
            "train --set training.batch_size=4000",
            2,
            "training.batch_size is 4000; it must be at most the number of training images, 3119",
        ),
        (
            "train --set evaluation.samples=10000000 --set model.latent=10000",
            2,
            "evaluation.samples is 10000000",
        ),
        ("train --config broken.toml", 2, "broken.toml, line 1"),
        (
            "train --config unknown.toml",
            2,
            "unknown.toml: unknown key `training.stepz`; did you mean `training.steps`?",
        ),
        ("train --config binary.toml", 2, "binary.toml, line 1"),
        ("train --config missing.toml", 2, "missing.toml: cannot be read"),
        ("train --config folder", 2, "folder: cannot be read"),
        ("train --run real", 2, "real exists already"),
        ("train --run folder", 2, "folder exists already"),
        ("train --run file", 2, "file exists already"),
        ("train --run file/inside", 1, "file/inside: the folder cannot be made"),
        ("train --run /proc/nowhere/run", 1, "the folder cannot be made"),
        ("train --resume --run missing", 2, "missing holds no run"),
        ("train --resume --run not-a-run", 2, "not-a-run holds no run"),
        ("train --resume --run bad-run", 2, "training.steps is 0"),
        ("train --resume --run odd-run", 1, "manifest.json: missing field"),
        ("train --resume", 2, "holds no run"),
        (
            "train --resume --run real --set training.seed=9",
            2,
            "was started with another configuration",
        ),
        (
            "train --resume --run real --config good.toml",
            2,
            "was started with another configuration",
        ),
        (
            "train --set model.init=record --set model.record=missing.mpk",
            1,
            "missing.mpk: cannot be read",
        ),
        (
            "train --set model.init=record --set model.record=text",
            1,
            "text: is not a complete record",
        ),
        (
            "train --set model.init=record --set model.record=empty",
            1,
            "empty: is not a complete record",
        ),
        (
            "train --set model.init=record --set model.record=folder",
            1,
            "folder: cannot be read",
        ),
        (
            "train --set model.init=record --set model.record=cut.mpk",
            1,
            "cut.mpk: is not a complete record",
        ),
        (
            "train --set model.init=record --set model.record=flipped.mpk",
            1,
            "flipped.mpk: is corrupt",
        ),
        (
            "train --set model.init=record --set model.record=real/model.mpk",
            1,
            "784 pixels and 3 latent states",
        ),
        (
            "train --set model.init=record --set model.record=real.safetensors",
            1,
            "is not a complete record",
        ),
        ("export missing --out x.safetensors", 2, "missing holds no run"),
        ("export not-a-run --out x.safetensors", 2, "not-a-run holds no run"),
        ("export odd-run --out x.safetensors", 1, "manifest.json: missing field"),
        ("export fake-run --out x.safetensors", 1, "model.mpk: is not a complete record"),
        ("export real", 2, "--out"),
        ("export real --out real/model.mpk", 2, "must end in .safetensors"),
        ("export real --out link.safetensors", 1, "not a regular file"),
        ("train --config /dev/zero", 2, "not a regular file"),
        ("train --config pipe", 2, "not a regular file"),
        ("import pipe --run new", 1, "not a regular file"),
        ("import /dev/zero --run new", 1, "not a regular file"),
        ("train --set model.init=record --set model.record=pipe", 1, "not a regular file"),
        (
            "export real --out missing/x.safetensors",
            1,
            "missing/x.safetensors: cannot be written",
        ),
        ("import missing.safetensors --run new", 1, "missing.safetensors: cannot be read"),
        ("import text --run new", 1, "text: is not a safetensors file"),
        ("import empty --run new", 1, "empty: is not a safetensors file"),
        ("import cut.safetensors --run new", 1, "cut.safetensors: is not a safetensors file"),
        ("import real/model.mpk --run new", 1, "is not a safetensors file"),
        ("import real.safetensors --run real", 2, "real exists already"),
        (
            "import real.safetensors --run new --config good.toml",
            2,
            "of 784 pixels and 3 latent states",
        ),
        ("import", 2, "<F.safetensors>"),
        ("analyze", 2, "artifacts/runs holds no run with a model"),
        ("analyze missing", 2, "missing does not exist"),
        ("analyze not-a-run", 2, "not-a-run holds no run"),
        ("analyze bad-run", 2, "training.steps is 0"),
        ("analyze odd-run", 1, "manifest.json: missing field"),
        ("analyze fake-run", 1, "model.mpk: is not a complete record"),
        ("analyze text", 1, "text: is not a complete record"),
        ("analyze cut.mpk", 1, "cut.mpk: is not a complete record"),
        ("analyze flipped.mpk", 1, "flipped.mpk: is corrupt"),
        ("analyze pipe", 1, "not a regular file"),
        ("analyze real --exact", 2, "at most 20 pixels; this model has 784"),
        ("analyze real --samples 0", 2, "--samples"),
        ("analyze real --samples 10000000 --quiet --checkpoint 17", 2, "of steps 0, 1, 2"),
        ("analyze real --checkpoint 1 --all-checkpoints", 2, "cannot be used with"),
        ("analyze flipped.mpk --all-checkpoints", 2, "need a run's folder"),
        ("analyze real --backend tpu", 2, "ndarray, wgpu, cuda, flex"),
        (
            "analyze real --samples 32 --quiet --out file",
            2,
            "--out is file, which is not a folder",
        ),
        (
            "analyze real --samples 32 --quiet --out file/inside",
            1,
            "file/inside: cannot be written",
        ),
        (
            "sample odd-size --count 5 --out x.png",
            1,
            "manifest.json: says that images have 28 x 29 pixels",
        ),
        (
            "analyze odd-size --samples 32",
            1,
            "manifest.json: says that images have 28 x 29 pixels",
        ),
        (
            "sample real --count 5 --start 1,2 --film --count 60000 --out x.npz",
            2,
            "cannot be used multiple times",
        ),
        (
            "sample real --start 1,2 --film --count 60000 --out x.npz",
            2,
            "more than 65536 images",
        ),
        ("sample real --count", 2, "a value is required"),
        ("sample real --count 0", 2, "--count"),
        ("sample real --count 5 --out x.jpg", 2, "must end in .png, .gif or .npz"),
        (
            "sample real --count 5 --start 1,3 --out x.png",
            2,
            "names state 3; the model's states are 0 to 2",
        ),
        ("sample real --count 5 --start one --out x.png", 2, "invalid value 'one'"),
        (
            "sample real --count 500 --film --out x.png",
            2,
            "500 x 1 images are more than a picture holds, 282 x 282",
        ),
        ("sample missing --count 5 --out x.png", 2, "missing does not exist"),
        ("sample fake-run --count 5 --out x.png", 1, "model.mpk: is not a complete record"),
        ("sample real --count 5 --out missing/x.png", 1, "missing/x.png: cannot be written"),
        ("train --set data.source=idx", 2, "data.images is nothing"),
        #[cfg(feature = "mnist")]
        ("train --set data.source=mnist", 1, "train-images-idx3-ubyte"),
        #[cfg(not(feature = "mnist"))]
        ("train --set data.source=mnist", 1, "data.source = \"mnist\" is not in this build"),
        ("train --set data.classes=[12]", 2, "data.classes is [12]"),
        (
            "train --set data.source=idx --set data.images=images --set data.classes=[0]",
            2,
            "no labels to choose by",
        ),
    ]
    .into_iter()
    .map(|(arguments, status, words)| (arguments.to_owned(), status, words))
    .chain(
        [
            ("missing", "missing: cannot be read"),
            ("text", "not with an IDX magic number"),
            ("empty", "its first bytes"),
            ("folder", "holds no file whose name ends in .png"),
            ("pipe", "not a regular file"),
            ("lying", "truncated"),
            ("huge", "more than"),
            ("bomb.gz", "goes on after"),
            ("cut.gz", "corrupt"),
            ("labels", "1 dimensions where 2 or 3 are needed"),
            (
                "images --set data.labels=few-labels",
                "few-labels (data.labels) 3 labels; give the labels of these images",
            ),
            ("images --set data.labels=images", "3 dimensions where 1 are needed"),
            ("images --set data.test_images=other-size", "must have one size"),
        ]
        .map(|(more, words)| (format!("{idx}{more}"), 1, words)),
    )
    .collect();
    for (arguments, expected, words) in cases {
        let (status, stdout, stderr) = run(program()
            .args(arguments.split_whitespace())
            // An empty cache, and no way to fill it.
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env("https_proxy", "http://127.0.0.1:9")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .current_dir(&folder));
        assert_eq!(status, expected, "{arguments}: {stdout}{stderr}");
        assert!(stderr.contains(words), "{arguments}: {stderr:?} should contain {words:?}");
        assert!(!stderr.contains("panicked") && stdout.is_empty(), "{arguments}: {stdout}{stderr}");
        // clap's own messages have their usage below.
        if stderr.starts_with("error: ") && !stderr.contains("--help") {
            assert_eq!(stderr.trim_end().lines().count(), 1, "{arguments}: {stderr}");
        }
    }
    let _ = std::fs::remove_dir_all(folder.path().join("cache"));
    let _ = std::fs::remove_file(folder.path().join("odd-run/.lock"));
    let _ = std::fs::remove_file(folder.path().join("bad-run/.lock"));
    let _ = std::fs::remove_file(folder.path().join("real/.lock"));
    assert_eq!(listing(folder.path()), before, "nothing is left behind");
}

/// Every path below a folder.
fn listing(folder: &Path) -> Vec<String> {
    let mut paths: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                [vec![name], listing(&path)].concat()
            } else {
                vec![name]
            }
        })
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    paths.sort();
    paths
}

#[cfg(feature = "mnist")]
#[test]
fn a_damaged_file_in_the_mnist_cache_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("burn-dataset/mnist/train");
    std::fs::create_dir_all(&train).unwrap();
    for content in [
        idx_bytes(&[60_000, 28, 28], &[0; 1000]),
        idx_bytes(&[1, 5, 5], &[0; 25]),
        idx_bytes(&[1, 28, 28], &[0; 784]),
        Vec::new(),
    ] {
        std::fs::write(train.join("train-images-idx3-ubyte"), content).unwrap();
        std::fs::write(train.join("train-labels-idx1-ubyte"), idx_bytes(&[3], &[0, 1, 2])).unwrap();
        let (status, _, stderr) = run(program()
            .args(["train", "--set", "data.source=mnist"])
            .env("XDG_CACHE_HOME", folder.path())
            .current_dir(&folder));
        assert!(
            status == 1 && stderr.contains("is damaged") && stderr.contains("delete it"),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

/// Numbers that overflow f32 in the first step are found out and said, not written down.
#[test]
fn a_run_that_diverges_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = latent_cycles::model::Parameters::zeros(784, 5);
    parameters.forward.fill(1e38);
    latent_cycles::record::save_model(&folder.path().join("huge.mpk"), &parameters).unwrap();
    let (status, _, stderr) = run(program()
        .args([
            "train",
            "--quiet",
            "--run",
            "run",
            "--set",
            "model.init=record",
            "--set",
            "model.record=huge.mpk",
        ])
        .args(crate::command::SMALL)
        .current_dir(&folder));
    assert!(
        status == 1 && stderr.contains("training diverged") && stderr.lines().count() == 1,
        "{status} {stderr}"
    );
    let manifest = std::fs::read_to_string(folder.path().join("run/manifest.json")).unwrap();
    assert!(manifest.contains("\"failed\""), "{manifest}");
    assert_eq!(
        std::fs::read_dir(folder.path().join("run/checkpoints")).unwrap().count(),
        1,
        "the start and no broken state"
    );
}

/// Where there is no graphics adapter, one sentence says what to install. No driver is found in an empty folder.
#[cfg(all(target_os = "linux", feature = "wgpu"))]
#[test]
fn no_adapter_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = run(program()
        .args(["train", "--backend", "wgpu"])
        .env("VK_DRIVER_FILES", folder.path().join("none.json"))
        .env("VK_ICD_FILENAMES", folder.path().join("none.json"))
        .current_dir(&folder));
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    assert!(
        stderr.contains("no graphics adapter") && stderr.contains("mesa-vulkan-drivers"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!folder.path().join("artifacts").exists(), "no folder for a run that cannot begin");
}
