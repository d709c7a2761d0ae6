//! The net currents of a chain as a sum of simple cycles.

use std::collections::{BTreeMap, BTreeSet};

use super::SteadyState;

/// One cycle of a decomposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle {
    /// In the order they are visited, from the smallest; the last leads back to the first.
    pub states: Vec<usize>,
    /// How often the chain runs round it, net of the runs backwards, per step.
    pub weight: f64,
    /// `sum ln( T_ij / T_ji )` around it, nats each time round; infinite where a step has no way back.
    pub affinity: f64,
}

/// A current that remains, larger ones first; equal ones in the order of their states.
#[derive(Clone, Copy, PartialEq)]
struct Edge {
    current: f64,
    from: usize,
    to: usize,
}

impl Eq for Edge {}
impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Edge {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let states = (self.from, self.to).cmp(&(other.from, other.to));
        other.current.total_cmp(&self.current).then(states)
    }
}

impl SteadyState {
    /// Decomposes the net currents into simple cycles, the widest first:
    ///
    /// ```text
    /// J_ij = sum_C w_C ( 1[(i,j) in C] - 1[(j,i) in C] ),        sigma = sum_C w_C A_C
    /// ```
    ///
    /// Among all cycles along positive currents, the one whose smallest current is largest is removed with that current as its weight,
    /// until nothing is left; of equal ones, the one with the smallest list of states. The decomposition is not unique; this rule
    /// makes it the same on every run, and its weights fall. Currents below 1e-13 of their two fluxes are rounding and count as none.
    pub fn cycles(&self) -> Vec<Cycle> {
        let mut waiting: BTreeSet<Edge> = self.positive_currents().collect();
        let mut graph = Graph::new(self.states());
        let mut cycles = Vec::new();
        // Edges enter from the largest current down, so that the first cycle that closes is the widest of all, and each that closes then
        // runs through an edge of the present level.
        while let Some(&Edge { current: level, .. }) = waiting.first() {
            let mut narrowest = Vec::new();
            while waiting.first().is_some_and(|edge| edge.current == level) {
                narrowest.extend(waiting.pop_first());
            }
            narrowest.iter().for_each(|&edge| graph.insert(edge));
            while let Some(states) = graph.smallest_cycle(&narrowest) {
                let next = states.iter().copied().cycle().skip(1);
                for (from, to) in states.iter().copied().zip(next) {
                    let rest = Edge {
                        current: graph.remove(from, to) - level,
                        from,
                        to,
                    };
                    let rounding = self.rounding(from, to);
                    if rest.current >= level && rest.current > rounding {
                        graph.insert(rest);
                        narrowest.extend((rest.current == level).then_some(rest));
                    } else if rest.current > rounding {
                        waiting.insert(rest);
                    }
                }
                cycles.push(Cycle {
                    affinity: self.affinity(&states),
                    states,
                    weight: level,
                });
            }
        }
        cycles
    }

    fn positive_currents(&self) -> impl Iterator<Item = Edge> {
        let pairs = (0..self.states()).flat_map(|from| (0..self.states()).map(move |to| (from, to)));
        pairs.filter_map(|(from, to)| {
            let current = self.current(from, to);
            (current > self.rounding(from, to)).then_some(Edge { current, from, to })
        })
    }

    /// Below this a current is a difference of equal fluxes.
    fn rounding(&self, from: usize, to: usize) -> f64 {
        1e-13 * self.log_flux(from, to).exp()
    }
}

/// The edges that have entered, as sets of bits.
struct Graph {
    /// For each state, the states it leads to.
    next: Vec<Set>,
    /// For each state, the states that lead to it.
    previous: Vec<Set>,
    current: BTreeMap<(usize, usize), f64>,
}

impl Graph {
    fn new(states: usize) -> Self {
        Self {
            next: vec![Set::new(states); states],
            previous: vec![Set::new(states); states],
            current: BTreeMap::new(),
        }
    }

    fn insert(&mut self, Edge { current, from, to }: Edge) {
        self.next[from].insert(to);
        self.previous[to].insert(from);
        self.current.insert((from, to), current);
    }

    /// Takes an edge out and gives its current.
    fn remove(&mut self, from: usize, to: usize) -> f64 {
        self.next[from].remove(to);
        self.previous[to].remove(from);
        self.current.remove(&(from, to)).unwrap_or(0.0)
    }

    /// Of all cycles, each of which runs through one of the narrowest edges, the one with the smallest list of states.
    fn smallest_cycle(&self, narrowest: &[Edge]) -> Option<Vec<usize>> {
        let closing = narrowest.iter().filter(|edge| self.next[edge.from].contains(edge.to));
        // A state lies on a cycle with an edge if the edge leads to it and it leads back.
        let start = closing
            .filter_map(|edge| {
                self.reach(&self.next, edge.to)
                    .common(&self.reach(&self.previous, edge.from))
                    .first()
            })
            .min()?;
        let mut states = vec![start];
        let mut free = Set::all(self.next.len());
        free.remove(start);
        let mut here = start;
        while !self.next[here].contains(start) {
            // The smallest step after which the way back to the start is still open, through states not yet visited.
            let back = self.reach_within(&self.previous, start, &free);
            here = self.next[here].common(&back).common(&free).first()?;
            free.remove(here);
            states.push(here);
        }
        Some(states)
    }

    /// The states that a walk along `links` can come to, the first included.
    fn reach(&self, links: &[Set], first: usize) -> Set {
        self.reach_within(links, first, &Set::all(links.len()))
    }

    fn reach_within(&self, links: &[Set], first: usize, free: &Set) -> Set {
        let mut reached = Set::new(links.len());
        reached.insert(first);
        let mut waiting = vec![first];
        while let Some(state) = waiting.pop() {
            for (word, bits) in links[state].0.iter().enumerate() {
                let mut new = bits & free.0[word] & !reached.0[word];
                reached.0[word] |= new;
                while new != 0 {
                    waiting.push(word * 64 + new.trailing_zeros() as usize);
                    new &= new - 1;
                }
            }
        }
        reached
    }
}

/// A set of states, one bit each.
#[derive(Clone)]
struct Set(Vec<u64>);

impl Set {
    fn new(states: usize) -> Self {
        Self(vec![0; states.div_ceil(64)])
    }

    fn all(states: usize) -> Self {
        let mut all = Self::new(states);
        (0..states).for_each(|state| all.insert(state));
        all
    }

    fn insert(&mut self, state: usize) {
        self.0[state / 64] |= 1 << (state % 64);
    }

    fn remove(&mut self, state: usize) {
        self.0[state / 64] &= !(1 << (state % 64));
    }

    fn contains(&self, state: usize) -> bool {
        self.0[state / 64] >> (state % 64) & 1 == 1
    }

    fn common(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn first(&self) -> Option<usize> {
        let word = self.0.iter().position(|&bits| bits != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }
}
