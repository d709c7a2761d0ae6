//! Draws of images: `x ~ q(.|z)`, 32 pixels at a time and with no more random bits than decide them.
//!
//! Pixel i of chain n is lit where its uniform is below `s(A_zi)`. Both are taken as binary fractions of 32 bits and compared from the
//! most significant bit on: half of all pixels are decided by one bit, all but one in 256 by eight. The bits of 32 pixels that stand
//! at the same place (a plane) fill a word, so one Philox block of four words gives four planes, and blocks are drawn until nothing is
//! left to decide:
//!
//! ```text
//! bit b (from the top) of the uniform of pixel 32 w + i of chain n  =  bit i of word b mod 4 of block 8 (n W + w) + b / 4
//! ```

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::bits::{SQUARES, WORD, transpose};
use super::coded_pixels::Backward;
use super::codes::States;
use super::exp::sigmoid;
use crate::random::{Draws, KEY_STEPS, MULTIPLIERS, ROUNDS};

/// Bits of a uniform: probabilities are resolved to 2^-32.
pub const PLANES: usize = 32;
/// Philox blocks that give them.
pub const BLOCKS: u64 = PLANES as u64 / 4;
/// The widest vector, in words.
const WIDEST: usize = 16;

/// The probabilities of all pixels in all states, in planes.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// `[L, 32, W]`, the most significant plane first; rows of words are padded to whole vectors.
    planes: Vec<u32>,
    /// W, padded.
    padded: usize,
    visible: usize,
}

impl Thresholds {
    /// From logits A `[L, D]` in f32, as training has them.
    pub fn of_logits(logits: &[f32], visible: usize) -> Self {
        Self::new(
            logits,
            visible,
            #[inline(always)]
            |&a| threshold(a),
        )
    }

    /// From probabilities `[L, D]` in f64, as evaluation has them, to the nearest multiple of 2^-32.
    pub fn of_probabilities(probabilities: &[f64], visible: usize) -> Self {
        Self::new(
            probabilities,
            visible,
            #[inline(always)]
            |&p| (p * 4_294_967_296.0).round() as u32,
        )
    }

    /// From `a + c_k A` for some states k of a layer whose states are made of factors.
    pub fn of_codes(states: &States, backward: Backward, some: &[usize]) -> Self {
        let Backward { matrix, bias } = backward;
        let visible = bias.len();
        // Pixels in the order in which `transpose` takes them, so that logits are made in it. Those beyond the last are dark.
        let length = visible.next_multiple_of(SQUARES * WORD);
        let place = |pixel: usize| pixel / (SQUARES * WORD) * (SQUARES * WORD) + pixel % WORD * SQUARES + pixel / WORD % SQUARES;
        let in_order = |row: &[f32], beyond: f32| {
            let mut ordered = vec![beyond; length];
            row.iter().enumerate().for_each(|(pixel, &number)| ordered[place(pixel)] = number);
            ordered
        };
        let bias = in_order(bias, f32::NEG_INFINITY);
        let rows: Vec<Vec<f32>> = matrix.chunks_exact(visible).map(|row| in_order(row, 0.0)).collect();
        Self::build(
            some.len(),
            visible,
            #[inline(always)]
            |row, squares| {
                let mut logits = bias.clone();
                states.for_code(
                    some[row],
                    #[inline(always)]
                    |h, code| logits.iter_mut().zip(&rows[h]).for_each(|(logit, a)| *logit += code * a),
                );
                for (bits, &logit) in squares.as_flattened_mut().as_flattened_mut().iter_mut().zip(&logits) {
                    *bits = threshold(logit);
                }
            },
        )
    }

    fn new<F: Sync>(values: &[F], visible: usize, threshold: impl Fn(&F) -> u32 + Sync) -> Self {
        Self::build(
            values.len() / visible,
            visible,
            #[inline(always)]
            |row, squares| {
                let mut thresholds = vec![0; visible.next_multiple_of(SQUARES * WORD)];
                for (bits, value) in thresholds.iter_mut().zip(&values[row * visible..(row + 1) * visible]) {
                    *bits = threshold(value);
                }
                for (squares, thresholds) in squares.iter_mut().zip(thresholds.chunks_exact(SQUARES * WORD)) {
                    *squares = std::array::from_fn(|bit| std::array::from_fn(|word| thresholds[word * WORD + bit]));
                }
            },
        )
    }

    /// From what gives the thresholds of a row as squares: pixel i of word w stands at `[i][w mod 8]` of square w / 8.
    fn build(rows: usize, visible: usize, of_row: impl Fn(usize, &mut [[[u32; SQUARES]; WORD]]) + Sync) -> Self {
        let padded = visible.div_ceil(WORD).next_multiple_of(WIDEST);
        let mut planes = vec![0; rows * PLANES * padded];
        planes
            .par_chunks_mut(PLANES * padded)
            .enumerate()
            .with_min_len(super::grain(rows, 8 * visible))
            .for_each(|(row, planes)| {
                super::vectorized(
                    #[inline(always)]
                    || {
                        let mut squares = vec![[[0; SQUARES]; WORD]; visible.div_ceil(SQUARES * WORD)];
                        of_row(row, &mut squares);
                        for (group, square) in squares.iter_mut().enumerate() {
                            transpose(square);
                            for (plane, words) in square.iter().rev().enumerate() {
                                planes[plane * padded + group * SQUARES..][..SQUARES].copy_from_slice(words);
                            }
                        }
                    },
                );
            });
        Self { planes, padded, visible }
    }

