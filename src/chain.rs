//! The persistent chains: N images that move by `x -> z -> x` with the present parameters and are never restarted.

use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Seed, Stream};

/// Moves every chain `steps` full steps: `z ~ p_W(.|x)`, then `x ~ q_A(.|z)`; `time` is the training step, which keys the draws.
pub fn walk<B: ChainBackend>(model: &Model<B>, mut chains: DeviceImages<B>, steps: usize, seed: Seed, time: u64) -> DeviceImages<B> {
    for step in 0..steps as u64 {
        let latent = model.draw_latent(&chains, seed.draws(Stream::Latent, time, step));
        chains = model.draw_visible(latent, seed.draws(Stream::Visible, time, step));
    }
    chains
}
