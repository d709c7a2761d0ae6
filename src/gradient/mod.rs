//! The two-step gradient of the log-likelihood, built by hand; and beside it those of other machines and objectives.
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
//!
//! [`functional`] has what this truncates, the complete gradient, and that of the entropy production, which [`stratified`] takes at images
//! drawn anew; [`equilibrium`] is for the RBM.

pub mod equilibrium;
pub mod functional;
pub mod stratified;

use burn::tensor::Tensor;

use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages};

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
pub fn two_step<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>, chains: &DeviceImages<B>) -> Gradient<B> {
    let [latent] = model.forward_bias.dims();

    let ((log_p, log_pi), data) = B::both(
        || {
            let log_p = model.log_forward(chains); //                              ln p(k|x')      [N, L]
            let log_pi = B::log_mean_exp(log_p.clone(), zeros(&log_p)); //          ln pi_k         [1, L]
            (log_p, log_pi)
        },
        || Data::of(model, images),
    );
    let shares = Shares::of(data, log_pi);

    let ((forward, forward_bias), backward) = B::both(
        || {
            let (excess, sums) = B::softmax_gradient(log_p, shares.log_u.clone()); //        of each chain   [N, L]
            let forward = B::transposed_product(chains, excess); //                        dl/dW_ik        [D, L]
            (forward, sums.reshape([latent])) //                                   dl/db_k         [L]
        },
        || shares.residuals(images), //                                            dl/dA_ki        [L, D]
    );

    Gradient {
        forward,
        forward_bias,
        backward,
    }
}

/// A minibatch seen from every state.
struct Data<B: ChainBackend> {
    /// `s(A_ki)`, `[L, D]`.
    means: Tensor<B, 2>,
    /// `ln q(x_n|k)`, `[B, L]`.
    log_q: Tensor<B, 2>,
}

impl<B: ChainBackend> Data<B> {
    fn of(model: &Model<B>, images: &DeviceImages<B>) -> Self {
        let (means, log_dark) = B::bernoulli(model.backward.val());
        Self {
            means,
            log_q: model.log_backward(images, log_dark),
        }
    }
}

/// How the states share a minibatch under the steady state pi.
struct Shares<B: ChainBackend> {
    data: Data<B>,
    /// `ln pi_k`, `[1, L]`.
    log_pi: Tensor<B, 2>,
    /// `-ln P(x_n)`, `[B, 1]`.
    minus_log_density: Tensor<B, 2>,
    /// `ln u_k`, `[1, L]`.
    log_u: Tensor<B, 2>,
}

impl<B: ChainBackend> Shares<B> {
    fn of(data: Data<B>, log_pi: Tensor<B, 2>) -> Self {
        let minus_log_density = -B::logsumexp(data.log_q.clone(), log_pi.clone());
        Self {
            log_u: B::log_mean_exp(data.log_q.clone(), minus_log_density.clone()),
            minus_log_density,
            log_pi,
            data,
        }
    }

    /// dl/dA, `[L, D]`.
    fn residuals(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        let r = B::responsibilities(self.data.log_q.clone(), self.minus_log_density.clone(), self.log_pi.clone()); // r_nk     [B, L]
        let rho = (self.log_pi.clone() + self.log_u.clone()).exp(); //                            mean_n r_nk         [1, L]
        B::residuals(images, r, rho, self.data.means.clone())
    }
}

/// Zeros `[N, 1]` beside a matrix `[N, L]`, to shift no row.
fn zeros<B: ChainBackend>(beside: &Tensor<B, 2>) -> Tensor<B, 2> {
    Tensor::zeros([beside.dims()[0], 1], &beside.device())
}
