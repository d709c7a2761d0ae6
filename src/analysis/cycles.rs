//! Which net currents differ from zero, and the cycles that they are made of, with errors.

use ndarray::Array2;
use rayon::prelude::*;

use super::{Analysis, CycleFigures};
use crate::estimate::Estimate;
use crate::estimate::jackknife::Figure;
use crate::latent::cycles::Cycle;

/// Standard errors by which a current differs from zero. With 31 degrees of freedom chance reaches as far once in 2,700 currents.
const FEWEST_ERRORS: f64 = 4.0;
/// Of the two fluxes, what rounding leaves of their difference where there is no error of draws.
const ROUNDING: f64 = 1e-9;

impl Analysis {
    /// J `[L, L]` where it differs from zero by four standard errors, and zero elsewhere; all zero for a chain in equilibrium.
    pub fn resolved_currents(&self) -> Array2<f64> {
        let steady = &self.estimate.kernel.steady;
        Array2::from_shape_fn(self.currents.dim(), |pair| {
            let (i, j) = pair;
            let current = self.currents[pair];
            let rounding = ROUNDING * (steady.log_flux(i, j).exp() + steady.log_flux(j, i).exp());
            let is_resolved = !self.reversibility.reversible && current.abs() > rounding.max(FEWEST_ERRORS * self.current_error[pair]);
            if is_resolved { current } else { 0.0 }
        })
    }
}

/// The figures of a decomposition into cycles, those that carry most of the entropy production first.
///
/// A cycle's weight is the current that is left on its narrowest step once the wider cycles through that step are removed. Its error is that of this sum
/// of currents: the cycles and their narrowest steps are those of all draws.
pub(super) fn cycles(estimate: &Estimate, cycles: Vec<Cycle>, is_reversible: bool) -> Vec<CycleFigures> {
    let steady = &estimate.kernel.steady;
    let plain = steady.entropy_production();
    let narrowest = narrowest_steps(steady.currents(), &cycles);
    let without: Vec<Vec<f64>> = (estimate.without.par_iter())
        .map(|kernel| weights(kernel.steady.currents(), &cycles, &narrowest))
        .collect();
    let error = |whole: f64, without: Vec<f64>| Figure::jackknife(whole, &without).standard_error;
    let mut figures: Vec<CycleFigures> = (cycles.into_par_iter().enumerate())
        .map(|(number, Cycle { states, weight, affinity })| {
            let weight_error = error(weight, without.iter().map(|weights| weights[number]).collect());
            let affinities = estimate.without.iter().map(|kernel| kernel.steady.affinity(&states));
            CycleFigures {
                weight_standard_error: weight_error,
                affinity_standard_error: error(affinity, affinities.collect()),
                resolved: !is_reversible && weight > FEWEST_ERRORS * weight_error.unwrap_or(0.0),
                share: (plain.is_finite() && plain > 0.0).then(|| weight * affinity / plain),
                affinity: Some(affinity).filter(|affinity| affinity.is_finite()),
                states,
                weight,
            }
        })
        .collect();
    let carried = |cycle: &CycleFigures| cycle.weight * cycle.affinity.unwrap_or(f64::INFINITY);
    figures.sort_by(|a, b| carried(b).total_cmp(&carried(a)));
    figures
}

fn steps(cycle: &Cycle) -> impl Iterator<Item = (usize, usize)> {
    let next = cycle.states.iter().copied().cycle().skip(1);
    cycle.states.iter().copied().zip(next)
}

/// Of each cycle, in the order in which they were removed, the step whose current it uses up.
fn narrowest_steps(mut left: Array2<f64>, cycles: &[Cycle]) -> Vec<(usize, usize)> {
    let narrowest = |cycle: &Cycle| {
        let step = steps(cycle).min_by(|a, b| left[*a].total_cmp(&left[*b]));
        steps(cycle).for_each(|step| left[step] -= cycle.weight);
        step.unwrap_or_default()
    };
    cycles.iter().map(narrowest).collect()
}

/// The weights that the same cycles have with other currents.
fn weights(mut left: Array2<f64>, cycles: &[Cycle], narrowest: &[(usize, usize)]) -> Vec<f64> {
    let weight = |(cycle, narrowest): (&Cycle, &(usize, usize))| {
        let weight = left[*narrowest];
        steps(cycle).for_each(|step| left[step] -= weight);
        weight
    };
    cycles.iter().zip(narrowest).map(weight).collect()
}
