//! The Bernoulli pixels of states that are made of factors: the probability of the dark image, and means over states.
//!
//! `A~_ki = a_i + (C A)_ki` is not written out. For each pixel the odds of all states, `e^A~`, are products of those that the factors' values
//! bring, so that they take V exponentials instead of L. A pixel whose odds may reach an end of f32 is computed from its logits.

use std::ops::Range;

use rayon::prelude::*;

use super::codes::{FAR, States};
use super::exp::{exp, exp_all, sigmoid};
use super::folds::column_sums;

/// Parts in which pixels are summed, whatever the number of threads, so that it changes no digit.
const PARTS: usize = 16;

/// A, `[H, D]` in rows, and a, `[D]`.
#[derive(Clone, Copy)]
pub struct Backward<'a> {
    /// A.
    pub matrix: &'a [f32],
    /// a.
    pub bias: &'a [f32],
}

/// What the odds of P pixels are made of.
pub(super) struct Odds {
    /// `e^(c_s . A_i)` of the values of all factors, `[V, P]`, or the logarithms of these odds, of pixels whose odds may be far from 1.
    pub of_values: Vec<f32>,
    /// `e^(a_i)`, `[P]`, or a.
    pub of_bias: Vec<f32>,
    /// The logarithm of the highest odds that any state has, `[P]`; nothing where odds may be far from 1.
    pub most: Vec<Option<f32>>,
}

impl Odds {
    #[inline(always)]
    pub(super) fn of(states: &States, backward: Backward, pixels: Range<usize>) -> Self {
        let (count, visible) = (pixels.len(), backward.bias.len());
        let bias = &backward.bias[pixels.clone()];
        let mut of_values = vec![0.0; states.values * count];
        let row = |h: usize| &backward.matrix[h * visible..][pixels.clone()];
        for (logits, &(h, code)) in of_values.chunks_exact_mut(count).zip(&states.terms) {
            for (logit, a) in logits.iter_mut().zip(row(h)) {
                *logit = code * a;
            }
        }
        let mut most = bias.to_vec();
        // No product of some of the odds lies beyond these.
        let (mut lowest, mut highest) = (bias.to_vec(), bias.to_vec());
        lowest.iter_mut().for_each(|lowest| *lowest = lowest.min(0.0));
        highest.iter_mut().for_each(|highest| *highest = highest.max(0.0));
        let mut of_factors = &of_values[..];
        for size in states.sizes() {
            let (of_factor, others) = of_factors.split_at(size * count);
            let (mut smallest, mut largest) = (of_factor[..count].to_vec(), of_factor[..count].to_vec());
            for logits in of_factor.chunks_exact(count) {
                for ((smallest, largest), &logit) in smallest.iter_mut().zip(&mut largest).zip(logits) {
                    *smallest = if logit < *smallest { logit } else { *smallest };
                    *largest = if logit > *largest { logit } else { *largest };
                }
            }
            for pixel in 0..count {
                most[pixel] += largest[pixel];
                lowest[pixel] += smallest[pixel].min(0.0);
                highest[pixel] += largest[pixel].max(0.0);
            }
            of_factors = others;
        }
        let near = |pixel: usize| -FAR < lowest[pixel] && highest[pixel] < FAR;
        let mut odds = Self {
            of_bias: bias.to_vec(),
            most: (0..count).map(|pixel| near(pixel).then_some(most[pixel])).collect(),
            of_values,
        };
        exp_all(&mut odds.of_values);
        exp_all(&mut odds.of_bias);
        for pixel in (0..count).filter(|&pixel| odds.most[pixel].is_none()) {
            odds.of_bias[pixel] = bias[pixel];
            for (value, &(h, code)) in states.terms.iter().enumerate() {
                odds.of_values[value * count + pixel] = code * row(h)[pixel];
            }
        }
        odds
    }

    /// Of all states, `[L]`, for one pixel; and, of logarithms, false.
    #[inline(always)]
    fn combine(&self, states: &States, pixel: usize, values: &mut [f32], row: &mut [f32]) -> bool {
        for (value, odds) in values.iter_mut().zip(self.of_values[pixel..].iter().step_by(self.of_bias.len())) {
            *value = *odds;
        }
        match self.most[pixel] {
            Some(_) => states.combine_products(values, self.of_bias[pixel], row),
            None => states.combine_sums(values, self.of_bias[pixel], row),
        }
        self.most[pixel].is_some()
    }
}

