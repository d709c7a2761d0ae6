//! The two-step gradient of a machine whose latent states are too many to be listed: sums over the posterior become draws.
//!
//! With H binary units there are 2^H states. The two-step gradient is the same as ever; its sums over states are expectations over the
//! posterior `r(h|x) = pi(h) q(x|h) / P(x)` of the data, and pi of any h is known from the N chains:
//!
//! ```text
//! pi(h)      = 1/N sum_n p(h|x'_n),      ln p(h|x') = h . l(x') - sum_j ln(1 + e^l_j(x')),      l(x') = x' W + b
//! dl/dA, da  = E_data E_{h ~ r} d ln q(x|h)
//! dl/dW, db  = E_data E_{h ~ r} sum_n v_n(h) d ln p(h|x'_n),      v_n(h) = p(h|x'_n) / sum_m p(h|x'_m)
//! ```
//!
//! (v is the step x' -> h, run backward.) K candidates h_k of each image come from a third distribution, the recognition distribution, which
//! is no part of the machine, and count with weights that sum to 1:
//!
//! ```text
//! s(h|x) = prod_j s((x R + c)_j)^h_j ...,      w_k ~ q(x|h_k) pi(h_k) / s(h_k|x)
//! ```
//!
//! It follows the posterior by reweighted wake-sleep (J. Bornschein and Y. Bengio, ICLR 2015): at the data by the candidates, `sum_k w_k d ln s(h_k|x)`, and
//! at the chains by the words that their images were drawn from, `d ln s(h_n|x_n)`.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Gradient;
use crate::model::Model;
use crate::model::recognition::Recognition;
use crate::model::tanh::{Upward, UpwardGradient};
use crate::model::units::Pairs;
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::Draws;

/// What K candidates of each image say.
pub struct Sampled<B: ChainBackend> {
    /// Of the log-likelihood, with respect to the machine's parameters; nats per image.
    pub gradient: Gradient<B>,
    /// Uphill for the recognition distribution.
    pub recognition: UpwardGradient<B>,
}

/// Candidates for the posterior of B images, K of each.
struct Candidates<B: ChainBackend> {
    /// h_k, `[B K, H]`, those of an image one after the other.
    words: DeviceImages<B>,
    /// `ln s(h_k|x)`, `[B K, 1]`.
    log_s: Tensor<B, 2>,
    /// `h_k - s(x R + c)`, `[B K, H]`: d ln s(h_k|x) by the logits.
    residuals: Tensor<B, 2>,
    /// x R + c, `[B, H]`.
    upward: Upward<B>,
}

impl<B: ChainBackend> Candidates<B> {
    fn draw(recognition: &Recognition<B>, images: &DeviceImages<B>, count: usize, draws: Draws) -> Self {
        let upward = recognition.upward(images); //                                    x R + c         [B, H]
        let words = B::draw_bits(upward.logits.clone(), count, draws);
        let (log_s, residuals) = B::log_bernoulli(&words, upward.logits.clone());
        Self {
            words,
            log_s,
            residuals,
            upward,
        }
    }
}

/// The chains, seen from words: what pi is made of.
struct ChainWeights<B: ChainBackend> {
    /// `s(l(x'_n))`, `[N, H]`: the mean word after each image.
    means: Tensor<B, 2>,
    /// `ln p(h|x'_n)`, `[M, N]`, of M words.
    log_p: Tensor<B, 2>,
    /// `ln sum_n p(h|x'_n)`, `[M, 1]`: ln pi(h), but for ln N.
    log_sum: Tensor<B, 2>,
    /// l, `[N, H]`.
    upward: Upward<B>,
}

impl<B: ChainBackend> ChainWeights<B> {
    fn of(model: &Model<B>, chains: &DeviceImages<B>, words: &DeviceImages<B>) -> Self {
        let upward = model.upward(chains); //                                          l               [N, H]
        let (means, log_silent) = B::bernoulli(upward.logits.clone()); //              ln p(0|x'_n)    [1, N]
        let log_p = B::affine(words, upward.logits.clone().transpose(), log_silent);
        Self {
            log_sum: B::logsumexp(log_p.clone(), None),
            log_p,
            means,
            upward,
        }
    }

    /// By what leads from images to words, of words with weights `[M, 1]` that sum to 1.
    fn gradient(self, model: &Model<B>, chains: &DeviceImages<B>, words: &DeviceImages<B>, weights: Tensor<B, 2>) -> UpwardGradient<B> {
        let v = B::responsibilities(self.log_p, self.log_sum - weights.log(), None); // w v_n(h)        [M, N]
        let arrivals = B::column_sums(v.clone()).transpose(); //                       sum over h      [N, 1]
        let excess = B::transposed_product(words, v).transpose() - self.means * arrivals; //             [N, H]
        self.upward.gradient(chains, model.tanh.as_ref(), excess)
    }
}

/// The gradient at the present parameters, from a minibatch of B images, K candidates of each, and the N chains.
pub fn sampled<B: ChainBackend>(
    model: &Model<B>,
    recognition: &Recognition<B>,
    images: &DeviceImages<B>,
    chains: &Pairs<B>,
    count: usize,
    draws: Draws,
) -> Sampled<B> {
    let batch = images.len();
    let candidates = Candidates::draw(recognition, images, count, draws);
    let (pi, (log_q, missing)) = B::both(
        || ChainWeights::of(model, &chains.images, &candidates.words),
        || B::log_bernoulli(images, model.visible_logits(&candidates.words)), //         x - s(a + h A)  [B K, D]
    );

    let log_w = log_q + pi.log_sum.clone() - candidates.log_s; //                      ln w but for what an image's have in common
    let weights = B::log_softmax_rows(log_w.reshape([batch, count])).exp(); //         w               [B, K]
    let shares = (weights / batch as f64).reshape([batch * count, 1]); //      of the mean over data

    let (forward, (backward, visible_bias)) = B::both(
        || pi.gradient(model, &chains.images, &candidates.words, shares.clone()),
        || {
            let missing = missing * shares.clone();
            let visible_bias = model.visible_bias.as_ref().map(|_| B::column_sums(missing.clone()).squeeze_dim(0));
            (B::transposed_product(&candidates.words, missing), visible_bias)
        },
    );

    let wake = of_each(candidates.residuals * shares, count); //                       sum_k w_k d ln s(h_k|x)  [B, H]
    let of_chains = recognition.upward(&chains.images);
    let (_, sleep) = B::log_bernoulli(&chains.units, of_chains.logits.clone());
    let sleep = sleep / chains.units.len() as f64; //                                  d ln s(h_n|x_n)          [N, H]
    let tanh = recognition.tanh.as_ref();
    let wake = candidates.upward.gradient(images, tanh, wake);
    let sleep = of_chains.gradient(&chains.images, tanh, sleep);
    Sampled {
        gradient: Gradient {
            forward: forward.matrix,
            forward_bias: forward.bias,
            between: Vec::new(),
            backward,
            visible_bias,
            tanh: forward.tanh,
        },
        recognition: wake.plus(sleep),
    }
}

/// The sums of so many consecutive rows, `[N, M]` of `[N x count, M]`.
fn of_each<B: Backend>(rows: Tensor<B, 2>, count: usize) -> Tensor<B, 2> {
    let [number, width] = rows.dims();
    let sums = rows.reshape([number / count, count, width]).sum_dim(1);
    sums.reshape([number / count, width])
}
