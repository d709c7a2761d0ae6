//! `[training]` where the posterior of the data is sampled.

use super::{Ascent, Chains, PathEntropy};

/// `training.posterior = "recognition"`: candidates from a recognition distribution; see [`crate::gradient::sampled`].
#[derive(Clone, Debug, PartialEq)]
pub struct SampledConfig {
    /// `model.kind = "directed"`: W stays 0, so that the units are independent, and every image is drawn anew.
    pub directed: bool,
    /// The persistent chains.
    pub chains: Chains,
    /// K, `training.candidates`: draws for the posterior of each image.
    pub candidates: usize,
    /// Minibatches, and the learning rate.
    pub ascent: Ascent,
    /// How the parameters move uphill.
    pub optimizer: Optimizer,
    /// What the objective has of the path entropy production; nothing where `directed`.
    pub path_entropy: PathEntropy,
}

/// `training.optimizer`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// RMSprop, with the settings of [`Ascent`].
    RmsProp,
    /// Adam.
    Adam(AdamConfig),
}

/// `[training.adam]`: `m <- a m + (1 - a) g`, `v <- b v + (1 - b) g^2`, `theta <- theta + rate m / (1 - a^t) / (sqrt(v / (1 - b^t)) + epsilon)` in step t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// a, memory of the mean.
    pub decay: f64,
    /// b, memory of the mean square.
    pub square_decay: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl SampledConfig {
    /// K by default.
    pub const CANDIDATES: usize = 5;
}

impl Default for SampledConfig {
    fn default() -> Self {
        Self {
            directed: false,
            chains: Chains::default(),
            candidates: Self::CANDIDATES,
            ascent: Ascent::sampled(),
            optimizer: Optimizer::Adam(AdamConfig::default()),
            path_entropy: PathEntropy::NONE,
        }
    }
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            decay: 0.9,
            square_decay: 0.999,
            epsilon: 1e-8,
        }
    }
}
