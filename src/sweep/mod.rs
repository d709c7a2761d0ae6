//! Sweeps: a file that asks for many runs, the runs as child processes, and what they say together.
//!
//! ```text
//! names       of runs, safe as file names
//! grid        keys with lists of values, and all their combinations
//! variants    the sweep's file: settings, each with a grid on top
//! run         one of the runs that it asks for
//! expand      from variants to runs
//! plan        all of that, checked before anything starts
//! folder      where the runs lie, and how far each is
//! pool        children in parallel, each with its share of the cores
//! summary     the figures of each run: summary.csv
//! statistics  intervals, rank correlations, paired differences of numbers
//! effects     the same of a sweep's runs: summary.json
//! ```

pub mod effects;
pub mod error;
mod expand;
pub mod figures;
pub mod folder;
mod grid;
pub mod names;
pub mod plan;
pub mod pool;
pub mod run;
pub mod statistics;
pub mod summary;
mod variants;

/// The key whose values tell the runs of one setting apart.
pub const SEED: &str = "training.seed";
