//! GPUs: the model's operations as CubeCL kernels, for wgpu and CUDA alike.
//!
//! burn's own operations pass over memory once each, and each costs the time of a launch, which at the sizes of a training step is longer than its work: here a step
//! has some twenty launches where it would have more than a hundred. Products are sums over lit pixels as on the CPU, whose draws are the same bit for bit.

mod ascent;
mod ascent_kernels;
mod coded;
mod coded_kernels;
mod draw_kernels;
mod draws;
mod logspace;
mod logspace_kernels;
mod pixel_kernels;
mod pixels;
mod product_kernels;
mod products;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Int, Shape, Tensor, TensorPrimitive};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::codes::Factors;
use super::{Adam, ChainBackend, DeviceImages, Moved, RmsProp};
use crate::random::Draws;

/// Threads of a cube that share the work on a row or a column.
const CUBE: u32 = 256;
/// Its root.
const SIDE: u32 = 16;
/// Numbers of a row that a thread should at least have, so that many rows share a cube where they are short.
const A_THREAD: usize = 8;
/// Neighbouring columns that share a cube: as many numbers as are read from memory at once.
const NEIGHBOURS: usize = 8;

/// A new array beside another, of some shape, one row after the other. (On CUDA burn's own arrays have gaps between their rows, which kernels that take
/// an array as one row of numbers do not see.)
fn empty<R: CubeRuntime>(beside: &CubeTensor<R>, shape: impl Into<Shape>, kind: DType) -> CubeTensor<R> {
    let shape = shape.into();
    let memory = beside.client.empty(shape.num_elements() * kind.size());
    CubeTensor::new_contiguous(beside.client.clone(), beside.device.clone(), shape, memory, kind)
}

/// The shape of a matrix.
fn shape_of<R: CubeRuntime>(matrix: &CubeTensor<R>) -> [usize; 2] {
    [matrix.meta.shape()[0], matrix.meta.shape()[1]]
}

/// So many threads: their cubes, and the size of each.
fn threads<R: CubeRuntime>(beside: &CubeTensor<R>, count: usize) -> (CubeCount, CubeDim) {
    let dimension = CubeDim::new(&beside.client, count);
    (calculate_cube_count_elemwise(&beside.client, count, dimension), dimension)
}

/// A thread for each number of a tensor.
fn a_thread_each<R: CubeRuntime>(tensor: &CubeTensor<R>) -> (CubeCount, CubeDim) {
    threads(tensor, tensor.meta.num_elements())
}

/// So many cubes of [`CUBE`] threads.
fn cubes<R: CubeRuntime>(beside: &CubeTensor<R>, count: usize) -> (CubeCount, CubeDim) {
    let dimension = CubeDim::new_1d(CUBE);
    let threads = count * CUBE as usize;
    (calculate_cube_count_elemwise(&beside.client, threads, dimension), dimension)
}

/// Threads that share a row of so many numbers: a power of two up to [`CUBE`].
fn lanes(numbers: usize) -> u32 {
    (numbers.div_ceil(A_THREAD).next_power_of_two() as u32).min(CUBE)
}

/// The cubes for so many rows of `lanes` threads each.
fn cubes_for_rows<R: CubeRuntime>(beside: &CubeTensor<R>, rows: usize, lanes: u32) -> (CubeCount, CubeDim) {
    cubes(beside, rows.div_ceil((CUBE / lanes) as usize))
}

/// Calls a kernel with cubes and their size, arrays and numbers.
macro_rules! launch {
    ($kernel:ident, ($beside:expr, $threads:expr), $($argument:expr),+ $(,)?) => {{
        let client = $beside.client.clone();
        let (count, dimension) = $threads;
        // SAFETY: every kernel reads and writes within the shapes that its arrays have.
        unsafe { $kernel::launch_unchecked(&client, count, dimension, $($argument),+) };
    }};
}
use launch;

/// The numbers of a tensor, one row after the other.
fn numbers<B: Backend<FloatTensorPrimitive = CubeTensor<R>>, R: CubeRuntime, const D: usize>(tensor: Tensor<B, D>) -> CubeTensor<R> {
    into_contiguous(tensor.into_primitive().tensor())
}

/// The words of images.
fn words<B: Backend<IntTensorPrimitive = CubeTensor<R>>, R: CubeRuntime>(images: &DeviceImages<B>) -> CubeTensor<R> {
    into_contiguous(images.words.clone().into_primitive())
}

/// Where the values of each factor begin and, after the last, end.
fn places<B: Backend<IntTensorPrimitive = CubeTensor<R>>, R: CubeRuntime>(factors: &Factors<B>) -> CubeTensor<R> {
    into_contiguous(factors.places.clone().into_primitive())
}

fn float<B: Backend, const D: usize>(numbers: B::FloatTensorPrimitive) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(numbers))
}

