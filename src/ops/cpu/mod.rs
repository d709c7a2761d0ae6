//! The CPU backends: burn's tensors seen as slices, and the kernels that run on them.

#[cfg(feature = "flex")]
mod flex;
mod ndarray_arrays;

use std::borrow::Cow;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorPrimitive};
use burn_ndarray::NdArray;
use ndarray::{CowArray, Ix2};

use super::codes::Factors;
use super::{Adam, ChainBackend, DeviceImages, Moved, RmsProp};
use crate::kernels::bits::Bits;
use crate::kernels::coded_pixels::{self, Backward};
use crate::kernels::visible::{Thresholds, draw_of_codes};
use crate::kernels::{coded_sums, codes, latent, logspace, pixels, products};
use crate::random::Draws;

/// The ndarray backend with integers of 32 bits, as the other backends have them.
pub type NdArrayBackend = NdArray<f32, i32>;

/// A backend whose tensors lie in this process's memory.
pub trait HostBackend: Backend {
    /// A matrix, as it lies there.
    fn matrix(tensor: &Self::FloatTensorPrimitive) -> CowArray<'_, f32, Ix2>;
    /// All numbers, row by row.
    fn numbers(tensor: &Self::FloatTensorPrimitive) -> Cow<'_, [f32]>;
    /// All integers, row by row.
    fn integers(tensor: &Self::IntTensorPrimitive) -> Cow<'_, [i32]>;
    /// A tensor of these numbers.
    fn from_numbers(numbers: Vec<f32>, shape: &[usize]) -> Self::FloatTensorPrimitive;
    /// A tensor of these integers.
    fn from_integers(integers: Vec<i32>, shape: &[usize]) -> Self::IntTensorPrimitive;
}

/// A tensor that is read row by row: where it lies, or a copy if it lies otherwise.
struct Rows<B: HostBackend>(B::FloatTensorPrimitive);

impl<B: HostBackend> Rows<B> {
    fn of<const R: usize>(tensor: Tensor<B, R>) -> Self {
        Self(tensor.into_primitive().tensor())
    }

    fn with<T>(&self, read: impl FnOnce(&[f32]) -> T) -> T {
        read(&B::numbers(&self.0))
    }
}

/// Calls `read` with the numbers of a tensor, or as many zeros if there is none.
fn with_numbers<B: HostBackend, T>(tensor: Option<Tensor<B, 2>>, count: usize, read: impl FnOnce(&[f32]) -> T) -> T {
    match tensor {
        Some(tensor) => Rows::of(tensor).with(read),
        None => read(&vec![0.0; count]),
    }
}

fn floats<B: HostBackend, const R: usize>(numbers: Vec<f32>, shape: [usize; R]) -> Tensor<B, R> {
    Tensor::from_primitive(TensorPrimitive::Float(B::from_numbers(numbers, &shape)))
}

/// Calls `read` with the bits of images.
fn with_bits<B: HostBackend, T>(images: &DeviceImages<B>, read: impl FnOnce(Bits) -> T) -> T {
    let words = images.words.clone().into_primitive();
    let words = B::integers(&words);
    read(Bits {
        words: bytemuck::cast_slice(&words),
        columns: images.pixels,
    })
}

/// Calls `read` with the bits of images, transposed: a row for each pixel.
fn with_transposed_bits<B: HostBackend, T>(images: &DeviceImages<B>, read: impl FnOnce(Bits) -> T) -> T {
    with_bits(images, |bits| {
        let words = bits.transposed();
        read(Bits {
            words: &words,
            columns: bits.rows(),
        })
    })
}

/// Images from rows of bits.
fn packed<B: HostBackend>(words: Vec<u32>, count: usize, pixels: usize) -> DeviceImages<B> {
    let stride = words.len() / count;
    let words = words.into_iter().map(u32::cast_signed).collect();
    DeviceImages {
        words: Tensor::from_primitive(B::from_integers(words, &[count, stride])),
        pixels,
    }
}

/// Calls `read` with A `[H, D]` and a `[1, D]`.
fn with_backward<B: HostBackend, T>(matrix: Tensor<B, 2>, bias: Tensor<B, 2>, read: impl FnOnce(Backward) -> T) -> T {
    let (matrix, bias) = (Rows::of(matrix), Rows::of(bias));
    matrix.with(|matrix| bias.with(|bias| read(Backward { matrix, bias })))
}

impl<B: HostBackend> ChainBackend for B {
    /// So that arrays stay in the cache and are used again: at once they would be read from memory, and most of the time would go into getting them from
    /// the system.
    fn images_at_a_time(_: usize) -> usize {
        4096
    }

