//! Sums over all states for each row, where states are made of factors, without an array as large as `[N, L]`.

use rayon::prelude::*;

use super::codes::{FAR, Room, States, rows};
use super::exp::{exp, exp_all, exp2, largest, scaled_exp};
use super::folds::{column_sums, multiply, sum};
use super::logspace::{self, from_blocks, row_normalizer};

/// Rows whose states are held at a time: small enough for a core's cache.
const BLOCK: usize = 32;

/// `ln mean_n e^(a_nk - r_n)`, `[L]`, of what the values have, `[N, V]`, and r `[N]`.
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
                        states.combine_sums(values, 0.0, row);
                    }
                    logspace::column_sums(&block, rows, states.count)
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
    const LEAST: f64 = 1e-30;
    let count = log_values.len() / states.values;
    let mut values = log_values.to_vec();
    exp_all(&mut values);
    let blocks: Vec<Vec<f32>> = values
        .par_chunks(BLOCK * states.values)
        .map(|values| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut sums = vec![0.0; states.count];
                    let mut row = vec![0.0; states.count];
                    for values in values.chunks_exact(states.values) {
                        states.combine_products(values, 1.0, &mut row);
                        sums.iter_mut().zip(&row).for_each(|(sum, p)| *sum += p);
                    }
                    sums
                },
            )
        })
        .collect();
    let sums = column_sums(blocks.iter().map(Vec::as_slice), states.count);
    if sums.iter().all(|&sum| sum > LEAST) {
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
        let log_u = log_mean_exp(states, values, &densities)
            .into_iter()
            .zip(log_dark)
            .map(|(log_u, log_dark)| log_u + log_dark);
        return (responsibilities(states, values, &densities, &columns), log_u.collect());
    }
    let scaled_columns = Scaled::of(&columns);
    let blocks: Vec<(Vec<f32>, Vec<f32>)> = values
        .par_chunks(BLOCK * states.values)
        .map(|values| {
            super::vectorized(
                #[inline(always)]
                || shares_of_block(states, values, &scaled_columns),
            )
        })
        .collect();
    let images = (values.len() / states.values) as f64;
    let shares = column_sums(blocks.iter().map(|(_, shares)| shares.as_slice()), states.count);
    // A share that underflows is as good as any that is as small.
    let log_u = (shares.iter().zip(log_pi)).map(|(share, log_pi)| ((share / images).ln() as f32 - log_pi).max(1.0 - FAR));
    let log_u = log_u.collect();
    (blocks.into_iter().flat_map(|(gathered, _)| gathered).collect(), log_u)
}

/// Gathered responsibilities, and `sum_n r_nk`, `[L]`, of a block of images. Terms are kept as f 2^n, and take no exponential but those of the
/// factors' values.
#[inline(always)]
fn shares_of_block(states: &States, values: &[f32], columns: &Scaled) -> (Vec<f32>, Vec<f32>) {
    let mut shares = vec![0.0; states.count];
    let mut row = Scaled::zeros(states.count);
    let mut gathered = vec![0.0; values.len() / states.values * states.width];
    let of_values = Scaled::of(values);
    let of_images = (of_values.factors.chunks_exact(states.values)).zip(of_values.powers.chunks_exact(states.values));
    for ((factors, powers), gathered) in of_images.zip(gathered.chunks_exact_mut(states.width)) {
        states.combine_products(factors, 1.0, &mut row.factors);
        states.combine_sums(powers, 0.0, &mut row.powers);
        for (power, column) in row.powers.iter_mut().zip(&columns.powers) {
            *power += column;
        }
        let largest = largest(&row.powers);
        let r = &mut row.factors;
        for ((r, power), column) in r.iter_mut().zip(&row.powers).zip(&columns.factors) {
            *r *= column * exp2(power - largest);
        }
        let scale = 1.0 / sum(r);
        for (share, r) in shares.iter_mut().zip(&*r) {
            *share += r * scale;
        }
        states.gather(r, gathered);
        for sum in gathered {
            *sum *= scale;
        }
    }
    (gathered, shares)
}

/// Positive numbers f 2^n.
struct Scaled {
    /// f.
    factors: Vec<f32>,
    /// n.
    powers: Vec<f32>,
}

impl Scaled {
    fn zeros(count: usize) -> Self {
        Self {
            factors: vec![0.0; count],
            powers: vec![0.0; count],
        }
    }

    /// From their logarithms.
    #[inline(always)]
    fn of(logs: &[f32]) -> Self {
        let mut scaled = Self::zeros(logs.len());
        for ((factor, power), &log) in scaled.factors.iter_mut().zip(&mut scaled.powers).zip(logs) {
            (*factor, *power) = scaled_exp(log);
        }
        scaled
    }
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
            states.combine_sums(values, 0.0, &mut room.states);
            normalizer[0] = row_normalizer(&room.states, columns, &mut room.others);
        },
    )
}

/// `sum_k e^(a_nk - r_n + c_k) C_kh`, `[N, H]`, of what the values have, `[N, V]`, r `[N]` and c `[L]`.
fn responsibilities(states: &States, values: &[f32], rows: &[f32], columns: &[f32]) -> Vec<f32> {
    let shifted: Vec<f32> = values
        .chunks_exact(states.values)
        .zip(rows)
        .flat_map(|(values, row)| values.iter().copied().chain([-row]))
        .collect();
    super::codes::rows(
        states,
        &shifted,
        states.values + 1,
        states.width,
        #[inline(always)]
        |values, gathered, room| {
            states.combine_sums(&values[..states.values], values[states.values], &mut room.states);
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
    let near = log_u.iter().all(|log_u| log_u.abs() < FAR);
    let (mut values, mut u) = (log_values.to_vec(), log_u.to_vec());
    if near {
        exp_all(&mut values);
        exp_all(&mut u);
    }
    let unit = states.values as f32 / log_values.len() as f32;
    rows(
        states,
        &values,
        states.values,
        states.width,
        #[inline(always)]
        |values, gathered, room| {
            let Room { states: p, others: credit } = room;
            if near {
                states.combine_products(values, 1.0, p);
                credit.copy_from_slice(&u);
                let common = multiply(credit, p);
                for (p, credit) in p.iter_mut().zip(&*credit) {
                    *p = credit - *p * common;
                }
            } else {
                states.combine_sums(values, 0.0, p);
                for ((credit, log_p), log_u) in credit.iter_mut().zip(&*p).zip(&u) {
                    *credit = exp(log_p + log_u);
                }
                let common = sum(credit);
                for (p, credit) in p.iter_mut().zip(&*credit) {
                    *p = credit - exp(*p) * common;
                }
            }
            states.gather(p, gathered);
            for sum in gathered {
                *sum *= unit;
            }
        },
    )
}
