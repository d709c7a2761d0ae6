//! States that are made of factors: what each has, from what the values of its factors have, and back; their draws.
//!
//! What a state has is the sum (or the product) of what the values of its factors have. It is built up factor by factor, from the last,
//! which runs fastest: each further factor of S values makes S copies of what is there. The way back folds an array of all states into the
//! sums over the states of each value. Both take about 2 L operations.

use rayon::prelude::*;

use super::exp::sum;
use super::logspace::row_normalizer;
use crate::codes::{Codes, Factor};
use crate::random::{Draws, unit};

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

/// Room for a task.
pub(super) struct Room {
    /// `[L]`.
    pub states: Vec<f32>,
    /// `[L]`.
    pub others: Vec<f32>,
    /// `[V]`.
    pub values: Vec<f32>,
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
