//! States that are made of factors, by what the factors' values have.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::coded_kernels::*;
use super::{empty, launch, shape_of, threads};
use crate::random::Draws;

/// `ln softmax_s( l_ns + g_s )` of the values s of each factor, `[N, V]`, of l `[N, V]`, g `[1, V]` and where the factors' values begin and end.
pub fn log_softmax<R: CubeRuntime>(logits: CubeTensor<R>, log_weights: CubeTensor<R>, places: CubeTensor<R>) -> CubeTensor<R> {
    let ([rows, values], factors) = (shape_of(&logits), factors(&places));
    let found = empty(&logits, [rows, values], DType::F32);
    launch!(
        coded_log_softmax_kernel,
        (found, threads(&found, rows * factors)),
        logits.into_array_arg(),
        log_weights.into_array_arg(),
        places.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        values as u32,
        factors as u32,
    );
    found
}

/// States, `[N]`, whose values are drawn from `softmax_s( l_ns + g_s )`, factor by factor.
pub fn draw<R: CubeRuntime>(logits: CubeTensor<R>, log_weights: CubeTensor<R>, places: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let ([rows, values], factors) = (shape_of(&logits), factors(&places));
    let states = empty(&logits, [rows], DType::I32);
    let [second, first, stream] = draws.counter;
    launch!(
        coded_draw_kernel,
        (states, threads(&states, rows)),
        logits.into_array_arg(),
        log_weights.into_array_arg(),
        places.into_array_arg(),
        states.clone().into_array_arg(),
        draws.key[0],
        draws.key[1],
        second,
        first,
        stream,
        values as u32,
        factors as u32,
    );
    states
}

fn factors<R: CubeRuntime>(places: &CubeTensor<R>) -> usize {
    places.meta.num_elements() - 1
}
