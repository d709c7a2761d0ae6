//! GPUs: the draws and the products of binary images as CubeCL kernels, for wgpu and CUDA alike.
//!
//! One thread computes one number of the result, or 32 pixels of it; what it computes is in [`crate::kernels`] too, in the same order.

use burn::tensor::{DType, Int, Tensor, TensorPrimitive};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_wgpu::Wgpu;

use super::{ChainBackend, Images};
use crate::kernels::bits::WORD;
use crate::random::Draws;

/// The widest table for which adding the rows of lit pixels is worth it; a wider one is for burn's dense product. Measured on software
/// Vulkan only: 2.4 times as fast at L = 10, a third as fast at L = 100.
const NARROW: usize = 32;
/// Images whose weights are summed before they are added to the rest, so that no f32 sum runs over many.
const BLOCK: u32 = 512;
/// Images, and words of an image, that one launch takes: on software Vulkan no kernel's loops run more than 65,535 times in all, and what is
/// left is passed over in silence.
const IMAGES_A_LAUNCH: usize = 1 << 14;
const WORDS_A_LAUNCH: usize = 1 << 10;

/// `s_k + sum_i x_ni M_ik` over some words of each image, one thread for each n and k; after the first words, s is what is there.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn lit_sums_kernel(
    words: &Array<u32>,
    table: &Array<f32>,
    start: &Array<f32>,
    sums: &mut Array<f32>,
    stride: u32,
    latent: u32,
    first: u32,
    last: u32,
) {
    if ABSOLUTE_POS >= sums.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let image = position / latent;
    let state = position % latent;
    let mut sum = start[state as usize];
    if first > 0u32 {
        sum = sums[ABSOLUTE_POS];
    }
    for word in first..last {
        let mut bits = words[(image * stride + word) as usize];
        while bits != 0u32 {
            let pixel = word * 32u32 + bits.trailing_zeros();
            sum += table[(pixel * latent + state) as usize];
            bits &= bits - 1u32;
        }
    }
    sums[ABSOLUTE_POS] = sum;
}

/// `sum_n x_ni r_nk` over some images, one thread for each i and k; after the first images, added to what is there.
#[cube(launch_unchecked)]
fn lit_totals_kernel(words: &Array<u32>, weights: &Array<f32>, totals: &mut Array<f32>, stride: u32, latent: u32, start: u32, end: u32) {
    if ABSOLUTE_POS >= totals.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let pixel = position / latent;
    let state = position % latent;
    let word = pixel / 32u32;
    let bit = pixel % 32u32;
    let mut total = 0.0f32;
    if start > 0u32 {
        total = totals[ABSOLUTE_POS];
    }
    let mut first = start;
    while first < end {
        let last = u32::min(first + BLOCK, end);
        let mut sum = 0.0f32;
        for image in first..last {
            if (words[(image * stride + word) as usize] >> bit) & 1u32 == 1u32 {
                sum += weights[(image * latent + state) as usize];
            }
        }
        total += sum;
        first = last;
    }
    totals[ABSOLUTE_POS] = total;
}

/// Bits as 0.0 and 1.0, one thread for each.
#[cube(launch_unchecked)]
fn unpack_kernel(words: &Array<u32>, pixels: &mut Array<f32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= pixels.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let image = position / visible;
    let pixel = position % visible;
    let bit = (words[(image * stride + pixel / 32u32) as usize] >> (pixel % 32u32)) & 1u32;
    pixels[ABSOLUTE_POS] = f32::cast_from(bit);
}

