//! What is made to be looked at: the grid of samples, and the page of an analysis with its figures.

mod curves;
mod film;
mod graph;
pub mod grid;
mod heatmap;
pub mod page;
mod png;
mod spectrum;
mod tables;
