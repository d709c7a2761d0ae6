//! From a machine of units to its analysis.

use super::likelihood::{annealing, bounds};
use super::{BURN_IN, Classes, Drift, FOLLOWING, INFORMING, UnitAnalysis, UnitFigures, UnitSubject};
use crate::analysis::headline::exact_likelihood;
use crate::analysis::measures::units;
use crate::analysis::missing::{no_classes, no_data, no_test};
use crate::analysis::{AnalysisError, Headline};
use crate::data::packed::PackedImages;
use crate::estimate::EstimateError;
use crate::estimate::jackknife::Figure;
use crate::units::chains::{Moment, Start};
use crate::units::information::Information;
use crate::units::path::{Steps, mean_of_chains};
use crate::units::{UnitConditionals, correlation};
use crate::watch::Watch;

/// Chains that are followed.
const FOLLOWED: usize = 256;
/// Moments at first, and at most where the chains are slow.
const MOMENTS: usize = 512;
const MOST_MOMENTS: usize = 4096;
/// Chains behind pi where the information of a step is asked for.
const INFORMED: usize = 4096;
/// Images shown.
const SHOWN: usize = 100;
/// Chains and moments of the walk that is shown.
const STRIPS: usize = 5;
const FRAMES: usize = 16;

/// Analyzes a machine of units whose states are not listed. Each kind of work announces its name and its parts.
///
/// # Errors
/// When it is stopped, or when the machine's numbers overflow.
pub fn analyze(subject: &UnitSubject, watch: &dyn Watch) -> Result<UnitAnalysis, AnalysisError> {
    if !subject.parameters.is_finite() {
        return Err(EstimateError::NoNumbers.into());
    }
    let model = UnitConditionals::new(subject.parameters);
    let (film, autocorrelation_time) = follow(subject, &model, watch)?;
    watch.begins("steps", 1);
    let (first_half, second_half) = film.split_at(film.len() / 2);
    let halves = [first_half, second_half].map(|half| Steps::of(&model, half));
    let drift = Drift::between([&halves[0], &halves[1]]);
    let [first_half, second_half] = halves;
    let steps = first_half.mean(second_half);
    let judge = subject.data.and_then(|data| data.judge.as_ref());
    let of_film: Option<Vec<Vec<usize>>> = judge.map(|judge| film.iter().map(|moment| judge.classes(&moment.images)).collect());
    let classes = judge
        .zip(of_film.as_ref())
        .map(|(judge, of_film)| Classes::new(judge, subject.classes, of_film));
    let tied = model.is_tied();
    let marginal = subject.marginal(&model, Start::Noise, INFORMED, INFORMING, watch)?;
    let moments = [&film[0], &film[1]];
    let information = Information::of(&model, &marginal, moments, subject.seed, subject.step.unwrap_or(0), watch)?;
    let bounds = match (subject.recognition, subject.data) {
        (Some(recognition), Some(data)) => Some(bounds(subject, &model, (recognition, data), watch)?),
        _ => None,
    };
    let annealing = match subject.data {
        Some(data) if tied => Some(annealing(subject, &model, data, watch)?),
        _ => None,
    };
    let path = |of_chains: &ndarray::Array1<f64>| match tied {
        true => Figure::exact(0.0).because("reversible by construction"),
        false => mean_of_chains(of_chains),
    };
    let unit_figures = (0..model.units())
        .map(|unit| UnitFigures {
            unit,
            on: steps.on[unit],
            flip_rate: steps.flip_rates[unit],
            path_entropy_production: path(&steps.by_unit.column(unit).to_owned()),
            angle: angle(subject, unit),
        })
        .collect();
    let count = model.units();
    let no_table = Figure::missing(&format!(
        "not to be had: it takes the transitions between all 2^{count} words of {count} units"
    ));
    let headline = Headline {
        step: subject.step,
        log_likelihood_train: annealing
            .as_ref()
            .map_or_else(|| not_exact(subject), |found| by_annealing(&found.train)),
        log_likelihood_test: match &annealing {
            Some(found) => found.test.as_ref().map_or_else(no_test, by_annealing),
            None => not_exact(subject),
        },
        log_likelihood_bound_train: match &bounds {
            Some(bounds) => bounds.train.clone(),
            None if annealing.is_some() => exact_likelihood(),
            None => no_bound(subject),
        },
        log_likelihood_bound_test: match &bounds {
            Some(bounds) => bounds.test.clone().unwrap_or_else(no_test),
            None if annealing.is_some() => exact_likelihood(),
            None => no_bound(subject),
        },
        entropy_production: no_table.clone(),
        path_entropy_production: path(&steps.path_entropy_production),
        self_transition: mean_of_chains(&steps.self_transition).at_least(0.0),
        class_kl: classes
            .as_ref()
            .map_or_else(|| no_classes(subject.data), |classes| classes.divergence.clone()),
        relaxation_time: no_table.clone(),
        autocorrelation_time,
        class_autocorrelation_time: match &of_film {
            Some(of_film) => correlation::of_classes(of_film, subject.classes.len()),
            None => no_classes(subject.data),
        },
        rotation_period: no_table,
    };
    let last = &film[film.len() - 1];
    let shown: Vec<usize> = (0..SHOWN.min(FOLLOWED)).collect();
    let words = last.words.select(&shown);
    let strips: Vec<usize> = (0..STRIPS).collect();
    let first_frames = film.iter().take(FRAMES);
    Ok(UnitAnalysis {
        units: units(),
        method: method(&film, subject),
        notes: notes(&drift, bounds.as_ref(), annealing.as_ref()),
        headline,
        visible: model.visible(),
        binary_units: count,
        lit_pixels: mean_of_chains(&steps.lit),
        lit_pixels_of_data: subject.data.map(|data| mean_lit(&data.train)),
        flips: mean_of_chains(&steps.flips),
        drift,
        information,
        unit_figures,
        classes,
        bounds,
        annealing,
        generated: last.images.select(&shown).unpack(),
        mean_images: model.mean_images(&words),
        walk: first_frames
            .map(|moment| Moment {
                words: moment.words.select(&strips),
                images: moment.images.select(&strips),
            })
            .collect(),
    })
}

