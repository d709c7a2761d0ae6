//! Kernels: a step uphill, a thread for each parameter.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

/// A number within `[-bound, bound]`; what is not a number stays so.
#[cube]
fn within(number: f32, bound: f32) -> f32 {
    let mut bounded = number;
    if number > bound {
        bounded = bound;
    }
    if number < -bound {
        bounded = -bound;
    }
    bounded
}

/// RMSprop.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn rmsprop_kernel(
    theta: &Array<f32>,
    gradient: &Array<f32>,
    mean_square: &Array<f32>,
    moved: &mut Array<f32>,
    new_mean_square: &mut Array<f32>,
    decay: f32,
    epsilon: f32,
    rate: f32,
    bound: f32,
) {
    if ABSOLUTE_POS >= moved.len() {
        terminate!();
    }
    let g = gradient[ABSOLUTE_POS];
    let square = mean_square[ABSOLUTE_POS] * decay + g * g * (1.0f32 - decay);
    let to = theta[ABSOLUTE_POS] + g / (f32::sqrt(square) + epsilon) * rate;
    new_mean_square[ABSOLUTE_POS] = square;
    moved[ABSOLUTE_POS] = within(to, bound);
}

/// Adam.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn adam_kernel(
    theta: &Array<f32>,
    gradient: &Array<f32>,
    mean: &Array<f32>,
    mean_square: &Array<f32>,
    moved: &mut Array<f32>,
    new_mean: &mut Array<f32>,
    new_mean_square: &mut Array<f32>,
    decay: f32,
    square_decay: f32,
    mean_seen: f32,
    square_seen: f32,
    epsilon: f32,
    rate: f32,
    bound: f32,
) {
    if ABSOLUTE_POS >= moved.len() {
        terminate!();
    }
    let g = gradient[ABSOLUTE_POS];
    let m = mean[ABSOLUTE_POS] * decay + g * (1.0f32 - decay);
    let square = mean_square[ABSOLUTE_POS] * square_decay + g * g * (1.0f32 - square_decay);
    let to = theta[ABSOLUTE_POS] + m / mean_seen / (f32::sqrt(square / square_seen) + epsilon) * rate;
    new_mean[ABSOLUTE_POS] = m;
    new_mean_square[ABSOLUTE_POS] = square;
    moved[ABSOLUTE_POS] = within(to, bound);
}
