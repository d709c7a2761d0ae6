//! Models in equilibrium by construction: their steady state has a closed form.

use ndarray::Array1;

use crate::latent::SteadyState;
use crate::logs::{logaddexp, logsumexp, softplus};
use crate::model::Parameters;
use crate::watch::{Stopped, Watch};

/// `ln pi` `[L]` of a model whose forward matrix is the Bayes posterior of its backward matrix, `None` for any other:
///
/// ```text
/// W_ik = A_ki + c_i for some c:     pi_k ~ e^{b_k} prod_i (1 + e^{A_ki})
/// ```
///
/// Such a model is a Boltzmann machine with a one-hot hidden layer; detailed balance holds, in the latent chain and in the path, and
/// all entropy productions are zero. The differences may vary by what rounding to f32 leaves of them.
pub fn closed_form(parameters: &Parameters) -> Option<Array1<f64>> {
    /// Roundings to f32: of W, of A, and of a sum from which either was made.
    const ROUNDINGS: f64 = 2.0;
    let mut balanced = parameters.is_finite();
    for (weights, logits) in parameters.forward.rows().into_iter().zip(parameters.backward.columns()) {
        let pairs = || weights.iter().zip(logits).map(|(&w, &a)| (f64::from(w), f64::from(a)));
        let size = pairs().fold(0.0, |size: f64, (w, a)| size.max(w.abs()).max(a.abs()));
        let differences = pairs().map(|(w, a)| w - a);
        let (least, most) = differences.fold((f64::MAX, f64::MIN), |(least, most), d| (least.min(d), most.max(d)));
        balanced &= most - least <= ROUNDINGS * f64::from(f32::EPSILON) * size;
    }
    balanced.then(|| {
        let logits = parameters.backward.rows();
        let weights = parameters.forward_bias.iter().zip(logits).map(|(&bias, logits)| {
            let normalizer: f64 = logits.iter().map(|&a| softplus(f64::from(a))).sum();
            f64::from(bias) + normalizer
        });
        let log_weights: Array1<f64> = weights.collect();
        let total = logsumexp(log_weights.view());
        log_weights - total
    })
}

/// The chain in detailed balance with a known pi that is nearest to an estimated one: its fluxes are the means of the estimated ones
/// in both directions, scaled to have pi as their sums.
///
/// ```text
/// F_jk <- d_j ( pi_j T_jk + pi_k T_kj ) / 2 d_k,      sum_k F_jk = pi_j
/// ```
///
/// The factors d are found by repetition (R. Sinkhorn); they differ from 1 by the error of the estimate.
///
/// # Errors
/// When it is stopped.
pub fn balanced(steady: &SteadyState, log_pi: &Array1<f64>, watch: &dyn Watch) -> Result<SteadyState, Stopped> {
    /// Enough for factors near 1; what is left is far below the error of the estimate.
    const ROUNDS: usize = 100;
    let log_t = steady.log_transition();
    let mut log_flux = log_t.clone();
    for ((j, k), flux) in log_flux.indexed_iter_mut() {
        *flux = logaddexp(log_pi[j] + log_t[[j, k]], log_pi[k] + log_t[[k, j]]);
    }
    let mut log_factors = Array1::<f64>::zeros(log_pi.len());
    for _ in 0..ROUNDS {
        watch.go_on()?;
        for j in 0..log_pi.len() {
            // Half the way, since a factor stands in its row and in its column.
            let row = &log_flux.row(j) + &log_factors;
            log_factors[j] = 0.5 * (log_factors[j] + log_pi[j] - logsumexp(row.view()));
        }
    }
    for ((j, k), flux) in log_flux.indexed_iter_mut() {
        *flux += log_factors[j] + log_factors[k];
    }
    Ok(SteadyState::in_balance(log_flux))
}
