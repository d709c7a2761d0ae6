//! What the runs of a sweep say together, on figures made by hand.

use latent_cycles::analysis::Headline;
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::sweep::effects::{Difference, Effects};
use latent_cycles::sweep::plan::Plan;
use latent_cycles::sweep::run::PlannedRun;
use latent_cycles::sweep::statistics::SampleStatistics;
use latent_cycles::sweep::summary::{RunRecord, RunStatus};

/// Finished runs whose log-likelihood is a function of the run and whose entropy production is its square.
fn records<'a>(plan: &'a Plan, likelihood: impl Fn(&PlannedRun) -> Option<f64>) -> Vec<RunRecord<'a>> {
    let record = |run: &'a PlannedRun| {
        let value = likelihood(run);
        let none = || Figure::missing("not made");
        let figures = value.map(|value| Headline {
            step: Some(1),
            log_likelihood_train: Figure::exact(value),
            log_likelihood_test: none(),
            log_likelihood_bound_train: none(),
            log_likelihood_bound_test: none(),
            entropy_production: Figure::exact(value * value),
            path_entropy_production: none(),
            self_transition: none(),
            class_kl: none(),
            relaxation_time: none(),
            autocorrelation_time: none(),
            class_autocorrelation_time: none(),
            rotation_period: none(),
        });
        RunRecord {
            run,
            status: if value.is_some() { RunStatus::Finished } else { RunStatus::Failed },
            steps: None,
            seconds: None,
            figures,
            error: None,
            unread: Vec::new(),
        }
    };
    plan.runs.iter().map(record).collect()
}

fn seed(run: &PlannedRun) -> f64 {
    run.config.training.seed as f64
}

#[test]
fn settings_are_runs_that_differ_in_their_seed_alone() {
    let plan = Plan::from_toml("[grid]\ntraining.seed = \"1..3\"\nmodel.latent = [3, 5]", "F.toml").unwrap();
    let likelihood =
        |run: &PlannedRun| (run.name != "latent-5-seed-2").then(|| -seed(run) - 10.0 * run.config.model.latent.states() as f64);
    let effects = Effects::new(&plan, &records(&plan, likelihood));
    let names: Vec<&str> = effects.settings.iter().map(|setting| setting.name.as_str()).collect();
    assert_eq!(names, ["latent = 3", "latent = 5"]);
    let of = |place: usize| -> &SampleStatistics { &effects.settings[place].figures["log_likelihood_train"] };
    assert_eq!((of(0).n, of(0).mean, of(0).deviation), (3, -32.0, Some(1.0)));
    assert_eq!((of(1).n, of(1).mean, effects.settings[1].runs), (2, -52.0, 3));
    assert!(!effects.settings[0].figures.contains_key("log_likelihood_test"));
    let train = &effects.correlations[0];
    assert_eq!(
        (train.figure, train.runs, train.settings, train.seeds),
        ("log_likelihood_train", 5, 2, 3)
    );
    assert_eq!(
        train.correlations.within.value,
        Some(-1.0),
        "likelihoods are negative, and their squares fall"
    );
    let test = &effects.correlations[1];
    assert_eq!((test.figure, test.runs), ("log_likelihood_test", 0));
    assert!(test.correlations.overall.value.is_none());
    assert!(effects.differences.is_empty(), "no baseline");
}

fn difference<'a>(effects: &'a Effects, variant: &str, setting: &str, baseline: &str) -> &'a Difference {
    let found = effects
        .differences
        .iter()
        .find(|found| (found.variant.as_str(), found.setting.as_str(), found.baseline.as_str()) == (variant, setting, baseline));
    found.unwrap_or_else(|| panic!("{variant}, {setting}, {baseline} is not among {:#?}", effects.differences))
}

/// Each setting of a variant is compared with the baseline's of the same size, by seed; a key of its own is no obstacle, and the mean
/// over sizes counts each seed once.
#[test]
fn variants_are_compared_with_the_baseline_seed_by_seed() {
    let text =
        "baseline = \"b\"\n[grid]\ntraining.seed = \"1..3\"\nmodel.latent = [3, 5]\n[[variants]]\nname = \"b\"\n[[variants]]\nname = \"v\"
                set.model.scale = 0.1\ngrid.training.learning_rate = [0.5, 0.25]";
    let plan = Plan::from_toml(text, "F.toml").unwrap();
    let likelihood = |run: &PlannedRun| {
        let (seed, latent) = (seed(run), run.config.model.latent.states() as f64);
        // Seeds differ much; the variant is above by its rate times size, and by the seed where that is 3.
        let rate = run.config.training.method.ascent().unwrap().learning_rate;
        let gain = rate * latent + if seed == 3.0 { 3.0 } else { -1.0 };
        let variant = run.variant.as_deref() == Some("v");
        // One run of the baseline is missing.
        (run.name != "b-latent-5-seed-2").then_some(-100.0 * seed + if variant { gain } else { 0.0 })
    };
    let records = records(&plan, likelihood);
    let effects = Effects::new(&plan, &records);
    assert_eq!(effects.differences.len(), 4 + 2);
    let three = &difference(&effects, "v", "latent = 3, learning_rate = 0.5", "latent = 3").figures["log_likelihood_train"];
    assert_eq!((three.difference.n, three.difference.min, three.difference.max), (3, 0.5, 4.5));
    assert!((three.difference.mean - (1.5 + (3.0 - 2.0) / 3.0)).abs() < 1e-12 && three.above == 1.0);
    let five = &difference(&effects, "v", "latent = 5, learning_rate = 0.25", "latent = 5").figures["log_likelihood_train"];
    assert_eq!((five.difference.n, five.difference.min, five.difference.max), (2, 0.25, 4.25));
    let label = "mean of 2 settings";
    let pooled = &difference(&effects, "v", &format!("{label}, learning_rate = 0.25"), label).figures["log_likelihood_train"];
    // Seed 2 lacks a size and counts in none.
    assert_eq!((pooled.difference.n, pooled.difference.min, pooled.difference.max), (2, 0.0, 4.0));
    assert_eq!(pooled.above, 0.5);
}

