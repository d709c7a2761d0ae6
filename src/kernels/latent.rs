//! Draws of latent states: `z ~ p(.|x)`.

use rayon::prelude::*;

use super::exp::{exp, largest};
use crate::random::{Draws, unit};

/// Draws `z ~ softmax(logits)` for every row of logits `[N, L]` by inverting the cumulative distribution at one uniform a row: the first
/// draw of block n for row n.
///
/// The last cumulative sum stands in for 1, so that rounding never falls beyond the last state and a state of probability zero is
/// never drawn. A row that is not finite gives state 0.
pub fn draw_latent(logits: &[f32], latent: usize, draws: Draws) -> Vec<i32> {
    let count = logits.len() / latent;
    let grain = super::grain(count, 4 * latent);
    let mut states = vec![0; count];
    states
        .par_chunks_mut(grain)
        .zip(logits.par_chunks(grain * latent))
        .enumerate()
        .for_each(|(chunk, (states, logits))| {
            super::vectorized(
                #[inline(always)]
                || {
                    let mut weights = vec![0.0; latent];
                    for (row, (state, logits)) in states.iter_mut().zip(logits.chunks_exact(latent)).enumerate() {
                        let uniform = unit(draws.block((chunk * grain + row) as u64)[0]);
                        let largest = largest(logits);
                        for (weight, &logit) in weights.iter_mut().zip(logits) {
                            *weight = exp(logit - largest);
                        }
                        *state = invert(&mut weights, uniform);
                    }
                },
            );
        });
    states
}

/// The state that a uniform falls on, of states with these weights, which are cumulated.
#[inline(always)]
pub(super) fn invert(weights: &mut [f32], uniform: f32) -> i32 {
    let mut total = 0.0;
    for weight in &mut *weights {
        total += *weight;
        *weight = total;
    }
    let threshold = uniform * total;
    let below: i32 = weights.iter().map(|&sum| i32::from(sum <= threshold)).sum();
    below.min(weights.len() as i32 - 1)
}
