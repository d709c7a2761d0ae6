//! The model's operations in burn's tensors: slow, plain, and the same on every backend.

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::codes::Factors;
use super::{Adam, ChainBackend, DeviceImages, Moved, RmsProp};
use crate::kernels::bits::WORD;
use crate::kernels::visible::BLOCKS;
use crate::random::{Draws, unit};

/// See [`super::ChainBackend::unpack`].
pub fn unpack<B: Backend>(images: &DeviceImages<B>) -> Tensor<B, 2> {
    let [count, stride] = images.words.dims();
    let words = images.words.clone().reshape([count, stride, 1]).expand([count, stride, WORD]);
    let bits = bit_values(&images.words.device())
        .reshape([1, 1, WORD])
        .expand([count, stride, WORD]);
    let pixels = words.bitwise_and(bits).not_equal_elem(0).float();
    pixels.reshape([count, stride * WORD]).narrow(1, 0, images.pixels)
}

/// Images from lit and dark pixels, `[N, D]`.
pub fn pack<B: Backend>(lit: Tensor<B, 2, Bool>) -> DeviceImages<B> {
    let [count, pixels] = lit.dims();
    let stride = pixels.div_ceil(WORD);
    let device = lit.device();
    let padding = Tensor::<B, 2, Int>::zeros([count, stride * WORD - pixels], &device);
    let lit = Tensor::cat(vec![lit.int(), padding], 1).reshape([count, stride, WORD]);
    let bits = bit_values(&device).reshape([1, 1, WORD]).expand([count, stride, WORD]);
    DeviceImages {
        words: (lit * bits).sum_dim(2).reshape([count, stride]),
        pixels,
    }
}

/// 2^0 to 2^31, the last of them as the lowest number, which has the same bit.
fn bit_values<B: Backend>(device: &B::Device) -> Tensor<B, 1, Int> {
    let values: Vec<i32> = (0..WORD).map(|bit| (1_u32 << bit).cast_signed()).collect();
    Tensor::from_data(TensorData::new(values, [WORD]), device)
}

/// See [`super::ChainBackend::affine`].
pub fn affine<B: ChainBackend>(images: &DeviceImages<B>, table: Tensor<B, 2>, start: Tensor<B, 2>) -> Tensor<B, 2> {
    B::unpack(images).matmul(table) + start
}

/// See [`super::ChainBackend::transposed_product`].
pub fn transposed_product<B: ChainBackend>(images: &DeviceImages<B>, weights: Tensor<B, 2>) -> Tensor<B, 2> {
    B::unpack(images).transpose().matmul(weights)
}

/// See [`super::ChainBackend::bernoulli`].
///
/// `|a|` is written with two relus and no `log_sigmoid` is used: on burn-ndarray `abs` of a shared transposed tensor returns
/// wrong elements and `log_sigmoid(20)` is -0.
pub fn bernoulli<B: Backend>(logits: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let positive = relu(logits.clone());
    let negative = relu(-logits.clone());
    let softplus = (-(positive.clone() + negative)).exp().log1p() + positive;
    (sigmoid(logits), -column_sums(softplus.transpose()))
}

/// See [`super::ChainBackend::log_bernoulli`].
pub fn log_bernoulli<B: ChainBackend>(images: &DeviceImages<B>, logits: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let [of_logits, _] = logits.dims();
    let rows = images.len().max(of_logits);
    let images = repeat_rows(B::unpack(images), rows / images.len());
    let logits = repeat_rows(logits, rows / of_logits);
    let (means, log_dark) = B::bernoulli(logits.clone());
    let lit = (images.clone() * logits).sum_dim(1);
    (lit + log_dark.transpose(), images - means)
}

/// Every row so many times, one after the other: `[N x count, M]` of `[N, M]`.
fn repeat_rows<B: Backend>(rows: Tensor<B, 2>, count: usize) -> Tensor<B, 2> {
    let [number, width] = rows.dims();
    let repeated = rows.reshape([number, 1, width]).expand([number, count, width]);
    repeated.reshape([number * count, width])
}

/// See [`super::ChainBackend::residuals`].
pub fn residuals<B: ChainBackend>(images: &DeviceImages<B>, r: Tensor<B, 2>, rho: Tensor<B, 2>, means: Tensor<B, 2>) -> Tensor<B, 2> {
    B::transposed_product(images, r).transpose() / images.len() as f64 - rho.transpose() * means
}

/// See [`super::ChainBackend::log_softmax_rows`].
pub fn log_softmax_rows<B: Backend>(a: Tensor<B, 2>) -> Tensor<B, 2> {
    burn::tensor::activation::log_softmax(a, 1)
}

