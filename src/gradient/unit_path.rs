//! The gradient of the path entropy production at the persistent chains of binary units whose states are not listed: [`super::chain_path`], unit by unit.
//!
//! With `f = V^T x`, `V = W - A^T` (and what tanh units beside W add to the logits), `p = s(x W + b)` and `R(x, h) = sum_j ( p_j - h_j ) f_j`, whose mean is sigma,
//!
//! ```text
//! dsigma/dW_ij =  D_ij + E[ x_i p_j ( 1 - p_j ) f_j ],      D_ij = E[ x_i ( p_j - h_j ) ]
//! dsigma/dA_ji = -D_ij + E[ h_j ( x_i - s_i ) R ],           s = s(a + h A)
//! ```
//!
//! For b the second term of W counts, without x_i, and for a that of A, without h_j. E is over the chains' last words and the images drawn from them.

use burn::tensor::{ElementConversion, Tensor};

use super::Gradient;
use super::chain_path::ChainPath;
use crate::model::Model;
use crate::model::tanh::Upward;
use crate::model::units::Pairs;
use crate::ops::{ChainBackend, DeviceImages};

impl<B: ChainBackend> ChainPath<B> {
    /// From the chains' words h and the images drawn from them, two or more, of a model with one layer of binary units.
    pub fn of_units(model: &Model<B>, chains: &Pairs<B>) -> Self {
        let Pairs { units, images } = chains;
        let count = images.len() as f64;
        let excess = model.forward.val() - model.backward.val().transpose(); //          V              [D, H]
        let upward = model.upward(images);
        let (p, _) = B::bernoulli(upward.logits.clone()); //                             p              [N, H]
        let nothing = model.forward_bias.val().zeros_like();
        let f = Upward::of(images, (excess, nothing), model.tanh.as_ref()).logits; //    V^T x          [N, H]
        let own = product(units, Tensor::eye(units.pixels, &p.device())); //           h              [N, H]
        let (_, missing) = B::log_bernoulli(images, model.visible_logits(units)); //  x - s          [N, D]

        let ahead = p.clone() - own;
        let ratio = (ahead.clone() * f.clone()).sum_dim(1); //                           R              [N, 1]
        let mean = ratio.clone().mean();
        let produced = f64::from(mean.clone().into_scalar().elem::<f32>());
        // The mean as a baseline was made of the N images themselves.
        let weights = (ratio - mean.unsqueeze()) / (count - 1.0);
        let missing = missing * weights;
        let ahead = ahead / count;
        let opposite = B::transposed_product(images, ahead.clone()); //                  D              [D, H]
        let pull = p.clone() * (-p + 1.0) * f / count; //                               p (1 - p) f    [N, H]
        let by_logits = ahead + pull.clone();
        let upward = upward.gradient(images, model.tanh.as_ref(), by_logits);
        let gradient = Gradient {
            forward: upward.matrix,
            forward_bias: B::column_sums(pull).squeeze_dim(0),
            between: Vec::new(),
            backward: B::transposed_product(units, missing.clone()) - opposite.transpose(),
            visible_bias: model.visible_bias.as_ref().map(|_| B::column_sums(missing).squeeze_dim(0)),
            tanh: upward.tanh,
        };
        Self { produced, gradient }
    }
}

/// `x M`, `[N, L]`.
fn product<B: ChainBackend>(bits: &DeviceImages<B>, matrix: Tensor<B, 2>) -> Tensor<B, 2> {
    let nothing = Tensor::zeros([1, matrix.dims()[1]], &matrix.device());
    B::affine(bits, matrix, nothing)
}
