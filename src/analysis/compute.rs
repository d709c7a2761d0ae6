//! From a model to its analysis.

use ndarray::{Array1, Array2, Axis};

use super::classes::{self, ClassShares};
use super::headline::exact_likelihood;
use super::measures::units;
use super::missing::{no_classes, no_data, no_test};
use super::{
    Analysis, AnalysisError, Headline, Laws, MOST_CYCLED, MOST_STATES, MOST_TABLED, Macrostates, NamedPartition, Plane, Precision,
    Settings, Subject, cycles, figures, units as of_units,
};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::autocorrelation::{AutocorrelationTimes, Classes};
use crate::estimate::importance::Sampled;
use crate::estimate::jackknife::Figure;
use crate::estimate::sampling::Sampling;
use crate::estimate::{Estimate, EstimateError, MOST_TIMES, Method, TILTED_SHARE, WANTED, exact};
use crate::generation::TrainedChains;
use crate::latent::SteadyState;
use crate::latent::spectrum::MOST_WHOLE;
use crate::logs::largest;
use crate::model::Parameters;
use crate::numerics::Numerics;
use crate::random::Seed;
use crate::watch::{Stopped, Watch};

/// Analyzes a model. Each kind of work announces its name and its parts.
///
/// # Errors
/// When it is stopped, when there is no estimate of the kernel, when the memory or the device cannot hold what is made of the model.
pub fn analyze(subject: &Subject, settings: Settings, numerics: &dyn Numerics, watch: &dyn Watch) -> Result<Analysis, AnalysisError> {
    if !subject.parameters.layers.are_listed() {
        let layers = subject.parameters.layers.describe();
        return Err(EstimateError::NotListed(layers).into());
    }
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
    watch.begins("classes", 1);
    watch.go_on()?;
    let generated = classes::generate(&chains, steady.log_pi());
    let classes = judge.map(|judge| ClassShares::new(judge, subject, steady, &by_state, &generated));
    let no_classes = || no_classes(subject.data);
    let likelihood = |images: Option<&PackedImages>| match (subject.data, images) {
        (None, _) => Ok(no_data()),
        (_, None) => Ok(no_test()),
        (_, Some(images)) => figures::log_likelihood(&model, &estimate, images, watch),
    };
    watch.begins("log-likelihood", 1);
    watch.go_on()?;
    let [log_likelihood_train, log_likelihood_test] = [
        likelihood(subject.data.map(|data| &data.train))?,
        likelihood(subject.data.and_then(|data| data.test.as_ref()))?,
    ];
    let plane = Plane::of(subject.parameters, &model, &estimate, subject.data, watch)?;
    watch.begins("spectrum", 1);
    let transition_error = estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
    watch.go_on()?;
    let spectra = estimate.spectra();
    watch.go_on()?;
    let times = autocorrelation_times(subject, &model, &estimate, settings, classes.as_ref(), watch)?;
    let headline = Headline {
        step: subject.step,
        log_likelihood_train,
        log_likelihood_test,
        log_likelihood_bound_train: exact_likelihood(),
        log_likelihood_bound_test: exact_likelihood(),
        self_transition: estimate.self_transition(),
        class_kl: classes.as_ref().map_or_else(no_classes, |classes| classes.divergence.clone()),
        relaxation_time: spectra.relaxation_time(),
        autocorrelation_time: times.pixels,
        class_autocorrelation_time: times.classes.unwrap_or_else(no_classes),
        rotation_period: spectra.rotation_period(),
        entropy_production: estimate.entropy_production(),
        path_entropy_production: estimate.path_entropy_production(),
    };
    let found = of_units::of(subject.parameters, &model, &estimate, settings, subject.step.unwrap_or(0), watch)?;
    watch.begins("cycles", 1);
    watch.go_on()?;
    let plain = steady.entropy_production();
    let reversibility = figures::reversibility(&estimate, &headline.entropy_production);
    let of_classes = classes.as_ref().map(NamedPartition::of_classes);
    let named = subject.partition.or(of_classes.as_ref());
    let several = named.filter(|named| named.partition.count() > 1);
    let macrostates = several.map(|named| Macrostates::new(&estimate, named, &headline.entropy_production, model.means(), watch));
    let macrostates = macrostates.transpose()?;
    // Cycles are found one after the other, on one thread.
    let decomposed = || if has_cycles(&estimate) { steady.cycles() } else { Vec::new() };
    let (cycles, laws) = rayon::join(
        || cycles::cycles(&estimate, decomposed(), reversibility.reversible),
        || Laws::of(&model, &estimate, settings.seed, watch),
    );
    let laws = laws?;
    watch.begins("tables", 1);
    watch.go_on()?;
    let relative = |figure: &Figure| Some(figure.standard_error? / figure.value?).filter(|relative| relative.is_finite());
    Ok(Analysis {
        units: units(),
        method: method(&estimate, settings.seed),
        visible: model.visible(),
        latent: model.latent(),
        notes: notes(subject.parameters, &estimate, spectra.eigenvalues().len(), named),
        reversibility,
        precision: Precision {
            worst_transition: largest(transition_error.iter().copied()),
            transitions_above_10_percent: transition_error.iter().filter(|error| **error > 0.1).count(),
            traffic_above_10_percent: traffic(steady, &transition_error),
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
        cycles,
        eigenvalues: spectra.eigenvalues().to_vec(),
        layer_units: found.units,
        layers: found.layers,
        classes,
        macrostates,
        plane,
        laws,
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
    let (sampling, latent) = (settings.sampling(subject.parameters), model.latent());
    let parts = match settings.method(subject.parameters) {
        Method::Enumeration => exact::PARTS,
        Method::Tilts => sampling.parts(latent),
        Method::Plain => sampling.plain_parts(latent),
    };
    watch.begins("draws", parts);
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let classes_of = |images: &PackedImages| judge.map_or_else(Vec::new, |judge| judge.classes(images));
    let step = subject.step.unwrap_or(0);
    if !settings.exact {
        return Estimate::sampled(subject.parameters, model, settings, step, classes_of, watch);
    }
    let sampling = sampling.at(step);
    Ok(Sampled {
        estimate: Estimate::enumerated(subject.parameters, model, watch)?,
        row_sums: Array1::ones(model.latent()),
        observed: classes::of_states(model, sampling, &classes_of, watch)?,
    })
}

/// How far apart independent images of the chain lie.
fn autocorrelation_times(
    subject: &Subject,
    model: &Conditionals,
    estimate: &Estimate,
    settings: Settings,
    classes: Option<&ClassShares>,
    watch: &dyn Watch,
) -> Result<AutocorrelationTimes, Stopped> {
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let of = |images: &PackedImages| judge.map_or_else(Vec::new, |judge| judge.classes(images));
    let classes = classes.map(|classes| Classes {
        of: &of,
        shares: classes.states.clone(),
    });
    let sampling = settings.sampling(subject.parameters).at(subject.step.unwrap_or(0));
    AutocorrelationTimes::of(model, estimate, sampling, classes, watch)
}

/// The share of the steps between different states that are known worse than to 10%; none where there are no such steps.
fn traffic(steady: &SteadyState, transition_error: &Array2<f64>) -> f64 {
    let (mut all, mut unknown) = (0.0, 0.0);
    for (((j, k), flux), error) in steady.flux().indexed_iter().zip(transition_error) {
        if j != k {
            all += flux;
            unknown += if *error > 0.1 { *flux } else { 0.0 };
        }
    }
    if all > 0.0 { unknown / all } else { 0.0 }
}

/// Are the currents taken apart into cycles?
fn has_cycles(estimate: &Estimate) -> bool {
    estimate.method == Method::Tilts || estimate.kernel.steady.states() <= MOST_CYCLED
}

/// What is left out, and why.
fn notes(parameters: &Parameters, estimate: &Estimate, eigenvalues: usize, named: Option<&NamedPartition>) -> Vec<String> {
    let states = estimate.kernel.steady.states();
    let mut notes = Vec::new();
    if !has_cycles(estimate) {
        notes.push(format!(
            "The currents among {states} states are not taken apart into cycles: every loop shares its steps with so many others that none stands out."
        ));
    }
    if states > MOST_WHOLE {
        notes.push(format!("Of {states} eigenvalues the {eigenvalues} leading ones were computed."));
    }
    if states > MOST_TABLED {
        notes.push(format!(
            "ln T and ln pi of {states} states are in latent.npz; tables and maps of T and of the currents, which follow from them, are left out."
        ));
    }
    if let Some(named) = named.filter(|named| named.partition.count() == 1) {
        notes.push(format!(
            "Most images of every state are of class {}: there are no macrostates to tell apart.",
            named.labels[0]
        ));
    }
    notes.extend(of_units::left_out(parameters));
    notes
}

fn method(estimate: &Estimate, seed: Seed) -> String {
    let (samples, groups, seed) = (estimate.samples, estimate.without.len(), seed.0);
    let kernel = match estimate.method {
        Method::Enumeration => "T, pi and both entropy productions by enumeration of all images, in f64".to_owned(),
        Method::Tilts => {
            let (tilted, all) = (estimate.tilted, estimate.kernel.steady.states().pow(2));
            let along = if tilted == all {
                "the tilt of each of its transitions".to_owned()
            } else {
                let (share, wanted) = (100.0 * TILTED_SHARE, 100.0 * WANTED);
                let rare = Sampling::new(samples, Seed(seed)).samples_for_rare();
                format!(
                    "the tilts of {tilted} of {all} transitions, those of pairs that carry {share}% of the steps between states, up to {MOST_TIMES} times as many \
                     where a pilot finds that standard errors above {wanted}% would be left, {rare} where only the pair's other direction is common"
                )
            };
            format!(
                "T by importance sampling in log space and f64, {samples} images from each state and along {along} (seed {seed}); 95% intervals and correction of \
                 bias by the jackknife over {groups} groups of draws"
            )
        }
        Method::Plain => format!(
            "T by plain means in f64 over {samples} images from each state (seed {seed}); transitions rarer than one draw in all are known badly, so the latent \
             entropy production is given between bounds; 95% intervals and correction of bias by the jackknife over {groups} groups of draws"
        ),
    };
    let closed = if estimate.reversible {
        "; the model is reversible by construction (W - A has one column, to the rounding of f32), so pi has a closed form, right to some 1e-7 of itself, and nothing is produced"
    } else {
        ""
    };
    let cycles = if has_cycles(estimate) {
        "; cycles by removing the widest first"
    } else {
        ""
    };
    format!("{kernel}{closed}; pi by GTH elimination{cycles}")
}
