//! The spectrum of a chain: how fast it forgets, and how it turns while it does.

use faer::Mat;
use faer::c64;

use super::SteadyState;

/// Eigenvalues cannot be told from the unit circle more finely than this.
const RESOLUTION: f64 = 1e-13;

/// The eigenvalues of T and the times they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Real and imaginary parts, the largest modulus first, `[L]`; the first is 1.
    pub eigenvalues: Vec<(f64, f64)>,
    /// `-1 / ln |lambda_2|`, steps: in this time the slowest deviation from the steady state decays by a factor of e. Infinite where
    /// `|lambda_2|` cannot be told from 1 (above 1 - 1e-13), zero with one state.
    pub relaxation_time: f64,
    /// `2 pi / arg(lambda)` of the complex eigenvalue that decays slowest, steps: the period of the slowest coherent rotation. `None` if
    /// all eigenvalues are real and positive, or the only others are negative.
    pub rotation_period: Option<f64>,
}

impl SteadyState {
    /// The eigenvalues of T, by faer. `None` where they do not converge.
    ///
    /// They are those of `sqrt(pi_j) T_jk / sqrt(pi_k)`, whose entries are at most 1 and which is symmetric if the chain is reversible:
    /// however steep T is, they are then known to rounding. With transient states they are those of T itself.
    pub fn spectrum(&self) -> Option<Spectrum> {
        let recurrent = self.log_pi().iter().all(|log_pi| log_pi.is_finite());
        let log_scale = |k: usize| if recurrent { 0.5 * self.log_pi()[k] } else { 0.0 };
        let t = Mat::from_fn(self.states(), self.states(), |j, k| {
            (log_scale(j) + self.log_transition()[[j, k]] - log_scale(k)).exp()
        });
        let mut values: Vec<c64> = t.eigenvalues().ok()?;
        // Conjugates have one modulus; the upper one first.
        values.sort_by(|a, b| b.norm().total_cmp(&a.norm()).then(b.im.total_cmp(&a.im)));
        let slowest = values.get(1).map_or(0.0, |second| second.norm());
        let turning = values.iter().find(|value| value.im > 1e-9 * value.norm());
        Some(Spectrum {
            relaxation_time: if slowest > 1.0 - RESOLUTION {
                f64::INFINITY
            } else {
                -1.0 / slowest.ln()
            },
            rotation_period: turning.map(|value| std::f64::consts::TAU / value.arg()),
            eigenvalues: values.into_iter().map(|value| (value.re, value.im)).collect(),
        })
    }
}
