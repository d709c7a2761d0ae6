//! What is asked of a machine of so many binary units that its states cannot be listed: every figure from chains that are followed, and from candidates for the
//! posterior of images.
//!
//! What needs the table T of transitions between states, such as the latent entropy production or the relaxation time, is not to be had, and says so.

mod classes;
mod compute;
mod drift;
mod files;
mod likelihood;

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::Serialize;

pub use self::classes::Classes;
pub use self::compute::analyze;
pub use self::drift::Drift;
pub use self::files::{json, npz};
pub use self::likelihood::{Annealing, Bounds, Level};
use super::Headline;
use crate::data::BinaryImages;
use crate::estimate::jackknife::Figure;
use crate::evaluation::Reference;
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::random::Seed;
use crate::units::UnitConditionals;
use crate::units::chains::{Moment, Start, Walkers};
use crate::units::information::Information;
use crate::units::marginal::Marginal;
use crate::watch::{Stopped, Watch};

/// The machine and what it is compared with.
pub struct UnitSubject<'a> {
    /// The machine.
    pub parameters: &'a Parameters,
    /// Its recognition distribution, if it was trained with one.
    pub recognition: Option<&'a RecognitionParameters>,
    /// Training steps that it has behind it.
    pub step: Option<u64>,
    /// The data that it was trained on.
    pub data: Option<&'a Reference>,
    /// The labels of their classes.
    pub classes: &'a [u8],
    /// The seed of all draws.
    pub seed: Seed,
    /// N, chains that the bound begins with.
    pub chains: usize,
    /// The most candidates for an image's posterior.
    pub most_candidates: usize,
}

/// Steps that chains walk before pi or figures are taken from them.
const BURN_IN: usize = 100;
/// What walks are for, each with draws of its own: pi from noise, pi from data, the chains that are followed, and pi for the information of a step.
const FROM_NOISE: u64 = 0;
const FROM_DATA: u64 = 1;
const FOLLOWING: u64 = 2;
const INFORMING: u64 = 3;

impl UnitSubject<'_> {
    /// The walk of chains for one purpose.
    fn walkers<'a>(&self, model: &'a UnitConditionals, walk: u64) -> Walkers<'a> {
        /// Beyond any training step.
        const WALK: u64 = 1 << 33;
        Walkers {
            model,
            seed: self.seed,
            time: self.step.unwrap_or(0) + walk * WALK,
        }
    }

    /// pi from so many chains that walked from a start.
    fn marginal(&self, model: &UnitConditionals, start: Start, chains: usize, walk: u64, watch: &dyn Watch) -> Result<Marginal, Stopped> {
        watch.begins("chains", 1);
        let moment = self.walkers(model, walk).after(start, chains, BURN_IN, watch)?;
        Ok(Marginal::of(model, &moment.images))
    }
}

/// One unit.
#[derive(Clone, Debug, Serialize)]
pub struct UnitFigures {
    /// Its number, from 0.
    pub unit: usize,
    /// How often it is on.
    pub on: f64,
    /// How often it changes, per step.
    pub flip_rate: f64,
    /// What it carries of the path entropy production, nats per step.
    pub path_entropy_production: Figure,
    /// Between its column of W and its row of A, degrees.
    pub angle: Option<f64>,
}

/// Everything that is found. Its serialization is analysis.json.
#[derive(Serialize)]
pub struct UnitAnalysis {
    /// Units of the figures, by their names.
    pub units: BTreeMap<String, &'static str>,
    /// How they were found, in words.
    pub method: String,
    /// What is to be known of them; a sentence each.
    pub notes: Vec<String>,
    /// The single figures.
    #[serde(flatten)]
    pub headline: Headline,
    /// D.
    pub visible: usize,
    /// H.
    pub binary_units: usize,
    /// How far the chains were from their steady state.
    pub drift: Drift,
    /// How the bound was taken, of a machine that has a recognition distribution and data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// How the likelihood of a Boltzmann machine was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annealing: Option<Annealing>,
    /// Lit pixels of an image drawn.
    pub lit_pixels: Figure,
    /// The same of the training images.
    pub lit_pixels_of_data: Option<f64>,
    /// Units that change in a step.
    pub flips: Figure,
    /// What a step hands on.
    pub information: Information,
    /// Each unit.
    pub unit_figures: Vec<UnitFigures>,
    /// The classes that it draws, and how they follow each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Images of chains, `[N, D]`, each of a chain of its own.
    #[serde(skip)]
    pub generated: BinaryImages,
    /// `E[x|h]` of the words that they were drawn from, `[N, D]`.
    #[serde(skip)]
    pub mean_images: Array2<f64>,
    /// Moments of one chain after the other: some chains, followed.
    #[serde(skip)]
    pub walk: Vec<Moment>,
}
