//! `[training]`: how long, from which seed, and by which method.

use serde::{Deserialize, Serialize};

use super::{ModelKind, Optimizer, SampledConfig};

/// `[training]`
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Parameter updates.
    pub steps: u64,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// Every pixel keeps at least this probability to be lit, and to be dark, in every state.
    pub probability_floor: f64,
    /// How the parameters are updated, with the settings that this takes.
    pub method: Method,
}

/// How a machine is trained, with the settings that this takes and no other.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Gradient ascent.
    Gradient {
        /// Which one.
        kind: GradientKind,
        /// The optimizer and its minibatches.
        ascent: Ascent,
    },
    /// Nonequilibrium, of binary units: the two-step gradient, with the posterior of the data sampled.
    Sampled(SampledConfig),
    /// Mixture of one-hot states: expectation and maximization.
    Em(EmConfig),
}

/// `model.kind`, `training.gradient` and `training.sampling` of a machine that follows a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GradientKind {
    /// Nonequilibrium: over the last two steps of the persistent chains.
    TwoStep {
        /// The persistent chains.
        chains: Chains,
        /// Take the gradient at the images that the chains arrived at before the last update.
        stale: bool,
        /// What the objective has of the path entropy production; nothing where `stale`.
        path_entropy: PathEntropy,
    },
    /// Nonequilibrium: at images drawn anew from every latent state, weighted by the steady state.
    Stratified {
        /// Images drawn at each update, shared among the latent states.
        images: usize,
        /// Follow all steps of the chain instead of the last two.
        complete: bool,
        /// What is added to the objective: this many times the entropy production of the latent chain.
        entropy_weight: f64,
        /// And this many times that of the path, images included.
        path_entropy_weight: f64,
    },
    /// RBM: exact.
    Exact {
        /// `training.centered`: steps in coordinates about the mean image and code.
        centered: bool,
    },
    /// RBM: persistent contrastive divergence, the model term from persistent chains.
    Pcd {
        /// The persistent chains.
        chains: Chains,
        /// `training.centered`: steps in coordinates about the mean image and code.
        centered: bool,
    },
    /// Mixture whose states share the logits of their codes: for the weights, expectation and maximization by minibatches, for the rest a gradient, as
    /// there is no closed form.
    Mixture,
    /// Directed: exact.
    Directed,
}

/// What the objective has of the path entropy production, images included, besides the log-likelihood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PathEntropy {
    /// `training.path_entropy_weight`: so many times it.
    Weight(f64),
    /// `training.path_entropy_target`: whatever multiple holds it at so many nats per step.
    Target(f64),
}

impl PathEntropy {
    /// Nothing.
    pub const NONE: Self = Self::Weight(0.0);
}

/// Persistent chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chains {
    /// N, `training.chains`.
    pub count: usize,
    /// k, `training.chain_steps`: full steps of every chain between two updates.
    pub steps: usize,
}

/// RMSprop on minibatches: `v <- decay v + (1 - decay) g^2`, `theta <- theta + rate g / (sqrt(v) + epsilon)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ascent {
    /// B, `training.batch_size`: images in a minibatch. Unless it is set, [`Ascent::BATCH_SIZE`], or all training images where there are fewer.
    pub batch_size: Option<usize>,
    /// The learning rate at the start.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// `training.rmsprop.decay`: memory of the mean square.
    pub decay: f64,
    /// `training.rmsprop.epsilon`: added to the root of the mean square.
    pub epsilon: Epsilon,
}

/// `[training.em]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmConfig {
    /// Images added to each state's count of images, and to its lit and dark pixels.
    pub pseudo_count: PseudoCount,
    /// Starts that are tried; the best of them is trained.
    pub restarts: u32,
}

/// `training.schedule`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Constant.
    Constant,
    /// Linearly down to zero.
    Linear,
    /// Down to zero along half a cosine.
    Cosine,
    /// Constant for half of the steps, then linearly down to zero.
    Late,
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

/// `training.rmsprop.epsilon`: one number, or one for each matrix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "EpsilonText")]
pub struct Epsilon {
    /// For the forward matrix and its bias.
    pub forward: f64,
    /// For the backward matrix.
    pub backward: f64,
}

