//! Which transitions of a large model are drawn along tilts of their own: those of the pairs of states between which the chain moves.
//!
//! A tilt for each of L^2 transitions is far more than the figures of a chain ask for. With F_jk = pi_j T_jk the latent entropy production is
//!
//! ```text
//! sigma_z = sum_{j<k} ( F_jk - F_kj ) ln( F_jk / F_kj )
//! ```
//!
//! so that an error of ln T_jk or ln T_kj counts by the traffic of the pair, max(F_jk, F_kj): also the rare one of two directions must be known where
//! the other is common. That is all it counts for: it gets [fewer images](Sampling::for_rare). A [pilot](Sampling::pilot) finds the traffic, first by plain
//! means, then along the tilts of the pairs that these showed, until those that it would choose next are chosen already, and how many images a common
//! transition needs to be known well. Its draws are no part of the estimate, which is therefore unbiased, whatever was chosen; all other transitions are
//! estimated from the same images, with the errors that they then have.

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
/// The share of the traffic between states whose pairs are chosen: more than the 99% that are to be known to a tenth, as some of them will not be.
pub const SHARE: f64 = 0.995;
/// The share that pairs may carry which a further look would add.
const OVERLOOKED: f64 = 0.01;
/// The relative standard error of a common transition for which it gets images: less than a tenth, as the pilot's sixteen images see the spread only roughly.
pub const WANTED: f64 = 0.06;
/// The most images along a tilt, in units of M.
pub const MOST_TIMES: usize = 6;
/// Looks after which the choice stands: one at plain means, the others along the tilts that the looks before chose.
const MOST_LOOKS: usize = 3;

/// The transitions of each state that are drawn along tilts of their own, by their targets.
pub struct Selection {
    chosen: Vec<BTreeMap<usize, Chosen>>,
}

/// A transition that was chosen.
struct Chosen {
    tilt: Tilt,
    /// Does it carry as much traffic as makes a pair worth choosing, or is it the rare direction of one?
    is_common: bool,
    /// Images along its tilt in units of M, if it is common.
    times: usize,
}

/// A state to look at as another's target.
#[derive(Clone, Copy)]
struct Target {
    state: usize,
    is_common: bool,
}

impl Selection {
    /// Chooses for a model: all transitions of a small one. [`Selection::parts`] parts are announced.
    ///
    /// # Errors
    /// When the model's numbers overflow, or when it is stopped.
    pub fn of(model: &Conditionals, sampling: Sampling, watch: &dyn Watch) -> Result<Self, EstimateError> {
        let latent = model.latent();
        let mut chosen = Self {
            chosen: (0..latent).map(|_| BTreeMap::new()).collect(),
        };
        if latent <= MOST_WHOLE {
            let all = (0..latent).map(|state| Target { state, is_common: true }).collect();
            chosen.add(model, &vec![all; latent], watch)?;
            return Ok(chosen);
        }
        for number in 0..MOST_LOOKS {
            let pilot = if number == 0 { sampling.plain_pilot() } else { sampling.pilot() };
            let sources = chosen.look(model, pilot, watch)?;
            let (targets, overlooked) = chosen.travelled(&steady(&sources, None, watch)?);
            chosen.correct(&targets);
            let is_whole = overlooked <= OVERLOOKED;
            if is_whole || number + 1 == MOST_LOOKS {
                chosen.allot(&sources, pilot, sampling);
            }
            if is_whole {
                break;
            }
            chosen.add(model, &targets, watch)?;
        }
        Ok(chosen)
    }

    /// The most parts that are announced.
    pub fn parts(latent: usize) -> usize {
        latent * if latent <= MOST_WHOLE { 1 } else { 2 * MOST_LOOKS }
    }

