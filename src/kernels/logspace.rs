//! Sums of exponentials along the rows and the columns of a matrix, and exponentials of sums, in one pass and without overflow.

use rayon::prelude::*;

use super::exp::{exp, larger, largest, sum};

/// Rows whose sums are taken in f32 before they are added in f64.
const BLOCK: usize = 128;

/// `ln sum_k e^(a_nk + c_k)` for every row of a `[N, L]`, `[N]`.
pub fn logsumexp(a: &[f32], columns: &[f32]) -> Vec<f32> {
    let latent = columns.len();
    let mut normalizers = vec![0.0; a.len() / latent];
    let grain = super::grain(normalizers.len(), 4 * latent);
    normalizers
        .par_chunks_mut(grain)
        .zip(a.par_chunks(grain * latent))
        .for_each(|(normalizers, a)| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut terms = vec![0.0; latent];
                    for (normalizer, row) in normalizers.iter_mut().zip(a.chunks_exact(latent)) {
                        *normalizer = row_normalizer(row, columns, &mut terms);
                    }
                },
            );
        });
    normalizers
}

#[inline(always)]
pub(super) fn row_normalizer(row: &[f32], columns: &[f32], terms: &mut [f32]) -> f32 {
    for (term, (a, c)) in terms.iter_mut().zip(row.iter().zip(columns)) {
        *term = a + c;
    }
    let largest = largest(terms);
    for term in &mut *terms {
        *term = exp(*term - largest);
    }
    (f64::from(largest) + sum(terms).ln()) as f32
}

/// `ln mean_n e^(a_nk - r_n)` for every column of a `[N, L]`, `[L]`.
///
/// Sums over the rows of a block are in f32, sums over blocks in f64; the count is divided out before the logarithm.
pub fn log_mean_exp(a: &[f32], rows: &[f32]) -> Vec<f32> {
    let latent = a.len() / rows.len();
    let blocks: Vec<(Vec<f32>, Vec<f32>)> = a
        .par_chunks(BLOCK * latent)
        .zip(rows.par_chunks(BLOCK))
        .with_min_len(super::grain(rows.len(), 4 * latent).div_ceil(BLOCK))
        .map(|(a, rows)| {
            super::vectorized(
                #[inline(always)]
                || column_sums(a, rows, latent),
            )
        })
        .collect();
    from_blocks(&blocks, latent, rows.len())
}

/// `ln mean` of every column, `[L]`, from the [`column_sums`] of blocks of `rows` rows in all.
pub(super) fn from_blocks(blocks: &[(Vec<f32>, Vec<f32>)], latent: usize, rows: usize) -> Vec<f32> {
    (0..latent)
        .map(|k| {
            let largest = blocks.iter().map(|(largest, _)| largest[k]).fold(f32::NEG_INFINITY, larger);
            let sum: f64 = blocks
                .iter()
                .map(|(block_largest, sums)| f64::from(sums[k]) * f64::from(block_largest[k] - largest).exp())
                .sum();
            (f64::from(largest) + (sum / rows as f64).ln()) as f32
        })
        .collect()
}

/// The largest term of every column of a block, and the sum of its terms in units of the largest.
#[inline(always)]
pub(super) fn column_sums(a: &[f32], rows: &[f32], latent: usize) -> (Vec<f32>, Vec<f32>) {
    let mut largest = vec![f32::NEG_INFINITY; latent];
    for (a, r) in a.chunks_exact(latent).zip(rows) {
        for (largest, a) in largest.iter_mut().zip(a) {
            *largest = larger(*largest, a - r);
        }
    }
    let mut sums = vec![0.0; latent];
    for (a, r) in a.chunks_exact(latent).zip(rows) {
        for (sum, (a, largest)) in sums.iter_mut().zip(a.iter().zip(&largest)) {
            *sum += exp(a - r - largest);
        }
    }
    (largest, sums)
}

/// `e^(a_nk - r_n + c_k)`, `[N, L]`.
pub fn responsibilities(a: &[f32], rows: &[f32], columns: &[f32]) -> Vec<f32> {
    let latent = columns.len();
    let mut values = vec![0.0; a.len()];
    let grain = super::grain(rows.len(), 2 * latent);
    values
        .par_chunks_mut(grain * latent)
        .zip(a.par_chunks(grain * latent))
        .zip(rows.par_chunks(grain))
        .for_each(|((values, a), rows)| {
            super::vectorized(
                #[inline(always)]
                || {
                    for ((values, a), r) in values.chunks_exact_mut(latent).zip(a.chunks_exact(latent)).zip(rows) {
                        for ((value, a), c) in values.iter_mut().zip(a).zip(columns) {
                            *value = exp(a - r + c);
                        }
                    }
                },
            );
        });
    values
}

/// `ln softmax(a)` of every row of a `[N, L]`.
pub fn log_softmax(a: &[f32], latent: usize) -> Vec<f32> {
    let mut values = a.to_vec();
    let nothing = vec![0.0; latent];
    values
        .par_chunks_mut(super::grain(a.len() / latent, 4 * latent) * latent)
        .for_each(|values| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut terms = vec![0.0; latent];
                    for row in values.chunks_exact_mut(latent) {
                        let normalizer = row_normalizer(row, &nothing, &mut terms);
                        for value in row {
                            *value -= normalizer;
                        }
                    }
                },
            );
        });
    values
}

/// `p_nk ( u_k - sum_j p_nj u_j ) / N`, `[N, L]`, from ln p `[N, L]` and ln u `[L]`; and its sum over n, `[L]`.
pub fn softmax_gradient(log_p: &[f32], log_u: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let latent = log_u.len();
    let unit = latent as f32 / log_p.len() as f32;
    let mut values = vec![0.0; log_p.len()];
    let blocks: Vec<Vec<f32>> = values
        .par_chunks_mut(BLOCK * latent)
        .zip(log_p.par_chunks(BLOCK * latent))
        .with_min_len(super::grain(log_p.len() / latent, 8 * latent).div_ceil(BLOCK))
        .map(|(values, log_p)| {
            super::vectorized(
                #[inline(always)]
                || block_gradient(log_p, log_u, unit, values),
            )
        })
        .collect();
    let total = |k: usize| blocks.iter().map(|sums| f64::from(sums[k])).sum::<f64>() as f32;
    (values, (0..latent).map(total).collect())
}

#[inline(always)]
fn block_gradient(log_p: &[f32], log_u: &[f32], unit: f32, values: &mut [f32]) -> Vec<f32> {
    let latent = log_u.len();
    let mut sums = vec![0.0; latent];
    for (values, log_p) in values.chunks_exact_mut(latent).zip(log_p.chunks_exact(latent)) {
        for (value, (log_p, log_u)) in values.iter_mut().zip(log_p.iter().zip(log_u)) {
            *value = exp(log_p + log_u);
        }
        let common = sum(values) as f32;
        for ((value, log_p), sum) in values.iter_mut().zip(log_p).zip(&mut sums) {
            *value = (*value - exp(*log_p) * common) * unit;
            *sum += *value;
        }
    }
    sums
}
