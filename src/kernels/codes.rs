//! States that are made of factors: sums over all states for each row, without an array as large as `[N, L]`.
//!
//! What a state has is the sum (or the product) of what the values of its factors have. It is built up factor by factor, from the last,
//! which runs fastest: each further factor of S values makes S copies of what is there. The way back folds an array of all states into the
//! sums over the states of each value. Both take about 2 L operations.

use rayon::prelude::*;

use super::exp::{exp, largest, sum};
use super::logspace::{column_sums, from_blocks, row_normalizer};
use crate::codes::{Codes, Factor};
use crate::random::{Draws, unit};

/// Rows whose states are held at a time: small enough for a core's cache.
const BLOCK: usize = 32;
/// Logits up to which odds, and the sums and products of some, are far from the ends of f32.
pub(super) const FAR: f32 = 80.0;

/// The factors of the states of a layer.
#[derive(Clone, Debug)]
pub struct States {
    factors: Vec<OfFactor>,
    /// L.
    pub count: usize,
    /// H.
    pub width: usize,
    /// V.
    pub values: usize,
}

/// A factor of S values.
#[derive(Clone, Debug)]
struct OfFactor {
    size: usize,
    /// The codes of its values, `[S]`, if they are numbers; otherwise each value has a component of its own.
    codes: Option<Vec<f32>>,
    /// g of its values, `[S]`.
    log_weights: Vec<f32>,
    /// `[S]`.
    zeros: Vec<f32>,
}

impl States {
    /// The states of a layer with these codes.
    pub fn new(codes: &Codes) -> Self {
        let of_factor = |factor: Factor| {
            let numbers = |number: &dyn Fn(usize) -> f64| (0..factor.values()).map(|value| number(value) as f32).collect();
            OfFactor {
                size: factor.values(),
                codes: (factor.width() == 1 && !matches!(factor, Factor::OneHot(_))).then(|| numbers(&|value| factor.code(value, 0))),
                log_weights: numbers(&|value| factor.log_weight(value)),
                zeros: vec![0.0; factor.values()],
            }
        };
        Self {
            factors: codes.factors().map(|(factor, ..)| of_factor(factor)).collect(),
            count: codes.states(),
            width: codes.width(),
            values: codes.values(),
        }
    }

    /// S of each factor.
    #[inline(always)]
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.factors.iter().map(|factor| factor.size)
    }

    /// Calls `with` with every h and `c_kh` that is not 0, of a state k.
    #[inline(always)]
    pub(super) fn for_code(&self, mut state: usize, mut with: impl FnMut(usize, f32)) {
        let mut end = self.width;
        for factor in self.factors.iter().rev() {
            let value = state % factor.size;
            state /= factor.size;
            match &factor.codes {
                Some(codes) => {
                    end -= 1;
                    if codes[value] != 0.0 {
                        with(end, codes[value]);
                    }
                }
                None => {
                    end -= factor.size;
                    with(end + value, 1.0);
                }
            }
        }
    }

    /// `c_s . l` of the values of all factors, `[V]`, of logits l that are `stride` apart.
    #[inline(always)]
    pub(super) fn of_values(&self, logits: &[f32], stride: usize, values: &mut [f32]) {
        let (mut from, mut to) = (0, 0);
        for factor in &self.factors {
            let values = &mut values[to..to + factor.size];
            match &factor.codes {
                Some(codes) => {
                    let logit = logits[from * stride];
                    values.iter_mut().zip(codes).for_each(|(value, code)| *value = code * logit);
                    from += 1;
                }
                None => {
                    for value in values {
                        *value = logits[from * stride];
                        from += 1;
                    }
                }
            }
            to += factor.size;
        }
    }

    /// `c_s . l + g_s` of the values of all factors, `[V]`, of logits l `[H]`.
    #[inline(always)]
    fn logits_of_values(&self, logits: &[f32], values: &mut [f32]) {
        self.of_values(logits, 1, values);
        let log_weights = self.factors.iter().flat_map(|factor| &factor.log_weights);
        values.iter_mut().zip(log_weights).for_each(|(value, g)| *value += g);
    }

    /// What all states have, `[L]`: `join` of what their factors' values have, `[V]`, from `start` on.
    #[inline(always)]
    pub(super) fn combine(&self, values: &[f32], start: f32, join: impl Fn(f32, f32) -> f32, states: &mut [f32]) {
        states[0] = start;
        let (mut filled, mut end) = (1, self.values);
        for factor in self.factors.iter().rev() {
            let values = &values[end - factor.size..end];
            end -= factor.size;
            let (first, rest) = states.split_at_mut(filled);
            for (copy, &value) in rest.chunks_exact_mut(filled).zip(&values[1..]) {
                for (state, &before) in copy.iter_mut().zip(&*first) {
                    *state = join(before, value);
                }
            }
            for state in first {
                *state = join(*state, values[0]);
            }
            filled *= factor.size;
        }
    }

    /// `sum_k w_k c_k`, `[H]`, of weights w `[L]`, which are used up; returns their sum.
    #[inline(always)]
    pub(super) fn gather(&self, weights: &mut [f32], sums: &mut [f32]) -> f32 {
        let (mut count, mut to, mut total) = (self.count, 0, 0.0);
        for (number, factor) in self.factors.iter().enumerate() {
            let rest = count / factor.size;
            let of_value = |value: usize| sum(&weights[value * rest..(value + 1) * rest]);
            match &factor.codes {
                Some(codes) => {
                    let mut weighted = 0.0;
                    for (value, &code) in codes.iter().enumerate() {
                        // The first factor's values also give the sum over all states.
                        if code != 0.0 || number == 0 {
                            let of_value = of_value(value);
                            weighted += f64::from(code) * of_value;
                            total += if number == 0 { of_value } else { 0.0 };
                        }
                    }
                    sums[to] = weighted as f32;
                    to += 1;
                }
                None => {
                    for value in 0..factor.size {
                        let of_value = of_value(value);
                        sums[to] = of_value as f32;
                        total += if number == 0 { of_value } else { 0.0 };
                        to += 1;
                    }
                }
            }
            let (first, others) = weights.split_at_mut(rest);
            for other in others[..(factor.size - 1) * rest].chunks_exact(rest) {
                first.iter_mut().zip(other).for_each(|(sum, weight)| *sum += weight);
            }
            count = rest;
        }
        total as f32
    }
}

