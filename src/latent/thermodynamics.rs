//! How far a stationary Markov chain is from equilibrium.

use ndarray::{Array1, Array2};

/// Entropy production of a stationary chain, nats per step (Schnakenberg, Rev. Mod. Phys. 48, 571 (1976)),
///
/// ```text
/// sigma_z = 1/2 sum_ij J_ij ln( F_ij / F_ji ),     F_ij = pi_i T_ij,   J_ij = F_ij - F_ji
/// ```
///
/// from `ln pi` `[L]` and `ln T` `[L, L]`. It is never negative, zero if and only if the chain is reversible, and infinite where a
/// step that happens has no way back.
pub fn entropy_production(log_pi: &Array1<f64>, log_transition: &Array2<f64>) -> f64 {
    let states = log_pi.len();
    let log_flux = |i: usize, j: usize| log_pi[i] + log_transition[[i, j]];
    let mut sum = 0.0;
    for i in 0..states {
        for j in 0..i {
            let (there, back) = (log_flux(i, j), log_flux(j, i));
            // Both flows absent or equal: no current, and -inf - -inf would be NaN.
            if there != back {
                sum += (there.exp() - back.exp()) * (there - back);
            }
        }
    }
    sum
}

/// Mean probability to stay, `sum_k pi_k T_kk`.
pub fn self_transition(log_pi: &Array1<f64>, log_transition: &Array2<f64>) -> f64 {
    log_pi
        .iter()
        .zip(log_transition.diag())
        .map(|(log_pi, log_stay)| (log_pi + log_stay).exp())
        .sum()
}
