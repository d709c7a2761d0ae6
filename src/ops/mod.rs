//! The operations of the model that burn's backends lack.
//!
//! This is burn's pattern for custom operations: a trait on top of its `Backend`. Every operation has an implementation with burn's tensors
//! ([`generic`]) that runs anywhere and defines the result; the CPU backends replace them by loops that pass over memory once
//! ([`crate::kernels`]), and GPUs replace all but sums over listed codes by kernels of their own (`gpu`). The model, the gradient and the training
//! step are generic and do not know which one runs.

pub mod codes;
pub mod cpu;
pub mod generic;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub mod gpu;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use self::codes::Factors;
use crate::data::packed::PackedImages;
pub use crate::kernels::adam::{Adam, Moved};
pub use crate::kernels::rmsprop::RmsProp;
use crate::random::Draws;

/// Binary images on a device, 32 pixels to a word.
#[derive(Clone, Debug)]
pub struct DeviceImages<B: Backend> {
    /// `[N, ceil(D / 32)]`, pixel i in bit i mod 32 of word i / 32; the bits beyond the last pixel are 0.
    pub words: Tensor<B, 2, Int>,
    /// D.
    pub pixels: usize,
}

impl<B: Backend> DeviceImages<B> {
    /// Puts images on a device.
    pub fn new(images: &PackedImages, device: &B::Device) -> Self {
        let words: Vec<i32> = images.words().iter().map(|&word| word.cast_signed()).collect();
        let shape = [images.len(), images.bits().stride()];
        // On CUDA an array of rows is copied row by row, which took 2 ms for 8,192 images.
        let in_one_row = Tensor::<B, 1, Int>::from_data(TensorData::new(words, [shape[0] * shape[1]]), device);
        Self {
            words: in_one_row.reshape(shape),
            pixels: images.pixels(),
        }
    }

    /// In parts of at most so many images, in their order.
    pub fn parts(&self, most: usize) -> Vec<Self> {
        let [count, stride] = self.words.dims();
        let of_part = |first: usize| Self {
            words: self.words.clone().slice([first..count.min(first + most), 0..stride]),
            pixels: self.pixels,
        };
        (0..self.len()).step_by(most).map(of_part).collect()
    }

    /// The images, back on the host.
    pub fn to_host(&self) -> PackedImages {
        let words = self.words.clone().into_data();
        PackedImages::from_words(words.iter::<i32>().map(i32::cast_unsigned).collect(), self.pixels)
    }

