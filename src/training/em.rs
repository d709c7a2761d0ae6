//! The Bernoulli mixture: expectation and maximization, the ceiling of what any one-hot model can reach.
//!
//! `P(x) = sum_k pi_k q(x|k)` with free weights pi is the largest family of distributions that a chain with L latent states can have
//! in its steady state. The mixture is kept as a [`Model`] whose forward transition is its posterior, a reversible chain:
//! `W = A^T` and `b_k = ln pi_k - sum_i ln(1 + e^A_ki)`.

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::gradient::equilibrium::posterior_means;
use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages};

/// One step of expectation and maximization over N images (A. P. Dempster, N. M. Laird and D. B. Rubin, J. R. Stat. Soc. B 39, 1
/// (1977)), with `r_nk = p(k|x_n)` and a pseudo-count c:
///
/// ```text
/// A_ki = ln ( sum_n r_nk x_ni + c ) / ( sum_n r_nk (1 - x_ni) + c ),      pi_k = ( sum_n r_nk + c ) / ( N + L c )
/// ```
///
/// No step lowers `sum_n ln P(x_n) + c sum_k ln pi_k + c sum_ki ln s(A_ki) (1 - s(A_ki))`. A is kept within `[-bound, bound]`.
pub fn step<B: ChainBackend>(model: Model<B>, images: &DeviceImages<B>, pseudo_count: f64, bound: f64) -> Model<B> {
    let [latent] = model.forward_bias.dims();
    let share = pseudo_count / images.len() as f64;
    let (rho, lit) = posterior_means(&model, images); //             mean_n r_nk, mean_n r_nk x_ni      [1, L], [L, D]
    // By rounding, a pixel lit in all images may seem to be so more often.
    let dark = relu(rho.clone().transpose() - lit.clone());
    let backward = ((lit + share) / (dark + share)).log().clamp(-bound, bound);
    let log_pi = ((rho + share) / (1.0 + latent as f64 * share)).log();
    let (_, log_dark) = B::bernoulli(backward.clone());
    tied(model, (log_pi + log_dark).squeeze_dim(0), backward)
}

/// The model with these b and A, and `W = A^T`.
pub fn tied<B: ChainBackend>(model: Model<B>, bias: Tensor<B, 1>, backward: Tensor<B, 2>) -> Model<B> {
    Model {
        forward: Param::initialized(model.forward.id, backward.clone().transpose()),
        forward_bias: Param::initialized(model.forward_bias.id, bias),
        backward: Param::initialized(model.backward.id, backward),
        ..model
    }
}
