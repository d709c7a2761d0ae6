//! Kernels: states that are made of factors.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::draw_kernels::uniform;

/// The first value of a factor, and the end of its values.
#[cube]
fn values_of(places: &Array<i32>, factor: u32) -> (u32, u32) {
    (
        u32::cast_from(places[factor as usize]),
        u32::cast_from(places[(factor + 1u32) as usize]),
    )
}

/// The largest exponent `l_ns + g_s` of a factor's values, and the sum of e to the exponents less that.
#[cube]
fn sum_of_factor(logits: &Array<f32>, log_weights: &Array<f32>, row: u32, first: u32, end: u32) -> (f32, f32) {
    let mut largest = f32::min_value();
    for value in first..end {
        largest = f32::max(largest, logits[(row + value) as usize] + log_weights[value as usize]);
    }
    let mut sum = 0.0f32;
    for value in first..end {
        sum += f32::exp(logits[(row + value) as usize] + log_weights[value as usize] - largest);
    }
    (largest, sum)
}

/// `ln softmax_s( l_ns + g_s )`, a thread for each row and factor.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn coded_log_softmax_kernel(
    logits: &Array<f32>,
    log_weights: &Array<f32>,
    places: &Array<i32>,
    found: &mut Array<f32>,
    rows: u32,
    values: u32,
    factors: u32,
) {
    let position = ABSOLUTE_POS as u32;
    if position >= rows * factors {
        terminate!();
    }
    let (row, factor) = (position / factors * values, position % factors);
    let (first, end) = values_of(places, factor);
    let (largest, sum) = sum_of_factor(logits, log_weights, row, first, end);
    let log_sum = f32::ln(sum);
    for value in first..end {
        let place = (row + value) as usize;
        found[place] = logits[place] + log_weights[value as usize] - largest - log_sum;
    }
}

/// A state for each row, a thread for each: the draws of factor f are part f of the stream.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn coded_draw_kernel(
    logits: &Array<f32>,
    log_weights: &Array<f32>,
    places: &Array<i32>,
    states: &mut Array<i32>,
    key_0: u32,
    key_1: u32,
    c1: u32,
    c2: u32,
    c3: u32,
    values: u32,
    factors: u32,
) {
    if ABSOLUTE_POS >= states.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS as u32;
    let mut state = 0u32;
    for factor in 0..factors {
        let (first, end) = values_of(places, factor);
        let (largest, total) = sum_of_factor(logits, log_weights, row * values, first, end);
        let threshold = uniform(row, (key_0, key_1), (c1, c2, c3 | (factor << 16u32))) * total;
        let mut cumulative = 0.0f32;
        let mut below = 0u32;
        for value in first..end {
            cumulative += f32::exp(logits[(row * values + value) as usize] + log_weights[value as usize] - largest);
            if cumulative <= threshold {
                below += 1u32;
            }
        }
        state = state * (end - first) + u32::min(below, end - first - 1u32);
    }
    states[ABSOLUTE_POS] = i32::cast_from(state);
}
