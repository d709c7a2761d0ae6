//! What a sweep's file asks for: every combination, names, and refusals before anything starts.

use latent_cycles::config::Config;
use latent_cycles::sweep::plan::Plan;

use crate::command::run;
use crate::common::{configured, program, root};

pub fn plan(text: &str) -> Plan {
    Plan::from_toml(text, "F.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.runs.iter().map(|run| run.name.as_str()).collect()
}

#[test]
fn a_grid_is_every_combination_with_the_seed_running_fastest() {
    let plan =
        plan("[grid]\ntraining.steps = [7]\ntraining.seed = \"3..5\"\nmodel.latent = [3, 20]\ndata.classes = [[0, 1, 2], \"all\"]\n");
    assert_eq!(plan.keys, ["data.classes", "model.latent", "training.steps", "training.seed"]);
    assert_eq!(plan.runs.len(), 12);
    assert_eq!(
        names(&plan)[..4],
        [
            "classes-0_1_2-latent-3-steps-7-seed-3",
            "classes-0_1_2-latent-3-steps-7-seed-4",
            "classes-0_1_2-latent-3-steps-7-seed-5",
            "classes-0_1_2-latent-20-steps-7-seed-3"
        ]
    );
    let last = plan.runs.last().unwrap();
    assert_eq!(last.name, "classes-all-latent-20-steps-7-seed-5");
    assert_eq!((last.config.model.latent.states(), last.config.training.seed), (20, 5));
    assert_eq!(last.values, ["all", "20", "7", "5"]);
}

/// Each number of a latent layer varies by itself, and whole layers do.
#[test]
fn latent_layers_vary_number_by_number_and_as_a_whole() {
    let layers = |plan: &Plan| -> Vec<String> {
        let texts = plan.runs.iter().map(|run| run.config.model.latent.to_string());
        texts.collect()
    };
    let units = plan("[set]\nmodel.latent.kind = \"binary\"\n[grid]\nmodel.latent.units = [4, 8, 10]\n");
    assert_eq!(names(&units), ["units-4", "units-8", "units-10"]);
    assert_eq!(units.keys, ["model.latent.units"]);
    assert_eq!(units.runs[1].values, ["8"]);
    assert_eq!(layers(&units)[2], "{ kind = \"binary\", units = 10 }");
    let range = plan("[set]\nmodel.latent.kind = \"binary\"\n[grid]\nmodel.latent.units = \"2..4\"\n");
    assert_eq!(names(&range), ["units-2", "units-3", "units-4"]);
    let grid = plan(
        "[set]\nmodel.latent = { kind = \"grid\", points = 5, range = 3 }\n[grid]\ntraining.seed = [1]\n
         [[variants]]\nname = \"a\"\ngrid.model.latent.dimensions = [1]\ngrid.model.latent.range = [2.5, 3]
         [[variants]]\nname = \"b\"\nset.model.latent.points = 7
         [[variants]]\nname = \"c\"\nset.model.latent.kind = \"binary\"\nset.model.latent.units = 3
         [[variants]]\nname = \"d\"\nset.model.latent = 12
         [[variants]]\nname = \"e\"\nset.model.latent = [12, 3]",
    );
    assert_eq!(
        layers(&grid),
        [
            "{ kind = \"grid\", dimensions = 1, points = 5, range = 2.5 }",
            "{ kind = \"grid\", dimensions = 1, points = 5, range = 3.0 }",
            "{ kind = \"grid\", dimensions = 2, points = 7, range = 3.0 }",
            "{ kind = \"binary\", units = 3 }",
            "12",
            "[12, 3]"
        ]
    );
    assert_eq!(names(&grid)[0], "a-dimensions-1-range-2.5-seed-1");
    let whole = plan(
        "[grid]\nmodel.latent = [10, { kind = \"binary\", units = 4 }, { kind = \"groups\", sizes = [16, 16] },
         { kind = \"grid\", points = 24, range = 4.5 }, [10, { kind = \"binary\", units = 4 }], [7, 8]]",
    );
    assert_eq!(
        names(&whole),
        [
            "latent-10",
            "latent-binary-4",
            "latent-groups-16_16",
            "latent-grid-24-4.5",
            "latent-10_binary-4",
            "latent-7_8"
        ]
    );
    assert_eq!(layers(&whole)[4], "[10, { kind = \"binary\", units = 4 }]");
    assert_eq!(whole.runs[1].values, ["{ kind = binary, units = 4 }"]);
    assert_eq!(whole.runs[4].setting_name(), "latent = [10, { kind = binary, units = 4 }]");
}

#[test]
fn variants_add_their_own_settings_and_grids() {
    let plan = plan(
        "baseline = \"slow\"
         [set]
         training.steps = 7
         model.scale = 0.1
         [grid]
         training.seed = [1, 2]
         training.chains = [10, 20]
         [[variants]]
         name = \"slow\"
         set.training.steps = 9
         [[variants]]
         name = \"wide\"
         set.model.latent = 30
         grid.training.chains = [40]
         grid.training.learning_rate = [1e-3, 0.01]",
    );
    assert_eq!(
        names(&plan),
        [
            "slow-chains-10-seed-1",
            "slow-chains-10-seed-2",
            "slow-chains-20-seed-1",
            "slow-chains-20-seed-2",
            "wide-chains-40-learning_rate-0.001-seed-1",
            "wide-chains-40-learning_rate-0.001-seed-2",
            "wide-chains-40-learning_rate-0.01-seed-1",
            "wide-chains-40-learning_rate-0.01-seed-2",
        ]
    );
    let (slow, wide) = (&plan.runs[0].config, &plan.runs[4].config);
    let chains = |config: &Config| config.training.method.chains().unwrap().count;
    assert_eq!((slow.training.steps, chains(slow), slow.model.init.scale()), (9, 10, 0.1));
    assert_eq!((wide.training.steps, chains(wide), wide.model.init.scale()), (7, 40, 0.1));
    let rate = wide.training.method.ascent().unwrap().learning_rate;
    assert_eq!((wide.model.latent.states(), rate), (30, 1e-3));
    assert_eq!(
        plan.keys,
        [
            "model.latent",
            "training.chains",
            "training.learning_rate",
            "training.steps",
            "training.seed"
        ]
    );
}

/// Names are file names, each once, whatever the values are.
#[test]
fn names_are_safe_and_unique() {
    let long = "x".repeat(300);
    let text = format!(
        "[set]\ndata.source = \"idx\"\ndata.classes = \"all\"\n[grid]\n\
         data.images = [\"../a b/c?.gz\", \"../a b/c!.gz\", \"{long}\", \"ok\"]\n\
         training.rmsprop.epsilon.forward = [1e-15, 0.5]\ntraining.rmsprop.epsilon.backward = [1e-9, 1]"
    );
    let plan = plan(&text);
    let mut seen = std::collections::BTreeSet::new();
    for name in names(&plan) {
        assert!(
            name.len() < 200 && name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c)),
            "{name}"
        );
        assert!(name.starts_with("images-") && seen.insert(name.to_lowercase()), "{name}");
    }
    assert_eq!(seen.len(), 16);
    assert!(seen.contains("images-ok-backward-1e-9-forward-0.5"), "{seen:?}");
    // Where two keys end alike, all of their paths are in the name.
    let keys = ["a.seconds", "b.seconds", "b.steps"].map(str::to_owned);
    let short = latent_cycles::sweep::names::short_keys(&keys.into());
    assert_eq!(short.into_values().collect::<Vec<_>>(), ["a.seconds", "b.seconds", "steps"]);
    let plan = self::plan("[grid]\ndata.max_images = [2]\n[[variants]]\nname = \"a-max_images-2\"\n[[variants]]\nname = \"a\"");
    assert_eq!(names(&plan), ["a-max_images-2-max_images-2", "a-max_images-2"]);
    let plan = self::plan("[[variants]]\nname = \"a-seed-1\"\n[[variants]]\nname = \"a\"\ngrid.training.seed = [1]");
    assert_eq!(names(&plan), ["a-seed-1", "a-seed-1-2"]);
    assert_eq!(names(&self::plan("")), ["run"]);
}

