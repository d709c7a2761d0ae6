//! The latent kernel of a model and its thermodynamics: enumerated, or estimated with an error for every figure.
//!
//! ```text
//! T_jk = sum_x q(x|j) p(k|x)                                  [L, L]
//! ```
//!
//! [`exact`] sums over all images where there are few. Otherwise [`mixture`] draws images from each state along the [`tilt`]s that make
//! its rare transitions common, and [`jackknife`] turns groups of draws into errors and removes the bias of curved functions.
//! [`path`] adds the images to the entropy production;
//! [`reversible`] knows the models whose steady state has a closed form. [`plain`] is the estimate by plain means, cheap enough for
//! training.

pub mod exact;
pub mod jackknife;
pub mod mixture;
pub mod path;
pub mod plain;
pub mod reversible;
pub mod sampling;
pub mod tilt;

use ndarray::Array1;

use crate::latent::SteadyState;

/// The latent chain of a model, with what its images add to the entropy production.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// T and pi.
    pub steady: SteadyState,
    /// What the steps from each state z add to the path's entropy production, given z, `[L]`, nats. How the whole is divided between a
    /// step and its reverse differs between methods.
    pub path: Array1<f64>,
}

impl Kernel {
    /// Path entropy production, nats per step of the whole chain, images included:
    ///
    /// ```text
    /// sigma = E [ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ],      z ~ pi,  x ~ q(.|z),  z' ~ p(.|x)
    /// ```
    ///
    /// It is at least the latent entropy production, which sees less of the path.
    pub fn path_entropy_production(&self) -> f64 {
        self.steady.mean(&self.path)
    }

    /// The kernel of a model that is known to be in balance with this `ln pi`: no step produces entropy.
    pub fn in_balance(&self, log_pi: &Array1<f64>) -> Self {
        Self {
            steady: reversible::balanced(&self.steady, log_pi),
            path: Array1::zeros(log_pi.len()),
        }
    }
}

/// A kernel as well as it is known.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// From all draws.
    pub kernel: Kernel,
    /// From all draws but one group's, for each of [`sampling::GROUPS`] groups; empty where the kernel is exact.
    pub without: Vec<Kernel>,
    /// Is the model reversible by construction, so that its steady state is a closed form?
    pub reversible: bool,
}

impl Estimate {
    /// An exact kernel; of a model in balance, the fluxes of both directions are made equal to the last bit, which changes T and pi by the
    /// rounding of the model's parameters to f32.
    pub fn exact(mut kernel: Kernel, log_pi: Option<&Array1<f64>>) -> Self {
        if let Some(log_pi) = log_pi {
            kernel.steady = reversible::balanced(&kernel.steady, log_pi);
        }
        Self {
            kernel,
            without: Vec::new(),
            reversible: log_pi.is_some(),
        }
    }
}
