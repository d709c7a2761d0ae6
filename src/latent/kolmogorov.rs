//! Is a chain reversible? Kolmogorov's criterion, which does not need the steady state.

use std::collections::VecDeque;

use super::SteadyState;

/// A loop through the states and what it costs to run it backwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// In the direction of positive affinity; the last leads back to the first.
    pub states: Vec<usize>,
    /// `sum ln( T_ij / T_ji )` around it, nats each time round; infinite where a step has no way back.
    pub affinity: f64,
}

/// A state of the spanning tree.
struct Branch {
    state: usize,
    /// Its parent's place in the tree, unless it is the root.
    parent: Option<usize>,
    /// `ln( T_ij / T_ji )` summed along the tree from the root to this state.
    potential: f64,
}

impl SteadyState {
    /// `sum ln( T_ij / T_ji )` along the steps of a closed path, nats each time round: the logarithm of how much more often it is run
    /// this way than backwards.
    pub fn affinity(&self, states: &[usize]) -> f64 {
        let next = states.iter().cycle().skip(1);
        states.iter().zip(next).map(|(&i, &j)| self.log_ratio(i, j)).sum()
    }

    /// The fundamental loop with the largest affinity; `None` where there is no loop, as with two states.
    ///
    /// Kolmogorov's criterion: a chain is reversible if and only if every loop has affinity zero. It suffices to look at the loops that
    /// single steps close over a spanning tree, since all others are made of them. This tree follows the largest fluxes, which are
    /// known best. States without weight in the steady state have no part in it.
    pub fn strongest_loop(&self) -> Option<Loop> {
        let states: Vec<usize> = (0..self.states()).filter(|&k| self.log_pi()[k].is_finite()).collect();
        let possible = |i: usize, j: usize| self.log_transition()[[i, j]] > f64::NEG_INFINITY;
        let pairs = || {
            states
                .iter()
                .flat_map(|&i| states.iter().map(move |&j| (i, j)))
                .filter(|&(i, j)| possible(i, j))
        };
        if let Some((i, j)) = pairs().find(|&(i, j)| !possible(j, i)) {
            let states = self.shortest_way(j, i);
            return Some(Loop {
                states,
                affinity: f64::INFINITY,
            });
        }
        let tree = self.spanning_tree(&states);
        let mut strongest: Option<(f64, usize, usize)> = None;
        for (a, from) in tree.iter().enumerate() {
            for (b, to) in tree.iter().enumerate() {
                let affinity = self.log_ratio(from.state, to.state) - (to.potential - from.potential);
                let closes = possible(from.state, to.state) && from.parent != Some(b) && to.parent != Some(a) && a != b;
                if closes && affinity >= 0.0 && strongest.is_none_or(|(largest, ..)| affinity > largest) {
                    strongest = Some((affinity, a, b));
                }
            }
        }
        strongest.map(|(affinity, from, to)| Loop {
            states: way(&tree, to, from),
            affinity,
        })
    }

    /// `ln( T_ij / T_ji )`; a step that can be taken neither way adds nothing.
    fn log_ratio(&self, i: usize, j: usize) -> f64 {
        let (there, back) = (self.log_transition()[[i, j]], self.log_transition()[[j, i]]);
        if there == back { 0.0 } else { there - back }
    }

    /// A tree of states between which all steps can be taken both ways, grown along the largest fluxes (Prim).
    fn spanning_tree(&self, states: &[usize]) -> Vec<Branch> {
        let link = |i: usize, j: usize| self.log_flux(i, j).min(self.log_flux(j, i));
        let mut tree = vec![Branch {
            state: states[0],
            parent: None,
            potential: 0.0,
        }];
        // States that wait, each with its best link to the tree so far.
        let mut waiting: Vec<(usize, f64, usize)> = states[1..].iter().map(|&state| (state, link(state, states[0]), 0)).collect();
        while let Some(next) = (0..waiting.len()).max_by(|&a, &b| waiting[a].1.total_cmp(&waiting[b].1)) {
            let (state, _, parent) = waiting.remove(next);
            let potential = tree[parent].potential + self.log_ratio(tree[parent].state, state);
            tree.push(Branch {
                state,
                parent: Some(parent),
                potential,
            });
            for (other, best, parent) in &mut waiting {
                let here = link(*other, state);
                if here > *best {
                    (*best, *parent) = (here, tree.len() - 1);
                }
            }
        }
        tree
    }

    /// The states from one to another by the fewest steps.
    fn shortest_way(&self, from: usize, to: usize) -> Vec<usize> {
        let mut before = vec![None; self.states()];
        let mut waiting = VecDeque::from([from]);
        while let Some(state) = waiting.pop_front() {
            for (next, before) in before.iter_mut().enumerate() {
                if next != from && before.is_none() && self.log_transition()[[state, next]] > f64::NEG_INFINITY {
                    *before = Some(state);
                    waiting.push_back(next);
                }
            }
        }
        let mut states: Vec<usize> = std::iter::successors(Some(to), |&state| before[state]).collect();
        states.reverse();
        states
    }
}

/// The states along the tree between two places in it.
fn way(tree: &[Branch], from: usize, to: usize) -> Vec<usize> {
    let to_root = |place: usize| std::iter::successors(Some(place), |&place| tree[place].parent).collect::<Vec<_>>();
    let (mut up, mut down) = (to_root(from), to_root(to));
    // Beyond the place where the two meet they go the same way.
    while up.len() > 1 && down.len() > 1 && up[up.len() - 2] == down[down.len() - 2] {
        up.pop();
        down.pop();
    }
    down.pop();
    up.into_iter()
        .chain(down.into_iter().rev())
        .map(|place| tree[place].state)
        .collect()
}
