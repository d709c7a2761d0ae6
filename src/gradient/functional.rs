//! The gradient of any function of the latent chain, from images drawn in every state.
//!
//! Let F depend on the latent kernel `T_ij = sum_x q(x|i) p(j|x)` and on its steady state pi. A change of T moves pi too, by the
//! fundamental matrix of the chain, so that in all
//!
//! ```text
//! G_ij = dF/dT_ij + pi_i [ Z dF/dpi ]_j,      Z = (I - T + 1 pi^T)^-1
//!
//! dF/dW_i'k = sum_i E_{x~q(.|i)} [ x_i' p(k|x) ( G_ik - sum_j p(j|x) G_ij ) ]
//! dF/dA_ii' = E_{x~q(.|i)} [ ( x_i' - s(A_ii') ) sum_j p(j|x) G_ij ]
//! ```
//!
//! Two functions are followed here. The log-likelihood, as it depends on the chain, has `dl/dT = 0` and `dl/dpi = u`; the two-step
//! gradient is its first term, `G_ij = pi_i u_j` with no part for A. And the latent entropy production, with `F_ij = pi_i T_ij`,
//!
//! ```text
//! dsigma/dT_ij = pi_i ( ln(F_ij / F_ji) + 1 - F_ji / F_ij ),     dsigma/dpi_i = sum_j T_ij ln(F_ij / F_ji)
//! ```

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::latent::fundamental::Fundamental;
use crate::latent::{ChainError, SteadyState};
use crate::logs::logsumexp;

/// Images drawn in every state, as many in each, seen through p; all in f64 on the host.
pub struct StratifiedSample {
    /// `ln p(k|x)`, `[L M, L]`, the images of state 0 first.
    log_p: Array2<f64>,
    /// The logarithm of each image's weight among those of its state, `[L M]`; the weights of a state sum to 1.
    log_weights: Array1<f64>,
    /// T and pi, as the images say.
    steady: SteadyState,
    fundamental: Fundamental,
}

/// Which gradient of the log-likelihood is taken, and the weight of the entropy production beside it.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// The complete gradient instead of the two-step one.
    pub complete: bool,
    /// Weight of the latent entropy production: nats of log-likelihood for a nat per step.
    pub entropy_weight: f64,
    /// The same of the path entropy production, which [`super::path`] follows.
    pub path_entropy_weight: f64,
}

/// What each image adds to the gradient.
pub struct Contributions {
    /// `dF/dW_ik = sum_n x_ni c_nk` and `dF/db_k = sum_n c_nk`: c, `[L M, L]`.
    pub forward: Array2<f64>,
    /// `dF/dA_ki = sum_{n of k} x_ni h_n`: h, `[L M]`. The mean of each state is taken off as a baseline, which removes the term with
    /// s(A) too; if it was made of M draws, as h was, the sum is too small by (M - 1) / M.
    pub backward: Array1<f64>,
}

impl StratifiedSample {
    /// From `ln p(k|x)` of the images and the logarithms of their weights.
    ///
    /// # Errors
    /// When the numbers are not finite.
    pub fn new(mut log_p: Array2<f64>, log_weights: Array1<f64>) -> Result<Self, ChainError> {
        let states = log_p.ncols();
        for mut row in log_p.rows_mut() {
            row -= logsumexp(row.view());
        }
        let each = log_p.nrows() / states;
        let log_transition = Array2::from_shape_fn((states, states), |(i, k)| {
            let images = i * each..(i + 1) * each;
            let terms: Array1<f64> = images.map(|n| log_weights[n] + log_p[[n, k]]).collect();
            logsumexp(terms.view())
        });
        let steady = SteadyState::from_logs(log_softmax(log_transition))?;
        Ok(Self {
            fundamental: Fundamental::of(&steady),
            steady,
            log_p,
            log_weights,
        })
    }

    /// The latent chain.
    pub fn steady(&self) -> &SteadyState {
        &self.steady
    }

    /// `Z = (I - T + 1 pi^T)^-1`.
    pub(super) fn fundamental(&self) -> &Fundamental {
        &self.fundamental
    }

    /// `ln p(k|x)`, `[L M, L]`.
    pub(super) fn log_p(&self) -> &Array2<f64> {
        &self.log_p
    }

