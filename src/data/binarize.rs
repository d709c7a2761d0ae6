//! From grey values to 0 and 1, where they are probabilities.

use rand::Rng;
use rayon::prelude::*;

use super::images::{GreyImages, Pixels};
use super::packed::{PackedImages, pack_row};
use crate::random::uniform;

impl GreyImages {
    /// The binary form of some images, in the order of `indices`; `generator` gives the draws of the image at a position and index,
    /// and is not asked where nothing is drawn.
    pub fn binary<R: Rng>(&self, indices: &[usize], generator: impl Fn(usize, usize) -> R + Sync) -> PackedImages {
        let grey = match &self.pixels {
            Pixels::Binary(images) => return images.select(indices),
            Pixels::Grey(grey) => grey,
        };
        let words = indices.par_iter().enumerate().flat_map_iter(|(position, &index)| {
            let mut generator = generator(position, index);
            let image = grey.row(index);
            let lit = image.iter().map(|&grey| uniform(&mut generator) < f32::from(grey) / 255.0);
            let mut words = Vec::new();
            pack_row(lit, &mut words);
            words
        });
        PackedImages::from_words(words.collect(), grey.ncols())
    }
}
