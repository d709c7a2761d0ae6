//! The latent kernel of a model with few pixels, by enumeration of its images.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Zip};
use rayon::prelude::*;

use super::{EstimateError, Kernel};
use crate::conditionals::{Conditionals, expected_ratio};
use crate::data::packed::PackedImages;
use crate::latent::SteadyState;
use crate::logs::LogSum;
use crate::watch::{Stopped, Watch};

/// The most pixels whose 2^D images are enumerated.
pub const MOST_PIXELS: usize = 20;
/// The most terms `q(x|j) p(k|x)` that are summed unless it is asked for: some ten seconds of products on 2 cores.
pub const MOST_TERMS: usize = 1 << 37;
/// Parts in which the images are summed, whatever the number of threads, so that it changes no digit.
pub const PARTS: usize = 32;

/// From this number of states on, T is a product of matrices, where f64 holds all of it.
const MANY: usize = 65;
/// `ln` of the least transition that a product of matrices is trusted with: far above what f64 loses.
const LEAST: f64 = -600.0;

/// The sums over some of the images: of T `[L, L]`, and of the path's log ratio given each state `[L]`.
type Part<N> = (Array2<N>, Array1<f64>);

/// Sums over all 2^D images, D being at most [`MOST_PIXELS`], in f64 and log space; every probability is right to about 1e-13 of
/// itself. [`PARTS`] parts are announced.
///
/// # Errors
/// When there are more pixels, when the model's numbers overflow, or when it is stopped.
pub fn enumerate(model: &Conditionals, watch: &dyn Watch) -> Result<Kernel, EstimateError> {
    if model.visible() > MOST_PIXELS {
        return Err(EstimateError::TooManyPixels(model.visible()));
    }
    if model.latent() >= MANY {
        let product = |sum: &mut Array2<f64>, log_q: &Array2<f64>, log_p: &Array2<f64>| {
            general_mat_mul(1.0, &log_q.mapv(f64::exp).t(), &log_p.mapv(f64::exp), 1.0, sum);
        };
        let (transition, path) = sum_all(model, 0.0, product, |sum, part| *sum += part, watch)?;
        let log_transition = transition.mapv_into(f64::ln);
        if log_transition.iter().all(|log_t| *log_t > LEAST) {
            let steady = SteadyState::from_logs_watched(log_transition, watch)?;
            return Ok(Kernel { steady, path });
        }
    }
    let in_logs = |sum: &mut Array2<LogSum>, log_q: &Array2<f64>, log_p: &Array2<f64>| {
        for (log_p, log_q) in log_p.rows().into_iter().zip(log_q.rows()) {
            for (mut row, &log_q) in sum.rows_mut().into_iter().zip(log_q) {
                Zip::from(&mut row).and(&log_p).for_each(|sum, log_p| sum.add(log_q + log_p));
            }
        }
    };
    let (transition, path) = sum_all(model, LogSum::EMPTY, in_logs, LogSum::join, watch)?;
    let steady = SteadyState::from_logs_watched(transition.mapv(LogSum::ln), watch)?;
    Ok(Kernel { steady, path })
}

/// The sums over all images: `add` adds some of them, given by `ln q(x|k)` and `ln p(k|x)` `[N, L]`, and `join` joins two parts.
fn sum_all<N: Copy + Send + Sync>(
    model: &Conditionals,
    empty: N,
    add: impl Fn(&mut Array2<N>, &Array2<f64>, &Array2<f64>) + Sync,
    join: impl Fn(&mut N, N),
    watch: &dyn Watch,
) -> Result<Part<N>, Stopped> {
    let latent = model.latent();
    let nothing = || (Array2::from_elem((latent, latent), empty), Array1::zeros(latent));
    let parts: Result<Vec<Part<N>>, Stopped> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            watch.go_on()?;
            let mut sums = nothing();
            images_of(part, model.visible()).for_each(|images| add_images(model, &images, &mut sums, &add));
            watch.part_done();
            Ok(sums)
        })
        .collect();
    let (mut transition, mut path) = nothing();
    for (part_transition, part_path) in parts? {
        transition.zip_mut_with(&part_transition, |sum, &part| join(sum, part));
        path += &part_path;
    }
    Ok((transition, path))
}

/// The images of one of [`PARTS`] parts of all 2^D, some at a time.
pub(super) fn images_of(part: usize, visible: usize) -> impl Iterator<Item = PackedImages> {
    /// Images held at a time.
    const BLOCK: usize = 2048;
    let [first, end] = [part, part + 1].map(|part| part * (1_usize << visible) / PARTS);
    (first..end).step_by(BLOCK).map(move |start| {
        // The number of an image is its only word.
        let words = (start..end.min(start + BLOCK)).map(|code| code as u32).collect();
        PackedImages::from_words(words, visible)
    })
}

/// Adds some images.
fn add_images<N>(
    model: &Conditionals,
    images: &PackedImages,
    (transition, path): &mut Part<N>,
    add: impl Fn(&mut Array2<N>, &Array2<f64>, &Array2<f64>),
) {
    let (log_forward, log_backward) = (model.log_forward(images), model.log_backward(images));
    add(transition, &log_backward, &log_forward);
    for (log_p, log_q) in log_forward.rows().into_iter().zip(log_backward.rows()) {
        let next = expected_ratio(log_p, log_q);
        for state in 0..path.len() {
            path[state] += log_q[state].exp() * (log_q[state] - log_p[state] - next);
        }
    }
}
