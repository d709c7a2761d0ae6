//! How to use the program, topic by topic.

#[doc = include_str!("figures.md")]
pub mod figures {}

#[doc = include_str!("analysis.md")]
pub mod analysis {}

#[doc = include_str!("objectives.md")]
pub mod objectives {}

#[doc = include_str!("units.md")]
pub mod units {}

#[doc = include_str!("runs.md")]
pub mod runs {}

#[doc = include_str!("sweeps.md")]
pub mod sweeps {}

#[doc = include_str!("clusters.md")]
pub mod clusters {}

#[doc = include_str!("python.md")]
pub mod python {}
