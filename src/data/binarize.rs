//! From grey values to 0 and 1.

use ndarray::Array2;
use rand::Rng;
use rayon::prelude::*;

use super::packed::{PackedImages, pack_row};
use super::{GreyImages, Pixels};
use crate::kernels::bits::WORD;
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

/// All images above a threshold: a pixel is lit if grey / 255 > threshold.
pub fn above(threshold: f64, grey: &Array2<u8>) -> PackedImages {
    // grey > 255 t for an integer grey is grey > floor(255 t).
    let threshold = (255.0 * threshold).floor() as u8;
    let mut words = Vec::with_capacity(grey.nrows() * grey.ncols().div_ceil(WORD));
    for image in grey.rows() {
        pack_row(image.iter().map(|&grey| grey > threshold), &mut words);
    }
    PackedImages::from_words(words, grey.ncols())
}
