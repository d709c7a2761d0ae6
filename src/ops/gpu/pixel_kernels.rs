//! Kernels: pixels that are lit with probability s(a).

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::CUBE;
use super::logspace_kernels::sum_of_lanes;

/// `s(a)`, and `ln(1 + e^a)`; nats.
#[cube]
fn sigmoid_and_softplus(a: f32) -> (f32, f32) {
    let e = f32::exp(-f32::abs(a));
    let larger = 1.0f32 / (1.0f32 + e);
    let mut mean = larger;
    if a < 0.0f32 {
        mean = e * larger;
    }
    (mean, f32::ln(1.0f32 + e) + f32::max(a, 0.0f32))
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
    let lane = UNIT_POS % lanes;
    let row = CUBE_POS as u32 * comptime!(CUBE / lanes) + UNIT_POS / lanes;
    let mut end = visible;
    if row >= rows {
        end = 0u32;
    }
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

/// `ln q(x_m|a_n) = sum_i ( x_mi a_ni - ln(1 + e^a_ni) )`, `[N]`, and `x_mi - s(a_ni)`, `[N, D]`, m = n / `each`; `lanes` threads for a row.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn log_bernoulli_kernel(
    words: &Array<u32>,
    logits: &Array<f32>,
    log_q: &mut Array<f32>,
    residuals: &mut Array<f32>,
    each: u32,
    rows: u32,
    stride: u32,
    visible: u32,
    #[comptime] lanes: u32,
) {
    let lane = UNIT_POS % lanes;
    let row = CUBE_POS as u32 * comptime!(CUBE / lanes) + UNIT_POS / lanes;
    let image = row / each * stride;
    let mut end = visible;
    if row >= rows {
        end = 0u32;
    }
    let mut sum = 0.0f32;
    let mut pixel = lane;
    while pixel < end {
        let place = (row * visible + pixel) as usize;
        let a = logits[place];
        let (mean, softplus) = sigmoid_and_softplus(a);
        let x = f32::cast_from((words[(image + pixel / 32u32) as usize] >> (pixel % 32u32)) & 1u32);
        residuals[place] = x - mean;
        sum += x * a - softplus;
        pixel += lanes;
    }
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, 1u32);
    if row < rows && lane == 0u32 {
        log_q[row as usize] = sum;
    }
}