/// See [`super::ChainBackend::logsumexp`].
pub fn logsumexp<B: Backend>(a: Tensor<B, 2>, columns: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
    let a = match columns {
        Some(columns) => a + columns,
        None => a,
    };
    let largest = a.clone().max_dim(1);
    (a - largest.clone()).exp().sum_dim(1).log() + largest
}

/// See [`super::ChainBackend::log_mean_exp`].
///
/// The count is divided out before the logarithm: `ln sum - ln count` would cancel digits, and the forward gradient is made of small
/// differences of u from 1.
pub fn log_mean_exp<B: Backend>(a: Tensor<B, 2>, rows: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
    let a = match rows {
        Some(rows) => a - rows,
        None => a,
    };
    let count = a.dims()[0] as f64;
    let largest = over_rows(a.clone(), |rows| rows.max_dim(1));
    (column_sums((a - largest.clone()).exp()) / count).log() + largest
}

/// Reduces the rows of a matrix to one, `[1, L]`, by way of 256 at a time.
///
/// A sum of many terms one by one loses digits in f32; and on software Vulkan no loop of a kernel runs more than 65,535 times, and the rest
/// is silently skipped.
fn over_rows<B: Backend>(a: Tensor<B, 2>, reduce: fn(Tensor<B, 3>) -> Tensor<B, 3>) -> Tensor<B, 2> {
    const BLOCK: usize = 256;
    let [rows, columns] = a.dims();
    let blocks = rows / BLOCK;
    let mut parts = Vec::new();
    if blocks > 0 {
        let whole = a.clone().narrow(0, 0, blocks * BLOCK).reshape([blocks, BLOCK, columns]);
        parts.push(reduce(whole).reshape([blocks, columns]));
    }
    if rows > blocks * BLOCK {
        let rest = a
            .narrow(0, blocks * BLOCK, rows - blocks * BLOCK)
            .reshape([1, rows - blocks * BLOCK, columns]);
        parts.push(reduce(rest).reshape([1, columns]));
    }
    let parts = Tensor::cat(parts, 0);
    let [count, _] = parts.dims();
    reduce(parts.reshape([1, count, columns])).reshape([1, columns])
}

/// See [`super::ChainBackend::column_sums`].
pub fn column_sums<B: Backend>(a: Tensor<B, 2>) -> Tensor<B, 2> {
    over_rows(a, |rows| rows.sum_dim(1))
}

/// See [`super::ChainBackend::responsibilities`].
pub fn responsibilities<B: Backend>(a: Tensor<B, 2>, rows: Tensor<B, 2>, columns: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
    match columns {
        Some(columns) => (a - rows + columns).exp(),
        None => (a - rows).exp(),
    }
}

/// See [`super::ChainBackend::softmax_gradient`].
pub fn softmax_gradient<B: Backend>(log_p: Tensor<B, 2>, log_u: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let count = log_p.dims()[0] as f64;
    let credit = (log_p.clone() + log_u).exp();
    let common = credit.clone().sum_dim(1);
    let excess = (credit - log_p.exp() * common) / count;
    (excess.clone(), column_sums(excess))
}

/// See [`super::ChainBackend::coded_log_softmax`].
pub fn coded_log_softmax<B: ChainBackend>(factors: &Factors<B>, logits: Tensor<B, 2>) -> Tensor<B, 2> {
    Tensor::cat(factors.value_logits(logits).map(B::log_softmax_rows).collect(), 1)
}

/// See [`super::ChainBackend::coded_draw`].
pub fn coded_draw<B: ChainBackend>(factors: &Factors<B>, logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
    let [count, _] = logits.dims();
    let mut states = Tensor::zeros([count], &logits.device());
    for (part, of_factor) in factors.value_logits(logits).enumerate() {
        let [_, values] = of_factor.dims();
        states = states * values as i32 + B::draw_latent(of_factor, draws.part(part as u64));
    }
    states
}

/// See [`super::ChainBackend::coded_shares`].
pub fn coded_shares<B: ChainBackend>(
    factors: &Factors<B>,
    values: Tensor<B, 2>,
    log_dark: Tensor<B, 2>,
    log_pi: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let log_q = factors.combine(values) + log_dark;
    let log_density = B::logsumexp(log_q.clone(), Some(log_pi.clone()));
    let log_u = B::log_mean_exp(log_q.clone(), Some(log_density.clone()));
    (factors.gather(B::responsibilities(log_q, log_density, Some(log_pi))), log_u)
}

/// See [`super::ChainBackend::coded_draw_visible`].
pub fn coded_draw_visible<B: ChainBackend>(
    factors: &Factors<B>,
    states: Tensor<B, 1, Int>,
    backward: Tensor<B, 2>,
    bias: Tensor<B, 2>,
    draws: Draws,
) -> DeviceImages<B> {
    B::draw_bits(B::dense(factors.matrix.clone().select(0, states), backward) + bias, 1, draws)
}

