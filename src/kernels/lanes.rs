//! Numbers added a vector register at a time.

use std::ops::AddAssign;

/// Numbers in a register of f32.
pub(super) const LANES: usize = 8;

/// What can be summed: f32 in training, f64 in evaluation.
pub trait Number: Copy + Default + AddAssign + Send + Sync {}
impl Number for f32 {}
impl Number for f64 {}

pub(super) type Lanes<F> = [F; LANES];

/// Adds WIDTH registers to as many others.
#[inline(always)]
pub(super) fn add<F: Number, const WIDTH: usize>(sum: &mut [Lanes<F>; WIDTH], terms: &[Lanes<F>; WIDTH]) {
    for strip in 0..WIDTH {
        for lane in 0..LANES {
            sum[strip][lane] += terms[strip][lane];
        }
    }
}
