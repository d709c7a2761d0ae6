//! From variants to runs: every combination of a variant's grid as a configuration with a name.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::SEED;
use super::error::{PlanError, invalid};
use super::grid::{Point, combinations};
use super::names::{make_unique, name, short_keys, text};
use super::run::{Choice, PlannedRun};
use super::variants::Variant;
use crate::config::{Unused, WrittenConfig, put};

/// All runs, and the keys that vary among them.
pub(super) fn expand(variants: &[Variant], place: &str) -> Result<(Vec<String>, Vec<PlannedRun>), PlanError> {
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
            point.iter().for_each(|(key, value)| put(&mut table, key, value.clone()));
            let resolved = WrittenConfig::from_table(&table, &of_run)?.resolve();
            let (config, unused) = resolved.map_err(|error| invalid(&of_run, error.to_string()))?;
            unused_by_all = Some(refuse_unused(unused, variant, &point, unused_by_all, &of_run)?);
            if let Some(other) = seen.insert(config.to_toml(), name.clone()) {
                return Err(invalid(
                    &of_run,
                    format!("has the same configuration as run {other}; leave one of them out"),
                ));
            }
            let mut settled = config.clone();
            settled.training.method.settle_batch(usize::MAX);
            let resolved = Value::try_from(WrittenConfig::from(&settled)).unwrap_or(Value::Boolean(false));
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
