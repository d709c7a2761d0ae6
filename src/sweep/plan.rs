//! The sweep's file, and the runs that it asks for: every configuration resolved and checked before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::SEED;
use super::grid::{self, Axis, Point, axes, combinations};
use super::names::{is_safe, make_unique, name, short_keys, text};
use crate::analysis::MOST_STATES;
use crate::config::{Config, ConfigError, Unused, WrittenConfig, merge, syntax};
use crate::estimate::sampling::{GROUPS, Sampling};
use crate::files::{self, FileError};

/// The most runs of a sweep.
pub const MOST_RUNS: usize = 10_000;

/// What is wrong with a sweep's file.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Values that are no sweep.
    #[error("{place}: {problem}")]
    Invalid {
        /// The file and the part of it.
        place: String,
        /// In words, with what to do.
        problem: String,
    },
}

/// A sweep: what its file asks for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file's text as given.
    pub source: String,
    /// Heading of the page.
    pub title: Option<String>,
    /// Paragraphs below it.
    pub text: Option<String>,
    /// The variant that the others are compared with.
    pub baseline: Option<String>,
    /// Is every run analyzed at its end?
    pub analyze: bool,
    /// `--samples` of these analyses.
    pub samples: Option<u32>,
    /// The keys that vary, of grids and of variants, by their dotted paths; the seed is last.
    pub keys: Vec<String>,
    /// In order: by variant, then by the keys of the grid, the seed running fastest.
    pub runs: Vec<PlannedRun>,
}

/// One run of a sweep.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Of its folder; unique.
    pub name: String,
    /// Its variant, where the sweep has any.
    pub variant: Option<String>,
    /// Its choices in the grid but for the seed: with the variant, its setting.
    pub setting: Vec<Choice>,
    /// The value of each of [`Plan::keys`] in words; empty where it is not set.
    pub values: Vec<String>,
    /// All of its configuration.
    pub config: Config,
}

/// A value of a key of the grid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// The key's short name.
    pub key: String,
    /// In words.
    pub value: String,
    /// Is it from the variant's own grid?
    pub own: bool,
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

impl PlannedRun {
    /// The setting in words.
    pub fn setting_name(&self) -> String {
        let choices = self.setting.iter().map(Choice::to_string);
        let all: Vec<String> = self.variant.clone().into_iter().chain(choices).collect();
        if all.is_empty() { "all runs".to_owned() } else { all.join(", ") }
    }
}

/// The file as it is written.
#[derive(Deserialize)]
struct Written {
    title: Option<String>,
    text: Option<String>,
    baseline: Option<String>,
    #[serde(default = "yes")]
    analyze: bool,
    samples: Option<u32>,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    grid: Table,
    #[serde(default)]
    variants: Vec<WrittenVariant>,
}

/// An entry of `[[variants]]`.
#[derive(Deserialize)]
struct WrittenVariant {
    name: String,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    grid: Table,
}

/// Settings with a grid on top: a variant, or the whole of a sweep without any.
struct Variant {
    name: Option<String>,
    settings: Table,
    /// Keys that it sets apart from the sweep's own `[set]`.
    own_keys: Vec<String>,
    axes: Vec<Axis>,
}

fn yes() -> bool {
    true
}

