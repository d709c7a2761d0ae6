//! Single figures of an estimated kernel, with what is known of them beforehand.

use ndarray::Array1;
use rayon::prelude::*;

use super::Reversibility;
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Kernel};
use crate::evaluation::likelihood::log_likelihoods;
use crate::latent::spectrum::Spectrum;

/// Of some images.
pub(super) fn log_likelihood(model: &Conditionals, estimate: &Estimate, images: &PackedImages) -> Figure {
    let kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    let log_pis: Vec<&Array1<f64>> = kernels.map(|kernel| kernel.steady.log_pi()).collect();
    let (means, over_images) = log_likelihoods(model, &log_pis, images);
    let mut figure = Figure::jackknife(means[0], &means[1..]);
    figure.standard_error_over_images = Some(over_images);
    figure
}

/// Of the latent chain: zero where that is known beforehand.
pub(super) fn entropy_production(estimate: &Estimate) -> Figure {
    let latent = estimate.kernel.steady.states();
    if estimate.reversible {
        Figure::exact(0.0).because("reversible by construction")
    } else if latent <= 2 {
        Figure::exact(0.0).because("a chain of two states is always reversible")
    } else {
        estimate.figure(|kernel| kernel.steady.entropy_production()).at_least(0.0)
    }
}

/// Of the whole chain.
pub(super) fn path_entropy_production(estimate: &Estimate) -> Figure {
    if estimate.reversible {
        return Figure::exact(0.0).because("reversible by construction");
    }
    estimate.figure(Kernel::path_entropy_production).at_least(0.0)
}

/// The spectrum of the kernel and those of the kernels without a group; the latter only where they do not take long.
pub(super) type Spectra = (Option<Spectrum>, Vec<Option<Spectrum>>);

/// Computes them.
pub(super) fn spectra(estimate: &Estimate) -> Spectra {
    /// An eigenvalue problem grows as the cube.
    const MOST_STATES: usize = 200;
    let small = estimate.kernel.steady.states() <= MOST_STATES;
    let without = if small { &estimate.without[..] } else { &[] };
    let without = without.par_iter().map(|kernel| kernel.steady.spectrum()).collect();
    (estimate.kernel.steady.spectrum(), without)
}

/// A figure of the spectrum, which is infinite or absent for the given reason.
pub(super) fn spectral((whole, without): &Spectra, reason: &str, figure: impl Fn(&Spectrum) -> Option<f64>) -> Figure {
    let of = |spectrum: &Option<Spectrum>| spectrum.as_ref().and_then(&figure).unwrap_or(f64::INFINITY);
    let whole = of(whole);
    if whole.is_infinite() {
        return Figure::missing(reason);
    }
    // An eigenvalue that is complex in the whole and real in a part would spoil the error.
    let without: Vec<f64> = without.iter().map(of).collect();
    if without.iter().all(|value| value.is_finite()) {
        Figure::jackknife(whole, &without).at_least(0.0)
    } else {
        Figure::exact(whole).because("without an interval: it is not the same eigenvalue in all groups of draws")
    }
}

/// Kolmogorov's criterion.
pub(super) fn reversibility(estimate: &Estimate) -> Reversibility {
    /// With 31 degrees of freedom, passed by chance once in 10^8 loops.
    const SIGNIFICANT: f64 = 8.0;
    let strongest = estimate.kernel.steady.strongest_loop();
    let Some(strongest) = strongest.filter(|_| !estimate.reversible) else {
        let why = if estimate.reversible {
            "reversible by construction"
        } else {
            "there is no loop"
        };
        return Reversibility {
            reversible: true,
            strongest_loop: Vec::new(),
            affinity: Figure::exact(0.0).because(why),
        };
    };
    let affinity = estimate.figure(|kernel| kernel.steady.affinity(&strongest.states));
    Reversibility {
        reversible: match (affinity.value, affinity.standard_error) {
            (Some(value), Some(error)) => value.abs() <= SIGNIFICANT * error,
            // Enumeration leaves rounding.
            (Some(value), None) => value.abs() <= 1e-9,
            (None, _) => false,
        },
        strongest_loop: strongest.states,
        affinity,
    }
}
