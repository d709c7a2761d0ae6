//! The one-hot RBM: the gradient of its log-likelihood, exact or from persistent chains.
//!
//! A Boltzmann machine over an image x and a one-hot hidden state k has the joint distribution
//!
//! ```text
//! p(x, k) ~ exp( b_k + sum_i x_i A_ki )
//! ```
//!
//! Its conditionals are the [`Model`]'s, with the forward matrix tied to the backward one, `W = A^T`. (A bias of each pixel would be
//! redundant: with one-hot states every row of A already holds it.) The chain is reversible, and the steady state is a closed form,
//!
//! ```text
//! pi_k ~ exp( b_k ) prod_i ( 1 + exp(A_ki) )
//! ```
//!
//! The gradient is the data's mean minus the model's mean of what multiplies a parameter in the exponent:
//!
//! ```text
//! dl/dA_ki = mean_n p(k|x_n) x_ni - E[ p(k|x) x_i ],        dl/db_k = mean_n p(k|x_n) - E[ p(k|x) ]
//! ```

use burn::tensor::Tensor;

use super::zeros;
use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages};

/// dl/db and dl/dA of a tied [`Model`], in nats per image and unit of the parameter.
#[derive(Clone, Debug)]
pub struct TiedGradient<B: ChainBackend> {
    /// dl/db, `[L]`.
    pub bias: Tensor<B, 1>,
    /// dl/dA, `[L, D]`.
    pub backward: Tensor<B, 2>,
}

/// The gradient with the exact model term, `E[ p(k|x) ] = pi_k` and `E[ p(k|x) x_i ] = pi_k s(A_ki)`, at a minibatch of images.
pub fn exact<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> TiedGradient<B> {
    let (means, log_dark) = B::bernoulli(model.backward.val()); //                s(A_ki)         [L, D]
    let bias = model.forward_bias.val().unsqueeze::<2>();
    let pi = B::log_softmax_rows(bias - log_dark).exp(); //                             pi_k            [1, L]
    let (r, rho) = posterior(model, images); //                                   p(k|x_n)        [B, L]
    TiedGradient {
        bias: (rho - pi.clone()).squeeze_dim(0),
        backward: B::residuals(images, r, pi, means),
    }
}

/// The gradient with the model term from N persistent `chains`: persistent contrastive divergence (T. Tieleman, ICML 2008), with
/// probabilities in place of sampled hidden states. Its error is that of the chains, which must visit every state in proportion to pi.
pub fn persistent<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>, chains: &DeviceImages<B>) -> TiedGradient<B> {
    let (of_data, of_chains) = B::both(|| posterior_means(model, images), || posterior_means(model, chains));
    TiedGradient {
        bias: (of_data.0 - of_chains.0).squeeze_dim(0),
        backward: of_data.1 - of_chains.1,
    }
}

/// `mean_n p(k|x_n)`, `[1, L]`, and `mean_n p(k|x_n) x_ni`, `[L, D]`.
pub fn posterior_means<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let (p, mean) = posterior(model, images);
    (mean, B::transposed_product(images, p).transpose() / images.len() as f64)
}

/// `p(k|x_n)`, `[N, L]`, and its mean over n, `[1, L]`.
fn posterior<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let log_p = model.log_forward(images);
    let mean = B::log_mean_exp(log_p.clone(), zeros(&log_p)).exp();
    (log_p.exp(), mean)
}
