//! The log-likelihood of images, exact once the steady state is known.

use ndarray::{Array1, Axis};
use rayon::prelude::*;

use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::error_of_mean;
use crate::logs::logsumexp;
use crate::watch::{Stopped, Watch};

/// `mean_n ln P(x_n)` with `P(x) = sum_k pi_k q(x|k)`, nats per image.
///
/// The model's distribution is a mixture of L Bernoulli products whose weights are set by the chain, so there is no partition
/// function to estimate. The sum runs in the images' order, so that the figure does not depend on the number of threads.
///
/// # Errors
/// When it is stopped, which it looks for after 2,048 images.
pub fn log_likelihood(model: &Conditionals, log_pi: &Array1<f64>, images: &PackedImages, watch: &dyn Watch) -> Result<f64, Stopped> {
    Ok(log_likelihoods(model, &[log_pi], images, watch)?.0[0])
}

/// As [`log_likelihood`] for several pi, with the first one's standard error over images: how far it may be from the mean over all
/// images of the kind that these are a sample of.
///
/// # Errors
/// As [`log_likelihood`].
pub fn log_likelihoods(
    model: &Conditionals,
    log_pis: &[&Array1<f64>],
    images: &PackedImages,
    watch: &dyn Watch,
) -> Result<(Vec<f64>, f64), Stopped> {
    /// Images held at a time.
    const BLOCK: usize = 2048;
    let all: Vec<usize> = (0..images.len()).collect();
    let of_block = |block: &[usize]| {
        watch.go_on()?;
        let log_backward = model.log_backward(&images.select(block));
        let density = |log_pi: &Array1<f64>| log_backward.map_axis(Axis(1), |log_q| logsumexp((&log_q + log_pi).view()));
        Ok(log_pis.iter().map(|log_pi| density(log_pi)).collect())
    };
    let blocks: Result<Vec<Vec<Array1<f64>>>, Stopped> = all.par_chunks(BLOCK).map(of_block).collect();
    let blocks = blocks?;
    let count = images.len() as f64;
    let densities = |pi: usize| blocks.iter().flat_map(move |block| block[pi].iter());
    let means: Vec<f64> = (0..log_pis.len()).map(|pi| densities(pi).sum::<f64>() / count).collect();
    let error = error_of_mean(densities(0).copied(), means[0]);
    Ok((means, error))
}
