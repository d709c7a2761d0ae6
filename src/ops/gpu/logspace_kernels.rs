//! Kernels: sums in log space over the rows and the columns of a matrix `[N, L]`.
//!
//! A row has `lanes` threads of a cube, a power of two; a column has as many as there are beside those of `width` neighbouring columns. What they find is put
//! together in the cube's shared memory.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

use super::CUBE;

/// Rows of a column that a thread sums before it adds them to the rest, so that no f32 sum runs over many.
const BLOCK: u32 = 256;

/// Which of the `lanes` threads of a row this one is, and which row it is.
#[cube]
pub(super) fn lane_and_row(#[comptime] lanes: u32) -> (u32, u32) {
    (UNIT_POS % lanes, CUBE_POS as u32 * comptime!(CUBE / lanes) + UNIT_POS / lanes)
}

/// The sum, or the largest, over the `lanes` threads whose positions differ by multiples of `step`, of which this one is number `lane`; every thread gets it.
#[cube]
fn over_lanes(
    value: f32,
    parts: &mut SharedMemory<f32>,
    lane: u32,
    #[comptime] lanes: u32,
    #[comptime] step: u32,
    #[comptime] largest: bool,
) -> f32 {
    let mut found = value;
    if comptime!(lanes > 1) {
        sync_cube();
        parts[UNIT_POS as usize] = value;
        let mut half = comptime!(lanes / 2).runtime();
        while half > 0u32 {
            sync_cube();
            if lane < half {
                let other = parts[(UNIT_POS + half * step) as usize];
                if comptime!(largest) {
                    parts[UNIT_POS as usize] = f32::max(parts[UNIT_POS as usize], other);
                } else {
                    parts[UNIT_POS as usize] += other;
                }
            }
            half /= 2u32;
        }
        sync_cube();
        found = parts[(UNIT_POS - lane * step) as usize];
    }
    found
}

#[cube]
pub(super) fn sum_of_lanes(value: f32, parts: &mut SharedMemory<f32>, lane: u32, #[comptime] lanes: u32, #[comptime] step: u32) -> f32 {
    over_lanes(value, parts, lane, lanes, step, false)
}

#[cube]
fn largest_of_lanes(value: f32, parts: &mut SharedMemory<f32>, lane: u32, #[comptime] lanes: u32, #[comptime] step: u32) -> f32 {
    over_lanes(value, parts, lane, lanes, step, true)
}

/// `a_nk`, or with `shifted` `a_nk + c_k`.
#[cube]
fn exponent(a: &Array<f32>, columns: &Array<f32>, place: u32, state: u32, #[comptime] shifted: bool) -> f32 {
    let mut exponent = a[place as usize];
    if comptime!(shifted) {
        exponent += columns[state as usize];
    }
    exponent
}

/// The largest exponent of a row that begins at `first` and has `end` states, and the sum of e to the exponents less that.
#[cube]
fn sum_of_row(
    a: &Array<f32>,
    columns: &Array<f32>,
    first: u32,
    end: u32,
    lane: u32,
    #[comptime] lanes: u32,
    #[comptime] shifted: bool,
) -> (f32, f32) {
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    let mut largest = f32::min_value();
    let mut state = lane;
    while state < end {
        largest = f32::max(largest, exponent(a, columns, first + state, state, shifted));
        state += lanes;
    }
    let largest = largest_of_lanes(largest, &mut parts, lane, lanes, 1u32);

    let mut sum = 0.0f32;
    let mut state = lane;
    while state < end {
        sum += f32::exp(exponent(a, columns, first + state, state, shifted) - largest);
        state += lanes;
    }
    (largest, sum_of_lanes(sum, &mut parts, lane, lanes, 1u32))
}

/// `ln sum_k e^(a_nk + c_k)`, `[N]`.
#[cube(launch_unchecked)]
pub(super) fn logsumexp_kernel(
    a: &Array<f32>,
    columns: &Array<f32>,
    found: &mut Array<f32>,
    rows: u32,
    latent: u32,
    #[comptime] lanes: u32,
) {
    let (lane, row) = lane_and_row(lanes);
    let end = select(row < rows, latent, 0u32);
    let (largest, sum) = sum_of_row(a, columns, row * latent, end, lane, lanes, true);
    if row < rows && lane == 0u32 {
        found[row as usize] = f32::ln(sum) + largest;
    }
}

