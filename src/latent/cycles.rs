//! The net currents of a chain as a sum of simple cycles.

use std::collections::BTreeSet;

use ndarray::Array2;

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
    /// `[L, L]`; of what is no edge, left over.
    current: Array2<f64>,
}

impl Graph {
    fn new(states: usize) -> Self {
        Self {
            next: vec![Set::new(states); states],
            previous: vec![Set::new(states); states],
            current: Array2::zeros((states, states)),
        }
    }

    fn insert(&mut self, Edge { current, from, to }: Edge) {
        self.next[from].insert(to);
        self.previous[to].insert(from);
        self.current[[from, to]] = current;
    }

    /// Takes an edge out and gives its current.
    fn remove(&mut self, from: usize, to: usize) -> f64 {
        self.next[from].remove(to);
        self.previous[to].remove(from);
        self.current[[from, to]]
    }

    /// Of all cycles, each of which runs through one of the narrowest edges, the one with the smallest list of states.
    fn smallest_cycle(&self, narrowest: &[Edge]) -> Option<Vec<usize>> {
        let closing = narrowest.iter().filter(|edge| self.next[edge.from].contains(edge.to));
        // A state lies on a cycle with an edge if the edge leads to it and it leads back.
        let start = closing
            .filter_map(|edge| {
                let ahead = self.reach(&self.next, edge.to);
                let behind = ahead.contains(edge.from).then(|| self.reach(&self.previous, edge.from))?;
                ahead.common(&behind).first()
            })
            .min()?;
        let mut states = vec![start];
        // States not yet visited from which a way leads back to the start, though perhaps through states that have been visited.
        let mut free = self.reach(&self.previous, start);
        free.remove(start);
        let mut here = start;
        while !self.next[here].contains(start) {
            // The smallest step after which the way back to the start is still open, through states not yet visited.
            let step = self.next[here].common(&free).first()?;
            match self.dead_end(step, start, &free) {
                // Nor will they lead back later, when fewer are free.
                Some(others) => free = others,
                None => {
                    here = step;
                    free.remove(here);
                    states.push(here);
                }
            }
        }
        Some(states)
    }

    /// The states that a walk along `links` can come to, the first included.
    fn reach(&self, links: &[Set], first: usize) -> Set {
        let all = Set::all(links.len());
        let mut walk = Walk::new(first, all.clone());
        while let Some(state) = walk.waiting.pop() {
            walk.go_on(&links[state]);
        }
        all.without(&walk.left)
    }

    /// If no way through free states leads from one of them to the start, the free states but those that it leads to.
    fn dead_end(&self, first: usize, start: usize, free: &Set) -> Option<Set> {
        let mut walk = Walk::new(first, free.clone());
        while let Some(state) = walk.waiting.pop() {
            if self.next[state].contains(start) {
                return None;
            }
            walk.go_on(&self.next[state]);
        }
        Some(walk.left)
    }
}

/// A walk through a graph, always on from the state that was reached last.
struct Walk {
    /// States that were reached, and that the walk has not yet left.
    waiting: Vec<usize>,
    /// States that may be reached and were not.
    left: Set,
}

impl Walk {
    fn new(first: usize, mut free: Set) -> Self {
        free.remove(first);
        Self {
            waiting: vec![first],
            left: free,
        }
    }

    /// Reaches those of some states that are left.
    fn go_on(&mut self, next: &Set) {
        for (word, (next, left)) in next.0.iter().zip(&mut self.left.0).enumerate() {
            let mut new = next & *left;
            *left &= !new;
            while new != 0 {
                self.waiting.push(word * 64 + new.trailing_zeros() as usize);
                new &= new - 1;
            }
        }
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

    fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    fn first(&self) -> Option<usize> {
        let word = self.0.iter().position(|&bits| bits != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }
}
