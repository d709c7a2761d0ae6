//! From a model to its analysis.

use ndarray::{Array1, Axis};

use super::classes::{self, ClassShares};
use super::{Analysis, AnalysisError, CycleFigures, Headline, Precision, Settings, Subject, figures};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::Estimate;
use crate::estimate::exact::{self, MOST_PIXELS, enumerate};
use crate::estimate::jackknife::Figure;
use crate::estimate::mixture::{Sampled, sample};
use crate::estimate::reversible::closed_form;
use crate::estimate::sampling::Sampling;
use crate::generation::Generator;
use crate::latent::spectrum::{Spectrum, decay_time, rotation_period};
use crate::numerics::Numerics;

/// The units, which analysis.json repeats.
const UNITS: [(&str, &str); 8] = [
    ("log_likelihood_train, log_likelihood_test", "nats per image"),
    ("entropy_production, path_entropy_production", "nats per step"),
    ("shuffled_entropy_production", "nats per step"),
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
    if !is_sound(&estimate, &row_sums) {
        return Err(AnalysisError::NoNumbers);
    }
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let steady = &estimate.kernel.steady;
    let generated = classes::generate(&generator, steady.log_pi());
    let classes = judge.map(|judge| ClassShares::new(judge, subject, steady, &by_state, &generated));
    let no_data = || Figure::missing("the record was analyzed without its run, and so without data");
    let likelihood = |images: Option<&PackedImages>| match (subject.data, images) {
        (None, _) => no_data(),
        (_, None) => Figure::missing("the data have no test images"),
        (_, Some(images)) => figures::log_likelihood(&model, &estimate, images),
    };
    let transition_error = estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
    let spectra = figures::spectra(&estimate);
    let headline = Headline {
        step: subject.step,
        log_likelihood_train: likelihood(subject.data.map(|data| &data.train)),
        log_likelihood_test: likelihood(subject.data.and_then(|data| data.test.as_ref())),
        self_transition: estimate.figure(|kernel| kernel.steady.self_transition()).within(0.0, 1.0),
        class_kl: match (&classes, subject.data) {
            (Some(classes), _) => classes.divergence.clone(),
            (None, Some(_)) => Figure::missing("the training images have no labels of two classes or more"),
            (None, None) => no_data(),
        },
        relaxation_time: figures::of_eigenvalue(
            &spectra,
            "the second eigenvalue has modulus 1, to 1e-13, or there is none",
            Spectrum::slowest,
            |(re, im)| re.hypot(im),
            decay_time,
        ),
        rotation_period: figures::of_eigenvalue(
            &spectra,
            "no eigenvalue is complex: nothing rotates",
            Spectrum::turning,
            |(_, im)| im.abs(),
            rotation_period,
        ),
        entropy_production: figures::entropy_production(&estimate),
        path_entropy_production: figures::path_entropy_production(&estimate),
    };
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
        visible: model.visible(),
        latent: model.latent(),
        reversibility: figures::reversibility(&estimate),
        precision: Precision {
            worst_transition: transition_error.iter().copied().fold(0.0, f64::max),
            transitions_above_10_percent: transition_error.iter().filter(|error| **error > 0.1).count(),
            entropy_production: relative(&headline.entropy_production),
            path_entropy_production: relative(&headline.path_entropy_production),
            worst_row_sum: row_sums.iter().map(|sum| (sum - 1.0).abs()).fold(0.0, f64::max),
        },
        headline,
        entropy_production_of_transition: Some(plain).filter(|plain| plain.is_finite()),
        shuffled_entropy_production: figures::shuffled(&estimate, settings.seed),
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

/// Are all figures numbers, and is every row of T a distribution but for the error of its estimate?
fn is_sound(estimate: &Estimate, row_sums: &Array1<f64>) -> bool {
    /// Far beyond the error of 32 draws.
    const FARTHEST: f64 = 0.9;
    let kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    let mut numbers = kernels.flat_map(|kernel| kernel.path.iter().chain(kernel.steady.log_pi()));
    numbers.all(|number| number.is_finite()) && row_sums.iter().all(|sum| (sum - 1.0).abs() < FARTHEST)
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
        "; the model is reversible by construction (W - A has one column, to the rounding of f32), so pi has a closed form, right to some 1e-7 of itself, and nothing is produced"
    } else {
        ""
    };
    format!("{kernel}{closed}; pi by GTH elimination; cycles by removing the widest first")
}
