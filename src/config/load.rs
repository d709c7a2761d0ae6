//! Configuration from a file and from `--set key=value`, with errors that name the place and the nearest known key.

use std::path::Path;

use toml::{Table, Value};

use crate::codes::{LayersError, keys_of_kind};
use crate::files::{self, FileError};
use crate::text::{printable, shortened, shortened_to};

use super::{Config, WrittenConfig, known_keys};

/// The longest configuration file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not TOML, or a value of the wrong type.
    #[error("{place}: {problem}")]
    Syntax {
        /// File and line, or the `--set` that did it.
        place: String,
        /// In words.
        problem: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file or the `--set` that did it.
        place: String,
        /// As written.
        key: String,
        /// The known key that looks most like it.
        nearest: String,
    },
    /// A value that cannot be.
    #[error("{key} is {value}; it must be {allowed}")]
    Value {
        /// Dotted path.
        key: String,
        /// As given.
        value: String,
        /// What it can be.
        allowed: String,
    },
}

impl ConfigError {
    /// An impossible value of `key`, and what it can be.
    pub fn value(key: &str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::Value {
            key: key.to_owned(),
            value: shortened(&value.into()),
            allowed: allowed.into(),
        }
    }
}

impl From<LayersError> for ConfigError {
    fn from(error: LayersError) -> Self {
        Self::value(&error.name("model.latent"), error.value, error.allowed)
    }
}

impl Config {
    /// The configuration of a file (the defaults, without one) with `key=value` settings on top, checked.
    ///
    /// # Errors
    /// Names the file and line, or the setting, and what to write instead. A key that the machine does not use is refused.
    pub fn load(file: Option<&Path>, settings: &[String]) -> Result<Self, ConfigError> {
        let mut table = Table::new();
        if let Some(path) = file {
            let text = files::read_at_most(path, LONGEST)?;
            table = parse(&String::from_utf8_lossy(&text), &path.display().to_string())?;
        }
        Self::on_top(table, settings)
    }

    /// The same with `key=value` settings on top, checked as those of [`Config::load`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn with_settings(&self, settings: &[String]) -> Result<Self, ConfigError> {
        Self::on_top(parse(&self.to_toml(), "the configuration")?, settings)
    }

    fn on_top(mut table: Table, settings: &[String]) -> Result<Self, ConfigError> {
        let mut written = WrittenConfig::from_table(&table, "the configuration")?;
        for setting in settings {
            let place = format!("--set {}", printable(&shortened(setting)));
            overlay(&mut table, setting, &place)?;
            written = WrittenConfig::from_table(&table, &place)?;
        }
        let (config, unused) = written.resolve()?;
        unused.into_iter().next().map_or(Ok(config), |unused| Err(unused.into()))
    }

    /// The configuration in a text that stands in `place`, checked. Keys that the machine does not use are passed over: older versions wrote
    /// all keys to config.toml.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str, place: &str) -> Result<Self, ConfigError> {
        Ok(WrittenConfig::from_table(&parse(text, place)?, place)?.resolve()?.0)
    }

    /// The whole configuration as TOML: the keys that the machine uses.
    pub fn to_toml(&self) -> String {
        toml::to_string(&WrittenConfig::from(self)).unwrap_or_default()
    }
}

/// Parses a text and checks its keys and types; errors name the line.
fn parse(text: &str, place: &str) -> Result<Table, ConfigError> {
    let table: Table = toml::from_str(text).map_err(|error| syntax(&error, text, place))?;
    check_keys(&Value::Table(table.clone()), "", &known_keys(), place)?;
    toml::from_str::<WrittenConfig>(text).map_err(|error| syntax(&error, text, place))?;
    Ok(table)
}

/// An error of the TOML reader in one line, with the line it is about.
pub(crate) fn syntax(error: &toml::de::Error, text: &str, place: &str) -> ConfigError {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    ConfigError::Syntax {
        place: match line {
            Some(line) => format!("{place}, line {line}"),
            None => place.to_owned(),
        },
        problem: plain(error.message()),
    }
}

/// Puts one `key=value` into a table.
fn overlay(table: &mut Table, setting: &str, place: &str) -> Result<(), ConfigError> {
    let (key, value) = parse_setting(setting)?;
    let known = known_keys();
    // Before anything is nested as deep as the key is long.
    if !known.iter().any(|known| is_part(&key, known)) {
        return Err(unknown_key(&key, &known, place));
    }
    check_keys(&value, &key, &known, place)?;
    put(table, &key, value);
    Ok(())
}

/// The parts of `key=value`. The value is TOML; what is not TOML is a string, so that paths and words need no quotes.
pub(crate) fn parse_setting(setting: &str) -> Result<(String, Value), ConfigError> {
    let Some((key, text)) = setting.split_once('=') else {
        return Err(ConfigError::Syntax {
            place: format!("--set {}", printable(&shortened(setting))),
            problem: "has no `=`; write --set key=value, as in --set training.steps=1000".into(),
        });
    };
    let (key, text) = (key.trim(), text.trim());
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        // More keys than one: the text went on in a second line.
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    Ok((key.to_owned(), value))
}

