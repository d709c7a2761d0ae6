//! Sums over all states for each row, where states are made of factors, without an array as large as `[N, L]`.

use rayon::prelude::*;

use super::codes::{FAR, States, product_of, rows, sum_of};
use super::exp::{exp, largest, sum};
use super::logspace::{column_sums, from_blocks, row_normalizer};

/// Rows whose states are held at a time: small enough for a core's cache.
const BLOCK: usize = 32;

/// `ln mean_n e^(a_nk + r_n)`, `[L]`, of what the values have, `[N, V]`, and r `[N]`.
fn log_mean_exp(states: &States, values: &[f32], rows: &[f32]) -> Vec<f32> {
    let blocks: Vec<(Vec<f32>, Vec<f32>)> = values
        .par_chunks(BLOCK * states.values)
        .zip(rows.par_chunks(BLOCK))
        .map(|(values, rows)| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut block = vec![0.0; rows.len() * states.count];
                    for (values, row) in values.chunks_exact(states.values).zip(block.chunks_exact_mut(states.count)) {
                        states.combine(values, 0.0, sum_of, row);
                    }
                    column_sums(&block, rows, states.count)
                },
            )
        })
        .collect();
    from_blocks(&blocks, states.count, rows.len())
}

/// `ln mean_n p_nk`, `[L]`, of probabilities that are products of those of the factors' values, ln `[N, V]`.
///
/// The products are taken as such. Where no row gives a state as much as f32 can hold, logarithms are.
pub fn log_mean(states: &States, log_values: &[f32]) -> Vec<f32> {
    /// Far above what is lost where a product underflows.
    const LEAST: f32 = 1e-30;
    let count = log_values.len() / states.values;
    let blocks: Vec<Vec<f32>> = log_values
        .par_chunks(BLOCK * states.values)
        .map(|log_values| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut sums = vec![0.0; states.count];
                    let (mut values, mut row) = (vec![0.0; states.values], vec![0.0; states.count]);
                    for log_values in log_values.chunks_exact(states.values) {
                        values.iter_mut().zip(log_values).for_each(|(value, &log)| *value = exp(log));
                        states.combine(&values, 1.0, product_of, &mut row);
                        sums.iter_mut().zip(&row).for_each(|(sum, p)| *sum += p);
                    }
                    sums
                },
            )
        })
        .collect();
    let mut sums = vec![0.0; states.count];
    for block in &blocks {
        sums.iter_mut().zip(block).for_each(|(sum, block)| *sum += f64::from(*block));
    }
    if sums.iter().all(|&sum| sum > f64::from(LEAST)) {
        return sums.into_iter().map(|sum| (sum / count as f64).ln() as f32).collect();
    }
    log_mean_exp(states, log_values, &vec![0.0; count])
}

/// How the states share images: `sum_k r_nk C_kh`, `[N, H]`, with the responsibilities `r_nk = e^(a_nk + ln q(0|k) + ln pi_k) / P_n`, and
/// `ln u_k = ln mean_n r_nk / pi_k`, `[L]`; of what the values have, `[N, V]`, and `ln q(0|k)` and `ln pi_k`, `[L]`.
///
/// Where some pi is near the end of f32 its u is the mean of `q / P`, as its share of the images may underflow.
pub fn shares(states: &States, values: &[f32], log_dark: &[f32], log_pi: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let columns: Vec<f32> = log_dark.iter().zip(log_pi).map(|(log_dark, log_pi)| log_dark + log_pi).collect();
    if log_pi.iter().any(|&log_pi| log_pi < -FAR) {
        let densities = logsumexp(states, values, &columns);
        let minus: Vec<f32> = densities.iter().map(|density| -density).collect();
        let log_u = log_mean_exp(states, values, &minus)
            .into_iter()
            .zip(log_dark)
            .map(|(log_u, log_dark)| log_u + log_dark);
        return (responsibilities(states, values, &minus, &columns), log_u.collect());
    }
    let blocks: Vec<(Vec<f32>, Vec<f32>)> = values
        .par_chunks(BLOCK * states.values)
        .map(|values| {
            super::vectorized(
                #[inline(always)]
                || shares_of_block(states, values, &columns),
            )
        })
        .collect();
    let images = (values.len() / states.values) as f64;
    let share = |k: usize| blocks.iter().map(|(_, shares)| f64::from(shares[k])).sum::<f64>() / images;
    // A share that underflows is as good as any that is as small.
    let log_u = log_pi
        .iter()
        .enumerate()
        .map(|(k, log_pi)| (share(k).ln() as f32 - log_pi).max(1.0 - FAR));
    let log_u = log_u.collect();
    (blocks.into_iter().flat_map(|(gathered, _)| gathered).collect(), log_u)
}

