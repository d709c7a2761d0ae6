//! GPUs: the draws and the products of binary images as CubeCL kernels, for wgpu and CUDA alike.
//!
//! What they compute is in [`crate::kernels`] too, in the same order.

mod kernels;

use burn::tensor::{DType, Int, Tensor, TensorPrimitive};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;

use self::kernels::*;
use super::{ChainBackend, DeviceImages, generic};
use crate::kernels::bits::WORD;
use crate::random::Draws;

/// The widest table for which adding the rows of lit pixels is worth it; a wider one is for burn's dense product. Measured on software
/// Vulkan only: 2.4 times as fast at L = 10, a third as fast at L = 100.
const NARROW: usize = 32;
/// Images, and words of an image, that one launch takes: on software Vulkan no kernel's loops run more than 65,535 times in all, and what is
/// left is silently skipped.
const IMAGES_A_LAUNCH: usize = 1 << 14;
const WORDS_A_LAUNCH: usize = 1 << 10;

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

/// The number and the size of the cubes of threads that compute `count` numbers.
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

fn affine<R: CubeRuntime>(words: CubeTensor<R>, table: CubeTensor<R>, start: CubeTensor<R>) -> CubeTensor<R> {
    let [words, table, start] = [words, table, start].map(into_contiguous);
    let (count, stride, latent) = (words.meta.shape()[0], words.meta.shape()[1], table.meta.shape()[1]);
    let sums = empty(&table, [count, latent], DType::F32);
    for first in (0..stride).step_by(WORDS_A_LAUNCH) {
        let (cubes, dimension) = threads!(sums, count * latent);
        // SAFETY: as above.
        unsafe {
            affine_kernel::launch_unchecked(
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

fn transposed_product<R: CubeRuntime>(words: CubeTensor<R>, weights: CubeTensor<R>, pixels: usize) -> CubeTensor<R> {
    let [words, weights] = [words, weights].map(into_contiguous);
    let (count, stride, latent) = (words.meta.shape()[0], words.meta.shape()[1], weights.meta.shape()[1]);
    let totals = empty(&weights, [pixels, latent], DType::F32);
    for first in (0..count).step_by(IMAGES_A_LAUNCH) {
        let (cubes, dimension) = threads!(totals, pixels * latent);
        // SAFETY: as above.
        unsafe {
            transposed_product_kernel::launch_unchecked(
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
            fn unpack(images: &DeviceImages<Self>) -> Tensor<Self, 2> {
                let words = images.words.clone().into_primitive();
                Tensor::from_primitive(TensorPrimitive::Float(unpack(words, images.pixels)))
            }

            fn affine(images: &DeviceImages<Self>, table: Tensor<Self, 2>, start: Tensor<Self, 2>) -> Tensor<Self, 2> {
                if table.dims()[1] > NARROW {
                    return generic::affine(images, table, start);
                }
                let words = images.words.clone().into_primitive();
                let (table, start) = (table.into_primitive().tensor(), start.into_primitive().tensor());
                Tensor::from_primitive(TensorPrimitive::Float(affine(words, table, start)))
            }

            fn transposed_product(images: &DeviceImages<Self>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
                if weights.dims()[1] > NARROW {
                    return generic::transposed_product(images, weights);
                }
                let words = images.words.clone().into_primitive();
                let totals = transposed_product(words, weights.into_primitive().tensor(), images.pixels);
                Tensor::from_primitive(TensorPrimitive::Float(totals))
            }

            fn draw_latent(logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
                Tensor::from_primitive(draw_latent(logits.into_primitive().tensor(), draws))
            }

            fn draw_visible(logits: Tensor<Self, 2>, latent: Tensor<Self, 1, Int>, draws: Draws) -> DeviceImages<Self> {
                let [_, pixels] = logits.dims();
                let words = draw_visible(logits.into_primitive().tensor(), latent.into_primitive(), draws);
                DeviceImages {
                    words: Tensor::from_primitive(words),
                    pixels,
                }
            }
        }
    };
}

#[cfg(feature = "wgpu")]
gpu_operations!(burn_wgpu::Wgpu);
#[cfg(feature = "cuda")]
gpu_operations!(burn_cuda::Cuda);
