//! The fused operations of the CPU, on slices: they know nothing of burn.
//!
//! Each is written once as plain loops and compiled for several generations of vector instructions, of which `vectorized` takes the
//! best at run time. Results depend neither on that choice nor on the number of threads: no sum changes its order.

pub mod adam;
pub mod bits;
pub mod coded_pixels;
pub mod coded_sums;
pub mod codes;
pub mod exp;
mod folds;
mod lanes;
pub mod latent;
pub mod logspace;
pub mod logsums;
pub mod pixels;
pub mod products;
mod quads;
pub mod rmsprop;
mod rows;
pub mod visible;

/// Runs a task compiled for the best vector instructions of this processor. The task and all that it calls must be
/// `#[inline(always)]`, or it stays compiled for the oldest.
#[inline(always)]
pub(crate) fn vectorized<R>(task: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(task)
}

/// Rows that one task takes: a few tasks for each thread, but none that is not worth waking one. Only a grain size, no result depends
/// on it.
pub(crate) fn grain(rows: usize, work_per_row: usize) -> usize {
    /// Elementary operations that take about as long as it takes to wake a thread.
    const WORTH_A_THREAD: usize = 1 << 13;
    let tasks = (rows * work_per_row / WORTH_A_THREAD).clamp(1, 4 * rayon::current_num_threads());
    rows.div_ceil(tasks).max(1)
}
