//! Binary images on the host, 32 pixels to a word.

use super::BinaryImages;
use crate::kernels::bits::{Bits, WORD};

/// N binary images of D pixels, one after the other in whole words; pixel i in bit i mod 32 of word i / 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedImages {
    words: Vec<u32>,
    pixels: usize,
}

impl PackedImages {
    /// From whole words, of which each image takes `ceil(pixels / 32)`.
    pub fn from_words(words: Vec<u32>, pixels: usize) -> Self {
        Self { words, pixels }
    }

    /// From `[N, D]` of 0s and 1s.
    pub fn pack(images: &BinaryImages) -> Self {
        let pixels = images.ncols();
        let mut words = Vec::with_capacity(images.nrows() * pixels.div_ceil(WORD));
        for image in images.rows() {
            pack_row(image.iter().map(|&pixel| pixel != 0), &mut words);
        }
        Self { words, pixels }
    }

    /// As `[N, D]` of 0s and 1s.
    pub fn unpack(&self) -> BinaryImages {
        let bits = self.bits();
        BinaryImages::from_shape_fn((self.len(), self.pixels), |(image, pixel)| {
            (bits.row(image)[pixel / WORD] >> (pixel % WORD) & 1) as u8
        })
    }

    /// Some of the images, in the order of `indices`.
    pub fn select(&self, indices: &[usize]) -> Self {
        let bits = self.bits();
        Self {
            words: indices.iter().flat_map(|&index| bits.row(index)).copied().collect(),
            pixels: self.pixels,
        }
    }

    /// The images as a matrix of bits.
    pub fn bits(&self) -> Bits<'_> {
        Bits {
            words: &self.words,
            columns: self.pixels,
        }
    }

    /// How many of the images light each pixel, `[D]`.
    pub fn lit(&self) -> Vec<usize> {
        let bits = self.bits();
        let mut lit = vec![0; self.pixels];
        for image in 0..self.len() {
            for (word, counts) in bits.row(image).iter().zip(lit.chunks_mut(WORD)) {
                let mut left = *word;
                while left != 0 {
                    counts[left.trailing_zeros() as usize] += 1;
                    left &= left - 1;
                }
            }
        }
        lit
    }

    /// All words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// N.
    pub fn len(&self) -> usize {
        self.bits().rows()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// D.
    pub fn pixels(&self) -> usize {
        self.pixels
    }
}

/// Appends one image.
pub fn pack_row(pixels: impl ExactSizeIterator<Item = bool>, words: &mut Vec<u32>) {
    let first = words.len();
    words.resize(first + pixels.len().div_ceil(WORD), 0);
    for (pixel, lit) in pixels.enumerate() {
        words[first + pixel / WORD] |= u32::from(lit) << (pixel % WORD);
    }
}
