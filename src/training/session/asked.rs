//! What is asked of a run besides to go on, and which run is meant where none is named.

use std::path::{Path, PathBuf};

use super::super::folder::RUNS;
use super::super::runs::{KnownRun, Standing};
use super::SessionError;
use crate::backend::BackendName;
use crate::config::{Config, ConfigError};

/// What is asked of a run besides to go on: nothing, as a rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// A configuration file, which must say what the run's says.
    pub config: Option<&'a Path>,
    /// Settings `key=value` on top of it, or of the run's own configuration. `training.steps` may be another number.
    pub settings: &'a [String],
    /// What is to compute, if not what did before.
    pub backend: Option<BackendName>,
}

impl Asked<'_> {
    /// The configuration of a run with what is asked for.
    pub(super) fn of(&self, own: &Config) -> Result<Config, ConfigError> {
        match self.config {
            Some(_) => Config::load(self.config, self.settings),
            None => own.with_settings(self.settings),
        }
    }

    /// Is it that of the run but for the number of steps?
    pub(super) fn agrees(&self, own: &Config) -> Result<bool, ConfigError> {
        let mut asked = self.of(own)?;
        asked.training.steps = own.training.steps;
        Ok(asked.is_that_of(own))
    }

    /// The run to go on with where none is named: of `runs`, in the order in which they began, the last that was interrupted and agrees with what is
    /// asked for; and how many others do.
    ///
    /// # Errors
    /// When there is none.
    pub fn interrupted(&self, runs: Vec<KnownRun>) -> Result<(PathBuf, usize), SessionError> {
        let mut waiting = runs
            .into_iter()
            .filter(|run| matches!(run.standing, Standing::Interrupted | Standing::Failed))
            .filter(|run| self.agrees(&run.config).unwrap_or(false));
        let last = waiting.next_back();
        last.map(|run| (run.folder, waiting.count())).ok_or(SessionError::NothingToResume {
            runs: RUNS,
            such: if self.config.is_some() || !self.settings.is_empty() {
                " and has these settings"
            } else {
                ""
            },
        })
    }
}
