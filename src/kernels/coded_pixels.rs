//! The Bernoulli pixels of states that are made of factors: the probability of the dark image, and means over states.
//!
//! `A~_ki = a_i + (C A)_ki` is not written out. For each pixel the odds of all states, `e^A~`, are products of those that the factors' values
//! bring, so that they take V exponentials instead of L. A pixel whose odds may reach an end of f32 is computed from its logits.

use rayon::prelude::*;

use super::codes::{FAR, States, product_of, sum_of};
use super::exp::{exp, sigmoid};

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

impl Backward<'_> {
    /// `c_s . A_i` of the values of all factors, `[V]`, for one pixel; and whether `a_i + c_k . A_i` stays near 0 in every state.
    #[inline(always)]
    fn of_values(&self, states: &States, pixel: usize, values: &mut [f32]) -> bool {
        states.of_values(&self.matrix[pixel..], self.bias.len(), values);
        let (mut least, mut most) = (self.bias[pixel], self.bias[pixel]);
        let mut first = 0;
        for size in states.sizes() {
            let own = &values[first..first + size];
            least += own.iter().copied().fold(f32::INFINITY, f32::min);
            most += own.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            first += size;
        }
        -FAR < least && most < FAR
    }
}

/// `ln q(0|k) = -sum_i ln(1 + e^A~_ki)`, `[L]`; nats.
pub fn log_dark(states: &States, backward: Backward) -> Vec<f32> {
    let parts: Vec<Vec<f64>> = parts(backward.bias.len())
        .map(|pixels| {
            super::vectorized(
                #[inline(always)]
                || {
                    let (mut values, mut row) = (vec![0.0; states.values], vec![0.0; states.count]);
                    let mut sums = LogProducts::new(states.count);
                    for pixel in pixels {
                        if backward.of_values(states, pixel, &mut values) {
                            values.iter_mut().for_each(|value| *value = exp(*value));
                            states.combine(&values, exp(backward.bias[pixel]), product_of, &mut row);
                            row.iter_mut().for_each(|odds| *odds += 1.0);
                        } else {
                            states.combine(&values, backward.bias[pixel], sum_of, &mut row);
                            // ln(1 + e^a) = max(a, 0) + ln(1 + e^-|a|)
                            for (a, positive) in row.iter_mut().zip(&mut sums.logs) {
                                *positive += if *a > 0.0 { *a } else { 0.0 };
                                *a = 1.0 + exp(-a.abs());
                            }
                        }
                        sums.multiply(&row);
                    }
                    sums.ln()
                },
            )
        })
        .collect();
    (0..states.count)
        .map(|k| -parts.iter().map(|part| part[k]).sum::<f64>() as f32)
        .collect()
}

/// `sum_k rho_k C_kh s(A~_ki)`, `[H, D]` in rows, and without the C, `[D]`, of weights rho `[L]`.
pub fn means(states: &States, rho: &[f32], backward: Backward) -> (Vec<f32>, Vec<f32>) {
    let visible = backward.bias.len();
    // By pixels, H sums and the whole for each.
    let parts: Vec<Vec<f32>> = parts(visible)
        .map(|pixels| {
            super::vectorized(
                #[inline(always)]
                || {
                    let (mut values, mut row) = (vec![0.0; states.values], vec![0.0; states.count]);
                    let mut gathered = vec![0.0; pixels.len() * (states.width + 1)];
                    for (pixel, gathered) in pixels.zip(gathered.chunks_exact_mut(states.width + 1)) {
                        if backward.of_values(states, pixel, &mut values) {
                            values.iter_mut().for_each(|value| *value = exp(*value));
                            states.combine(&values, exp(backward.bias[pixel]), product_of, &mut row);
                            for (odds, rho) in row.iter_mut().zip(rho) {
                                *odds = rho * (*odds / (1.0 + *odds));
                            }
                        } else {
                            states.combine(&values, backward.bias[pixel], sum_of, &mut row);
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

fn parts(visible: usize) -> impl IndexedParallelIterator<Item = std::ops::Range<usize>> {
    (0..PARTS)
        .into_par_iter()
        .map(move |part| part * visible / PARTS..(part + 1) * visible / PARTS)
}

/// The logarithms of products of many factors of 1 or more: each number's exponent is taken off as it grows.
struct LogProducts {
    /// In [1, 2).
    products: Vec<f32>,
    /// Powers of two.
    exponents: Vec<i32>,
    /// What is added besides.
    logs: Vec<f32>,
}

impl LogProducts {
    fn new(count: usize) -> Self {
        Self {
            products: vec![1.0; count],
            exponents: vec![0; count],
            logs: vec![0.0; count],
        }
    }

    #[inline(always)]
    fn multiply(&mut self, factors: &[f32]) {
        const MANTISSA: u32 = 0x007F_FFFF;
        const ONE: u32 = 0x3F80_0000;
        for ((product, exponent), factor) in self.products.iter_mut().zip(&mut self.exponents).zip(factors) {
            let bits = (*product * factor).to_bits();
            *exponent += (bits >> 23) as i32 - 127;
            *product = f32::from_bits(bits & MANTISSA | ONE);
        }
    }

    fn ln(self) -> Vec<f64> {
        let of_state = |((product, exponent), log): ((f32, i32), f32)| {
            f64::from(product).ln() + f64::from(exponent) * std::f64::consts::LN_2 + f64::from(log)
        };
        self.products.into_iter().zip(self.exponents).zip(self.logs).map(of_state).collect()
    }
}
