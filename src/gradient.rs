//! The two-step gradient of the log-likelihood, built by hand.
//!
//! The log-likelihood of data x_n under the chain's steady state is
//!
//! ```text
//! l = mean_n ln sum_k pi_k q(x_n|k),      pi_k = E_{x' ~ P} [ p(k|x') ]
//! ```
//!
//! Keep the parameters of the last two steps `x' -> z -> x` explicit and hold the distribution P(x') that fed them fixed: the
//! persistent chains are draws from it. With the responsibilities `r_nk = pi_k q(x_n|k) / P(x_n)` and the ratio
//! `u_k = mean_n q(x_n|k) / P(x_n)`, which is `rho_k / pi_k` for `rho_k = mean_n r_nk`,
//!
//! ```text
//! dl/dA_ki = mean_n r_nk ( x_ni - s(A_ki) )                                  data,  step z -> x
//! dl/dW_ik = E_{x'} [ x'_i p(k|x') ( u_k - sum_j p(j|x') u_j ) ]             chain, step x' -> z
//! dl/db_k  = E_{x'} [      p(k|x') ( u_k - sum_j p(j|x') u_j ) ]
//! ```
//!
//! The chain's part pushes the steady state pi toward the data's shares rho, and vanishes where they agree.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

use crate::model::Model;

/// dl/dW, dl/db and dl/dA of a [`Model`], in nats per image and unit of the parameter.
#[derive(Clone, Debug)]
pub struct Gradient<B: Backend> {
    /// dl/dW, `[D, L]`.
    pub forward: Tensor<B, 2>,
    /// dl/db, `[L]`.
    pub forward_bias: Tensor<B, 1>,
    /// dl/dA, `[L, D]`.
    pub backward: Tensor<B, 2>,
}

/// The gradient at the present parameters, from a minibatch of `images` `[B, D]` and the persistent `chains` `[N, D]`.
///
/// Every ratio is formed in log space. `p(k|x') u_k = exp(ln p + ln u)` is at most `N rho_k`, since pi is the chains' own mean: a
/// state that no chain visits gives a large but finite pull back to life, with no division and no clamp.
pub fn two_step<B: Backend>(model: &Model<B>, images: Tensor<B, 2>, chains: Tensor<B, 2>) -> Gradient<B> {
    let [image_count, _] = images.dims();
    let [chain_count, _] = chains.dims();
    let [latent] = model.forward_bias.dims();

    let log_p = model.log_forward(chains.clone()); //                      ln p(k|x')      [N, L]
    let log_pi = log_mean_exp(log_p.clone(), 0); //                        ln pi_k         [1, L]
    let log_q = model.log_backward(images.clone()); //                     ln q(x_n|k)     [B, L]
    let log_joint = log_q.clone() + log_pi; //                             ln pi_k q       [B, L]
    let log_density = log_sum_exp(log_joint.clone(), 1); //                ln P(x_n)       [B, 1]
    let log_u = log_mean_exp(log_q - log_density.clone(), 0); //           ln u_k          [1, L]

    let r = (log_joint - log_density).exp();
    let weight = r.clone().sum_dim(0).transpose(); //                      sum_n r_nk      [L, 1]
    let lit = r.transpose().matmul(images); //                             sum_n r_nk x_ni [L, D]
    let backward = (lit - weight * sigmoid(model.backward.val())) / image_count as f64;

    let credit = (log_p.clone() + log_u).exp(); //                         p(k|x') u_k     [N, L]
    let common = credit.clone().sum_dim(1); //                             sum_j p u       [N, 1]
    let excess = (credit - log_p.exp() * common) / chain_count as f64;
    let forward = chains.transpose().matmul(excess.clone());
    let forward_bias = excess.sum_dim(0).reshape([latent]);

    Gradient {
        forward,
        forward_bias,
        backward,
    }
}

/// `ln sum_d exp(a)` along a dimension, which stays with length 1.
fn log_sum_exp<B: Backend>(a: Tensor<B, 2>, dim: usize) -> Tensor<B, 2> {
    let largest = a.clone().max_dim(dim);
    (a - largest.clone()).exp().sum_dim(dim).log() + largest
}

/// `ln mean_d exp(a)` along a dimension, which stays with length 1.
///
/// The count is divided out before the logarithm: `ln sum - ln count` would cancel digits, and the forward gradient is made of small
/// differences of u from 1.
fn log_mean_exp<B: Backend>(a: Tensor<B, 2>, dim: usize) -> Tensor<B, 2> {
    let count = a.dims()[dim] as f64;
    let largest = a.clone().max_dim(dim);
    ((a - largest.clone()).exp().sum_dim(dim) / count).log() + largest
}
