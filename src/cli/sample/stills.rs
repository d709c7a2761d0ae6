//! The moments of chains that `sample` draws: through latent states that are listed, or through units that are not.

use std::sync::atomic::AtomicBool;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use super::Sample;
use crate::analysis::MOST_STATES;
use crate::backend::BackendName;
use crate::cli::Usage;
use crate::conditionals::Conditionals;
use crate::data::BinaryImages;
use crate::generation::{TrainedChains, steady_state};
use crate::model::Parameters;
use crate::random::Seed;
use crate::units::UnitConditionals;
use crate::units::chains::{Moment, Start, Walkers};
use crate::watch::Watch;

/// Steps that chains of units walk from noise before anything is drawn.
const BURN_IN: usize = 100;
/// First index of their draws.
const TIME: u64 = 1 << 36;

/// All chains at one time.
pub struct Still {
    /// x, `[chains, D]`.
    pub images: BinaryImages,
    /// E[x|z], `[chains, D]`, where it is asked for.
    pub means: Option<Array2<f64>>,
    /// What the images were drawn from.
    pub latent: Latent,
}

/// What images were drawn from.
pub enum Latent {
    /// States, `[chains, 1]`, and those that the chains began in, `[chains]`.
    States { of: Array2<i32>, start: Array1<i32> },
    /// Words h, `[chains, H]`.
    Words(BinaryImages),
}

impl Sample {
    /// Through states that are listed.
    pub(super) fn through_states(&self, parameters: &Parameters, stop: &AtomicBool) -> anyhow::Result<Vec<Still>> {
        let model = Conditionals::new(parameters);
        let numerics = self.backend.open()?;
        let trained = TrainedChains::new(&*numerics, parameters, &model, Seed(self.seed))?;
        let states = self.start_states(&trained, parameters, &model, stop)?;
        let (count, steps) = (self.count as usize, self.steps as usize);
        let begun = Array1::from(states.clone());
        let start = trained.start(states);
        let frames = match self.film {
            true => trained.film(start, count, steps),
            false => vec![trained.walk(&start, steps, 0)],
        };
        stop.go_on()?;
        let still = |frame: crate::generation::Frame| {
            let of: Vec<usize> = frame.states.iter().map(|&state| state as usize).collect();
            Still {
                images: frame.images,
                means: self.means.then(|| model.means().select(Axis(0), &of)),
                latent: Latent::States {
                    of: Array1::from(frame.states).insert_axis(Axis(1)),
                    start: begun.clone(),
                },
            }
        };
        Ok(frames.into_iter().map(still).collect())
    }

    /// One state for each chain.
    fn start_states(
        &self,
        trained: &TrainedChains,
        parameters: &Parameters,
        model: &Conditionals,
        watch: &dyn Watch,
    ) -> anyhow::Result<Vec<i32>> {
        let latent = parameters.latent();
        if let Some(state) = self.start.iter().find(|state| **state as usize >= latent) {
            return Err(Usage(format!("--start names state {state}; the model's states are 0 to {}", latent - 1)).into());
        }
        if self.start.is_empty() && latent > MOST_STATES {
            return Err(Usage(format!(
                "the steady state of {latent} latent states, more than {MOST_STATES}, is not computed; name states to start in with --start"
            ))
            .into());
        }
        if self.start.is_empty() {
            let log_pi = steady_state(parameters, model, Seed(self.seed), watch)?;
            return Ok(trained.steady_states(&log_pi, self.chains()));
        }
        Ok(self.start.iter().cycle().take(self.chains()).map(|&state| state as i32).collect())
    }

    /// Through units that are not listed, from chains that began at noise.
    pub(super) fn through_units(&self, parameters: &Parameters, stop: &AtomicBool) -> anyhow::Result<Vec<Still>> {
        if !self.start.is_empty() {
            return Err(Usage("--start names latent states, and so many units have too many to be numbered; leave it out".into()).into());
        }
        if self.backend != BackendName::Ndarray {
            return Err(Usage("chains of so many units are walked on the CPU; leave out --backend".into()).into());
        }
        let model = UnitConditionals::new(parameters);
        let walkers = Walkers {
            model: &model,
            seed: Seed(self.seed),
            time: TIME,
        };
        let still = |moment: &Moment| Still {
            images: moment.images.unpack(),
            means: self.means.then(|| model.mean_images(&moment.words)),
            latent: Latent::Words(moment.words.unpack()),
        };
        let (frames, steps) = if self.film {
            (self.count as usize, self.steps as usize)
        } else {
            (1, 0)
        };
        let before = if self.film { 0 } else { self.steps as usize };
        let mut moment = walkers.after(Start::Noise, self.chains(), BURN_IN + before, stop)?;
        let mut done = BURN_IN + before;
        let mut film = vec![still(&moment)];
        while film.len() < frames {
            moment = walkers.on(&moment, done, steps, stop)?;
            done += steps;
            film.push(still(&moment));
        }
        Ok(film)
    }
}

/// Rows of frames `[chains, M]` as all frames of the first chain, then of the second, `[chains x frames, M]`.
pub fn by_chain<T: Clone>(frames: &[Array2<T>]) -> Array2<T> {
    let chains = frames[0].nrows();
    let rows: Vec<ArrayView2<T>> = (0..chains)
        .flat_map(|chain| frames.iter().map(move |frame| frame.slice(ndarray::s![chain..=chain, ..])))
        .collect();
    concatenate(Axis(0), &rows).expect("rows of frames are of one width")
}

/// The states of frames.
pub fn states(latent: &[&Latent]) -> Vec<Array2<i32>> {
    let states = latent.iter().filter_map(|latent| match latent {
        Latent::States { of, .. } => Some(of.clone()),
        Latent::Words(_) => None,
    });
    states.collect()
}

/// The words of frames.
pub fn words(latent: &[&Latent]) -> Vec<BinaryImages> {
    let words = latent.iter().filter_map(|latent| match latent {
        Latent::Words(words) => Some(words.clone()),
        Latent::States { .. } => None,
    });
    words.collect()
}
