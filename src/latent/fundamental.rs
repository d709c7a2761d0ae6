//! The fundamental matrix of a chain: what a deviation from the steady state adds up to before it is forgotten.

use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};
use ndarray::{Array1, Array2};

use super::SteadyState;

/// `Z = (I - T + 1 pi^T)^-1`, ready to be applied.
pub(crate) struct Fundamental(PartialPivLu<f64>);

impl Fundamental {
    pub(crate) fn of(steady: &SteadyState) -> Self {
        let (transition, pi) = (steady.transition(), steady.pi());
        let states = steady.states();
        let matrix = Mat::from_fn(states, states, |i, j| f64::from(u8::from(i == j)) - transition[[i, j]] + pi[j]);
        Self(matrix.partial_piv_lu())
    }

    /// Z v, of v `[L]`.
    pub(crate) fn times(&self, vector: &Array1<f64>) -> Array1<f64> {
        let column = Mat::from_fn(vector.len(), 1, |i, _| vector[i]);
        let solved = self.0.solve(&column);
        (0..vector.len()).map(|i| solved[(i, 0)]).collect()
    }

    /// Z' V of a chain like this one, with T' and pi', of V `[L, K]`: by repeated correction, which takes some `L^2 K` operations a round instead of
    /// the `L^3` of Z' itself. `None` where the chains are too different, or so slow that rounding spoils it.
    pub(crate) fn times_of(&self, transition: &Array2<f64>, pi: &Array1<f64>, vectors: &Array2<f64>) -> Option<Array2<f64>> {
        const ROUNDS: usize = 60;
        const SMALL: f64 = 1e-10;
        let largest = |values: &Array2<f64>| values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let least = SMALL * largest(vectors);
        let mut found = Array2::zeros(vectors.dim());
        let mut left = vectors.clone();
        for _ in 0..ROUNDS {
            let column = Mat::from_fn(left.nrows(), left.ncols(), |i, k| left[[i, k]]);
            let solved = self.0.solve(&column);
            found += &Array2::from_shape_fn(left.dim(), |(i, k)| solved[(i, k)]);
            left = vectors - &found + transition.dot(&found) - pi.dot(&found);
            let error = largest(&left);
            if error.is_nan() || error > 1e3 * (1.0 + largest(vectors)) {
                return None;
            }
            if error <= least {
                return Some(found);
            }
        }
        None
    }
}
