//! What is made to be looked at.

pub mod grid;
