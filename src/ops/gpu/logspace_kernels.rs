//! Kernels: sums in log space over the rows and the columns of a matrix `[N, L]`.
//!
//! A row has `lanes` threads of a cube, a power of two; a block of a column's rows has as many as there are beside those of `width` neighbouring columns. What
//! they find is put together in the cube's shared memory.

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
pub(super) fn largest_of_lanes(value: f32, parts: &mut SharedMemory<f32>, lane: u32, #[comptime] lanes: u32, #[comptime] step: u32) -> f32 {
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

/// `a_nk`, or with `shifted` `a_nk - r_n`.
#[cube]
fn less_that_of_row(a: &Array<f32>, of_rows: &Array<f32>, place: u32, row: u32, #[comptime] shifted: bool) -> f32 {
    let mut exponent = a[place as usize];
    if comptime!(shifted) {
        exponent -= of_rows[row as usize];
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
    #[comptime] shifted: bool,
) {
    let (lane, row) = lane_and_row(lanes);
    let end = select(row < rows, latent, 0u32);
    let (largest, sum) = sum_of_row(a, columns, row * latent, end, lane, lanes, shifted);
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

/// `e^(a_nk - r_n)`, or with `shifted` `e^(a_nk - r_n + c_k)`, `[N, L]`, a thread for each.
#[cube(launch_unchecked)]
pub(super) fn responsibilities_kernel(
    a: &Array<f32>,
    rows: &Array<f32>,
    columns: &Array<f32>,
    found: &mut Array<f32>,
    latent: u32,
    #[comptime] shifted: bool,
) {
    if ABSOLUTE_POS >= found.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let mut exponent = a[ABSOLUTE_POS] - rows[(position / latent) as usize];
    if comptime!(shifted) {
        exponent += columns[(position % latent) as usize];
    }
    found[ABSOLUTE_POS] = f32::exp(exponent);
}

/// `e^(a_k + b_k)`, a thread for each.
#[cube(launch_unchecked)]
pub(super) fn exp_of_sums_kernel(a: &Array<f32>, b: &Array<f32>, found: &mut Array<f32>) {
    if ABSOLUTE_POS >= found.len() {
        terminate!();
    }
    found[ABSOLUTE_POS] = f32::exp(a[ABSOLUTE_POS] + b[ABSOLUTE_POS]);
}

/// Of the threads of a column: which this one is, its column, its block of rows, and the block's first row and end.
#[cube]
fn place_in_column(rows: u32, of_block: u32, latent: u32, #[comptime] width: u32) -> (u32, u32, u32, u32, u32) {
    let tiles = (latent + comptime!(width - 1)) / width;
    let block = CUBE_POS as u32 / tiles;
    let state = CUBE_POS as u32 % tiles * width + UNIT_POS % width;
    let first = block * of_block;
    let end = select(state < latent, u32::min(first + of_block, rows), 0u32);
    (UNIT_POS / width, state, block, first, end)
}

/// `ln 1/C sum_n e^(a_nk - r_n)`, without the r if not `shifted`, of each block of so many rows, `[blocks, L]`.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn log_mean_exp_kernel(
    a: &Array<f32>,
    of_rows: &Array<f32>,
    found: &mut Array<f32>,
    rows: u32,
    of_block: u32,
    latent: u32,
    count: f32,
    #[comptime] width: u32,
    #[comptime] shifted: bool,
) {
    let lanes = comptime!(CUBE / width);
    let (lane, state, block, first, end) = place_in_column(rows, of_block, latent, width);
    let mut parts = SharedMemory::<f32>::new(CUBE as usize);

    let mut largest = f32::min_value();
    let mut row = first + lane;
    while row < end {
        largest = f32::max(largest, less_that_of_row(a, of_rows, row * latent + state, row, shifted));
        row += lanes;
    }
    let largest = largest_of_lanes(largest, &mut parts, lane, lanes, width);

    let mut sum = 0.0f32;
    let mut row = first + lane;
    while row < end {
        let block_end = u32::min(end, row + BLOCK * lanes);
        let mut of_block = 0.0f32;
        while row < block_end {
            of_block += f32::exp(less_that_of_row(a, of_rows, row * latent + state, row, shifted) - largest);
            row += lanes;
        }
        sum += of_block;
    }
    let sum = sum_of_lanes(sum, &mut parts, lane, lanes, width);
    if first < end && lane == 0u32 {
        // The count is divided out before the logarithm; see `generic::log_mean_exp`.
        found[(block * latent + state) as usize] = f32::ln(sum / count) + largest;
    }
}

/// `sum_n a_nk` of each block of so many rows, `[blocks, L]`.
#[cube(launch_unchecked)]
pub(super) fn column_sums_kernel(a: &Array<f32>, found: &mut Array<f32>, rows: u32, of_block: u32, latent: u32, #[comptime] width: u32) {
    let lanes = comptime!(CUBE / width);
    let (lane, state, block, first, end) = place_in_column(rows, of_block, latent, width);
    let mut sum = 0.0f32;
    let mut row = first + lane;
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
    if first < end && lane == 0u32 {
        found[(block * latent + state) as usize] = sum;
    }
}
