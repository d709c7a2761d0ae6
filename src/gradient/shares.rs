//! A minibatch of images seen from every latent state: what the gradients of machines with listed states have of the data.
//!
//! ```text
//! r_nk = pi_k q(x_n|k) / P(x_n),      P(x_n) = sum_k pi_k q(x_n|k),      u_k = mean_n q(x_n|k) / P(x_n)
//! ```

use burn::tensor::Tensor;

use crate::model::Model;
use crate::ops::codes::Factors;
use crate::ops::{ChainBackend, DeviceImages};

/// A minibatch seen from every state.
pub(super) enum Data<B: ChainBackend> {
    /// From one-hot states.
    OneHot {
        /// `ln q(x_n|k)`, `[B, L]`.
        log_q: Tensor<B, 2>,
        /// `s(A_ki)`, `[L, D]`.
        means: Tensor<B, 2>,
    },
    /// From one-hot states, in parts.
    InParts {
        /// The images.
        parts: Vec<DeviceImages<B>>,
        /// A, `[L, D]`.
        backward: Tensor<B, 2>,
        /// `ln q(0|k)`, `[1, L]`.
        log_dark: Tensor<B, 2>,
        /// `s(A_ki)`, `[L, D]`.
        means: Tensor<B, 2>,
    },
    /// From states with codes.
    Coded {
        /// What the factors' values have in `ln q(x_n|k) - ln q(0|k)`, `[B, V]`, but for what is the same in every state.
        lit: Tensor<B, 2>,
        /// `ln q(0|k)`, `[1, L]`.
        log_dark: Tensor<B, 2>,
        factors: Box<Factors<B>>,
    },
}

/// The images of every state: what every gradient is made of.
#[derive(Clone, Debug)]
pub enum StateImages<B: ChainBackend> {
    /// Of one-hot states.
    OneHot {
        /// `s(A_ki)`, `[L, D]`.
        means: Tensor<B, 2>,
        /// `ln q(0|k)`, `[1, L]`.
        log_dark: Tensor<B, 2>,
    },
    /// Of states with codes, whose means are not written out.
    Coded {
        /// `ln q(0|k)`, `[1, L]`.
        log_dark: Tensor<B, 2>,
        /// The codes.
        factors: Box<Factors<B>>,
    },
}

impl<B: ChainBackend> StateImages<B> {
    /// Those of a model.
    pub fn of(model: &Model<B>) -> Self {
        match &model.last_codes().factors {
            None => {
                let (means, log_dark) = B::bernoulli(model.backward.val());
                Self::OneHot { means, log_dark }
            }
            Some(factors) => Self::Coded {
                log_dark: B::coded_log_dark(factors, model.backward.val(), model.visible_bias_row()),
                factors: Box::new(factors.clone()),
            },
        }
    }

    /// `ln q(0|k)`, `[1, L]`.
    pub fn log_dark(&self) -> Tensor<B, 2> {
        let (Self::OneHot { log_dark, .. } | Self::Coded { log_dark, .. }) = self;
        log_dark.clone()
    }
}

impl<B: ChainBackend> Data<B> {
    pub(super) fn of(states: StateImages<B>, model: &Model<B>, images: &DeviceImages<B>) -> Self {
        let at_a_time = B::images_at_a_time(model.backward.dims()[0]);
        match states {
            StateImages::OneHot { means, log_dark } if images.len() > at_a_time => Self::InParts {
                parts: images.parts(at_a_time),
                backward: model.backward.val(),
                log_dark,
                means,
            },
            StateImages::OneHot { means, log_dark } => Self::OneHot {
                log_q: model.log_backward(images, log_dark),
                means,
            },
            StateImages::Coded { log_dark, factors } => Self::Coded {
                lit: model.lit(images, &factors),
                log_dark,
                factors,
            },
        }
    }
}

/// How the states share a minibatch under the steady state pi.
pub(super) struct Shares<B: ChainBackend> {
    /// `ln pi_k`, `[1, L]`.
    pub log_pi: Tensor<B, 2>,
    /// `ln u_k`, `[1, L]`.
    pub log_u: Tensor<B, 2>,
    of_images: OfImages<B>,
}

/// What each image of a minibatch gives each state.
enum OfImages<B: ChainBackend> {
    /// `ln q(x_n|k)`, `[B, L]`, `ln P(x_n)`, `[B, 1]`, and `s(A_ki)`, `[L, D]`, of one-hot states.
    OneHot {
        log_q: Tensor<B, 2>,
        log_density: Tensor<B, 2>,
        means: Tensor<B, 2>,
    },
    /// `mean_n r_nk x_ni`, `[D, L]`, and `s(A_ki)`, `[L, D]`, of one-hot states whose images were taken in parts.
    Summed { lit: Tensor<B, 2>, means: Tensor<B, 2> },
    /// `sum_k r_nk c_kh`, `[B, H]`, of states with codes.
    Coded { r: Tensor<B, 2>, factors: Box<Factors<B>> },
}

