//! From grey values to 0 and 1.

use ndarray::Array2;
use rand::Rng;
use rayon::prelude::*;

use super::GreyImages;
use super::packed::{PackedImages, pack_row};
use crate::config::Binarize;
use crate::kernels::bits::WORD;
use crate::random::uniform;

/// How a grey value 0..=255 becomes a binary pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binarization {
    /// Lit above this byte.
    Threshold(u8),
    /// Lit with probability grey / 255, drawn anew each epoch.
    Stochastic,
}

impl Binarization {
    /// From the configuration; a pixel is lit if grey / 255 > threshold.
    pub fn new(kind: Binarize) -> Self {
        match kind {
            // grey > 255 t for an integer grey is grey > floor(255 t).
            Binarize::Threshold(threshold) => Self::Threshold((255.0 * threshold).floor() as u8),
            Binarize::Stochastic => Self::Stochastic,
        }
    }

    /// The probability that a pixel of this grey value is lit.
    pub fn probability(self, grey: u8) -> f64 {
        match self {
            Self::Threshold(threshold) => f64::from(u8::from(grey > threshold)),
            Self::Stochastic => f64::from(grey) / 255.0,
        }
    }
}

impl GreyImages {
    /// The binary form of some images, in the order of `indices`; `generator` gives the draws of the image at a position and index,
    /// and is not asked where nothing is drawn.
    pub fn binary<R: Rng>(&self, indices: &[usize], generator: impl Fn(usize, usize) -> R + Sync) -> PackedImages {
        if let Some(binary) = &self.binary {
            return binary.select(indices);
        }
        let words = indices.par_iter().enumerate().flat_map_iter(|(position, &index)| {
            let mut generator = generator(position, index);
            let grey = self.grey.row(index);
            let lit = grey.iter().map(|&grey| uniform(&mut generator) < f32::from(grey) / 255.0);
            let mut words = Vec::new();
            pack_row(lit, &mut words);
            words
        });
        PackedImages::from_words(words.collect(), self.grey.ncols())
    }
}

/// All images above a threshold.
pub fn above(threshold: u8, grey: &Array2<u8>) -> PackedImages {
    let mut words = Vec::with_capacity(grey.nrows() * grey.ncols().div_ceil(WORD));
    for image in grey.rows() {
        pack_row(image.iter().map(|&grey| grey > threshold), &mut words);
    }
    PackedImages::from_words(words, grey.ncols())
}
