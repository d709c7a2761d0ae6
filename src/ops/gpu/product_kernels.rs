//! Kernels: products of binary images, which add the rows of a table that lit pixels name; and of numbers.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::logspace_kernels::sum_of_lanes;
use super::pixel_kernels::bit;
use super::{CUBE, SIDE};

/// `s_k + sum_i x_ni M_ik`, where there are s: `lanes` times `width` threads for an image and `columns` times as many states, which share the words of the image.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn affine_kernel(
    words: &Array<u32>,
    table: &Array<f32>,
    start: &Array<f32>,
    sums: &mut Array<f32>,
    images: u32,
    stride: u32,
    latent: u32,
    next_row: u32,
    next_column: u32,
    #[comptime] width: u32,
    #[comptime] columns: u32,
    #[comptime] lanes: u32,
    #[comptime] starts: bool,
) {
    let block = CUBE_POS as u32 * comptime!(CUBE / width / lanes) + UNIT_POS / comptime!(width * lanes);
    // Cubes that run at a time read the same columns of the table, which stay in the nearest cache.
    let (tile, image) = (block / images, block % images);
    let first = tile * comptime!(width * columns) + UNIT_POS % width;
    let lane = UNIT_POS / width % lanes;
    let mut totals = Array::<f32>::new(comptime!(columns as usize));
    let mut of_word = Array::<f32>::new(comptime!(columns as usize));
    let mut places = Array::<u32>::new(comptime!(columns as usize));
    #[unroll]
    for column in 0..columns {
        totals[column as usize] = 0.0f32;
        places[column as usize] = u32::min(first + column * width, latent - 1u32) * next_column;
    }
    let mut word = select(first < latent, lane, stride);
    while word < stride {
        #[unroll]
        for column in 0..columns {
            of_word[column as usize] = 0.0f32;
        }
        let mut bits = words[(image * stride + word) as usize];
        while bits != 0u32 {
            let row = (word * 32u32 + bits.trailing_zeros()) * next_row;
            #[unroll]
            for column in 0..columns {
                of_word[column as usize] += table[(row + places[column as usize]) as usize];
            }
            bits &= bits - 1u32;
        }
        #[unroll]
        for column in 0..columns {
            totals[column as usize] += of_word[column as usize];
        }
        word += lanes;
    }
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    #[unroll]
    for column in 0..columns {
        let state = first + column * width;
        let mut sum = sum_of_lanes(totals[column as usize], &mut parts, lane, lanes, width);
        if state < latent && lane == 0u32 {
            if comptime!(starts) {
                sum += start[state as usize];
            }
            sums[(image * latent + state) as usize] = sum;
        }
    }
}

/// Bits of images `[N, D]` as those of pixels `[D, N]`, a thread for each 32 of one pixel.
#[cube(launch_unchecked)]
pub(super) fn transpose_kernel(words: &Array<u32>, transposed: &mut Array<u32>, images: u32, visible: u32, stride: u32, groups: u32) {
    if ABSOLUTE_POS >= transposed.len() {
        terminate!();
    }
    // Neighbours read the same words.
    let position = ABSOLUTE_POS as u32;
    let (pixel, group) = (position % visible, position / visible);
    let (first, last) = (group * 32u32, u32::min(group * 32u32 + 32u32, images));
    let mut bits = 0u32;
    for image in first..last {
        bits |= bit(words, image * stride, pixel) << (image - first);
    }
    transposed[(pixel * groups + group) as usize] = bits;
}

/// `t_ik / N - rho_k s_ki`, `[L, D]`, a thread for each.
#[cube(launch_unchecked)]
pub(super) fn residuals_kernel(
    totals: &Array<f32>,
    rho: &Array<f32>,
    means: &Array<f32>,
    residuals: &mut Array<f32>,
    count: f32,
    latent: u32,
    visible: u32,
) {
    if ABSOLUTE_POS >= residuals.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let (state, pixel) = (position / visible, position % visible);
    residuals[ABSOLUTE_POS] = totals[(pixel * latent + state) as usize] / count - rho[state as usize] * means[ABSOLUTE_POS];
}

/// Bits as 0.0 and 1.0, a thread for each.
#[cube(launch_unchecked)]
pub(super) fn unpack_kernel(words: &Array<u32>, pixels: &mut Array<f32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= pixels.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let image = position / visible;
    let pixel = position % visible;
    pixels[ABSOLUTE_POS] = f32::cast_from(bit(words, image * stride, pixel));
}

/// `sum_m a_nm b_mk`, `[N, K]`, of numbers: a cube for each square of [`SIDE`] times [`SIDE`], which reads as large squares of both factors at a time.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn dense_kernel(a: &Array<f32>, b: &Array<f32>, found: &mut Array<f32>, rows: u32, inner: u32, columns: u32, tiles: u32) {
    let (row_here, column_here) = (UNIT_POS / SIDE, UNIT_POS % SIDE);
    let row = CUBE_POS as u32 / tiles * SIDE + row_here;
    let column = CUBE_POS as u32 % tiles * SIDE + column_here;
    let mut of_a = SharedMemory::<f32>::new(CUBE as usize);
    let mut of_b = SharedMemory::<f32>::new(CUBE as usize);
    let mut sum = 0.0f32;
    let mut first = 0u32;
    while first < inner {
        let (a_column, b_row) = (first + column_here, first + row_here);
        let mut from_a = 0.0f32;
        if row < rows && a_column < inner {
            from_a = a[(row * inner + a_column) as usize];
        }
        let mut from_b = 0.0f32;
        if b_row < inner && column < columns {
            from_b = b[(b_row * columns + column) as usize];
        }
        of_a[UNIT_POS as usize] = from_a;
        of_b[UNIT_POS as usize] = from_b;
        sync_cube();
        let mut of_square = 0.0f32;
        for middle in 0..SIDE {
            of_square += of_a[(row_here * SIDE + middle) as usize] * of_b[(middle * SIDE + column_here) as usize];
        }
        sum += of_square;
        sync_cube();
        first += SIDE;
    }
    if row < rows && column < columns {
        found[(row * columns + column) as usize] = sum;
    }
}
