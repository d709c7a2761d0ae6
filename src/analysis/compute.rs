//! From a model to its analysis.

use ndarray::{Array1, Axis};

use super::classes::{self, ClassShares};
use super::measures::units;
use super::{Analysis, AnalysisError, CycleFigures, Headline, MOST_STATES, Precision, Settings, Subject, figures};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::importance::{Sampled, sample};
use crate::estimate::jackknife::Figure;
use crate::estimate::reversible::closed_form;
use crate::estimate::sampling::Sampling;
use crate::estimate::{Estimate, EstimateError, exact};
use crate::generation::TrainedChains;
use crate::logs::largest;
use crate::numerics::Numerics;
use crate::watch::Watch;

/// Analyzes a model. At most [`parts`] parts are announced, all of them draws.
///
/// # Errors
/// When it is stopped, when there is no estimate of the kernel, when the memory or the device cannot hold what is made of the model.
pub fn analyze(subject: &Subject, settings: Settings, numerics: &dyn Numerics, watch: &dyn Watch) -> Result<Analysis, AnalysisError> {
    let latent = subject.parameters.latent();
    if latent > MOST_STATES {
        return Err(AnalysisError::TooManyStates(latent));
    }
    let model = Conditionals::new(subject.parameters);
    let chains = TrainedChains::new(numerics, subject.parameters, &model, settings.seed)?;
    let Sampled {
        estimate,
        row_sums,
        observed: by_state,
    } = estimate(subject, &model, settings, watch)?;
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let steady = &estimate.kernel.steady;
    watch.go_on()?;
    let generated = classes::generate(&chains, steady.log_pi());
    let classes = judge.map(|judge| ClassShares::new(judge, subject, steady, &by_state, &generated));
    let no_data = || Figure::missing("the record was analyzed without its run, and so without data");
    let likelihood = |images: Option<&PackedImages>| match (subject.data, images) {
        (None, _) => Ok(no_data()),
        (_, None) => Ok(Figure::missing("the data have no test images")),
        (_, Some(images)) => figures::log_likelihood(&model, &estimate, images, watch),
    };
    let [log_likelihood_train, log_likelihood_test] = [
        likelihood(subject.data.map(|data| &data.train))?,
        likelihood(subject.data.and_then(|data| data.test.as_ref()))?,
    ];
    let transition_error = estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
    watch.go_on()?;
    let spectra = estimate.spectra();
    watch.go_on()?;
    let headline = Headline {
        step: subject.step,
        log_likelihood_train,
        log_likelihood_test,
        self_transition: estimate.self_transition(),
        class_kl: match (&classes, subject.data) {
            (Some(classes), _) => classes.divergence.clone(),
            (None, Some(_)) => Figure::missing("the training images have no labels of two classes or more"),
            (None, None) => no_data(),
        },
        relaxation_time: spectra.relaxation_time(),
        rotation_period: spectra.rotation_period(),
        entropy_production: estimate.entropy_production(),
        path_entropy_production: estimate.path_entropy_production(),
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
        units: units(),
        method: method(&estimate, settings),
        visible: model.visible(),
        latent: model.latent(),
        reversibility: figures::reversibility(&estimate),
        precision: Precision {
            worst_transition: largest(transition_error.iter().copied()),
            transitions_above_10_percent: transition_error.iter().filter(|error| **error > 0.1).count(),
            entropy_production: relative(&headline.entropy_production),
            path_entropy_production: relative(&headline.path_entropy_production),
            worst_row_sum: largest(row_sums.iter().map(|sum| (sum - 1.0).abs())),
        },
        headline,
        entropy_production_of_transition: Some(plain).filter(|plain| plain.is_finite()),
        shuffled_entropy_production: figures::shuffled(&estimate, settings.seed),
        stationary: steady.pi(),
        transition: steady.transition(),
        currents: steady.currents(),
        cycles: cycles.collect(),
        eigenvalues: spectra.eigenvalues().to_vec(),
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

/// The kernel, and the classes of each state's images.
fn estimate(subject: &Subject, model: &Conditionals, settings: Settings, watch: &dyn Watch) -> Result<Sampled<usize>, EstimateError> {
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let classes_of = |images: &PackedImages| judge.map_or_else(Vec::new, |judge| judge.classes(images));
    let sampling = Sampling::new(settings.samples, settings.seed).at(subject.step.unwrap_or(0));
    if !settings.exact {
        let log_pi = closed_form(subject.parameters);
        return sample(model, log_pi.as_ref(), sampling, classes_of, watch);
    }
    Ok(Sampled {
        estimate: Estimate::enumerated(subject.parameters, model, watch)?,
        row_sums: Array1::ones(model.latent()),
        observed: classes::of_states(model, sampling, &classes_of, watch)?,
    })
}

/// The most parts that [`analyze`] announces.
pub fn parts(latent: usize, settings: Settings) -> usize {
    if settings.exact {
        exact::PARTS
    } else {
        Sampling::new(settings.samples, settings.seed).parts(latent)
    }
}

fn method(estimate: &Estimate, settings: Settings) -> String {
    let kernel = if settings.exact {
        "T, pi and both entropy productions by enumeration of all images, in f64".to_owned()
    } else {
        format!(
            "T by importance sampling in log space and f64, {} images from each state and along the tilt of each of its transitions (seed {}); \
             95% intervals and correction of bias by the jackknife over 32 groups of draws",
            Sampling::new(settings.samples, settings.seed).samples(),
            settings.seed.0
        )
    };
    let closed = if estimate.reversible {
        "; the model is reversible by construction (W - A has one column, to the rounding of f32), so pi has a closed form, right to some 1e-7 of itself, and nothing is produced"
    } else {
        ""
    };
    format!("{kernel}{closed}; pi by GTH elimination; cycles by removing the widest first")
}
