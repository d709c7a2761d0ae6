//! The latent entropy production between bounds, where transitions rarer than a draw in all matter to it.
//!
//! It is a convex function of the fluxes F, so that estimates of it are too large on average, by more the fewer the draws, and no group of draws shows
//! by how much where none of them holds the rare way back. It is never more than that of the path, which is a plain mean. From below it is
//! bounded by any antisymmetric table f that does not depend on the draws it is averaged over,
//!
//! ```text
//! sigma = sum_ij F_ij ln( F_ij / F_ji )  >=  sum_ij F_ij ( f_ij + 1 - e^{-f_ij} )
//! ```
//!
//! (the dual form of the Kullback-Leibler divergence), with equality at `f_ij = ln F_ij / F_ji`. Here f comes from all draws but one group's, with some
//! flux added in both directions, and is averaged over that group.
//!
//! Both bounds take pi as known. Where it rests on transitions that few draws show, as in a steep and slow chain, its error may shift both.

use rayon::prelude::*;

use super::jackknife::{Figure, student_95};
use super::{Estimate, Kernel};

/// What is added to both fluxes between two states, in units of what one draw in all gives. More keeps rare ways from being taken for
/// impossible, less follows larger ratios; the one with the best bound counts.
const ADDED: [f64; 5] = [1.0, 1e-2, 1e-4, 1e-8, 1e-16];

impl Estimate {
    /// Between a lower and an upper bound, each of which the truth passes about one time in forty.
    pub(super) fn bounded_entropy_production(&self, samples: usize) -> Figure {
        let plain = self.figure(|kernel| kernel.steady.entropy_production());
        let path = self.path_entropy_production();
        let most = path.high.or(path.value).unwrap_or(f64::INFINITY);
        let whole = self.kernel.steady.entropy_production();
        let error = plain.standard_error.unwrap_or(0.0);
        let reach = student_95(self.without.len().max(2) - 1);
        // Not corrected for its bias, which is upward.
        let high = (whole + reach * error).min(most).max(0.0);
        let low = self.lower_bound(samples, reach).min(high);
        let value = plain
            .value
            .unwrap_or(whole)
            .min(path.value.unwrap_or(f64::INFINITY))
            .clamp(low, high);
        Figure {
            low: Some(low),
            high: Some(high),
            standard_error: Some((high - low) / (2.0 * reach)),
            ..Figure::exact(value)
        }
        .because("between a lower and an upper bound: plain means are too large on average where the way back of a transition is rare")
    }

    /// The best of the lower bounds, less its statistical error; at least zero.
    fn lower_bound(&self, samples: usize, reach: f64) -> f64 {
        let groups = self.without.len();
        if groups < 2 {
            return 0.0;
        }
        let states = self.kernel.steady.states();
        let rows: Vec<Vec<[f64; ADDED.len()]>> = (0..states)
            .into_par_iter()
            .map(|i| self.without.iter().map(|without| self.row_of_bounds(without, i, samples)).collect())
            .collect();
        let of_group = |added: usize, group: usize| rows.iter().map(|row| row[group][added]).sum::<f64>();
        let bounds = (0..ADDED.len()).map(|added| {
            let of_groups: Vec<f64> = (0..groups).map(|group| of_group(added, group)).collect();
            let mean = of_groups.iter().sum::<f64>() / groups as f64;
            let square: f64 = of_groups.iter().map(|bound| (bound - mean).powi(2)).sum();
            mean - reach * (square / (groups * (groups - 1)) as f64).sqrt()
        });
        bounds.fold(0.0, f64::max)
    }

    /// What the pairs of state i with the states before it add to the bounds of one group, whose draws are those that `without` lacks.
    fn row_of_bounds(&self, without: &Kernel, i: usize, samples: usize) -> [f64; ADDED.len()] {
        let groups = self.without.len() as f64;
        let (all, others) = (&self.kernel.steady, &without.steady);
        let mut bounds = [0.0; ADDED.len()];
        for j in 0..i {
            let transition = |from: usize, to: usize| {
                let (all, others) = (all.log_transition()[[from, to]].exp(), others.log_transition()[[from, to]].exp());
                groups * all - (groups - 1.0) * others
            };
            let [there, back] = [(i, j), (j, i)].map(|(from, to)| all.log_pi()[from].exp() * transition(from, to));
            let [flux, reversed] = [(i, j), (j, i)].map(|(from, to)| others.log_flux(from, to).exp());
            let one_draw = (all.log_pi()[i].exp() + all.log_pi()[j].exp()) / samples as f64;
            for (bound, added) in bounds.iter_mut().zip(ADDED) {
                let added = added * one_draw;
                let ratio = (flux + added) / (reversed + added);
                let f = ratio.ln();
                *bound += there * (f + 1.0 - 1.0 / ratio) + back * (1.0 - f - ratio);
            }
        }
        bounds
    }
}
