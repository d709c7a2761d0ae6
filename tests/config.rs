//! The configuration: files, settings, ranges.

use std::path::Path;

use latent_cycles::config::{
    Ascent, Chains, Classes, Config, EmConfig, GradientKind, HeldOutWord, Method, PathEntropy, PseudoCount, Schedule,
};
use toml::{Table, Value};

use crate::common::{configured, root, try_configured};

#[test]
fn the_default_file_says_what_the_program_does_and_names_every_key() {
    let text = std::fs::read_to_string(root().join("configs/default.toml")).unwrap();
    assert_eq!(Config::from_toml(&text, "configs/default.toml").unwrap(), Config::default());
    let sampled = configured(&[BINARY, "training.posterior=recognition"]);
    let rbm = configured(&["model.kind=rbm"]);
    for config in [Config::default(), configured(&["model.kind=mixture"]), sampled, rbm] {
        for key in config.to_toml().lines().filter_map(|line| line.split_once(" = ")) {
            assert!(text.contains(&format!("{} = ", key.0)), "configs/default.toml lacks {}", key.0);
        }
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
    let config = configured(&[
        "training.steps=17",
        "training.learning_rate = 1e-3",
        "training.schedule=cosine",
        "data.classes=all",
        "training.rmsprop.epsilon=1e-6",
        "training.rmsprop.epsilon={forward=1e-7, backward=1e-8}",
    ]);
    let ascent = |config: &Config| config.training.method.ascent().unwrap().clone();
    assert_eq!((config.training.steps, ascent(&config).learning_rate), (17, 1e-3));
    assert_eq!((ascent(&config).schedule, &config.data.classes), (Schedule::Cosine, &Classes::All));
    let epsilon = ascent(&config).epsilon;
    assert_eq!((epsilon.forward, epsilon.backward), (1e-7, 1e-8));
    let epsilon = ascent(&configured(&["training.rmsprop.epsilon.forward=1e-5"])).epsilon;
    assert_eq!((epsilon.forward, epsilon.backward), (1e-5, Ascent::default().epsilon.backward));
    let kept = configured(&["training.steps=3", "training={}", "training={seed=5}"]).training;
    assert_eq!((kept.steps, kept.seed), (3, 5), "a section's other keys stay");
    assert_eq!(configured(&["data.classes=[4, 7]"]).data.classes, Classes::Some(vec![4, 7]));
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

/// Numbers of one machine alone are held to their ranges there.
#[test]
fn what_a_machine_cannot_be_is_refused_with_its_name() {
    for (machine, setting, expected) in [
        ("model.kind=mixture", "training.em.pseudo_count=0.0", "a number from"),
        ("model.kind=mixture", "training.em.restarts=0", "a whole number from"),
        ("model.kind=rbm", "training.batch_size=0", "a whole number from"),
        ("training.sampling=stratified", "training.chains=0", "a whole number from"),
        ("training.sampling=stratified", "training.entropy_weight=1e7", "a number from"),
        ("training.sampling=stratified", "training.path_entropy_weight=1e7", "a number from"),
    ] {
        let error = try_configured(&[machine, setting]).expect_err(setting).to_string();
        let key = setting.split('=').next().unwrap();
        assert!(
            error.starts_with(&format!("{key} is ")) && error.contains(expected),
            "{setting}: {error}"
        );
    }
}

/// What belongs to a kind of model follows from it, and what contradicts it is refused.
#[test]
fn kinds_gradients_and_sampling_go_together() {
    let chains = Chains::default();
    let of_both = |complete, entropy_weight, path_entropy_weight| GradientKind::Stratified {
        images: chains.count,
        complete,
        entropy_weight,
        path_entropy_weight,
    };
    let stratified = |complete, entropy_weight| of_both(complete, entropy_weight, 0.0);
    let two_step = |stale, path_entropy| GradientKind::TwoStep {
        chains,
        stale,
        path_entropy,
    };
    let plain = PathEntropy::NONE;
    for (settings, kind) in [
        (&[][..], two_step(false, plain)),
        (&["model.kind=rbm"], GradientKind::Exact { centered: false }),
        (
            &["model.kind=rbm", "training.centered=true"],
            GradientKind::Exact { centered: true },
        ),
        (
            &["training.gradient=pcd", "model.kind=rbm"],
            GradientKind::Pcd { chains, centered: false },
        ),
        (&["training.gradient=complete"], stratified(true, 0.0)),
        (&["training.entropy_weight=-0.1"], stratified(false, -0.1)),
        (&["training.entropy_weight=2"], stratified(false, 2.0)),
        (&["training.path_entropy_weight=-0.5"], two_step(false, PathEntropy::Weight(-0.5))),
        (&["training.path_entropy_target=30"], two_step(false, PathEntropy::Target(30.0))),
        (
            &["training.path_entropy_weight=-0.5", "training.sampling=persistent"],
            two_step(false, PathEntropy::Weight(-0.5)),
        ),
        (
            &["training.path_entropy_weight=-0.5", "training.sampling=stratified"],
            of_both(false, 0.0, -0.5),
        ),
        (
            &["training.path_entropy_weight=-0.5", "training.entropy_weight=1"],
            of_both(false, 1.0, -0.5),
        ),
        (
            &["training.path_entropy_weight=-0.5", "training.gradient=complete"],
            of_both(true, 0.0, -0.5),
        ),
        (
            &["training.path_entropy_weight=-0.5", DEEP, "training.chains=500"],
            of_both(false, 0.0, -0.5),
        ),
        (&["model.kind=directed"], GradientKind::Directed),
        (&["model.kind=directed", BINARY, "training.gradient=exact"], GradientKind::Directed),
        (&["model.kind=mixture", BINARY], GradientKind::Mixture),
        (&["model.kind=mixture", BINARY, "training.gradient=em"], GradientKind::Mixture),
        (&["training.sampling=stratified"], stratified(false, 0.0)),
        (&["training.entropy_weight=0.0"], two_step(false, plain)),
        (&["training.sampling=stale"], two_step(true, plain)),
    ] {
        let expected = Method::Gradient {
            kind,
            ascent: Ascent::default(),
        };
        assert_eq!(configured(settings).training.method, expected, "{settings:?}");
    }
    let em = EmConfig {
        pseudo_count: PseudoCount::HeldOut(HeldOutWord::HeldOut),
        restarts: 10,
    };
    assert_eq!(configured(&["model.kind=mixture"]).training.method, Method::Em(em));
    for (settings, expected) in [
        (
            &["model.kind=rbm", "training.gradient=two-step"][..],
            "it must be \"exact\" or \"pcd\"",
        ),
        (&["model.kind=mixture", "training.gradient=exact"], "it must be \"em\""),
        (&["model.kind=rbm", "training.entropy_weight=0.1"], "training.entropy_weight is 0.1"),
        (&["model.kind=directed", "training.gradient=em"], "it must be \"exact\""),
        (&["model.kind=directed", "model.init=reversible"], "model.init is reversible"),
        (&["model.kind=rbm", DEEP], "one layer, as model.kind is \"rbm\""),
        (&["model.kind=mixture", DEEP], "one layer, as model.kind is \"mixture\""),
        (&["model.kind=directed", DEEP], "one layer, as model.kind is \"directed\""),
        (&["training.path_entropy_weight=1", DEEP, "training.chains=9"], "at least 10"),
        (
            &["training.path_entropy_weight=1", "training.sampling=stale"],
            "training.sampling is stale; it must be \"persistent\" or \"stratified\"",
        ),
        (
            &["training.path_entropy_weight=1", "training.path_entropy_target=3"],
            "training.path_entropy_weight is 1.0; it must be left out, as path_entropy_target sets the weight",
        ),
        (
            &["training.path_entropy_target=3", DEEP],
            "training.path_entropy_target is 3.0; it must be left out, as model.latent is a list",
        ),
        (
            &["training.posterior=recognition"],
            "training.posterior is recognition; it must be \"enumerate\" or left out, as model.latent is not one layer of binary units",
        ),
        (
            &["training.posterior=recognition", BINARY, "model.kind=rbm"],
            "model.kind is rbm; it must be \"nonequilibrium\"",
        ),
        (
            &["training.posterior=recognition", BINARY, "training.sampling=stale"],
            "training.sampling is stale; it must be \"persistent\"",
        ),
        (
            &["training.posterior=recognition", BINARY, "training.gradient=complete"],
            "training.gradient is complete; it must be \"two-step\"",
        ),
        (
            &["training.posterior=recognition", BINARY, "training.entropy_weight=1"],
            "training.entropy_weight is 1.0; it must be left out, as training.posterior is \"recognition\"",
        ),
        (
            &["training.posterior=recognition", BINARY, "training.rmsprop.decay=0.5"],
            "training.rmsprop.decay is 0.5; it must be left out, as training.optimizer is \"adam\"",
        ),
        (
            &["training.posterior=recognition", BINARY, "training.candidates=1"],
            "training.candidates is 1; it must be a whole number from 2",
        ),
        (
            &["training.centered=true"],
            "training.centered is true; it must be left out, as model.kind is \"nonequilibrium\"",
        ),
        (&["training.candidates=7", BINARY], "training.candidates is 7; it must be left out"),
        (&["training.optimizer=adam"], "training.optimizer is adam; it must be left out"),
        (&["training.path_entropy_target=0"], "training.path_entropy_target is 0; it must be"),
        (
            &["training.path_entropy_target=-3"],
            "training.path_entropy_target is -3; it must be",
        ),
        (
            &["training.path_entropy_target=3", "training.sampling=stratified"],
            "training.sampling is stratified; it must be \"persistent\" with the two-step gradient",
        ),
        (
            &["training.path_entropy_target=3", "training.gradient=complete"],
            "training.sampling is stratified; it must be \"persistent\" with the two-step gradient",
        ),
        (
            &["training.path_entropy_target=3", "training.sampling=stale"],
            "training.sampling is stale",
        ),
        (
            &["training.path_entropy_target=3", "training.chains=1"],
            "training.chains is 1; it must be at least 2",
        ),
        (
            &["model.kind=rbm", "training.path_entropy_target=3"],
            "training.path_entropy_target is 3",
        ),
        (
            &["model.init=cyclic", BINARY],
            "model.init is cyclic; it must be \"random\", \"reversible\" or \"record\", as model.latent is not a number of states",
        ),
        (&["model.init=images", BINARY], "model.init is images; it must be"),
        (&["model.kind=rbm", "training.sampling=stale"], "training.sampling is stale"),
        (&["model.kind=mixture", "model.init=cyclic"], "model.init is cyclic"),
        (&["model.kind=rbm", "model.init=cyclic"], "model.init is cyclic"),
        (&["model.kind=rbm", "model.init=reversible"], "model.init is reversible"),
        (
            &["training.gradient=complete", "training.sampling=stale"],
            "training.sampling is stale",
        ),
        (&["training.gradient=complete", "training.chains=19"], "at least 20"),
    ] {
        let error = try_configured(settings).expect_err(&format!("{settings:?}")).to_string();
        assert!(error.contains(expected), "{settings:?}: {error}");
    }
    let config = configured(&["model.kind=mixture", "data.max_images=70000"]);
    assert!(
        config
            .check_against(70_000, 7, u64::MAX)
            .unwrap_err()
            .to_string()
            .contains("data.max_images")
    );
    // Its batch is all of the images, whatever training.batch_size says.
    let config = Config::from_toml("model.kind = \"mixture\"\ntraining.batch_size = 1000\n", "old").unwrap();
    assert!(config.check_against(70, 7, u64::MAX).is_ok());
}

const BINARY: &str = "model.latent={ kind = \"binary\", units = 3 }";
const DEEP: &str = "model.latent=[3, 5]";
const CODED_MIXTURE: &[&str] = &["model.kind=\"mixture\"", BINARY];
const DIRECTED: &[&str] = &["model.kind=\"directed\""];
const MIXTURE: &[&str] = &["model.kind=\"mixture\""];
const EXACT: &[&str] = &["model.kind=\"rbm\""];
const PCD: &[&str] = &["model.kind=\"rbm\"", "training.gradient=\"pcd\""];
const TWO_STEP: &[&str] = &[];
const STRATIFIED: &[&str] = &["training.sampling=\"stratified\""];
const COMPLETE: &[&str] = &["training.gradient=\"complete\""];
const WEIGHTED: &[&str] = &["training.entropy_weight=0.1"];
const STOCHASTIC: &[&str] = &["data.binarize=\"stochastic\""];
const RECORD: &[&str] = &["model.init=\"record\"", "model.record=\"x.mpk\""];
const MIXTURE_RECORD: &[&str] = &["model.kind=\"mixture\"", "model.init=\"record\"", "model.record=\"x.mpk\""];
const MIXTURE_IMAGES: &[&str] = &["model.kind=\"mixture\"", "model.init=\"images\""];
const EXACT_IMAGES: &[&str] = &["model.kind=\"rbm\"", "model.init=\"images\""];

/// A setting that the machine does not use is refused where a person gives it, in any order, and passed over where an older version wrote
/// it. The value that it has by default says nothing and is accepted.
#[test]
fn what_a_machine_does_not_use_is_refused_by_name() {
    for (machine, key, value, default) in [
        (MIXTURE, "training.learning_rate", "0.1", "0.01"),
        (MIXTURE, "training.schedule", "\"constant\"", "\"linear\""),
        (MIXTURE, "training.rmsprop.decay", "0.5", "0.9"),
        (MIXTURE, "training.rmsprop.epsilon", "1e-6", "1e-15"),
        (MIXTURE, "training.rmsprop.epsilon", "{ forward = 1e-6 }", "{ backward = 1e-15 }"),
        (MIXTURE, "training.batch_size", "7", "500"),
        (MIXTURE, "training.chains", "7", "500"),
        (MIXTURE, "training.chain_steps", "2", "1"),
        (MIXTURE, "training.sampling", "\"stale\"", "\"persistent\""),
        (MIXTURE, "training.entropy_weight", "0.1", "0.0"),
        (MIXTURE, "training.path_entropy_weight", "0.1", "0.0"),
        (CODED_MIXTURE, "training.chains", "7", "500"),
        (CODED_MIXTURE, "training.sampling", "\"stale\"", "\"persistent\""),
        (CODED_MIXTURE, "training.path_entropy_weight", "0.1", "0.0"),
        (CODED_MIXTURE, "training.em.pseudo_count", "0.2", "\"held-out\""),
        (CODED_MIXTURE, "training.em.restarts", "3", "10"),
        (DIRECTED, "training.chains", "7", "500"),
        (DIRECTED, "training.chain_steps", "2", "1"),
        (DIRECTED, "training.entropy_weight", "0.1", "0.0"),
        (DIRECTED, "training.path_entropy_weight", "0.1", "0.0"),
        (DIRECTED, "training.em.restarts", "3", "10"),
        (EXACT, "training.path_entropy_weight", "0.1", "0.0"),
        (EXACT, "training.chains", "7", "500"),
        (EXACT, "training.chain_steps", "2", "1"),
        (EXACT, "training.sampling", "\"stratified\"", "\"persistent\""),
        (EXACT, "training.entropy_weight", "0.1", "0.0"),
        (EXACT, "training.em.restarts", "3", "10"),
        (PCD, "training.sampling", "\"stale\"", "\"persistent\""),
        (PCD, "training.entropy_weight", "0.1", "0.0"),
        (PCD, "training.em.pseudo_count", "0.2", "\"held-out\""),
        (TWO_STEP, "training.em.pseudo_count", "0.2", "\"held-out\""),
        (TWO_STEP, "training.em.restarts", "3", "10"),
        (STRATIFIED, "training.chain_steps", "2", "1"),
        (STRATIFIED, "training.em.restarts", "3", "10"),
        (COMPLETE, "training.chain_steps", "2", "1"),
        (WEIGHTED, "training.chain_steps", "2", "1"),
        (STOCHASTIC, "data.threshold", "0.25", "0.5"),
        (RECORD, "model.scale", "0.1", "0.5"),
        (MIXTURE_RECORD, "model.scale", "0.1", "0.5"),
        (MIXTURE_RECORD, "training.em.restarts", "3", "10"),
        (MIXTURE_IMAGES, "model.scale", "0.1", "0.5"),
        (EXACT_IMAGES, "model.scale", "0.1", "0.5"),
    ] {
        let alone = configured(machine);
        let [setting, by_default] = [value, default].map(|value| format!("{key}={value}"));
        for settings in [[machine, &[&setting]].concat(), [&[setting.as_str()], machine].concat()] {
            let error = try_configured(&settings).expect_err(&format!("{settings:?}")).to_string();
            assert!(
                error.starts_with(&format!("{key} is ")) && error.contains("; it must be left out, as "),
                "{settings:?}: {error}"
            );
            assert!(!error.contains('\n'), "{settings:?}: one line, not {error:?}");
            let old = Config::from_toml(&settings.join("\n"), "old").unwrap_or_else(|error| panic!("{settings:?}: {error}"));
            assert_eq!(old, alone, "{settings:?}: passed over");
        }
        let settings = [machine, &[&by_default]].concat();
        assert_eq!(configured(&settings), alone, "{settings:?}");
    }
}

/// What one machine has no use for, another does: only in a machine's own settings do the numbers arrive.
#[test]
fn what_a_machine_uses_is_not_refused() {
    for (machine, setting) in [
        (TWO_STEP, "training.chain_steps=2"),
        (TWO_STEP, "model.scale=0.1"),
        (&["model.init=images"], "model.scale=0.1"),
        (&["model.init=cyclic"], "model.scale=0.1"),
        (STRATIFIED, "training.chains=700"),
        (STRATIFIED, "training.learning_rate=0.1"),
        (WEIGHTED, "training.sampling=stratified"),
        (CODED_MIXTURE, "training.learning_rate=0.1"),
        (CODED_MIXTURE, "training.batch_size=7"),
        (DIRECTED, "training.batch_size=7"),
        (DIRECTED, "training.schedule=constant"),
        (EXACT, "training.batch_size=7"),
        (EXACT, "training.rmsprop.decay=0.5"),
        (PCD, "training.chains=7"),
        (PCD, "training.chain_steps=2"),
        (MIXTURE, "model.scale=0.1"),
        (MIXTURE, "training.em.restarts=3"),
        (MIXTURE, "training.em.pseudo_count=0.2"),
        (MIXTURE_IMAGES, "training.em.restarts=3"),
        (MIXTURE_RECORD, "training.em.pseudo_count=0.2"),
        (EXACT, "data.threshold=0.25"),
    ] {
        let with = configured(&[machine, &[setting]].concat());
        // In WEIGHTED the sampling is what it would be anyway.
        assert_eq!(with == configured(machine), machine == WEIGHTED, "{machine:?}: {setting}");
    }
}

/// The dotted paths of all keys in a table.
fn keys(table: &Table, section: &str) -> Vec<String> {
    let keys = table.iter().flat_map(|(key, value)| match value {
        Value::Table(table) if !(section == "model." && key == "latent") => keys(table, &format!("{section}{key}.")),
        _ => vec![format!("{section}{key}")],
    });
    keys.collect()
}

/// config.toml holds every key that the machine uses and no other, and is what it was when it is read again, by `--config` too.
#[test]
fn a_written_configuration_holds_what_the_machine_uses_and_survives_being_read() {
    const ASCENT: [&str; 6] = [
        "training.batch_size",
        "training.learning_rate",
        "training.schedule",
        "training.rmsprop.decay",
        "training.rmsprop.epsilon.forward",
        "training.rmsprop.epsilon.backward",
    ];
    const CHAINS: [&str; 2] = ["training.chains", "training.chain_steps"];
    const OBJECTIVE: [&str; 3] = ["training.sampling", "training.entropy_weight", "training.path_entropy_weight"];
    const EM: [&str; 2] = ["training.em.pseudo_count", "training.em.restarts"];
    const ALWAYS: [&str; 14] = [
        "data.source",
        "data.classes",
        "data.binarize",
        "model.kind",
        "model.latent",
        "model.init",
        "training.steps",
        "training.seed",
        "training.gradient",
        "training.probability_floor",
        "evaluation.every",
        "evaluation.samples",
        "checkpoint.per_decade",
        "checkpoint.seconds",
    ];
    const SCALE: &[&str] = &["model.scale"];
    const CENTERED: &[&str] = &["training.centered"];
    const SAMPLED: &[&str] = &[
        "training.batch_size",
        "training.learning_rate",
        "training.schedule",
        "training.posterior",
        "training.candidates",
        "training.optimizer",
        "training.path_entropy_weight",
    ];
    const ADAM: &[&str] = &["training.adam.decay", "training.adam.square_decay", "training.adam.epsilon"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for (settings, used) in [
        (TWO_STEP, &[&ASCENT[..], &CHAINS, &OBJECTIVE, SCALE][..]),
        (
            &["training.sampling=stale", "training.chains=7", "training.chain_steps=3"],
            &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE],
        ),
        (
            &["model.init=reversible", "model.scale=0.25", "training.seed=9223372036854775807"],
            &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE],
        ),
        (&["model.init=cyclic"], &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE]),
        (
            &["model.init=images", "training.rmsprop.epsilon.forward=1e-7"],
            &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE],
        ),
        (RECORD, &[&ASCENT, &CHAINS, &OBJECTIVE, &["model.record"]]),
        (STRATIFIED, &[&ASCENT, &["training.chains"], &OBJECTIVE, SCALE]),
        (
            &["training.gradient=complete", "training.chains=700", "training.entropy_weight=-0.3"],
            &[&ASCENT, &["training.chains"], &OBJECTIVE, SCALE],
        ),
        (WEIGHTED, &[&ASCENT, &["training.chains"], &OBJECTIVE, SCALE]),
        (EXACT, &[&ASCENT, CENTERED, SCALE]),
        (DIRECTED, &[&ASCENT, SCALE]),
        (CODED_MIXTURE, &[&ASCENT, SCALE]),
        (&["training.path_entropy_weight=-0.3"], &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE]),
        (
            &["training.path_entropy_target=7.5"],
            &[
                &ASCENT,
                &CHAINS,
                &["training.sampling", "training.entropy_weight", "training.path_entropy_target"],
                SCALE,
            ],
        ),
        (EXACT_IMAGES, &[&ASCENT, CENTERED]),
        (
            &["model.kind=rbm", "training.schedule=cosine", "training.rmsprop.decay=0.0"],
            &[&ASCENT, CENTERED, SCALE],
        ),
        (PCD, &[&ASCENT, CENTERED, &CHAINS, SCALE]),
        (
            &[
                "model.kind=rbm",
                "training.gradient=pcd",
                "training.chains=7",
                "training.learning_rate=1e-3",
            ],
            &[&ASCENT, CENTERED, &CHAINS, SCALE],
        ),
        (
            &["training.posterior=recognition", "training.batch_size=500", BINARY],
            &[SAMPLED, ADAM, &CHAINS, SCALE],
        ),
        (
            &[
                "training.posterior=recognition",
                "training.batch_size=500",
                BINARY,
                "training.optimizer=rmsprop",
            ],
            &[SAMPLED, &ASCENT[3..], &CHAINS, SCALE],
        ),
        (MIXTURE, &[&EM, SCALE]),
        (
            &[
                "model.kind=mixture",
                "training.em.pseudo_count=0.2",
                "training.em.restarts=3",
                "model.scale=1",
            ],
            &[&EM, SCALE],
        ),
        (MIXTURE_IMAGES, &[&EM]),
        (MIXTURE_RECORD, &[&["model.record", "training.em.pseudo_count"]]),
        (STOCHASTIC, &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE]),
        (
            &[
                "data.source=idx",
                "data.images=a b",
                "data.labels=l",
                "data.test_images=t",
                "data.test_labels=u",
                "data.classes=all",
                "data.threshold=0.25",
                "data.max_images=7",
                "data.max_test_images=3",
                "evaluation.every=3",
                "checkpoint.per_decade=2",
                "checkpoint.seconds=5",
            ],
            &[
                &ASCENT,
                &CHAINS,
                &OBJECTIVE,
                SCALE,
                &[
                    "data.images",
                    "data.labels",
                    "data.test_images",
                    "data.test_labels",
                    "data.max_images",
                    "data.max_test_images",
                ],
            ],
        ),
        (
            &["data.source=mnist", "data.classes=[7, 3]"],
            &[&ASCENT, &CHAINS, &OBJECTIVE, SCALE],
        ),
    ] {
        let config = configured(settings);
        let mut settled = config.clone();
        if let Method::Gradient { ascent, .. } = &mut settled.training.method {
            // A run settles it with its data.
            ascent.batch_size = Some(500);
        }
        let text = settled.to_toml();
        let config = settled;
        let threshold = (settings != STOCHASTIC).then_some("data.threshold");
        let used = used.iter().copied().flatten().copied();
        let mut expected: Vec<&str> = ALWAYS.into_iter().chain(threshold).chain(used).collect();
        expected.sort_unstable();
        let mut written = keys(&toml::from_str(&text).unwrap(), "");
        written.sort_unstable();
        assert_eq!(written, expected, "{settings:?}");

        assert_eq!(Config::from_toml(&text, "written").unwrap(), config, "{settings:?}");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Config::load(Some(&path), &[]).unwrap(), config, "{settings:?}");
    }
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
    // The default gives way to fewer images, a size that was asked for does not.
    assert!(config.check_against(499, 784, u64::MAX).is_ok());
    assert_eq!(config.training.method.batch_of(499), 499);
    let config = configured(&["training.batch_size=500"]);
    assert!(config.check_against(500, 784, u64::MAX).is_ok());
    let error = config.check_against(499, 784, u64::MAX).unwrap_err().to_string();
    assert!(error.contains("training.batch_size is 500") && error.contains("499"), "{error}");
    // Software Vulkan takes 128 MiB: 2^25 numbers, 32,768 chains of 1,024 pixels, or as many images drawn anew.
    for sampling in ["persistent", "stratified"] {
        let large = configured(&["training.chains=32769", &format!("training.sampling={sampling}")]);
        let error = large.check_against(1000, 1024, 1 << 27).unwrap_err().to_string();
        assert!(
            error.contains("training.chains is 32769") && error.contains("at most 32768"),
            "{error}"
        );
    }
}
