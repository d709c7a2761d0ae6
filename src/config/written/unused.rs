//! Keys that were given and that the machine does not use.

use std::fmt;

use super::super::ConfigError;

/// One of them.
pub(crate) struct Unused {
    pub key: &'static str,
    value: String,
    reason: String,
}

impl From<Unused> for ConfigError {
    fn from(unused: Unused) -> Self {
        Self::value(unused.key, unused.value, format!("left out, as {}", unused.reason))
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} is {}; it must be left out, as {}", self.key, self.value, self.reason)
    }
}

/// A value as other errors show it: a word without quotes.
fn shown(value: &impl serde::Serialize) -> String {
    match toml::Value::try_from(value) {
        Ok(toml::Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// All of them. The value that a key has by default does not count: older versions wrote it to config.toml.
#[derive(Default)]
pub(super) struct UnusedKeys(pub Vec<Unused>);

impl UnusedKeys {
    /// Adds a key if it was given another value than its default.
    pub fn add<T: PartialEq + serde::Serialize>(&mut self, key: &'static str, given: &Option<T>, default: T, reason: &str) {
        if let Some(value) = given.as_ref().filter(|value| **value != default) {
            self.0.push(Unused {
                key,
                value: shown(value),
                reason: reason.to_owned(),
            });
        }
    }
}