/// `ln softmax_s( c_s . l_n + g_s )` of the values of each factor, `[N, V]`, of logits l `[N, H]`.
pub fn log_softmax(states: &States, logits: &[f32]) -> Vec<f32> {
    rows(
        states,
        logits,
        states.width,
        states.values,
        #[inline(always)]
        |logits, values, room| {
            states.logits_of_values(logits, values);
            let mut first = 0;
            for factor in &states.factors {
                let own = &mut values[first..first + factor.size];
                let others = &mut room.values[first..first + factor.size];
                let normalizer = row_normalizer(own, &factor.zeros, others);
                own.iter_mut().for_each(|value| *value -= normalizer);
                first += factor.size;
            }
        },
    )
}

/// Draws a state for every row of logits `[N, H]`, factor by factor: factor f of row n by the first draw of block n of part f, as
/// [`super::latent::draw_latent`] does.
pub fn draw(states: &States, logits: &[f32], draws: Draws) -> Vec<i32> {
    let count = logits.len() / states.width;
    let grain = super::grain(count, 16 * states.values);
    let mut drawn = vec![0; count];
    drawn
        .par_chunks_mut(grain)
        .zip(logits.par_chunks(grain * states.width))
        .enumerate()
        .for_each(|(chunk, (drawn, logits))| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut values = vec![0.0; states.values];
                    let mut cumulative = vec![0.0; states.values];
                    for (row, (state, logits)) in drawn.iter_mut().zip(logits.chunks_exact(states.width)).enumerate() {
                        states.logits_of_values(logits, &mut values);
                        let mut first = 0;
                        for (part, factor) in states.factors.iter().enumerate() {
                            let own = &values[first..first + factor.size];
                            let uniform = unit(draws.part(part as u64).block((chunk * grain + row) as u64)[0]);
                            let value = super::latent::invert(own, uniform, &mut cumulative[..factor.size]);
                            *state = *state * factor.size as i32 + value;
                            first += factor.size;
                        }
                    }
                },
            );
        });
    drawn
}

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
    self::rows(
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

/// Room for a task.
struct Room {
    /// `[L]`.
    states: Vec<f32>,
    /// `[L]`.
    others: Vec<f32>,
    /// `[V]`.
    values: Vec<f32>,
}

/// A result of `out` numbers for every row of `input` numbers.
fn rows(states: &States, numbers: &[f32], input: usize, out: usize, of_row: impl Fn(&[f32], &mut [f32], &mut Room) + Sync) -> Vec<f32> {
    let count = numbers.len() / input;
    let mut results = vec![0.0; count * out];
    let grain = super::grain(count, 4 * states.count);
    results
        .par_chunks_mut(grain * out)
        .zip(numbers.par_chunks(grain * input))
        .for_each(|(results, numbers)| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut room = Room {
                        states: vec![0.0; states.count],
                        others: vec![0.0; states.count],
                        values: vec![0.0; states.values],
                    };
                    for (result, numbers) in results.chunks_exact_mut(out).zip(numbers.chunks_exact(input)) {
                        of_row(numbers, result, &mut room);
                    }
                },
            );
        });
    results
}

#[inline(always)]
pub(super) fn sum_of(a: f32, b: f32) -> f32 {
    a + b
}

#[inline(always)]
pub(super) fn product_of(a: f32, b: f32) -> f32 {
    a * b
}
