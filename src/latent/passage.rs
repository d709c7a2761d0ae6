//! How long a chain takes to a set of states, and which of two sets it comes to first: exact linear solves.

use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};
use rayon::prelude::*;

use super::SteadyState;
use super::lumped::Partition;
use crate::watch::{Stopped, Watch};

/// A question with one answer for each state i,
///
/// ```text
/// y_i = c + sum_j T_ij y_j,     with y given on a boundary of states
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The mean number of steps until the chain first comes to a macrostate: c = 1, zero there.
    Time {
        /// The macrostate.
        to: usize,
    },
    /// The committor q+, the probability to come to one macrostate before another: c = 0, 1 on the first, 0 on the other.
    Committor {
        /// Where q+ is 0.
        from: usize,
        /// Where q+ is 1.
        to: usize,
    },
}

impl Passage {
    /// What is given for a state of this macrostate; `None` off the boundary.
    fn given(self, macrostate: usize) -> Option<f64> {
        match self {
            Self::Time { to } => (macrostate == to).then_some(0.0),
            Self::Committor { from, to } => (macrostate == from || macrostate == to).then(|| f64::from(u8::from(macrostate == to))),
        }
    }

    fn source(self) -> f64 {
        match self {
            Self::Time { .. } => 1.0,
            Self::Committor { .. } => 0.0,
        }
    }
}

/// A question with the equations of one chain, factorized.
struct Factorized {
    passage: Passage,
    /// The states off the boundary.
    inside: Vec<usize>,
    /// Of `1 - T` among them.
    factors: PartialPivLu<f64>,
    /// Does f64 resolve its answers?
    resolved: bool,
}

/// Several questions about one chain and about others near to it. Memory: one matrix `[L, L]` each; time grows as the cube of L, once each.
pub struct Passages {
    questions: Vec<Factorized>,
    answers: Mat<f64>,
}

/// An answer is settled when a turn changes it by less than this part of its largest entry.
const TOLERANCE: f64 = 1e-8;
/// Steps to the boundary up to which answers are right to some 1e-6 of themselves: as the norm of `( 1 - T )^-1` they multiply rounding.
const LONGEST: f64 = 1e10;

impl Passages {
    /// Factorizes and answers the questions.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn new(steady: &SteadyState, partition: &Partition, questions: &[Passage], watch: &dyn Watch) -> Result<Self, Stopped> {
        let transition = transition(steady);
        let factorized: Result<Vec<Factorized>, Stopped> = questions
            .par_iter()
            .map(|&passage| {
                watch.go_on()?;
                let of = partition.of();
                let inside: Vec<usize> = (0..of.len()).filter(|&state| passage.given(of[state]).is_none()).collect();
                // The sum of what leaves a state, since 1 - T_ii would lose the rarest.
                let leave = |i: usize| (0..of.len()).filter(|&j| j != i).map(|j| transition[(i, j)]).sum::<f64>();
                let leaves: Vec<f64> = inside.iter().map(|&i| leave(i)).collect();
                let matrix = Mat::from_fn(inside.len(), inside.len(), |row, column| match row == column {
                    true => leaves[row],
                    false => -transition[(inside[row], inside[column])],
                });
                let factors = matrix.partial_piv_lu();
                let steps = factors.solve(&Mat::full(inside.len(), 1, 1.0));
                Ok(Factorized {
                    passage,
                    resolved: steps.col(0).iter().all(|steps| (0.0..LONGEST).contains(steps)),
                    factors,
                    inside,
                })
            })
            .collect();
        let questions = factorized?;
        let given = Mat::from_fn(steady.states(), questions.len(), |state, number| match &questions[number] {
            Factorized { resolved: false, .. } => f64::NAN,
            Factorized { passage, .. } => passage.given(partition.of()[state]).unwrap_or(0.0),
        });
        let mut passages = Self {
            questions,
            answers: Mat::zeros(0, 0),
        };
        passages.answers = passages.iterate(&transition, given, watch)?;
        Ok(passages)
    }

    /// The answers `[L, P]` for the chain itself; NaN where f64 does not resolve them: where the boundary may be more than 10^10 steps away.
    pub fn answers(&self) -> &Mat<f64> {
        &self.answers
    }

    /// The answers for another chain near to it, by iteration with the factors of the first: each turn costs L^2 for a question. Where
    /// the two are too far apart, by factors of its own.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn near(&self, steady: &SteadyState, partition: &Partition, watch: &dyn Watch) -> Result<Mat<f64>, Stopped> {
        let mut near = self.iterate(&transition(steady), self.answers.clone(), watch)?;
        let is_apart = |&number: &usize| near[(0, number)].is_nan() && !self.answers[(0, number)].is_nan();
        let apart: Vec<usize> = (0..self.questions.len()).filter(is_apart).collect();
        if !apart.is_empty() {
            let questions: Vec<Passage> = apart.iter().map(|&number| self.questions[number].passage).collect();
            let own = Self::new(steady, partition, &questions, watch)?;
            for (from, &number) in apart.iter().enumerate() {
                near.col_mut(number).copy_from(own.answers.col(from));
            }
        }
        Ok(near)
    }

    /// `y <- y + ( 1 - T_0 )^-1 ( c + T y - y )` until nothing changes, T_0 being the chain of the factors; NaN for questions where it goes on changing.
    fn iterate(&self, transition: &Mat<f64>, mut answers: Mat<f64>, watch: &dyn Watch) -> Result<Mat<f64>, Stopped> {
        /// Many more than it takes for two chains that differ by a few per cent.
        const MOST_TURNS: usize = 30;
        let mut open: Vec<usize> = (0..self.questions.len()).filter(|&number| !answers[(0, number)].is_nan()).collect();
        for _ in 0..MOST_TURNS {
            if open.is_empty() {
                return Ok(answers);
            }
            watch.go_on()?;
            let change = |number: usize| {
                let Factorized {
                    passage, inside, factors, ..
                } = &self.questions[number];
                let onward = transition * answers.col(number);
                let rest = |row: usize| passage.source() + onward[inside[row]] - answers[(inside[row], number)];
                factors.solve(&Mat::from_fn(inside.len(), 1, |row, _| rest(row)))
            };
            let changes: Vec<Mat<f64>> = open.par_iter().map(|&number| change(number)).collect();
            let mut left = Vec::new();
            for (number, change) in open.into_iter().zip(changes) {
                let (mut largest, mut size) = (0.0_f64, 0.0_f64);
                for (row, &state) in self.questions[number].inside.iter().enumerate() {
                    answers[(state, number)] += change[(row, 0)];
                    largest = largest.max(change[(row, 0)].abs());
                    size = size.max(answers[(state, number)].abs());
                }
                // Not settled if it is no number.
                if !(change.is_all_finite() && largest <= TOLERANCE * size) {
                    left.push(number);
                }
            }
            open = left;
        }
        for number in open {
            answers.col_mut(number).fill(f64::NAN);
        }
        Ok(answers)
    }
}

fn transition(steady: &SteadyState) -> Mat<f64> {
    let log_transition = steady.log_transition();
    Mat::from_fn(steady.states(), steady.states(), |i, j| log_transition[[i, j]].exp())
}
