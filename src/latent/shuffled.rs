//! The null model of a chain: the same probabilities, dealt anew.

use ndarray::Array2;

use super::SteadyState;

impl SteadyState {
    /// A chain in which every state stays with the probability that it had, and deals the probabilities of its other transitions to the
    /// other states in an order of `order`, which gives a permutation of so many items. `None` where the result has no steady state of
    /// its own.
    ///
    /// Its entropy production is what chains have whose steps are as sure as this one's, but lead anywhere.
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
