//! The latent kernel of a model with few pixels, by enumeration of its images.

use ndarray::{Array1, Array2, Zip};
use rayon::prelude::*;

use super::{EstimateError, Kernel};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::latent::SteadyState;
use crate::logs::LogSum;
use crate::watch::{Stopped, Watch};

/// The most pixels whose 2^D images are enumerated.
pub const MOST_PIXELS: usize = 20;
/// Parts in which the images are summed, whatever the number of threads, so that it changes no digit.
pub const PARTS: usize = 32;

/// The sums over some of the images: `ln T` `[L, L]` and the path's log ratio given each state `[L]`.
type Part = (Array2<LogSum>, Array1<f64>);

/// Sums over all 2^D images, D being at most [`MOST_PIXELS`], in f64 and log space; every probability is right to about 1e-13 of
/// itself. [`PARTS`] parts are announced.
///
/// # Errors
/// When there are more pixels, when the model's numbers overflow, or when it is stopped.
pub fn enumerate(model: &Conditionals, watch: &dyn Watch) -> Result<Kernel, EstimateError> {
    if model.visible() > MOST_PIXELS {
        return Err(EstimateError::TooManyPixels(model.visible()));
    }
    let images = 1_usize << model.visible();
    let parts: Result<Vec<Part>, Stopped> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            watch.go_on()?;
            let [first, end] = [part, part + 1].map(|part| part * images / PARTS);
            let part = sum(model, first, end);
            watch.part_done();
            Ok(part)
        })
        .collect();
    let latent = model.latent();
    let mut transition = Array2::from_elem((latent, latent), LogSum::EMPTY);
    let mut path = Array1::zeros(latent);
    for (part_transition, part_path) in parts? {
        transition.zip_mut_with(&part_transition, |sum, &part| sum.join(part));
        path += &part_path;
    }
    let steady = SteadyState::from_logs_watched(transition.mapv(LogSum::ln), watch)?;
    Ok(Kernel { steady, path })
}

fn sum(model: &Conditionals, first: usize, end: usize) -> Part {
    /// Images held at a time.
    const BLOCK: usize = 2048;
    let latent = model.latent();
    let mut transition = Array2::from_elem((latent, latent), LogSum::EMPTY);
    let mut path = Array1::zeros(latent);
    for start in (first..end).step_by(BLOCK) {
        // The number of an image is its only word.
        let words = (start..end.min(start + BLOCK)).map(|code| code as u32).collect();
        let images = PackedImages::from_words(words, model.visible());
        let (log_forward, log_backward) = (model.log_forward(&images), model.log_backward(&images));
        for (log_p, log_q) in log_forward.rows().into_iter().zip(log_backward.rows()) {
            for (mut row, &log_q) in transition.rows_mut().into_iter().zip(log_q) {
                Zip::from(&mut row).and(&log_p).for_each(|sum, log_p| sum.add(log_q + log_p));
            }
            let next = expected_ratio(log_p, log_q);
            for state in 0..latent {
                path[state] += log_q[state].exp() * (log_q[state] - log_p[state] - next);
            }
        }
    }
    (transition, path)
}

/// `sum_k p(k|x) ( ln q(x|k) - ln p(k|x) )`: the part of the path's log ratio that the next state makes, averaged over it.
pub(super) fn expected_ratio(log_p: ndarray::ArrayView1<f64>, log_q: ndarray::ArrayView1<f64>) -> f64 {
    Zip::from(&log_p)
        .and(&log_q)
        .fold(0.0, |sum, log_p, log_q| sum + log_p.exp() * (log_q - log_p))
}