/// `a_nk - ln sum_j e^a_nj`, `[N, L]`.
#[cube(launch_unchecked)]
pub(super) fn log_softmax_kernel(a: &Array<f32>, found: &mut Array<f32>, rows: u32, latent: u32, #[comptime] lanes: u32) {
    let (lane, row) = lane_and_row(lanes);
    let end = select(row < rows, latent, 0u32);
    let (largest, sum) = sum_of_row(a, a, row * latent, end, lane, lanes, false);
    let log_sum = f32::ln(sum);
    let mut state = lane;
    while state < end {
        let place = (row * latent + state) as usize;
        found[place] = a[place] - largest - log_sum;
        state += lanes;
    }
}

/// `p_nk ( u_k - sum_j p_nj u_j ) / N`, `[N, L]`, of ln p and ln u.
#[cube(launch_unchecked)]
pub(super) fn softmax_gradient_kernel(
    log_p: &Array<f32>,
    log_u: &Array<f32>,
    excess: &mut Array<f32>,
    rows: u32,
    latent: u32,
    #[comptime] lanes: u32,
) {
    let (lane, row) = lane_and_row(lanes);
    let first = row * latent;
    let end = select(row < rows, latent, 0u32);
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);

    let mut common = 0.0f32;
    let mut state = lane;
    while state < end {
        common += f32::exp(log_p[(first + state) as usize] + log_u[state as usize]);
        state += lanes;
    }
    let common = sum_of_lanes(common, &mut parts, lane, lanes, 1u32);
    let mut state = lane;
    while state < end {
        let place = (first + state) as usize;
        let credit = f32::exp(log_p[place] + log_u[state as usize]);
        excess[place] = (credit - f32::exp(log_p[place]) * common) / f32::cast_from(rows);
        state += lanes;
    }
}

/// `e^(a_nk + r_n + c_k)`, `[N, L]`, a thread for each.
#[cube(launch_unchecked)]
pub(super) fn responsibilities_kernel(a: &Array<f32>, rows: &Array<f32>, columns: &Array<f32>, found: &mut Array<f32>, latent: u32) {
    if ABSOLUTE_POS >= found.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    found[ABSOLUTE_POS] = f32::exp(a[ABSOLUTE_POS] + rows[(position / latent) as usize] + columns[(position % latent) as usize]);
}

/// `ln mean_n e^(a_nk + r_n)`, `[L]`.
#[cube(launch_unchecked)]
pub(super) fn log_mean_exp_kernel(
    a: &Array<f32>,
    of_rows: &Array<f32>,
    found: &mut Array<f32>,
    rows: u32,
    latent: u32,
    #[comptime] width: u32,
) {
    let lanes = comptime!(CUBE / width);
    let lane = UNIT_POS / width;
    let state = CUBE_POS as u32 * width + UNIT_POS % width;
    let end = select(state < latent, rows, 0u32);
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);

    let mut largest = f32::min_value();
    let mut row = lane;
    while row < end {
        largest = f32::max(largest, a[(row * latent + state) as usize] + of_rows[row as usize]);
        row += lanes;
    }
    let largest = largest_of_lanes(largest, &mut parts, lane, lanes, width);

    let mut sum = 0.0f32;
    let mut row = lane;
    while row < end {
        let block_end = u32::min(end, row + BLOCK * lanes);
        let mut of_block = 0.0f32;
        while row < block_end {
            of_block += f32::exp(a[(row * latent + state) as usize] + of_rows[row as usize] - largest);
            row += lanes;
        }
        sum += of_block;
    }
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, width);
    if state < latent && lane == 0u32 {
        // The count is divided out before the logarithm; see `generic::log_mean_exp`.
        found[state as usize] = f32::ln(sum / f32::cast_from(rows)) + largest;
    }
}

/// `sum_n a_nk`, `[L]`.
#[cube(launch_unchecked)]
pub(super) fn column_sums_kernel(a: &Array<f32>, found: &mut Array<f32>, rows: u32, latent: u32, #[comptime] width: u32) {
    let lanes = comptime!(CUBE / width);
    let lane = UNIT_POS / width;
    let state = CUBE_POS as u32 * width + UNIT_POS % width;
    let end = select(state < latent, rows, 0u32);
    let mut sum = 0.0f32;
    let mut row = lane;
    while row < end {
        let block_end = u32::min(end, row + BLOCK * lanes);
        let mut of_block = 0.0f32;
        while row < block_end {
            of_block += a[(row * latent + state) as usize];
            row += lanes;
        }
        sum += of_block;
    }
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, width);
    if state < latent && lane == 0u32 {
        found[state as usize] = sum;
    }
}
