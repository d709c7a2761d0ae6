//! The learning rate as a function of the step.

use crate::config::{Ascent, Schedule};

/// The learning rate of the update number `step` of `steps`, counted from 0; all schedules start at `training.learning_rate`.
///
/// ```text
/// constant  1        linear  1 - t        cosine  (1 + cos(pi t)) / 2        late  min(1, 2 - 2 t),        t = step / steps
/// ```
pub fn learning_rate(ascent: &Ascent, step: u64, steps: u64) -> f64 {
    let t = step as f64 / steps as f64;
    let factor = match ascent.schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => 1.0 - t,
        Schedule::Late => (2.0 - 2.0 * t).min(1.0),
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * t).cos()),
    };
    ascent.learning_rate * factor
}
