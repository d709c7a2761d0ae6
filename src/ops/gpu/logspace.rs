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
pub fn logsumexp<R: CubeRuntime>(a: CubeTensor<R>, columns: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let (found, lanes) = (empty(&a, [rows, 1], DType::F32), lanes(latent));
    launch!(
        logsumexp_kernel,
        (found, cubes_for_rows(&found, rows, lanes)),
        a.into_array_arg(),
        columns.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        lanes,
    );
    found
}

/// See [`crate::ops::ChainBackend::log_mean_exp`].
pub fn log_mean_exp<R: CubeRuntime>(a: CubeTensor<R>, of_rows: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let (found, width) = (empty(&a, [1, latent], DType::F32), width(latent));
    launch!(
        log_mean_exp_kernel,
        (found, cubes(&found, latent.div_ceil(width))),
        a.into_array_arg(),
        of_rows.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        width as u32,
    );
    found
}

/// `sum_n a_nk`, `[1, L]`, of a `[N, L]`.
pub fn column_sums<R: CubeRuntime>(a: CubeTensor<R>) -> CubeTensor<R> {
    let [rows, latent] = shape_of(&a);
    let (found, width) = (empty(&a, [1, latent], DType::F32), width(latent));
    launch!(
        column_sums_kernel,
        (found, cubes(&found, latent.div_ceil(width))),
        a.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        latent as u32,
        width as u32,
    );
    found
}

/// Columns that share a cube.
fn width(latent: usize) -> usize {
    latent.next_power_of_two().min(NEIGHBOURS)
}

/// See [`crate::ops::ChainBackend::responsibilities`].
pub fn responsibilities<R: CubeRuntime>(a: CubeTensor<R>, rows: CubeTensor<R>, columns: CubeTensor<R>) -> CubeTensor<R> {
    let [count, latent] = shape_of(&a);
    let found = empty(&a, [count, latent], DType::F32);
    launch!(
        responsibilities_kernel,
        (found, a_thread_each(&found)),
        a.into_array_arg(),
        rows.into_array_arg(),
        columns.into_array_arg(),
        found.clone().into_array_arg(),
        latent as u32,
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
