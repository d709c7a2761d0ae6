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
//! [`functional`] has what this truncates, the complete gradient, and that of the latent entropy production, [`path`] that of the path's, all of which
//! [`stratified`] takes at images drawn anew, [`earlier`] through several latent layers; [`equilibrium`] is for the RBM, [`directed`] for mixtures and
//! directed models.

pub mod chain_path;
pub mod directed;
pub mod earlier;
pub mod equilibrium;
pub mod functional;
pub mod path;
pub mod sampled;
pub mod stratified;
pub mod unit_path;

use burn::tensor::Tensor;

use crate::codes::Layers;
use crate::model::tanh::TanhGradient;
use crate::model::{BetweenParameters, LogForward, Model, Parameters, to_matrix, to_vector};
use crate::ops::codes::Factors;
use crate::ops::{ChainBackend, DeviceImages};

/// The gradient of a function with respect to the parameters of a [`Model`], in the function's unit (nats per image, of a log-likelihood) and unit of
/// the parameter.
#[derive(Clone, Debug)]
pub struct Gradient<B: ChainBackend> {
    /// dl/dW, `[D, H]`.
    pub forward: Tensor<B, 2>,
    /// dl/db, `[H]`.
    pub forward_bias: Tensor<B, 1>,
    /// dl/dV and dl/db', `[H, H']` and `[H']`, from each latent layer to the next.
    pub between: Vec<(Tensor<B, 2>, Tensor<B, 1>)>,
    /// dl/dA, `[H, D]`.
    pub backward: Tensor<B, 2>,
    /// dl/da, `[D]`, where there is an a.
    pub visible_bias: Option<Tensor<B, 1>>,
    /// By the tanh units beside W, where there are some.
    pub tanh: Option<TanhGradient<B>>,
}

impl<B: ChainBackend> Gradient<B> {
    /// Not a number anywhere: the gradient at parameters that are not finite.
    fn nowhere(model: &Model<B>) -> Self {
        let nan = f32::NAN;
        let between = (model.between().iter()).map(|between| (between.matrix.val().full_like(nan), between.bias.val().full_like(nan)));
        Self {
            forward: model.forward.val().full_like(nan),
            forward_bias: model.forward_bias.val().full_like(nan),
            between: between.collect(),
            backward: model.backward.val().full_like(nan),
            visible_bias: model.visible_bias.as_ref().map(|bias| bias.val().full_like(nan)),
            tanh: None,
        }
    }

    /// This and so many times another, whose function has the same parameters.
    pub fn plus(self, other: Self, weight: f64) -> Self {
        let both = |(own, own_bias), (matrix, bias): (Tensor<B, 2>, Tensor<B, 1>)| (own + matrix * weight, own_bias + bias * weight);
        Self {
            forward: self.forward + other.forward * weight,
            forward_bias: self.forward_bias + other.forward_bias * weight,
            between: (self.between.into_iter().zip(other.between))
                .map(|(own, other)| both(own, other))
                .collect(),
            backward: self.backward + other.backward * weight,
            visible_bias: self.visible_bias.zip(other.visible_bias).map(|(own, other)| own + other * weight),
            tanh: self.tanh.zip(other.tanh).map(|(own, other)| own.plus(other, weight)),
        }
    }

    /// In the shapes of the parameters, on the host; `layers` are the model's.
    pub fn to_host(&self, layers: &Layers) -> Parameters {
        let between = self.between.iter().map(|(matrix, bias)| BetweenParameters {
            matrix: to_matrix(matrix.clone()),
            bias: to_vector(bias.clone()),
        });
        Parameters {
            layers: layers.clone(),
            forward: to_matrix(self.forward.clone()),
            forward_bias: to_vector(self.forward_bias.clone()),
            between: between.collect(),
            backward: to_matrix(self.backward.clone()),
            visible_bias: self.visible_bias.clone().map(to_vector),
            log_weights: None,
            tanh: self.tanh.as_ref().map(TanhGradient::to_host),
        }
    }
}

/// The gradient at the present parameters, from a minibatch of B `images` and the N persistent `chains`.
///
/// Every ratio is formed in log space. `p(k|x') u_k = exp(ln p + ln u)` is at most `N rho_k`, since pi is the chains' own mean: a
/// state that no chain visits gives a large but finite pull back to life, with no division and no clamp.
pub fn two_step<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>, chains: &DeviceImages<B>) -> Gradient<B> {
    let ((log_p, log_pi), data) = B::both(
        || {
            let log_p = model.log_forward_of_layers(chains); //                    ln p(k|x')      [N, L]
            let log_pi = log_p.last().log_mean(); //                                ln pi_k         [1, L]
            (log_p, log_pi)
        },
        || Data::of(StateImages::of(model), model, images),
    );
    let shares = Shares::of(data, log_pi);

    let (forward, (backward, visible_bias)) = B::both(
        || chain_term(model, chains, log_p, shares.log_u.clone()), //              dl/dW, dl/db
        || shares.residuals(model, images),                        //              dl/dA, dl/da
    );

    Gradient {
        forward: forward.matrix,
        forward_bias: forward.bias,
        between: forward.between,
        backward,
        visible_bias,
        tanh: None,
    }
}

