//! Single figures of an estimated kernel, with what is known of them beforehand.

use ndarray::Array1;
use rayon::prelude::*;

use super::{Reversibility, Shuffled};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Kernel};
use crate::evaluation::likelihood::log_likelihoods;
use crate::latent::spectrum::{Eigenvalue, RESOLUTION, Spectrum};
use crate::random::{Seed, Stream, permutation};

/// Of some images.
pub(super) fn log_likelihood(model: &Conditionals, estimate: &Estimate, images: &PackedImages) -> Figure {
    let kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    let log_pis: Vec<&Array1<f64>> = kernels.map(|kernel| kernel.steady.log_pi()).collect();
    let (means, over_images) = log_likelihoods(model, &log_pis, images);
    // A closed form has no error of draws.
    let without = if estimate.reversible { &[] } else { &means[1..] };
    let mut figure = Figure::jackknife(means[0], without);
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

/// A figure of one eigenvalue; missing, with the reason, where there is none or the figure is infinite, and where `size`, a part of the
/// eigenvalue that it rests on, cannot be told from zero.
pub(super) fn of_eigenvalue(
    (whole, without): &Spectra,
    reason: &str,
    pick: impl Fn(&Spectrum) -> Option<Eigenvalue>,
    size: impl Fn(Eigenvalue) -> f64,
    figure: impl Fn(Eigenvalue) -> f64,
) -> Figure {
    /// Errors from zero.
    const TOLD: f64 = 3.0;
    let picked = whole.as_ref().and_then(pick);
    let Some(picked) = picked.filter(|picked| figure(*picked).is_finite()) else {
        return Figure::missing(reason);
    };
    // The same eigenvalue in every group of draws: the nearest, whatever its place in the order.
    let distance = |a: Eigenvalue, b: Eigenvalue| (a.0 - b.0).hypot(a.1 - b.1);
    let nearest = |spectrum: &Option<Spectrum>| {
        let eigenvalues = spectrum.as_ref()?.eigenvalues.iter().copied();
        eigenvalues.min_by(|a, b| distance(*a, picked).total_cmp(&distance(*b, picked)))
    };
    let without: Vec<Eigenvalue> = without.iter().filter_map(nearest).collect();
    let groups = without.len().max(1) as f64;
    let squares: f64 = without.iter().map(|other| distance(*other, picked).powi(2)).sum();
    let error = ((groups - 1.0) / groups * squares).sqrt();
    if size(picked) <= (TOLD * error).max(RESOLUTION) {
        return Figure::missing("the eigenvalue that it rests on cannot be told from zero, or from a real one");
    }
    let without: Vec<f64> = without.into_iter().map(&figure).collect();
    Figure::jackknife(figure(picked), &without).at_least(0.0)
}

/// The null model, where its chains do not take long.
pub(super) fn shuffled(estimate: &Estimate, seed: Seed) -> Option<Shuffled> {
    const CHAINS: u64 = 400;
    const MOST_STATES: usize = 100;
    let steady = &estimate.kernel.steady;
    if estimate.reversible || !(3..=MOST_STATES).contains(&steady.states()) {
        return None;
    }
    let dealt = |chain: u64| {
        let mut generator = seed.generator(Stream::Shuffled, chain, 0);
        Some(steady.shuffled(|count| permutation(&mut generator, count))?.entropy_production())
    };
    let mut produced: Vec<f64> = (0..CHAINS)
        .into_par_iter()
        .filter_map(dealt)
        .filter(|sigma| sigma.is_finite())
        .collect();
    produced.sort_unstable_by(f64::total_cmp);
    let chains = produced.len();
    let quantile = |share: f64| produced.get((share * chains as f64) as usize).copied();
    let own = steady.entropy_production();
    Some(Shuffled {
        chains,
        median: quantile(0.5)?,
        low: quantile(0.025)?,
        high: quantile(0.975)?,
        share_below: produced.partition_point(|sigma| *sigma < own) as f64 / chains as f64,
    })
}

/// Kolmogorov's criterion.
pub(super) fn reversibility(estimate: &Estimate) -> Reversibility {
    /// With 31 degrees of freedom, passed by chance once in 10^8 loops.
    const SIGNIFICANT: f64 = 8.0;
    /// What rounding leaves where there is no error.
    const ROUNDING: f64 = 1e-9;
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
        reversible: affinity.value.is_some_and(|value| {
            let error = affinity.standard_error.unwrap_or(0.0);
            value.abs() <= (SIGNIFICANT * error).max(ROUNDING)
        }),
        strongest_loop: strongest.states,
        affinity,
    }
}