/// Gathered responsibilities, and `sum_n r_nk`, `[L]`, of a block of images.
#[inline(always)]
fn shares_of_block(states: &States, values: &[f32], columns: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut shares = vec![0.0; states.count];
    let mut row = vec![0.0; states.count];
    let mut gathered = vec![0.0; values.len() / states.values * states.width];
    for (values, gathered) in values.chunks_exact(states.values).zip(gathered.chunks_exact_mut(states.width)) {
        states.combine(values, 0.0, sum_of, &mut row);
        row.iter_mut().zip(columns).for_each(|(a, c)| *a += c);
        let largest = largest(&row);
        row.iter_mut().for_each(|a| *a = exp(*a - largest));
        let scale = (1.0 / sum(&row)) as f32;
        for (r, share) in row.iter_mut().zip(&mut shares) {
            *r *= scale;
            *share += *r;
        }
        states.gather(&mut row, gathered);
    }
    (gathered, shares)
}

/// `ln sum_k e^(a_nk + c_k)`, `[N]`, of what the values have, `[N, V]`, and c `[L]`.
fn logsumexp(states: &States, values: &[f32], columns: &[f32]) -> Vec<f32> {
    rows(
        states,
        values,
        states.values,
        1,
        #[inline(always)]
        |values, normalizer, room| {
            states.combine(values, 0.0, sum_of, &mut room.states);
            normalizer[0] = row_normalizer(&room.states, columns, &mut room.others);
        },
    )
}

/// `sum_k e^(a_nk + r_n + c_k) C_kh`, `[N, H]`, of what the values have, `[N, V]`, r `[N]` and c `[L]`.
fn responsibilities(states: &States, values: &[f32], rows: &[f32], columns: &[f32]) -> Vec<f32> {
    let shifted: Vec<f32> = values
        .chunks_exact(states.values)
        .zip(rows)
        .flat_map(|(values, row)| values.iter().chain([row]).copied())
        .collect();
    super::codes::rows(
        states,
        &shifted,
        states.values + 1,
        states.width,
        #[inline(always)]
        |values, gathered, room| {
            states.combine(&values[..states.values], values[states.values], sum_of, &mut room.states);
            for (a, c) in room.states.iter_mut().zip(columns) {
                *a = exp(*a + c);
            }
            states.gather(&mut room.states, gathered);
        },
    )
}

/// `sum_k p_nk ( u_k - sum_j p_nj u_j ) C_kh / N`, `[N, H]`, of probabilities that are products of those of the factors' values, ln `[N, V]`,
/// and ln u `[L]`.
///
/// Where no u is near an end of f32, its products with p are taken as such: a p that underflows has no weight then.
pub fn softmax_gradient(states: &States, log_values: &[f32], log_u: &[f32]) -> Vec<f32> {
    let unit = states.values as f32 / log_values.len() as f32;
    let u: Option<Vec<f32>> = log_u
        .iter()
        .all(|log_u| log_u.abs() < FAR)
        .then(|| log_u.iter().map(|&log_u| exp(log_u)).collect());
    rows(
        states,
        log_values,
        states.values,
        states.width,
        #[inline(always)]
        |log_values, gathered, room| {
            let (p, credit) = (&mut room.states, &mut room.others);
            match &u {
                Some(u) => {
                    for (value, &log) in room.values.iter_mut().zip(log_values) {
                        *value = exp(log);
                    }
                    states.combine(&room.values, 1.0, product_of, p);
                    for ((credit, p), u) in credit.iter_mut().zip(&*p).zip(u) {
                        *credit = p * u;
                    }
                }
                None => {
                    states.combine(log_values, 0.0, sum_of, p);
                    for ((credit, log_p), log_u) in credit.iter_mut().zip(&*p).zip(log_u) {
                        *credit = exp(log_p + log_u);
                    }
                    for log_p in &mut *p {
                        *log_p = exp(*log_p);
                    }
                }
            }
            let common = sum(credit) as f32;
            for (p, credit) in p.iter_mut().zip(&*credit) {
                *p = (credit - *p * common) * unit;
            }
            states.gather(p, gathered);
        },
    )
}