/// A variant that replaces the values of a key is compared with the baseline's, whatever they are.
#[test]
fn a_key_that_a_variant_replaces_is_its_own() {
    let text =
        "baseline = \"b\"\n[grid]\ntraining.seed = [1, 2]\nmodel.latent = [3]\n[[variants]]\nname = \"b\"\n[[variants]]\nname = \"v\"
                grid.model.latent = [7]";
    let plan = Plan::from_toml(text, "F.toml").unwrap();
    let effects = Effects::new(
        &plan,
        &records(&plan, |run| Some(run.config.model.latent.states() as f64 * seed(run))),
    );
    let found = &difference(&effects, "v", "latent = 7", "latent = 3").figures["log_likelihood_train"];
    assert_eq!((found.difference.n, found.difference.mean), (2, 6.0));
}

/// Lines of a figure share all but what varies along them, and go up along a key of the grid whatever the order in the file.
#[test]
fn lines_of_a_figure_are_settings_that_share_all_but_one_key() {
    let plan = Plan::from_toml(
        "[grid]\ntraining.seed = \"1..3\"\ntraining.steps = [30, 10, 20]\n[[variants]]\nname = \"a\"\n[[variants]]\nname = \"b\"\nset.model.latent = 3\n
         [[figures]]\nname = \"up\"\nx = \"steps\"\ny = \"log_likelihood_train\"
         [[figures]]\nname = \"across\"\nx = \"entropy_production\"\ny = \"log_likelihood_train\"\nalong = \"variant\"
         [[figures]]\nname = \"points\"\nx = \"entropy_production\"\ny = \"log_likelihood_train\"",
        "F.toml",
    )
    .unwrap();
    let value =
        |run: &PlannedRun| run.config.training.steps as f64 + seed(run) + if run.variant.as_deref() == Some("b") { 100.0 } else { 0.0 };
    let records = records(&plan, |run| Some(value(run)));
    let settings = Effects::new(&plan, &records).settings;
    let named = |number: usize| -> Vec<(String, Vec<[f64; 2]>)> {
        let lines = plan.figures[number].lines(&settings).into_iter();
        let means = lines.map(|line| {
            (
                line.name,
                line.points.iter().map(|point| [point.x.mean[1], point.y.mean[1]]).collect(),
            )
        });
        means.collect()
    };
    assert_eq!(
        named(0),
        [
            ("a".to_owned(), vec![[10.0, 12.0], [20.0, 22.0], [30.0, 32.0]]),
            ("b".to_owned(), vec![[10.0, 112.0], [20.0, 122.0], [30.0, 132.0]]),
        ]
    );
    let across = named(1);
    assert_eq!(
        across.iter().map(|line| line.0.as_str()).collect::<Vec<_>>(),
        ["steps 30", "steps 10", "steps 20"]
    );
    assert_eq!(across[1].1.iter().map(|point| point[1]).collect::<Vec<_>>(), [12.0, 112.0]);
    assert!(named(2).len() == 6 && !plan.figures[2].is_joined() && plan.figures[1].is_joined());
    // A setting is left out where a run lacks the figure.
    let mut lacking = settings;
    lacking[2].figures.get_mut("entropy_production").unwrap().n -= 1;
    assert_eq!(plan.figures[2].lines(&lacking).len(), 5);
    let settings = lacking;
    // Student's interval of 11, 12, 13: 12 -+ 4.303 / sqrt(3).
    let spread = plan.figures[0].lines(&settings)[0].points[0].y;
    let (ends, range) = (spread.mean, spread.median);
    assert_eq!(range, [11.0, 12.0, 13.0]);
    assert!(
        (ends[0] - (12.0 - 2.4841)).abs() < 1e-3 && (ends[2] - (12.0 + 2.4841)).abs() < 1e-3,
        "{ends:?}"
    );
}
