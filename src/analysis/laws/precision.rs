//! The strongest currents beside the thermodynamic uncertainty relations; see [`crate::latent::uncertainty`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;
use serde::Serialize;

use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Kernel};
use crate::latent::SteadyState;
use crate::latent::uncertainty::{Current, Precision, Precisions, least_relative_variance};
use crate::watch::{Stopped, Watch};

/// Currents between two states that are looked at.
const STRONGEST: usize = 6;

/// How precise currents are for the entropy that the chain produces.
#[derive(Debug, Serialize)]
pub struct UncertaintyRelation {
    /// `2 / (e^sigma - 1)`: no current's relative variance is below it (Proesmans and Van den Broeck).
    pub bound: Figure,
    /// `1 / Pi - 1`, at least the same.
    pub sharper_bound: Figure,
    /// The entropy production as a current, the sharpest current of a step, and the strongest between two states.
    pub currents: Vec<CurrentPrecision>,
}

/// One current.
#[derive(Debug, Serialize)]
pub struct CurrentPrecision {
    /// What it counts.
    pub name: String,
    /// j, per step.
    pub mean: Figure,
    /// D, per step: the variance of the current summed over n steps is n D for large n.
    pub variance: Figure,
    /// `D / j^2`, steps.
    pub relative_variance: Figure,
    /// How many times the sharper bound it is; at least 1.
    pub times_sharper_bound: Figure,
    /// `D sigma / j^2`, which continuous time would keep at 2 or above.
    pub continuous: Figure,
    /// Is it below 2? Null where the interval of `continuous` cannot tell.
    pub violates_continuous: Option<bool>,
}

impl UncertaintyRelation {
    /// `None` where nothing flows, or where the chain is too slow for the variances to be known.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(estimate: &Estimate, watch: &dyn Watch) -> Result<Option<Self>, Stopped> {
        let steady = &estimate.kernel.steady;
        let strongest = strongest(steady);
        let sigma = estimate.entropy_production();
        if strongest.is_empty() || sigma.value.is_some_and(|sigma| sigma <= 0.0) {
            return Ok(None);
        }
        let mut currents = vec![Current::Sharpest];
        if steady.entropy_production().is_finite() {
            currents.insert(0, Current::Entropy);
        }
        currents.extend(strongest.into_iter().map(|(i, j)| Current::Between(i, j)));
        let precisions = Precisions::of(steady);
        watch.go_on()?;
        watch.part_done();
        let Some(whole) = precisions.all(steady, &currents) else {
            return Ok(None);
        };
        let of_group = |kernel: &Kernel| {
            watch.go_on()?;
            let found = precisions.all(&kernel.steady, &currents);
            watch.part_done();
            Ok(found.map(|found| (found, sharper_bound(&kernel.steady))))
        };
        let without: Result<Vec<_>, Stopped> = estimate.without.par_iter().map(of_group).collect();
        let whole_bound = sharper_bound(steady);
        // Without all groups there is no error.
        let without: Option<Vec<(Vec<Precision>, f64)>> = without?.into_iter().collect();
        let figure = |part: &dyn Fn(&[Precision], f64) -> f64| {
            let value = part(&whole, whole_bound);
            match &without {
                Some(without) => Figure::jackknife(value, &without.iter().map(|(found, bound)| part(found, *bound)).collect::<Vec<_>>()),
                None => Figure::exact(value).because("without an interval: the chain is too slow for it"),
            }
        };
        let of_current = |(k, current): (usize, &Current)| {
            let relative_variance = figure(&|found, _| found[k].relative_variance()).at_least(0.0);
            let continuous = product(&relative_variance, &sigma);
            CurrentPrecision {
                name: match current {
                    Current::Between(i, j) => format!("{i} to {j}"),
                    Current::Entropy => "entropy".to_owned(),
                    Current::Sharpest => "sharpest of a step".to_owned(),
                },
                mean: figure(&|found, _| found[k].mean),
                variance: figure(&|found, _| found[k].variance).at_least(0.0),
                times_sharper_bound: figure(&|found, bound| found[k].relative_variance() / bound),
                violates_continuous: match (continuous.low.or(continuous.value), continuous.high.or(continuous.value)) {
                    (_, Some(high)) if high < 2.0 => Some(true),
                    (Some(low), _) if low >= 2.0 => Some(false),
                    (None, None) => Some(false),
                    _ => None,
                },
                continuous,
                relative_variance,
            }
        };
        Ok(Some(Self {
            bound: falling(&sigma),
            sharper_bound: figure(&|_, bound| bound).at_least(0.0),
            currents: currents.iter().enumerate().map(of_current).collect(),
        }))
    }
}

fn sharper_bound(steady: &SteadyState) -> f64 {
    1.0 / steady.pseudo_entropy() - 1.0
}

/// The bound of an entropy production, whose interval's ends change places.
fn falling(sigma: &Figure) -> Figure {
    let of = |sigma: f64| Some(least_relative_variance(sigma)).filter(|bound| bound.is_finite());
    let Some(value) = sigma.value else {
        return Figure::exact(0.0).because("the entropy production is infinite");
    };
    Figure {
        low: sigma.high.and_then(of),
        high: sigma.low.and_then(of),
        ..Figure::exact(least_relative_variance(value))
    }
}

/// A product of figures that are not negative, with an interval that holds if both do.
fn product(a: &Figure, b: &Figure) -> Figure {
    let (Some(x), Some(y)) = (a.value, b.value) else {
        return Figure::missing("infinite");
    };
    let end = |a: Option<f64>, b: Option<f64>| (a.is_some() || b.is_some()).then(|| a.unwrap_or(x) * b.unwrap_or(y));
    Figure {
        low: end(a.low, b.low),
        high: end(a.high, b.high),
        ..Figure::exact(x * y)
    }
}

/// The pairs with the largest currents, largest first.
fn strongest(steady: &SteadyState) -> Vec<(usize, usize)> {
    let states = steady.states();
    let mut largest = BinaryHeap::new();
    for i in 0..states {
        for j in 0..states {
            let current = steady.current(i, j);
            if current > 0.0 {
                // The bits of positive numbers are in their order.
                largest.push(Reverse((current.to_bits(), Reverse((i, j)))));
                if largest.len() > STRONGEST {
                    largest.pop();
                }
            }
        }
    }
    largest
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse((_, Reverse(pair)))| pair)
        .collect()
}