    /// The state that image n is of.
    pub(super) fn state_of(&self, n: usize) -> usize {
        n / (self.log_p.nrows() / self.steady.states())
    }

    /// The weight of image n among those of its state.
    pub(super) fn weight_of(&self, n: usize) -> f64 {
        self.log_weights[n].exp()
    }

    /// Takes the mean of each state off some h `[L M]`, as a baseline, and weighs the images.
    pub(super) fn weigh_without_baseline(&self, h: &mut Array1<f64>) {
        let each = self.log_p.nrows() / self.steady.states();
        let strata = h.axis_chunks_iter_mut(Axis(0), each);
        for (mut h, log_weights) in strata.zip(self.log_weights.axis_chunks_iter(Axis(0), each)) {
            let weights = log_weights.mapv(f64::exp);
            h -= h.dot(&weights);
            h *= &weights;
        }
    }

    /// What each image adds to the gradient of the log-likelihood and the latent entropy production, where `dl/dpi = u`, `[L]`.
    pub fn contributions(&self, u: ArrayView1<f64>, objective: Objective) -> Contributions {
        let pi = self.steady.pi();
        // A constant in u changes nothing, and taking it off keeps digits.
        let centred = &u - u.dot(&pi);
        let v = if objective.complete {
            self.fundamental.times(&centred)
        } else {
            centred
        };
        let entropy = (objective.entropy_weight != 0.0).then(|| EntropyGradient::of(&self.steady, &self.fundamental));
        let lambda = objective.entropy_weight;

        let mut forward = Array2::zeros(self.log_p.dim());
        let mut backward = Array1::zeros(self.log_p.nrows());
        for (n, log_p) in self.log_p.rows().into_iter().enumerate() {
            let state = self.state_of(n);
            let p = log_p.mapv(f64::exp);
            let weight = self.weight_of(n);
            // p(k|x) G_ik of both functions, and their sums over k.
            let likelihood = &p * &v * pi[state];
            let of_entropy = entropy.as_ref().map(|entropy| entropy.at(log_p, state) * lambda);
            let of_entropy = of_entropy.unwrap_or_else(|| Array1::zeros(p.len()));
            let (h_likelihood, h_entropy) = (likelihood.sum(), of_entropy.sum());
            let excess = likelihood + of_entropy - &p * (h_likelihood + h_entropy);
            forward.row_mut(n).assign(&(excess * weight));
            backward[n] = h_entropy + if objective.complete { h_likelihood } else { 0.0 };
        }
        self.weigh_without_baseline(&mut backward);
        Contributions { forward, backward }
    }
}

/// `G_ij` of the entropy production, with the term that rare transitions make large kept as a logarithm.
struct EntropyGradient<'a> {
    steady: &'a SteadyState,
    /// `pi_i ( ln(F_ij / F_ji) + 1 + [ Z dsigma/dpi ]_j )`
    mild: Array2<f64>,
}

impl<'a> EntropyGradient<'a> {
    fn of(steady: &'a SteadyState, fundamental: &Fundamental) -> Self {
        let log_flux = |i, j| steady.log_flux(i, j);
        let states = steady.states();
        let log_ratio = Array2::from_shape_fn((states, states), |(i, j)| log_flux(i, j) - log_flux(j, i));
        let of_pi = (steady.transition() * &log_ratio).sum_axis(Axis(1));
        let pi = steady.pi().insert_axis(Axis(1));
        Self {
            mild: pi * (log_ratio + 1.0 + &fundamental.times(&of_pi)),
            steady,
        }
    }

    /// `p(j|x) G_ij` for all j, of an image of state i.
    fn at(&self, log_p: ArrayView1<f64>, i: usize) -> Array1<f64> {
        let log_pi = self.steady.log_pi()[i];
        let steep = |j: usize| (log_pi + log_p[j] + self.steady.log_flux(j, i) - self.steady.log_flux(i, j)).exp();
        log_p
            .iter()
            .enumerate()
            .map(|(j, log_p)| log_p.exp() * self.mild[[i, j]] - steep(j))
            .collect()
    }
}

/// Rows that sum to 1 to the last bit, as far as logarithms can.
fn log_softmax(mut logs: Array2<f64>) -> Array2<f64> {
    for mut row in logs.rows_mut() {
        row -= logsumexp(row.view());
    }
    logs
}
