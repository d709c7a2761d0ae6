//! Kernels: pixels that are lit with probability s(a).

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::CUBE;
use super::logspace_kernels::{lane_and_row, sum_of_lanes};

/// `s(a)`, and `ln(1 + e^a)`; nats.
#[cube]
pub(super) fn sigmoid_and_softplus(a: f32) -> (f32, f32) {
    let e = f32::exp(-f32::abs(a));
    let larger = 1.0f32 / (1.0f32 + e);
    let mut mean = larger;
    if a < 0.0f32 {
        mean = e * larger;
    }
    (mean, f32::ln(1.0f32 + e) + f32::max(a, 0.0f32))
}

/// 1 where the pixel of an image is lit, of words of which those of the image begin at `first`.
#[cube]
pub(super) fn bit(words: &Array<u32>, first: u32, pixel: u32) -> u32 {
    (words[(first + pixel / 32u32) as usize] >> (pixel % 32u32)) & 1u32
}

/// `s(a_ki)`, `[L, D]`, and `-sum_i ln(1 + e^a_ki)`, `[L]`; `lanes` threads for a row.
#[cube(launch_unchecked)]
pub(super) fn bernoulli_kernel(
    logits: &Array<f32>,
    means: &mut Array<f32>,
    log_dark: &mut Array<f32>,
    rows: u32,
    visible: u32,
    #[comptime] lanes: u32,
) {
    let (lane, row) = lane_and_row(lanes);
    let end = select(row < rows, visible, 0u32);
    let mut sum = 0.0f32;
    let mut pixel = lane;
    while pixel < end {
        let place = (row * visible + pixel) as usize;
        let (mean, softplus) = sigmoid_and_softplus(logits[place]);
        means[place] = mean;
        sum += softplus;
        pixel += lanes;
    }
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, 1u32);
    if row < rows && lane == 0u32 {
        log_dark[row as usize] = -sum;
    }
}

/// `ln q(x_m|a_l) = sum_i ( x_mi a_li - ln(1 + e^a_li) )`, `[N]`, and `x_mi - s(a_li)`, `[N, D]`, m = n / `of_image` and l = n / `of_logits`; `lanes` threads
/// for a row.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn log_bernoulli_kernel(
    words: &Array<u32>,
    logits: &Array<f32>,
    log_q: &mut Array<f32>,
    residuals: &mut Array<f32>,
    of_image: u32,
    of_logits: u32,
    rows: u32,
    stride: u32,
    visible: u32,
    #[comptime] lanes: u32,
) {
    let (lane, row) = lane_and_row(lanes);
    let image = row / of_image * stride;
    let first = row / of_logits * visible;
    let end = select(row < rows, visible, 0u32);
    let mut sum = 0.0f32;
    let mut pixel = lane;
    while pixel < end {
        let a = logits[(first + pixel) as usize];
        let (mean, softplus) = sigmoid_and_softplus(a);
        let x = f32::cast_from(bit(words, image, pixel));
        residuals[(row * visible + pixel) as usize] = x - mean;
        sum += x * a - softplus;
        pixel += lanes;
    }
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, 1u32);
    if row < rows && lane == 0u32 {
        log_q[row as usize] = sum;
    }
}
