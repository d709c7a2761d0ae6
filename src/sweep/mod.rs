//! Sweeps: a file that asks for many runs, the runs as child processes, and what they say together.
//!
//! ```text
//! plan        the sweep's file: variants, grids and seeds, as configurations with names
//! grid        keys with lists of values, and all their combinations
//! names       of runs, safe as file names
//! folder      where the runs lie, and how far each is
//! pool        children in parallel, each with its share of the cores
//! summary     the figures of each run: summary.csv
//! statistics  intervals, rank correlations, paired differences of numbers
//! effects     the same of a sweep's runs: summary.json
//! ```

pub mod effects;
pub mod folder;
mod grid;
pub mod names;
pub mod plan;
pub mod pool;
pub mod statistics;
pub mod summary;

/// The key whose values tell the runs of one setting apart.
pub const SEED: &str = "training.seed";
