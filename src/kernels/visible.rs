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
use super::coded_pixels::{Backward, Odds};
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

    /// From what gives the thresholds of a row.
    fn build(rows: usize, visible: usize, of_row: impl Fn(usize, &mut [Square]) + Sync) -> Self {
        let padded = padded(visible);
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
                        planes_of(&mut squares, planes);
                    },
                );
            });
        Self { planes, visible }
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
    fraction(sigmoid(a).0)
}

/// A probability as a binary fraction of 32 bits; no pixel is certain.
#[inline(always)]
fn fraction(p: f32) -> u32 {
    const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
    const MANTISSA: u32 = 0x007F_FFFF;
    let bits = if p < BELOW_ONE { p } else { BELOW_ONE }.to_bits();
    // p = m 2^(e - 150), of m with 24 bits and e <= 126. A conversion by `as` would not vectorize.
    let (m, shift) = (bits & MANTISSA | (MANTISSA + 1), 126 - (bits >> 23));
    if shift < 32 { m << 8 >> shift } else { 0 }
}

/// Thresholds of pixels before they are taken apart into planes: pixel i of word w stands at `[i][w mod 8]` of square w / 8.
type Square = [[u32; SQUARES]; WORD];

/// Where a pixel stands among the numbers of all squares.
fn place(pixel: usize) -> usize {
    let (word, bit) = (pixel / WORD, pixel % WORD);
    (word / SQUARES * WORD + bit) * SQUARES + word % SQUARES
}

/// W, padded.
fn padded(visible: usize) -> usize {
    visible.div_ceil(WORD).next_multiple_of(WIDEST)
}

/// `[32, W]` of thresholds.
#[inline(always)]
fn planes_of(squares: &mut [Square], planes: &mut [u32]) {
    let padded = planes.len() / PLANES;
    for (group, square) in squares.iter_mut().enumerate() {
        transpose(square);
        for (plane, words) in square.iter().rev().enumerate() {
            planes[plane * padded + group * SQUARES..][..SQUARES].copy_from_slice(words);
        }
    }
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
        let Thresholds { planes, visible } = self.thresholds;
        let row_of_planes = PLANES * padded(*visible);
        let draw = DrawRow::new(simd, *visible, self.draws);
        for (row, (words, &state)) in self.words.chunks_exact_mut(visible.div_ceil(WORD)).zip(self.latent).enumerate() {
            let planes = &planes[state as usize * row_of_planes..][..row_of_planes];
            draw.draw(self.first + row, planes, words);
        }
    }
}

/// Draws from `a + c_z A` for every state z of a layer whose states are made of factors, as rows of bits: the pixels of a state are computed once for
/// all chains that are in it. Odds are products of those that the factors' values bring, but of pixels whose odds may reach an end of f32.
pub fn draw_of_codes(states: &States, backward: Backward, latent: &[i32], draws: Draws) -> Vec<u32> {
    let visible = backward.bias.len();
    let squares = visible.div_ceil(SQUARES * WORD);
    // Pixels in the order in which they stand in squares.
    let in_order = |row: &[f32]| {
        let mut ordered = vec![0.0; squares * SQUARES * WORD];
        row.iter().enumerate().for_each(|(pixel, &number)| ordered[place(pixel)] = number);
        ordered
    };
    let matrix: Vec<f32> = backward.matrix.chunks_exact(visible).map(in_order).collect::<Vec<_>>().concat();
    let bias = in_order(backward.bias);
    let mut odds = super::vectorized(
        #[inline(always)]
        || {
            Odds::of(
                states,
                Backward {
                    matrix: &matrix,
                    bias: &bias,
                },
                0..bias.len(),
            )
        },
    );
    // Pixels beyond the last are dark.
    (visible..bias.len()).for_each(|pixel| odds.of_bias[place(pixel)] = 0.0);
    let far: Vec<usize> = (0..bias.len()).filter(|&place| odds.most[place].is_none()).collect();

    let chains = in_order_of_states(states.count, latent);
    let stride = visible.div_ceil(WORD);
    let grain = super::grain(chains.len(), 8 * visible);
    let drawn: Vec<Vec<u32>> = chains
        .par_chunks(grain)
        .map(|chains| {
            pulp::Arch::new().dispatch(DrawStates {
                states,
                odds: &odds,
                far: &far,
                visible,
                latent,
                chains,
                draws,
            })
        })
        .collect();
    let mut words = vec![0; latent.len() * stride];
    for (chains, drawn) in chains.chunks(grain).zip(&drawn) {
        for (&chain, drawn) in chains.iter().zip(drawn.chunks_exact(stride)) {
            words[chain * stride..(chain + 1) * stride].copy_from_slice(drawn);
        }
    }
    words
}

