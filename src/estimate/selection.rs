//! Which transitions of a large model are drawn along tilts of their own: those of the pairs of states between which the chain moves.
//!
//! A tilt for each of L^2 transitions is far more than the figures of a chain ask for. With F_jk = pi_j T_jk the latent entropy production is
//!
//! ```text
//! sigma_z = sum_{j<k} ( F_jk - F_kj ) ln( F_jk / F_kj )
//! ```
//!
//! so that an error of ln T_jk or ln T_kj counts by the traffic of the pair, max(F_jk, F_kj): also the rare one of two directions must be known where
//! the other is common. A [pilot](Sampling::pilot) finds the traffic, first by plain means, then along the tilts of the pairs that these showed, until those
//! that it would choose next are chosen already. Its draws are no part of the estimate, which is therefore unbiased, whatever was chosen; all other
//! transitions are estimated from the same images, with the errors that they then have.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;

use super::EstimateError;
use super::importance::{Source, steady};
use super::sampling::Sampling;
use super::tilt::{Tilt, Untilted, best_tilt};
use crate::conditionals::Conditionals;
use crate::latent::SteadyState;
use crate::watch::{Stopped, Watch};

/// The most states whose transitions are all drawn along tilts: some seconds.
pub const MOST_WHOLE: usize = 40;
/// The share of the traffic between states whose pairs are chosen.
pub const SHARE: f64 = 0.99;
/// The share that pairs may carry which a further look would add.
const OVERLOOKED: f64 = 0.01;
/// Looks along tilts after which the choice stands.
const MOST_LOOKS: usize = 3;

/// The tilts of each state, by their targets.
pub struct Selection {
    tilts: Vec<BTreeMap<usize, Tilt>>,
}

impl Selection {
    /// Chooses for a model: all transitions of a small one. [`Selection::parts`] parts are announced.
    ///
    /// # Errors
    /// When the model's numbers overflow, or when it is stopped.
    pub fn of(model: &Conditionals, sampling: Sampling, watch: &dyn Watch) -> Result<Self, EstimateError> {
        let latent = model.latent();
        let mut chosen = Self {
            tilts: vec![BTreeMap::new(); latent],
        };
        if latent <= MOST_WHOLE {
            chosen.add(model, &vec![(0..latent).collect(); latent], watch)?;
            return Ok(chosen);
        }
        let mut seen = chosen.look(model, sampling.plain_pilot(), watch)?;
        for _ in 0..MOST_LOOKS {
            let (targets, overlooked) = chosen.travelled(&seen);
            if overlooked <= OVERLOOKED {
                break;
            }
            chosen.add(model, &targets, watch)?;
            seen = chosen.look(model, sampling.pilot(), watch)?;
        }
        Ok(chosen)
    }

    /// The most parts that are announced.
    pub fn parts(latent: usize) -> usize {
        latent * if latent <= MOST_WHOLE { 1 } else { 1 + 2 * MOST_LOOKS }
    }

    /// The tilts of a state.
    pub fn of_state(&self, state: usize) -> impl Iterator<Item = &Tilt> {
        // Where the target wins anyway, q(.|j) itself is its proposal.
        self.tilts[state].values().filter(|tilt| !tilt.competitors.is_empty())
    }

    /// Transitions that were chosen.
    pub fn count(&self) -> usize {
        self.tilts.iter().map(BTreeMap::len).sum()
    }

    /// The chain, from the draws of a pilot along the tilts so far.
    fn look(&self, model: &Conditionals, sampling: Sampling, watch: &dyn Watch) -> Result<SteadyState, EstimateError> {
        let sources: Result<Vec<Source>, Stopped> = (0..model.latent())
            .into_par_iter()
            .map(|state| {
                let source = Source::draw(model, state, self, sampling, &())?;
                watch.go_on()?;
                watch.part_done();
                Ok(source)
            })
            .collect();
        steady(&sources?, None, sampling, watch)
    }

    /// The other states of the pairs that carry [`SHARE`] of the traffic, for each state, and what share those carry that are not chosen yet.
    fn travelled(&self, seen: &SteadyState) -> (Vec<Vec<usize>>, f64) {
        let latent = seen.states();
        let flux: Array2<f64> = seen.flux();
        let mut pairs: Vec<(f64, usize, usize)> = (0..latent)
            .flat_map(|j| (0..j).map(move |k| (j, k)))
            .map(|(j, k)| (flux[[j, k]].max(flux[[k, j]]), j, k))
            .collect();
        pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let all: f64 = pairs.iter().map(|pair| pair.0).sum();
        let (mut carried, mut overlooked) = (0.0, 0.0);
        let mut targets = vec![Vec::new(); latent];
        for (traffic, j, k) in pairs {
            if carried >= SHARE * all {
                break;
            }
            carried += traffic;
            if !self.tilts[j].contains_key(&k) {
                overlooked += traffic;
            }
            targets[j].push(k);
            targets[k].push(j);
        }
        (targets, if all > 0.0 { overlooked / all } else { 0.0 })
    }

    /// Finds the tilts of these targets that are not there yet.
    fn add(&mut self, model: &Conditionals, targets: &[Vec<usize>], watch: &dyn Watch) -> Result<(), Stopped> {
        self.tilts
            .par_iter_mut()
            .zip(targets)
            .enumerate()
            .try_for_each(|(state, (tilts, targets))| {
                watch.go_on()?;
                let untilted = Untilted::new(model, state);
                for &target in targets {
                    tilts.entry(target).or_insert_with(|| best_tilt(model, state, target, &untilted));
                }
                watch.part_done();
                Ok(())
            })
    }
}
