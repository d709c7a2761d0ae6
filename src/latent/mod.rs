//! Thermodynamics of a finite Markov chain in its steady state.
//!
//! Everything here takes a matrix of transition probabilities and knows nothing of images or of burn: it serves any Markov chain.
//!
//! ```
//! use latent_cycles::latent::SteadyState;
//! use ndarray::array;
//!
//! // A ring of three states: clockwise with 0.6, back with 0.1, else it stays.
//! let ring = array![[0.3, 0.6, 0.1], [0.1, 0.3, 0.6], [0.6, 0.1, 0.3]];
//! let steady = SteadyState::new(&ring)?;
//! assert!((steady.entropy_production() - 0.5 * 6.0_f64.ln()).abs() < 1e-14);     // nats per step
//! assert!((steady.currents()[[0, 1]] - 0.5 / 3.0).abs() < 1e-15);                // net steps from 0 to 1, per step
//!
//! let cycles = steady.cycles();
//! assert_eq!(cycles.len(), 1);
//! assert_eq!(cycles[0].states, [0, 1, 2]);
//! assert!((cycles[0].affinity - 3.0 * 6.0_f64.ln()).abs() < 1e-14);              // nats each time round
//! # Ok::<(), latent_cycles::latent::ChainError>(())
//! ```
//!
//! Entropies and affinities are in nats, fluxes and currents in events per step, times in steps. Probabilities are kept as
//! logarithms, since those of images reach e^-1000; minus infinity stands for what cannot happen.

pub mod cycles;
pub mod fluctuations;
pub(crate) mod fundamental;
pub mod kolmogorov;
pub mod lumped;
pub mod observables;
pub mod passage;
pub mod plane;
pub mod residence;
mod shuffled;
pub mod spectrum;
mod stationary;
pub mod steady;
mod thermodynamics;
pub mod uncertainty;

pub use self::steady::{ChainError, SteadyState};
