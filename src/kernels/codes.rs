//! States that are made of factors: what each has, from what the values of its factors have, and back; their draws.
//!
//! What a state has is the sum (or the product) of what the values of its factors have. Runs of states that differ in the last factors alone are the
//! same but for what the first ones add: some `sqrt(L)` numbers are made for either, and then L of them. The way back folds an array of all states into
//! the sums over the states of each value, in about 2 L operations.

use rayon::prelude::*;

use super::exp::{exp, larger};
use super::folds::{fold, fold_all, sum};
use crate::codes::{Codes, Factor, MOST_STATES};
use crate::random::{Draws, unit};

/// Logits up to which odds, and the sums and products of some, are far from the ends of f32.
pub(super) const FAR: f32 = 80.0;
/// Runs of states that are no fewer than the states in a run.
const MOST_RUNS: usize = MOST_STATES.isqrt();

/// The factors of the states of a layer.
#[derive(Clone, Debug)]
pub struct States {
    factors: Vec<OfFactor>,
    /// Factors before those that a run of states differs in.
    first_factors: usize,
    /// States in a run.
    run: usize,
    /// L.
    pub count: usize,
    /// H.
    pub width: usize,
    /// V.
    pub values: usize,
    /// For each value the component h that its code has, and this code, `[V]`.
    pub(super) terms: Vec<(usize, f32)>,
    /// g of each value, `[V]`.
    log_weights: Vec<f32>,
}

/// A factor of S values.
#[derive(Clone, Debug)]
struct OfFactor {
    size: usize,
    /// The codes of its values, `[S]`, if they are numbers; otherwise each value has a component of its own.
    codes: Option<Vec<f32>>,
}

impl States {
    /// The states of a layer with these codes.
    pub fn new(codes: &Codes) -> Self {
        let of_factor = |factor: Factor| OfFactor {
            size: factor.values(),
            codes: (factor.width() == 1 && !matches!(factor, Factor::OneHot(_)))
                .then(|| (0..factor.values()).map(|value| factor.code(value, 0) as f32).collect()),
        };
        let factors: Vec<OfFactor> = codes.factors().map(|(factor, ..)| of_factor(factor)).collect();
        let (mut first_factors, mut run) = (factors.len(), 1);
        while run * run < codes.states() {
            first_factors -= 1;
            run *= factors[first_factors].size;
        }
        let (mut terms, mut log_weights) = (Vec::new(), Vec::new());
        for (factor, logits, _) in codes.factors() {
            for value in 0..factor.values() {
                let h = if logits.len() == 1 { 0 } else { value };
                terms.push((logits.start + h, factor.code(value, h) as f32));
                log_weights.push(factor.log_weight(value) as f32);
            }
        }
        Self {
            factors,
            first_factors,
            run,
            count: codes.states(),
            width: codes.width(),
            values: codes.values(),
            terms,
            log_weights,
        }
    }

    /// S of each factor.
    #[inline(always)]
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.factors.iter().map(|factor| factor.size)
    }

    /// Calls `with` with the values of a state's factors, as numbers in `[0, V)`, but for those whose code is 0.
    #[inline(always)]
    pub(super) fn for_values(&self, mut state: usize, mut with: impl FnMut(usize)) {
        let mut end = self.values;
        for size in self.factors.iter().rev().map(|factor| factor.size) {
            end -= size;
            let value = end + state % size;
            state /= size;
            if self.terms[value].1 != 0.0 {
                with(value);
            }
        }
    }

    /// `c_s . l_n + g_s` less the largest among the values of its factor, `[N, V]`, and e to it, `weights`; of logits `[N, H]`.
    #[inline(always)]
    fn relative(&self, logits: &[f32], values: &mut [f32], weights: &mut [f32]) {
        for (logits, values) in logits.chunks_exact(self.width).zip(values.chunks_exact_mut(self.values)) {
            for ((value, &(h, code)), g) in values.iter_mut().zip(&self.terms).zip(&self.log_weights) {
                *value = code * logits[h] + g;
            }
            let mut first = 0;
            for size in self.sizes() {
                let own = &mut values[first..first + size];
                let mut largest = f32::NEG_INFINITY;
                for &value in &*own {
                    largest = larger(largest, value);
                }
                for value in own {
                    *value -= largest;
                }
                first += size;
            }
        }
        for (weight, &value) in weights.iter_mut().zip(&*values) {
            *weight = exp(value);
        }
    }

    /// The sums of what the factors' values of each state have, `[L]`, of `[V]`, and `start`.
    #[inline(always)]
    pub(super) fn combine_sums(&self, values: &[f32], start: f32, states: &mut [f32]) {
        self.combine(
            values,
            start,
            #[inline(always)]
            |a, b| a + b,
            0.0,
            states,
        );
    }

    /// Their products.
    #[inline(always)]
    pub(super) fn combine_products(&self, values: &[f32], start: f32, states: &mut [f32]) {
        self.combine(
            values,
            start,
            #[inline(always)]
            |a, b| a * b,
            1.0,
            states,
        );
    }

    /// `join` of what the values have, from `start` on; to join `nothing` changes nothing.
    #[inline(always)]
    fn combine(&self, values: &[f32], start: f32, join: impl Fn(f32, f32) -> f32, nothing: f32, states: &mut [f32]) {
        let (first_factors, last_factors) = self.factors.split_at(self.first_factors);
        let of_last = values.len() - last_factors.iter().map(|factor| factor.size).sum::<usize>();
        let (of_first, of_last) = values.split_at(of_last);
        combine_factors(last_factors, of_last, start, &join, nothing, &mut states[..self.run]);
        if first_factors.is_empty() {
            return;
        }
        let mut of_runs = [0.0; MOST_RUNS];
        let of_runs = &mut of_runs[..self.count / self.run];
        combine_factors(first_factors, of_first, nothing, &join, nothing, of_runs);
        // By columns of eight, as runs are short; the first run is the one that stands there.
        let eights = self.run / 8 * 8;
        for first in (0..eights).step_by(8) {
            let mut before = [0.0; 8];
            before.copy_from_slice(&states[first..first + 8]);
            for (run, &of_run) in states.chunks_exact_mut(self.run).zip(&*of_runs) {
                for (state, &before) in run[first..first + 8].iter_mut().zip(&before) {
                    *state = join(before, of_run);
                }
            }
        }
        for single in eights..self.run {
            let before = states[single];
            for (run, &of_run) in states.chunks_exact_mut(self.run).zip(&*of_runs) {
                run[single] = join(before, of_run);
            }
        }
    }

    /// `sum_k w_k c_k`, `[H]`, of weights w `[L]`, which are used up; returns their sum.
    #[inline(always)]
    pub(super) fn gather(&self, weights: &mut [f32], sums: &mut [f32]) -> f32 {
        let (mut count, mut to) = (self.count, 0);
        for factor in &self.factors {
            let (weights, rest) = (&mut weights[..count], count / factor.size);
            match &factor.codes {
                Some(codes) => {
                    sums[to] = match codes[..] {
                        [0.0, 1.0] => {
                            let (first, second) = weights.split_at_mut(rest);
                            fold(first, second)
                        }
                        _ => fold_all(weights, codes),
                    };
                    to += 1;
                }
                None => {
                    let (first, others) = weights.split_at_mut(rest);
                    sums[to] = sum(first);
                    for (sum, other) in sums[to + 1..].iter_mut().zip(others.chunks_exact(rest)) {
                        *sum = fold(first, other);
                    }
                    to += factor.size;
                }
            }
            count = rest;
        }
        weights[0]
    }
}