    fn both<T: Send, U: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> U + Send) -> (T, U) {
        rayon::join(first, second)
    }

    fn affine(images: &DeviceImages<B>, table: Tensor<B, 2>, start: Tensor<B, 2>) -> Tensor<B, 2> {
        let [_, latent] = table.dims();
        let table = Rows::of(table);
        let sums = Rows::of(start).with(|start| with_bits(images, |bits| products::affine(bits, B::matrix(&table.0).view(), Some(start))));
        floats(sums, [images.len(), latent])
    }

    fn transposed_product(images: &DeviceImages<B>, weights: Tensor<B, 2>) -> Tensor<B, 2> {
        let [_, latent] = weights.dims();
        let weights = Rows::of(weights);
        let totals = with_transposed_bits(images, |bits| products::affine(bits, B::matrix(&weights.0).view(), None));
        floats(totals, [images.pixels, latent])
    }

    fn residuals(images: &DeviceImages<B>, r: Tensor<B, 2>, rho: Tensor<B, 2>, means: Tensor<B, 2>) -> Tensor<B, 2> {
        let shape = means.dims();
        let (r, rho, means) = (Rows::of(r), Rows::of(rho), Rows::of(means));
        let residuals = with_transposed_bits(images, |bits| {
            rho.with(|rho| means.with(|means| products::residuals(bits, B::matrix(&r.0).view(), rho, means)))
        });
        floats(residuals, shape)
    }

    fn log_softmax_rows(a: Tensor<B, 2>) -> Tensor<B, 2> {
        let shape = a.dims();
        floats(Rows::of(a).with(|a| logspace::log_softmax(a, shape[1])), shape)
    }

    fn softmax_gradient(log_p: Tensor<B, 2>, log_u: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let shape = log_p.dims();
        let (excess, sums) = Rows::of(log_p).with(|log_p| Rows::of(log_u).with(|log_u| logspace::softmax_gradient(log_p, log_u)));
        (floats(excess, shape), floats(sums, [1, shape[1]]))
    }

    fn bernoulli(logits: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let [latent, visible] = logits.dims();
        let (means, log_dark) = Rows::of(logits).with(|logits| pixels::bernoulli(logits, visible));
        (floats(means, [latent, visible]), floats(log_dark, [1, latent]))
    }

    fn log_bernoulli(images: &DeviceImages<B>, logits: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let [rows, visible] = logits.dims();
        let rows = rows.max(images.len());
        let (log_q, residuals) = Rows::of(logits).with(|logits| with_bits(images, |bits| pixels::log_bernoulli(bits, logits)));
        (floats(log_q, [rows, 1]), floats(residuals, [rows, visible]))
    }

    fn column_sums(a: Tensor<B, 2>) -> Tensor<B, 2> {
        a.sum_dim(0)
    }

    fn logsumexp(a: Tensor<B, 2>, columns: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
        let [count, latent] = a.dims();
        let normalizers = Rows::of(a).with(|a| with_numbers(columns, latent, |columns| logspace::logsumexp(a, columns)));
        floats(normalizers, [count, 1])
    }

    fn log_mean_exp(a: Tensor<B, 2>, rows: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
        let [count, latent] = a.dims();
        let averages = Rows::of(a).with(|a| with_numbers(rows, count, |rows| logspace::log_mean_exp(a, rows)));
        floats(averages, [1, latent])
    }

    fn responsibilities(a: Tensor<B, 2>, rows: Tensor<B, 2>, columns: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
        let shape = a.dims();
        let (a, rows) = (Rows::of(a), Rows::of(rows));
        let values = with_numbers(columns, shape[1], |columns| {
            a.with(|a| rows.with(|rows| logspace::responsibilities(a, rows, columns)))
        });
        floats(values, shape)
    }

    fn coded_log_softmax(factors: &Factors<B>, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        let [count, _] = logits.dims();
        let values = Rows::of(logits).with(|logits| codes::log_softmax(&factors.states, logits));
        floats(values, [count, factors.states.values])
    }

    fn coded_draw(factors: &Factors<B>, logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
        let [count, _] = logits.dims();
        let drawn = Rows::of(logits).with(|logits| codes::draw(&factors.states, logits, draws));
        Tensor::from_primitive(B::from_integers(drawn, &[count]))
    }

    fn coded_log_mean(factors: &Factors<B>, log_values: Tensor<B, 2>) -> Tensor<B, 2> {
        let means = Rows::of(log_values).with(|log_values| coded_sums::log_mean(&factors.states, log_values));
        floats(means, [1, factors.states.count])
    }

    fn coded_shares(
        factors: &Factors<B>,
        values: Tensor<B, 2>,
        log_dark: Tensor<B, 2>,
        log_pi: Tensor<B, 2>,
    ) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let [count, _] = values.dims();
        let states = &factors.states;
        let (values, log_dark, log_pi) = (Rows::of(values), Rows::of(log_dark), Rows::of(log_pi));
        let (gathered, log_u) =
            values.with(|values| log_dark.with(|log_dark| log_pi.with(|log_pi| coded_sums::shares(states, values, log_dark, log_pi))));
        (floats(gathered, [count, states.width]), floats(log_u, [1, states.count]))
    }

    fn coded_draw_visible(
        factors: &Factors<B>,
        states: Tensor<B, 1, Int>,
        backward: Tensor<B, 2>,
        bias: Tensor<B, 2>,
        draws: Draws,
    ) -> DeviceImages<B> {
        let ([count], [_, pixels]) = (states.dims(), backward.dims());
        let states = states.into_primitive();
        let states = B::integers(&states);
        let words = with_backward(backward, bias, |backward| draw_of_codes(&factors.states, backward, &states, draws));
        packed(words, count, pixels)
    }

    fn coded_softmax_gradient(factors: &Factors<B>, values: Tensor<B, 2>, log_u: Tensor<B, 2>) -> Tensor<B, 2> {
        let [count, _] = values.dims();
        let log_u = Rows::of(log_u);
        let gathered = Rows::of(values).with(|values| log_u.with(|log_u| coded_sums::softmax_gradient(&factors.states, values, log_u)));
        floats(gathered, [count, factors.states.width])
    }

    fn coded_log_dark(factors: &Factors<B>, backward: Tensor<B, 2>, bias: Tensor<B, 2>) -> Tensor<B, 2> {
        let log_dark = with_backward(backward, bias, |backward| coded_pixels::log_dark(&factors.states, backward));
        floats(log_dark, [1, factors.states.count])
    }

    fn coded_means(factors: &Factors<B>, rho: Tensor<B, 2>, backward: Tensor<B, 2>, bias: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let [width, visible] = backward.dims();
        let rho = Rows::of(rho);
        let (gathered, whole) = with_backward(backward, bias, |backward| {
            rho.with(|rho| coded_pixels::means(&factors.states, rho, backward))
        });
        (floats(gathered, [width, visible]), floats(whole, [1, visible]))
    }

    fn draw_latent(logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
        let [count, states] = logits.dims();
        let drawn = Rows::of(logits).with(|logits| latent::draw_latent(logits, states, draws));
        Tensor::from_primitive(B::from_integers(drawn, &[count]))
    }

    fn draw_visible(logits: Tensor<B, 2>, latent: Tensor<B, 1, Int>, draws: Draws) -> DeviceImages<B> {
        let [_, pixels] = logits.dims();
        let [count] = latent.dims();
        let thresholds = Rows::of(logits).with(|logits| Thresholds::of_logits(logits, pixels));
        packed(thresholds.draw(&B::integers(&latent.into_primitive()), draws), count, pixels)
    }

    fn rmsprop<const R: usize>(
        rule: RmsProp,
        theta: Tensor<B, R>,
        gradient: Tensor<B, R>,
        mean_square: Tensor<B, R>,
    ) -> (Tensor<B, R>, Tensor<B, R>) {
        let shape = theta.dims();
        let [theta, gradient, mean_square] = [theta, gradient, mean_square].map(Rows::of);
        let (theta, mean_square) =
            theta.with(|theta| gradient.with(|gradient| mean_square.with(|mean_square| rule.step(theta, gradient, mean_square))));
        (floats(theta, shape), floats(mean_square, shape))
    }

    fn adam<const R: usize>(rule: Adam, old: Moved<Tensor<B, R>>, gradient: Tensor<B, R>) -> Moved<Tensor<B, R>> {
        let shape = gradient.dims();
        let [theta, mean, mean_square] = [old.theta, old.mean, old.mean_square].map(Rows::of);
        let [theta, mean, mean_square] = [&theta.0, &mean.0, &mean_square.0].map(B::numbers);
        let old = Moved {
            theta: &*theta,
            mean: &*mean,
            mean_square: &*mean_square,
        };
        let new = Rows::of(gradient).with(|gradient| rule.step(old, gradient));
        Moved {
            theta: floats(new.theta, shape),
            mean: floats(new.mean, shape),
            mean_square: floats(new.mean_square, shape),
        }
    }
}
