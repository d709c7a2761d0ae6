//! The configuration: files, settings, ranges.

use std::path::Path;

use latent_cycles::config::{Classes, Config, GradientKind, Sampling, Schedule};

use crate::common::root;

#[test]
fn the_default_file_says_what_the_program_does_and_names_every_key() {
    let text = std::fs::read_to_string(root().join("configs/default.toml")).unwrap();
    assert_eq!(Config::from_toml(&text, "configs/default.toml").unwrap(), Config::default());
    for key in Config::default().to_toml().lines().filter_map(|line| line.split_once(" = ")) {
        assert!(text.contains(&format!("{} = ", key.0)), "configs/default.toml lacks {}", key.0);
    }
}

#[test]
fn every_file_in_configs_is_valid_and_survives_being_written() {
    for entry in std::fs::read_dir(root().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        // A sweep's file is none of a run: tests/sweep.rs reads it, and tests/paper.rs those of the folder.
        if path.is_dir() || path.ends_with("sweep-example.toml") {
            continue;
        }
        let config = Config::load(Some(&path), &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(Config::from_toml(&config.to_toml(), "written").unwrap(), config);
    }
}

#[test]
fn settings_reach_every_kind_of_key() {
    let set = |settings: &[&str]| Config::load(None, &settings.iter().map(|&s| s.to_owned()).collect::<Vec<_>>());
    let config = set(&[
        "training.steps=17",
        "training.learning_rate = 1e-3",
        "training.schedule=cosine",
        "data.classes=all",
        "training.rmsprop.epsilon=1e-6",
        "training.rmsprop.epsilon={forward=1e-7, backward=1e-8}",
    ])
    .unwrap();
    assert_eq!((config.training.steps, config.training.learning_rate), (17, 1e-3));
    assert_eq!((config.training.schedule, &config.data.classes), (Schedule::Cosine, &Classes::All));
    let epsilon = config.training.rmsprop.epsilon;
    assert_eq!((epsilon.forward, epsilon.backward), (1e-7, 1e-8));
    let epsilon = set(&["training.rmsprop.epsilon.forward=1e-5"]).unwrap().training.rmsprop.epsilon;
    assert_eq!(
        (epsilon.forward, epsilon.backward),
        (1e-5, Config::default().training.rmsprop.epsilon.backward)
    );
    let kept = set(&["training.steps=3", "training={}", "training={seed=5}"]).unwrap().training;
    assert_eq!((kept.steps, kept.seed), (3, 5), "a section's other keys stay");
    assert_eq!(set(&["data.classes=[4, 7]"]).unwrap().data.classes, Classes::Some(vec![4, 7]));
}

#[test]
fn what_cannot_be_is_refused_with_its_name() {
    for (setting, expected) in [
        ("training.stepz=1", "did you mean `training.steps`"),
        ("steps=1", "did you mean `training.steps`"),
        ("trainin.seed=1", "did you mean `training.seed`"),
        ("training.steps", "has no `=`"),
        ("training.steps=0", "training.steps is 0"),
        ("training.steps=-5", "invalid value"),
        ("training.steps=many", "invalid type"),
        ("training.steps=1e3", "invalid type"),
        ("training.steps=99999999999999999999", "training.steps"),
        ("training.learning_rate=nan", "training.learning_rate is NaN"),
        ("training.learning_rate=inf", "training.learning_rate is inf"),
        ("training.learning_rate=0.0", "above 0"),
        ("training.learning_rate=-0.1", "above 0"),
        ("training.chains=1000000000", "training.chains is 1000000000"),
        ("training.batch_size=0", "training.batch_size is 0"),
        ("training.chain_steps=0", "training.chain_steps is 0"),
        ("training.seed=-1", "invalid value"),
        ("training.probability_floor=0.0", "training.probability_floor is 0"),
        ("training.rmsprop.decay=1.0", "training.rmsprop.decay is 1"),
        ("training.rmsprop.epsilon=0.0", "training.rmsprop.epsilon.forward is 0"),
        ("training.rmsprop.epsilon=x", "expected a number or"),
        ("training.schedule=exponential", "exponential"),
        (
            "training.gradient=exact",
            "training.gradient is exact; it must be \"two-step\" or \"complete\"",
        ),
        ("training.gradient=completely", "completely"),
        ("training.sampling=fresh", "fresh"),
        ("training.entropy_weight=inf", "training.entropy_weight is inf"),
        ("training.em.pseudo_count=0.0", "training.em.pseudo_count is 0"),
        ("training.em.pseudo_count=some", "expected \"held-out\" or a number"),
        ("training.em.restarts=0", "training.em.restarts is 0"),
        ("model.latent=0", "model.latent is 0"),
        ("model.latent=1000000000000", "model.latent is 1000000000000"),
        ("model.kind=boltzmann", "boltzmann"),
        ("model.scale=-1.0", "model.scale is -1"),
        ("model.init=record", "model.record is nothing"),
        ("model.record=x", "left out unless"),
        ("data.threshold=1.0", "data.threshold is 1"),
        ("data.classes=[]", "data.classes is []"),
        ("data.classes=[1, 1]", "distinct"),
        ("data.classes=[300]", "expected \"all\" or a list"),
        ("data.classes=none", "expected \"all\" or a list"),
        ("data.source=web", "web"),
        ("data.source=idx", "data.images is nothing"),
        ("data.images=x", "left out unless"),
        ("data.max_images=0", "data.max_images is 0"),
        ("evaluation.every=0", "evaluation.every is 0"),
        ("evaluation.samples=0", "evaluation.samples is 0"),
        ("checkpoint.per_decade=0", "checkpoint.per_decade is 0"),
        ("checkpoint.seconds=0", "checkpoint.seconds is 0"),
        ("training=3", "the section"),
        ("training.steps=3\ntraining.seed=4", "a whole number"),
        ("training.steps.more=3", "training.steps"),
        ("=3", "unknown key"),
    ] {
        let error = Config::load(None, &[setting.to_owned()]).expect_err(setting).to_string();
        assert!(error.contains(expected), "{setting}: {error:?} should contain {expected:?}");
        assert!(!error.contains('\n'), "{setting}: one line, not {error:?}");
    }
}

/// What belongs to a kind of model follows from it, and what contradicts it is refused.
#[test]
fn kinds_gradients_and_sampling_go_together() {
    let set = |settings: &[&str]| Config::load(None, &settings.iter().map(|&s| s.to_owned()).collect::<Vec<_>>());
    for (settings, gradient, sampling) in [
        (&["model.kind=rbm"][..], GradientKind::Exact, Sampling::Persistent),
        (&["model.kind=mixture"], GradientKind::Em, Sampling::Persistent),
        (
            &["training.gradient=pcd", "model.kind=rbm"],
            GradientKind::Pcd,
            Sampling::Persistent,
        ),
        (&["training.gradient=complete"], GradientKind::Complete, Sampling::Stratified),
        (&["training.entropy_weight=-0.1"], GradientKind::TwoStep, Sampling::Stratified),
        (&["training.entropy_weight=2"], GradientKind::TwoStep, Sampling::Stratified),
        (&["training.entropy_weight=0.0"], GradientKind::TwoStep, Sampling::Persistent),
        (&["training.sampling=stale"], GradientKind::TwoStep, Sampling::Stale),
    ] {
        let training = set(settings).unwrap_or_else(|error| panic!("{settings:?}: {error}")).training;
        assert_eq!((training.gradient, training.sampling), (gradient, sampling), "{settings:?}");
    }
    for (settings, expected) in [
        (
            &["model.kind=rbm", "training.gradient=two-step"][..],
            "it must be \"exact\" or \"pcd\"",
        ),
        (&["model.kind=mixture", "training.gradient=exact"], "it must be \"em\""),
        (&["model.kind=rbm", "training.entropy_weight=0.1"], "training.entropy_weight is 0.1"),
        (&["model.kind=rbm", "training.sampling=stale"], "training.sampling is stale"),
        (&["model.kind=mixture", "model.init=cyclic"], "model.init is cyclic"),
        (
            &["training.gradient=complete", "training.sampling=stale"],
            "training.sampling is stale",
        ),
        (&["training.gradient=complete", "training.chains=19"], "at least 20"),
    ] {
        let error = set(settings).expect_err(&format!("{settings:?}")).to_string();
        assert!(error.contains(expected), "{settings:?}: {error}");
    }
    let mut config = set(&["model.kind=mixture", "data.max_images=70000"]).unwrap();
    assert!(
        config
            .check_against(70_000, 7, u64::MAX)
            .unwrap_err()
            .to_string()
            .contains("data.max_images")
    );
    // Its batch is all of the images, whatever training.batch_size says.
    config.training.batch_size = 1_000;
    assert!(config.check_against(70, 7, u64::MAX).is_ok());
}

#[test]
fn errors_in_a_file_name_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    for (text, expected) in [
        ("[training]\nsteps = \n", "line 2"),
        ("[training]\nsteps = 5\nsteps = 6\n", "line 3"),
        ("[training]\n\nsteps = \"x\"\n", "line 3"),
        ("[training]\nstep = 5\n", "did you mean `training.steps`"),
        ("not toml", "line 1"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Config::load(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("mine.toml") && error.contains(expected), "{error}");
    }
    let error = Config::load(Some(Path::new("/nowhere/x.toml")), &[]).unwrap_err().to_string();
    assert!(error.contains("/nowhere/x.toml"), "{error}");
}

#[test]
fn sizes_are_checked_against_data_and_device() {
    let config = Config::default();
    assert!(config.check_against(500, 784, u64::MAX).is_ok());
    let error = config.check_against(499, 784, u64::MAX).unwrap_err().to_string();
    assert!(error.contains("training.batch_size is 500") && error.contains("499"), "{error}");
    // Software Vulkan takes 128 MiB: 2^25 numbers, 32,768 chains of 1,024 pixels.
    let mut large = config;
    large.training.chains = 32_769;
    let error = large.check_against(1000, 1024, 1 << 27).unwrap_err().to_string();
    assert!(
        error.contains("training.chains is 32769") && error.contains("at most 32768"),
        "{error}"
    );
}
