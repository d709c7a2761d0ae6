//! Sums of exponentials in f64.

use super::exp::exp_f64;
use super::vectorized;

/// Sums side by side, which the compiler may keep in registers.
const LANES: usize = 8;

/// `ln sum_k e^(a_k)`: minus infinity for no terms, NaN if one of them is NaN. Terms below e^-708 of the largest are lost; e^-37 of it is already less than its
/// last bit.
pub fn logsumexp(a: &[f64]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let largest = largest(a);
            if largest.is_finite() {
                largest + sum_of(a, |a| exp_f64(a - largest)).ln()
            } else {
                largest
            }
        },
    )
}

/// `softmax(a)` in its place; what is below e^-708 of the largest is lost.
pub fn softmax(a: &mut [f64]) {
    vectorized(
        #[inline(always)]
        || {
            let largest = largest(a);
            a.iter_mut().for_each(|a| *a = exp_f64(*a - largest));
            let sum = sum_of(a, |a| a);
            a.iter_mut().for_each(|a| *a /= sum);
        },
    );
}

/// Adds `e^log_weight softmax(a)` to some sums, and gives `ln sum_k e^(a_k)`; terms is room for as many numbers.
pub fn add_softmax(sums: &mut [f64], log_weight: f64, a: &[f64], terms: &mut [f64]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let largest = largest(a);
            terms.iter_mut().zip(a).for_each(|(term, a)| *term = exp_f64(a - largest));
            let total = sum_of(terms, |term| term);
            let scale = log_weight.exp() / total;
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += scale * *term);
            largest + total.ln()
        },
    )
}

/// The larger of two numbers: NaN if one of them is NaN, which `f64::max` would ignore.
#[inline(always)]
pub fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// As [`crate::logs::largest`].
#[inline(always)]
fn largest(numbers: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let (groups, rest) = numbers.as_chunks::<LANES>();
    for group in groups {
        for (lane, &number) in lanes.iter_mut().zip(group) {
            *lane = larger(*lane, number);
        }
    }
    lanes.iter().chain(rest).copied().fold(f64::NEG_INFINITY, larger)
}

#[inline(always)]
fn sum_of(numbers: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (groups, rest) = numbers.as_chunks::<LANES>();
    for group in groups {
        for (lane, &number) in lanes.iter_mut().zip(group) {
            *lane += term(number);
        }
    }
    for (lane, &number) in lanes.iter_mut().zip(rest) {
        *lane += term(number);
    }
    lanes.iter().sum()
}
