//! The likelihood of a machine whose states are not listed: a bound that is raised until it hardly moves, or annealing.

use serde::Serialize;

use super::{FROM_DATA, FROM_NOISE, UnitSubject};
use crate::analysis::AnalysisError;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::evaluation::Reference;
use crate::evaluation::units::first;
use crate::model::recognition::RecognitionParameters;
use crate::units::annealing::{CHAINS, Partition, STEPS};
use crate::units::chains::Start;
use crate::units::marginal::{GROUPS, Marginal};
use crate::units::{UnitConditionals, bound};
use crate::watch::Watch;

/// Images of each set that the bound is taken at.
const IMAGES: usize = 1000;
/// K to begin with.
const CANDIDATES: usize = 100;
/// The most N.
const MOST_CHAINS: usize = 1 << 16;
/// What the bound may still move by when K or N is doubled, nats.
const SETTLED: f64 = 0.2;
/// What bounds by chains from noise and from data may differ by, nats.
const STATIONARY: f64 = 1.0;
/// One value of K and of N, and the bound of test images (training images without test images) with it.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// K.
    pub candidates: usize,
    /// N.
    pub chains: usize,
    /// Nats per image.
    pub bound: f64,
    /// What the second half of the candidates added, nats.
    pub by_candidates: f64,
    /// What the second half of the chains added, nats.
    pub by_chains: f64,
    /// Candidates that count, of K.
    pub effective: f64,
}

/// How the bound was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Bounds {
    /// Images of each set, at most.
    pub images: usize,
    /// K and N as they were raised; the last are those of the headline's bounds.
    pub levels: Vec<Level>,
    /// Would a doubling of K or N move it by less than 0.2 nats?
    pub settled: bool,
    /// By chains that began at training images instead of noise, with the first level's K and N, and what it is more than by those from noise; nats.
    pub from_data: f64,
    /// The same, nats.
    pub difference: f64,
    /// Is that less than 1 nat?
    pub stationary: bool,
    /// Of the training images.
    #[serde(skip)]
    pub train: Figure,
    /// Of the test images.
    #[serde(skip)]
    pub test: Option<Figure>,
}

/// How the likelihood of a Boltzmann machine was found.
#[derive(Clone, Debug, Serialize)]
pub struct Annealing {
    /// Chains.
    pub chains: usize,
    /// Steps of each.
    pub steps: usize,
    /// Chains that count.
    pub effective: f64,
    /// Of the training images.
    #[serde(skip)]
    pub train: Figure,
    /// Of the test images.
    #[serde(skip)]
    pub test: Option<Figure>,
}

/// Raises K and N in turns, until the bound moves by less than [`SETTLED`] or they are as large as they may be.
pub(super) fn bounds(
    subject: &UnitSubject,
    model: &UnitConditionals,
    (recognition, data): (&RecognitionParameters, &Reference),
    watch: &dyn Watch,
) -> Result<Bounds, AnalysisError> {
    let time = subject.step.unwrap_or(0);
    let marginal = |start: Start, chains: usize, walk: u64| subject.marginal(model, start, chains, walk, watch);
    let bound = |marginal: &Marginal, images: &PackedImages, candidates: usize| {
        let bounds = bound::Bounds {
            model,
            recognition,
            marginal,
            seed: subject.seed,
            time,
        };
        bounds.of(images, candidates, watch)
    };
    let train = first(&data.train, IMAGES);
    let test = data.test.as_ref().map(|test| first(test, IMAGES));
    let judged = test.as_ref().unwrap_or(&train);

    let (mut candidates, mut chains) = (CANDIDATES.min(subject.most_candidates), subject.chains.next_multiple_of(GROUPS));
    let mut pi = marginal(Start::Noise, chains, FROM_NOISE)?;
    let by_data = marginal(Start::Images(&data.train), chains, FROM_DATA)?;
    let from_data = bound(&by_data, judged, candidates)?.value;
    let mut levels = Vec::new();
    let mut from_noise = None;
    let (found, settled) = loop {
        let found = bound(&pi, judged, candidates)?;
        from_noise.get_or_insert(found.value);
        levels.push(Level {
            candidates,
            chains,
            bound: found.value,
            by_candidates: found.by_candidates,
            by_chains: found.by_chains,
            effective: found.effective,
        });
        let more_candidates = found.by_candidates >= SETTLED;
        let more_chains = found.by_chains >= SETTLED;
        if !more_candidates && !more_chains {
            break (found, true);
        }
        let grown = (
            if more_candidates {
                (2 * candidates).min(subject.most_candidates)
            } else {
                candidates
            },
            if more_chains { (2 * chains).min(MOST_CHAINS) } else { chains },
        );
        if grown == (candidates, chains) {
            break (found, false);
        }
        if grown.1 != chains {
            pi = marginal(Start::Noise, grown.1, FROM_NOISE)?;
        }
        (candidates, chains) = grown;
    };
    let difference = from_data - from_noise.unwrap_or(found.value);
    let of_train = match &test {
        Some(_) => bound(&pi, &train, candidates)?.figure(),
        None => found.figure(),
    };
    Ok(Bounds {
        images: IMAGES,
        levels,
        settled,
        from_data,
        difference,
        stationary: difference.abs() < STATIONARY,
        train: of_train,
        test: test.is_some().then(|| found.figure()),
    })
}

/// The likelihood of a Boltzmann machine, of all images.
pub(super) fn annealing(
    subject: &UnitSubject,
    model: &UnitConditionals,
    data: &Reference,
    watch: &dyn Watch,
) -> Result<Annealing, AnalysisError> {
    let images = data.train.len() as f64;
    let mean: Vec<f64> = data
        .train
        .lit()
        .into_iter()
        .map(|lit| (lit as f64 + 1.0) / (images + 2.0))
        .collect();
    let partition = Partition::anneal(model, &mean, (CHAINS, STEPS), subject.seed, watch)?;
    Ok(Annealing {
        chains: CHAINS,
        steps: STEPS,
        effective: partition.effective(),
        train: partition.log_likelihood(model, &data.train),
        test: data.test.as_ref().map(|test| partition.log_likelihood(model, test)),
    })
}
