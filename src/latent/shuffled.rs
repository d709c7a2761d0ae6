//! The null model of a chain: the transition probabilities of each state shuffled among the other states.

use ndarray::Array2;

use super::SteadyState;

impl SteadyState {
    /// A chain in which every state keeps its self-transition and the set of its other transition probabilities, but assigns these to the
    /// other states in a new order; `order` gives a permutation of so many items. `None` where the result has no unique steady state.
    ///
    /// Its entropy production is that of a random chain whose transitions are as close to deterministic as this one's.
    pub fn shuffled(&self, mut order: impl FnMut(usize) -> Vec<usize>) -> Option<Self> {
        let states = self.states();
        let mut log_transition = Array2::zeros((states, states));
        for (state, row) in self.log_transition().rows().into_iter().enumerate() {
            let others: Vec<usize> = (0..states).filter(|&other| other != state).collect();
            log_transition[[state, state]] = row[state];
            for (&to, from) in others.iter().zip(order(others.len())) {
                log_transition[[state, to]] = row[others[from]];
            }
        }
        Self::from_logs(log_transition).ok()
    }
}
