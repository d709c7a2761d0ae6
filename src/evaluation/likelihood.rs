//! The log-likelihood of images, exact once the steady state is known.

use ndarray::Array1;
use rayon::prelude::*;

use crate::conditionals::{Conditionals, log_sum_exp};

/// `mean_n ln P(x_n)` with `P(x) = sum_k pi_k q(x|k)`, nats per image, of images given as lit pixels.
///
/// The model's distribution is a mixture of L Bernoulli products whose weights are set by the chain, so there is no partition
/// function to estimate. The sum runs in the images' order, so that the figure does not depend on the number of threads.
pub fn log_likelihood(model: &Conditionals, log_pi: &Array1<f64>, images: &[Vec<usize>]) -> f64 {
    let log_densities: Vec<f64> = images
        .par_iter()
        .map(|lit| log_sum_exp((model.log_backward(lit) + log_pi).view()))
        .collect();
    log_densities.iter().sum::<f64>() / images.len() as f64
}
