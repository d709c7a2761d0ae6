//! The stationary distribution of a finite Markov chain, accurate for its rarest state.

use ndarray::{Array1, Array2};

use crate::conditionals::{log_add, log_sum_exp};

/// `ln pi` for `pi = pi T`, from `ln T` `[L, L]` with rows that sum to one in probability; `None` where the steady state is not
/// unique.
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
/// A state that cannot reach the states before it makes the elimination stop: they are then transient or apart. If the states it
/// ends with form one closed class the steady state is still unique, but this function answers only for chains in which every
/// eliminated state leads back, that is, for all with positive transitions, and says `None` otherwise.
pub fn log_stationary(log_transition: &Array2<f64>) -> Option<Array1<f64>> {
    let states = log_transition.nrows();
    let mut log_t = log_transition.clone();
    for n in (1..states).rev() {
        let log_leave = (0..n).fold(f64::NEG_INFINITY, |sum, m| log_add(sum, log_t[[n, m]]));
        if log_leave == f64::NEG_INFINITY || log_leave.is_nan() {
            return None;
        }
        for i in 0..n {
            let log_via = log_t[[i, n]] - log_leave;
            log_t[[i, n]] = log_via;
            for j in 0..n {
                log_t[[i, j]] = log_add(log_t[[i, j]], log_via + log_t[[n, j]]);
            }
        }
    }
    let mut log_pi = Array1::zeros(states);
    for n in 1..states {
        log_pi[n] = (0..n).fold(f64::NEG_INFINITY, |sum, i| log_add(sum, log_pi[i] + log_t[[i, n]]));
    }
    let log_total = log_sum_exp(log_pi.view());
    Some(log_pi - log_total)
}
