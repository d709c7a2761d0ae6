//! Draws of binary units as bits, for layers of more units than states can be listed.

use burn::tensor::Tensor;

use super::Model;
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::Draws;

/// Words h of H bits and the images x ~ q(.|h) drawn from them, N of each.
#[derive(Clone, Debug)]
pub struct Pairs<B: ChainBackend> {
    /// h, packed as images of H pixels.
    pub units: DeviceImages<B>,
    /// x.
    pub images: DeviceImages<B>,
}

impl<B: ChainBackend> Model<B> {
    /// Draws `h ~ p(.|x)` for N images: unit j is on with probability `s((x W + b)_j)`.
    pub fn draw_units(&self, images: &DeviceImages<B>, draws: Draws) -> DeviceImages<B> {
        B::draw_bits(self.forward_logits(images), 1, draws)
    }

    /// `a + h A`, `[N, D]`: the logits of the pixels given N words.
    pub fn visible_logits(&self, units: &DeviceImages<B>) -> Tensor<B, 2> {
        B::affine(units, self.backward.val(), self.visible_bias_row())
    }

    /// Draws `x ~ q(.|h)` for N words.
    pub fn draw_images_of(&self, units: &DeviceImages<B>, draws: Draws) -> DeviceImages<B> {
        B::draw_bits(self.visible_logits(units), 1, draws)
    }
}
