//! The estimate of a chain among macrostates, with the same groups of draws.

use ndarray::Array1;
use rayon::prelude::*;

use super::{Estimate, Kernel};
use crate::latent::lumped::{LumpingError, Partition};

impl Kernel {
    /// The chain among macrostates; see [`crate::latent::SteadyState::lumped`]. The path keeps its entropy production.
    fn lumped(&self, partition: &Partition) -> Result<Self, LumpingError> {
        let steady = self.steady.lumped(partition)?;
        let (pi, lumped_pi) = (self.steady.pi(), steady.pi());
        let mut path = Array1::zeros(partition.count());
        for (state, &of) in partition.of().iter().enumerate() {
            path[of] += pi[state] / lumped_pi[of] * self.path[state];
        }
        Ok(Self { steady, path })
    }
}

impl Estimate {
    /// The chain among macrostates as well as it is known: every figure of an estimate can be asked of it.
    ///
    /// # Errors
    /// When the partition is one of another number of states, or has a macrostate without weight.
    pub fn lumped(&self, partition: &Partition) -> Result<Self, LumpingError> {
        let without: Result<Vec<Kernel>, LumpingError> = self.without.par_iter().map(|kernel| kernel.lumped(partition)).collect();
        Ok(Self {
            kernel: self.kernel.lumped(partition)?,
            without: without?,
            reversible: self.reversible,
            method: self.method,
            samples: self.samples,
            tilted: self.tilted,
        })
    }
}