    /// Draws `x ~ q(.|z)` for every z, as rows of bits.
    pub fn draw(&self, latent: &[i32], draws: Draws) -> Vec<u32> {
        let stride = self.visible.div_ceil(WORD);
        let mut words = vec![0; latent.len() * stride];
        let grain = super::grain(latent.len(), self.visible);
        words
            .par_chunks_mut(grain * stride)
            .zip(latent.par_chunks(grain))
            .enumerate()
            .for_each(|(chunk, (words, latent))| {
                pulp::Arch::new().dispatch(DrawRows {
                    thresholds: self,
                    latent,
                    draws,
                    first: chunk * grain,
                    words,
                });
            });
        words
    }
}

/// `s(a)` as a binary fraction of 32 bits.
#[inline(always)]
fn threshold(a: f32) -> u32 {
    /// The largest f32 below 1: no pixel is certain.
    const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
    const HALF: f32 = 65_536.0;
    let p = sigmoid(a).0;
    let scaled = HALF * if p < BELOW_ONE { p } else { BELOW_ONE };
    let (upper, rest) = split(scaled);
    let (lower, _) = split(rest * HALF);
    upper << 16 | lower
}

/// The whole and the broken part of a number below 2^23. A conversion by `as` would not vectorize.
#[inline(always)]
fn split(number: f32) -> (u32, f32) {
    /// 2^23: added, it leaves an integer in the lowest bits.
    const ROUND: f32 = 8_388_608.0;
    let nearest = number + ROUND - ROUND;
    let whole = if nearest > number { nearest - 1.0 } else { nearest };
    ((whole + ROUND).to_bits().wrapping_sub(ROUND.to_bits()), number - whole)
}

/// Draws for consecutive chains, the first of them number `first`.
struct DrawRows<'a> {
    thresholds: &'a Thresholds,
    latent: &'a [i32],
    draws: Draws,
    first: usize,
    words: &'a mut [u32],
}

impl WithSimd for DrawRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Thresholds { planes, padded, visible } = self.thresholds;
        let stride = visible.div_ceil(WORD);
        let mut valid = vec![!0; stride];
        if visible % WORD != 0 {
            valid[stride - 1] = (1 << (visible % WORD)) - 1;
        }
        let blocks_apart: Vec<u32> = (0..S::U32_LANES as u32).map(|lane| lane * BLOCKS as u32).collect();
        let blocks_apart = simd.partial_load_u32s(&blocks_apart);
        let rest = self.draws.counter.map(|word| simd.splat_u32s(word));
        for (row, (words, &state)) in self.words.chunks_exact_mut(stride).zip(self.latent).enumerate() {
            let planes = &planes[state as usize * PLANES * padded..][..PLANES * padded];
            for word in (0..stride).step_by(S::U32_LANES) {
                let last = stride.min(word + S::U32_LANES);
                let first_block = (((self.first + row) * stride + word) as u64 * BLOCKS) as u32;
                let mut block = simd.add_u32s(simd.splat_u32s(first_block), blocks_apart);
                let mut lit = simd.splat_u32s(0);
                let mut open = simd.partial_load_u32s(&valid[word..last]);
                for planes in planes.chunks_exact(4 * padded) {
                    let uniforms = philox(simd, [block, rest[0], rest[1], rest[2]], self.draws.key);
                    for (plane, uniform) in planes.chunks_exact(*padded).zip(uniforms) {
                        let threshold = simd.partial_load_u32s(&plane[word..word + S::U32_LANES]);
                        // Decided here are the pixels whose bits differ; lit are those whose threshold has the 1.
                        let differ = simd.and_u32s(open, simd.xor_u32s(threshold, uniform));
                        lit = simd.or_u32s(lit, simd.and_u32s(differ, threshold));
                        open = simd.xor_u32s(open, differ);
                    }
                    if none(simd, open) {
                        break;
                    }
                    block = simd.add_u32s(block, simd.splat_u32s(1));
                }
                simd.partial_store_u32s(&mut words[word..last], lit);
            }
        }
    }
}

/// [`crate::random::philox`] on a vector of counters.
#[inline(always)]
fn philox<S: Simd>(simd: S, mut counter: [S::u32s; 4], mut key: [u32; 2]) -> [S::u32s; 4] {
    let [first, second] = [simd.splat_u32s(MULTIPLIERS[0]), simd.splat_u32s(MULTIPLIERS[1])];
    for _ in 0..ROUNDS {
        let (first_low, first_high) = simd.widening_mul_u32s(counter[0], first);
        let (second_low, second_high) = simd.widening_mul_u32s(counter[2], second);
        counter = [
            simd.xor_u32s(simd.xor_u32s(second_high, counter[1]), simd.splat_u32s(key[0])),
            second_low,
            simd.xor_u32s(simd.xor_u32s(first_high, counter[3]), simd.splat_u32s(key[1])),
            first_low,
        ];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// Are all bits 0?
#[inline(always)]
fn none<S: Simd>(simd: S, bits: S::u32s) -> bool {
    let mut words = [0; WIDEST];
    simd.partial_store_u32s(&mut words[..S::U32_LANES], bits);
    words.iter().fold(0, |any, word| any | word) == 0
}
