//! Names of runs: the variant, then every key of the grid with its value, safe as file names.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use toml::Value;

use crate::files::hexadecimal;

/// The longest part of a name that is a value, and the longest name, in bytes; file systems take 255.
const LONGEST_WORD: usize = 24;
const LONGEST_NAME: usize = 160;

/// A value as it is shown: as TOML, with strings without quotes and small numbers as powers of ten.
pub fn text(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => format!("{number:?}"),
        Value::Array(values) => format!("[{}]", list(values.iter().map(text).collect())),
        Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", text(value)));
            format!("{{ {} }}", list(pairs.collect()))
        }
        other => other.to_string(),
    }
}

/// What each key is called in names: the last part of its path, or all of it where two end alike.
pub fn short_keys(keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = |name: &str| keys.iter().filter(|key| last(key) == name).count() > 1;
    let short = |key: &String| if alike(&last(key)) { key.clone() } else { last(key) };
    keys.iter().map(|key| (key.clone(), short(key))).collect()
}

/// The name of a point of a variant's grid.
pub(super) fn name(variant: Option<&str>, point: &[(String, Value)], short: &BTreeMap<String, String>) -> String {
    let parts = point.iter().map(|(key, value)| format!("{}-{}", short[key], word(value)));
    let name: Vec<String> = variant.map(str::to_owned).into_iter().chain(parts).collect();
    let name = name.join("-");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    format!("{}-{}", &name[..name.floor_char_boundary(LONGEST_NAME - 10)], mark(&name))
}

/// A name and what was set, as a sweep would name a variant and a point of its grid; of a path, the name of the file.
pub fn of_settings(name: &str, settings: &[(String, Value)]) -> String {
    let of_file = |value: &Value| {
        let path = std::path::Path::new(value.as_str()?);
        (path.components().count() > 1).then(|| Value::String(path.file_name().unwrap_or_default().to_string_lossy().into_owned()))
    };
    let settings: Vec<(String, Value)> = (settings.iter())
        .map(|(key, value)| (key.clone(), of_file(value).unwrap_or_else(|| value.clone())))
        .collect();
    let keys = settings.iter().map(|(key, _)| key.clone()).collect();
    self::name(Some(name), &settings, &short_keys(&keys))
}

/// A value in a name: as it is where that is short and safe, otherwise its beginning and a checksum.
fn word(value: &Value) -> String {
    let plain = match value {
        Value::Array(values) if values.iter().all(Value::is_integer) => values.iter().map(text).collect::<Vec<_>>().join("_"),
        other => layers(other).unwrap_or_else(|| text(other)),
    };
    if plain.len() <= LONGEST_WORD && !plain.is_empty() && plain.chars().all(is_safe) {
        return plain;
    }
    let start: String = plain.chars().filter(|&c| is_safe(c)).take(LONGEST_WORD - 10).collect();
    format!("{start}-{}", mark(&text(value)))
}

/// Latent layers in a name, such as `binary-10`, `groups-16_16` and `10_grid-2-24-4.5`.
fn layers(value: &Value) -> Option<String> {
    match value {
        Value::Table(table) => {
            let kind = table.get("kind")?.as_str()?;
            let others = table.iter().filter(|(key, _)| *key != "kind").map(|(_, value)| word(value));
            Some(std::iter::once(kind.to_owned()).chain(others).collect::<Vec<_>>().join("-"))
        }
        Value::Array(values) => {
            let words = values
                .iter()
                .map(|value| layers(value).or_else(|| value.is_integer().then(|| text(value))));
            Some(words.collect::<Option<Vec<_>>>()?.join("_"))
        }
        _ => None,
    }
}

/// Does every file system take this character?
pub(crate) fn is_safe(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._+-".contains(character)
}

fn mark(text: &str) -> String {
    hexadecimal(&Sha256::digest(text)[..4])
}

/// Tells apart what still has one name, without regard to case, as some file systems do.
pub(super) fn make_unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates
        .find(|candidate| taken.insert(candidate.to_lowercase()))
        .unwrap_or_else(|| name.to_owned())
}
