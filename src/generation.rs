//! Images from the chain of a trained model, started in its steady state or in states that are named.

use ndarray::{Array1, Axis};

use crate::conditionals::Conditionals;
use crate::data::BinaryImages;
use crate::data::packed::PackedImages;
use crate::estimate::exact::enumerate;
use crate::estimate::plain::PlainEstimate;
use crate::estimate::reversible::closed_form;
use crate::estimate::{EstimateError, Settings};
use crate::model::Parameters;
use crate::numerics::Numerics;
use crate::random::{Seed, Stream, categorical};
use crate::watch::Watch;

/// The most chains that one call moves.
pub const MOST_CHAINS: usize = 65_536;
/// Walks of trained models are keyed by times from here on, beyond any training step, so that they share no draw with training.
const AFTER_TRAINING: u64 = 1 << 39;

/// The device cannot hold the model.
#[derive(Debug, thiserror::Error)]
#[error("the model has {visible} pixels and {latent} latent states, more than an array on {device} holds; use --backend ndarray")]
pub struct TooLarge {
    visible: usize,
    latent: usize,
    device: String,
}

/// Chains at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// z of each chain, of which its image was drawn, `[N]`.
    pub states: Vec<i32>,
    /// x, `[N, D]`.
    pub images: BinaryImages,
}

/// The chains of one trained model on one device.
pub struct TrainedChains<'a> {
    numerics: &'a dyn Numerics,
    parameters: &'a Parameters,
    conditionals: &'a Conditionals,
    seed: Seed,
}

impl<'a> TrainedChains<'a> {
    /// Chains that walk on a device; the seed sets all their draws.
    ///
    /// # Errors
    /// When the model is larger than the device's largest array.
    pub fn new(
        numerics: &'a dyn Numerics,
        parameters: &'a Parameters,
        conditionals: &'a Conditionals,
        seed: Seed,
    ) -> Result<Self, TooLarge> {
        let (visible, latent) = (parameters.visible(), parameters.latent());
        let device = numerics.device();
        if (4 * visible * latent) as u64 > device.largest_array {
            return Err(TooLarge {
                visible,
                latent,
                device: device.name.clone(),
            });
        }
        Ok(Self {
            numerics,
            parameters,
            conditionals,
            seed,
        })
    }

    /// Chains that are moved together, so that memory does not grow with their number.
    fn together(&self) -> usize {
        const MOST: u64 = 1000;
        let widest = self.parameters.visible().max(self.parameters.latent()) as u64;
        (self.numerics.device().largest_array / (4 * widest)).clamp(1, MOST) as usize
    }

    /// Draws latent states z ~ pi from `ln pi`.
    pub fn steady_states(&self, log_pi: &Array1<f64>, count: usize) -> Vec<i32> {
        draw_states(log_pi, count, self.seed)
    }

    /// Draws an image x ~ q(.|z) of each state, `[N, D]`.
    pub fn emit(&self, states: &[i32]) -> BinaryImages {
        self.conditionals.draw(states, self.seed.draws(Stream::Generated, 1, 0)).unpack()
    }

    /// An image of each state, as [`TrainedChains::emit`] draws it.
    pub fn start(&self, states: Vec<i32>) -> Frame {
        Frame {
            images: self.emit(&states),
            states,
        }
    }

    /// Moves at most [`MOST_CHAINS`] chains by some full steps `x -> z -> x`. `leg`, below 2^22, tells walks of one chain apart.
    pub fn walk(&self, chains: &Frame, steps: usize, leg: u64) -> Frame {
        let together = self.together();
        let mut moved = Frame {
            states: Vec::new(),
            images: BinaryImages::zeros((0, chains.images.ncols())),
        };
        for (part, (images, states)) in chains
            .images
            .axis_chunks_iter(Axis(0), together)
            .zip(chains.states.chunks(together))
            .enumerate()
        {
            let time = AFTER_TRAINING + (part as u64) * (1 << 22) + leg;
            let (next, images) = self
                .numerics
                .walk_with_states(self.parameters, &images.to_owned(), steps, self.seed, time);
            moved.states.extend(next.unwrap_or_else(|| states.to_vec()));
            moved
                .images
                .append(Axis(0), images.view())
                .expect("images of one model have one size");
        }
        moved
    }

    /// Follows chains: every frame is some steps after the one before it, the first is the start.
    pub fn film(&self, start: Frame, frames: usize, steps: usize) -> Vec<Frame> {
        let mut film = vec![start];
        while film.len() < frames {
            let leg = film.len() as u64;
            let next = self.walk(&film[film.len() - 1], steps, leg);
            film.push(next);
        }
        film
    }
}

/// Images of a model's steady state, `z ~ pi` and `x ~ q(.|z)`.
///
/// # Errors
/// As [`steady_state`].
pub fn steady_images(parameters: &Parameters, count: usize, seed: Seed, watch: &dyn Watch) -> Result<PackedImages, EstimateError> {
    let model = Conditionals::new(parameters);
    let states = draw_states(&steady_state(parameters, &model, seed, watch)?, count, seed);
    Ok(model.draw(&states, seed.draws(Stream::Generated, 1, 0)))
}

/// `ln pi`: the closed form, or by enumeration, or within the few per cent of plain means, which no sample of images can tell.
///
/// # Errors
/// When the model's numbers overflow, or when it is stopped.
pub fn steady_state(parameters: &Parameters, model: &Conditionals, seed: Seed, watch: &dyn Watch) -> Result<Array1<f64>, EstimateError> {
    if let Some(log_pi) = closed_form(parameters) {
        return Ok(log_pi);
    }
    let kernel = if Settings::of(parameters).exact {
        enumerate(model, watch)?
    } else {
        let samples = (10_000_000 / (model.latent() * model.latent())).clamp(50, 1000);
        PlainEstimate::draw(model, samples, seed, 0, |_| Vec::<()>::new(), watch)?.kernel
    };
    Ok(kernel.steady.log_pi().clone())
}

/// Latent states z ~ pi.
fn draw_states(log_pi: &Array1<f64>, count: usize, seed: Seed) -> Vec<i32> {
    let mut generator = seed.generator(Stream::Generated, 0, 0);
    let pi = log_pi.mapv(f64::exp).to_vec();
    (0..count).map(|_| categorical(&mut generator, &pi) as i32).collect()
}
