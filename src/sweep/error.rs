//! What is wrong with a sweep's file.

use crate::config::ConfigError;
use crate::files::FileError;

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

/// Values that are no sweep, in a place.
pub(super) fn invalid(place: &str, problem: String) -> PlanError {
    PlanError::Invalid {
        place: place.to_owned(),
        problem,
    }
}
