//! How long a chain stays in a macrostate at a visit: the whole distribution, from what enters it and what goes on within it.

use ndarray::{Array1, Array2, ArrayView1};

use super::SteadyState;
use super::lumped::Partition;

/// What goes on within one macrostate, with states i, j in it and k outside:
///
/// ```text
/// P( stay > n ) = nu Q^n 1,      Q_ij = T_ij,      nu_i = sum_k F_ki / sum_ki F_ki
/// ```
///
/// nu being the distribution of the state at which the chain enters, from its fluxes. A stay lasts one step at least, and `sum_{n>=0} P( stay > n )` steps on average,
/// which is `1 / (1 - T_aa)` of the chain among macrostates. A chain among macrostates that remembers nothing else would have stays with the distribution
/// `P( stay > n ) = T_aa^n`: what differs from it is what the states within a macrostate remember.
pub struct Stay {
    /// Q.
    within: Array2<f64>,
    /// `nu Q^n`: where the chain is n steps after it came, if it is still there.
    present: Array1<f64>,
}

impl Stay {
    /// In one macrostate; `None` where the chain never comes from outside: its stay has no beginning.
    pub fn of(steady: &SteadyState, partition: &Partition, macrostate: usize) -> Option<Self> {
        let inside: Vec<usize> = partition.states(macrostate).collect();
        let of = partition.of();
        let enters = |&to: &usize| {
            let outside = (0..of.len()).filter(|&from| of[from] != macrostate);
            outside.map(|from| steady.log_flux(from, to).exp()).sum::<f64>()
        };
        let mut present: Array1<f64> = inside.iter().map(enters).collect();
        let flux = present.sum();
        present /= flux;
        (flux > 0.0).then(|| Self {
            within: Array2::from_shape_fn((inside.len(), inside.len()), |(i, j)| {
                steady.log_transition()[[inside[i], inside[j]]].exp()
            }),
            present,
        })
    }

    /// Where the chain enters, `[L_a]`, in the order of the macrostate's states; of a stay that has not begun to be counted.
    pub fn present(&self) -> ArrayView1<'_, f64> {
        self.present.view()
    }
}

impl Iterator for Stay {
    type Item = f64;

    /// `P( stay > n )` for n = 1, 2, ... without end. A step takes `L_a^2` operations.
    fn next(&mut self) -> Option<f64> {
        self.present = self.present.dot(&self.within);
        Some(self.present.sum())
    }
}
