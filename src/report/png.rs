//! Small pictures inside the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, GrayImage, RgbImage};

/// A picture as an address that holds it, for an `<img>` or SVG's `<image>`.
pub fn data_uri(picture: impl Into<DynamicImage>) -> String {
    of_bytes(&bytes(picture))
}

/// The bytes of a PNG file as an address.
pub fn of_bytes(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

/// A picture as the bytes of a PNG file.
pub fn bytes(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Not `write_to`, which would compile the encoders of all formats.
    picture
        .into()
        .write_with_encoder(PngEncoder::new(&mut bytes))
        .expect("a picture in memory can be encoded");
    bytes
}

/// An image of pixel intensities between 0 and 1, row by row.
pub fn gray(intensities: impl Iterator<Item = f64>, (rows, columns): (usize, usize)) -> GrayImage {
    let mut picture = GrayImage::new(columns as u32, rows as u32);
    for (pixel, intensity) in picture.pixels_mut().zip(intensities) {
        pixel.0 = [(255.0 * intensity).round() as u8];
    }
    picture
}

/// A square picture of `side` x `side` cells of one colour each.
pub fn cells(side: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(side as u32, side as u32, |column, row| {
        image::Rgb(colour(row as usize, column as usize))
    })
}