impl Plan {
    /// Reads a sweep's file.
    ///
    /// # Errors
    /// Names the file, the part of it and the key, and what to write instead.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let source = files::read_at_most(path, 1 << 20)?;
        Self::from_toml(&String::from_utf8_lossy(&source), &path.display().to_string())
    }

    /// The sweep in a text that stands in `place`.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn from_toml(source: &str, place: &str) -> Result<Self, PlanError> {
        let written = parse(source, place)?;
        let variants = variants(&written, place)?;
        let count = |variant: &Variant| {
            let lengths = variant.axes.iter().map(|axis| axis.values.len());
            lengths.fold(1, usize::saturating_mul)
        };
        let total = variants.iter().map(count).fold(0, usize::saturating_add);
        if total > MOST_RUNS {
            return Err(invalid(place, format!("asks for {total} runs; a sweep has at most {MOST_RUNS}")));
        }
        if let Some(baseline) = &written.baseline
            && !variants.iter().any(|variant| variant.name.as_ref() == Some(baseline))
        {
            let names: Vec<&str> = variants.iter().filter_map(|variant| variant.name.as_deref()).collect();
            let there = if names.is_empty() {
                "there are no [[variants]]".to_owned()
            } else {
                format!("these are {}", names.join(", "))
            };
            return Err(invalid(
                place,
                format!("baseline is {baseline}; it must be the name of a variant, and {there}"),
            ));
        }
        let (keys, runs) = expand(&variants, place)?;
        let plan = Self {
            source: source.to_owned(),
            title: written.title,
            text: written.text,
            baseline: written.baseline,
            analyze: written.analyze,
            samples: written.samples,
            keys,
            runs,
        };
        plan.check_analysis(place)?;
        Ok(plan)
    }

    /// Refuses what `analyze` would refuse after the training.
    fn check_analysis(&self, place: &str) -> Result<(), PlanError> {
        if !self.analyze {
            return match self.samples {
                Some(_) => Err(invalid(place, "samples has no effect with analyze = false; leave one out".into())),
                None => Ok(()),
            };
        }
        if self.samples.is_some_and(|samples| !(1..=10_000_000).contains(&samples)) {
            return Err(invalid(place, "samples must be a whole number from 1 to 10000000".into()));
        }
        for PlannedRun { name, config, .. } in &self.runs {
            let latent = config.model.latent;
            if latent > MOST_STATES {
                let problem =
                    format!("run {name} has model.latent = {latent}, and an analysis takes at most {MOST_STATES}; set analyze = false");
                return Err(invalid(place, problem));
            }
            let most = Sampling::most_samples(latent);
            if let Some(samples) = self.samples.filter(|&samples| (samples as usize).next_multiple_of(GROUPS) > most) {
                let problem = format!("samples is {samples}; with model.latent = {latent}, as in run {name}, it must be at most {most}");
                return Err(invalid(place, problem));
            }
        }
        Ok(())
    }
}

fn invalid(place: &str, problem: String) -> PlanError {
    PlanError::Invalid {
        place: place.to_owned(),
        problem,
    }
}

/// The file with every key known.
fn parse(source: &str, place: &str) -> Result<Written, PlanError> {
    let table: Table = toml::from_str(source).map_err(|error| syntax(&error, source, place))?;
    let known = ["title", "text", "baseline", "analyze", "samples", "set", "grid", "variants"];
    refuse_unknown(&table, &known, place)?;
    for variant in table.get("variants").and_then(Value::as_array).into_iter().flatten() {
        let name = variant.get("name").map_or("without a name".to_owned(), text);
        if let Value::Table(table) = variant {
            refuse_unknown(table, &["name", "set", "grid"], &of_variant(place, &name))?;
        }
    }
    Ok(toml::from_str(source).map_err(|error| syntax(&error, source, place))?)
}

fn refuse_unknown(table: &Table, known: &[&str], place: &str) -> Result<(), ConfigError> {
    let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key));
    Err(ConfigError::UnknownKey {
        place: place.to_owned(),
        key: key.clone(),
        nearest: nearest.map(|nearest| (*nearest).to_owned()).unwrap_or_default(),
    })
}

fn of_variant(place: &str, name: &str) -> String {
    format!("{place}, variant {name}")
}

/// The variants with the sweep's own settings and grid under theirs.
fn variants(written: &Written, place: &str) -> Result<Vec<Variant>, PlanError> {
    let (of_set, of_grid) = (format!("{place}, [set]"), format!("{place}, [grid]"));
    let common = typed_leaves(&written.set, &of_set)?;
    let common_axes = axes(&written.grid, &of_grid)?;
    refuse_both(&common, &common_axes, place)?;
    let mut settings = Table::new();
    common.iter().for_each(|(key, value)| grid::put(&mut settings, key, value.clone()));
    if written.variants.is_empty() {
        return Ok(vec![Variant {
            name: None,
            settings,
            own_keys: Vec::new(),
            axes: common_axes,
        }]);
    }
    let mut names = BTreeSet::new();
    let mut variants = Vec::new();
    for WrittenVariant { name, set, grid } in &written.variants {
        let place = of_variant(place, name);
        if name.len() > 60 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(is_safe) {
            let problem = "the name becomes part of file names; it must begin with a letter or digit and have at most 60 letters (a to z), digits, and . _ + -";
            return Err(invalid(&place, problem.into()));
        }
        if !names.insert(name.to_lowercase()) {
            return Err(invalid(&place, "two variants have this name; give each its own".into()));
        }
        let own = typed_leaves(set, &format!("{place}, set"))?;
        let mut own_axes = axes(grid, &format!("{place}, grid"))?;
        own_axes.iter_mut().for_each(|axis| axis.own = true);
        let mut axes: Vec<Axis> = common_axes
            .iter()
            .filter(|axis| own_axes.iter().all(|own| own.key != axis.key))
            .cloned()
            .collect();
        axes.extend(own_axes);
        grid::order(&mut axes);
        refuse_both(&own, &axes, &place)?;
        let mut settings = settings.clone();
        set.clone().into_iter().for_each(|(key, value)| merge(&mut settings, &key, value));
        variants.push(Variant {
            name: Some(name.clone()),
            settings,
            own_keys: own.into_iter().map(|(key, _)| key).collect(),
            axes,
        });
    }
    Ok(variants)
}