/// The part of a gradient that the way from images up to the last latent layer has.
struct ChainTerm<B: ChainBackend> {
    matrix: Tensor<B, 2>,
    bias: Tensor<B, 1>,
    between: Vec<(Tensor<B, 2>, Tensor<B, 1>)>,
}

/// `E_{x'} [ x'_i sum_k c_kh p(k|x') ( u_k - sum_j p(j|x') u_j ) ]`, from the chains' `ln p`, of `ln u` `[1, L]` of the last layer; from layer to layer
/// u goes back by `u <- M u`, and with the layer's own `pi_j = E_{x'} p(j|x')`
///
/// ```text
/// dl/dV = sum_jk pi_j M(k|j) ( u_k - sum_k' M(k'|j) u_k' ) c_j c_k^T
/// ```
fn chain_term<B: ChainBackend>(model: &Model<B>, chains: &DeviceImages<B>, log_p: LogForward<B>, log_u: Tensor<B, 2>) -> ChainTerm<B> {
    let mut log_u = log_u;
    let mut between = Vec::new();
    for (number, log_m) in log_p.between.iter().enumerate().rev() {
        let log_pi = log_p.of_layers[number].log_mean(); //                 ln pi_j                 [1, L]
        let credit = (log_m.clone() + log_u.clone() + log_pi.transpose()).exp(); //  pi_j M(k|j) u_k        [L, L']
        let excess = credit.clone() - log_m.clone().exp() * credit.sum_dim(1);
        between.push(of_codes(model, number, excess));
        log_u = B::logsumexp(log_m.clone(), log_u).transpose(); //                 ln (M u)_j              [1, L]
    }
    between.reverse();
    let (excess, sums) = model.codes[0].softmax_gradient(&log_p.of_layers[0], log_u); //  of each chain          [N, H]
    ChainTerm {
        matrix: B::transposed_product(chains, excess),
        bias: sums.squeeze_dim(0),
        between,
    }
}

/// dl/dV, `[H, H']`, and dl/db', `[H']`, from the latent layer of a number to the next, of the gradient with respect to the logits of M, `[L, L']`.
fn of_codes<B: ChainBackend>(model: &Model<B>, number: usize, excess: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 1>) {
    let gathered = model.codes[number + 1].gather(excess); //                                              [L, H']
    let bias = gathered.clone().sum_dim(0).squeeze_dim(0);
    (model.codes[number].gather_rows(gathered), bias)
}

/// A minibatch seen from every state.
enum Data<B: ChainBackend> {
    /// From one-hot states.
    OneHot {
        /// `ln q(x_n|k)`, `[B, L]`.
        log_q: Tensor<B, 2>,
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
    fn of(states: StateImages<B>, model: &Model<B>, images: &DeviceImages<B>) -> Self {
        match states {
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
struct Shares<B: ChainBackend> {
    /// `ln pi_k`, `[1, L]`.
    log_pi: Tensor<B, 2>,
    /// `ln u_k`, `[1, L]`.
    log_u: Tensor<B, 2>,
    of_images: OfImages<B>,
}

/// What each image of a minibatch gives each state.
enum OfImages<B: ChainBackend> {
    /// `ln q(x_n|k)`, `[B, L]`, `-ln P(x_n)`, `[B, 1]`, and `s(A_ki)`, `[L, D]`, of one-hot states.
    OneHot {
        log_q: Tensor<B, 2>,
        minus_log_density: Tensor<B, 2>,
        means: Tensor<B, 2>,
    },
    /// `sum_k r_nk c_kh`, `[B, H]`, of states with codes.
    Coded { r: Tensor<B, 2>, factors: Box<Factors<B>> },
}

impl<B: ChainBackend> Shares<B> {
    fn of(data: Data<B>, log_pi: Tensor<B, 2>) -> Self {
        match data {
            Data::OneHot { log_q, means } => {
                let minus_log_density = -B::logsumexp(log_q.clone(), log_pi.clone());
                Self {
                    log_u: B::log_mean_exp(log_q.clone(), minus_log_density.clone()),
                    log_pi,
                    of_images: OfImages::OneHot {
                        log_q,
                        minus_log_density,
                        means,
                    },
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
    fn residuals(&self, model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Option<Tensor<B, 1>>) {
        let rho = (self.log_pi.clone() + self.log_u.clone()).exp(); //                            mean_n r_nk         [1, L]
        match &self.of_images {
            OfImages::OneHot {
                log_q,
                minus_log_density,
                means,
            } => {
                let r = B::responsibilities(log_q.clone(), minus_log_density.clone(), self.log_pi.clone()); //  r_nk  [B, L]
                (B::residuals(images, r, rho, means.clone()), None)
            }
            OfImages::Coded { r, factors } => residuals(model, factors, images, r.clone(), rho),
        }
    }
}

/// `mean_n ( r_nh x_ni - sum_k rho_k c_kh s(A~_ki) )`, `[H, D]`, of images, gathered r `[N, H]` and rho `[1, L]`; and without the codes, `[D]`, where
/// there is an a.
fn residuals<B: ChainBackend>(
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
fn lit<B: ChainBackend>(images: &DeviceImages<B>) -> Tensor<B, 1> {
    let ones = Tensor::ones([images.len(), 1], &images.words.device());
    B::transposed_product(images, ones).squeeze_dim(1) / images.len() as f64
}
