//! Draws of states and of images.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::tensor::CubeTensor;

use super::draw_kernels::*;
use super::{CUBE, cubes, cubes_for_rows, empty, lanes, launch, shape_of, threads};
use crate::kernels::bits::WORD;
use crate::random::Draws;

/// See [`crate::ops::ChainBackend::draw_latent`].
pub fn latent<R: CubeRuntime>(logits: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let [count, latent] = shape_of(&logits);
    let (states, lanes) = (empty(&logits, [count], DType::I32), lanes(latent));
    let [second, first, stream] = draws.counter;
    launch!(
        draw_latent_kernel,
        (states, cubes_for_rows(&states, count, lanes)),
        logits.into_array_arg(),
        states.clone().into_array_arg(),
        draws.key[0],
        draws.key[1],
        second,
        first,
        stream,
        latent as u32,
        lanes,
    );
    states
}

/// See [`crate::ops::ChainBackend::draw_bits`].
pub fn bits<R: CubeRuntime>(logits: CubeTensor<R>, each: usize, draws: Draws) -> CubeTensor<R> {
    let [rows, visible] = shape_of(&logits);
    let stride = visible.div_ceil(WORD);
    let words = empty(&logits, [rows * each, stride], DType::I32);
    let [second, first, stream] = draws.counter;
    launch!(
        draw_bits_kernel,
        (words, cubes_for_words(&words, rows * each * stride)),
        logits.into_array_arg(),
        words.clone().into_array_arg(),
        draws.key[0],
        draws.key[1],
        second,
        first,
        stream,
        each as u32,
        stride as u32,
        visible as u32,
    );
    words
}

/// The cubes for so many words, with a thread for each bit.
fn cubes_for_words<R: CubeRuntime>(beside: &CubeTensor<R>, words: usize) -> (CubeCount, CubeDim) {
    cubes(beside, words.div_ceil(CUBE as usize / WORD))
}

/// See [`crate::ops::ChainBackend::draw_visible`].
pub fn visible<R: CubeRuntime>(logits: CubeTensor<R>, states: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let ([latent, visible], count) = (shape_of(&logits), states.meta.num_elements());
    let stride = visible.div_ceil(WORD);
    let planes = empty(&logits, [latent, stride, WORD], DType::I32);
    launch!(
        planes_kernel,
        (planes, cubes_for_words(&planes, latent * stride)),
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
