//! The persistent chains: N images that walk `x -> z -> x` with the present parameters, and are never restarted.

use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::model::{Model, matrix};
use crate::random::{Seed, Stream};

/// Moves every chain `steps` full steps: `z ~ p_W(.|x)`, then `x ~ q_A(.|z)`.
///
/// `chains` is `[N, D]`; `time` is the training step, which keys the draws.
pub fn walk<B: Backend>(model: &Model<B>, mut chains: Tensor<B, 2>, steps: usize, seed: Seed, time: u64) -> Tensor<B, 2> {
    let [count, visible] = chains.dims();
    let device = chains.device();
    let draws = |stream, step, columns| matrix(&seed.uniforms(stream, time, step, (count, columns)), &device);
    for step in 0..steps as u64 {
        let latent = draw_latent(model.log_forward(chains), draws(Stream::Latent, step, 1));
        chains = draw_visible(model, latent, draws(Stream::Visible, step, visible));
    }
    chains
}

/// Draws `z ~ p(.|x)` by inverting the cumulative distribution at one uniform a row.
///
/// `log_forward` is `ln p(z|x)`, `[N, L]`; `uniforms` is `[N, 1]`; the states come as `[N]`. The last cumulative sum stands in for
/// 1, so that rounding never falls beyond the last state and a state of probability zero is never drawn.
pub fn draw_latent<B: Backend>(log_forward: Tensor<B, 2>, uniforms: Tensor<B, 2>) -> Tensor<B, 1, Int> {
    let latent = log_forward.dims()[1];
    let cumulative = log_forward.exp().cumsum(1);
    let total = cumulative.clone().narrow(1, latent - 1, 1);
    cumulative
        .lower_equal(uniforms * total)
        .int()
        .sum_dim(1)
        .clamp_max(latent as i64 - 1)
        .squeeze_dim(1)
}

/// Draws `x ~ q(.|z)`: pixel i of chain n is lit where its uniform is below `s(A_zi)`.
///
/// `latent` is `[N]`, `uniforms` and the images are `[N, D]`.
pub fn draw_visible<B: Backend>(model: &Model<B>, latent: Tensor<B, 1, Int>, uniforms: Tensor<B, 2>) -> Tensor<B, 2> {
    let probabilities = sigmoid(model.backward.val()).select(0, latent);
    uniforms.lower(probabilities).float()
}
