//! All tests in one binary: each further one would compile the backends' generics again.

mod analyze;
mod bench;
mod chain;
mod command;
mod common;
mod config;
mod data;
mod draws;
mod effects;
mod equilibrium;
mod estimate;
mod evaluation;
mod exchange;
mod folder;
mod functional;
mod gradient;
mod inputs;
mod kernels;
mod latent;
mod lies;
mod lines;
mod messagepack;
mod model;
mod panics;
mod paper;
mod plan;
mod random;
mod record;
mod resume;
mod session;
#[cfg(unix)]
mod signals;
mod statistics;
mod step;
mod sweep;
mod terminal;
