//! The stationary distribution, accurate for its rarest state.

use ndarray::{Array1, Array2, ArrayViewMut1, Axis};
use rayon::prelude::*;

use crate::logs::{log_add, log_sum_exp};
use crate::watch::{Stopped, Watch};

/// Entries that are worth a thread: some 50 microseconds.
const GRAIN: usize = 4096;

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
/// logarithms because transition probabilities of images reach e^-1000, which no f64 holds.
///
/// # Errors
/// When it is stopped, which it looks for between two states.
pub(super) fn log_stationary(mut log_t: Array2<f64>, watch: &dyn Watch) -> Result<Array1<f64>, Stopped> {
    let states = log_t.nrows();
    for n in (1..states).rev() {
        watch.go_on()?;
        let log_leave = (0..n).fold(f64::NEG_INFINITY, |sum, m| log_add(sum, log_t[[n, m]]));
        let (mut kept, removed) = log_t.view_mut().split_at(Axis(0), n);
        let removed = removed.row(0);
        let remove = |mut row: ArrayViewMut1<f64>| {
            row[n] -= log_leave;
            let log_via = row[n];
            for j in 0..n {
                row[j] = log_add(row[j], log_via + removed[j]);
            }
        };
        let rows = kept.axis_iter_mut(Axis(0)).into_par_iter();
        rows.with_min_len(GRAIN.div_ceil(n)).for_each(remove);
    }
    let mut log_pi = Array1::zeros(states);
    for n in 1..states {
        log_pi[n] = (0..n).fold(f64::NEG_INFINITY, |sum, i| log_add(sum, log_pi[i] + log_t[[i, n]]));
    }
    let log_total = log_sum_exp(log_pi.view());
    Ok(log_pi - log_total)
}
