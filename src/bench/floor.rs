//! A lower bound on the time of a step: five products, N images drawn, every array read and written once.

use std::time::Instant;

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::data::packed::PackedImages;
use crate::model::{Model, Parameters};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Seed, Stream};

/// The parts of the floor on some backend; milliseconds.
pub trait Floor {
    /// One of the five products of a step as a dense product by burn: `x W` at the old and the new images of the chains, `x A^T`,
    /// `x^T r`, `x^T excess`.
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
    /// Arrays of the shapes `[N, L]` and `[B, L]`.
    weights: [Tensor<B, 2>; 2],
    draws: u64,
}

impl<B: ChainBackend> FloorOn<B> {
    pub(crate) fn new(parameters: &Parameters, chains: &PackedImages, images: &PackedImages, device: &B::Device) -> Self {
        let chains = DeviceImages::new(chains, device);
        let images = DeviceImages::new(images, device);
        let latent = parameters.latent();
        let weights = |images: &DeviceImages<B>| Tensor::full([images.len(), latent], 0.1, device);
        Self {
            model: Model::new(parameters, device),
            weights: [weights(&chains), weights(&images)],
            dense: [B::unpack(&chains), B::unpack(&images)],
            chains,
            images,
            draws: 0,
        }
    }

    fn time<T>(&self, task: impl FnOnce() -> T) -> f64 {
        let start = Instant::now();
        let result = task();
        let _ = B::sync(&self.chains.words.device());
        let elapsed = start.elapsed();
        drop(result);
        1e3 * elapsed.as_secs_f64()
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
        let latent = B::draw_latent(self.weights[0].clone(), Seed(0).draws(Stream::Latent, self.draws, 0));
        let _ = B::sync(&self.chains.words.device());
        let logits = self.model.backward.val();
        self.time(|| B::draw_visible(logits, latent, Seed(0).draws(Stream::Visible, self.draws, 0)))
    }

    fn memory(&mut self) -> f64 {
        let parameters = [&self.model.forward, &self.model.backward].map(|parameter| parameter.val());
        let words = [&self.chains, &self.images].map(|images| images.words.clone());
        self.time(|| {
            let [forward, backward] = parameters;
            let copies = [forward.clone(), forward, backward.clone(), backward].map(|array| array * 1.0);
            (copies, words.map(|array| array * 1))
        })
    }

    fn wait(&mut self) {
        let _ = B::sync(&self.chains.words.device());
    }
}

/// [`Floor::memory`] on the CPU: parameters, their mean squares, chains and images copied once, by all threads. Milliseconds.
pub fn host_memory(parameters: &Parameters, chains: &PackedImages, images: &PackedImages) -> f64 {
    let numbers = 2 * (parameters.forward.len() + parameters.forward_bias.len() + parameters.backward.len());
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
