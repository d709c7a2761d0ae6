//! The figures of a line of metrics.jsonl of a machine of units whose states are not listed: from chains that start anew.

use ndarray::Array1;

use super::{Figures, Reference};
use crate::data::packed::PackedImages;
use crate::estimate::EstimateError;
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::random::Seed;
use crate::units::UnitConditionals;
use crate::units::bound::Bounds;
use crate::units::chains::{Start, Walkers};
use crate::units::marginal::{GROUPS, Marginal};
use crate::units::path::Steps;
use crate::watch::Watch;

/// Steps that chains walk from noise.
const STEPS: usize = 30;
/// Images of the training set and of the test set that the bound is taken at.
const IMAGES: usize = 500;
/// K.
const CANDIDATES: usize = 20;
/// What keeps the draws at persistent chains apart from those of chains from noise: beyond any training step.
const AT_CHAINS: u64 = 1 << 32;

/// All figures; `time` keys the draws, and `chains` are rounded up to a multiple of [`GROUPS`].
///
/// # Errors
/// When what is computed from the parameters is not finite, or when it is stopped.
pub(super) fn evaluate(
    reference: &Reference,
    parameters: &Parameters,
    recognition: Option<&RecognitionParameters>,
    (chains, seed, time): (usize, Seed, u64),
    watch: &dyn Watch,
) -> Result<Figures, EstimateError> {
    let model = UnitConditionals::new(parameters);
    let walkers = Walkers { model: &model, seed, time };
    let moment = walkers.after(Start::Noise, chains.next_multiple_of(GROUPS), STEPS, watch)?;
    let marginal = Marginal::of(&model, &moment.images);
    let bound = |images: &PackedImages| {
        let Some(recognition) = recognition else { return Ok(None) };
        let bounds = Bounds {
            model: &model,
            recognition,
            marginal: &marginal,
            seed,
            time,
        };
        let bound = bounds.of(&first(images, IMAGES), CANDIDATES, watch)?;
        Ok::<_, EstimateError>(Some(bound.value))
    };
    let steps = Steps::of(&model, std::slice::from_ref(&moment));
    let class_kl = reference
        .judge
        .as_ref()
        .map(|judge| judge.divergence(&judge.shares(&moment.images)));
    let figures = Figures {
        log_likelihood_train: None,
        log_likelihood_test: None,
        log_likelihood_bound_train: bound(&reference.train)?,
        log_likelihood_bound_test: reference.test.as_ref().map(bound).transpose()?.flatten(),
        entropy_production: None,
        path_entropy_production: mean(&steps.path_entropy_production),
        self_transition: mean(&steps.self_transition),
        class_kl: class_kl.filter(|kl| kl.is_finite()),
        lit_pixels: Some(mean(&steps.lit)),
    };
    let needed = [Some(figures.path_entropy_production), figures.log_likelihood_bound_train];
    if needed.into_iter().flatten().any(|figure| !figure.is_finite()) {
        return Err(EstimateError::NoNumbers);
    }
    Ok(figures)
}

/// The path entropy production of the next step of chains that are at these images, nats; `None` of a tied machine, which has none.
pub fn path_entropy_production(parameters: &Parameters, chains: &PackedImages, seed: Seed, time: u64) -> Option<f64> {
    let model = UnitConditionals::new(parameters);
    if model.is_tied() {
        return None;
    }
    let moment = Walkers {
        model: &model,
        seed,
        time: time + AT_CHAINS,
    }
    .next(chains, 1);
    Some(mean(&Steps::of(&model, &[moment]).path_entropy_production)).filter(|produced| produced.is_finite())
}

fn mean(values: &Array1<f64>) -> f64 {
    values.mean().unwrap_or(f64::NAN)
}

/// The first of some images.
pub fn first(images: &PackedImages, count: usize) -> PackedImages {
    images.select(&(0..count.min(images.len())).collect::<Vec<_>>())
}
