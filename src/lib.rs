//! latent-cycles
pub mod backend;
pub mod chain;
pub mod cli;
pub mod conditionals;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod exchange;
pub mod files;
pub mod gradient;
pub mod latent;
pub mod model;
pub mod numerics;
pub mod random;
pub mod record;
pub mod report;
pub mod training;
