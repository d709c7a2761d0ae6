//! Binary images side by side as a PNG picture, or one after the other as an animated GIF.

use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, GrayImage, ImageError, Luma};

use ndarray::Array2;

use super::png;
use crate::data::BinaryImages;
use crate::data::packed::PackedImages;

/// Width and height that a picture does not pass.
const LARGEST: usize = 16_384;
/// The grey between images.
const GAP: u8 = 96;

/// How images of one size are laid out; small ones are enlarged.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    rows: usize,
    columns: usize,
    /// Side of a pixel.
    scale: usize,
}

impl Grid {
    /// For images of so many rows and columns.
    pub fn new(size: (usize, usize)) -> Self {
        Self::as_large_as(56, size)
    }

    /// The same for films, whose frames are larger.
    pub fn of_film(size: (usize, usize)) -> Self {
        Self::as_large_as(168, size)
    }

    fn as_large_as(side: usize, (rows, columns): (usize, usize)) -> Self {
        Self {
            rows,
            columns,
            scale: (side / rows.max(columns)).max(1),
        }
    }

    /// Most images in a row, and most rows, at least one.
    pub fn room(self) -> (usize, usize) {
        let (height, width) = self.cell();
        ((LARGEST / width).max(1), (LARGEST / height).max(1))
    }

    /// Height and width of an image with the gap after it.
    fn cell(self) -> (usize, usize) {
        (self.rows * self.scale + 2, self.columns * self.scale + 2)
    }

    /// Grey levels `[N, D]` of images in rows of `across`, as the bytes of a PNG file.
    pub fn png(self, images: &Levels, across: usize) -> Vec<u8> {
        png::bytes(self.picture(images, across))
    }

    /// Frames `[chains, D]`, each with its chains side by side, as the bytes of an animated GIF that shows four a second, again and again.
    ///
    /// # Errors
    /// When a frame is larger than a GIF can be.
    pub fn gif(self, frames: impl IntoIterator<Item = Levels>) -> Result<Vec<u8>, ImageError> {
        const SHOWN: Duration = Duration::from_millis(250);
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        encoder.set_repeat(Repeat::Infinite)?;
        for images in frames {
            let picture = DynamicImage::from(self.picture(&images, images.nrows()));
            encoder.encode_frame(Frame::from_parts(
                picture.into_rgba8(),
                0,
                0,
                Delay::from_saturating_duration(SHOWN),
            ))?;
        }
        drop(encoder);
        Ok(bytes)
    }

    fn picture(self, images: &Levels, across: usize) -> GrayImage {
        let (height, width) = self.cell();
        let down = images.nrows().div_ceil(across);
        let mut picture = GrayImage::from_pixel((across * width + 2) as u32, (down * height + 2) as u32, Luma([GAP]));
        for (index, image) in images.rows().into_iter().enumerate() {
            let (left, top) = (2 + index % across * width, 2 + index / across * height);
            for y in 0..self.rows * self.scale {
                for x in 0..self.columns * self.scale {
                    let level = image[y / self.scale * self.columns + x / self.scale];
                    picture.put_pixel((left + x) as u32, (top + y) as u32, Luma([level]));
                }
            }
        }
        picture
    }
}

/// Grey levels of pixels, `[N, D]`, 255 being white.
pub type Levels = Array2<u8>;

/// Binary images with lit pixels in white.
pub fn of_bits(images: &BinaryImages) -> Levels {
    images.mapv(|lit| 255 * lit)
}

/// Probabilities to be lit as grey levels.
pub fn of_means(means: &Array2<f64>) -> Levels {
    means.mapv(|mean| (255.0 * mean).round() as u8)
}

/// The most images in samples.png.
pub const SAMPLES: usize = 100;

/// The first [`SAMPLES`] images in rows of ten; fewer, where there are fewer or where they are very large.
pub fn samples(images: &PackedImages, size: (usize, usize)) -> Vec<u8> {
    /// Width and height of a picture that is easily looked at.
    const EASY: usize = 4096;
    let grid = Grid::new(size);
    let (height, width) = grid.cell();
    let across = 10.min((EASY / width).max(1)).min(images.len().max(1));
    let down = 10.min((EASY / height).max(1));
    let first: Vec<usize> = (0..images.len().min(across * down)).collect();
    grid.png(&of_bits(&images.select(&first).unpack()), across)
}