/// The keys of a `set` with their values, each of the right type.
fn typed_leaves(table: &Table, place: &str) -> Result<Point, PlanError> {
    let leaves = grid::leaves(table, place)?;
    for (key, value) in &leaves {
        grid::alone(key, value, place)?;
    }
    Ok(leaves)
}

/// Refuses a key that would be set and vary at once.
fn refuse_both(set: &Point, axes: &[Axis], place: &str) -> Result<(), PlanError> {
    let both = set.iter().find(|(key, _)| axes.iter().any(|axis| axis.key == *key));
    both.map_or(Ok(()), |(key, _)| {
        Err(invalid(
            place,
            format!("{key} has one value in set and several in grid; leave it out of one"),
        ))
    })
}

/// All runs, and the keys that vary among them.
fn expand(variants: &[Variant], place: &str) -> Result<(Vec<String>, Vec<PlannedRun>), PlanError> {
    let in_grids: BTreeSet<String> = variants
        .iter()
        .flat_map(|variant| &variant.axes)
        .map(|axis| axis.key.clone())
        .collect();
    let short = short_keys(&in_grids);
    let own = variants.iter().flat_map(|variant| variant.own_keys.iter().cloned());
    let mut keys: Vec<String> = in_grids.iter().cloned().chain(own).collect::<BTreeSet<_>>().into_iter().collect();
    keys.sort_by_key(|key| key == SEED);

    let mut taken = BTreeSet::new();
    let mut runs = Vec::new();
    let mut unused_by_all = None;
    for variant in variants {
        let mut seen = BTreeMap::new();
        for point in combinations(&variant.axes) {
            let name = match name(variant.name.as_deref(), &point, &short) {
                name if name.is_empty() => "run".to_owned(),
                name => name,
            };
            let name = make_unique(&name, &mut taken);
            let of_run = format!("{place}, run {name}");
            let mut table = variant.settings.clone();
            point.iter().for_each(|(key, value)| grid::put(&mut table, key, value.clone()));
            let resolved = WrittenConfig::from_table(&table, &of_run)?.resolve();
            let (config, unused) = resolved.map_err(|error| invalid(&of_run, error.to_string()))?;
            unused_by_all = Some(refuse_unused(unused, variant, &point, unused_by_all, &of_run)?);
            if let Some(other) = seen.insert(config.to_toml(), name.clone()) {
                return Err(invalid(
                    &of_run,
                    format!("has the same configuration as run {other}; leave one of them out"),
                ));
            }
            let resolved = Value::try_from(WrittenConfig::from(&config)).unwrap_or(Value::Boolean(false));
            let value = |key: &String| key.split('.').try_fold(&resolved, |value, part| value.get(part)).map(text);
            runs.push(PlannedRun {
                variant: variant.name.clone(),
                setting: point
                    .iter()
                    .filter(|(key, _)| key != SEED)
                    .map(|(key, value)| Choice {
                        key: short[key].clone(),
                        value: text(value),
                        own: variant.axes.iter().any(|axis| axis.own && axis.key == *key),
                    })
                    .collect(),
                values: keys.iter().map(|key| value(key).unwrap_or_default()).collect(),
                name,
                config,
            });
        }
    }
    match unused_by_all.into_iter().flatten().next() {
        Some(unused) => Err(invalid(place, unused.to_string())),
        None => Ok((keys, runs)),
    }
}

/// Refuses a key that the run does not use, if the variant or its grid has it. One of the sweep's own `[set]` may be for other variants: what
/// remains are the keys that no run so far uses.
fn refuse_unused(
    unused: Vec<Unused>,
    variant: &Variant,
    point: &Point,
    by_others: Option<Vec<Unused>>,
    place: &str,
) -> Result<Vec<Unused>, PlanError> {
    let own = || variant.own_keys.iter().chain(point.iter().map(|(key, _)| key));
    if let Some(own) = unused.iter().find(|unused| own().any(|key| key.starts_with(unused.key))) {
        return Err(invalid(place, own.to_string()));
    }
    Ok(match by_others {
        None => unused,
        Some(others) => others
            .into_iter()
            .filter(|other| unused.iter().any(|unused| unused.key == other.key))
            .collect(),
    })
}
