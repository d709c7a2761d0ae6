//! Randomness and its only home: every draw is a pure function of (seed, stream, two indices, position).
//!
//! The generator is ChaCha with 8 rounds, which is counter-based: its key is made of the seed, the stream and two indices, and any
//! position can be had without the ones before it. So no generator has a state that a checkpoint would have to hold, no draw depends
//! on the number of threads or on the backend, and two streams never meet.

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// What a draw is for; the meaning of the two indices stands beside each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// The initial parameters (0, 0).
    Parameters = 1,
    /// The images the persistent chains start from (0, 0).
    ChainStart = 2,
    /// The order of the training images (epoch, 0).
    Shuffle = 3,
    /// Stochastic binarization of a training image (epoch, index of the image).
    Binarize = 4,
    /// Stochastic binarization for evaluation, the same all along a run (0 train or 1 test, index of the image).
    BinarizeEvaluation = 5,
    /// `z ~ p(.|x)` of the persistent chains (training step, chain step).
    Latent = 6,
    /// `x ~ q(.|z)` of the persistent chains (training step, chain step).
    Visible = 7,
    /// Stratified images of the latent kernel's estimate (training step, latent state).
    Kernel = 8,
    /// The order in which the classifier of generated images sees its data (epoch, 0).
    Classifier = 9,
}

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The generator of one stream at a pair of indices, at position 0.
    pub fn generator(self, stream: Stream, first: u64, second: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([self.0, stream as u64, first, second]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }

    /// A matrix of uniforms: entry (r, c) is draw number `r * columns + c` of the stream, whoever computes it.
    pub fn uniforms(self, stream: Stream, first: u64, second: u64, (rows, columns): (usize, usize)) -> Array2<f32> {
        /// Rows that one task fills; only a grain size, no draw depends on it.
        const ROWS: usize = 64;
        let mut values = vec![0.0; rows * columns];
        values
            .par_chunks_mut((ROWS * columns).max(1))
            .enumerate()
            .for_each(|(block, values)| {
                let mut generator = self.generator(stream, first, second);
                generator.set_word_pos((block * ROWS * columns) as u128);
                values.fill_with(|| uniform(&mut generator));
            });
        Array2::from_shape_vec((rows, columns), values).expect("rows x columns values were drawn")
    }
}

/// A uniform in [0, 1) of resolution 2^-24, the finest that f32 holds evenly. It can be 0 and is never 1, so that an event of
/// probability p is `uniform < p`.
pub fn uniform(generator: &mut impl Rng) -> f32 {
    (generator.next_u32() >> 8) as f32 * 2.0_f32.powi(-24)
}

/// A uniform in [0, 1) of resolution 2^-53.
pub fn uniform_f64(generator: &mut impl Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 * 2.0_f64.powi(-53)
}

/// A standard normal, by Box and Muller.
pub fn normal(generator: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform_f64(generator)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform_f64(generator)).cos()
}

/// A random order of `0..count`, by Fisher and Yates.
pub fn permutation(generator: &mut impl Rng, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = (uniform_f64(generator) * (last + 1) as f64) as usize;
        order.swap(last, other);
    }
    order
}
