//! The fundamental matrix of a chain, which sums up what a disturbance does at all later times.

use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};
use ndarray::{Array1, Array2, Axis};

use super::SteadyState;
use crate::logs::largest;

/// `Z = (I - T + 1 pi^T)^-1`, ready to be applied. Of a v with `sum_k pi_k v_k = 0`, `Z v = sum_{t >= 0} T^t v`.
pub(crate) struct Fundamental(PartialPivLu<f64>);

impl Fundamental {
    /// Work that grows as the cube of the number of states.
    pub fn of(steady: &SteadyState) -> Self {
        let (transition, pi) = (steady.transition(), steady.pi());
        let states = steady.states();
        let matrix = Mat::from_fn(states, states, |i, j| f64::from(u8::from(i == j)) - transition[[i, j]] + pi[j]);
        Self(matrix.partial_piv_lu())
    }

    /// Z v, of v `[L]`.
    pub fn times(&self, vector: &Array1<f64>) -> Array1<f64> {
        self.times_columns(&vector.view().insert_axis(Axis(1)).to_owned())
            .remove_axis(Axis(1))
    }

    /// Z V, of V `[L, M]`.
    pub fn times_columns(&self, columns: &Array2<f64>) -> Array2<f64> {
        let solved = self
            .0
            .solve(&Mat::from_fn(columns.nrows(), columns.ncols(), |i, j| columns[[i, j]]));
        Array2::from_shape_fn(columns.dim(), |(i, j)| solved[(i, j)])
    }

    /// Z' V of a chain that is nearly this one, of V `[L, M]`, by repeated correction: `X <- X + Z ( V - (I - T' + 1 pi'^T) X )`, which takes some
    /// `L^2 M` operations a round instead of the `L^3` of Z' itself. `None` where the chains are too different, or so slow that rounding spoils it.
    pub fn of_neighbour(&self, neighbour: &SteadyState, columns: &Array2<f64>) -> Option<Array2<f64>> {
        /// Rounds.
        const MOST: usize = 60;
        /// Of the largest entry.
        const SETTLED: f64 = 1e-10;
        let size = |table: &Array2<f64>| largest(table.iter().map(|entry| entry.abs()));
        let (transition, pi) = (neighbour.transition(), neighbour.pi());
        let (mut found, mut left) = (Array2::zeros(columns.dim()), columns.clone());
        for _ in 0..MOST {
            found += &self.times_columns(&left);
            left = columns - &found + transition.dot(&found) - pi.dot(&found);
            let error = size(&left);
            if error.is_nan() || error > 1e3 * (1.0 + size(columns)) {
                return None;
            }
            if error <= SETTLED * size(columns) {
                return Some(found);
            }
        }
        None
    }
}
