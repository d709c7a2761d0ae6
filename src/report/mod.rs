//! What is made to be looked at: the grid of samples, and the pages of analyses and of sweeps with their figures.

mod curves;
mod film;
mod graph;
pub mod grid;
mod heatmap;
mod laws;
mod laws_charts;
mod macrostates;
pub mod page;
pub mod plane;
mod png;
mod scatter;
mod signed;
mod spectrum;
mod stays;
mod steps;
pub mod sweep_page;
mod sweep_tables;
mod tables;
mod units;
