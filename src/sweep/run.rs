//! One run of a sweep, as planned.

use crate::config::Config;

/// One run of a sweep.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Of its folder; unique.
    pub name: String,
    /// Its variant, where the sweep has any.
    pub variant: Option<String>,
    /// Its choices in the grid but for the seed: with the variant, its setting.
    pub setting: Vec<Choice>,
    /// The value of each of [`super::plan::Plan::keys`] in words; empty where it is not set.
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
