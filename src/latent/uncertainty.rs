//! How precise a current can be for the entropy that it costs: thermodynamic uncertainty relations in discrete time.
//!
//! A current counts steps with antisymmetric weights d; over n steps it has the mean `n j` and, for large n, the variance `n D`, with the fundamental
//! matrix `Z = (I - T + 1 pi^T)^-1`:
//!
//! ```text
//! j = sum_ij F_ij d_ij,      D = sum_ij F_ij d_ij^2 - j^2 + 2 sum_j b_j [ Z (a - j) ]_j,      a_i = sum_j T_ij d_ij,   b_j = sum_i F_ij d_ij
//! ```
//!
//! Two bounds hold for every chain in discrete time, the second never below the first:
//!
//! ```text
//! D / j^2  >=  2 / (e^sigma - 1)           K. Proesmans and C. Van den Broeck, EPL 119, 20001 (2017), arXiv:1708.07032
//! D / j^2  >=  1 / Pi - 1,                 Pi = sum_{i<j} J_ij^2 / (F_ij + F_ji)  <=  1
//! ```
//!
//! The second: let the steps of the chain happen at random times, one per unit of time on average. This is a chain in continuous time with the same
//! fluxes, whose currents vary by `D + j^2` (D. Chiuchiu and S. Pigolotti, arXiv:1711.00615), for which `(D + j^2) / j^2 >= 1 / Pi` (N. Shiraishi,
//! arXiv:2106.11634). With `x = ln( F_ij / F_ji ) / 2`, Pi is a mean of `tanh^2 x` and sigma of `2 x tanh x`, which gives the first from the second.
//!
//! In continuous time `D / j^2 >= 2 / sigma`; for steps of a clock that is false (N. Shiraishi, arXiv:1706.00892).

use ndarray::{Array1, Array2};

use super::SteadyState;
use super::fundamental::Fundamental;

/// What of a step counts: antisymmetric weights d.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Current {
    /// Steps from one state to another, less those back.
    Between(usize, usize),
    /// The entropy produced, `d_ij = ln( F_ij / F_ji )`.
    Entropy,
    /// The current that is most precise over a single step, `d_ij = J_ij / (F_ij + F_ji)`: there it reaches the second bound.
    Sharpest,
}

/// Mean and variance of a current, per step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// j.
    pub mean: f64,
    /// D.
    pub variance: f64,
}

impl Precision {
    /// `D / j^2`, steps: how many it takes until the current's mean exceeds its spread.
    pub fn relative_variance(&self) -> f64 {
        self.variance / (self.mean * self.mean)
    }
}

/// What the variance of a current is made of.
struct Sums {
    mean: f64,
    square: f64,
    /// a.
    ahead: Array1<f64>,
    /// b.
    behind: Array1<f64>,
}

/// `2 / (e^sigma - 1)`: no current's `D / j^2` is below it.
pub fn least_relative_variance(entropy_production: f64) -> f64 {
    2.0 / entropy_production.exp_m1()
}

/// Means and variances of the currents of a chain, and of chains like it.
pub struct Precisions {
    fundamental: Fundamental,
}

impl Precisions {
    /// Factorizes a matrix `[L, L]`.
    pub fn of(steady: &SteadyState) -> Self {
        Self {
            fundamental: Fundamental::of(steady),
        }
    }

    /// Of some currents of the chain, or of one like it: a kernel from some of the draws. `None` where the chains differ so much that the matrix of the
    /// first is no help with the second, where the chain is too slow for f64, or where a current is infinite.
    pub fn all(&self, steady: &SteadyState, currents: &[Current]) -> Option<Vec<Precision>> {
        let sums: Vec<Sums> = currents.iter().map(|&current| steady.sums(current)).collect();
        if sums.iter().any(|sums| !sums.square.is_finite()) {
            return None;
        }
        let excess = Array2::from_shape_fn((steady.states(), sums.len()), |(i, k)| sums[k].ahead[i] - sums[k].mean);
        let later = self.fundamental.of_neighbour(steady, &excess)?;
        let precisions = sums.iter().zip(later.columns()).map(|(sums, later)| Precision {
            mean: sums.mean,
            variance: sums.square - sums.mean * sums.mean + 2.0 * sums.behind.dot(&later),
        });
        Some(precisions.collect())
    }
}

impl SteadyState {
    /// `Pi = sum_{i<j} J_ij^2 / (F_ij + F_ji)`, between 0 in equilibrium and 1 where every step goes one way and none stays.
    pub fn pseudo_entropy(&self) -> f64 {
        let pairs = (0..self.states()).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs
            .map(|(i, j)| self.current(i, j) * (0.5 * self.step_entropy(i, j)).tanh())
            .sum()
    }

    fn weight(&self, current: Current, i: usize, j: usize) -> f64 {
        match current {
            Current::Between(from, to) => f64::from(u8::from((i, j) == (from, to))) - f64::from(u8::from((j, i) == (from, to))),
            Current::Entropy => self.step_entropy(i, j),
            Current::Sharpest => (0.5 * self.step_entropy(i, j)).tanh(),
        }
    }

    fn sums(&self, current: Current) -> Sums {
        let states = self.states();
        let mut sums = Sums {
            mean: 0.0,
            square: 0.0,
            ahead: Array1::zeros(states),
            behind: Array1::zeros(states),
        };
        let mut add = |i: usize, j: usize| {
            let d = self.weight(current, i, j);
            let (log_t, flux) = (self.log_transition()[[i, j]], self.log_flux(i, j).exp());
            if d != 0.0 && log_t > f64::NEG_INFINITY {
                sums.ahead[i] += log_t.exp() * d;
                // Of a step that f64 cannot hold, an infinite weight makes no number.
                if flux > 0.0 {
                    sums.mean += flux * d;
                    sums.square += flux * d * d;
                    sums.behind[j] += flux * d;
                }
            }
        };
        match current {
            Current::Between(i, j) => [(i, j), (j, i)].into_iter().for_each(|(i, j)| add(i, j)),
            Current::Entropy | Current::Sharpest => (0..states * states).for_each(|pair| add(pair / states, pair % states)),
        }
        sums
    }
}
