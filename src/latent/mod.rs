//! The chain of latent states: its kernel, its steady state and its thermodynamics.
//!
//! [`stationary`] and [`thermodynamics`] take a matrix of log transition probabilities and know nothing of images or of burn: they
//! serve any finite Markov chain. [`kernel`] is where a model's matrix comes from.

pub mod kernel;
pub mod stationary;
pub mod thermodynamics;
