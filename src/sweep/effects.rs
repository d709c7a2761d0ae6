//! What a sweep's runs say together: figures by setting, correlations with entropy production, differences from the baseline.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::Plan;
use super::run::{Choice, PlannedRun};
use super::statistics::{Correlations, Observation, Paired, SampleStatistics, correlations, describe, paired};
use super::summary::RunRecord;
use crate::analysis::measures::{ENTROPY_PRODUCTION, LOG_LIKELIHOOD_TEST, LOG_LIKELIHOOD_TRAIN, Measure, swept};
use crate::random::Seed;

/// The seed of the bootstrap.
const BOOTSTRAP_SEED: Seed = Seed(1);

/// Everything; its serialization is summary.json.
#[derive(Debug, Serialize)]
pub struct Effects {
    /// Each setting, in the order of the sweep.
    pub settings: Vec<Setting>,
    /// Log-likelihoods against entropy production.
    pub correlations: Vec<WithEntropyProduction>,
    /// Variants against the baseline.
    pub differences: Vec<Difference>,
}

/// Runs that differ in their seed alone.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// In words.
    pub name: String,
    /// Its variant, where the sweep has some.
    #[serde(skip)]
    pub variant: Option<String>,
    /// Its values of the keys of the grid.
    #[serde(skip)]
    pub choices: Vec<Choice>,
    /// Runs asked for.
    pub runs: usize,
    /// Over the finished ones, by the names of the figures.
    pub figures: BTreeMap<&'static str, SampleStatistics>,
}

/// Spearman's correlation of a figure with entropy production.
#[derive(Debug, Serialize)]
pub struct WithEntropyProduction {
    /// The figure's name.
    pub figure: &'static str,
    /// Runs that have both.
    pub runs: usize,
    /// Settings among them.
    pub settings: usize,
    /// Seeds among them.
    pub seeds: usize,
    /// Within settings, across them, overall.
    #[serde(flatten)]
    pub correlations: Correlations,
}

/// A variant's setting against a setting of the baseline with the same values of the keys that both take from the sweep's grid, seed by
/// seed.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The variant.
    pub variant: String,
    /// Its keys, in words; of several settings, how many.
    pub setting: String,
    /// The baseline's.
    pub baseline: String,
    /// The variant less the baseline, by the names of the figures.
    pub figures: BTreeMap<&'static str, Paired>,
}

/// The finished runs of a setting.
struct Group<'a> {
    /// Any of its runs, for what they share.
    run: &'a PlannedRun,
    planned: usize,
    finished: Vec<&'a RunRecord<'a>>,
}

impl Effects {
    /// Of the finished runs.
    pub fn new(plan: &Plan, records: &[RunRecord]) -> Self {
        let groups = groups(records);
        let settings = groups.iter().map(|group| Setting {
            name: group.run.setting_name(),
            variant: group.run.variant.clone(),
            choices: group.run.setting.clone(),
            runs: group.planned,
            figures: by_measure(|measure| describe(&group.values(measure).into_values().collect::<Vec<_>>())),
        });
        let likelihoods = [LOG_LIKELIHOOD_TRAIN, LOG_LIKELIHOOD_TEST];
        Self {
            settings: settings.collect(),
            correlations: likelihoods.map(|measure| with_entropy_production(&measure, &groups)).into(),
            differences: plan
                .baseline
                .as_deref()
                .map_or(Vec::new(), |baseline| differences(baseline, &groups)),
        }
    }
}

fn by_measure<T>(of: impl Fn(&Measure) -> Option<T>) -> BTreeMap<&'static str, T> {
    swept().filter_map(|measure| Some((measure.key, of(measure)?))).collect()
}

/// The settings in the order of their first runs.
fn groups<'a>(records: &'a [RunRecord<'a>]) -> Vec<Group<'a>> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for record in records {
        let run = record.run;
        let place = *places.entry((&run.variant, &run.setting)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                run,
                planned: 0,
                finished: Vec::new(),
            });
        }
        groups[place].planned += 1;
        groups[place].finished.extend(record.figures.is_some().then_some(record));
    }
    groups
}

impl Group<'_> {
    /// A figure by seed.
    fn values(&self, measure: &Measure) -> BTreeMap<u64, f64> {
        let value = |record: &&RunRecord| Some((record.run.config.training.seed, measure.value(record.figures.as_ref()?)?));
        self.finished.iter().filter_map(value).collect()
    }

    fn choices_in_words(&self) -> String {
        in_words(self.run.setting.iter())
    }
}

