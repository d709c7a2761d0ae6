//! What is asked of a trained model: is it out of equilibrium, how far, along which cycles, and does it model the data?

mod classes;
pub mod files;
mod headline;

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use serde::Serialize;

pub use self::classes::ClassShares;
pub use self::headline::Headline;
use crate::conditionals::Conditionals;
use crate::data::BinaryImages;
use crate::data::packed::PackedImages;
use crate::estimate::exact::{self, MOST_PIXELS, enumerate};
use crate::estimate::jackknife::Figure;
use crate::estimate::mixture::{Sampled, Sampling, sample};
use crate::estimate::reversible::closed_form;
use crate::estimate::{Estimate, Kernel};
use crate::evaluation::Evaluator;
use crate::evaluation::likelihood::log_likelihoods;
use crate::generation::{Generator, TooLarge};
use crate::latent::spectrum::Spectrum;
use crate::model::Parameters;
use crate::numerics::Numerics;
use crate::random::Seed;

/// The most latent states: some 40 tables of [L, L] in f64 are held at a time.
pub const MOST_STATES: usize = 2000;

/// The model and what it is compared with.
pub struct Subject<'a> {
    /// The model.
    pub parameters: &'a Parameters,
    /// Training steps that it has behind it.
    pub step: Option<u64>,
    /// The data that it was trained on.
    pub data: Option<&'a Evaluator>,
    /// The labels of their classes.
    pub classes: &'a [u8],
    /// Height and width of an image.
    pub size: (usize, usize),
}

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// By the user.
    #[error("stopped")]
    Stopped,
    /// Finite parameters of which products are not.
    #[error("the model's parameters are so large that its transition probabilities are not numbers; it cannot be analyzed")]
    NoNumbers,
    /// For the device.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// How a model is analyzed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Enumerate all images instead of drawing some.
    pub exact: bool,
    /// Images from each proposal.
    pub samples: usize,
    /// The seed of all draws.
    pub seed: Seed,
}

/// A cycle of the net currents; see [`crate::latent::cycles`].
#[derive(Clone, Debug, Serialize)]
pub struct CycleFigures {
    /// In the order they are visited; the last leads back to the first.
    pub states: Vec<usize>,
    /// Net turns per step.
    pub weight: f64,
    /// Nats per turn; null if infinite.
    pub affinity: Option<f64>,
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
    /// Relative standard errors.
    pub entropy_production: Option<f64>,
    /// Relative standard errors.
    pub path_entropy_production: Option<f64>,
    /// Largest deviation from 1 of a row of T before it was divided by its sum.
    pub worst_row_sum: f64,
}

