//! Draws of states and of images.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::draw_kernels::*;
use super::{empty, launch, shape_of, threads};
use crate::kernels::bits::WORD;
use crate::random::Draws;

/// See [`crate::ops::ChainBackend::draw_latent`].
pub fn latent<R: CubeRuntime>(logits: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let [count, latent] = shape_of(&logits);
    let states = empty(&logits, [count], DType::I32);
    let [second, first, stream] = draws.counter;
    launch!(
        draw_latent_kernel,
        (states, threads(&states, count)),
        logits.into_array_arg(),
        states.clone().into_array_arg(),
        draws.key[0],
        draws.key[1],
        second,
        first,
        stream,
        latent as u32,
    );
    states
}

/// See [`crate::ops::ChainBackend::draw_visible`].
pub fn visible<R: CubeRuntime>(logits: CubeTensor<R>, states: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let ([latent, visible], count) = (shape_of(&logits), states.meta.num_elements());
    let stride = visible.div_ceil(WORD);
    let planes = empty(&logits, [latent, stride, WORD], DType::I32);
    launch!(
        planes_kernel,
        (planes, threads(&planes, latent * stride)),
        logits.into_array_arg(),
        planes.clone().into_array_arg(),
        stride as u32,
        visible as u32,
    );
    let words = empty(&planes, [count, stride], DType::I32);
    let [second, first, stream] = draws.counter;
    launch!(
        draw_visible_kernel,
        (words, threads(&words, count * stride)),
        planes.into_array_arg(),
        states.into_array_arg(),
        words.clone().into_array_arg(),
        draws.key[0],
        draws.key[1],
        second,
        first,
        stream,
        stride as u32,
        visible as u32,
    );
    words
}
