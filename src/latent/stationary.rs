//! The stationary distribution, accurate for its rarest state.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::logs::{logaddexp, logsumexp};
use crate::watch::{Stopped, Watch};

/// Entries that are worth a thread: some 50 microseconds.
const GRAIN: usize = 4096;
/// States from which on it matters that logarithms take ten times as long.
const MANY: usize = 100;
/// `ln` of the least probability that the elimination can work with in f64.
const LEAST: f64 = -700.0;
/// States from which on they are removed in blocks, by products of matrices.
const VERY_MANY: usize = 512;
/// States of a block.
const BLOCK: usize = 64;

/// `ln pi` for `pi = pi T`, from `ln T` `[L, L]` of a chain in which every state leads to every other.
///
/// This is the elimination of Grassmann, Taksar and Heyman (Oper. Res. 33, 1107 (1985)): states are removed one by one, and the
/// chain watched on the others is again a chain,
///
/// ```text
/// T_ij <- T_ij + T_in T_nj / sum_{m < n} T_nm          n = L-1 .. 1,   i, j < n
/// ```
///
/// It adds, multiplies and divides but never subtracts, so every pi_k keeps its relative accuracy however small it is. It is done on
/// logarithms because transition probabilities of images reach e^-1000, which no f64 holds. What is left of a chain of many states is
/// done on the probabilities themselves as soon as f64 holds all of them, as the elimination only makes them larger: with `T_ij >= e^-700`
/// no pi_k is below e^-700 of another one, nothing overflows, and what underflows is added to something that it would not change.
///
/// Of very many states, [`in_blocks`] takes out several at a time, on numbers from the start.
///
/// # Errors
/// When it is stopped, which it looks for between two states.
pub(super) fn log_stationary(log_t: &Array2<f64>, watch: &dyn Watch) -> Result<Array1<f64>, Stopped> {
    let states = log_t.nrows();
    if states > VERY_MANY
        && let Some(log_pi) = in_blocks(log_t, watch)?
    {
        return Ok(log_pi);
    }
    let mut logarithms = Square::new(log_t.iter().map(|&log_p| Logarithm(log_p)), states);
    let mut left = states;
    while left > 1 && !(left > MANY && logarithms.are_held(left)) {
        left -= 1;
        logarithms.remove(left, watch)?;
    }
    let numbers = (0..left).flat_map(|i| &logarithms.row(i)[..left]);
    let mut numbers = Square::new(numbers.map(|Logarithm(log_p)| log_p.exp()), left);
    for n in (1..left).rev() {
        numbers.remove(n, watch)?;
    }
    let weights = numbers.weights(left);
    let mut log_weights: Vec<Logarithm> = weights.into_iter().map(|weight| Logarithm(weight.ln())).collect();
    for n in left..states {
        log_weights.push(logarithms.weight(&log_weights, n));
    }
    let log_weights: Array1<f64> = log_weights.into_iter().map(|Logarithm(log_weight)| log_weight).collect();
    let log_total = logsumexp(log_weights.view());
    Ok(log_weights - log_total)
}

/// The same elimination on the probabilities themselves, a block B of states at a time; A are the states before it. All sums are of positive terms.
///
/// ```text
/// T_AA <- T_AA + T_AB ( 1 - T_BB )^-1 T_BA
/// ```
///
/// `None` where a state is left, or weighs, by less than e^-300: what f64 does not hold, below e^-700, might then matter.
fn in_blocks(log_t: &Array2<f64>, watch: &dyn Watch) -> Result<Option<Array1<f64>>, Stopped> {
    /// e^-300, nearly.
    const LEAST_WEIGHT: f64 = 1e-130;
    let states = log_t.nrows();
    let mut numbers = Square::new(log_t.iter().map(|log_p| log_p.exp()), states);
    let mut least_leave = f64::INFINITY;
    let mut left = states;
    while left > VERY_MANY {
        least_leave = least_leave.min(numbers.remove_block(left - BLOCK, left, watch)?);
        left -= BLOCK;
    }
    for n in (1..left).rev() {
        least_leave = least_leave.min(numbers.remove(n, watch)?);
    }
    let weights = numbers.weights(states);
    let total: f64 = weights.iter().sum();
    let pi: Array1<f64> = weights.into_iter().map(|weight| weight / total).collect();
    let held = total.is_finite() && least_leave > LEAST_WEIGHT && pi.iter().all(|&pi| pi > LEAST_WEIGHT);
    Ok(held.then(|| pi.mapv_into(f64::ln)))
}

/// T in rows, of which those of removed states hold what leads to them instead.
struct Square<N> {
    entries: Vec<N>,
    size: usize,
}

