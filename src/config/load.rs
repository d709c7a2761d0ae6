//! Configuration from a file and from `--set key=value`, with errors that name the place and the nearest known key.

use std::path::Path;

use toml::{Table, Value};

use crate::files::{self, FileError};

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
            value: value.into(),
            allowed: allowed.into(),
        }
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
        let mut written = WrittenConfig::from_table(&table, "the configuration")?;
        for setting in settings {
            let place = format!("--set {}", setting.replace('\n', "\\n"));
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

/// Puts one `key=value` into a table. The value is TOML; what is not TOML is a string, so that paths and words need no quotes.
fn overlay(table: &mut Table, setting: &str, place: &str) -> Result<(), ConfigError> {
    let Some((key, text)) = setting.split_once('=') else {
        return Err(ConfigError::Syntax {
            place: place.to_owned(),
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
    let parts: Vec<&str> = key.split('.').collect();
    let (last, sections) = parts.split_last().expect("split gives at least one part");
    let mut nested = Value::Table(Table::from_iter([((*last).to_owned(), value.clone())]));
    for section in sections.iter().rev() {
        nested = Value::Table(Table::from_iter([((*section).to_owned(), nested)]));
    }
    check_keys(&nested, "", &known_keys(), place)?;

    let mut target = table;
    for section in sections {
        let entry = target.entry(*section).or_insert_with(|| Value::Table(Table::new()));
        target = entry.as_table_mut().ok_or_else(|| ConfigError::Syntax {
            place: place.to_owned(),
            problem: format!("`{section}` holds a value already and is not a section"),
        })?;
    }
    merge(target, last, value);
    Ok(())
}

/// Puts a value under a key; of a section, only the keys that are given change.
pub(crate) fn merge(table: &mut Table, key: &str, value: Value) {
    match (table.get_mut(key), value) {
        (Some(Value::Table(there)), Value::Table(given)) => given.into_iter().for_each(|(key, value)| merge(there, &key, value)),
        (_, value) => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// The TOML reader's words without Rust's.
pub(super) fn plain(message: &str) -> String {
    [
        ("u64", "a whole number"),
        ("u32", "a whole number"),
        ("usize", "a whole number"),
        ("f64", "a number"),
        ("struct ", "the section "),
    ]
    .iter()
    .fold(message.replace('\n', "; "), |text, (rust, plain)| {
        text.replace(&format!("expected {rust}"), &format!("expected {plain}"))
    })
}

/// Refuses the first key of a table that no configuration has, by its whole path.
pub(crate) fn check_keys(value: &Value, path: &str, known: &[String], place: &str) -> Result<(), ConfigError> {
    if known.iter().any(|known| known == path) {
        return Ok(());
    }
    let section = format!("{path}.");
    match value {
        // An empty table is only allowed as a section; a full one is judged by its keys.
        Value::Table(table) if !table.is_empty() || path.is_empty() || known.iter().any(|known| known.starts_with(&section)) => {
            table.iter().try_for_each(|(key, value)| {
                let path = if path.is_empty() { key.clone() } else { format!("{section}{key}") };
                check_keys(value, &path, known, place)
            })
        }
        // A number where a section belongs: its type is judged when it is read.
        _ if known.iter().any(|known| known.starts_with(&section)) => Ok(()),
        _ => {
            let nearest = known.iter().min_by_key(|known| distance(known, path));
            Err(ConfigError::UnknownKey {
                place: place.to_owned(),
                key: path.to_owned(),
                nearest: nearest.cloned().unwrap_or_default(),
            })
        }
    }
}

/// How unlike two dotted paths are; the right name in the wrong section is near.
fn distance(known: &str, path: &str) -> usize {
    let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::damerau_levenshtein(known, path);
    whole.min(1 + strsim::damerau_levenshtein(&name(known), &name(path)))
}
