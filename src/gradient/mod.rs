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
mod shares;
pub mod stratified;
pub mod unit_path;

use burn::tensor::Tensor;

pub use self::shares::StateImages;
use self::shares::{Data, Shares};
use crate::codes::Layers;
use crate::model::tanh::TanhGradient;
use crate::model::{BetweenParameters, LogForward, Model, Parameters, to_matrix, to_vector};
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
        log_u = B::logsumexp(log_m.clone(), Some(log_u)).transpose(); //           ln (M u)_j              [1, L]
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
    let bias = B::column_sums(gathered.clone()).squeeze_dim(0);
    (model.codes[number].gather_rows(gathered), bias)
}