impl<N: Number> Square<N> {
    fn new(entries: impl Iterator<Item = N>, size: usize) -> Self {
        Self {
            entries: entries.collect(),
            size,
        }
    }

    fn row(&self, i: usize) -> &[N] {
        &self.entries[i * self.size..(i + 1) * self.size]
    }

    /// Removes state n, the last that is left, and gives the probability with which it is left.
    fn remove(&mut self, n: usize, watch: &dyn Watch) -> Result<N, Stopped> {
        watch.go_on()?;
        let (kept, removed) = self.entries.split_at_mut(n * self.size);
        let removed = &removed[..n];
        let leave = removed.iter().fold(N::ZERO, |sum, &p| sum.plus(p));
        let go_round = |row: &mut [N]| {
            let (others, to_removed) = row.split_at_mut(n);
            let via = to_removed[0].over(leave);
            to_removed[0] = via;
            for (p, &onward) in others.iter_mut().zip(removed) {
                *p = p.plus(via.times(onward));
            }
        };
        let rows = kept.par_chunks_exact_mut(self.size);
        rows.with_min_len(GRAIN.div_ceil(n)).for_each(go_round);
        Ok(leave)
    }

    /// The weight of state n from those of the states before it, to which pi is in proportion.
    fn weight(&self, weights: &[N], n: usize) -> N {
        let flows = weights.iter().enumerate().map(|(i, &weight)| weight.times(self.row(i)[n]));
        flows.fold(N::ZERO, N::plus)
    }
}

impl Square<f64> {
    /// Removes the states from `first` to `end`, the last that are left, and gives the least probability with which one is left.
    fn remove_block(&mut self, first: usize, end: usize, watch: &dyn Watch) -> Result<f64, Stopped> {
        /// Rows that a thread takes.
        const ROWS: usize = 64;
        watch.go_on()?;
        let size = self.size;
        let (kept, removed) = self.entries.split_at_mut(first * size);
        // Within the block one by one, on whole rows.
        let mut leave = vec![0.0; end - first];
        for n in (first..end).rev() {
            let (before, from_n) = removed.split_at_mut((n - first) * size);
            let from_n = &from_n[..n];
            leave[n - first] = from_n.iter().sum();
            for row in before.chunks_exact_mut(size) {
                row[n] /= leave[n - first];
                let via = row[n];
                row[..n].iter_mut().zip(from_n).for_each(|(p, &onward)| *p += via * onward);
            }
        }
        let removed = ArrayView2::from_shape((end - first, size), &removed[..(end - first) * size]).expect("whole rows");
        let (onward, _) = removed.split_at(Axis(1), first);
        kept.par_chunks_mut(ROWS * size).for_each(|rows| {
            for row in rows.chunks_exact_mut(size) {
                for n in (first..end).rev() {
                    let later = n + 1..end;
                    let via: f64 = later.map(|later| row[later] * removed[[later - first, n]]).sum();
                    row[n] = (row[n] + via) / leave[n - first];
                }
            }
            let rows = ArrayViewMut2::from_shape((rows.len() / size, size), rows).expect("whole rows");
            let (mut others, rest) = rows.split_at(Axis(1), first);
            let (via, _) = rest.split_at(Axis(1), end - first);
            general_mat_mul(1.0, &via, &onward, 1.0, &mut others);
        });
        Ok(leave.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// The weights of the first states, to which pi is in proportion.
    fn weights(&self, states: usize) -> Vec<f64> {
        let mut weights = vec![1.0_f64];
        for n in 1..states {
            weights.push(self.weight(&weights, n));
        }
        weights
    }
}

impl Square<Logarithm> {
    /// Does f64 hold the transitions between the first states?
    fn are_held(&self, states: usize) -> bool {
        let mut rows = (0..states).map(|i| &self.row(i)[..states]);
        rows.all(|row| row.iter().all(|&Logarithm(log_p)| log_p >= LEAST))
    }
}

/// The numbers of the elimination: none is negative.
trait Number: Copy + Send + Sync {
    const ZERO: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
}

impl Number for f64 {
    const ZERO: Self = 0.0;

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn times(self, other: Self) -> Self {
        self * other
    }

    fn over(self, other: Self) -> Self {
        self / other
    }
}

/// A number by its logarithm.
#[derive(Clone, Copy)]
struct Logarithm(f64);

impl Number for Logarithm {
    const ZERO: Self = Self(f64::NEG_INFINITY);

    fn plus(self, other: Self) -> Self {
        Self(logaddexp(self.0, other.0))
    }

    fn times(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    fn over(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
