//! All tests in one binary: each further one would compile the backends' generics again.

mod chain;
mod command;
mod common;
mod config;
mod data;
mod evaluation;
mod exchange;
mod gradient;
mod inputs;
mod latent;
mod model;
mod record;
mod resume;
mod step;
