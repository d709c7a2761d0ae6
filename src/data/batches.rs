//! Minibatches over shuffled epochs, as a function of the step alone.

use super::GreyImages;
use super::packed::PackedImages;
use crate::random::{Seed, Stream, permutation};

/// The endless sequence of shuffled epochs, cut into batches of one size.
///
/// Image number `m` of the sequence belongs to epoch `m / n`; each epoch has an order of its own. A batch may straddle two epochs, so
/// every image is seen equally often. Nothing but the step says where one is, which makes a resumed run see the same batches.
pub struct Batches<'data> {
    images: &'data GreyImages,
    size: usize,
    seed: Seed,
    /// The order of the latest epoch, kept because it serves many batches.
    epoch: u64,
    order: Vec<usize>,
}

impl<'data> Batches<'data> {
    /// Batches of `size` images.
    pub fn new(images: &'data GreyImages, size: usize, seed: Seed) -> Self {
        Self {
            images,
            size,
            seed,
            epoch: 0,
            order: order(images, seed, 0),
        }
    }

    /// The batch of a training step.
    pub fn at(&mut self, step: u64) -> PackedImages {
        let count = self.images.len() as u64;
        let first = step * self.size as u64;
        let mut epochs = Vec::with_capacity(self.size);
        let mut indices = Vec::with_capacity(self.size);
        for position in first..first + self.size as u64 {
            let epoch = position / count;
            if epoch != self.epoch {
                self.epoch = epoch;
                self.order = order(self.images, self.seed, epoch);
            }
            epochs.push(epoch);
            indices.push(self.order[(position % count) as usize]);
        }
        self.images.binary(&indices, |position, image| {
            self.seed.generator(Stream::Binarize, epochs[position], image as u64)
        })
    }
}

fn order(images: &GreyImages, seed: Seed, epoch: u64) -> Vec<usize> {
    permutation(&mut seed.generator(Stream::Shuffle, epoch, 0), images.len())
}
