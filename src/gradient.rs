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

use crate::model::Model;
use crate::ops::{ChainBackend, Images};

/// dl/dW, dl/db and dl/dA of a [`Model`], in nats per image and unit of the parameter.
#[derive(Clone, Debug)]
pub struct Gradient<B: ChainBackend> {
    /// dl/dW, `[D, L]`.
    pub forward: Tensor<B, 2>,
    /// dl/db, `[L]`.
    pub forward_bias: Tensor<B, 1>,
    /// dl/dA, `[L, D]`.
    pub backward: Tensor<B, 2>,
}

/// The gradient at the present parameters, from a minibatch of B `images` and the N persistent `chains`.
///
/// Every ratio is formed in log space. `p(k|x') u_k = exp(ln p + ln u)` is at most `N rho_k`, since pi is the chains' own mean: a
/// state that no chain visits gives a large but finite pull back to life, with no division and no clamp.
pub fn two_step<B: ChainBackend>(model: &Model<B>, images: &Images<B>, chains: &Images<B>) -> Gradient<B> {
    let [latent] = model.forward_bias.dims();

    let ((log_p, log_pi), (means, log_q)) = B::both(
        || {
            let log_p = model.log_forward(chains); //                              ln p(k|x')      [N, L]
            let log_pi = B::log_average(log_p.clone(), zeros(&log_p)); //          ln pi_k         [1, L]
            (log_p, log_pi)
        },
        || {
            let (means, log_dark) = B::bernoulli(model.backward.val()); //         s(A_ki)         [L, D]
            (means, model.log_backward(images, log_dark)) //                       ln q(x_n|k)     [B, L]
        },
    );
    let minus_log_density = -B::log_normalizer(log_q.clone(), log_pi.clone()); //  -ln P(x_n)      [B, 1]
    let log_u = B::log_average(log_q.clone(), minus_log_density.clone()); //       ln u_k          [1, L]

    let ((forward, forward_bias), backward) = B::both(
        || {
            let (excess, sums) = B::excess(log_p, log_u.clone()); //               of each chain   [N, L]
            let forward = B::lit_totals(chains, excess); //                        dl/dW_ik        [D, L]
            (forward, sums.reshape([latent])) //                                   dl/db_k         [L]
        },
        || {
            let r = B::exp_sum(log_q, minus_log_density, log_pi.clone()); //       r_nk            [B, L]
            let rho = (log_pi + log_u.clone()).exp(); //                           mean_n r_nk     [1, L]
            B::residuals(images, r, rho, means) //                                 dl/dA_ki        [L, D]
        },
    );

    Gradient {
        forward,
        forward_bias,
        backward,
    }
}

/// Zeros `[N, 1]` beside a matrix `[N, L]`, to shift no row.
fn zeros<B: ChainBackend>(beside: &Tensor<B, 2>) -> Tensor<B, 2> {
    Tensor::zeros([beside.dims()[0], 1], &beside.device())
}
