//! The laws that the fluctuations of a steady state obey: fluctuation theorems, uncertainty relations, and what a time series would say.

mod paths;
mod precision;
mod series;

use ndarray::{Axis, aview1};
use rayon::prelude::*;
use serde::Serialize;

pub use self::paths::PathFluctuations;
pub use self::precision::{CurrentPrecision, UncertaintyRelation};
pub use self::series::{Reading, TimeSeries};
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::{Figure, standard_errors};
use crate::estimate::{Estimate, Kernel, Method};
use crate::latent::fluctuations::{Histogram, StepFluctuations};
use crate::random::Seed;
use crate::watch::{Stopped, Watch};

/// Bins of a histogram on each side of 0.
const SIDE: usize = 16;

/// What the paths of a steady state obey; of s, the entropy that a path produces, see [`crate::latent::fluctuations`].
#[derive(Debug, Serialize)]
pub struct Laws {
    /// One latent step, from all L^2 pairs of T and pi.
    pub step: StepLaws,
    /// Paths that were simulated with their images: latent ones, whose s comes from T and pi, and whole ones, whose s comes from p, q and pi.
    pub paths: Vec<PathFluctuations>,
    /// How precise currents are, and how precise they could be.
    pub uncertainty: Option<UncertaintyRelation>,
    /// The entropy production that would be read off a latent path.
    pub time_series: Vec<TimeSeries>,
}

/// The distribution of the entropy of one latent step.
#[derive(Debug, Serialize)]
pub struct StepLaws {
    /// `<s> = sigma`, nats per step.
    pub mean: Figure,
    /// Of s, nats^2.
    pub variance: Figure,
    /// Variance over mean, nats: 2 for a normal distribution, which the detailed theorem binds to it.
    pub fano: Figure,
    /// P(s < 0).
    pub negative: Figure,
    /// P(s = 0), steps that stay among them.
    pub zero: Figure,
    /// P(s = infinity): steps without a way back.
    pub one_way: Figure,
    /// `< e^-s >`, which lacks from 1 what the steps without a way back weigh.
    pub integral: Figure,
    /// The largest difference between P(s) and `e^s P(-s)` in a bin: rounding.
    pub detailed_deviation: f64,
    /// P(s).
    pub histogram: HistogramFigures,
}

/// P(s) and `e^s P(-s)` in bins, with standard errors; s = 0 is in none.
#[derive(Debug, Serialize)]
pub struct HistogramFigures {
    /// Middles of the bins, nats.
    pub s: Vec<f64>,
    /// P(s) of a bin.
    pub probability: Vec<f64>,
    /// Its standard error.
    pub probability_error: Vec<f64>,
    /// `e^s P(-s)`.
    pub mirrored: Vec<f64>,
    /// Its standard error.
    pub mirrored_error: Vec<f64>,
}

impl Laws {
    /// Simulates and computes them; `None` where a model is in balance by construction, so that every path has s = 0.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(model: &Conditionals, estimate: &Estimate, seed: Seed, watch: &dyn Watch) -> Result<Option<Self>, Stopped> {
        if estimate.reversible {
            return Ok(None);
        }
        let kernels = 1 + estimate.without.len();
        watch.begins("laws", 2 * kernels + paths::parts(model) + series::PARTS);
        let step = StepLaws::of(estimate, watch)?;
        watch.go_on()?;
        let uncertainty = UncertaintyRelation::of(estimate, watch)?;
        let width = step.histogram.s[SIDE] - step.histogram.s[SIDE - 1];
        Ok(Some(Self {
            step,
            paths: paths::simulated(model, estimate, width, seed, watch)?,
            uncertainty,
            time_series: series::read(&estimate.kernel.steady, seed, watch)?,
        }))
    }
}

impl StepLaws {
    fn of(estimate: &Estimate, watch: &dyn Watch) -> Result<Self, Stopped> {
        let width = Histogram::width_for(SIDE, estimate.kernel.steady.step_entropies());
        let of = |kernel: &Kernel| {
            watch.go_on()?;
            let histogram = Histogram::of(width, SIDE, kernel.steady.step_entropies());
            let found = (kernel.steady.step_fluctuations(), histogram);
            watch.part_done();
            Ok(found)
        };
        let (whole, histogram) = of(&estimate.kernel)?;
        let without: Result<Vec<(StepFluctuations, Histogram)>, Stopped> = estimate.without.par_iter().map(of).collect();
        let without = without?;
        let figure = |part: fn(&StepFluctuations) -> f64| {
            let figure = Figure::jackknife(part(&whole), &without.iter().map(|(step, _)| part(step)).collect::<Vec<_>>()).at_least(0.0);
            match estimate.method {
                Method::Plain => figure.because(RARE),
                Method::Enumeration | Method::Tilts => figure,
            }
        };
        let table = |histogram: &Histogram| ndarray::stack![Axis(0), aview1(&histogram.probability), aview1(&histogram.mirrored)];
        let errors = standard_errors(table(&histogram), without.iter().map(|(_, histogram)| table(histogram)));
        let differences = histogram
            .probability
            .iter()
            .zip(&histogram.mirrored)
            .map(|(p, mirrored)| (p - mirrored).abs());
        Ok(Self {
            mean: estimate.entropy_production(),
            variance: figure(|step| step.variance),
            fano: figure(|step| step.variance / step.mean),
            negative: figure(|step| step.negative).within(0.0, 1.0),
            zero: figure(|step| step.zero).within(0.0, 1.0),
            one_way: figure(|step| step.one_way).within(0.0, 1.0),
            integral: figure(|step| step.integral),
            detailed_deviation: differences.fold(0.0, f64::max),
            histogram: HistogramFigures {
                s: (0..2 * SIDE).map(|bin| histogram.middle(bin)).collect(),
                probability: histogram.probability,
                probability_error: errors.row(0).to_vec(),
                mirrored: histogram.mirrored,
                mirrored_error: errors.row(1).to_vec(),
            },
        })
    }
}

/// Of figures that rest on rare transitions.
const RARE: &str = "from T by plain means, which knows transitions rarer than one draw in all badly";
