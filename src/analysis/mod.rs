//! What is asked of a trained model: is it out of equilibrium, how far, along which cycles, and does it model the data?

mod classes;
mod compute;
mod cycles;
mod figures;
pub mod files;
mod headline;
pub mod laws;
mod macrostates;
pub mod measures;
mod missing;
mod partition;
pub mod plane;
mod residence;
pub mod sampled;
pub mod units;

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use serde::Serialize;

pub use self::classes::ClassShares;
pub use self::compute::analyze;
pub use self::headline::Headline;
pub use self::laws::Laws;
pub use self::macrostates::{Committor, FirstPassage, MacroCycle, Macrostates};
pub use self::partition::{MOST_MACROSTATES, NamedPartition, PartitionError};
pub use self::plane::Plane;
pub use self::residence::{Residence, StayQuantile, Survival};
use crate::data::BinaryImages;
pub use crate::estimate::Settings;
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, EstimateError};
use crate::evaluation::Reference;
use crate::generation::TooLarge;
use crate::model::Parameters;
use crate::watch::Stopped;
use units::{LayerUnits, Loop};

/// The most latent states: some 20 tables of [L, L] in f64 are held at a time, 2.7 GB.
pub const MOST_STATES: usize = 4096;
/// The most states whose tables [L, L] stand in analysis.json and on the page, as text and as maps.
pub const MOST_TABLED: usize = 1000;
/// The most states with structure whose currents are taken apart into cycles: beyond, every loop shares its steps with too many others.
const MOST_CYCLED: usize = 100;

/// The model and what it is compared with.
pub struct Subject<'a> {
    /// The model.
    pub parameters: &'a Parameters,
    /// Training steps that it has behind it.
    pub step: Option<u64>,
    /// The data that it was trained on.
    pub data: Option<&'a Reference>,
    /// The labels of their classes.
    pub classes: &'a [u8],
    /// Macrostates other than the classes of the states' images.
    pub partition: Option<&'a NamedPartition>,
}

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Whoever watched the work ended it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// There is no kernel.
    #[error(transparent)]
    Estimate(EstimateError),
    /// For the memory.
    #[error("the model has {0} latent states; analyze takes at most {MOST_STATES}, since its memory grows as their square")]
    TooManyStates(usize),
    /// For the device.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl From<EstimateError> for AnalysisError {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Stopped(stopped) => Self::Stopped(stopped),
            other => Self::Estimate(other),
        }
    }
}

/// A cycle of the net currents; see [`crate::latent::cycles`].
#[derive(Clone, Debug, Serialize)]
pub struct CycleFigures {
    /// In the order they are visited; the last leads back to the first.
    pub states: Vec<usize>,
    /// Net turns per step.
    pub weight: f64,
    /// Its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_standard_error: Option<f64>,
    /// Nats per turn; null if infinite.
    pub affinity: Option<f64>,
    /// Its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity_standard_error: Option<f64>,
    /// Does its weight differ from zero, by four standard errors, in a chain that is out of equilibrium?
    pub resolved: bool,
    /// The part of the entropy production of `transition` that it carries.
    pub share: Option<f64>,
}

/// Kolmogorov's criterion; see [`crate::latent::kolmogorov`].
#[derive(Clone, Debug, Serialize)]
pub struct Reversibility {
    /// Is the latent chain reversible, as far as can be told? Yes by construction, or when no loop's affinity differs from zero by eight
    /// of its standard errors.
    pub reversible: bool,
    /// The loop of largest affinity among the fundamental ones.
    pub strongest_loop: Vec<usize>,
    /// Its affinity, nats per turn.
    pub affinity: Figure,
}

/// How well the kernel is known.
#[derive(Clone, Debug, Serialize)]
pub struct Precision {
    /// Largest relative standard error of a transition probability.
    pub worst_transition: f64,
    /// Transitions whose relative standard error is above 0.1.
    pub transitions_above_10_percent: usize,
    /// The share of the steps between different states that these carry.
    pub traffic_above_10_percent: f64,
    /// Relative standard errors.
    pub entropy_production: Option<f64>,
    /// Relative standard errors.
    pub path_entropy_production: Option<f64>,
    /// Largest deviation from 1 of a row of T before it was divided by its sum.
    pub worst_row_sum: f64,
}

