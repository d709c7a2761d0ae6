//! The sweep's file, and its variants: settings with a grid on top.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::{Table, Value};

use super::error::{PlanError, invalid};
use super::figures::WrittenFigure;
use super::grid::{self, Axis, Point, axes};
use super::names::{is_safe, text};
use crate::config::{ConfigError, put, syntax};
use crate::text::shortened;

/// The file as it is written.
#[derive(Deserialize)]
pub(super) struct Written {
    pub title: Option<String>,
    pub text: Option<String>,
    pub baseline: Option<String>,
    #[serde(default = "yes")]
    pub analyze: bool,
    pub samples: Option<u32>,
    #[serde(default)]
    pub figures: Vec<WrittenFigure>,
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
pub(super) struct Variant {
    pub name: Option<String>,
    pub settings: Table,
    /// Keys that it sets apart from the sweep's own `[set]`.
    pub own_keys: Vec<String>,
    pub axes: Vec<Axis>,
}

fn yes() -> bool {
    true
}

/// The file with every key known.
pub(super) fn parse(source: &str, place: &str) -> Result<Written, PlanError> {
    let table: Table = toml::from_str(source).map_err(|error| syntax(&error, source, place))?;
    let known = [
        "title", "text", "baseline", "analyze", "samples", "set", "grid", "variants", "figures",
    ];
    refuse_unknown(&table, &known, place)?;
    for variant in table.get("variants").and_then(Value::as_array).into_iter().flatten() {
        let name = variant.get("name").map_or("without a name".to_owned(), text);
        if let Value::Table(table) = variant {
            refuse_unknown(table, &["name", "set", "grid"], &of_variant(place, &name))?;
        }
    }
    for figure in table.get("figures").and_then(Value::as_array).into_iter().flatten() {
        let name = figure.get("name").map_or("without a name".to_owned(), text);
        if let Value::Table(table) = figure {
            let place = format!("{place}, figure {}", shortened(&name));
            refuse_unknown(table, &["name", "title", "text", "x", "y", "along"], &place)?;
        }
    }
    Ok(toml::from_str(source).map_err(|error| syntax(&error, source, place))?)
}

fn refuse_unknown(table: &Table, known: &[&str], place: &str) -> Result<(), ConfigError> {
    let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let key = shortened(key);
    let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &key));
    Err(ConfigError::UnknownKey {
        place: place.to_owned(),
        key,
        nearest: nearest.map(|nearest| (*nearest).to_owned()).unwrap_or_default(),
    })
}

fn of_variant(place: &str, name: &str) -> String {
    format!("{place}, variant {}", shortened(name))
}

/// The variants with the sweep's own settings and grid under theirs.
pub(super) fn variants(written: &Written, place: &str) -> Result<Vec<Variant>, PlanError> {
    let (of_set, of_grid) = (format!("{place}, [set]"), format!("{place}, [grid]"));
    let common = typed_leaves(&written.set, &of_set)?;
    let common_axes = axes(&written.grid, &of_grid)?;
    refuse_both(&common, &common_axes, place)?;
    let mut settings = Table::new();
    common.iter().for_each(|(key, value)| put(&mut settings, key, value.clone()));
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
        own.iter().for_each(|(key, value)| put(&mut settings, key, value.clone()));
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

/// Refuses a key that would be set and vary at once, alone or as a part of one that varies.
fn refuse_both(set: &Point, axes: &[Axis], place: &str) -> Result<(), PlanError> {
    let varies = |key: &str, axis: &Axis| {
        key.strip_prefix(&axis.key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let both = set.iter().find(|(key, _)| axes.iter().any(|axis| varies(key, axis)));
    both.map_or(Ok(()), |(key, _)| {
        Err(invalid(
            place,
            format!("{key} has one value in set and several in grid; leave it out of one"),
        ))
    })
}
