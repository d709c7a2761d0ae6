//! The spectrum of a chain: relaxation time and coherent rotation.

use faer::Mat;
use faer::c64;

use super::SteadyState;

/// Eigenvalues cannot be told from the unit circle, from zero or from each other more finely than this.
pub const RESOLUTION: f64 = 1e-13;

/// Real and imaginary part.
pub type Eigenvalue = (f64, f64);

/// The eigenvalues of T.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The largest modulus first, `[L]`; the first is 1. Of a conjugate pair the one with positive imaginary part comes first.
    pub eigenvalues: Vec<Eigenvalue>,
}

/// `-1 / ln |lambda|`, steps: in this time a deviation from the steady state along the eigenvector decays by a factor of e. Infinite
/// where `|lambda|` cannot be told from 1 (above 1 - 1e-13).
pub fn decay_time((re, im): Eigenvalue) -> f64 {
    let modulus = re.hypot(im);
    if modulus > 1.0 - RESOLUTION {
        f64::INFINITY
    } else {
        -1.0 / modulus.ln()
    }
}

/// `2 pi / |arg lambda|`, steps: the period of the rotation of a complex eigenvalue.
pub fn rotation_period((re, im): Eigenvalue) -> f64 {
    std::f64::consts::TAU / im.atan2(re).abs()
}

impl Spectrum {
    /// The eigenvalue next to 1, whose decay time is the chain's relaxation time; `None` with one state.
    pub fn slowest(&self) -> Option<Eigenvalue> {
        self.eigenvalues.get(1).copied()
    }

    /// The complex eigenvalue that decays slowest, of several the one that turns slowest: the slowest coherent rotation. `None` where all
    /// are real: nothing rotates.
    pub fn turning(&self) -> Option<Eigenvalue> {
        let modulus = |(re, im): Eigenvalue| re.hypot(im);
        let complex = || {
            self.eigenvalues
                .iter()
                .copied()
                .filter(|&value| value.1 > RESOLUTION + 1e-9 * modulus(value))
        };
        let largest = complex().map(modulus).fold(0.0, f64::max);
        let slowest = complex().filter(|&value| modulus(value) >= largest * (1.0 - 1e-9));
        slowest.max_by(|a, b| rotation_period(*a).total_cmp(&rotation_period(*b)))
    }
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
        Some(Spectrum {
            eigenvalues: values.into_iter().map(|value| (value.re, value.im)).collect(),
        })
    }
}
