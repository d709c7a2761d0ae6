//! Single figures of an estimated kernel, with what is known of them beforehand.

use rayon::prelude::*;

use super::{Estimate, Figure, Kernel, Method};
use crate::latent::spectrum::{Eigenvalue, RESOLUTION, Spectrum, decay_time, rotation_period};

impl Estimate {
    /// Entropy production of the latent chain, nats per step: zero where that is known beforehand.
    pub fn entropy_production(&self) -> Figure {
        let latent = self.kernel.steady.states();
        if self.reversible {
            Figure::exact(0.0).because("reversible by construction")
        } else if latent <= 2 {
            Figure::exact(0.0).because("a chain of two states is always reversible")
        } else if self.method == Method::Plain {
            self.bounded_entropy_production(self.samples)
        } else {
            self.figure(|kernel| kernel.steady.entropy_production()).at_least(0.0)
        }
    }

    /// Entropy production of the whole chain, images included, nats per step.
    pub fn path_entropy_production(&self) -> Figure {
        if self.reversible {
            return Figure::exact(0.0).because("reversible by construction");
        }
        self.figure(Kernel::path_entropy_production).at_least(0.0)
    }

    /// Mean probability that the latent state stays, per step.
    pub fn self_transition(&self) -> Figure {
        self.figure(|kernel| kernel.steady.self_transition()).within(0.0, 1.0)
    }

    /// Its eigenvalues, and the times that rest on them.
    pub fn spectra(&self) -> Spectra {
        /// All eigenvalues take time that grows as the cube, the leading ones do not.
        const MOST_STATES: usize = 200;
        let states = self.kernel.steady.states();
        let without = match self.method {
            Method::Tilts if states > MOST_STATES => &[],
            _ => &self.without[..],
        };
        let of_group = |kernel: &Kernel| match states > MOST_STATES {
            true => kernel.steady.leading_spectrum(),
            false => kernel.steady.spectrum(),
        };
        Spectra {
            states,
            whole: self.kernel.steady.spectrum(),
            without: without.par_iter().map(of_group).collect(),
        }
    }
}

/// The spectrum of a kernel and those of the kernels without a group; the latter only where they do not take long.
pub struct Spectra {
    states: usize,
    whole: Option<Spectrum>,
    without: Vec<Option<Spectrum>>,
}

impl Spectra {
    /// The eigenvalues of T, the largest modulus first; none where they do not converge.
    pub fn eigenvalues(&self) -> &[Eigenvalue] {
        self.whole.as_ref().map_or(&[], |spectrum| &spectrum.eigenvalues)
    }

    /// `-1/ln|lambda_2|`, steps.
    pub fn relaxation_time(&self) -> Figure {
        self.figure(
            "the second eigenvalue has modulus 1, to 1e-13, or there is none",
            Spectrum::slowest,
            |(re, im)| re.hypot(im),
            decay_time,
        )
    }

    /// Of the slowest coherent rotation, steps.
    pub fn rotation_period(&self) -> Figure {
        let all = self.eigenvalues().len() == self.states;
        self.figure(
            if all {
                "no eigenvalue is complex: nothing rotates"
            } else {
                "none of the leading eigenvalues is complex: nothing rotates for long"
            },
            Spectrum::turning,
            |(_, im)| im.abs(),
            rotation_period,
        )
    }

    /// A figure of one eigenvalue; missing, with the reason, where there is none or the figure is infinite, and where `size`, a part of the
    /// eigenvalue that it rests on, cannot be told from zero.
    fn figure(
        &self,
        reason: &str,
        pick: impl Fn(&Spectrum) -> Option<Eigenvalue>,
        size: impl Fn(Eigenvalue) -> f64,
        figure: impl Fn(Eigenvalue) -> f64,
    ) -> Figure {
        /// Errors from zero.
        const TOLD: f64 = 3.0;
        let picked = self.whole.as_ref().and_then(pick);
        let Some(picked) = picked.filter(|picked| figure(*picked).is_finite()) else {
            return Figure::missing(reason);
        };
        // The same eigenvalue in every group of draws: the nearest, whatever its place in the order.
        let distance = |a: Eigenvalue, b: Eigenvalue| (a.0 - b.0).hypot(a.1 - b.1);
        let nearest = |spectrum: &Option<Spectrum>| {
            let eigenvalues = spectrum.as_ref()?.eigenvalues.iter().copied();
            eigenvalues.min_by(|a, b| distance(*a, picked).total_cmp(&distance(*b, picked)))
        };
        let without: Vec<Eigenvalue> = self.without.iter().filter_map(nearest).collect();
        let groups = without.len().max(1) as f64;
        let squares: f64 = without.iter().map(|other| distance(*other, picked).powi(2)).sum();
        let error = ((groups - 1.0) / groups * squares).sqrt();
        if size(picked) <= (TOLD * error).max(RESOLUTION) {
            return Figure::missing("the eigenvalue that it rests on cannot be told from zero, or from a real one");
        }
        let without: Vec<f64> = without.into_iter().map(&figure).collect();
        let figure = Figure::jackknife(figure(picked), &without);
        if figure.value.is_none_or(|value| value <= 0.0) {
            return Figure::missing("the draws do not tell: it rests on transitions that are too rare for them");
        }
        figure.at_least(0.0)
    }
}
