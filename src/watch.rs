//! Who looks on while long work is done, and may end it.

use std::sync::atomic::{AtomicBool, Ordering};

/// The work was stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// Is told how long work goes on, and asked whether it should.
///
/// `&()` is nobody: the work is done to its end. A flag, such as one that Ctrl-C sets, ends it when it is set.
pub trait Watch: Sync {
    /// One of the announced parts is done.
    fn part_done(&self) {}

    /// Should the work end?
    fn is_stopped(&self) -> bool;

    /// The error that ends the work if it should end.
    ///
    /// # Errors
    /// If it should.
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
