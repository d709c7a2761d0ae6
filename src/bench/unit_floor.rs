//! The floor of a step whose posterior is sampled: its products as dense ones, its draws, its arrays copied once.

use burn::tensor::Tensor;

use super::floor::{Floor, time};
use crate::data::packed::PackedImages;
use crate::model::{Model, Parameters};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Seed, Stream};

/// The floor on a device of backend B, of N chains, B images and K candidates of each.
pub(crate) struct UnitFloorOn<B: ChainBackend> {
    model: Model<B>,
    /// Chains `[N, D]` and images `[B, D]` as 0.0 and 1.0, an array `[N, H]`, one `[B, H]`, and one for the candidates, `[B K, H]`.
    chains: Tensor<B, 2>,
    images: Tensor<B, 2>,
    chain_words: Tensor<B, 2>,
    image_words: Tensor<B, 2>,
    words: Tensor<B, 2>,
    /// Arrays `[B K, N]` and `[B K, D]`.
    by_chain: Tensor<B, 2>,
    by_pixel: Tensor<B, 2>,
    packed: [DeviceImages<B>; 2],
    candidates: usize,
    draws: u64,
}

impl<B: ChainBackend> UnitFloorOn<B> {
    pub(crate) fn new(parameters: &Parameters, [chains, images]: [&PackedImages; 2], candidates: usize, device: &B::Device) -> Self {
        let [chains, images] = [chains, images].map(|images| DeviceImages::new(images, device));
        let full = |rows, columns| Tensor::full([rows, columns], 0.1, device);
        let (units, count) = (parameters.forward_bias.len(), candidates * images.len());
        Self {
            model: Model::new(parameters, device),
            chains: B::unpack(&chains),
            images: B::unpack(&images),
            chain_words: full(chains.len(), units),
            image_words: full(images.len(), units),
            words: full(count, units),
            by_chain: full(count, chains.len()),
            by_pixel: full(count, parameters.visible()),
            packed: [chains, images],
            candidates,
            draws: 0,
        }
    }

    fn time<T>(&self, task: impl FnOnce() -> T) -> f64 {
        time::<B, T>(&self.chains.device(), task)
    }
}

impl<B: ChainBackend> Floor for UnitFloorOn<B> {
    /// Up from the chains, three times (they move, are weighed, and teach the recognition distribution) and from the images; down from both kinds of words;
    /// pi of the candidates; and the way back of each.
    fn products(&self) -> usize {
        11
    }

    fn product(&mut self, which: usize) -> f64 {
        let (up, down) = (self.model.forward.val(), self.model.backward.val());
        let (chains, images, chain_words, words) = (
            self.chains.clone(),
            self.images.clone(),
            self.chain_words.clone(),
            self.words.clone(),
        );
        let (by_chain, by_pixel, image_words) = (self.by_chain.clone(), self.by_pixel.clone(), self.image_words.clone());
        self.time(|| match which {
            0..=2 => chains.matmul(up),                  //                                x W             [N, H]
            3 => images.matmul(up),                      //                                    x R             [B, H]
            4 => chain_words.matmul(down),               //                             h A             [N, D]
            5 => words.matmul(down),                     //                                   h_k A           [B K, D]
            6 => words.matmul(chain_words.transpose()),  //                h_k . l_n       [B K, N]
            7 => by_chain.transpose().matmul(words),     //                   sum_k v h_k     [N, H]
            8 => words.transpose().matmul(by_pixel),     //                   dl/dA           [H, D]
            9 => chains.transpose().matmul(chain_words), //               dl/dW           [D, H]
            _ => chains.transpose().matmul(chain_words) + images.transpose().matmul(image_words), // dl/dR [D, H]
        })
    }

    fn sampler(&mut self) -> f64 {
        self.draws += 1;
        let draws = |stream| Seed(0).draws(stream, self.draws, 0);
        let device = self.chains.device();
        let zeros = |rows: usize, columns: usize| Tensor::<B, 2>::zeros([rows, columns], &device);
        let (units, [chains, images]) = (self.chain_words.dims()[1], &self.packed);
        let (of_words, of_images, of_candidates) = (
            zeros(chains.len(), units),
            zeros(chains.len(), chains.pixels),
            zeros(images.len(), units),
        );
        self.time(|| {
            (
                B::draw_bits(of_words, 1, draws(Stream::Latent)).words,
                B::draw_bits(of_images, 1, draws(Stream::Visible)).words,
                B::draw_bits(of_candidates, self.candidates, draws(Stream::Candidates)).words,
            )
        })
    }

    fn memory(&mut self) -> f64 {
        let (up, down) = (self.model.forward.val(), self.model.backward.val());
        let words = self.packed.each_ref().map(|images| images.words.clone());
        self.time(|| {
            // W, R and A, each with its mean and mean square.
            let copies = [up.clone(), up, down].map(|matrix| [matrix.clone() * 1.0, matrix.clone() * 1.0, matrix * 1.0]);
            (copies, words.map(|array| array * 1))
        })
    }

    fn wait(&mut self) {
        let _ = B::sync(&self.chains.device());
    }
}
