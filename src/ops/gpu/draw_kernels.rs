//! Kernels: draws of states and of images.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::CUBE;
use super::logspace_kernels::{lane_and_row, largest_of_lanes, sum_of_lanes};
use super::pixel_kernels::sigmoid_and_softplus;
use crate::random::{KEY_STEPS, MULTIPLIERS, ROUNDS};

// A kernel takes numbers by name, but no elements of an array.
const FIRST: u32 = MULTIPLIERS[0];
const SECOND: u32 = MULTIPLIERS[1];
const FIRST_STEP: u32 = KEY_STEPS[0];
const SECOND_STEP: u32 = KEY_STEPS[1];
const PHILOX_ROUNDS: u32 = ROUNDS as u32;

/// The four draws of a Philox block of a key and the rest of a counter.
#[cube]
fn philox(block: u32, keys: (u32, u32), counter: (u32, u32, u32), words: &mut Array<u32>) {
    let (mut key_0, mut key_1) = keys;
    let mut c0 = block;
    let (mut c1, mut c2, mut c3) = counter;
    for _ in 0..PHILOX_ROUNDS {
        let first_high = u32::mul_hi(c0, FIRST);
        let first_low = c0 * FIRST;
        let second_high = u32::mul_hi(c2, SECOND);
        let second_low = c2 * SECOND;
        c0 = second_high ^ c1 ^ key_0;
        c1 = second_low;
        c2 = first_high ^ c3 ^ key_1;
        c3 = first_low;
        key_0 += FIRST_STEP;
        key_1 += SECOND_STEP;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/// The uniform of a row, in [0, 1).
#[cube]
pub(super) fn uniform(row: u32, keys: (u32, u32), counter: (u32, u32, u32)) -> f32 {
    let mut words = Array::<u32>::new(4usize);
    philox(row, keys, counter, &mut words);
    f32::cast_from(words[0] >> 8u32) * 5.960_464_5e-8f32
}

/// `z ~ softmax(a)` by inverting the cumulative distribution; `lanes` threads for a row, each with as many neighbouring states.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn draw_latent_kernel(
    logits: &Array<f32>,
    states: &mut Array<i32>,
    key_0: u32,
    key_1: u32,
    c1: u32,
    c2: u32,
    c3: u32,
    latent: u32,
    #[comptime] lanes: u32,
) {
    let (lane, row) = lane_and_row(lanes);
    let rows = states.len() as u32;
    let here = select(row < rows, latent, 0u32);
    let of_lane = (latent + comptime!(lanes - 1)) / lanes;
    let (first, end) = (u32::min(lane * of_lane, here), u32::min((lane + 1u32) * of_lane, here));
    let begin = row * latent;
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);

    let mut largest = f32::min_value();
    for state in first..end {
        largest = f32::max(largest, logits[(begin + state) as usize]);
    }
    let largest = largest_of_lanes(largest, &mut parts, lane, lanes, 1u32);
    let mut sum = 0.0f32;
    for state in first..end {
        sum += f32::exp(logits[(begin + state) as usize] - largest);
    }

    sync_cube();
    parts[UNIT_POS as usize] = sum;
    sync_cube();
    let mut total = 0.0f32;
    let mut cumulative = 0.0f32;
    for other in 0..lanes {
        let of_other = parts[(UNIT_POS - lane + other) as usize];
        total += of_other;
        if other < lane {
            cumulative += of_other;
        }
    }
    let threshold = uniform(row, (key_0, key_1), (c1, c2, c3)) * total;
    let mut below = 0.0f32;
    for state in first..end {
        cumulative += f32::exp(logits[(begin + state) as usize] - largest);
        if cumulative <= threshold {
            below += 1.0f32;
        }
    }
    let below = sum_of_lanes(below, &mut parts, lane, lanes, 1u32);
    if row < rows && lane == 0u32 {
        states[row as usize] = i32::cast_from(u32::min(u32::cast_from(below), latent - 1u32));
    }
}

/// The probability of a pixel as a binary fraction, in units of 2^-32.
#[cube]
fn threshold(logit: f32) -> u32 {
    let (probability, _) = sigmoid_and_softplus(logit);
    u32::cast_from(f32::min(probability, 0.999_999_94f32) * 4_294_967_296.0f32)
}

