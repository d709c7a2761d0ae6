//! Progress and interruption of long computations.

use std::sync::atomic::{AtomicBool, Ordering};

/// The computation was stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// Follows a long computation, and can stop it.
///
/// `&()` does neither. A flag, such as one that Ctrl-C sets, stops the computation once it is set.
pub trait Watch: Sync {
    /// Work of this name begins, in so many parts: a word or two that stand beside a bar.
    fn begins(&self, _work: &'static str, _parts: usize) {}

    /// One of its parts is done.
    fn part_done(&self) {}

    /// Should the computation stop?
    fn is_stopped(&self) -> bool;

    /// Returns an error if the computation should stop.
    ///
    /// # Errors
    /// [`Stopped`], if it should.
    fn go_on(&self) -> Result<(), Stopped> {
        if self.is_stopped() { Err(Stopped) } else { Ok(()) }
    }
}

impl Watch for () {
    fn is_stopped(&self) -> bool {
        false
    }
}

impl Watch for AtomicBool {
    fn is_stopped(&self) -> bool {
        self.load(Ordering::Relaxed)
    }
}