/// Is the key the known one, or a section that holds it?
fn is_part(key: &str, known: &str) -> bool {
    known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Puts a value under a dotted key; of a section, only the keys that are given change.
pub(crate) fn put(table: &mut Table, key: &str, value: Value) {
    expand_epsilon(table);
    make_room_for_layers(table, key, &value);
    let nested = key
        .rsplit('.')
        .fold(value, |value, part| Value::Table(Table::from_iter([(part.to_owned(), value)])));
    if let Value::Table(nested) = nested {
        nested.into_iter().for_each(|(key, value)| merge(table, &key, value));
    }
}

/// One number for training.rmsprop.epsilon stands for both of its parts: written out, the other stays when one is set.
fn expand_epsilon(table: &mut Table) {
    let section = ["training", "rmsprop"];
    let section = section.iter().try_fold(table, |table, key| table.get_mut(*key)?.as_table_mut());
    let Some(epsilon) = section.and_then(|section| section.get_mut("epsilon")) else {
        return;
    };
    if matches!(epsilon, Value::Float(_) | Value::Integer(_)) {
        let parts = ["forward", "backward"].map(|part| (part.to_owned(), epsilon.clone()));
        *epsilon = Value::Table(Table::from_iter(parts));
    }
}

/// A latent layer that is given as a whole stands for itself. Another `kind` leaves of a table only what the new kind has, so that one kind
/// can follow another key by key, in any order.
fn make_room_for_layers(table: &mut Table, key: &str, value: &Value) {
    let Some(model) = table.get_mut("model").and_then(Value::as_table_mut) else {
        return;
    };
    match key {
        "model.latent" if value.get("kind").is_some() => drop(model.remove("latent")),
        "model.latent.kind" => {
            let kept = value.as_str().and_then(keys_of_kind);
            if let (Some(layer), Some(kept)) = (model.get_mut("latent").and_then(Value::as_table_mut), kept)
                && layer.get("kind").is_some_and(|kind| kind != value)
            {
                layer.retain(|key, _| kept.contains(&key));
            }
        }
        _ => (),
    }
}

/// Puts a value under a key; of a section, only the keys that are given change.
fn merge(table: &mut Table, key: &str, value: Value) {
    match (table.get_mut(key), value) {
        (Some(Value::Table(there)), Value::Table(given)) => given.into_iter().for_each(|(key, value)| merge(there, &key, value)),
        (_, value) => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// The TOML reader's words without Rust's.
pub(super) fn plain(message: &str) -> String {
    let message = if message.contains("recur") {
        "sections or lists within each other, more than any configuration has"
    } else {
        message
    };
    let text = [
        ("u64", "a whole number"),
        ("u32", "a whole number"),
        ("usize", "a whole number"),
        ("f64", "a number"),
        ("struct ", "the section "),
    ]
    .iter()
    .fold(message.replace('\n', "; "), |text, (rust, plain)| {
        text.replace(&format!("expected {rust}"), &format!("expected {plain}"))
    });
    shortened_to(300, &text)
}

/// Refuses the first key of a table that no configuration has, by its whole path.
pub(crate) fn check_keys(value: &Value, path: &str, known: &[String], place: &str) -> Result<(), ConfigError> {
    let section = format!("{path}.");
    let is_section = known.iter().any(|known| known.starts_with(&section));
    if !is_section && known.iter().any(|known| known == path) {
        return Ok(());
    }
    match value {
        // An empty table is only allowed as a section; a full one is judged by its keys.
        Value::Table(table) if !table.is_empty() || path.is_empty() || is_section => table.iter().try_for_each(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{section}{key}") };
            check_keys(value, &path, known, place)
        }),
        // Latent layers.
        Value::Array(values) if is_section => values.iter().try_for_each(|value| check_keys(value, path, known, place)),
        // A number where a section belongs: its type is judged when it is read.
        _ if is_section => Ok(()),
        _ => Err(unknown_key(path, known, place)),
    }
}

fn unknown_key(key: &str, known: &[String], place: &str) -> ConfigError {
    let key = shortened(key);
    let nearest = known.iter().min_by_key(|known| distance(known, &key));
    ConfigError::UnknownKey {
        place: place.to_owned(),
        nearest: nearest.cloned().unwrap_or_default(),
        key,
    }
}

/// How unlike two dotted paths are; the right name in the wrong section is near.
fn distance(known: &str, path: &str) -> usize {
    let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::damerau_levenshtein(known, path);
    whole.min(1 + strsim::damerau_levenshtein(&name(known), &name(path)))
}