/// What all states of a few factors have: each further factor of S values makes S copies of what is there.
#[inline(always)]
fn combine_factors(factors: &[OfFactor], values: &[f32], start: f32, join: impl Fn(f32, f32) -> f32, nothing: f32, states: &mut [f32]) {
    let (mut filled, mut end) = (0, values.len());
    for size in factors.iter().rev().map(|factor| factor.size) {
        let values = &values[end - size..end];
        end -= size;
        if filled == 0 {
            for (state, &value) in states.iter_mut().zip(values) {
                *state = join(start, value);
            }
            filled = size;
            continue;
        }
        let (first, rest) = states.split_at_mut(filled);
        for (copy, &value) in rest.chunks_exact_mut(filled).zip(&values[1..]) {
            for (state, &before) in copy.iter_mut().zip(&*first) {
                *state = join(before, value);
            }
        }
        if values[0] != nothing {
            for state in first {
                *state = join(*state, values[0]);
            }
        }
        filled *= size;
    }
}

/// `ln softmax_s( c_s . l_n + g_s )` of the values of each factor, `[N, V]`, of logits l `[N, H]`.
pub fn log_softmax(states: &States, logits: &[f32]) -> Vec<f32> {
    let mut values = vec![0.0; logits.len() / states.width * states.values];
    let grain = super::grain(logits.len() / states.width, 16 * states.values);
    values
        .par_chunks_mut(grain * states.values)
        .zip(logits.par_chunks(grain * states.width))
        .for_each(|(values, logits)| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut weights = vec![0.0; values.len()];
                    states.relative(logits, values, &mut weights);
                    let rows = values.chunks_exact_mut(states.values);
                    for (values, weights) in rows.zip(weights.chunks_exact(states.values)) {
                        let mut first = 0;
                        for size in states.sizes() {
                            let normalizer = sum(&weights[first..first + size]).ln();
                            for value in &mut values[first..first + size] {
                                *value -= normalizer;
                            }
                            first += size;
                        }
                    }
                },
            );
        });
    values
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
                    let [mut values, mut weights] = [(); 2].map(|()| vec![0.0; drawn.len() * states.values]);
                    states.relative(logits, &mut values, &mut weights);
                    for (row, (state, weights)) in drawn.iter_mut().zip(weights.chunks_exact_mut(states.values)).enumerate() {
                        let mut first = 0;
                        for (part, size) in states.sizes().enumerate() {
                            let uniform = unit(draws.part(part as u64).block((chunk * grain + row) as u64)[0]);
                            let value = match &mut weights[first..first + size] {
                                // As below, for most.
                                [off, on] => i32::from(*off <= uniform * (*off + *on)),
                                weights => super::latent::invert(weights, uniform),
                            };
                            *state = *state * size as i32 + value;
                            first += size;
                        }
                    }
                },
            );
        });
    drawn
}

/// Room for a task.
pub(super) struct Room {
    /// `[L]`.
    pub states: Vec<f32>,
    /// `[L]`.
    pub others: Vec<f32>,
}

/// A result of `out` numbers for every row of `input` numbers.
pub(super) fn rows(
    states: &States,
    numbers: &[f32],
    input: usize,
    out: usize,
    of_row: impl Fn(&[f32], &mut [f32], &mut Room) + Sync,
) -> Vec<f32> {
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
                    };
                    for (result, numbers) in results.chunks_exact_mut(out).zip(numbers.chunks_exact(input)) {
                        of_row(numbers, result, &mut room);
                    }
                },
            );
        });
    results
}
