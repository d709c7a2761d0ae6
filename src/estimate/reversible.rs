//! Models in equilibrium by construction: their steady state has a closed form.

use ndarray::{Array1, Axis};

use crate::codes::Codes;

use crate::latent::SteadyState;
use crate::logs::{logaddexp, logsumexp, softplus};
use crate::model::Parameters;
use crate::watch::{Stopped, Watch};

/// `ln pi` `[L]` of a model whose forward matrix is the Bayes posterior of its backward matrix, `None` for any other and where states are not listed:
///
/// ```text
/// c_k . (W^T x - A x) = a function of x alone:     pi_k ~ e^{g_k + b . c_k} prod_i (1 + e^{A~_ki}),      A~ = a + C A
/// ```
///
/// With one-hot states the condition is `W_ik = A_ki + c_i` for some c. Such a model is a Boltzmann machine, or a mixture or another directed model
/// with its exact posterior; detailed balance holds, in the latent chain and in the path, and all entropy productions are zero. The differences
/// may vary by what rounding to f32 leaves of them.
pub fn closed_form(parameters: &Parameters) -> Option<Array1<f64>> {
    /// Roundings to f32: of W, of A, and of a sum from which either was made.
    const ROUNDINGS: f64 = 2.0;
    if !parameters.is_finite() || !parameters.between.is_empty() || !parameters.layers.are_listed() {
        return None;
    }
    let codes = Codes::of(parameters.layers.last());
    let mut balanced = true;
    for (weights, logits) in parameters.forward.rows().into_iter().zip(parameters.backward.columns()) {
        let pairs = weights.iter().zip(logits).map(|(&w, &a)| (f64::from(w), f64::from(a)));
        let (differences, sizes): (Vec<f64>, Vec<f64>) = pairs.map(|(w, a)| (w - a, w.abs().max(a.abs()))).unzip();
        let (least, most) = codes.extremes(&differences);
        balanced &= most - least <= ROUNDINGS * f64::from(f32::EPSILON) * codes.largest(&sizes);
    }
    balanced.then(|| {
        let bias = parameters.forward_bias.mapv(f64::from).insert_axis(Axis(0));
        let bias = codes.spread_rows(bias).remove_axis(Axis(0));
        let log_weights = match &parameters.log_weights {
            Some(log_weights) => log_weights.mapv(f64::from),
            None => codes.log_weights(),
        };
        let normalizers = parameters
            .backward_table()
            .map_axis(Axis(1), |logits| logits.iter().copied().map(softplus).sum::<f64>());
        let log_pi = bias + normalizers + log_weights;
        let total = logsumexp(log_pi.view());
        log_pi - total
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
    /// States from which on the rounds end with factors that no longer change, by more than rounding.
    const MANY: usize = 512;
    const SAME: f64 = 1e-13;
    let log_t = steady.log_transition();
    let mut log_flux = log_t.clone();
    for ((j, k), flux) in log_flux.indexed_iter_mut() {
        *flux = logaddexp(log_pi[j] + log_t[[j, k]], log_pi[k] + log_t[[k, j]]);
    }
    let mut log_factors = Array1::<f64>::zeros(log_pi.len());
    for _ in 0..ROUNDS {
        watch.go_on()?;
        let mut change = 0.0_f64;
        for j in 0..log_pi.len() {
            // Half the way, since a factor stands in its row and in its column.
            let row = &log_flux.row(j) + &log_factors;
            let factor = 0.5 * (log_factors[j] + log_pi[j] - logsumexp(row.view()));
            change = change.max((factor - log_factors[j]).abs());
            log_factors[j] = factor;
        }
        if log_pi.len() > MANY && change < SAME {
            break;
        }
    }
    for ((j, k), flux) in log_flux.indexed_iter_mut() {
        *flux += log_factors[j] + log_factors[k];
    }
    Ok(SteadyState::of_fluxes(log_flux))
}
