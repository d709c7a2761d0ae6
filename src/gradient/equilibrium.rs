//! The RBM: the gradient of its log-likelihood, exact or from persistent chains.
//!
//! A Boltzmann machine over an image x and a hidden state k with code c_k has the joint distribution
//!
//! ```text
//! p(x, k) ~ exp( g_k + b . c_k + x . (a + c_k A) )
//! ```
//!
//! Its conditionals are the [`Model`]'s, with the forward matrix tied to the backward one, `W = A^T`. The chain is reversible, and the
//! steady state is a closed form,
//!
//! ```text
//! pi_k ~ exp( g_k + b . c_k ) prod_i ( 1 + exp(A~_ki) ),      A~ = a + C A
//! ```
//!
//! The gradient is the data's mean minus the model's mean of what multiplies a parameter in the exponent:
//!
//! ```text
//! dl/dA_hi = mean_n sum_k p(k|x_n) c_kh x_ni - E[ c_kh x_i ],   dl/db_h = mean_n sum_k p(k|x_n) c_kh - E[ c_kh ],   dl/da_i = mean_n x_ni - E[ x_i ]
//! ```

use burn::tensor::Tensor;

use super::shares::{StateImages, lit, residuals};
use crate::model::Model;
use crate::ops::codes::StateLogs;
use crate::ops::{ChainBackend, DeviceImages};

/// dl/db and dl/dA of a tied [`Model`], in nats per image and unit of the parameter.
#[derive(Clone, Debug)]
pub struct TiedGradient<B: ChainBackend> {
    /// dl/db, `[H]`.
    pub bias: Tensor<B, 1>,
    /// dl/dA, `[H, D]`.
    pub backward: Tensor<B, 2>,
    /// dl/da, `[D]`, where there is an a.
    pub visible_bias: Option<Tensor<B, 1>>,
}

/// The middle of images and codes, which centered coordinates are taken about.
///
/// A change of A also changes `b . c_k` and `x . a`, as seen from there: with `x . (a + c_k A) + b . c_k` written about the mean image mu and a mean code nu, which
/// RMSprop's equal steps then leave apart,
///
/// ```text
/// b' = b + A mu,   a' = a + nu A:      dl/dA at fixed b', a'  =  dl/dA - dl/db mu^T - nu dl/da^T
/// ```
///
/// (G. Montavon and K.-R. Müller, 2012, on contrastive divergence.) Without them RMSprop's steps in A, which all pixels take at once, throw the weights pi about the more the
/// brighter the images are.
#[derive(Clone, Debug)]
pub struct Center<B: ChainBackend> {
    /// mu, `[D]`.
    pub image: Tensor<B, 1>,
    /// nu, `[H]`.
    pub code: Tensor<B, 1>,
}

impl<B: ChainBackend> Center<B> {
    /// About the mean of some images, and the mean code of a layer whose states count as their log-weights g say.
    pub fn of(model: &Model<B>, images: &DeviceImages<B>) -> Self {
        let (width, device) = (model.backward.dims()[0], model.backward.device());
        let code = match model.codes.last().map(|codes| &codes.factors) {
            // Units that are on half of the time.
            None => Tensor::full([width], 0.5, &device),
            Some(None) => Tensor::zeros([width], &device),
            Some(Some(factors)) => factors
                .gather(B::log_softmax_rows(factors.log_weights.clone()).exp())
                .squeeze_dim(0),
        };
        Self { image: lit(images), code }
    }

    /// What b and a change by where A does, `[H]` and `[D]`, while b' and a' stay.
    pub fn shifts(&self, of_backward: Tensor<B, 2>) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let [image, code] = [self.image.clone().unsqueeze::<2>(), self.code.clone().unsqueeze_dim::<2>(1)];
        let of_bias = (of_backward.clone() * image).sum_dim(1).squeeze_dim(1);
        let of_visible_bias = B::column_sums(of_backward * code).squeeze_dim(0);
        (-of_bias, -of_visible_bias)
    }
}