impl Method {
    /// The kind of machine that it trains.
    pub fn machine(&self) -> ModelKind {
        match self {
            Self::Gradient { kind, .. } => match kind {
                GradientKind::TwoStep { .. } | GradientKind::Stratified { .. } => ModelKind::Nonequilibrium,
                GradientKind::Exact { .. } | GradientKind::Pcd { .. } => ModelKind::Rbm,
                GradientKind::Mixture => ModelKind::Mixture,
                GradientKind::Directed => ModelKind::Directed,
            },
            Self::Sampled(SampledConfig { directed: true, .. }) => ModelKind::Directed,
            Self::Sampled(_) => ModelKind::Nonequilibrium,
            Self::Em(_) => ModelKind::Mixture,
        }
    }

    /// Its optimizer; expectation and maximization has none.
    pub fn ascent(&self) -> Option<&Ascent> {
        match self {
            Self::Gradient { ascent, .. } | Self::Sampled(SampledConfig { ascent, .. }) => Some(ascent),
            Self::Em(_) => None,
        }
    }

    /// Its persistent chains, if it has any.
    pub fn chains(&self) -> Option<Chains> {
        match self {
            Self::Gradient {
                kind: GradientKind::TwoStep { chains, .. } | GradientKind::Pcd { chains, .. },
                ..
            }
            | Self::Sampled(SampledConfig { chains, .. }) => Some(*chains),
            _ => None,
        }
    }

    /// The table of its optimizer's settings.
    pub fn optimizer(&self) -> &'static str {
        match self {
            Self::Sampled(SampledConfig {
                optimizer: Optimizer::Adam(_),
                ..
            }) => "adam",
            _ => "rmsprop",
        }
    }

    /// Is the posterior of the data sampled, instead of summed over listed states?
    pub fn samples_posterior(&self) -> bool {
        matches!(self, Self::Sampled(_))
    }

    /// B, out of so many training images: expectation and maximization takes all of them.
    pub fn batch_of(&self, images: usize) -> usize {
        let default = if self.samples_posterior() {
            Ascent::SAMPLED_BATCH_SIZE
        } else {
            Ascent::BATCH_SIZE
        };
        self.ascent()
            .map_or(images, |ascent| ascent.batch_size.unwrap_or(images.min(default)))
    }

    /// The same with B as another has it, if it is not set here.
    pub(crate) fn with_batch_of(&self, other: &Self) -> Self {
        let mut method = self.clone();
        if let (Some(ascent), Some(other)) = (method.ascent_mut(), other.ascent()) {
            ascent.batch_size = ascent.batch_size.or(other.batch_size);
        }
        method
    }

    /// Sets B for so many training images where it is not set.
    pub(crate) fn settle_batch(&mut self, images: usize) {
        let settled = self.batch_of(images);
        if let Some(ascent) = self.ascent_mut() {
            ascent.batch_size = Some(settled);
        }
    }

    fn ascent_mut(&mut self) -> Option<&mut Ascent> {
        match self {
            Self::Gradient { ascent, .. } | Self::Sampled(SampledConfig { ascent, .. }) => Some(ascent),
            Self::Em(_) => None,
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 6000,
            seed: 1,
            probability_floor: 1e-4,
            method: Method::default(),
        }
    }
}

impl Default for Method {
    fn default() -> Self {
        Self::Gradient {
            kind: GradientKind::TwoStep {
                chains: Chains::default(),
                stale: false,
                path_entropy: PathEntropy::NONE,
            },
            ascent: Ascent::default(),
        }
    }
}

impl Default for Chains {
    fn default() -> Self {
        Self { count: 500, steps: 1 }
    }
}

impl Ascent {
    /// B by default.
    pub const BATCH_SIZE: usize = 500;
    /// B by default where the posterior is sampled: several candidates of each image are at work.
    pub const SAMPLED_BATCH_SIZE: usize = 200;

    /// The defaults where the posterior is sampled.
    pub fn sampled() -> Self {
        Self {
            learning_rate: 0.004,
            schedule: Schedule::Late,
            ..Self::default()
        }
    }
}

impl Default for Ascent {
    fn default() -> Self {
        Self {
            batch_size: None,
            learning_rate: 0.01,
            schedule: Schedule::Linear,
            decay: 0.9,
            epsilon: Epsilon {
                forward: 1e-15,
                backward: 1e-15,
            },
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
        let Epsilon { forward, backward } = Ascent::default().epsilon;
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