/// Everything that is found. Its serialization is analysis.json, but for the tables that latent.npz holds.
#[derive(Serialize)]
pub struct Analysis {
    /// Units of the figures, by their names.
    pub units: BTreeMap<&'static str, &'static str>,
    /// How the kernel was found, in words.
    pub method: String,
    /// Training steps behind the model.
    pub step: Option<u64>,
    /// D.
    pub visible: usize,
    /// L.
    pub latent: usize,
    /// Of the training images.
    pub log_likelihood_train: Figure,
    /// Of images not trained on.
    pub log_likelihood_test: Figure,
    /// Of the latent chain.
    pub entropy_production: Figure,
    /// Of the whole chain, images included.
    pub path_entropy_production: Figure,
    /// On average over pi; state by state it is the diagonal of `transition`.
    pub self_transition: Figure,
    /// Between class shares of data and generated images.
    pub class_kl: Figure,
    /// `-1/ln|lambda_2|`.
    pub relaxation_time: Figure,
    /// Of the slowest coherent rotation.
    pub rotation_period: Figure,
    /// Kolmogorov's criterion.
    pub reversibility: Reversibility,
    /// How well the kernel is known.
    pub precision: Precision,
    /// The entropy production of `transition` itself, without correction for bias: what the cycles add up to.
    pub entropy_production_of_transition: Option<f64>,
    /// pi.
    #[serde(serialize_with = "files::vector")]
    pub stationary: Array1<f64>,
    /// T.
    #[serde(serialize_with = "files::matrix")]
    pub transition: Array2<f64>,
    /// J.
    #[serde(serialize_with = "files::matrix")]
    pub currents: Array2<f64>,
    /// A decomposition of J, the largest weight first.
    pub cycles: Vec<CycleFigures>,
    /// Of T.
    pub eigenvalues: Vec<(f64, f64)>,
    /// What classes the model draws.
    pub classes: Option<ClassShares>,
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

/// The units, which analysis.json repeats.
const UNITS: [(&str, &str); 7] = [
    ("log_likelihood_train, log_likelihood_test", "nats per image"),
    ("entropy_production, path_entropy_production", "nats per step"),
    ("self_transition, transition", "probability per step"),
    ("currents, cycles.weight", "net events per step"),
    ("cycles.affinity, reversibility.affinity", "nats per turn"),
    ("class_kl", "nats"),
    ("relaxation_time, rotation_period", "steps"),
];

/// Analyzes a model. `tick` is called [`ticks`] times or so and stops the work by giving false.
///
/// # Errors
/// When it is stopped, when the model's numbers overflow, when the device cannot hold it.
pub fn analyze(
    subject: &Subject,
    settings: Settings,
    numerics: &dyn Numerics,
    tick: &(dyn Fn() -> bool + Sync),
) -> Result<Analysis, AnalysisError> {
    let model = Conditionals::new(subject.parameters);
    let generator = Generator::new(numerics, subject.parameters, &model, settings.seed)?;
    let estimated = estimate(subject, &model, settings, tick);
    let reason = || if tick() { AnalysisError::NoNumbers } else { AnalysisError::Stopped };
    let (estimate, row_sums, by_state) = estimated.ok_or_else(reason)?;
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let steady = &estimate.kernel.steady;
    let generated = classes::generate(&generator, steady.log_pi());
    let classes = judge.map(|judge| ClassShares::new(judge, subject, steady, &by_state, &generated));
    let no_data = || Figure::missing("the record was analyzed without its run, and so without data");
    let likelihood = |images: Option<&PackedImages>| match (subject.data, images) {
        (None, _) => no_data(),
        (_, None) => Figure::missing("the data have no test images"),
        (_, Some(images)) => likelihood(&model, &estimate, images),
    };
    let transition_error = estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
    let spectra = spectra(&estimate);
    let entropy_production = entropy_production(&estimate);
    let path_entropy_production = path_entropy_production(&estimate);
    let plain = steady.entropy_production();
    let cycles = steady.cycles().into_iter().map(|cycle| CycleFigures {
        share: (plain.is_finite() && plain > 0.0).then(|| cycle.weight * cycle.affinity / plain),
        affinity: Some(cycle.affinity).filter(|affinity| affinity.is_finite()),
        states: cycle.states,
        weight: cycle.weight,
    });
    let relative = |figure: &Figure| Some(figure.standard_error? / figure.value?).filter(|relative| relative.is_finite());
    Ok(Analysis {
        units: UNITS.into(),
        method: method(&estimate, settings),
        step: subject.step,
        visible: model.visible(),
        latent: model.latent(),
        log_likelihood_train: likelihood(subject.data.map(|data| &data.train)),
        log_likelihood_test: likelihood(subject.data.and_then(|data| data.test.as_ref())),
        self_transition: estimate.figure(|kernel| kernel.steady.self_transition()).within(0.0, 1.0),
        class_kl: match (&classes, subject.data) {
            (Some(classes), _) => classes.divergence.clone(),
            (None, Some(_)) => Figure::missing("the training images have no labels of two classes or more"),
            (None, None) => no_data(),
        },
        relaxation_time: spectral(
            &spectra,
            "the second eigenvalue cannot be told from 1: more than 1e13 steps",
            |spectrum| Some(spectrum.relaxation_time),
        ),
        rotation_period: spectral(&spectra, "no eigenvalue is complex: nothing rotates", |spectrum| {
            spectrum.rotation_period
        }),
        reversibility: reversibility(&estimate),
        precision: Precision {
            worst_transition: transition_error.iter().copied().fold(0.0, f64::max),
            transitions_above_10_percent: transition_error.iter().filter(|error| **error > 0.1).count(),
            entropy_production: relative(&entropy_production),
            path_entropy_production: relative(&path_entropy_production),
            worst_row_sum: row_sums.iter().map(|sum| (sum - 1.0).abs()).fold(0.0, f64::max),
        },
        entropy_production,
        path_entropy_production,
        entropy_production_of_transition: Some(plain).filter(|plain| plain.is_finite()),
        stationary: steady.pi(),
        transition: steady.transition(),
        currents: steady.currents(),
        cycles: cycles.collect(),
        eigenvalues: spectra.0.map_or_else(Vec::new, |spectrum| spectrum.eigenvalues),
        classes,
        current_error: estimate.standard_errors(|kernel| kernel.steady.currents()),
        stationary_error: estimate
            .standard_errors(|kernel| kernel.steady.log_pi().clone().insert_axis(Axis(1)))
            .remove_axis(Axis(1)),
        transition_error,
        mean_images: model.means().clone(),
        generated,
        estimate,
    })
}

/// The kernel, what its rows summed to, and the classes of each state's images.
type Estimated = (Estimate, Array1<f64>, Vec<Vec<usize>>);

fn estimate(subject: &Subject, model: &Conditionals, settings: Settings, tick: &(dyn Fn() -> bool + Sync)) -> Option<Estimated> {
    let log_pi = closed_form(subject.parameters);
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let classes_of = |images: &PackedImages| judge.map_or_else(Vec::new, |judge| judge.classes(images));
    let sampling = Sampling {
        samples: settings.samples,
        seed: settings.seed,
        time: subject.step.unwrap_or(0),
    };
    if settings.exact {
        let kernel = enumerate(model, tick)?;
        let observed = classes::of_states(model, sampling, &classes_of);
        return Some((Estimate::exact(kernel, log_pi.as_ref()), Array1::ones(model.latent()), observed));
    }
    let Sampled {
        estimate,
        row_sums,
        observed,
    } = sample(model, log_pi.as_ref(), sampling, classes_of, tick)?;
    Some((estimate, row_sums, observed))
}

/// How often [`analyze`] calls `tick` at most.
pub fn ticks(latent: usize, settings: Settings) -> usize {
    let Settings { exact, samples, seed } = settings;
    if exact {
        exact::TICKS
    } else {
        Sampling { samples, seed, time: 0 }.ticks(latent)
    }
}

/// May a model of so many pixels be enumerated?
pub fn can_enumerate(visible: usize) -> bool {
    visible <= MOST_PIXELS
}

fn method(estimate: &Estimate, settings: Settings) -> String {
    let kernel = if settings.exact {
        "T, pi and both entropy productions by enumeration of all images, in f64".to_owned()
    } else {
        format!(
            "T by importance sampling in log space and f64, {} images from each state and along the tilt of each of its transitions (seed {}); \
             95% intervals and correction of bias by the jackknife over 32 groups of draws",
            settings.samples, settings.seed.0
        )
    };
    let closed = if estimate.reversible {
        "; the model is reversible by construction (W - A has one column, to the rounding of f32), so pi has a closed form and nothing is produced"
    } else {
        ""
    };
    format!("{kernel}{closed}; pi by GTH elimination; cycles by removing the widest first")
}

fn likelihood(model: &Conditionals, estimate: &Estimate, images: &PackedImages) -> Figure {
    let kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    let log_pis: Vec<&Array1<f64>> = kernels.map(|kernel| kernel.steady.log_pi()).collect();
    let (means, over_images) = log_likelihoods(model, &log_pis, images);
    let mut figure = Figure::jackknife(means[0], &means[1..]);
    figure.standard_error_over_images = Some(over_images);
    figure
}

fn entropy_production(estimate: &Estimate) -> Figure {
    let latent = estimate.kernel.steady.states();
    if estimate.reversible {
        Figure::exact(0.0).because("reversible by construction")
    } else if latent <= 2 {
        Figure::exact(0.0).because("a chain of two states is always reversible")
    } else {
        estimate.figure(|kernel| kernel.steady.entropy_production()).at_least(0.0)
    }
}

fn path_entropy_production(estimate: &Estimate) -> Figure {
    if estimate.reversible {
        return Figure::exact(0.0).because("reversible by construction");
    }
    estimate.figure(Kernel::path_entropy_production).at_least(0.0)
}

/// The spectra of the kernel and of the kernels without a group; the latter only where they do not take long.
fn spectra(estimate: &Estimate) -> (Option<Spectrum>, Vec<Option<Spectrum>>) {
    /// An eigenvalue problem grows as the cube.
    const MOST_STATES: usize = 200;
    let small = estimate.kernel.steady.states() <= MOST_STATES;
    let without = if small { &estimate.without[..] } else { &[] };
    let without = without.par_iter().map(|kernel| kernel.steady.spectrum()).collect();
    (estimate.kernel.steady.spectrum(), without)
}

/// A figure of the spectrum, which is infinite or absent for the given reason.
fn spectral(
    (whole, without): &(Option<Spectrum>, Vec<Option<Spectrum>>),
    reason: &str,
    figure: impl Fn(&Spectrum) -> Option<f64>,
) -> Figure {
    let of = |spectrum: &Option<Spectrum>| spectrum.as_ref().and_then(&figure).unwrap_or(f64::INFINITY);
    let whole = of(whole);
    if whole.is_infinite() {
        return Figure::missing(reason);
    }
    // An eigenvalue that is complex in the whole and real in a part would spoil the error.
    let without: Vec<f64> = without.iter().map(of).collect();
    if without.iter().all(|value| value.is_finite()) {
        Figure::jackknife(whole, &without).at_least(0.0)
    } else {
        Figure::exact(whole).because("without an interval: it is not the same eigenvalue in all groups of draws")
    }
}

fn reversibility(estimate: &Estimate) -> Reversibility {
    /// With 31 degrees of freedom, passed by chance once in 10^8 loops.
    const SIGNIFICANT: f64 = 8.0;
    let strongest = estimate.kernel.steady.strongest_loop();
    let Some(strongest) = strongest.filter(|_| !estimate.reversible) else {
        let why = if estimate.reversible {
            "reversible by construction"
        } else {
            "there is no loop"
        };
        return Reversibility {
            reversible: true,
            strongest_loop: Vec::new(),
            affinity: Figure::exact(0.0).because(why),
        };
    };
    let affinity = estimate.figure(|kernel| kernel.steady.affinity(&strongest.states));
    Reversibility {
        reversible: match (affinity.value, affinity.standard_error) {
            (Some(value), Some(error)) => value.abs() <= SIGNIFICANT * error,
            // Enumeration leaves rounding.
            (Some(value), None) => value.abs() <= 1e-9,
            (None, _) => false,
        },
        strongest_loop: strongest.states,
        affinity,
    }
}
