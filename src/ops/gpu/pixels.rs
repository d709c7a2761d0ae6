//! Pixels that are lit with probability s(a).

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::pixel_kernels::*;
use super::{cubes_for_rows, empty, lanes, launch, shape_of};
use crate::kernels::bits::WORD;

/// See [`crate::ops::ChainBackend::bernoulli`].
pub fn bernoulli<R: CubeRuntime>(logits: CubeTensor<R>) -> (CubeTensor<R>, CubeTensor<R>) {
    let [rows, visible] = shape_of(&logits);
    let means = empty(&logits, [rows, visible], DType::F32);
    let log_dark = empty(&logits, [1, rows], DType::F32);
    let lanes = lanes(visible);
    launch!(
        bernoulli_kernel,
        (means, cubes_for_rows(&means, rows, lanes)),
        logits.into_array_arg(),
        means.clone().into_array_arg(),
        log_dark.clone().into_array_arg(),
        rows as u32,
        visible as u32,
        lanes,
    );
    (means, log_dark)
}

/// See [`crate::ops::ChainBackend::log_bernoulli`].
pub fn log_bernoulli<R: CubeRuntime>(words: CubeTensor<R>, logits: CubeTensor<R>) -> (CubeTensor<R>, CubeTensor<R>) {
    let ([images, _], [of_logits, visible]) = (shape_of(&words), shape_of(&logits));
    let rows = images.max(of_logits);
    let log_q = empty(&logits, [rows, 1], DType::F32);
    let residuals = empty(&logits, [rows, visible], DType::F32);
    let lanes = lanes(visible);
    launch!(
        log_bernoulli_kernel,
        (residuals, cubes_for_rows(&residuals, rows, lanes)),
        words.into_array_arg(),
        logits.into_array_arg(),
        log_q.clone().into_array_arg(),
        residuals.clone().into_array_arg(),
        (rows / images) as u32,
        (rows / of_logits) as u32,
        rows as u32,
        visible.div_ceil(WORD) as u32,
        visible as u32,
        lanes,
    );
    (log_q, residuals)
}