/// The entropy production of a null model: chains in which the transition probabilities of each state are shuffled among the other states;
/// see [`crate::latent::SteadyState::shuffled`].
#[derive(Clone, Debug, Serialize)]
pub struct Shuffled {
    /// Shuffled chains.
    pub chains: usize,
    /// Nats per step.
    pub median: f64,
    /// 95% of the chains lie above low and below high.
    pub low: f64,
    /// 95% of the chains lie above low and below high.
    pub high: f64,
    /// The share of chains that produce less entropy than the model's.
    pub share_below: f64,
}

impl std::fmt::Display for Shuffled {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "with the transition probabilities of each state shuffled among the others, 95% of {} chains produce {:.2} to {:.2} nats per step (median {:.2}), {:.0}% of them less than this one",
            self.chains,
            self.low,
            self.high,
            self.median,
            100.0 * self.share_below
        )
    }
}

/// Everything that is found. Its serialization is analysis.json, but for the tables that latent.npz holds.
#[derive(Serialize)]
pub struct Analysis {
    /// Units of the figures, by their names.
    pub units: BTreeMap<String, &'static str>,
    /// How the kernel was found, in words.
    pub method: String,
    /// What is left out of an analysis of so many states, and why; a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The single figures.
    #[serde(flatten)]
    pub headline: Headline,
    /// D.
    pub visible: usize,
    /// L.
    pub latent: usize,
    /// Kolmogorov's criterion.
    pub reversibility: Reversibility,
    /// How well the kernel is known.
    pub precision: Precision,
    /// The entropy production of `transition` itself, without correction for bias: what the cycles add up to.
    pub entropy_production_of_transition: Option<f64>,
    /// Of a null model, for 3 to 100 states that are not reversible by construction.
    pub shuffled_entropy_production: Option<Shuffled>,
    /// pi.
    #[serde(serialize_with = "files::vector")]
    pub stationary: Array1<f64>,
    /// T.
    #[serde(serialize_with = "files::matrix", skip_serializing_if = "files::is_large")]
    pub transition: Array2<f64>,
    /// J.
    #[serde(serialize_with = "files::matrix", skip_serializing_if = "files::is_large")]
    pub currents: Array2<f64>,
    /// A decomposition of J, the cycle that carries most of the entropy production first.
    pub cycles: Vec<CycleFigures>,
    /// Of T.
    pub eigenvalues: Vec<(f64, f64)>,
    /// The units of each latent layer that has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_units: Option<Vec<LayerUnits>>,
    /// Of a deeper chain: what each step of its loop contributes to the path entropy production with all layers seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Loop>,
    /// What classes the model draws.
    pub classes: Option<ClassShares>,
    /// The chain among macrostates, where there are two or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macrostates: Option<Macrostates>,
    /// Of a model whose states are points of a line or a plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane: Option<Plane>,
    /// Fluctuation theorems and uncertainty relations; none where every path is as probable as its reverse by construction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laws: Option<Laws>,
    /// The kernel with its groups.
    #[serde(skip)]
    pub estimate: Estimate,
    /// Relative standard errors of T, `[L, L]`.
    #[serde(skip)]
    pub transition_error: Array2<f64>,
    /// Relative standard errors of pi, `[L]`.
    #[serde(skip)]
    pub stationary_error: Array1<f64>,
    /// Standard errors of J, `[L, L]`.
    #[serde(skip)]
    pub current_error: Array2<f64>,
    /// `s(A)`, `[L, D]`.
    #[serde(skip)]
    pub mean_images: Array2<f64>,
    /// Images of chains that walked in the steady state, `[N, D]`.
    #[serde(skip)]
    pub generated: BinaryImages,
}
