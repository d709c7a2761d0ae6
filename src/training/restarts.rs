//! What expectation and maximization needs before it starts: a pseudo-count, and the best of several starts.

use ndarray::Array1;

use super::start::{around_the_mean, images, tied_start};
use super::step::{Recipe, Update};
use crate::conditionals::Conditionals;
use crate::config::{Config, EmConfig, HeldOutWord, Init, PseudoCount};
use crate::data::Dataset;
use crate::data::packed::PackedImages;
use crate::estimate::reversible::closed_form;
use crate::evaluation::likelihood::log_likelihood;
use crate::model::Parameters;
use crate::numerics::Numerics;
use crate::random::{Seed, Stream, permutation};
use crate::record::TrainingState;
use crate::watch::{Stopped, Watch};

/// The pseudo-counts to choose from.
const PSEUDO_COUNTS: [f64; 8] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
/// Steps with each of them, from one start.
const STEPS_TO_CHOOSE: usize = 50;
/// Steps of each start before they are compared: the likelihood is then within a nat of where it ends, and what follows hardly changes
/// the order (C. Biernacki, G. Celeux and G. Govaert, Comput. Stat. Data Anal. 41, 561 (2003)).
const STEPS_TO_COMPARE: usize = 30;

/// Trains mixtures on one set of images.
pub struct Restarts<'a> {
    /// As resolved and checked.
    pub config: &'a Config,
    /// Its part for expectation and maximization.
    pub em: EmConfig,
    /// What is trained on.
    pub data: &'a Dataset,
    /// What computes.
    pub numerics: &'a dyn Numerics,
    /// Asked before each training step and each block of images.
    pub watch: &'a dyn Watch,
}

impl Restarts<'_> {
    /// The pseudo-count, which may be known from an earlier sitting, and the state to go on from: the best start for a run that has not
    /// begun and whose start is random.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn begin(&self, known: Option<f64>, state: TrainingState) -> Result<(f64, TrainingState), Stopped> {
        let pseudo_count = match (known, self.em.pseudo_count) {
            (Some(count), _) | (None, PseudoCount::Number(count)) => count,
            (None, PseudoCount::HeldOut(HeldOutWord::HeldOut)) => self.choose()?,
        };
        if state.step > 0 || matches!(self.config.model.init, Init::Record(_)) {
            return Ok((pseudo_count, state));
        }
        Ok((pseudo_count, self.best(pseudo_count)?))
    }

    /// The pseudo-count with the largest likelihood of a fifth of the training images, when the others are trained on.
    fn choose(&self) -> Result<f64, Stopped> {
        let seed = Seed(self.config.training.seed);
        let images = self.data.train.evaluation_images(seed, 0);
        let order = permutation(&mut seed.generator(Stream::HeldOut, 0, 0), images.len());
        let (held_out, kept) = order.split_at((images.len() / 5).max(1).min(images.len() - 1));
        if held_out.is_empty() {
            return Ok(PSEUDO_COUNTS[PSEUDO_COUNTS.len() - 1]);
        }
        let (held_out, kept) = (images.select(held_out), images.select(kept));
        let start = self.start(0);
        let mut best = (f64::NEG_INFINITY, PSEUDO_COUNTS[0]);
        for count in PSEUDO_COUNTS {
            let trained = self.train(&start, &kept, count, STEPS_TO_CHOOSE)?;
            let likelihood = likelihood(&trained, &held_out, self.watch)?;
            if likelihood > best.0 {
                best = (likelihood, count);
            }
        }
        Ok(best.1)
    }

    /// The state at step 0 after some steps from each start, of that with the largest likelihood of the training images.
    fn best(&self, pseudo_count: f64) -> Result<TrainingState, Stopped> {
        let seed = Seed(self.config.training.seed);
        let images = self.data.train.evaluation_images(seed, 0);
        let trained = |restart| self.train(&self.start(restart), &images, pseudo_count, STEPS_TO_COMPARE);
        let mut best = trained(0)?;
        let mut largest = likelihood(&best, &images, self.watch)?;
        for restart in 1..self.em.restarts {
            let other = trained(restart)?;
            let likelihood = likelihood(&other, &images, self.watch)?;
            if likelihood > largest {
                (largest, best) = (likelihood, other);
            }
        }
        Ok(self.state(&best))
    }

    fn start(&self, restart: u32) -> Parameters {
        let config = self.config;
        let (layers, scale, floor) = (&config.model.latent, config.model.init.scale(), config.training.probability_floor);
        tied_start(match config.model.init {
            Init::Images { .. } => images(&self.data.train, layers.states(), scale, floor, Seed(config.training.seed), restart),
            _ => {
                let mut generator = Seed(config.training.seed).generator(Stream::Restart, restart.into(), 0);
                around_the_mean(&self.data.train.mean(), layers, scale, floor, &mut generator)
            }
        })
    }

    fn train(&self, start: &Parameters, images: &PackedImages, pseudo_count: f64, steps: usize) -> Result<Parameters, Stopped> {
        let recipe = Recipe::new(&self.config.training, Update::Em { pseudo_count });
        let mut trainer = self.numerics.trainer(&self.state(start), recipe);
        for _ in 0..steps {
            self.watch.go_on()?;
            trainer.step(images);
        }
        Ok(trainer.parameters())
    }

    fn state(&self, parameters: &Parameters) -> TrainingState {
        TrainingState {
            parameters: parameters.clone(),
            mean_squares: Parameters::of_zeros(parameters.visible(), &parameters.layers),
            chains: None,
            path_entropy_weight: None,
            sampled: None,
            step: 0,
        }
    }
}

/// Nats per image, of a mixture.
fn likelihood(parameters: &Parameters, images: &PackedImages, watch: &dyn Watch) -> Result<f64, Stopped> {
    let latent = parameters.latent();
    let log_pi = closed_form(parameters).unwrap_or_else(|| Array1::from_elem(latent, -(latent as f64).ln()));
    log_likelihood(&Conditionals::new(parameters), &log_pi, images, watch)
}
