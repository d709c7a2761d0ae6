//! From grey values to 0 and 1.

use ndarray::{Array2, Axis};
use rand::Rng;
use rayon::prelude::*;

use super::{BinaryImages, Images};
use crate::config::Binarize;
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
    pub fn new(kind: Binarize, threshold: f64) -> Self {
        match kind {
            // grey > 255 t for an integer grey is grey > floor(255 t).
            Binarize::Threshold => Self::Threshold((255.0 * threshold).floor() as u8),
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

impl Images {
    /// The binary form of some images, in the order of `indices`; `generator` gives the draws of the image at a position and index,
    /// and is not asked where nothing is drawn.
    pub fn binary<R: Rng>(&self, indices: &[usize], generator: impl Fn(usize, usize) -> R + Sync) -> BinaryImages {
        let mut binary = Array2::zeros((indices.len(), self.grey.ncols()));
        binary
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(indices.par_iter().enumerate())
            .for_each(|(mut image, (position, &index))| {
                let grey = self.grey.row(index);
                match self.binarization {
                    Binarization::Threshold(threshold) => {
                        image.zip_mut_with(&grey, |pixel, &grey| *pixel = u8::from(grey > threshold));
                    }
                    Binarization::Stochastic => {
                        let mut generator = generator(position, index);
                        image.zip_mut_with(&grey, |pixel, &grey| {
                            *pixel = u8::from(uniform(&mut generator) < f32::from(grey) / 255.0);
                        });
                    }
                }
            });
        binary
    }
}
