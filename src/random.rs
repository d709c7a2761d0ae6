//! Random numbers, all of them: every draw is a pure function of (seed, stream, two indices, position).
//!
//! The generator is Philox4x32 with 10 rounds (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a keyed
//! bijection of a 128-bit counter, whose four words are four draws. The key is the seed; the counter holds the stream, its two indices
//! and the block:
//!
//! ```text
//! word 0   block, bits 0 to 31
//! word 1   second index
//! word 2   first index, bits 0 to 31
//! word 3   stream (8 bits), first index, bits 32 to 39 (8), block, bits 32 to 47 (16)
//! ```
//!
//! A checkpoint therefore holds no generator state; no draw depends on the backend, or on the number and order of threads; and two
//! streams never overlap.

use std::convert::Infallible;

use rand::{Rng, TryRng};

/// What a draw is for; the meaning of the two indices stands beside each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// The initial parameters: their noise (0, 0), the training images that they start from (1, start), the tanh units beside them (2, 0).
    Parameters = 1,
    /// The images the persistent chains start from (0, 0).
    ChainStart = 2,
    /// The order of the training images (epoch, 0).
    Shuffle = 3,
    /// Stochastic binarization of a training image (epoch, index of the image).
    Binarize = 4,
    /// Stochastic binarization for evaluation, the same all along a run (0 train or 1 test, index of the image).
    BinarizeEvaluation = 5,
    /// `z ~ p(.|x)` of the chains (training step, chain step); chains of trained models, see [`crate::generation`], have times from
    /// 2^39 on in place of the step.
    Latent = 6,
    /// `x ~ q(.|z)` of the chains, as for `Latent`.
    Visible = 7,
    /// Images of each latent state for estimates of the kernel, in training and in an analysis (training step, latent state).
    Kernel = 8,
    /// Images of an analysis, drawn in each latent state along its proposals (training step, latent state).
    Proposal = 10,
    /// The same images of an analysis while it finds out along which proposals to draw (training step, twice the latent state; and one index on, along its proposals).
    Pilot = 32,
    /// Where chains of trained models start: their states (0, 0), their images (1, 0).
    Generated = 11,
    /// Images of the film strips in a report (strip, frame), and its walk (2^33, step).
    Film = 12,
    /// Images of each latent state for gradients that need the latent kernel (training step, 0).
    Strata = 13,
    /// The starts that expectation and maximization tries (start, 0).
    Restart = 14,
    /// Which training images are held out while the pseudo-count is chosen (0, 0).
    HeldOut = 15,
    /// How an analysis shuffles the transitions of its null model (chain, 0).
    Shuffled = 16,
    /// The order in which the classifier of generated images sees its data (epoch, 0).
    Classifier = 9,
    /// Seeds resampled for the bootstrap intervals of a sweep's correlations (replicate, 0).
    Bootstrap = 20,
    /// Paths `z -> x -> z'` of an analysis whose entropy is counted (block of paths, twice the step): their images; and one index on, their states.
    Fluctuation = 24,
    /// Images of each latent state for autocorrelation times (training step, group of draws).
    Autocorrelation = 26,
    /// Candidates for the posterior of a minibatch (training step, 0).
    Candidates = 27,
    /// Chains of units whose states are not listed, of an evaluation or an analysis (training step and what the walk is for, twice the chain step: their words; and one
    /// index on, their images).
    FreshChains = 28,
    /// Candidates for the posterior of images, of an evaluation or an analysis (training step, block of images).
    Bound = 29,
    /// Annealed importance sampling (step of the annealing, 0: words, 1: images).
    Annealing = 30,
    /// Images of words for the information that a step hands on (training step, word).
    Information = 31,
    /// Latent paths of an analysis that are read as a time series (repetition, 0).
    TimeSeries = 25,
}

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// One stream at a pair of indices; `first` is below 2^40 and `second` below 2^32.
    pub fn draws(self, stream: Stream, first: u64, second: u64) -> Draws {
        debug_assert!(first < 1 << 40 && second < 1 << 32);
        Draws {
            key: [self.0 as u32, (self.0 >> 32) as u32],
            counter: [second as u32, first as u32, stream as u32 | ((first >> 32) as u32 & 0xFF) << 8],
        }
    }

    /// One stream as a generator of draws in their order.
    pub fn generator(self, stream: Stream, first: u64, second: u64) -> Generator {
        self.draws(stream, first, second).generator()
    }
}

/// One stream at one pair of indices: four draws at each block, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Philox's key.
    pub key: [u32; 2],
    /// Words 1 to 3 of its counter, for blocks below 2^32.
    pub counter: [u32; 3],
}

impl Draws {
    /// The draws one after the other.
    pub fn generator(self) -> Generator {
        Generator {
            draws: self,
            position: 0,
            words: [0; 4],
        }
    }

    /// The blocks from `part` times 2^32 on, counted from 0; `part` is below 2^16.
    pub fn part(self, part: u64) -> Self {
        debug_assert!(part < 1 << 16);
        let [second, first, stream] = self.counter;
        Self {
            counter: [second, first, stream | (part as u32) << 16],
            ..self
        }
    }

    /// The four draws of a block; `block` is below 2^48.
    pub fn block(self, block: u64) -> [u32; 4] {
        let [second, first, stream] = self.counter;
        philox([block as u32, second, first, stream ^ ((block >> 32) as u32) << 16], self.key)
    }
}

/// Philox's multipliers of the first and third word.
pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What each round adds to the key: the golden ratio and sqrt(3) - 1.
pub const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Rounds; Random123's own choice, three above the fewest that pass its tests.
pub const ROUNDS: usize = 10;

/// Philox4x32-10.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [first, second] = [0, 1].map(|i| u64::from(counter[2 * i]) * u64::from(MULTIPLIERS[i]));
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [0, 1].map(|i| key[i].wrapping_add(KEY_STEPS[i]));
    }
    counter
}

/// The draws of a stream one after the other, for code on the host that takes any [`Rng`].
#[derive(Clone, Debug)]
pub struct Generator {
    draws: Draws,
    /// Draws returned so far.
    position: u64,
    /// The present block.
    words: [u32; 4],
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.position.is_multiple_of(4) {
            self.words = self.draws.block(self.position / 4);
        }
        let word = self.words[(self.position % 4) as usize];
        self.position += 1;
        Ok(word)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [low, high] = [self.try_next_u32()?, self.try_next_u32()?];
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(4) {
            part.copy_from_slice(&self.try_next_u32()?.to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// A draw as a number in [0, 1) of resolution 2^-24, the finest that f32 holds evenly. It can be 0 and is never 1, so that an event of
/// probability p is `unit(draw) < p`.
pub fn unit(draw: u32) -> f32 {
    (draw >> 8) as f32 * 2.0_f32.powi(-24)
}

/// A uniform in [0, 1) of resolution 2^-24.
pub fn uniform(generator: &mut impl Rng) -> f32 {
    unit(generator.next_u32())
}

/// A uniform in [0, 1) of resolution 2^-53.
pub fn uniform_f64(generator: &mut impl Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 * 2.0_f64.powi(-53)
}

/// An index in proportion to its weight; the last where rounding leaves something beyond it.
pub fn categorical(generator: &mut impl Rng, weights: &[f64]) -> usize {
    let mut left = uniform_f64(generator) * weights.iter().sum::<f64>();
    let falls_below = |weight: &f64| {
        left -= weight;
        left < 0.0
    };
    weights.iter().position(falls_below).unwrap_or(weights.len() - 1)
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
