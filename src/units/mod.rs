//! Machines of so many binary units that their states cannot be listed: every figure comes from draws.
//!
//! With H units there are 2^H states h, words of H bits, and no table of them. What is needed of the steady state are means over it, and pi of single words; chains
//! give both, since a word is drawn from the image before it:
//!
//! ```text
//! pi(h) = E_{x'~P} p(h|x')  =~  1/N sum_n p(h|x'_n)
//! ```
//!
//! [`chains`] walks N of them from noise, [`marginal`] is this sum, [`bound`] the lower bound of the log-likelihood that follows from it, [`annealing`] the likelihood of a Boltzmann
//! machine; [`path`], [`correlation`] and [`information`] say how the chain moves.

pub mod annealing;
pub mod bound;
pub mod chains;
mod conditionals;
pub mod correlation;
pub mod information;
pub mod marginal;
pub mod path;

pub use self::conditionals::UnitConditionals;
