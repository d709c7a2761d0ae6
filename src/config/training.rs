//! `[training]`: the step, how often it is taken, and what it follows.

use serde::{Deserialize, Serialize};

use super::ModelKind;

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Parameter updates.
    pub steps: u64,
    /// B, images in a minibatch.
    pub batch_size: usize,
    /// N, persistent chains.
    pub chains: usize,
    /// k, full steps of every chain between two updates.
    pub chain_steps: usize,
    /// The learning rate at the start.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// Which gradient is followed; each belongs to one kind of model.
    pub gradient: GradientKind,
    /// Which of the model's images the gradient is taken at.
    pub sampling: Sampling,
    /// What is added to the objective: this many times the entropy production of the latent chain.
    pub entropy_weight: f64,
    /// Every pixel keeps at least this probability to be lit, and to be dark, in every state.
    pub probability_floor: f64,
    /// The optimizer.
    pub rmsprop: RmsPropConfig,
    /// What expectation and maximization need.
    pub em: EmConfig,
}

/// `training.schedule`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// Down to zero along a line.
    Linear,
    /// Down to zero along half a cosine.
    Cosine,
}

/// `training.gradient`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradientKind {
    /// Nonequilibrium: over the last two steps of the chain.
    TwoStep,
    /// Nonequilibrium: over all steps of the chain.
    Complete,
    /// RBM: with the exact model term.
    Exact,
    /// RBM: persistent contrastive divergence, the model term from the chains.
    Pcd,
    /// Mixture: expectation and maximization in place of a gradient.
    Em,
}

impl GradientKind {
    /// The kind of model that it trains.
    pub fn trains(self) -> ModelKind {
        match self {
            Self::TwoStep | Self::Complete => ModelKind::Nonequilibrium,
            Self::Exact | Self::Pcd => ModelKind::Rbm,
            Self::Em => ModelKind::Mixture,
        }
    }
}

/// `training.sampling`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// Those that the persistent chains arrive at with the present parameters.
    Persistent,
    /// Those that the persistent chains arrived at with the parameters before the last update.
    Stale,
    /// New ones from every latent state, weighted by the steady state of the present parameters.
    Stratified,
}

/// `[training.em]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmConfig {
    /// Images added to each state's count of images, and to its lit and dark pixels.
    pub pseudo_count: PseudoCount,
    /// Starts that are tried; the best of them is trained.
    pub restarts: u32,
}

/// `training.em.pseudo_count`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"held-out\" or a number")]
pub enum PseudoCount {
    /// Chosen by the likelihood of a part of the training images, held out.
    HeldOut(HeldOutWord),
    /// Given.
    Number(f64),
}

/// How [`PseudoCount::HeldOut`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldOutWord {
    /// "held-out"
    HeldOut,
}

/// `[training.rmsprop]`: `v <- decay v + (1 - decay) g^2`, `theta <- theta + rate g / (sqrt(v) + epsilon)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// Memory of the mean square.
    pub decay: f64,
    /// Added to the root of the mean square; one number, or one for each matrix.
    pub epsilon: Epsilon,
}

/// `training.rmsprop.epsilon`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "EpsilonText")]
pub struct Epsilon {
    /// For the forward matrix and its bias.
    pub forward: f64,
    /// For the backward matrix.
    pub backward: f64,
}

impl TrainingConfig {
    /// B, out of so many training images: expectation and maximization takes all of them.
    pub fn batch_of(&self, images: usize) -> usize {
        match self.gradient {
            GradientKind::Em => images,
            _ => self.batch_size,
        }
    }

    /// The same with a pseudo-count that was chosen.
    pub fn with_pseudo_count(&self, count: f64) -> Self {
        let pseudo_count = PseudoCount::Number(count);
        Self {
            em: EmConfig { pseudo_count, ..self.em },
            ..self.clone()
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 6000,
            batch_size: 500,
            chains: 500,
            chain_steps: 1,
            learning_rate: 0.01,
            schedule: Schedule::Linear,
            seed: 1,
            gradient: GradientKind::TwoStep,
            sampling: Sampling::Persistent,
            entropy_weight: 0.0,
            probability_floor: 1e-4,
            rmsprop: RmsPropConfig::default(),
            em: EmConfig::default(),
        }
    }
}

impl Default for EmConfig {
    fn default() -> Self {
        Self {
            pseudo_count: PseudoCount::HeldOut(HeldOutWord::HeldOut),
            restarts: 10,
        }
    }
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            decay: 0.9,
            epsilon: Epsilon {
                forward: 1e-15,
                backward: 1e-15,
            },
        }
    }
}

/// How `training.rmsprop.epsilon` may be written.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number or { forward = NUMBER, backward = NUMBER }")]
enum EpsilonText {
    One(f64),
    Two(EpsilonTable),
}

#[derive(Deserialize)]
#[serde(default)]
struct EpsilonTable {
    forward: f64,
    backward: f64,
}

impl Default for EpsilonTable {
    fn default() -> Self {
        let Epsilon { forward, backward } = RmsPropConfig::default().epsilon;
        Self { forward, backward }
    }
}

impl From<EpsilonText> for Epsilon {
    fn from(text: EpsilonText) -> Self {
        match text {
            EpsilonText::One(both) => Self {
                forward: both,
                backward: both,
            },
            EpsilonText::Two(EpsilonTable { forward, backward }) => Self { forward, backward },
        }
    }
}