/// Chains from noise, followed once they have settled for as long as their autocorrelation asks for.
fn follow(subject: &UnitSubject, model: &UnitConditionals, watch: &dyn Watch) -> Result<(Vec<Moment>, Figure), AnalysisError> {
    let walkers = subject.walkers(model, FOLLOWING);
    let first = walkers.after(Start::Noise, FOLLOWED, BURN_IN, watch)?;
    let mut film = vec![first];
    let mut moments = MOMENTS;
    loop {
        watch.begins("walk", moments - film.len());
        let done = BURN_IN + film.len() - 1;
        let last = film.pop().expect("a film has a moment");
        film.extend(walkers.film(last, done, moments - film.len(), watch)?);
        let time = correlation::of_pixels(&film);
        if time.value.is_some() || moments >= MOST_MOMENTS {
            return Ok((film, time));
        }
        moments *= 2;
    }
}

/// Between a unit's column of W and its row of A, degrees.
fn angle(subject: &UnitSubject, unit: usize) -> Option<f64> {
    let (w, a) = (subject.parameters.forward.column(unit), subject.parameters.backward.row(unit));
    let dot =
        |x: ndarray::ArrayView1<f32>, y: ndarray::ArrayView1<f32>| x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let size = (dot(w, w) * dot(a, a)).sqrt();
    (size > 0.0).then(|| (dot(w, a) / size).clamp(-1.0, 1.0).acos().to_degrees())
}

fn mean_lit(images: &PackedImages) -> f64 {
    images.lit().into_iter().sum::<usize>() as f64 / images.len() as f64
}

fn by_annealing(figure: &Figure) -> Figure {
    figure.clone().because("by annealed importance sampling")
}

fn not_exact(subject: &UnitSubject) -> Figure {
    match subject.data {
        Some(_) => Figure::missing("not to be had: it takes pi of all words; see its lower bound"),
        None => no_data(),
    }
}

fn no_bound(subject: &UnitSubject) -> Figure {
    match subject.data {
        Some(_) => Figure::missing("not to be had: there is no recognition.mpk beside the record"),
        None => no_data(),
    }
}

fn method(film: &[Moment], subject: &UnitSubject) -> String {
    format!(
        "{FOLLOWED} chains from noise, followed for {} steps after the first {BURN_IN}; seed {}",
        film.len(),
        subject.seed.0
    )
}

/// What is to be known of the steady state and of the likelihood.
fn notes(drift: &Drift, bounds: Option<&super::Bounds>, annealing: Option<&super::Annealing>) -> Vec<String> {
    let mut notes = vec![drift.in_words()];
    if let Some(bounds) = bounds {
        let last = &bounds.levels[bounds.levels.len() - 1];
        notes.push(format!(
            "The bound is taken with K = {} candidates for each of at most {} images and N = {} chains; half of the candidates give {:.2} nats less, half of the chains {:.2}. Of the \
             candidates {:.1} count.",
            last.candidates, bounds.images, last.chains, last.by_candidates, last.by_chains, last.effective
        ));
        if !bounds.settled {
            notes.push(
                "Neither K nor N is raised further, so the bound may lie some tenths of a nat or more below the likelihood.".to_owned(),
            );
        }
        let verdict = match bounds.stationary {
            true => "where the chains begin makes no difference",
            false => "the chains are NOT in their steady state, and the figures are those of chains from noise, not of the machine",
        };
        notes.push(format!(
            "With chains that began at training images instead of noise the bound is {:+.2} nats: {verdict}.",
            bounds.difference
        ));
    }
    if let Some(annealing) = annealing {
        notes.push(format!(
            "The likelihood is found by annealing {} chains in {} steps, of which {:.0} count; it is an estimate, and no bound.",
            annealing.chains, annealing.steps, annealing.effective
        ));
    }
    notes
}

impl UnitAnalysis {
    /// The units, those that carry most of the path entropy production first.
    pub fn by_path_entropy_production(&self) -> Vec<&UnitFigures> {
        let mut units: Vec<&UnitFigures> = self.unit_figures.iter().collect();
        let produced = |unit: &UnitFigures| unit.path_entropy_production.value.unwrap_or(0.0);
        units.sort_by(|a, b| produced(b).total_cmp(&produced(a)));
        units
    }
}
