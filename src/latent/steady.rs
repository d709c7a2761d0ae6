//! A chain and its steady state, or the reason why it has none of its own.

use ndarray::{Array1, Array2, Axis};

use super::stationary::log_stationary;
use crate::logs::logsumexp;
use crate::watch::{Stopped, Watch};

/// Why a matrix is no Markov chain with one steady state. States and rows are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// Rows and columns differ, or there are none.
    #[error("a transition matrix has one row and one column for each state; this one is {0} x {1}")]
    Shape(usize, usize),
    /// Not a probability.
    #[error("the transition from state {0} to state {1} has probability {2}, which is not between 0 and 1")]
    Entry(usize, usize, f64),
    /// A state that the chain does not leave with certainty, itself included.
    #[error("the transitions from state {0} sum to {1}, not to 1")]
    Row(usize, f64),
    /// Several sets of states that the chain never leaves.
    #[error(
        "the chain settles in one of several sets of states that it never leaves, {0:?}, and so has no steady state of its own: take them one by one"
    )]
    Apart(Vec<Vec<usize>>),
    /// Whoever watched the work ended it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A Markov chain on L states in its steady state, `pi = pi T`.
#[derive(Clone, Debug, PartialEq)]
pub struct SteadyState {
    log_transition: Array2<f64>,
    log_pi: Array1<f64>,
}

impl SteadyState {
    /// From transition probabilities T `[L, L]`, rows to columns.
    ///
    /// The steady state is unique if there is one set of states that the chain never leaves; the others are transient and have
    /// `pi_k = 0`. An absorbing state is such a set by itself.
    ///
    /// # Errors
    /// When T is no transition matrix (rows must sum to 1 within 1e-9), or when several sets of states are never left.
    pub fn new(transition: &Array2<f64>) -> Result<Self, ChainError> {
        if let Some(((j, k), &p)) = transition.indexed_iter().find(|(_, p)| !(0.0..=1.0 + 1e-9).contains(*p)) {
            return Err(ChainError::Entry(j, k, p));
        }
        Self::from_logs(transition.mapv(f64::ln))
    }

    /// As [`SteadyState::new`], from `ln T`, which holds rarer transitions.
    ///
    /// # Errors
    /// As [`SteadyState::new`].
    pub fn from_logs(log_transition: Array2<f64>) -> Result<Self, ChainError> {
        Self::from_logs_watched(log_transition, &())
    }

    /// As [`SteadyState::from_logs`], for many states: the work grows as their cube, and can be stopped.
    ///
    /// # Errors
    /// As [`SteadyState::new`], and when it is stopped.
    pub fn from_logs_watched(mut log_transition: Array2<f64>, watch: &dyn Watch) -> Result<Self, ChainError> {
        let (rows, columns) = log_transition.dim();
        if rows != columns || rows == 0 {
            return Err(ChainError::Shape(rows, columns));
        }
        if let Some(((j, k), &log_p)) = log_transition.indexed_iter().find(|(_, log_p)| log_p.is_nan()) {
            return Err(ChainError::Entry(j, k, log_p));
        }
        for (j, mut row) in log_transition.rows_mut().into_iter().enumerate() {
            let log_sum = logsumexp(row.view());
            if log_sum.is_nan() || log_sum.abs() > 1e-9 {
                return Err(ChainError::Row(j, log_sum.exp()));
            }
            row -= log_sum;
        }
        let mut closed = closed_classes(&log_transition);
        if closed.len() > 1 {
            return Err(ChainError::Apart(closed));
        }
        let class = closed.remove(0);
        let within = log_transition.select(Axis(0), &class).select(Axis(1), &class);
        let mut log_pi = Array1::from_elem(rows, f64::NEG_INFINITY);
        for (&state, log_weight) in class.iter().zip(log_stationary(&within, watch)?) {
            log_pi[state] = log_weight;
        }
        Ok(Self { log_transition, log_pi })
    }

    /// From `ln F` `[L, L]` of the fluxes of a steady state: those from each state sum to its pi, as do those to it. Symmetric ones are those of a
    /// chain in detailed balance.
    pub fn of_fluxes(mut log_flux: Array2<f64>) -> Self {
        let mut log_pi = log_flux.map_axis(Axis(1), logsumexp);
        log_flux -= &log_pi.view().insert_axis(Axis(1));
        log_pi -= logsumexp(log_pi.view());
        Self {
            log_transition: log_flux,
            log_pi,
        }
    }

    /// L.
    pub fn states(&self) -> usize {
        self.log_pi.len()
    }

    /// `ln T`, `[L, L]`.
    pub fn log_transition(&self) -> &Array2<f64> {
        &self.log_transition
    }

    /// `ln pi`, `[L]`.
    pub fn log_pi(&self) -> &Array1<f64> {
        &self.log_pi
    }

    /// T, `[L, L]`.
    pub fn transition(&self) -> Array2<f64> {
        self.log_transition.mapv(f64::exp)
    }

    /// pi, `[L]`.
    pub fn pi(&self) -> Array1<f64> {
        self.log_pi.mapv(f64::exp)
    }
}

/// The sets of states that lead to each other and nowhere else, by their smallest states.
fn closed_classes(log_transition: &Array2<f64>) -> Vec<Vec<usize>> {
    let states = log_transition.nrows();
    if log_transition.iter().all(|log_p| log_p.is_finite()) {
        return vec![(0..states).collect()];
    }
    let reached: Vec<Vec<bool>> = (0..states).map(|start| reachable(log_transition, start)).collect();
    let mut classes = Vec::new();
    for (state, from_here) in reached.iter().enumerate() {
        let class: Vec<usize> = (0..states).filter(|&other| from_here[other]).collect();
        let closed = class.iter().all(|&other| reached[other][state]);
        if closed && class[0] == state {
            classes.push(class);
        }
    }
    classes
}

/// Which states the chain can be in at some time after it was in `start`, itself included.
fn reachable(log_transition: &Array2<f64>, start: usize) -> Vec<bool> {
    let mut reached = vec![false; log_transition.nrows()];
    reached[start] = true;
    let mut waiting = vec![start];
    while let Some(state) = waiting.pop() {
        for (next, &log_p) in log_transition.row(state).iter().enumerate() {
            if log_p > f64::NEG_INFINITY && !reached[next] {
                reached[next] = true;
                waiting.push(next);
            }
        }
    }
    reached
}
