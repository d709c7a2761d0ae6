//! Products of a binary matrix: sums of the rows of a table that a row's 1s choose.
//!
//! ```text
//! y_nk = s_k + sum_i x_ni M_ik,      x in {0, 1}
//! ```
//!
//! A dense product multiplies by every pixel; four fifths of a digit are dark, and a lit pixel needs no multiplication. Where M is wide,
//! the rows of lit pixels are added (`rows`). Where it is narrow, finding the lit pixels would take longer than adding: the 16 sums that
//! four pixels can have are tabulated, and four bits at a time look theirs up (`quads`). Both serve both products of a step: `x W` with the
//! images' bits, and `x^T r` with their transpose.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::bits::Bits;
use super::lanes::{LANES, Number};
use super::{quads, rows};

/// `s + x M`, `[R, L]` in rows, for x `[R, C]`, M `[C, L]` and s `[L]` (nothing: zero).
pub fn affine<F: Number>(x: Bits, table: ArrayView2<F>, start: Option<&[F]>) -> Vec<F> {
    match table.ncols().div_ceil(LANES) {
        1 => quads::sums::<F, 1>(x, table, start),
        2 => quads::sums::<F, 2>(x, table, start),
        _ => rows::sums(x, table, start),
    }
}

/// `mean_n r_nk ( x_ni - s_ki )`, `[L, D]` in rows, for x transposed `[D, N]`, r `[N, L]`, rho `[L]` its mean over n and s `[L, D]`.
pub fn residuals(transposed: Bits, r: ArrayView2<f32>, rho: &[f32], means: &[f32]) -> Vec<f32> {
    let (visible, latent) = (transposed.rows(), rho.len());
    let totals = affine(transposed, r, None);
    let unit = 1.0 / transposed.columns as f32;
    let mut residuals = vec![0.0; means.len()];
    let states = super::grain(latent, visible).next_multiple_of(LANES);
    residuals
        .par_chunks_mut(states * visible)
        .zip(means.par_chunks(states * visible))
        .enumerate()
        .for_each(|(chunk, (residuals, means))| {
            let first = chunk * states;
            // Pixels in short runs, so that the totals of one run stay in the cache from state to state.
            for run in (0..visible).step_by(64) {
                let pixels = run..visible.min(run + 64);
                let rows = residuals.chunks_exact_mut(visible).zip(means.chunks_exact(visible));
                for (state, (residuals, means)) in rows.enumerate() {
                    let rho = rho[first + state];
                    for pixel in pixels.clone() {
                        residuals[pixel] = unit * totals[pixel * latent + first + state] - rho * means[pixel];
                    }
                }
            }
        });
    residuals
}
