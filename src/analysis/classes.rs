//! Which classes a model draws, beside those of the data: images judged one by one.

use ndarray::{Array1, Array2};
use serde::Serialize;

use super::{Subject, files};
use crate::conditionals::Conditionals;
use crate::data::BinaryImages;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::estimate::sampling::{GROUPS, Sampling, mean_of_groups};
use crate::evaluation::judge::{Judge, shares};
use crate::generation::TrainedChains;
use crate::latent::SteadyState;
use crate::watch::{Stopped, Watch};

/// Images generated for the class shares.
const GENERATED: usize = 10_016;
/// Full steps that their chains walk from the steady state.
const STEPS: usize = 10;

/// Shares of classes; each list is in the order of `labels`.
#[derive(Clone, Debug, Serialize)]
pub struct ClassShares {
    /// The classes' labels.
    pub labels: Vec<u8>,
    /// How often the judge, a logistic regression on pixels, is right on test images (training images without labelled test images).
    pub judge_accuracy: f64,
    /// Among the training labels.
    #[serde(serialize_with = "files::vector")]
    pub data: Array1<f64>,
    /// Among images of chains that started in the steady state and walked ten steps on the backend, each judged.
    #[serde(serialize_with = "files::vector")]
    pub generated: Array1<f64>,
    /// `sum_k pi_k` times the shares of state k's own images: what `generated` must be but for its sampling error.
    #[serde(serialize_with = "files::vector")]
    pub from_stationary: Array1<f64>,
    /// The weight of the states whose images are mostly of the class.
    #[serde(serialize_with = "files::vector")]
    pub by_latent_state: Array1<f64>,
    /// Among the images of each state, `[L, C]`.
    #[serde(serialize_with = "files::matrix")]
    pub states: Array2<f64>,
    /// `KL(data || generated)`; in analysis.json it stands as `class_kl`.
    #[serde(skip)]
    pub divergence: Figure,
}

/// Judges the images of every state, as the estimate by sampling does on its way.
pub(super) fn of_states(
    model: &Conditionals,
    sampling: Sampling,
    classes_of: &dyn Fn(&PackedImages) -> Vec<usize>,
    watch: &dyn Watch,
) -> Result<Vec<Vec<usize>>, Stopped> {
    let images = |state| sampling.images_of(model, state).flat_map(|(_, images)| classes_of(&images));
    (0..model.latent())
        .map(|state| {
            watch.go_on()?;
            Ok(images(state).collect())
        })
        .collect()
}

/// Images of chains that start in the steady state and walk on the backend.
pub(super) fn generate(chains: &TrainedChains, log_pi: &Array1<f64>) -> BinaryImages {
    let start = chains.start(chains.steady_states(log_pi, GENERATED));
    chains.walk(&start, STEPS, 0).images
}

/// The divergence of the classes from all images, and without each group of them.
pub(super) fn divergence(whole: f64, without: &[f64]) -> Figure {
    let divergence = Figure::jackknife(whole, without).at_least(0.0);
    match divergence.value {
        Some(_) => divergence,
        None => divergence.because("infinite: a class of the data is never generated"),
    }
}

impl ClassShares {
    pub(super) fn new(judge: &Judge, subject: &Subject, steady: &SteadyState, by_state: &[Vec<usize>], generated: &BinaryImages) -> Self {
        let count = subject.classes.len();
        let states = judge.shares_by_state(by_state);
        let mut by_latent_state = Array1::zeros(count);
        for (shares, pi) in states.rows().into_iter().zip(steady.pi()) {
            let most = (1..count).fold(0, |most, class| if shares[class] > shares[most] { class } else { most });
            by_latent_state[most] += pi;
        }
        let judged = judge.classes(&PackedImages::pack(generated));
        let groups: Vec<Array1<f64>> = (0..GROUPS)
            .map(|group| shares(judged.iter().copied().skip(group).step_by(GROUPS), count))
            .collect();
        let shares_without = |left_out| -> Array1<f64> {
            let of_class = |class: usize| mean_of_groups(groups.iter().map(|shares| shares[class]), left_out);
            (0..count).map(of_class).collect()
        };
        let without: Vec<f64> = (0..GROUPS).map(|group| judge.divergence(&shares_without(Some(group)))).collect();
        let generated = shares_without(None);
        Self {
            labels: subject.classes.to_vec(),
            judge_accuracy: judge.accuracy(),
            data: judge.data_shares().clone(),
            from_stationary: steady.pi().dot(&states),
            divergence: divergence(judge.divergence(&generated), &without),
            generated,
            by_latent_state,
            states,
        }
    }
}
