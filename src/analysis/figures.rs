//! What an analysis says beside the kernel's own figures: log-likelihood, the null model, Kolmogorov's criterion.

use ndarray::Array1;
use rayon::prelude::*;

use super::{Reversibility, Shuffled};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Method};
use crate::evaluation::likelihood::log_likelihoods;
use crate::random::{Seed, Stream, permutation};
use crate::watch::{Stopped, Watch};

/// Log-likelihood of some images, nats per image.
pub(super) fn log_likelihood(
    model: &Conditionals,
    estimate: &Estimate,
    images: &PackedImages,
    watch: &dyn Watch,
) -> Result<Figure, Stopped> {
    let kernels = std::iter::once(&estimate.kernel).chain(&estimate.without);
    let log_pis: Vec<&Array1<f64>> = kernels.map(|kernel| kernel.steady.log_pi()).collect();
    let (means, over_images) = log_likelihoods(model, &log_pis, images, watch)?;
    // A closed form has no error of draws.
    let without = if estimate.reversible { &[] } else { &means[1..] };
    let mut figure = Figure::jackknife(means[0], without);
    figure.standard_error_over_images = Some(over_images);
    Ok(figure)
}

/// The null model, where its chains do not take long.
pub(super) fn shuffled(estimate: &Estimate, seed: Seed) -> Option<Shuffled> {
    const CHAINS: u64 = 400;
    const MOST_STATES: usize = 100;
    let steady = &estimate.kernel.steady;
    if estimate.reversible || !(3..=MOST_STATES).contains(&steady.states()) {
        return None;
    }
    let shuffled = |chain: u64| {
        let mut generator = seed.generator(Stream::Shuffled, chain, 0);
        Some(steady.shuffled(|count| permutation(&mut generator, count))?.entropy_production())
    };
    let mut produced: Vec<f64> = (0..CHAINS)
        .into_par_iter()
        .filter_map(shuffled)
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
pub(super) fn reversibility(estimate: &Estimate, entropy_production: &Figure) -> Reversibility {
    /// With 31 degrees of freedom, passed by chance once in 10^8 loops.
    const SIGNIFICANT: f64 = 8.0;
    /// What rounding leaves where there is no error.
    const ROUNDING: f64 = 1e-9;
    if estimate.method == Method::Plain && !estimate.reversible {
        // Of very many loops, each with steps that are known badly, one looks driven by chance.
        let reversible = entropy_production.low.is_none_or(|low| low <= 0.0);
        let why = if reversible {
            "its entropy production cannot be told from zero by these draws"
        } else {
            "left out: the lower bound of the entropy production is above zero, which shows as much"
        };
        return Reversibility {
            reversible,
            strongest_loop: Vec::new(),
            affinity: Figure::missing(why),
        };
    }
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
