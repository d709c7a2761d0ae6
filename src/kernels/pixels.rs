//! The Bernoulli pixels of every latent state: their means and the probability of the dark image.

use rayon::prelude::*;

use super::bits::{Bits, WORD};
use super::exp::{sigmoid, sum};

/// `s(A_ki)`, `[L, D]`, and `ln q(0|k) = -sum_i ln(1 + e^A_ki)`, `[L]`, of logits A `[L, D]`; nats.
pub fn bernoulli(logits: &[f32], visible: usize) -> (Vec<f32>, Vec<f32>) {
    let mut means = vec![0.0; logits.len()];
    let mut log_dark = vec![0.0; logits.len() / visible];
    means
        .par_chunks_mut(visible)
        .zip(logits.par_chunks(visible))
        .zip(&mut log_dark)
        .with_min_len(super::grain(logits.len() / visible, 4 * visible))
        .for_each(|((means, logits), log_dark)| {
            *log_dark = super::vectorized(
                #[inline(always)]
                || state(logits, means),
            );
        });
    (means, log_dark)
}

/// `ln q(x_n|a_n) = sum_i ( x_ni a_ni - ln(1 + e^a_ni) )`, `[N]`, and `x_ni - s(a_ni)`, `[N, D]`, of images and logits a `[M, D]`; nats. N is the larger number
/// of both; each of the others belongs to as many consecutive rows.
pub fn log_bernoulli(images: Bits, logits: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let visible = images.columns;
    let (of_images, of_logits) = (images.rows(), logits.len() / visible);
    let rows = of_images.max(of_logits);
    let mut residuals = vec![0.0; rows * visible];
    let mut log_q = vec![0.0; rows];
    residuals
        .par_chunks_mut(visible)
        .zip(&mut log_q)
        .enumerate()
        .with_min_len(super::grain(rows, 4 * visible))
        .for_each(|(row, (residuals, log_q))| {
            let image = images.row(row / (rows / of_images));
            let first = row / (rows / of_logits) * visible;
            let logits = &logits[first..first + visible];
            *log_q = super::vectorized(
                #[inline(always)]
                || {
                    let log_dark = state(logits, residuals);
                    f64::from(log_dark) + of_lit(image, logits, residuals)
                },
            ) as f32;
        });
    (log_q, residuals)
}

/// `sum_i x_i a_i`; and the means become `x_i - s(a_i)`.
#[inline(always)]
fn of_lit(words: &[u32], logits: &[f32], means: &mut [f32]) -> f64 {
    let mut total = 0.0;
    for (&word, (logits, means)) in words.iter().zip(logits.chunks(WORD).zip(means.chunks_mut(WORD))) {
        let mut lit = [0.0; WORD];
        for (bit, (lit, (a, mean))) in lit.iter_mut().zip(logits.iter().zip(means)).enumerate() {
            let x = (word >> bit & 1) as f32;
            *lit = x * a;
            *mean = x - *mean;
        }
        total += sum(&lit);
    }
    total
}

/// One state. `ln(1 + e^a) = max(a, 0) + ln(1 + e^-|a|)`, and logarithms are taken of products of a few factors, each at most 2.
#[inline(always)]
fn state(logits: &[f32], means: &mut [f32]) -> f32 {
    const LANES: usize = 8;
    /// Factors in a product: 2^32 is far from overflow.
    const FACTORS: usize = 32;
    let mut positive = vec![0.0; logits.len()];
    let mut factors = vec![1.0; logits.len().next_multiple_of(LANES)];
    for ((&a, mean), (positive, factor)) in logits.iter().zip(means).zip(positive.iter_mut().zip(&mut factors)) {
        let (probability, e) = sigmoid(a);
        *mean = probability;
        *positive = if a > 0.0 { a } else { 0.0 };
        *factor = 1.0 + e;
    }
    let mut log_sum = 0.0;
    for (positive, factors) in positive.chunks(LANES * FACTORS).zip(factors.chunks(LANES * FACTORS)) {
        let mut products = [1.0; LANES];
        for factors in factors.chunks_exact(LANES) {
            for (product, factor) in products.iter_mut().zip(factors) {
                *product *= factor;
            }
        }
        log_sum += sum(positive) + products.iter().map(|&product| f64::from(product).ln()).sum::<f64>();
    }
    -log_sum as f32
}