/// See [`super::ChainBackend::coded_means`].
pub fn coded_means<B: ChainBackend>(
    factors: &Factors<B>,
    rho: Tensor<B, 2>,
    backward: Tensor<B, 2>,
    bias: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let (means, _) = B::bernoulli(factors.spread_rows(backward) + bias);
    let expected = rho.transpose() * means;
    (factors.gather_rows(expected.clone()), B::column_sums(expected))
}

/// See [`super::ChainBackend::draw_latent`]; [`crate::kernels::latent`] says how.
pub fn draw_latent<B: Backend>(logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
    let [count, latent] = logits.dims();
    let uniforms: Vec<f32> = (0..count as u64).map(|row| unit(draws.block(row)[0])).collect();
    let uniforms = Tensor::<B, 2>::from_data(TensorData::new(uniforms, [count, 1]), &logits.device());
    let cumulative = (logits.clone() - logits.max_dim(1)).exp().cumsum(1);
    let total = cumulative.clone().narrow(1, latent - 1, 1);
    cumulative
        .lower_equal(uniforms * total)
        .int()
        .sum_dim(1)
        .clamp_max(latent as i64 - 1)
        .squeeze_dim(1)
}

/// See [`super::ChainBackend::draw_visible`]; [`crate::kernels::visible`] says how.
///
/// A uniform of 32 bits does not fit into f32: its upper and lower halves are compared one after the other.
pub fn draw_visible<B: Backend>(logits: Tensor<B, 2>, latent: Tensor<B, 1, Int>, draws: Draws) -> DeviceImages<B> {
    const HALF: f32 = 65_536.0;
    let [_, visible] = logits.dims();
    let [count] = latent.dims();
    let device = logits.device();
    let uniforms = pixel_uniforms(draws, count, visible);
    let half = |shift: u32| {
        let values: Vec<f32> = uniforms.iter().map(|uniform| (uniform >> shift & 0xFFFF) as f32).collect();
        Tensor::<B, 2>::from_data(TensorData::new(values, [count, visible]), &device)
    };
    let below_one = 1.0 - f32::EPSILON / 2.0;
    let probabilities = sigmoid(logits).clamp_max(below_one).select(0, latent) * HALF;
    let upper = probabilities.clone().floor();
    let lower = ((probabilities - upper.clone()) * HALF).floor();
    let tied = half(16).equal(upper.clone()).int() * half(0).lower(lower).int();
    pack((half(16).lower(upper).int() + tied).not_equal_elem(0))
}

/// The uniforms of all pixels as fractions of 2^32, `[N, D]` in rows.
fn pixel_uniforms(draws: Draws, count: usize, visible: usize) -> Vec<u32> {
    let stride = visible.div_ceil(WORD);
    let mut uniforms = vec![0; count * visible];
    for (chain, pixels) in uniforms.chunks_exact_mut(visible).enumerate() {
        for (word, pixels) in pixels.chunks_mut(WORD).enumerate() {
            let first = (chain * stride + word) as u64 * BLOCKS;
            for plane in (0..BLOCKS).flat_map(|block| draws.block(first + block)) {
                for (bit, uniform) in pixels.iter_mut().enumerate() {
                    *uniform = *uniform << 1 | plane >> bit & 1;
                }
            }
        }
    }
    uniforms
}

/// See [`super::ChainBackend::rmsprop`].
pub fn rmsprop<B: Backend, const R: usize>(
    rule: RmsProp,
    theta: Tensor<B, R>,
    gradient: Tensor<B, R>,
    mean_square: Tensor<B, R>,
) -> (Tensor<B, R>, Tensor<B, R>) {
    let mean_square = mean_square * rule.decay + gradient.clone() * gradient.clone() * (1.0 - rule.decay);
    let moved = theta + gradient / (mean_square.clone().sqrt() + rule.epsilon) * rule.rate;
    let moved = if rule.bound.is_finite() {
        moved.clamp(-rule.bound, rule.bound)
    } else {
        moved
    };
    (moved, mean_square)
}

/// See [`super::ChainBackend::adam`].
pub fn adam<B: Backend, const R: usize>(rule: Adam, old: Moved<Tensor<B, R>>, gradient: Tensor<B, R>) -> Moved<Tensor<B, R>> {
    let mean = old.mean * rule.decay + gradient.clone() * (1.0 - rule.decay);
    let mean_square = old.mean_square * rule.square_decay + gradient.clone() * gradient * (1.0 - rule.square_decay);
    let root = (mean_square.clone() / rule.square_seen).sqrt() + rule.epsilon;
    let moved = old.theta + mean.clone() / rule.mean_seen / root * rule.rate;
    Moved {
        theta: if rule.bound.is_finite() {
            moved.clamp(-rule.bound, rule.bound)
        } else {
            moved
        },
        mean,
        mean_square,
    }
}