#[test]
fn the_sweeps_of_the_guide_are_sweeps() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let guide = read("src/guide/sweeps.md");
    let written = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(plan(written).runs.len(), 40 + 80);
    assert_eq!(plan(&read("configs/sweep-example.toml")).runs.len(), 4);
}

/// Every mistake is refused with its place in one line.
#[test]
fn impossible_sweeps_are_refused() {
    let variant = |more: &str| format!("[[variants]]\nname = \"a\"\n{more}");
    for (text, said) in [
        ("[grid\n", "F.toml, line 1: "),
        ("grids = 1", "unknown key `grids`; did you mean `grid`?"),
        ("analyze = 1", "line 1: invalid type"),
        (
            "[set]\ntraining.stepz = 1",
            "F.toml, [set]: unknown key `training.stepz`; did you mean `training.steps`?",
        ),
        (
            "[grid]\nmodel.latnt = [1]",
            "F.toml, [grid]: unknown key `model.latnt`; did you mean `model.latent`?",
        ),
        ("[grid]\nmodel.latent = []", "model.latent has 0 values"),
        (
            "[grid]\nmodel.latent = 3",
            "model.latent is 3; it must be a list of values, or a range",
        ),
        (
            "[grid]\ntraining.learning_rate = \"1..3\"",
            "training.learning_rate is 1..3; it must be a list of values",
        ),
        ("[grid]\ntraining.seed = \"5..3\"", "training.seed has 0 values"),
        ("[grid]\ntraining.seed = \"1..9999999999999\"", "training.seed has 200001 values"),
        (
            "[grid]\ntraining.seed = \"1..100000\"\nmodel.latent = [2, 3, 5]",
            "asks for 300000 runs",
        ),
        ("[grid]\nmodel.latent = [3, 5, 3]", "model.latent has the value 3 twice"),
        (
            "[grid]\ntraining.learning_rate = [1, 1.0]",
            "training.learning_rate has the value 1.0 twice",
        ),
        (
            "[grid]\nmodel.latent = [3, \"many\"]",
            "[grid], model.latent = many: invalid type: string \"many\", expected a number of states",
        ),
        (
            "[set]\nmodel.latent = \"many\"",
            "[set], model.latent = many: invalid type: string \"many\", expected a number of states",
        ),
        ("[grid]\nmodel.latent = [3, 0]", "run latent-0: model.latent is 0; it must be"),
        (
            "[set]\nmodel.latent = 4\n[grid]\nmodel.latent = [3]",
            "model.latent has one value in set and several in grid",
        ),
        (
            &variant("set.model.latent = 3\ngrid.model.latent = [3]"),
            "variant a: model.latent has one value",
        ),
        (&variant("sets = 3"), "variant a: unknown key `sets`; did you mean `set`?"),
        (&variant("[[variants]]\nname = \"A\""), "variant A: two variants have this name"),
        ("[[variants]]\nname = \"../a\"", "the name becomes part of file names"),
        ("[[variants]]\nset.model.latent = 3", "missing field `name`"),
        (
            &format!("baseline = \"b\"\n{}", variant("")),
            "baseline is b; it must be the name of a variant, and these are a",
        ),
        ("baseline = \"b\"", "there are no [[variants]]"),
        ("analyze = false\nsamples = 3", "samples has no effect"),
        ("samples = 0", "samples must be a whole number"),
        ("[set]\nmodel.latent = 4097", "an analysis takes at most 4096"),
        (
            "[set]\nmodel.latent.kind = \"binary\"\n[grid]\nmodel.latent.units = [4, 4097]",
            "F.toml, run units-4097: model.latent is { kind = \"binary\", units = 4097 }; it must be of at most 4096 units",
        ),
        (
            "[set]\nmodel.latent.kind = \"binary\"\n[grid]\nmodel.latent.units = [4, 12]\nmodel.latent.unit = [4]",
            "unknown key `model.latent.unit`; did you mean `model.latent.units`?",
        ),
        (
            "[grid]\nmodel.latent = [10, { kind = \"binary\", unit = 4 }]",
            "F.toml, [grid]: unknown key `model.latent.unit`; did you mean `model.latent.units`?",
        ),
        (
            "[grid]\nmodel.latent.units = [4, 6]",
            "F.toml, run units-4: model.latent.kind is nothing; it must be \"binary\", as units is given",
        ),
        (
            "[set]\nmodel.latent.kind = \"grid\"\n[grid]\nmodel.latent.units = [4, 6]",
            "run units-4: model.latent.units is 4; it must be left out, as kind is \"grid\"",
        ),
        (
            "[set]\nmodel.latent.units = 4\n[grid]\nmodel.latent = [10, { kind = \"binary\", units = 4 }]",
            "model.latent.units has one value in set and several in grid",
        ),
        (
            "samples = 10000000\n[grid]\nmodel.latent = [{ kind = \"binary\", units = 10 }]",
            "samples is 10000000; with 1024 latent states (10 binary units), as in run latent-binary-10, it must be at most",
        ),
        (
            "[grid]\nmodel.latent = [{ kind = \"binary\", units = 4 }, { units = 4, kind = \"binary\" }]",
            "model.latent has the value { kind = binary, units = 4 } twice",
        ),
        (
            "[set]\nmodel.kind = \"mixture\"\n[grid]\ntraining.learning_rate = [0.01, 0.1]",
            "F.toml, run learning_rate-0.1: training.learning_rate is 0.1; it must be left out",
        ),
        (
            "[grid]\ntraining.chains = [7, 11]\n[[variants]]\nname = \"a\"\n[[variants]]\nname = \"b\"\nset.model.kind = \"rbm\"",
            "F.toml, run b-chains-7: training.chains is 7; it must be left out",
        ),
        (
            &variant("set.model.kind = \"mixture\"\nset.training.batch_size = 7"),
            "F.toml, run a: training.batch_size is 7; it must be left out",
        ),
        (
            &variant("set.model.kind = \"mixture\"\ngrid.training.rmsprop.epsilon.forward = [1e-6]"),
            "F.toml, run a-forward-1e-6: training.rmsprop.epsilon is ",
        ),
        (
            &format!(
                "{}set.training.chain_steps = 2",
                variant("[[variants]]\nname = \"b\"\nset.training.sampling = \"stratified\"\n")
            ),
            "F.toml, run b: training.chain_steps is 2; it must be left out",
        ),
        (
            "[set]\ntraining.em.restarts = 3",
            "F.toml: training.em.restarts is 3; it must be left out",
        ),
        (
            "[set]\ntraining.chains = 7\n[[variants]]\nname = \"a\"\nset.model.kind = \"rbm\"\n[[variants]]\nname = \"b\"\nset.model.kind = \"mixture\"",
            "F.toml: training.chains is 7; it must be left out",
        ),
        (
            "[set]\ntraining.rmsprop.epsilon.forward = 1e-3\n[grid]\ntraining.rmsprop.epsilon = [1e-3, 1e-6]",
            "training.rmsprop.epsilon.forward has one value in set and several in grid",
        ),
        (
            "[grid]\ntraining.rmsprop.epsilon = [1e-3, 1e-6]\n[[variants]]\nname = \"a\"\ngrid.training.rmsprop.epsilon = { forward = [1e-3], backward = [1e-4] }",
            "has the same configuration as run",
        ),
    ] {
        match Plan::from_toml(text, "F.toml") {
            Ok(plan) => panic!("{text} became {:?}", names(&plan)),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("F.toml") && error.contains(said), "{text}: {error}");
                assert!(error.lines().count() == 1, "{error}");
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sweep.toml"), "[grid]\nmodel.latent = [3, 0]").unwrap();
    let arguments = ["sweep", "--config", "sweep.toml", "--out", "out"];
    let (status, stdout, stderr) = run(program().args(arguments).current_dir(&folder));
    assert_eq!((status, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{stderr}");
    assert!(!folder.path().join("out").exists());
}

/// What the sweep's own `[set]` says may be for some of the variants, whichever come first, and a default value is no setting; every run has
/// the configuration that it would have alone.
#[test]
fn settings_of_the_sweep_may_be_for_some_of_its_variants() {
    let gradient = "[[variants]]\nname = \"two-step\"\ngrid.training.chain_steps = [2, 3]\n";
    let em = "[[variants]]\nname = \"mixture\"\nset.model.kind = \"mixture\"\nset.training.batch_size = 500\n";
    let images = "[[variants]]\nname = \"images\"\nset.model = { kind = \"mixture\", init = \"images\" }\n";
    let record = "[[variants]]\nname = \"record\"\nset.model = { kind = \"mixture\", init = \"record\", record = \"x.mpk\" }\n";
    let set = "[set]\nmodel.scale = 0.1\ntraining.chains = 7\ntraining.em.restarts = 3\n";
    for variants in [[gradient, em, images, record], [record, images, em, gradient]] {
        let plan = plan(&[set, &variants.concat()].concat());
        assert_eq!(plan.keys[2..], ["model.record", "training.batch_size", "training.chain_steps"]);
        for run in &plan.runs {
            let (settings, values): (&[&str], _) = match run.name.as_str() {
                "two-step-chain_steps-2" => (&["training.chain_steps=2", "training.chains=7", "model.scale=0.1"], ["500", "2"]),
                "two-step-chain_steps-3" => (&["training.chain_steps=3", "training.chains=7", "model.scale=0.1"], ["500", "3"]),
                "mixture" => (&["model.kind=mixture", "training.em.restarts=3", "model.scale=0.1"], ["", ""]),
                "images" => (&["model.kind=mixture", "model.init=images", "training.em.restarts=3"], ["", ""]),
                "record" => (&["model.kind=mixture", "model.init=record", "model.record=x.mpk"], ["", ""]),
                other => panic!("{other}"),
            };
            assert_eq!(run.config, configured(settings), "{}", run.name);
            assert_eq!(run.values[3..], values, "{}: a key that it does not use has no value", run.name);
            // The run reads what the sweep writes for it, and refuses what it does not use.
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            std::fs::write(&path, run.config.to_toml()).unwrap();
            assert_eq!(Config::load(Some(&path), &[]).unwrap(), run.config, "{}", run.name);
        }
        assert_eq!(plan.runs.len(), 5);
    }
}

/// One number for both parts of epsilon stays where a grid or a setting varies one of them.
#[test]
fn a_part_of_epsilon_is_set_over_a_number_for_both() {
    let epsilons = |text: &str| -> Vec<(f64, f64)> {
        let epsilon = |config: &Config| {
            config
                .training
                .method
                .ascent()
                .map(|ascent| (ascent.epsilon.forward, ascent.epsilon.backward))
        };
        plan(text).runs.iter().map(|run| epsilon(&run.config).unwrap()).collect()
    };
    let parts = "training.rmsprop.epsilon.forward = [1e-3, 1e-4]";
    let of_grid = [(1e-3, 0.01), (1e-4, 0.01)];
    assert_eq!(
        epsilons(&format!("[set]\ntraining.rmsprop.epsilon = 1e-2\n[grid]\n{parts}")),
        of_grid
    );
    let variant = "[[variants]]\nname = \"a\"\n";
    assert_eq!(
        epsilons(&format!("[grid]\n{parts}\n{variant}set.training.rmsprop.epsilon = 1e-2")),
        of_grid
    );
    let own = format!("[set]\ntraining.rmsprop.epsilon = 1\n{variant}set.training.rmsprop.epsilon.backward = 0.01\ngrid.{parts}");
    assert_eq!(epsilons(&own), of_grid);
    let both = format!("[set]\ntraining.rmsprop.epsilon = {{ forward = 5.0, backward = 6.0 }}\n{variant}set.training.rmsprop.epsilon = 2");
    assert_eq!(epsilons(&both), [(2.0, 2.0)]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("F.toml");
    std::fs::write(&file, "training.rmsprop.epsilon = 1e-2").unwrap();
    let epsilon = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let config = Config::load(Some(&file), &settings).unwrap();
        config
            .training
            .method
            .ascent()
            .map(|ascent| (ascent.epsilon.forward, ascent.epsilon.backward))
            .unwrap()
    };
    assert_eq!(epsilon(&["training.rmsprop.epsilon.forward=1e-3"]), of_grid[0]);
    assert_eq!(epsilon(&["training.rmsprop={ epsilon = { backward = 3.0 } }"]), (0.01, 3.0));
    assert_eq!(
        epsilon(&["training.rmsprop.epsilon=1", "training.rmsprop.epsilon.forward=2.0"]),
        (2.0, 1.0)
    );
}

/// Figures are checked before anything starts: what they plot, along what, and their names.
#[test]
fn impossible_figures_are_refused() {
    let with = |figure: &str| {
        let text = format!(
            "[grid]\ntraining.seed = \"1..3\"\n[[variants]]\nname = \"a\"\ngrid.training.learning_rate = [0.1, 0.2]\n[[figures]]\n{figure}"
        );
        Plan::from_toml(&text, "F.toml")
    };
    let good = with("name = \"f\"\nx = \"training.learning_rate\"\ny = \"class_kl\"").unwrap();
    assert_eq!((good.figures.len(), good.figures[0].x_title().as_str()), (1, "learning rate"));
    assert_eq!(good.figures[0].y_title(), "class divergence, nats");
    assert!(with("name = \"f\"\nx = \"relaxation_time\"\ny = \"class_kl\"\nalong = \"variant\"").is_ok());
    for (figure, problem) in [
        ("x = \"class_kl\"\ny = \"class_kl\"", "missing field `name`"),
        (
            "name = \"f\"\nx = \"seed\"\ny = \"class_kl\"",
            "F.toml, figure f: x is seed; it must be a key of the grid",
        ),
        ("name = \"f\"\nx = \"variant\"\ny = \"class_kl\"", "x is variant; it must be a key"),
        (
            "name = \"f\"\nx = \"class_kl\"\ny = \"likelihood\"",
            "y is likelihood; it must be one of log_likelihood_train",
        ),
        (
            "name = \"f\"\nx = \"class_kl\"\ny = \"class_kl\"\nalong = \"steps\"",
            "along is steps; it must be one of variant, learning_rate",
        ),
        (
            "name = \"../f\"\nx = \"class_kl\"\ny = \"class_kl\"",
            "the name becomes that of a file",
        ),
        ("name = \"f\"\nx = \"class_kl\"\ny = \"class_kl\"\nz = 1", "unknown key `z`"),
        (
            "name = \"f\"\nx = \"class_kl\"\ny = \"class_kl\"\n[[figures]]\nname = \"F\"\nx = \"class_kl\"\ny = \"class_kl\"",
            "figure F: two figures have this name",
        ),
    ] {
        let found = with(figure).unwrap_err().to_string();
        assert!(found.contains(problem), "{figure}: {found}");
    }
}