impl<B: ChainBackend> Shares<B> {
    pub(super) fn of(data: Data<B>, log_pi: Tensor<B, 2>) -> Self {
        match data {
            Data::OneHot { log_q, means } => {
                let log_density = B::logsumexp(log_q.clone(), Some(log_pi.clone()));
                Self {
                    log_u: B::log_mean_exp(log_q.clone(), Some(log_density.clone())),
                    log_pi,
                    of_images: OfImages::OneHot { log_q, log_density, means },
                }
            }
            Data::InParts {
                parts,
                backward,
                log_dark,
                means,
            } => {
                let (log_u, lit) = of_parts(&parts, backward.transpose(), log_dark, &log_pi);
                Self {
                    log_u,
                    log_pi,
                    of_images: OfImages::Summed { lit, means },
                }
            }
            Data::Coded { lit, log_dark, factors } => {
                let (r, log_u) = B::coded_shares(&factors, lit, log_dark, log_pi.clone());
                Self {
                    log_u,
                    log_pi,
                    of_images: OfImages::Coded { r, factors },
                }
            }
        }
    }

    /// dl/dA, `[H, D]`, and dl/da, `[D]`.
    pub(super) fn residuals(&self, model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Option<Tensor<B, 1>>) {
        let rho = B::mean_responsibilities(self.log_pi.clone(), self.log_u.clone()); //            mean_n r_nk     [1, L]
        match &self.of_images {
            OfImages::OneHot { log_q, log_density, means } => {
                let r = B::responsibilities(log_q.clone(), log_density.clone(), Some(self.log_pi.clone())); //  r_nk  [B, L]
                (B::residuals(images, r, rho, means.clone()), None)
            }
            OfImages::Summed { lit, means } => (lit.clone().transpose() - rho.transpose() * means.clone(), None),
            OfImages::Coded { r, factors } => residuals(model, factors, images, r.clone(), rho),
        }
    }
}

/// `ln u_k`, `[1, L]`, and `mean_n r_nk x_ni`, `[D, L]`, of one-hot states, part by part; `table` is A transposed.
fn of_parts<B: ChainBackend>(
    parts: &[DeviceImages<B>],
    table: Tensor<B, 2>,
    log_dark: Tensor<B, 2>,
    log_pi: &Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let count: usize = parts.iter().map(DeviceImages::len).sum();
    let mut log_u = Vec::with_capacity(parts.len());
    let mut lit = table.zeros_like();
    for part in parts {
        let share = part.len() as f64 / count as f64;
        let log_q = B::affine(part, table.clone(), log_dark.clone()); //                          ln q(x_n|k)     [B', L]
        let log_density = B::logsumexp(log_q.clone(), Some(log_pi.clone()));
        log_u.push(B::log_mean_exp(log_q.clone(), Some(log_density.clone())) + share.ln());
        let r = B::responsibilities(log_q, log_density, Some(log_pi.clone())); //                      r_nk            [B', L]
        lit = lit + B::transposed_product(part, r) / count as f64;
    }
    let log_u = B::log_mean_exp(Tensor::cat(log_u, 0), None) + (parts.len() as f64).ln();
    (log_u, lit)
}

/// `mean_n ( r_nh x_ni - sum_k rho_k c_kh s(A~_ki) )`, `[H, D]`, of images, gathered r `[N, H]` and rho `[1, L]`; and without the codes, `[D]`, where
/// there is an a.
pub(super) fn residuals<B: ChainBackend>(
    model: &Model<B>,
    factors: &Factors<B>,
    images: &DeviceImages<B>,
    r: Tensor<B, 2>,
    rho: Tensor<B, 2>,
) -> (Tensor<B, 2>, Option<Tensor<B, 1>>) {
    let (means, visible_means) = B::coded_means(factors, rho, model.backward.val(), model.visible_bias_row());
    let observed = B::transposed_product(images, r).transpose() / images.len() as f64;
    // rho sums to 1 but for rounding, and so do the r of an image.
    let visible_bias = model.visible_bias.as_ref().map(|_| lit(images) - visible_means.squeeze_dim(0));
    (observed - means, visible_bias)
}

/// `mean_n x_ni`, `[D]`, of images.
pub(super) fn lit<B: ChainBackend>(images: &DeviceImages<B>) -> Tensor<B, 1> {
    let ones = Tensor::ones([images.len(), 1], &images.words.device());
    B::transposed_product(images, ones).squeeze_dim(1) / images.len() as f64
}
