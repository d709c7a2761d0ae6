//! The weight of the path entropy production in the objective: fixed, or steered so that the chain produces a given amount.

use crate::config::PathEntropy;

/// The weight, nats of log-likelihood for a nat of entropy per step.
///
/// To hold the path entropy production sigma at a target it is changed at every step by what the N chains show, which are some percent off: with the
/// relative error `e = (target - sigma) / target`, cut to -1 to 1,
///
/// ```text
/// w <- w + 0.003 e / target,      and the step is taken with w + e / target
/// ```
///
/// The first is an integral, so no error stays; the second keeps it from swinging. Both are in units of 1 / target: with w sigma of a nat, the two parts
/// of the objective weigh about the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathWeight {
    weight: f64,
    target: Option<f64>,
}

impl PathWeight {
    /// What a step adds of the error.
    const INTEGRAL: f64 = 3e-3;
    /// No weight times the target is beyond.
    const MOST: f64 = 100.0;

    /// As configured; `weight` is that of a checkpoint. `None` where the objective is the log-likelihood alone.
    pub fn new(asked: PathEntropy, weight: Option<f64>) -> Option<Self> {
        match asked {
            PathEntropy::Weight(0.0) => None,
            PathEntropy::Weight(weight) => Some(Self { weight, target: None }),
            PathEntropy::Target(target) => Some(Self {
                weight: weight.unwrap_or(0.0),
                target: Some(target),
            }),
        }
    }

    /// The weight of a step in which the chains produce so much, nats per step.
    pub fn at(&mut self, produced: f64) -> f64 {
        let Some(target) = self.target else {
            return self.weight;
        };
        let error = ((target - produced) / target).clamp(-1.0, 1.0);
        let most = Self::MOST / target;
        self.weight = (self.weight + Self::INTEGRAL * error / target).clamp(-most, most);
        self.weight + error / target
    }

    /// Where it is steered, what it is now.
    pub fn steered(&self) -> Option<f64> {
        self.target.map(|_| self.weight)
    }
}