/// The four draws of a Philox block.
#[cube]
fn philox(block: u32, draws: &Array<u32>, words: &mut Array<u32>) {
    let mut key_0 = draws[0];
    let mut key_1 = draws[1];
    let mut c0 = block;
    let mut c1 = draws[2];
    let mut c2 = draws[3];
    let mut c3 = draws[4];
    for _ in 0..10u32 {
        let first_high = u32::mul_hi(c0, 0xD251_1F53u32);
        let first_low = c0 * 0xD251_1F53u32;
        let second_high = u32::mul_hi(c2, 0xCD9E_8D57u32);
        let second_low = c2 * 0xCD9E_8D57u32;
        c0 = second_high ^ c1 ^ key_0;
        c1 = second_low;
        c2 = first_high ^ c3 ^ key_1;
        c3 = first_low;
        key_0 += 0x9E37_79B9u32;
        key_1 += 0xBB67_AE85u32;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/// `z ~ softmax(a)` by inverting the cumulative distribution, one thread for each row.
#[cube(launch_unchecked)]
fn draw_latent_kernel(logits: &Array<f32>, draws: &Array<u32>, states: &mut Array<i32>, latent: u32) {
    if ABSOLUTE_POS >= states.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS as u32;
    let first = row * latent;
    let mut largest = logits[first as usize];
    for state in 1..latent {
        largest = f32::max(largest, logits[(first + state) as usize]);
    }
    let mut total = 0.0f32;
    for state in 0..latent {
        total += f32::exp(logits[(first + state) as usize] - largest);
    }
    let mut words = Array::<u32>::new(4usize);
    philox(row, draws, &mut words);
    let threshold = f32::cast_from(words[0] >> 8u32) * 5.960_464_5e-8f32 * total;
    let mut cumulative = 0.0f32;
    let mut below = 0u32;
    for state in 0..latent {
        cumulative += f32::exp(logits[(first + state) as usize] - largest);
        if cumulative <= threshold {
            below += 1u32;
        }
    }
    states[ABSOLUTE_POS] = i32::cast_from(u32::min(below, latent - 1u32));
}

/// The probabilities of all pixels as binary fractions, in planes `[L, W, 32]`, one thread for each word.
#[cube(launch_unchecked)]
fn planes_kernel(logits: &Array<f32>, planes: &mut Array<u32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= planes.len() / 32usize {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let state = position / stride;
    let word = position % stride;
    let mut thresholds = Array::<u32>::new(32usize);
    for bit in 0..32u32 {
        let pixel = word * 32u32 + bit;
        thresholds[bit as usize] = 0u32;
        if pixel < visible {
            let a = logits[(state * visible + pixel) as usize];
            let e = f32::exp(-f32::abs(a));
            let larger = 1.0f32 / (1.0f32 + e);
            let mut probability = larger;
            if a < 0.0f32 {
                probability = e * larger;
            }
            thresholds[bit as usize] = u32::cast_from(f32::min(probability, 0.999_999_94f32) * 4_294_967_296.0f32);
        }
    }
    for plane in 0..32u32 {
        let mut bits = 0u32;
        for bit in 0..32u32 {
            bits |= ((thresholds[bit as usize] >> (31u32 - plane)) & 1u32) << bit;
        }
        planes[(position * 32u32 + plane) as usize] = bits;
    }
}

/// `x ~ q(.|z)`, 32 pixels a thread; see [`crate::kernels::visible`].
#[cube(launch_unchecked)]
fn draw_visible_kernel(planes: &Array<u32>, states: &Array<i32>, draws: &Array<u32>, words: &mut Array<u32>, stride: u32, visible: u32) {
    if ABSOLUTE_POS >= words.len() {
        terminate!();
    }
    let position = ABSOLUTE_POS as u32;
    let chain = position / stride;
    let word = position % stride;
    let first = (u32::cast_from(states[chain as usize]) * stride + word) * 32u32;
    let mut open = 0xFFFF_FFFFu32;
    let left = visible - word * 32u32;
    if left < 32u32 {
        open = (1u32 << left) - 1u32;
    }
    let mut lit = 0u32;
    let mut uniforms = Array::<u32>::new(4usize);
    let mut block = 0u32;
    while open != 0u32 && block < 8u32 {
        philox(position * 8u32 + block, draws, &mut uniforms);
        for plane in 0..4u32 {
            let threshold = planes[(first + block * 4u32 + plane) as usize];
            let differ = open & (threshold ^ uniforms[plane as usize]);
            lit |= differ & threshold;
            open ^= differ;
        }
        block += 1u32;
    }
    words[ABSOLUTE_POS] = lit;
}

/// A new array beside another, of some shape.
fn empty<R: CubeRuntime, const D: usize>(beside: &CubeTensor<R>, shape: [usize; D], kind: DType) -> CubeTensor<R> {
    empty_device_dtype(beside.client.clone(), beside.device.clone(), shape.into(), kind)
}

/// Key and counter of a stream as five words on the device.
fn upload<R: CubeRuntime>(draws: Draws, beside: &CubeTensor<R>) -> CubeTensor<R> {
    let [second, first, stream] = draws.counter;
    let words = [draws.key[0], draws.key[1], second, first, stream];
    let handle = beside.client.create_from_slice(u32::as_bytes(&words));
    CubeTensor::new_contiguous(
        beside.client.clone(),
        beside.device.clone(),
        [words.len()].into(),
        handle,
        DType::U32,
    )
}

/// Threads for so many numbers: cubes and their size.
macro_rules! threads {
    ($tensor:expr, $count:expr) => {{
        let dimension = CubeDim::new(&$tensor.client, $count);
        (calculate_cube_count_elemwise(&$tensor.client, $count, dimension), dimension)
    }};
}

fn unpack<R: CubeRuntime>(words: CubeTensor<R>, visible: usize) -> CubeTensor<R> {
    let words = into_contiguous(words);
    let (count, stride) = (words.meta.shape()[0], words.meta.shape()[1]);
    let pixels = empty(&words, [count, visible], DType::F32);
    let (cubes, dimension) = threads!(pixels, count * visible);
    // SAFETY: the kernel reads and writes within the shapes that these arrays have.
    unsafe {
        unpack_kernel::launch_unchecked(
            &pixels.client,
            cubes,
            dimension,
            words.into_array_arg(),
            pixels.clone().into_array_arg(),
            stride as u32,
            visible as u32,
        );
    }
    pixels
}

fn lit_sums<R: CubeRuntime>(words: CubeTensor<R>, table: CubeTensor<R>, start: CubeTensor<R>) -> CubeTensor<R> {
    let [words, table, start] = [words, table, start].map(into_contiguous);
    let (count, stride, latent) = (words.meta.shape()[0], words.meta.shape()[1], table.meta.shape()[1]);
    let sums = empty(&table, [count, latent], DType::F32);
    for first in (0..stride).step_by(WORDS_A_LAUNCH) {
        let (cubes, dimension) = threads!(sums, count * latent);
        // SAFETY: as above.
        unsafe {
            lit_sums_kernel::launch_unchecked(
                &sums.client,
                cubes,
                dimension,
                words.clone().into_array_arg(),
                table.clone().into_array_arg(),
                start.clone().into_array_arg(),
                sums.clone().into_array_arg(),
                stride as u32,
                latent as u32,
                first as u32,
                stride.min(first + WORDS_A_LAUNCH) as u32,
            );
        }
    }
    sums
}

fn lit_totals<R: CubeRuntime>(words: CubeTensor<R>, weights: CubeTensor<R>, pixels: usize) -> CubeTensor<R> {
    let [words, weights] = [words, weights].map(into_contiguous);
    let (count, stride, latent) = (words.meta.shape()[0], words.meta.shape()[1], weights.meta.shape()[1]);
    let totals = empty(&weights, [pixels, latent], DType::F32);
    for first in (0..count).step_by(IMAGES_A_LAUNCH) {
        let (cubes, dimension) = threads!(totals, pixels * latent);
        // SAFETY: as above.
        unsafe {
            lit_totals_kernel::launch_unchecked(
                &totals.client,
                cubes,
                dimension,
                words.clone().into_array_arg(),
                weights.clone().into_array_arg(),
                totals.clone().into_array_arg(),
                stride as u32,
                latent as u32,
                first as u32,
                count.min(first + IMAGES_A_LAUNCH) as u32,
            );
        }
    }
    totals
}

fn draw_latent<R: CubeRuntime>(logits: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let logits = into_contiguous(logits);
    let (count, latent) = (logits.meta.shape()[0], logits.meta.shape()[1]);
    let draws = upload(draws, &logits);
    let states = empty(&logits, [count], DType::I32);
    let (cubes, dimension) = threads!(states, count);
    // SAFETY: as above.
    unsafe {
        draw_latent_kernel::launch_unchecked(
            &states.client,
            cubes,
            dimension,
            logits.into_array_arg(),
            draws.into_array_arg(),
            states.clone().into_array_arg(),
            latent as u32,
        );
    }
    states
}

fn draw_visible<R: CubeRuntime>(logits: CubeTensor<R>, states: CubeTensor<R>, draws: Draws) -> CubeTensor<R> {
    let [logits, states] = [logits, states].map(into_contiguous);
    let (latent, visible, count) = (logits.meta.shape()[0], logits.meta.shape()[1], states.meta.shape()[0]);
    let stride = visible.div_ceil(WORD);
    let draws = upload(draws, &logits);
    let planes = empty(&logits, [latent, stride, 32], DType::I32);
    let words = empty(&logits, [count, stride], DType::I32);
    let (plane_cubes, plane_dimension) = threads!(planes, latent * stride);
    let (cubes, dimension) = threads!(words, count * stride);
    // SAFETY: as above; a state is less than L.
    unsafe {
        planes_kernel::launch_unchecked(
            &planes.client,
            plane_cubes,
            plane_dimension,
            logits.into_array_arg(),
            planes.clone().into_array_arg(),
            stride as u32,
            visible as u32,
        );
        draw_visible_kernel::launch_unchecked(
            &words.client,
            cubes,
            dimension,
            planes.into_array_arg(),
            states.into_array_arg(),
            draws.into_array_arg(),
            words.clone().into_array_arg(),
            stride as u32,
            visible as u32,
        );
    }
    words
}

/// The operations above for one of burn's GPU backends. (A generic implementation would forbid the one for all CPU backends.)
macro_rules! gpu_operations {
    ($backend:ty) => {
        impl ChainBackend for $backend {
            fn lit_sums(images: &Images<Self>, table: Tensor<Self, 2>, start: Tensor<Self, 2>) -> Tensor<Self, 2> {
                let words = images.words.clone().into_primitive();
                if table.dims()[1] > NARROW {
                    let dense = Tensor::<Self, 2>::from_primitive(TensorPrimitive::Float(unpack(words, images.pixels)));
                    return dense.matmul(table) + start;
                }
                let (table, start) = (table.into_primitive().tensor(), start.into_primitive().tensor());
                Tensor::from_primitive(TensorPrimitive::Float(lit_sums(words, table, start)))
            }

            fn lit_totals(images: &Images<Self>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
                let words = images.words.clone().into_primitive();
                if weights.dims()[1] > NARROW {
                    let dense = Tensor::<Self, 2>::from_primitive(TensorPrimitive::Float(unpack(words, images.pixels)));
                    return dense.transpose().matmul(weights);
                }
                let totals = lit_totals(words, weights.into_primitive().tensor(), images.pixels);
                Tensor::from_primitive(TensorPrimitive::Float(totals))
            }

            fn draw_latent(logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
                Tensor::from_primitive(draw_latent(logits.into_primitive().tensor(), draws))
            }

            fn draw_visible(logits: Tensor<Self, 2>, latent: Tensor<Self, 1, Int>, draws: Draws) -> Images<Self> {
                let [_, pixels] = logits.dims();
                let words = draw_visible(logits.into_primitive().tensor(), latent.into_primitive(), draws);
                Images {
                    words: Tensor::from_primitive(words),
                    pixels,
                }
            }
        }
    };
}

gpu_operations!(Wgpu);
#[cfg(feature = "cuda")]
gpu_operations!(burn_cuda::Cuda);
