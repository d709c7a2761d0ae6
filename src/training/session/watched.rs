//! An observer, and the last step that it was told of.

use crate::files::UnreadLine;
use crate::training::Observer;
use crate::training::metrics::Metrics;

/// Passes on what the run tells.
pub(super) struct Watched<'a> {
    pub observer: &'a mut dyn Observer,
    pub last: u64,
}

impl Observer for Watched<'_> {
    fn pseudo_count(&mut self, pseudo_count: f64) {
        self.observer.pseudo_count(pseudo_count);
    }

    fn passed_over(&mut self, line: &UnreadLine) {
        self.observer.passed_over(line);
    }

    fn stepped(&mut self, step: u64) {
        self.last = step;
        self.observer.stepped(step);
    }

    fn evaluated(&mut self, metrics: &Metrics) {
        self.observer.evaluated(metrics);
    }
}
