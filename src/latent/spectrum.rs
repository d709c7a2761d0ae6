//! The spectrum of a chain: relaxation time and coherent rotation.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::eigen::{PartialEigenParams, partial_eigen, partial_eigen_scratch};
use faer::{Col, Mat, Par, c64};

use super::SteadyState;

/// Eigenvalues cannot be told from the unit circle, from zero or from each other more finely than this.
pub const RESOLUTION: f64 = 1e-13;

/// Of more states only the leading eigenvalues are found: all of them take time that grows as the cube.
pub const MOST_WHOLE: usize = 512;
/// How many these are, if all converge.
pub const LEADING: usize = 24;

/// Real and imaginary part.
pub type Eigenvalue = (f64, f64);

/// The eigenvalues of T, or the leading ones where there are more than [`MOST_WHOLE`] states.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The largest modulus first, `[L]` or at most [`LEADING`]; the first is 1. Of a conjugate pair the one with positive imaginary part comes first.
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
    fn of(mut values: Vec<c64>) -> Self {
        // Conjugates have one modulus; the upper one first.
        values.sort_by(|a, b| b.norm().total_cmp(&a.norm()).then(b.im.total_cmp(&a.im)));
        Self {
            eigenvalues: values.into_iter().map(|value| (value.re, value.im)).collect(),
        }
    }

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
    /// The eigenvalues of T, by faer; the leading ones of many states by its Krylov-Schur method, with residuals below 1e-9. `None` where they do not
    /// converge.
    ///
    /// They are those of `sqrt(pi_j) T_jk / sqrt(pi_k)`, whose entries are at most 1 and which is symmetric if the chain is reversible:
    /// however steep T is, they are then known to rounding. With transient states they are those of T itself.
    pub fn spectrum(&self) -> Option<Spectrum> {
        let t = self.scaled();
        let values = if self.states() > MOST_WHOLE {
            leading(&t)?
        } else {
            t.eigenvalues().ok()?
        };
        Some(Spectrum::of(values))
    }

    /// The leading eigenvalues of T alone. `None` where they do not converge.
    pub fn leading_spectrum(&self) -> Option<Spectrum> {
        leading(&self.scaled()).map(Spectrum::of)
    }

    /// `sqrt(pi_j) T_jk / sqrt(pi_k)`, or T itself.
    fn scaled(&self) -> Mat<f64> {
        let recurrent = self.log_pi().iter().all(|log_pi| log_pi.is_finite());
        let log_scale = |k: usize| if recurrent { 0.5 * self.log_pi()[k] } else { 0.0 };
        Mat::from_fn(self.states(), self.states(), |j, k| {
            (log_scale(j) + self.log_transition()[[j, k]] - log_scale(k)).exp()
        })
    }
}

/// The eigenvalues of largest modulus that have converged: those before the first whose residual `|T v - lambda v|` is not small.
fn leading(t: &Mat<f64>) -> Option<Vec<c64>> {
    /// Of a residual, for unit vectors.
    const SMALL: f64 = 1e-9;
    /// Between 0 and 1, and far from every simple fraction: its multiples favour no vector.
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let states = t.nrows();
    let parameters = PartialEigenParams {
        max_restarts: 300,
        ..PartialEigenParams::default()
    };
    let start = Col::from_fn(states, |k| (GOLDEN * k as f64).fract() - 0.4);
    let start = &start * faer::Scale(1.0 / start.norm_l2());
    let mut vectors = Mat::<c64>::zeros(states, LEADING);
    let mut values = vec![c64::new(0.0, 0.0); LEADING];
    let mut memory = MemBuffer::new(partial_eigen_scratch(t, LEADING, Par::Seq, parameters));
    let stack = MemStack::new(&mut memory);
    let found = partial_eigen(vectors.as_mut(), &mut values, t, start.as_ref(), 1e-12, Par::Seq, stack, parameters);
    let residual = |number: usize| -> f64 {
        let vector = vectors.col(number);
        let [re, im] = [Col::from_fn(states, |k| vector[k].re), Col::from_fn(states, |k| vector[k].im)];
        let (image_re, image_im) = (t * &re, t * &im);
        let value = values[number];
        let squares = (0..states).map(|k| {
            let image = c64::new(image_re[k], image_im[k]);
            (image - value * vector[k]).norm_sqr()
        });
        (squares.sum::<f64>() / vector.squared_norm_l2()).sqrt()
    };
    let converged = (0..found.n_converged_eigen).take_while(|&number| residual(number) < SMALL).count();
    values.truncate(converged);
    (converged > 1).then_some(values)
}
