//! A lower bound on the time of a step: five products, N images drawn, every array read and written once.
//!
//! The matrices act on codes, so that a product has H columns, of any number of states. What a step does with the L states themselves is left out: the
//! softmax and its draws, which a one-hot layer has too, s(A~) and its log-sums over `[L, D]`, and the way from codes to states and back. So is, of
//! deeper chains, the matrix M between two layers.

use std::time::Instant;

use burn::tensor::{Int, Tensor};
use rayon::prelude::*;

use crate::data::packed::PackedImages;
use crate::model::{Model, Parameters};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Seed, Stream};

/// The parts of the floor on some backend; milliseconds.
pub trait Floor {
    /// How many products a step has.
    fn products(&self) -> usize {
        5
    }
    /// One of the products of a step as a dense product by burn; of a step over listed states `x W` at the old and the new images of the chains, `x A^T`,
    /// `x^T (r C)`, `x^T (excess C)`.
    fn product(&mut self, which: usize) -> f64;
    /// The draws of N images.
    fn sampler(&mut self) -> f64;
    /// Every array read and written once, on the device.
    fn memory(&mut self) -> f64;
    /// Waits for all that runs on the device.
    fn wait(&mut self);
}

/// The floor on a device of backend B.
pub(crate) struct FloorOn<B: ChainBackend> {
    model: Model<B>,
    chains: DeviceImages<B>,
    images: DeviceImages<B>,
    /// As 0.0 and 1.0, `[N, D]` and `[B, D]`.
    dense: [Tensor<B, 2>; 2],
    /// Arrays of the shapes `[N, H]`, with the H of the first latent layer, and `[B, H]`, with that of the last.
    weights: [Tensor<B, 2>; 2],
    /// For each chain the row of `logits`, and the logits of images: A of a one-hot layer, otherwise a row for each chain.
    rows: Tensor<B, 1, Int>,
    logits: Tensor<B, 2>,
    draws: u64,
}

impl<B: ChainBackend> FloorOn<B> {
    pub(crate) fn new(parameters: &Parameters, chains: &PackedImages, images: &PackedImages, device: &B::Device) -> Self {
        let chains = DeviceImages::new(chains, device);
        let images = DeviceImages::new(images, device);
        let model = Model::new(parameters, device);
        let weights = |images: &DeviceImages<B>, width| Tensor::full([images.len(), width], 0.1, device);
        let [of_chains, of_images] = [
            weights(&chains, parameters.layers.first().width()),
            weights(&images, parameters.layers.last().width()),
        ];
        let drawn = B::draw_latent(
            Tensor::zeros([chains.len(), parameters.latent()], device),
            Seed(0).draws(Stream::Latent, 0, 0),
        );
        let (rows, logits) = if parameters.layers.last().is_one_hot() {
            (drawn, model.backward.val())
        } else {
            let logits = model.last_codes().rows_of(drawn, model.backward.val());
            (Tensor::arange(0..chains.len() as i64, device), logits)
        };
        Self {
            rows,
            logits,
            model,
            weights: [of_chains, of_images],
            dense: [B::unpack(&chains), B::unpack(&images)],
            chains,
            images,
            draws: 0,
        }
    }

    fn time<T>(&self, task: impl FnOnce() -> T) -> f64 {
        time::<B, T>(&self.chains.words.device(), task)
    }
}

impl<B: ChainBackend> Floor for FloorOn<B> {
    fn product(&mut self, which: usize) -> f64 {
        let [chains, images] = self.dense.clone();
        let [of_chains, of_images] = self.weights.clone();
        let (forward, backward) = (self.model.forward.val(), self.model.backward.val());
        self.time(|| match which {
            0 | 1 => chains.matmul(forward),
            2 => images.matmul(backward.transpose()),
            3 => images.transpose().matmul(of_images),
            _ => chains.transpose().matmul(of_chains),
        })
    }

    fn sampler(&mut self) -> f64 {
        self.draws += 1;
        let (logits, rows) = (self.logits.clone(), self.rows.clone());
        self.time(|| B::draw_visible(logits, rows, Seed(0).draws(Stream::Visible, self.draws, 0)))
    }

    fn memory(&mut self) -> f64 {
        let between = self.model.between().iter().map(|between| &between.matrix);
        let matrices = [&self.model.forward, &self.model.backward].into_iter().chain(between);
        let matrices: Vec<_> = matrices.map(|matrix| matrix.val()).collect();
        let words = [&self.chains, &self.images].map(|images| images.words.clone());
        self.time(|| {
            // A matrix, and its mean squares, which are as large.
            let copies: Vec<_> = matrices.into_iter().map(|matrix| [matrix.clone() * 1.0, matrix * 1.0]).collect();
            (copies, words.map(|array| array * 1))
        })
    }

    fn wait(&mut self) {
        let _ = B::sync(&self.chains.words.device());
    }
}

/// How long a task takes until a device is done with it, milliseconds.
pub(super) fn time<B: ChainBackend, T>(device: &B::Device, task: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let result = task();
    let _ = B::sync(device);
    let elapsed = start.elapsed();
    drop(result);
    1e3 * elapsed.as_secs_f64()
}

/// [`Floor::memory`] on the CPU: parameters, their mean squares, chains and images copied once, by all threads. Milliseconds.
pub fn host_memory(parameters: &Parameters, chains: &PackedImages, images: &PackedImages) -> f64 {
    let listed = parameters.layers.are_listed();
    // A sampled posterior has R besides, as large as W, and two moments of each.
    let numbers = if listed { 2 } else { 3 } * parameters.numbers().count() + if listed { 0 } else { 3 * parameters.forward.len() };
    let words = images.words().len() + chains.words().len();
    let source = vec![1_u32; numbers + words];
    let mut copy = vec![0_u32; numbers + words];
    let start = Instant::now();
    copy.par_chunks_mut(1 << 15)
        .zip(source.par_chunks(1 << 15))
        .for_each(|(copy, source)| copy.copy_from_slice(source));
    let elapsed = start.elapsed();
    std::hint::black_box(copy);
    1e3 * elapsed.as_secs_f64()
}
