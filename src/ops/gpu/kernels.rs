//! The CubeCL kernels: one thread computes one number of the result, or 32 pixels of it.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use crate::random::{KEY_STEPS, MULTIPLIERS, ROUNDS};

/// Images whose weights are summed before they are added to the rest, so that no f32 sum runs over many.
const BLOCK: u32 = 512;

// A kernel takes numbers by name, but no elements of an array.
const FIRST: u32 = MULTIPLIERS[0];
const SECOND: u32 = MULTIPLIERS[1];
const FIRST_STEP: u32 = KEY_STEPS[0];
const SECOND_STEP: u32 = KEY_STEPS[1];
const PHILOX_ROUNDS: u32 = ROUNDS as u32;

/// `s_k + sum_i x_ni M_ik` over some words of each image, one thread for each n and k; after the first words, s is what is there.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn affine_kernel(
    words: &Array<u32>,
    table: &Array<f32>,
    start: &Array<f32>,
    sums: &mut Array<f32>,
    stride: u32,
    latent: u32,
    first: u32,
    last: u32,
) {
    if ABSOLUTE_POS >= sums.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let image = position / latent;
    let state = position % latent;
    let mut sum = start[state as usize];
    if first > 0u32 {
        sum = sums[ABSOLUTE_POS];
    }
    for word in first..last {
        let mut bits = words[(image * stride + word) as usize];
        while bits != 0u32 {
            let pixel = word * 32u32 + bits.trailing_zeros();
            sum += table[(pixel * latent + state) as usize];
            bits &= bits - 1u32;
        }
    }
    sums[ABSOLUTE_POS] = sum;
}

/// `sum_n x_ni r_nk` over some images, one thread for each i and k; after the first images, added to what is there.
#[cube(launch_unchecked)]
pub(super) fn transposed_product_kernel(
    words: &Array<u32>,
    weights: &Array<f32>,
    totals: &mut Array<f32>,
    stride: u32,
    latent: u32,
    start: u32,
    end: u32,
) {
    if ABSOLUTE_POS >= totals.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let pixel = position / latent;
    let state = position % latent;
    let word = pixel / 32u32;
    let bit = pixel % 32u32;
    let mut total = 0.0f32;
    if start > 0u32 {
        total = totals[ABSOLUTE_POS];
    }
    let mut first = start;
    while first < end {
        let last = u32::min(first + BLOCK, end);
        let mut sum = 0.0f32;
        for image in first..last {
            if (words[(image * stride + word) as usize] >> bit) & 1u32 == 1u32 {
                sum += weights[(image * latent + state) as usize];
            }
        }
        total += sum;
        first = last;
    }
    totals[ABSOLUTE_POS] = total;
}

/// Bits as 0.0 and 1.0, one thread for each.
#[cube(launch_unchecked)]
pub(super) fn unpack_kernel(words: &Array<u32>, pixels: &mut Array<f32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= pixels.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let image = position / visible;
    let pixel = position % visible;
    let bit = (words[(image * stride + pixel / 32u32) as usize] >> (pixel % 32u32)) & 1u32;
    pixels[ABSOLUTE_POS] = f32::cast_from(bit);
}

/// The four draws of a Philox block.
#[cube]
fn philox(block: u32, draws: &Array<u32>, words: &mut Array<u32>) {
    let mut key_0 = draws[0];
    let mut key_1 = draws[1];
    let mut c0 = block;
    let mut c1 = draws[2];
    let mut c2 = draws[3];
    let mut c3 = draws[4];
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

/// `z ~ softmax(a)` by inverting the cumulative distribution, one thread for each row.
#[cube(launch_unchecked)]
pub(super) fn draw_latent_kernel(logits: &Array<f32>, draws: &Array<u32>, states: &mut Array<i32>, latent: u32) {
    if ABSOLUTE_POS >= states.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS as u32;
    let first = row * latent;
    let mut largest = logits[first as usize];
    for state in 1..latent {
        largest = f32::max(largest, logits[(first + state) as usize]);
    }
    let mut total = 0.0f32;
    for state in 0..latent {
        total += f32::exp(logits[(first + state) as usize] - largest);
    }
    let mut words = Array::<u32>::new(4usize);
    philox(row, draws, &mut words);
    let threshold = f32::cast_from(words[0] >> 8u32) * 5.960_464_5e-8f32 * total;
    let mut cumulative = 0.0f32;
    let mut below = 0u32;
    for state in 0..latent {
        cumulative += f32::exp(logits[(first + state) as usize] - largest);
        if cumulative <= threshold {
            below += 1u32;
        }
    }
    states[ABSOLUTE_POS] = i32::cast_from(u32::min(below, latent - 1u32));
}

/// The probabilities of all pixels as binary fractions, in planes `[L, W, 32]`, one thread for each word.
#[cube(launch_unchecked)]
pub(super) fn planes_kernel(logits: &Array<f32>, planes: &mut Array<u32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= planes.len() / 32usize {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let state = position / stride;
    let word = position % stride;
    let mut thresholds = Array::<u32>::new(32usize);
    for bit in 0..32u32 {
        let pixel = word * 32u32 + bit;
        thresholds[bit as usize] = 0u32;
        if pixel < visible {
            let a = logits[(state * visible + pixel) as usize];
            let e = f32::exp(-f32::abs(a));
            let larger = 1.0f32 / (1.0f32 + e);
            let mut probability = larger;
            if a < 0.0f32 {
                probability = e * larger;
            }
            thresholds[bit as usize] = u32::cast_from(f32::min(probability, 0.999_999_94f32) * 4_294_967_296.0f32);
        }
    }
    for plane in 0..32u32 {
        let mut bits = 0u32;
        for bit in 0..32u32 {
            bits |= ((thresholds[bit as usize] >> (31u32 - plane)) & 1u32) << bit;
        }
        planes[(position * 32u32 + plane) as usize] = bits;
    }
}

/// `x ~ q(.|z)`, 32 pixels a thread; see [`crate::kernels::visible`].
#[cube(launch_unchecked)]
pub(super) fn draw_visible_kernel(
    planes: &Array<u32>,
    states: &Array<i32>,
    draws: &Array<u32>,
    words: &mut Array<u32>,
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
        philox(position * 8u32 + block, draws, &mut uniforms);
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
