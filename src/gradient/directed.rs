//! Mixtures and directed models: a distribution pi of the latent states, given as such, and images from each state.
//!
//! ```text
//! P(x) = sum_k pi_k q(x|k),      p(k|x) = pi_k q(x|k) / P(x)
//! ```
//!
//! The forward transition is the posterior of pi and q, so the chain is reversible and pi is its steady state: the matrices are tied, `W = A^T`, and
//! `ln pi_k + ln q(0|k)` is what every state has beside `x . (a + c_k A)`. With `r_nk = p(k|x_n)` and `rho_k = mean_n r_nk`,
//!
//! ```text
//! dl/dA_hi = mean_n sum_k r_nk c_kh ( x_ni - s(A~_ki) ),      dl/da_i = mean_n sum_k r_nk ( x_ni - s(A~_ki) )
//! ```
//!
//! and pi, if it is any distribution, maximizes the likelihood where `pi = rho`. If the factors of a state are independent,
//!
//! ```text
//! pi_k = softmax_k( beta . c_k + g_k ),      dl/dbeta_h = sum_k ( rho_k - pi_k ) c_kh
//! ```

use burn::tensor::Tensor;

use super::shares::{Data, Shares, StateImages};
use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages};

/// The gradient of the log-likelihood, nats per image, and what pi is to become.
#[derive(Clone, Debug)]
pub struct DirectedGradient<B: ChainBackend> {
    /// dl/dA, `[H, D]`.
    pub backward: Tensor<B, 2>,
    /// dl/da, `[D]`, where there is an a.
    pub visible_bias: Option<Tensor<B, 1>>,
    /// `ln pi_k`, `[1, L]`.
    pub log_pi: Tensor<B, 2>,
    /// `ln rho_k`, `[1, L]`.
    pub log_rho: Tensor<B, 2>,
}

/// The gradient of a [`Model`] whose forward transition is the posterior, at a minibatch of images; `states` are the model's own.
pub fn directed<B: ChainBackend>(model: &Model<B>, states: &StateImages<B>, images: &DeviceImages<B>) -> DirectedGradient<B> {
    let data = Data::of(states.clone(), model, images);
    let shares = Shares::of(data, model.log_steady(states.log_dark()));
    let (backward, visible_bias) = shares.residuals(model, images);
    DirectedGradient {
        backward,
        visible_bias,
        log_rho: shares.log_pi.clone() + shares.log_u,
        log_pi: shares.log_pi,
    }
}