    /// N.
    pub fn len(&self) -> usize {
        self.words.dims()[0]
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A backend with the model's operations. N images of D pixels, L latent states.
pub trait ChainBackend: Backend {
    /// Images of a minibatch whose numbers for every one-hot state, `[B, L]`, are held at a time. A larger minibatch is taken in parts.
    fn images_at_a_time(latent: usize) -> usize {
        /// So that arrays are large enough for a GPU, and within what it takes as one.
        const NUMBERS: usize = 1 << 24;
        (NUMBERS / latent).max(4096)
    }

    /// Two independent computations: one after the other, or in parallel where that is faster.
    fn both<T: Send, U: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> U + Send) -> (T, U) {
        (first(), second())
    }

    /// Images as 0.0 and 1.0, `[N, D]`.
    fn unpack(images: &DeviceImages<Self>) -> Tensor<Self, 2> {
        generic::unpack(images)
    }

    /// `s_k + sum_i x_ni M_ik`, `[N, L]`, of images, M `[D, L]` and s `[1, L]`.
    fn affine(images: &DeviceImages<Self>, table: Tensor<Self, 2>, start: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::affine(images, table, start)
    }

    /// `sum_n x_ni r_nk`, `[D, L]`, of images and weights r `[N, L]`.
    fn transposed_product(images: &DeviceImages<Self>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::transposed_product(images, weights)
    }

    /// `sum_m a_nm b_mk`, `[N, K]`, of numbers a `[N, M]` and b `[M, K]`. (On CUDA burn's own product rounds them to the 10 bits of TF32.)
    fn dense(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        a.matmul(b)
    }

    /// `s(A_ki)`, `[L, D]`, and `ln q(0|k) = -sum_i ln(1 + e^A_ki)`, `[1, L]`, of A `[L, D]`; nats.
    fn bernoulli(logits: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        generic::bernoulli(logits)
    }

    /// `ln q(x_n|a_n) = sum_i ( x_ni a_ni - ln(1 + e^a_ni) )`, `[N, 1]`, and `x_ni - s(a_ni)`, `[N, D]`, of images and logits a `[M, D]`; nats. N is the larger
    /// number of both; the other divides it, and each image, or row of logits, belongs to as many consecutive rows.
    fn log_bernoulli(images: &DeviceImages<Self>, logits: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        generic::log_bernoulli(images, logits)
    }

    /// `mean_n r_nk ( x_ni - s_ki )`, `[L, D]`, of images, r `[N, L]`, its mean rho over n `[1, L]`, and s `[L, D]`.
    fn residuals(images: &DeviceImages<Self>, r: Tensor<Self, 2>, rho: Tensor<Self, 2>, means: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::residuals(images, r, rho, means)
    }

    /// `ln softmax(a)` of every row of a `[N, L]`.
    fn log_softmax_rows(a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::log_softmax_rows(a)
    }

    /// `sum_n a_nk`, `[1, L]`, of a `[N, L]`.
    fn column_sums(a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::column_sums(a)
    }

    /// `ln sum_k e^(a_nk + c_k)`, `[N, 1]`, of a `[N, L]` and c `[1, L]`, which is 0 if left out.
    fn logsumexp(a: Tensor<Self, 2>, columns: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
        generic::logsumexp(a, columns)
    }

    /// `ln mean_n e^(a_nk - r_n)`, `[1, L]`, of a `[N, L]` and r `[N, 1]`, which is 0 if left out.
    fn log_mean_exp(a: Tensor<Self, 2>, rows: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
        generic::log_mean_exp(a, rows)
    }

    /// `r_nk = e^(ln q_nk - ln P_n + ln pi_k)`, `[N, L]`, of ln q `[N, L]`, ln P `[N, 1]` and ln pi `[1, L]`, which is 0 if left out.
    fn responsibilities(log_q: Tensor<Self, 2>, log_density: Tensor<Self, 2>, log_pi: Option<Tensor<Self, 2>>) -> Tensor<Self, 2> {
        generic::responsibilities(log_q, log_density, log_pi)
    }

    /// `rho_k = mean_n r_nk = pi_k u_k`, `[1, L]`, of ln pi and ln u `[1, L]`.
    fn mean_responsibilities(log_pi: Tensor<Self, 2>, log_u: Tensor<Self, 2>) -> Tensor<Self, 2> {
        (log_pi + log_u).exp()
    }

    /// `p_nk ( u_k - sum_j p_nj u_j ) / N`, `[N, L]`, of ln p `[N, L]` and ln u `[1, L]`; and its sum over n, `[1, L]`.
    fn softmax_gradient(log_p: Tensor<Self, 2>, log_u: Tensor<Self, 2>) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        generic::softmax_gradient(log_p, log_u)
    }

    /// `ln softmax_s( c_s . l_n + g_s )` of the values s of each factor, `[N, V]`, of logits l `[N, H]`.
    fn coded_log_softmax(factors: &Factors<Self>, logits: Tensor<Self, 2>) -> Tensor<Self, 2> {
        generic::coded_log_softmax(factors, logits)
    }

    /// Draws `z ~ softmax_k( c_k . l_n + g_k )`, `[N]`, of logits l `[N, H]`, factor by factor: the draws of factor f are part f of the stream.
    fn coded_draw(factors: &Factors<Self>, logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
        generic::coded_draw(factors, logits, draws)
    }

    /// `ln mean_n p_nk`, `[1, L]`, of probabilities that are products of those of the factors' values, ln `[N, V]`.
    fn coded_log_mean(factors: &Factors<Self>, log_values: Tensor<Self, 2>) -> Tensor<Self, 2> {
        Self::log_mean_exp(factors.combine(log_values), None)
    }

