//! A grid of binary images as a PNG picture.

use std::io::Cursor;

use image::{GrayImage, ImageFormat, Luma};

use crate::data::BinaryImages;

/// Images in a row, and rows, of the grid.
const SIDE: usize = 10;
/// Width and height that a picture does not pass by much.
const LARGEST: usize = 4096;
/// The grey between images.
const GAP: u8 = 96;

/// The first 100 images (fewer, where there are fewer or where they are very large) in rows of ten, lit pixels white, as the bytes
/// of a PNG file. Small images are enlarged.
pub fn png(images: &BinaryImages, rows: usize, columns: usize) -> Vec<u8> {
    let scale = (56 / rows.max(columns)).max(1);
    let (height, width) = (rows * scale + 2, columns * scale + 2);
    let across = SIDE.min((LARGEST / width).max(1)).min(images.nrows().max(1));
    let down = SIDE.min((LARGEST / height).max(1)).min(images.nrows().div_ceil(across));
    let mut picture = GrayImage::from_pixel((across * width + 2) as u32, (down * height + 2) as u32, Luma([GAP]));
    for (index, image) in images.rows().into_iter().take(across * down).enumerate() {
        let (left, top) = (2 + index % across * width, 2 + index / across * height);
        for y in 0..rows * scale {
            for x in 0..columns * scale {
                let lit = image[y / scale * columns + x / scale];
                picture.put_pixel((left + x) as u32, (top + y) as u32, Luma([255 * lit]));
            }
        }
    }
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("a grey picture in memory can be encoded");
    bytes.into_inner()
}