/// The probabilities of all pixels as binary fractions, in planes `[L, W, 32]`: a thread for each pixel, and then for each plane of a word.
#[cube(launch_unchecked)]
pub(super) fn planes_kernel(logits: &Array<f32>, planes: &mut Array<u32>, stride: u32, visible: u32) {
    let (bit, plane) = (UNIT_POS % 32u32, UNIT_POS % 32u32);
    let position = CUBE_POS as u32 * comptime!(CUBE / 32) + UNIT_POS / 32u32;
    let (state, word) = (position / stride, position % stride);
    let inside = position * 32u32 < planes.len() as u32;
    let pixel = word * 32u32 + bit;
    let mut own = 0u32;
    if inside && pixel < visible {
        own = threshold(logits[(state * visible + pixel) as usize]);
    }
    let mut thresholds = SharedMemory::<u32>::new(CUBE as usize);
    thresholds[UNIT_POS as usize] = own;
    sync_cube();
    let mut bits = 0u32;
    for of_word in 0..32u32 {
        bits |= ((thresholds[(UNIT_POS - plane + of_word) as usize] >> (31u32 - plane)) & 1u32) << of_word;
    }
    if inside {
        planes[(position * 32u32 + plane) as usize] = bits;
    }
}

/// Bits that are 1 with probability s(a), `each` rows in turn from each row of logits `[N, D]`: a thread for each bit. Of the 32 threads of a word eight find
/// the 32 words whose bits are its uniforms, plane by plane; see [`crate::kernels::visible`].
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn draw_bits_kernel(
    logits: &Array<f32>,
    words: &mut Array<u32>,
    key_0: u32,
    key_1: u32,
    c1: u32,
    c2: u32,
    c3: u32,
    each: u32,
    stride: u32,
    visible: u32,
) {
    let bit = UNIT_POS % 32u32;
    let position = CUBE_POS as u32 * comptime!(CUBE / 32) + UNIT_POS / 32u32;
    let (row, word) = (position / stride / each, position % stride);
    let inside = position < words.len() as u32;
    let mut shared = SharedMemory::<u32>::new(CUBE as usize);
    if inside && bit < 8u32 {
        let mut drawn = Array::<u32>::new(4usize);
        philox(position * 8u32 + bit, (key_0, key_1), (c1, c2, c3), &mut drawn);
        for plane in 0..4u32 {
            shared[(UNIT_POS + 3u32 * bit + plane) as usize] = drawn[plane as usize];
        }
    }
    sync_cube();
    let mut uniform = 0u32;
    for plane in 0..32u32 {
        uniform |= ((shared[(UNIT_POS - bit + plane) as usize] >> bit) & 1u32) << (31u32 - plane);
    }
    let pixel = word * 32u32 + bit;
    let mut lit = 0u32;
    if inside && pixel < visible && uniform < threshold(logits[(row * visible + pixel) as usize]) {
        lit = 1u32 << bit;
    }
    sync_cube();
    shared[UNIT_POS as usize] = lit;
    sync_cube();
    if inside && bit == 0u32 {
        let mut all = 0u32;
        for other in 0..32u32 {
            all |= shared[(UNIT_POS + other) as usize];
        }
        words[position as usize] = all;
    }
}

/// `x ~ q(.|z)`, 32 pixels a thread; see [`crate::kernels::visible`].
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn draw_visible_kernel(
    planes: &Array<u32>,
    states: &Array<i32>,
    words: &mut Array<u32>,
    key_0: u32,
    key_1: u32,
    c1: u32,
    c2: u32,
    c3: u32,
    stride: u32,
    visible: u32,
) {
    if ABSOLUTE_POS >= words.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let chain = position / stride;
    let word = position % stride;
    let first = (u32::cast_from(states[chain as usize]) * stride + word) * 32u32;
    let mut open = 0xFFFF_FFFFu32;
    let left = visible - word * 32u32;
    if left < 32u32 {
        open = (1u32 << left) - 1u32;
    }
    let mut lit = 0u32;
    let mut uniforms = Array::<u32>::new(4usize);
    let mut block = 0u32;
    while open != 0u32 && block < 8u32 {
        philox(position * 8u32 + block, (key_0, key_1), (c1, c2, c3), &mut uniforms);
        for plane in 0..4u32 {
            let threshold = planes[(first + block * 4u32 + plane) as usize];
            let differ = open & (threshold ^ uniforms[plane as usize]);
            lit |= differ & threshold;
            open ^= differ;
        }
        block += 1u32;
    }
    words[ABSOLUTE_POS] = lit;
}
