//! A grid: keys with lists of values, and all their combinations.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::SEED;
use super::error::{PlanError, invalid};
use super::names::text;
use crate::config::{ConfigError, WrittenConfig, check_keys, known_keys, put};
use crate::text::shortened;

/// The most runs of a sweep.
pub const MOST_RUNS: usize = 200_000;

/// A key with the values that it takes.
#[derive(Clone, Debug)]
pub struct Axis {
    pub key: String,
    pub values: Vec<Value>,
    /// Is it of a variant's own grid?
    pub own: bool,
}

/// A value for some of the keys, in the order of the axes.
pub type Point = Vec<(String, Value)>;

/// The axes of a `[grid]`, by name with the seed last, so that the runs of one setting stand together.
pub fn axes(table: &Table, place: &str) -> Result<Vec<Axis>, PlanError> {
    let mut axes = Vec::new();
    for (key, value) in leaves(table, place)? {
        let values = match &value {
            Value::Array(values) => Some(values.clone()),
            Value::String(text) if takes_only_integers(&key) => range(text),
            _ => None,
        };
        let invalid = |problem: String| invalid(place, problem);
        let Some(values) = values else {
            let range = if takes_only_integers(&key) {
                ", or a range as in \"1..20\""
            } else {
                ""
            };
            return Err(invalid(format!("{key} is {}; it must be a list of values{range}", shown(&value))));
        };
        if values.is_empty() || values.len() > MOST_RUNS {
            let count = values.len();
            return Err(invalid(format!(
                "{key} has {count} values; it must have at least one and at most {MOST_RUNS}"
            )));
        }
        let configs: Vec<WrittenConfig> = values.iter().map(|value| alone(&key, value, place)).collect::<Result<_, _>>()?;
        // In words, as one configuration has one text: of many values, each would otherwise be compared with all others.
        let mut seen = BTreeSet::new();
        if let Some(twice) = configs.iter().position(|config| !seen.insert(format!("{config:?}"))) {
            return Err(invalid(format!("{key} has the value {} twice", shown(&values[twice]))));
        }
        axes.push(Axis { key, values, own: false });
    }
    order(&mut axes);
    Ok(axes)
}

/// By name, the seed last.
pub fn order(axes: &mut [Axis]) {
    axes.sort_by(|a, b| (a.key == SEED, &a.key).cmp(&(b.key == SEED, &b.key)));
}

/// Every combination, the last axis running fastest.
pub fn combinations(axes: &[Axis]) -> Vec<Point> {
    axes.iter().fold(vec![Point::new()], |points, axis| {
        let longer = |point: &Point, value: &Value| {
            let mut point = point.clone();
            point.push((axis.key.clone(), value.clone()));
            point
        };
        let all = points.iter().flat_map(|point| axis.values.iter().map(|value| longer(point, value)));
        all.collect()
    })
}

/// The keys of a table by their dotted paths, with values that each fit their key.
pub fn leaves(table: &Table, place: &str) -> Result<Point, ConfigError> {
    fn collect(table: &Table, section: &str, all: &mut Point) {
        for (key, value) in table {
            match value {
                Value::Table(table) => collect(table, &format!("{section}{key}."), all),
                value => all.push((format!("{section}{key}"), value.clone())),
            }
        }
    }
    check_keys(&Value::Table(table.clone()), "", &known_keys(), place)?;
    let mut all = Point::new();
    collect(table, "", &mut all);
    Ok(all)
}

/// The configuration in which only this key is not at its default; refuses a value of another type.
pub fn alone(key: &str, value: &Value, place: &str) -> Result<WrittenConfig, ConfigError> {
    let mut table = Table::new();
    put(&mut table, key, value.clone());
    WrittenConfig::from_table(&table, &format!("{place}, {key} = {}", shown(value)))
}

/// A value as an error repeats it.
fn shown(value: &Value) -> String {
    shortened(&text(value))
}

fn takes_only_integers(key: &str) -> bool {
    alone(key, &Value::Integer(1), "").is_ok() && alone(key, &Value::Float(0.5), "").is_err()
}

/// `"1..20"` as the whole numbers from 1 to 20; of a longer one than any sweep, so many that it is refused.
fn range(text: &str) -> Option<Vec<Value>> {
    let (first, last) = text.split_once("..")?;
    let (first, last): (i64, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    Some((first..=last).take(MOST_RUNS + 1).map(Value::Integer).collect())
}
