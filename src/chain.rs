//! The persistent chains: N images that move by `x -> z -> x` with the present parameters and are never restarted.

use burn::tensor::{Int, Tensor};

use crate::model::Model;
use crate::model::units::Pairs;
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Seed, Stream};

/// Moves every chain `steps` full steps, one or more: `z ~ p_W(.|x)`, then `x ~ q_A(.|z)`; `time` is the training step, which keys the draws.
pub fn walk<B: ChainBackend>(model: &Model<B>, chains: DeviceImages<B>, steps: usize, seed: Seed, time: u64) -> DeviceImages<B> {
    if !model.layers.are_listed() {
        return walk_units(model, chains, steps, seed, time).images;
    }
    walk_with_states(model, chains, steps, seed, time).1
}

/// The same, with the latent states that the images were drawn from, `[N]`; none where no step is made.
pub fn walk_with_states<B: ChainBackend>(
    model: &Model<B>,
    mut chains: DeviceImages<B>,
    steps: usize,
    seed: Seed,
    time: u64,
) -> (Option<Tensor<B, 1, Int>>, DeviceImages<B>) {
    let mut states = None;
    for step in 0..steps as u64 {
        let latent = model.draw_latent(&chains, seed.draws(Stream::Latent, time, step));
        chains = model.draw_visible(latent.clone(), seed.draws(Stream::Visible, time, step));
        states = Some(latent);
    }
    (states, chains)
}

/// As [`walk`], one step or more, through binary units as bits, with the words that the images were drawn from.
pub fn walk_units<B: ChainBackend>(model: &Model<B>, mut chains: DeviceImages<B>, steps: usize, seed: Seed, time: u64) -> Pairs<B> {
    let mut step = 0;
    loop {
        let units = model.draw_units(&chains, seed.draws(Stream::Latent, time, step));
        chains = model.draw_images_of(&units, seed.draws(Stream::Visible, time, step));
        step += 1;
        if step >= steps as u64 {
            return Pairs { units, images: chains };
        }
    }
}
