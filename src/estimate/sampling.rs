//! How images are drawn for an estimate: how many, in which groups, by which random numbers.

use std::ops::Range;

use super::EstimateError;
use super::selection::{MOST_TIMES, MOST_WHOLE, Selection};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::random::{Draws, Seed, Stream};

/// Groups of draws for the jackknife.
pub const GROUPS: usize = 32;

/// How many images are drawn, and by which random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Groups.
    groups: usize,
    /// Images of a group from each proposal, at least one; see [`Sampling::for_rare`].
    each: usize,
    seed: Seed,
    time: u64,
    /// Are the draws those of a pilot?
    pilot: bool,
}

impl Sampling {
    /// M images from each proposal, rounded up to a multiple of the groups, here [`GROUPS`].
    pub fn new(samples: usize, seed: Seed) -> Self {
        Self::in_groups(GROUPS, samples, seed)
    }

    /// The same in so many groups.
    pub fn in_groups(groups: usize, samples: usize, seed: Seed) -> Self {
        Self {
            groups,
            each: samples.div_ceil(groups).max(1),
            seed,
            time: 0,
            pilot: false,
        }
    }

    /// Sixteen images from each proposal, apart from all other draws: to see what is worth drawing.
    pub(super) fn pilot(self) -> Self {
        Self {
            groups: 16,
            each: 1,
            pilot: true,
            ..self
        }
    }

    /// The same, but more images, where there are no proposals but the states' own.
    pub(super) fn plain_pilot(self) -> Self {
        Self { each: 32, ..self.pilot() }
    }

    /// [`GROUPS`] or fewer, as many as the memory has room for: each has a table `[L, L]`, and all of them together take 1.1 GB at most.
    pub fn groups_of(latent: usize) -> usize {
        ((1 << 27) / (latent * latent)).clamp(8, GROUPS)
    }

    /// Keys the draws with a time besides: the training step of a checkpoint.
    pub fn at(self, time: u64) -> Self {
        Self { time, ..self }
    }

    /// M, images from each proposal: a multiple of the groups.
    pub fn samples(&self) -> usize {
        self.each * self.groups
    }

    /// Groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Images of each group.
    pub(super) fn each(&self) -> usize {
        self.each
    }

    /// Images of each group along the tilt of a transition that counts only beside its reverse: a quarter, rounded up. At 500 states and M along
    /// every other tilt the draws then take two thirds of the time, and the error of the latent entropy production is 1.6 times as large.
    pub(super) fn for_rare(&self) -> usize {
        self.each.div_ceil(4)
    }

    /// The same of all groups.
    pub fn samples_for_rare(&self) -> usize {
        self.for_rare() * self.groups
    }

    /// The most images along a tilt in units of M: more than one where some transitions are chosen, as far as the streams of the states have room.
    pub(super) fn most_times(&self, latent: usize) -> usize {
        let most = if latent <= MOST_WHOLE { 1 } else { MOST_TIMES };
        most.min(Self::most_samples(latent) / self.samples()).max(1)
    }

    /// The draws of a state in a stream.
    pub(super) fn draws(&self, stream: Stream, state: usize) -> Draws {
        if self.pilot {
            let place = 2 * state + usize::from(stream == Stream::Proposal);
            return self.seed.draws(Stream::Pilot, self.time, place as u64);
        }
        self.seed.draws(stream, self.time, state as u64)
    }

    /// As many images as keep the work about the same for every number of states, at most 20,480; where not all transitions are drawn along tilts of their
    /// own, as few as let a pilot say which need more, at least 64.
    pub fn default_samples(latent: usize) -> usize {
        let samples = if latent <= MOST_WHOLE {
            ((1 << 24) / (latent * latent)).min(20_480)
        } else {
            ((1 << 15) / latent).max(64)
        };
        samples / GROUPS * GROUPS
    }

    /// The same for plain means: at most 20,480 and at least 512.
    pub fn default_plain_samples(latent: usize) -> usize {
        ((1 << 21) / latent).clamp(512, 20_480) / GROUPS * GROUPS
    }

    /// Is there room for so many draws?
    ///
    /// # Errors
    /// When there are more than [`Sampling::most_samples`].
    pub(super) fn check(&self, latent: usize) -> Result<(), EstimateError> {
        let (samples, most) = (self.samples(), Self::most_samples(latent));
        if samples > most {
            return Err(EstimateError::TooManySamples { samples, latent, most });
        }
        Ok(())
    }

    /// The most images from each proposal: 6.7e7 from all proposals of a state, for which its stream has room.
    pub fn most_samples(latent: usize) -> usize {
        (1 << 26) / (latent + 1) / GROUPS * GROUPS
    }

    /// The most parts that [`super::stratified::Strata::draw`] announces: one for every block of images that a state draws.
    pub fn plain_parts(&self, latent: usize) -> usize {
        latent * blocks(self.groups, self.each).count()
    }

    /// The most parts that [`super::importance::sample`] announces: one for every block of images that a state draws.
    pub fn parts(&self, latent: usize) -> usize {
        let draws = blocks(self.groups, self.each).count() + blocks(self.groups, latent * self.most_times(latent) * self.each).count();
        Selection::parts(latent) + latent * draws
    }

    /// The images of q(.|j), some at a time, with the group they belong to; the same whenever they are asked for.
    pub fn images_of<'a>(&self, model: &'a Conditionals, state: usize) -> impl Iterator<Item = (usize, PackedImages)> + 'a {
        let draws = self.draws(Stream::Kernel, state);
        let states = vec![state as i32; self.each];
        blocks(self.groups, states.len()).map(move |(group, part, block)| (group, model.draw(&states[block], draws.part(part))))
    }
}

/// For every group, `count` images a block at a time: the group, the number of the block among all, the block.
pub(super) fn blocks(groups: usize, count: usize) -> impl Iterator<Item = (usize, u64, Range<usize>)> {
    /// Images held at a time.
    const BLOCK: usize = 2048;
    let blocks = count.div_ceil(BLOCK);
    (0..groups * blocks).map(move |part| {
        let (group, block) = (part / blocks, part % blocks);
        (group, part as u64, block * BLOCK..count.min((block + 1) * BLOCK))
    })
}

/// Blocks of several groups, one after the other.
pub(super) struct Batch {
    pub images: PackedImages,
    /// Of each block its group, and where its images lie.
    pub blocks: Vec<(usize, Range<usize>)>,
}

/// Blocks put together until there are some images: a product with a wide table has the same work before its first image, however few they are.
pub(super) fn batches(blocks: impl Iterator<Item = (usize, PackedImages)>) -> impl Iterator<Item = Batch> {
    const IMAGES: usize = 1024;
    let mut blocks = blocks.peekable();
    std::iter::from_fn(move || {
        let pixels = blocks.peek()?.1.pixels();
        let (mut words, mut places, mut count) = (Vec::new(), Vec::new(), 0);
        while count < IMAGES
            && let Some((group, images)) = blocks.next()
        {
            places.push((group, count..count + images.len()));
            count += images.len();
            words.extend_from_slice(images.words());
        }
        Some(Batch {
            images: PackedImages::from_words(words, pixels),
            blocks: places,
        })
    })
}

/// The mean over all groups, or over all but one.
pub fn mean_of_groups(groups: impl Iterator<Item = f64>, left_out: Option<usize>) -> f64 {
    let kept = groups.enumerate().filter(|(group, _)| Some(*group) != left_out);
    let (sum, count) = kept.fold((0.0, 0.0), |(sum, count), (_, value)| (sum + value, count + 1.0));
    sum / count
}
