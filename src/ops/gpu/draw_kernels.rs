//! Kernels: draws of states and of images.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

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

/// `z ~ softmax(a)` by inverting the cumulative distribution, one thread for each row.
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
) {
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
    philox(row, (key_0, key_1), (c1, c2, c3), &mut words);
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
            let (probability, _) = sigmoid_and_softplus(a);
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
