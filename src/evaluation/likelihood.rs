//! The log-likelihood of images, exact once the steady state is known.

use ndarray::{Array1, Axis};

use crate::conditionals::{Conditionals, log_sum_exp};
use crate::data::packed::PackedImages;

/// `mean_n ln P(x_n)` with `P(x) = sum_k pi_k q(x|k)`, nats per image.
///
/// The model's distribution is a mixture of L Bernoulli products whose weights are set by the chain, so there is no partition
/// function to estimate. The sum runs in the images' order, so that the figure does not depend on the number of threads.
pub fn log_likelihood(model: &Conditionals, log_pi: &Array1<f64>, images: &PackedImages) -> f64 {
    let log_joint = model.log_backward(images) + log_pi;
    log_joint.map_axis(Axis(1), log_sum_exp).iter().sum::<f64>() / images.len() as f64
}