    /// The tilts of a state, each with the images of a group that are drawn along it.
    pub fn of_state(&self, state: usize, sampling: Sampling) -> impl Iterator<Item = (&Tilt, usize)> {
        // Where the target wins anyway, q(.|j) itself is its proposal.
        let chosen = self.chosen[state].values().filter(|chosen| !chosen.tilt.competitors.is_empty());
        chosen.map(move |Chosen { tilt, is_common, times }| (tilt, if *is_common { times * sampling.each() } else { sampling.for_rare() }))
    }

    /// Transitions that were chosen.
    pub fn count(&self) -> usize {
        self.chosen.iter().map(BTreeMap::len).sum()
    }

    /// What a pilot sees, along the tilts so far.
    fn look(&self, model: &Conditionals, pilot: Sampling, watch: &dyn Watch) -> Result<Vec<Source>, Stopped> {
        (0..model.latent())
            .into_par_iter()
            .map(|state| {
                let source = Source::draw(model, state, self, pilot, &())?;
                watch.go_on()?;
                watch.part_done();
                Ok(source)
            })
            .collect()
    }

    /// The other states of the pairs that carry [`SHARE`] of the traffic, for each state, and what share those carry that are not chosen yet.
    fn travelled(&self, seen: &SteadyState) -> (Vec<Vec<Target>>, f64) {
        let latent = seen.states();
        let flux: Array2<f64> = seen.flux();
        let mut pairs: Vec<(f64, usize, usize)> = (0..latent)
            .flat_map(|j| (0..j).map(move |k| (j, k)))
            .map(|(j, k)| (flux[[j, k]].max(flux[[k, j]]), j, k))
            .collect();
        pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let all: f64 = pairs.iter().map(|pair| pair.0).sum();
        let (mut carried, mut count) = (0.0, 0);
        while count < pairs.len() && carried < SHARE * all {
            carried += pairs[count].0;
            count += 1;
        }
        pairs.truncate(count);
        let least = pairs.last().map_or(0.0, |pair| pair.0);
        let mut overlooked = 0.0;
        let mut targets = vec![Vec::new(); latent];
        for (traffic, j, k) in pairs {
            if !self.chosen[j].contains_key(&k) {
                overlooked += traffic;
            }
            for (from, to) in [(j, k), (k, j)] {
                targets[from].push(Target {
                    state: to,
                    is_common: flux[[from, to]] >= least,
                });
            }
        }
        (targets, if all > 0.0 { overlooked / all } else { 0.0 })
    }

    /// What was chosen for its reverse, and is seen to be common now, is common.
    fn correct(&mut self, targets: &[Vec<Target>]) {
        for (chosen, targets) in self.chosen.iter_mut().zip(targets) {
            for target in targets {
                if let Some(chosen) = chosen.get_mut(&target.state) {
                    chosen.is_common |= target.is_common;
                }
            }
        }
    }

    /// More images for the transitions that M images would leave known worse than [`WANTED`], as the pilot saw their spread.
    fn allot(&mut self, seen: &[Source], pilot: Sampling, sampling: Sampling) {
        let share = pilot.samples() as f64 / sampling.samples() as f64;
        let most = sampling.most_times(seen.len());
        for (chosen, source) in self.chosen.iter_mut().zip(seen) {
            for (&target, chosen) in chosen {
                let variance = share * source.relative_variance(target);
                chosen.times = ((variance / WANTED.powi(2)).ceil() as usize).clamp(1, most);
            }
        }
    }

    /// Finds the tilts of these targets that are not there yet.
    fn add(&mut self, model: &Conditionals, targets: &[Vec<Target>], watch: &dyn Watch) -> Result<(), Stopped> {
        self.chosen
            .par_iter_mut()
            .zip(targets)
            .enumerate()
            .try_for_each(|(state, (chosen, targets))| {
                watch.go_on()?;
                let untilted = Untilted::new(model, state);
                for target in targets {
                    chosen.entry(target.state).or_insert_with(|| Chosen {
                        tilt: best_tilt(model, state, target.state, &untilted),
                        is_common: target.is_common,
                        times: 1,
                    });
                }
                watch.part_done();
                Ok(())
            })
    }
}