/// The numbers of the chains, those in the first state first.
fn in_order_of_states(count: usize, latent: &[i32]) -> Vec<usize> {
    let mut places = vec![0; count + 1];
    latent.iter().for_each(|&state| places[state as usize + 1] += 1);
    (0..count).for_each(|state| places[state + 1] += places[state]);
    let mut chains = vec![0; latent.len()];
    for (chain, &state) in latent.iter().enumerate() {
        let place = &mut places[state as usize];
        chains[*place] = chain;
        *place += 1;
    }
    chains
}

/// Draws for some chains in the order of their states.
struct DrawStates<'a> {
    states: &'a States,
    /// In the order of squares.
    odds: &'a Odds,
    /// Where they are logarithms.
    far: &'a [usize],
    visible: usize,
    latent: &'a [i32],
    chains: &'a [usize],
    draws: Draws,
}

impl WithSimd for DrawStates<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<u32> {
        let Self { states, odds, visible, .. } = self;
        let stride = visible.div_ceil(WORD);
        let draw = DrawRow::new(simd, visible, self.draws);
        let mut words = vec![0; self.chains.len() * stride];
        let mut of_state = odds.of_bias.clone();
        let mut squares = vec![[[0; SQUARES]; WORD]; visible.div_ceil(SQUARES * WORD)];
        let mut planes = vec![0; PLANES * padded(visible)];
        let mut previous = None;
        for (words, &chain) in words.chunks_exact_mut(stride).zip(self.chains) {
            let state = self.latent[chain] as usize;
            if previous != Some(state) {
                previous = Some(state);
                of_state.copy_from_slice(&odds.of_bias);
                states.for_values(
                    state,
                    #[inline(always)]
                    |value| {
                        let of_value = &odds.of_values[value * of_state.len()..][..of_state.len()];
                        for (odds, of_value) in of_state.iter_mut().zip(of_value) {
                            *odds *= of_value;
                        }
                    },
                );
                let thresholds = squares.as_flattened_mut().as_flattened_mut();
                for (threshold, &odds) in thresholds.iter_mut().zip(&of_state) {
                    *threshold = fraction(odds / (1.0 + odds));
                }
                for &place in self.far {
                    let mut logit = odds.of_bias[place];
                    states.for_values(state, |value| logit += odds.of_values[value * of_state.len() + place]);
                    thresholds[place] = threshold(logit);
                }
                planes_of(&mut squares, &mut planes);
            }
            draw.draw(chain, &planes, words);
        }
        words
    }
}

/// Draws an image for one chain after the other.
struct DrawRow<S: Simd> {
    simd: S,
    /// The words' pixels, `[W]`.
    valid: Vec<u32>,
    /// What the numbers of the first blocks of words differ by.
    blocks_apart: S::u32s,
    draws: Draws,
}

impl<S: Simd> DrawRow<S> {
    #[inline(always)]
    fn new(simd: S, visible: usize, draws: Draws) -> Self {
        let stride = visible.div_ceil(WORD);
        let mut valid = vec![!0; stride];
        if !visible.is_multiple_of(WORD) {
            valid[stride - 1] = (1 << (visible % WORD)) - 1;
        }
        let blocks_apart: Vec<u32> = (0..S::U32_LANES as u32).map(|lane| lane * BLOCKS as u32).collect();
        Self {
            simd,
            valid,
            blocks_apart: simd.partial_load_u32s(&blocks_apart),
            draws,
        }
    }

    /// The image of a chain, from the planes of its state.
    #[inline(always)]
    fn draw(&self, chain: usize, planes: &[u32], words: &mut [u32]) {
        let Self { simd, draws, .. } = *self;
        let (stride, padded) = (self.valid.len(), planes.len() / PLANES);
        let rest = draws.counter.map(|word| simd.splat_u32s(word));
        for word in (0..stride).step_by(S::U32_LANES) {
            let last = stride.min(word + S::U32_LANES);
            let first_block = ((chain * stride + word) as u64 * BLOCKS) as u32;
            let mut block = simd.add_u32s(simd.splat_u32s(first_block), self.blocks_apart);
            let mut lit = simd.splat_u32s(0);
            let mut open = simd.partial_load_u32s(&self.valid[word..last]);
            for planes in planes.chunks_exact(4 * padded) {
                let uniforms = philox(simd, [block, rest[0], rest[1], rest[2]], draws.key);
                for (plane, uniform) in planes.chunks_exact(padded).zip(uniforms) {
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