    /// `sum_k r_nk C_kh`, `[N, H]`, of the responsibilities `r_nk = pi_k q(x_n|k) / P(x_n)`, and `ln u_k = ln mean_n q(x_n|k) / P(x_n)`, `[1, L]`;
    /// of what the factors' values have in `ln q(x_n|k) - ln q(0|k)`, `[N, V]`, and of `ln q(0|k)` and `ln pi_k`, `[1, L]`.
    fn coded_shares(
        factors: &Factors<Self>,
        values: Tensor<Self, 2>,
        log_dark: Tensor<Self, 2>,
        log_pi: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        generic::coded_shares(factors, values, log_dark, log_pi)
    }

    /// `sum_k p_nk ( u_k - sum_j p_nj u_j ) C_kh / N`, `[N, H]`, of probabilities that are products of those of the factors' values,
    /// ln `[N, V]`, and of ln u `[1, L]`.
    fn coded_softmax_gradient(factors: &Factors<Self>, values: Tensor<Self, 2>, log_u: Tensor<Self, 2>) -> Tensor<Self, 2> {
        factors.gather(Self::softmax_gradient(factors.combine(values), log_u).0)
    }

    /// Draws images from `q(.|z)` of states z `[N]`, for `A~ = a + C A`, of A `[H, D]` and a `[1, D]`.
    fn coded_draw_visible(
        factors: &Factors<Self>,
        states: Tensor<Self, 1, Int>,
        backward: Tensor<Self, 2>,
        bias: Tensor<Self, 2>,
        draws: Draws,
    ) -> DeviceImages<Self> {
        generic::coded_draw_visible(factors, states, backward, bias, draws)
    }

    /// `ln q(0|k) = -sum_i ln(1 + e^A~_ki)`, `[1, L]`, for `A~ = a + C A`, of A `[H, D]` and a `[1, D]`; nats.
    fn coded_log_dark(factors: &Factors<Self>, backward: Tensor<Self, 2>, bias: Tensor<Self, 2>) -> Tensor<Self, 2> {
        Self::bernoulli(factors.spread_rows(backward) + bias).1
    }

    /// `sum_k rho_k C_kh s(A~_ki)`, `[H, D]`, and without the C, `[1, D]`, of rho `[1, L]`, A and a.
    fn coded_means(
        factors: &Factors<Self>,
        rho: Tensor<Self, 2>,
        backward: Tensor<Self, 2>,
        bias: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        generic::coded_means(factors, rho, backward, bias)
    }

    /// Draws `z ~ softmax(a)`, `[N]`, for every row of a `[N, L]`.
    fn draw_latent(logits: Tensor<Self, 2>, draws: Draws) -> Tensor<Self, 1, Int> {
        generic::draw_latent(logits, draws)
    }

    /// Draws images from `q(.|z)`, of A `[L, D]` and z `[N]`.
    fn draw_visible(logits: Tensor<Self, 2>, latent: Tensor<Self, 1, Int>, draws: Draws) -> DeviceImages<Self> {
        generic::draw_visible(logits, latent, draws)
    }

    /// Draws bits that are 1 with probabilities s(a), `[N x each, D]`: so many consecutive rows from each row of logits a `[N, D]`.
    fn draw_bits(logits: Tensor<Self, 2>, each: usize, draws: Draws) -> DeviceImages<Self> {
        let rows = Tensor::arange(0..(logits.dims()[0] * each) as i64, &logits.device()).div_scalar(each as i32);
        Self::draw_visible(logits, rows, draws)
    }

    /// A step of RMSprop uphill: the parameters and their mean squares, moved by a gradient.
    fn rmsprop<const R: usize>(
        rule: RmsProp,
        theta: Tensor<Self, R>,
        gradient: Tensor<Self, R>,
        mean_square: Tensor<Self, R>,
    ) -> (Tensor<Self, R>, Tensor<Self, R>) {
        generic::rmsprop(rule, theta, gradient, mean_square)
    }

    /// A step of Adam uphill: the parameters and their means and mean squares, moved by a gradient.
    fn adam<const R: usize>(rule: Adam, old: Moved<Tensor<Self, R>>, gradient: Tensor<Self, R>) -> Moved<Tensor<Self, R>> {
        generic::adam(rule, old, gradient)
    }
}