impl<B: ChainBackend> TiedGradient<B> {
    /// In centered coordinates.
    pub fn about(self, center: &Center<B>) -> Self {
        let outer = |column: &Tensor<B, 1>, row: &Tensor<B, 1>| column.clone().unsqueeze_dim::<2>(1) * row.clone().unsqueeze::<2>();
        let mut backward = self.backward - outer(&self.bias, &center.image);
        if let Some(visible_bias) = &self.visible_bias {
            backward = backward - outer(&center.code, visible_bias);
        }
        Self { backward, ..self }
    }
}

/// The gradient with the exact model term, `E[ p(k|x) ] = pi_k` and `E[ p(k|x) x_i ] = pi_k s(A~_ki)`, at a minibatch of images.
pub fn exact<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> TiedGradient<B> {
    let codes = model.last_codes();
    let (r, rho) = posterior(model, images); //                                   p(k|x_n)        [B, L]
    let states = StateImages::of(model);
    let pi = model.log_steady(states.log_dark()).exp(); //                        pi_k            [1, L]
    let bias = codes.gather(rho - pi.clone()).squeeze_dim(0);
    let (backward, visible_bias) = match states {
        StateImages::OneHot { means, .. } => (B::residuals(images, r, pi, means), None), //       s(A_ki)         [L, D]
        StateImages::Coded { factors, .. } => residuals(model, &factors, images, factors.gather(r), pi),
    };
    TiedGradient {
        bias,
        backward,
        visible_bias,
    }
}

/// The gradient with the model term from N persistent `chains`: persistent contrastive divergence (T. Tieleman, ICML 2008), with
/// probabilities in place of sampled hidden states. Its error is that of the chains, which must visit every state in proportion to pi.
pub fn persistent<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>, chains: &DeviceImages<B>) -> TiedGradient<B> {
    let (of_data, of_chains) = if model.layers.are_listed() {
        B::both(|| posterior_means(model, images), || posterior_means(model, chains))
    } else {
        B::both(|| unit_means(model, images), || unit_means(model, chains))
    };
    let excess = of_data.0 - of_chains.0;
    let bias = match model.codes.last() {
        Some(codes) => codes.gather(excess),
        None => excess,
    };
    TiedGradient {
        bias: bias.squeeze_dim(0),
        backward: of_data.1 - of_chains.1,
        visible_bias: model.visible_bias.as_ref().map(|_| lit(images) - lit(chains)),
    }
}

/// `mean_n p(k|x_n)`, `[1, L]`, and `mean_n sum_k p(k|x_n) c_kh x_ni`, `[H, D]`.
pub fn posterior_means<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let count = images.len() as f64;
    let at_a_time = B::images_at_a_time(model.layers.states());
    let of_parts = images.parts(at_a_time).into_iter().map(|part| {
        let (p, mean) = posterior(model, &part);
        let p = model.last_codes().gather(p);
        (mean * (part.len() as f64 / count), B::transposed_product(&part, p) / count)
    });
    let (mean, lit) = of_parts
        .reduce(|(mean, lit), (mean_of_part, lit_of_part)| (mean + mean_of_part, lit + lit_of_part))
        .expect("there are images");
    (mean, lit.transpose())
}

/// `mean_n s(l_nh)`, `[1, H]`, and `mean_n s(l_nh) x_ni`, `[H, D]`, of units with logits `l = x W + b`: the same where states are not listed, unit by unit.
fn unit_means<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let (p, _) = B::bernoulli(model.forward_logits(images));
    let mean = B::column_sums(p.clone()) / images.len() as f64;
    (mean, B::transposed_product(images, p).transpose() / images.len() as f64)
}

/// `p(k|x_n)`, `[N, L]`, and its mean over n, `[1, L]`.
fn posterior<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let log_p = model.log_forward(images);
    let mean = StateLogs::Plain(log_p.clone()).log_mean().exp();
    (log_p.exp(), mean)
}
