//! The gradient of the path entropy production over the last steps of the persistent chains: cheap enough for thousands of states.
//!
//! As in [`super::path`], `sigma = E[ f_z'(x) - f_z(x) ]` with `f_k(x) = c_k . V^T x` and `V = W - A^T`. Hold the distribution of z fixed, as
//! [`super::two_step`] holds that of the images: then Z drops out, and with `R(x, z) = sum_k p(k|x) f_k(x) - f_z(x)`
//!
//! ```text
//! dsigma/dW_ih =  D_ih + E[ x_i sum_k c_kh p(k|x) ( f_k - sum_j p(j|x) f_j ) ],      D_ih = E[ x_i ( sum_k p(k|x) c_kh - c_zh ) ]
//! dsigma/dA_hi = -D_ih + E[ c_zh ( x_i - s_zi ) R ]
//! ```
//!
//! For b the second term of W counts, without x_i, and for a that of A, without c_zh. E is over the chains' last states and the images drawn from them.

use burn::tensor::{ElementConversion, Int, Tensor};
use ndarray::Array1;

use super::Gradient;
use crate::model::{Model, to_vector, vector};
use crate::ops::codes::StateLogs;
use crate::ops::{ChainBackend, DeviceImages};

/// The path entropy production of a model's chains, and its gradient.
#[derive(Clone, Debug)]
pub struct ChainPath<B: ChainBackend> {
    /// Nats per step: the mean of R over the chains.
    pub produced: f64,
    /// In nats per step and unit of the parameter.
    pub gradient: Gradient<B>,
}

impl<B: ChainBackend> ChainPath<B> {
    /// From the chains' states z `[N]` and the images drawn from them, two or more, of a model with one latent layer.
    pub fn of(model: &Model<B>, states: Tensor<B, 1, Int>, chains: &DeviceImages<B>) -> Self {
        let codes = model.last_codes();
        let (count, width) = (chains.len() as f64, model.backward.dims()[0]);
        let device = model.forward.device();

        let excess = model.forward.val() - model.backward.val().transpose(); //              V                   [D, H]
        let f = B::affine(chains, excess, Tensor::zeros([1, width], &device)); //            V^T x               [N, H]
        let (seen, pull) = mean_and_covariance(&model.log_forward_to_first(chains), f.clone());
        let own = codes.rows_of(states.clone(), Tensor::eye(width, &device)); //             c_z                 [N, H]
        let ahead = seen - own.clone(); //                                                   sum_k p c_k - c_z   [N, H]
        let ratio = (ahead.clone() * f).sum_dim(1); //                                       R                   [N, 1]
        let mean = ratio.clone().mean();
        let produced = f64::from(mean.clone().into_scalar().elem::<f32>());

        // The mean as a baseline was made of the N images themselves.
        let weights = (ratio - mean.unsqueeze()) / (count - 1.0); //                                             [N, 1]
        let by_state = sums_by_state(states, weights.clone(), model.layers.states()); //                               [1, L]
        let (means, visible_means) = match &codes.factors {
            None => (B::bernoulli(model.backward.val()).0 * by_state.transpose(), None),
            Some(factors) => {
                let (means, whole) = B::coded_means(factors, by_state, model.backward.val(), model.visible_bias_row());
                (means, Some(whole.squeeze_dim::<1>(0)))
            }
        };
        let opposite = B::transposed_product(chains, ahead / count); //                      D                   [D, H]
        let pull = pull / count;
        let gradient = Gradient {
            forward: opposite.clone() + B::transposed_product(chains, pull.clone()),
            forward_bias: B::column_sums(pull).squeeze_dim(0),
            between: Vec::new(),
            backward: B::transposed_product(chains, own * weights.clone()).transpose() - means - opposite.transpose(),
            visible_bias: (model.visible_bias.as_ref())
                .and(visible_means)
                .map(|means| B::transposed_product(chains, weights).squeeze_dim(1) - means),
            tanh: None,
        };
        Self { produced, gradient }
    }
}

/// The sum of the weights `[N, 1]` of each state's chains, `[1, L]`.
fn sums_by_state<B: ChainBackend>(states: Tensor<B, 1, Int>, weights: Tensor<B, 2>, count: usize) -> Tensor<B, 2> {
    let device = weights.device();
    let mut sums = Array1::<f32>::zeros(count);
    let weights = to_vector(weights.squeeze_dim::<1>(1));
    for (state, weight) in states.into_data().iter::<i32>().zip(weights) {
        sums[state as usize] += weight;
    }
    vector(&sums, &device).unsqueeze()
}

/// `sum_k p_nk c_k` and `sum_k p_nk c_k ( f_k - sum_j p_nj f_j )`, `[N, H]`, of `f_k = c_k . f_n`: factor by factor, which are independent.
fn mean_and_covariance<B: ChainBackend>(log_p: &StateLogs<B>, f: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let pull = |p: Tensor<B, 2>, f: Tensor<B, 2>| {
        let mean = (p.clone() * f.clone()).sum_dim(1);
        p * (f - mean)
    };
    match log_p {
        StateLogs::Plain(log_p) => {
            let p = log_p.clone().exp();
            (p.clone(), pull(p, f))
        }
        StateLogs::Factored(log_values, factors) => {
            let (p, f) = (log_values.clone().exp(), B::dense(f, factors.values.clone()));
            let of_factors = factors.codes.factors().map(|(_, _, place)| {
                let part = |values: &Tensor<B, 2>| values.clone().narrow(1, place.start, place.len());
                pull(part(&p), part(&f))
            });
            let pulls = Tensor::cat(of_factors.collect(), 1);
            let to_codes = factors.values.clone().transpose();
            (B::dense(p, to_codes.clone()), B::dense(pulls, to_codes))
        }
    }
}
