//! Steps uphill.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::ascent_kernels::*;
use super::{Adam, Moved, RmsProp, a_thread_each, empty, launch};

/// A new array of the shape of another.
fn like<R: CubeRuntime>(other: &CubeTensor<R>) -> CubeTensor<R> {
    empty(other, other.meta.shape().clone(), DType::F32)
}

/// See [`crate::ops::ChainBackend::rmsprop`].
pub fn rmsprop<R: CubeRuntime>(
    rule: RmsProp,
    theta: CubeTensor<R>,
    gradient: CubeTensor<R>,
    mean_square: CubeTensor<R>,
) -> (CubeTensor<R>, CubeTensor<R>) {
    let (moved, new_mean_square) = (like(&theta), like(&theta));
    launch!(
        rmsprop_kernel,
        (moved, a_thread_each(&moved)),
        theta.into_array_arg(),
        gradient.into_array_arg(),
        mean_square.into_array_arg(),
        moved.clone().into_array_arg(),
        new_mean_square.clone().into_array_arg(),
        rule.decay,
        rule.epsilon,
        rule.rate,
        rule.bound,
    );
    (moved, new_mean_square)
}

/// See [`crate::ops::ChainBackend::adam`].
pub fn adam<R: CubeRuntime>(rule: Adam, old: Moved<CubeTensor<R>>, gradient: CubeTensor<R>) -> Moved<CubeTensor<R>> {
    let new = Moved {
        theta: like(&gradient),
        mean: like(&gradient),
        mean_square: like(&gradient),
    };
    launch!(
        adam_kernel,
        (gradient, a_thread_each(&gradient)),
        old.theta.into_array_arg(),
        gradient.into_array_arg(),
        old.mean.into_array_arg(),
        old.mean_square.into_array_arg(),
        new.theta.clone().into_array_arg(),
        new.mean.clone().into_array_arg(),
        new.mean_square.clone().into_array_arg(),
        rule.decay,
        rule.square_decay,
        rule.mean_seen,
        rule.square_seen,
        rule.epsilon,
        rule.rate,
        rule.bound,
    );
    new
}