/// `ln q(0|k) = -sum_i ln(1 + e^A~_ki)`, `[L]`; nats.
pub fn log_dark(states: &States, backward: Backward) -> Vec<f32> {
    let parts: Vec<LogProducts> = parts(backward.bias.len())
        .map(|pixels| {
            super::vectorized(
                #[inline(always)]
                || {
                    let (mut values, mut row) = (vec![0.0; states.values], vec![0.0; states.count]);
                    let mut sums = LogProducts::new(states.count);
                    let odds = Odds::of(states, backward, pixels.clone());
                    for pixel in 0..pixels.len() {
                        if !odds.combine(states, pixel, &mut values, &mut row) {
                            // ln(1 + e^a) = max(a, 0) + ln(1 + e^-|a|)
                            for (a, positive) in row.iter_mut().zip(&mut sums.logs) {
                                *positive += if *a > 0.0 { *a } else { 0.0 };
                                *a = exp(-a.abs());
                            }
                        }
                        sums.multiply_by_1_and(&row, odds.most[pixel].unwrap_or(0.0));
                    }
                    sums.take_exponents();
                    sums
                },
            )
        })
        .collect();
    LogProducts::ln(&parts).into_iter().map(|ln| -ln as f32).collect()
}

/// `sum_k rho_k C_kh s(A~_ki)`, `[H, D]` in rows, and without the C, `[D]`, of weights rho `[L]`.
pub fn means(states: &States, rho: &[f32], backward: Backward) -> (Vec<f32>, Vec<f32>) {
    // By pixels, H sums and the whole for each.
    let parts: Vec<Vec<f32>> = parts(backward.bias.len())
        .map(|pixels| {
            super::vectorized(
                #[inline(always)]
                || {
                    let (mut values, mut row) = (vec![0.0; states.values], vec![0.0; states.count]);
                    let mut gathered = vec![0.0; pixels.len() * (states.width + 1)];
                    let odds = Odds::of(states, backward, pixels);
                    for (pixel, gathered) in gathered.chunks_exact_mut(states.width + 1).enumerate() {
                        if odds.combine(states, pixel, &mut values, &mut row) {
                            for (odds, rho) in row.iter_mut().zip(rho) {
                                *odds = rho * (*odds / (1.0 + *odds));
                            }
                        } else {
                            row.iter_mut().zip(rho).for_each(|(a, rho)| *a = rho * sigmoid(*a).0);
                        }
                        gathered[states.width] = states.gather(&mut row, &mut gathered[..states.width]);
                    }
                    gathered
                },
            )
        })
        .collect();
    let by_pixel: Vec<&[f32]> = parts.iter().flat_map(|part| part.chunks_exact(states.width + 1)).collect();
    let component = |h: usize| by_pixel.iter().map(move |gathered| gathered[h]);
    ((0..states.width).flat_map(component).collect(), component(states.width).collect())
}

fn parts(visible: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    let parts = PARTS.min(visible);
    (0..parts)
        .into_par_iter()
        .map(move |part| part * visible / parts..(part + 1) * visible / parts)
}

/// The logarithms of products of many factors of 1 or more: their exponents are taken off before they grow too large.
struct LogProducts {
    products: Vec<f32>,
    /// No product is larger than e to this.
    log_bound: f32,
    /// Powers of two.
    exponents: Vec<i32>,
    /// What is added besides.
    logs: Vec<f32>,
}

impl LogProducts {
    fn new(count: usize) -> Self {
        Self {
            products: vec![1.0; count],
            log_bound: 0.0,
            exponents: vec![0; count],
            logs: vec![0.0; count],
        }
    }

    /// Multiplies by `1 + odds`, where no odds are above `e^most`.
    #[inline(always)]
    fn multiply_by_1_and(&mut self, odds: &[f32], most: f32) {
        let log_bound = most.max(0.0) + std::f32::consts::LN_2;
        if self.log_bound + log_bound > FAR {
            self.take_exponents();
        }
        self.log_bound += log_bound;
        for (product, odds) in self.products.iter_mut().zip(odds) {
            *product += *product * odds;
        }
    }

    /// Leaves products in [1, 2).
    #[inline(always)]
    fn take_exponents(&mut self) {
        const MANTISSA: u32 = 0x007F_FFFF;
        const ONE: u32 = 0x3F80_0000;
        for (product, exponent) in self.products.iter_mut().zip(&mut self.exponents) {
            let bits = product.to_bits();
            *exponent += (bits >> 23) as i32 - 127;
            *product = f32::from_bits(bits & MANTISSA | ONE);
        }
        self.log_bound = std::f32::consts::LN_2;
    }

    /// The logarithms of the products of several.
    fn ln(parts: &[Self]) -> Vec<f64> {
        let count = parts[0].products.len();
        let mut logs = column_sums(parts.iter().map(|part| part.logs.as_slice()), count);
        super::vectorized(
            #[inline(always)]
            || {
                let (mut products, mut exponents) = (vec![1.0; count], vec![0; count]);
                for part in parts {
                    let of_part = part.products.iter().zip(&part.exponents);
                    for ((product, exponent), (factor, power)) in products.iter_mut().zip(&mut exponents).zip(of_part) {
                        *product *= f64::from(*factor);
                        *exponent += power;
                    }
                }
                for (log, (product, exponent)) in logs.iter_mut().zip(products.iter().zip(&exponents)) {
                    *log += product.ln() + f64::from(*exponent) * std::f64::consts::LN_2;
                }
            },
        );
        logs
    }
}
