//! Sums in log space.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::logspace_kernels::*;
use super::{NEIGHBOURS, a_thread_each, cubes, cubes_for_rows, empty, lanes, launch, shape_of};

/// See [`crate::ops::ChainBackend::log_softmax_rows`].
pub fn log_softmax<R: CubeRuntime>(a: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let (found, lanes) = (empty(&a, [rows, latent], DType::F32), lanes(latent));
    launch!(
        log_softmax_kernel,
        (found, cubes_for_rows(&found, rows, lanes)),
        a.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        lanes,
    );
    found
}

/// See [`crate::ops::ChainBackend::logsumexp`].
pub fn logsumexp<R: CubeRuntime>(a: CubeTensor<R>, columns: Option<CubeTensor<R>>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let (found, lanes) = (empty(&a, [rows, 1], DType::F32), lanes(latent));
    let shifted = columns.is_some();
    launch!(
        logsumexp_kernel,
        (found, cubes_for_rows(&found, rows, lanes)),
        a.clone().into_array_arg(),
        columns.unwrap_or(a).into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        lanes,
        shifted,
    );
    found
}

/// See [`crate::ops::ChainBackend::log_mean_exp`].
pub fn log_mean_exp<R: CubeRuntime>(a: CubeTensor<R>, of_rows: Option<CubeTensor<R>>) -> CubeTensor<R> {
    let [rows, _] = shape_of(&a);
    let of_blocks = log_sums_of_blocks(a, of_rows, rows as f32);
    match shape_of(&of_blocks) {
        [1, _] => of_blocks,
        _ => log_sums_of_blocks(of_blocks, None, 1.0),
    }
}

/// `ln 1/C sum_n e^(a_nk - r_n)` of each block of rows, `[blocks, L]`.
fn log_sums_of_blocks<R: CubeRuntime>(a: CubeTensor<R>, of_rows: Option<CubeTensor<R>>, count: f32) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let Columns { width, of_block, blocks } = Columns::of(rows, latent);
    let found = empty(&a, [blocks, latent], DType::F32);
    let shifted = of_rows.is_some();
    launch!(
        log_mean_exp_kernel,
        (found, cubes(&found, blocks * latent.div_ceil(width))),
        a.clone().into_array_arg(),
        of_rows.unwrap_or(a).into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        of_block as u32,
        latent as u32,
        count,
        width as u32,
        shifted,
    );
    found
}

/// See [`crate::ops::ChainBackend::column_sums`].
pub fn column_sums<R: CubeRuntime>(a: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let Columns { width, of_block, blocks } = Columns::of(rows, latent);
    let found = empty(&a, [blocks, latent], DType::F32);
    launch!(
        column_sums_kernel,
        (found, cubes(&found, blocks * latent.div_ceil(width))),
        a.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        of_block as u32,
        latent as u32,
        width as u32,
    );
    if blocks == 1 { found } else { column_sums(found) }
}

/// How the columns of a matrix are summed.
struct Columns {
    /// Columns that share a cube.
    width: usize,
    /// Rows of a block, of which a cube sums the columns.
    of_block: usize,
    /// Blocks.
    blocks: usize,
}

impl Columns {
    /// Rows of a block at least.
    const ROWS: usize = 512;
    /// Cubes that keep a large GPU busy.
    const CUBES: usize = 512;

    fn of(rows: usize, latent: usize) -> Self {
        let width = latent.next_power_of_two().min(NEIGHBOURS);
        let cubes = (Self::CUBES / latent.div_ceil(width)).clamp(1, Self::ROWS);
        let of_block = rows.div_ceil(cubes).max(Self::ROWS);
        Self {
            width,
            of_block,
            blocks: rows.div_ceil(of_block),
        }
    }
}

/// See [`crate::ops::ChainBackend::responsibilities`].
pub fn responsibilities<R: CubeRuntime>(a: CubeTensor<R>, rows: CubeTensor<R>, columns: Option<CubeTensor<R>>) -> CubeTensor<R> {
    let [count, latent] = shape_of(&a);
    let found = empty(&a, [count, latent], DType::F32);
    let shifted = columns.is_some();
    launch!(
        responsibilities_kernel,
        (found, a_thread_each(&found)),
        a.clone().into_array_arg(),
        rows.into_array_arg(),
        columns.unwrap_or(a).into_array_arg(),
        found.clone().into_array_arg(),
        latent as u32,
        shifted,
    );
    found
}

/// `e^(a_k + b_k)`, of numbers of one shape.
pub fn exp_of_sums<R: CubeRuntime>(a: CubeTensor<R>, b: CubeTensor<R>) -> CubeTensor<R> {
    let found = empty(&a, a.meta.shape().clone(), DType::F32);
    launch!(
        exp_of_sums_kernel,
        (found, a_thread_each(&found)),
        a.into_array_arg(),
        b.into_array_arg(),
        found.clone().into_array_arg(),
    );
    found
}

/// The first of [`crate::ops::ChainBackend::softmax_gradient`], of which the second is the sum over rows.
pub fn softmax_gradient<R: CubeRuntime>(log_p: CubeTensor<R>, log_u: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&log_p);
    let (excess, lanes) = (empty(&log_p, [rows, latent], DType::F32), lanes(latent));
    launch!(
        softmax_gradient_kernel,
        (excess, cubes_for_rows(&excess, rows, lanes)),
        log_p.into_array_arg(),
        log_u.into_array_arg(),
        excess.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        lanes,
    );
    excess
}
