//! A chain seen through a partition of its states: macrostates with fluxes, currents and cycles of their own.

use ndarray::Array2;

use super::SteadyState;
use crate::logs::LogSum;

/// Which macrostate each state belongs to: every one has at least one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    of: Vec<usize>,
    count: usize,
}

/// Why a chain has no macrostates of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LumpingError {
    /// Another number of states.
    #[error("a partition names the macrostate of each of {states} states; this one names {named}")]
    Length {
        /// Of the chain.
        states: usize,
        /// Of the partition.
        named: usize,
    },
    /// A number without states.
    #[error("macrostate {0} has no state; number them from 0 without gaps")]
    Empty(usize),
    /// One that the chain leaves for good.
    #[error("macrostate {0} has no weight in the steady state, and so no fluxes; join it with another one")]
    Transient(usize),
}

impl Partition {
    /// From the macrostate of each state, `[L]`, numbered from 0.
    ///
    /// # Errors
    /// When a macrostate has no state.
    pub fn new(of: Vec<usize>) -> Result<Self, LumpingError> {
        let count = of.iter().max().map_or(0, |last| last + 1);
        // With more numbers than states one of the first has none.
        let mut used = vec![false; count.min(of.len() + 1)];
        for &number in &of {
            if let Some(used) = used.get_mut(number) {
                *used = true;
            }
        }
        match used.iter().position(|used| !used) {
            Some(empty) => Err(LumpingError::Empty(empty)),
            None => Ok(Self { of, count }),
        }
    }

    /// C, macrostates.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The macrostate of each state, `[L]`.
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// The states of a macrostate.
    pub fn states(&self, number: usize) -> impl Iterator<Item = usize> {
        self.of
            .iter()
            .enumerate()
            .filter(move |(_, of)| **of == number)
            .map(|(state, _)| state)
    }
}

impl SteadyState {
    /// The chain among macrostates, `[C, C]`: the Markov chain that has their fluxes,
    ///
    /// ```text
    /// F_ab = sum_{i in a, j in b} pi_i T_ij,     pi_a = sum_{i in a} pi_i,     T_ab = F_ab / pi_a
    /// ```
    ///
    /// Its pi, fluxes, currents and entropy production are what is seen of the whole in one step; by the log-sum inequality it produces at most as
    /// much entropy. Over several steps the macrostates remember more than such a chain does, unless the partition is lumpable.
    ///
    /// # Errors
    /// When the partition is one of another number of states, or has a macrostate without weight.
    pub fn lumped(&self, partition: &Partition) -> Result<Self, LumpingError> {
        let (of, count) = (&partition.of, partition.count);
        if of.len() != self.states() {
            return Err(LumpingError::Length {
                states: self.states(),
                named: of.len(),
            });
        }
        let mut sums = Array2::from_elem((count, count), LogSum::EMPTY);
        // Both directions of a pair in turn: of a chain in balance the two sums round alike.
        for i in 0..of.len() {
            for j in 0..i {
                sums[[of[i], of[j]]].add(self.log_flux(i, j));
                sums[[of[j], of[i]]].add(self.log_flux(j, i));
            }
            sums[[of[i], of[i]]].add(self.log_flux(i, i));
        }
        let lumped = Self::of_fluxes(sums.mapv(LogSum::ln));
        match lumped.log_pi().iter().position(|log_pi| *log_pi == f64::NEG_INFINITY) {
            Some(transient) => Err(LumpingError::Transient(transient)),
            None => Ok(lumped),
        }
    }

    /// Mean steps that the chain stays in a state at each visit, `1 / (1 - T_kk)`; infinite for a state that it never leaves.
    pub fn residence_time(&self, state: usize) -> f64 {
        let others = (0..self.states()).filter(|&other| other != state);
        // Summed, since 1 - T_kk would lose the rarest.
        1.0 / others.map(|other| self.log_transition()[[state, other]].exp()).sum::<f64>()
    }
}