/// The operations for one of burn's GPU backends. (A generic implementation would forbid the one for all CPU backends.)
macro_rules! gpu_operations {
    ($backend:ty) => {
        impl ChainBackend for $backend {
            fn unpack(images: &DeviceImages<Self>) -> Tensor<Self, 2> {
                float(products::unpack(words(images), images.pixels))
            }

            fn affine(images: &DeviceImages<Self>, table: Tensor<Self, 2>, start: Tensor<Self, 2>) -> Tensor<Self, 2> {
                let table = table.into_primitive().tensor();
                float(products::affine(words(images), table, numbers(start)))
            }

            fn transposed_product(images: &DeviceImages<Self>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
                float(products::transposed(words(images), images.pixels, numbers(weights)))
            }

            fn dense(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
                float(products::dense(numbers(a), numbers(b)))
            }

            fn residuals(images: &DeviceImages<Self>, r: Tensor<Self, 2>, rho: Tensor<Self, 2>, means: Tensor<Self, 2>) -> Tensor<Self, 2> {
                let totals = products::transposed(words(images), images.pixels, numbers(r));
                float(products::residuals(totals, numbers(rho), numbers(means), images.len()))
            }

            fn bernoulli(logits: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
                let (means, log_dark) = pixels::bernoulli(numbers(logits));
                (float(means), float(log_dark))
            }

            fn log_bernoulli(images: &DeviceImages<Self>, logits: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
                let (log_q, residuals) = pixels::log_bernoulli(words(images), numbers(logits));
                (float(log_q), float(residuals))
            }

            fn log_softmax_rows(a: Tensor<Self, 2>) -> Tensor<Self, 2> {
                float(logspace::log_softmax(numbers(a)))
            }

            fn column_sums(a: Tensor<Self, 2>) -> Tensor<Self, 2> {
                float(logspace::column_sums(numbers(a)))
            }

            fn logsumexp(a: Tensor<Self, 2>, columns: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
                float(logspace::logsumexp(numbers(a), columns.map(numbers)))
            }

            fn log_mean_exp(a: Tensor<Self, 2>, rows: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
                float(logspace::log_mean_exp(numbers(a), rows.map(numbers)))
            }

            fn responsibilities(a: Tensor<Self, 2>, rows: Tensor<Self, 2>, columns: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
                float(logspace::responsibilities(numbers(a), numbers(rows), columns.map(numbers)))
            }

            fn mean_responsibilities(log_pi: Tensor<Self, 2>, log_u: Tensor<Self, 2>) -> Tensor<Self, 2> {
                float(logspace::exp_of_sums(numbers(log_pi), numbers(log_u)))
            }

            fn coded_log_softmax(factors: &Factors<Self>, logits: Tensor<Self, 2>) -> Tensor<Self, 2> {
                let values = Self::dense(logits, factors.values.clone());
                float(coded::log_softmax(
                    numbers(values),
                    numbers(factors.value_log_weights.clone()),
                    places(factors),
                ))
            }

            fn coded_draw(factors: &Factors<Self>, logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
                let values = Self::dense(logits, factors.values.clone());
                let weights = numbers(factors.value_log_weights.clone());
                Tensor::from_primitive(coded::draw(numbers(values), weights, places(factors), draws))
            }

            fn softmax_gradient(log_p: Tensor<Self, 2>, log_u: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
                let excess = logspace::softmax_gradient(numbers(log_p), numbers(log_u));
                let sums = logspace::column_sums(excess.clone());
                (float(excess), float(sums))
            }

            fn draw_latent(logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
                Tensor::from_primitive(draws::latent(numbers(logits), draws))
            }

            fn draw_visible(logits: Tensor<Self, 2>, latent: Tensor<Self, 1, Int>, draws: Draws) -> DeviceImages<Self> {
                let [_, pixels] = logits.dims();
                let words = draws::visible(numbers(logits), into_contiguous(latent.into_primitive()), draws);
                DeviceImages {
                    words: Tensor::from_primitive(words),
                    pixels,
                }
            }

            fn draw_bits(logits: Tensor<Self, 2>, each: usize, draws: Draws) -> DeviceImages<Self> {
                let [_, pixels] = logits.dims();
                DeviceImages {
                    words: Tensor::from_primitive(draws::bits(numbers(logits), each, draws)),
                    pixels,
                }
            }

            fn rmsprop<const R: usize>(
                rule: RmsProp,
                theta: Tensor<Self, R>,
                gradient: Tensor<Self, R>,
                mean_square: Tensor<Self, R>,
            ) -> (Tensor<Self, R>, Tensor<Self, R>) {
                let (moved, mean_square) = ascent::rmsprop(rule, numbers(theta), numbers(gradient), numbers(mean_square));
                (float(moved), float(mean_square))
            }

            fn adam<const R: usize>(rule: Adam, old: Moved<Tensor<Self, R>>, gradient: Tensor<Self, R>) -> Moved<Tensor<Self, R>> {
                let old = Moved {
                    theta: numbers(old.theta),
                    mean: numbers(old.mean),
                    mean_square: numbers(old.mean_square),
                };
                let new = ascent::adam(rule, old, numbers(gradient));
                Moved {
                    theta: float(new.theta),
                    mean: float(new.mean),
                    mean_square: float(new.mean_square),
                }
            }
        }
    };
}

#[cfg(feature = "wgpu")]
gpu_operations!(burn_wgpu::Wgpu);
#[cfg(feature = "cuda")]
gpu_operations!(burn_cuda::Cuda);
