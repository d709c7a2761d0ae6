//! How precise a current can be for the entropy that it costs: thermodynamic uncertainty relations in discrete time.
//!
//! A current counts steps with antisymmetric weights d; over n steps it has the mean `n j` and, for large n, the variance `n D`, with the fundamental
//! matrix `Z = (I - T + 1 pi^T)^-1`:
//!
//! ```text
//! j = sum_ij F_ij d_ij,      D = sum_ij F_ij d_ij^2 - j^2 + 2 sum_j b_j [ Z (a - j) ]_j,      a_i = sum_j T_ij d_ij,   b_j = sum_i F_ij d_ij
//! ```
//!
//! Two bounds hold in the steady state of every chain in discrete time, sigma being the entropy production per step, for the variance `V_n` of the current
//! summed over any number n of steps, and so for `D = lim V_n / n`; the second is never below the first:
//!
//! ```text
//! V_n / (n j^2)  >=  2 / (e^sigma - 1)           K. Proesmans and C. Van den Broeck, EPL 119, 20001 (2017), arXiv:1708.07032
//! V_n / (n j^2)  >=  1 / Pi - 1,                 Pi = sum_{i<j} J_ij^2 / (F_ij + F_ji)  <=  1
//! ```
//!
//! The paper has the first for n to infinity, for chains whose driving is constant or symmetric in time, with sigma per period; here nothing drives the chain
//! but T, and a period is a step. The theorem `P(s) = e^s P(-s)` alone gives `V_n / (n j)^2 >= 2 / (e^{n sigma} - 1)` (Y. Hasegawa and T. Van Vu,
//! arXiv:1902.06376), which is the first bound at n = 1 and far below it at large n: what holds step by step needs the Markov property.
//!
//! The second, for any n. With `phi_ij = tanh( ln( F_ij / F_ji ) / 2 ) = J_ij / (F_ij + F_ji)` and `v_i = sum_j T_ij phi_ij`, the condition `sum_i J_ij = 0` makes
//! `sum_i F_ij phi_ij = pi_j v_j`: what enters a state has the same mean of phi as what leaves it. The steps of
//!
//! ```text
//! Y = v(z_0) - Pi + sum_{t<n} [ phi(z_t, z_t+1) - v(z_t) ]
//! ```
//!
//! are therefore uncorrelated, and its covariance with the current `S = sum_t d(z_t, z_t+1)` telescopes,
//!
//! ```text
//! Cov(S, Y) = n j (1 - Pi),      Var Y = n Pi (1 - Pi) - (n - 1) Var v  <=  n Pi (1 - Pi),      V_n >= Cov(S, Y)^2 / Var Y >= n j^2 (1 / Pi - 1).
//! ```
//!
//! The first follows: with `x = ln( F_ij / F_ji ) / 2`, Pi is a mean of `tanh^2 x` and sigma / 2 the same mean of `x tanh x`, and
//! `tanh^2 x <= tanh( x tanh x )`, which is concave in `x tanh x`, so that `Pi <= tanh( sigma / 2 )`. (The second for n to infinity also follows from its analogue in continuous time,
//! N. Shiraishi, arXiv:2106.11634, where the same steps at random times have the variance `D + j^2`: D. Chiuchiu and S. Pigolotti, arXiv:1711.00615.)
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

/// `2 / (e^sigma - 1)`, sigma being that of one step: no current's `D / j^2` is below it, nor `V_n / (n j^2)` over n steps.
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