fn with_entropy_production(measure: &Measure, groups: &[Group]) -> WithEntropyProduction {
    let mut all = Vec::new();
    for (setting, group) in groups.iter().enumerate() {
        let produced = group.values(&ENTROPY_PRODUCTION);
        let likelihoods = group.values(measure);
        let both = likelihoods.iter().filter_map(|(seed, y)| Some((*seed, *produced.get(seed)?, *y)));
        all.extend(both.map(|(seed, x, y)| Observation { setting, seed, x, y }));
    }
    let distinct = |of: fn(&Observation) -> u64| all.iter().map(of).collect::<std::collections::BTreeSet<_>>().len();
    WithEntropyProduction {
        figure: measure.key,
        runs: all.len(),
        settings: distinct(|run| run.setting as u64),
        seeds: distinct(|run| run.seed),
        correlations: correlations(&all, BOOTSTRAP_SEED),
    }
}

/// Every pair of settings that agree in what both take from the sweep's grid and have a seed in common; and where a variant and the baseline share several settings, the mean
/// over them of each seed's difference, over the seeds that have them all.
fn differences(baseline: &str, groups: &[Group]) -> Vec<Difference> {
    let is_baseline = |group: &&Group| group.run.variant.as_deref() == Some(baseline);
    let mut all = Vec::new();
    let mut pooled: BTreeMap<_, Vec<(&Group, &Group)>> = BTreeMap::new();
    for variant in groups.iter().filter(|group| !is_baseline(group)) {
        let name = variant.run.variant.clone().unwrap_or_default();
        for other in groups.iter().filter(is_baseline).filter(|other| agree(variant.run, other.run)) {
            let figures = by_measure(|measure| paired(&mean_differences(&[(variant, other)], measure)));
            if figures.is_empty() {
                continue;
            }
            all.push(Difference {
                variant: name.clone(),
                setting: variant.choices_in_words(),
                baseline: other.choices_in_words(),
                figures,
            });
            let own = (
                name.clone(),
                own_choices(variant.run, other.run),
                own_choices(other.run, variant.run),
            );
            pooled.entry(own).or_default().push((variant, other));
        }
    }
    let several = pooled.into_iter().filter(|(_, pairs)| pairs.len() > 1);
    let means = several.map(|((variant, own, of_baseline), pairs)| {
        let count = format!("mean of {} settings", pairs.len());
        let with = |own: String| if own.is_empty() { count.clone() } else { format!("{count}, {own}") };
        Difference {
            variant,
            setting: with(own),
            baseline: with(of_baseline),
            figures: by_measure(|measure| paired(&mean_differences(&pairs, measure))),
        }
    });
    all.extend(means.filter(|difference| !difference.figures.is_empty()));
    all
}

/// Have two settings the same value of every key of the sweep's grid that both take?
fn agree(a: &PlannedRun, b: &PlannedRun) -> bool {
    a.setting
        .iter()
        .all(|choice| shared(choice, b).is_none_or(|other| other.value == choice.value))
}

/// The choice of the other run that this one is to be matched with.
fn shared<'a>(choice: &Choice, other: &'a PlannedRun) -> Option<&'a Choice> {
    let same_key = |found: &&Choice| found.key == choice.key && !found.own && !choice.own;
    other.setting.iter().find(same_key)
}

/// The choices of the first that are not matched with the second's, in words.
fn own_choices(a: &PlannedRun, b: &PlannedRun) -> String {
    in_words(a.setting.iter().filter(|choice| shared(choice, b).is_none()))
}

fn in_words<'a>(choices: impl Iterator<Item = &'a Choice>) -> String {
    choices.map(Choice::to_string).collect::<Vec<_>>().join(", ")
}

/// For every seed that all pairs have, the mean over the pairs of the first's figure less the second's.
fn mean_differences(pairs: &[(&Group, &Group)], measure: &Measure) -> Vec<f64> {
    let mut sums: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (variant, baseline) in pairs {
        let of_baseline = baseline.values(measure);
        for (seed, value) in variant.values(measure) {
            if let Some(other) = of_baseline.get(&seed) {
                let (sum, count) = sums.entry(seed).or_default();
                *sum += value - other;
                *count += 1;
            }
        }
    }
    let complete = sums.into_values().filter(|(_, count)| *count == pairs.len());
    complete.map(|(sum, count)| sum / count as f64).collect()
}
