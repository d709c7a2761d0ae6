//! What is made to be looked at: the grid of samples, and the pages of analyses and of sweeps with their figures.

mod axis;
mod currents;
mod curves;
mod cycles;
pub mod drawings;
pub mod emergence;
mod film;
mod graph;
pub mod grid;
mod heatmap;
mod laws;
mod laws_charts;
mod macrostates;
mod names;
pub mod page;
pub mod plane;
mod png;
pub mod provenance;
mod scatter;
mod signed;
mod spectrum;
mod steps;
pub mod sweep_page;
mod sweep_tables;
mod tables;
mod units;
mod walk;
