//! What is made to be looked at: the grid of samples, and the pages of analyses and of sweeps with their figures.

mod curves;
mod film;
mod graph;
pub mod grid;
mod heatmap;
mod laws;
mod laws_charts;
pub mod page;
mod png;
mod scatter;
mod spectrum;
pub mod sweep_page;
mod sweep_tables;
mod tables;
