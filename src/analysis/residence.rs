//! The distribution of the stays in each macrostate, with intervals, beside that of stays without memory.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Kernel};
use crate::latent::lumped::Partition;
use crate::latent::residence::Stay;
use crate::watch::{Stopped, Watch};

/// Shares of stays that have ended at the quantiles.
const SHARES: [f64; 4] = [0.25, 0.5, 0.75, 0.9];
/// The share of stays that go on when they are followed no longer.
const REST: f64 = 0.01;
/// The most steps at which [`Residence::survival`] is given.
const MOST_SHOWN: usize = 24;

/// How long the chain stays in a macrostate at a visit; see [`crate::latent::residence`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Residence {
    /// The quartiles and the ninth decile.
    pub quantiles: Vec<StayQuantile>,
    /// P(stay > n) for some n.
    pub survival: Vec<Survival>,
}

/// The least number of steps after which a share of all stays has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StayQuantile {
    /// The share.
    pub share: f64,
    /// Steps. The interval holds the numbers that those of P(stay > n) do not exclude.
    pub steps: Figure,
    /// The same of stays without memory that last as long on average: of a chain that leaves the macrostate with one probability from all its states.
    pub memoryless: u64,
}

/// How many stays last longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Survival {
    /// n.
    pub steps: usize,
    /// P(stay > n).
    pub probability: Figure,
    /// The same without memory.
    pub memoryless: f64,
}

/// The most steps that stays are followed: what takes some ten seconds of 33 kernels on 2 cores where all are as long, and tables fit in the memory.
fn longest(states: usize) -> usize {
    ((1 << 29) / (states * states)).clamp(128, 4096)
}

/// Of every macrostate, in their order; `mean` are the mean steps of a stay.
///
/// # Errors
/// When it is stopped.
pub fn of(estimate: &Estimate, partition: &Partition, mean: &[f64], watch: &dyn Watch) -> Result<Vec<Residence>, Stopped> {
    let most = longest(partition.of().len());
    (0..partition.count())
        .map(|macrostate| {
            let whole = followed(&estimate.kernel, partition, macrostate, most, REST, watch)?;
            let length = whole.len();
            let without: Result<Vec<Vec<f64>>, Stopped> = (estimate.without.par_iter())
                .map(|kernel| followed(kernel, partition, macrostate, length, 0.0, watch))
                .collect();
            Ok(Residence::new(&whole, &without?, mean[macrostate]))
        })
        .collect()
}

/// P(stay > n) for n = 1, 2, ..., `most` of them, or until less than `rest` go on.
fn followed(
    kernel: &Kernel,
    partition: &Partition,
    macrostate: usize,
    most: usize,
    rest: f64,
    watch: &dyn Watch,
) -> Result<Vec<f64>, Stopped> {
    let mut survival = Vec::new();
    for still in Stay::of(&kernel.steady, partition, macrostate).into_iter().flatten().take(most) {
        watch.go_on()?;
        survival.push(still);
        if still < rest {
            break;
        }
    }
    watch.part_done();
    Ok(survival)
}

impl Residence {
    /// From P(stay > n) for n = 1, 2, ..., of all draws and of all but each group's.
    fn new(whole: &[f64], without: &[Vec<f64>], mean: f64) -> Self {
        let still: Vec<Figure> = (0..whole.len())
            .map(|place| {
                let without: Vec<f64> = without.iter().filter_map(|of_group| of_group.get(place).copied()).collect();
                Figure::jackknife(whole[place], &without).within(0.0, 1.0)
            })
            .collect();
        Self {
            quantiles: SHARES.iter().map(|&share| StayQuantile::new(share, &still, mean)).collect(),
            survival: shown(still.len())
                .map(|steps| Survival {
                    steps,
                    probability: still[steps - 1].clone(),
                    memoryless: memoryless(mean, steps),
                })
                .collect(),
        }
    }
}

/// Numbers of steps up to the last, all of them or evenly spread by their logarithms.
fn shown(last: usize) -> impl Iterator<Item = usize> {
    let spread = |place: usize| (last as f64).powf(place as f64 / (MOST_SHOWN - 1) as f64).round() as usize;
    let mut chosen: Vec<usize> = match last {
        0..=MOST_SHOWN => (1..=last).collect(),
        _ => (0..MOST_SHOWN).map(spread).collect(),
    };
    chosen.dedup();
    chosen.into_iter()
}

/// P(stay > n) where every step leaves with probability 1 / mean.
fn memoryless(mean: f64, steps: usize) -> f64 {
    (steps as f64 * (-1.0 / mean).ln_1p()).exp()
}

impl StayQuantile {
    fn new(share: f64, still: &[Figure], mean: f64) -> Self {
        let left = 1.0 - share;
        let first = |part: &dyn Fn(&Figure) -> Option<f64>| {
            let place = still.iter().position(|figure| part(figure).is_some_and(|still| still <= left));
            place.map(|place| (place + 1) as f64)
        };
        let [low, value, high] = [
            first(&|figure| figure.low.or(figure.value)),
            first(&|figure| figure.value),
            first(&|figure| figure.high.or(figure.value)),
        ];
        let is_drawn = still.iter().any(|figure| figure.low.is_some());
        let steps = match (low, value, high) {
            (Some(_), Some(value), Some(_)) if is_drawn => Figure {
                low,
                high,
                ..Figure::exact(value)
            },
            (_, Some(value), Some(_)) => Figure::exact(value),
            (_, Some(value), None) => Figure::exact(value).because("without an interval, whose upper end is beyond what was followed"),
            _ => Figure::missing(&format!("more than the {} steps that stays were followed", still.len())),
        };
        // (1 - 1/mean)^n <= left
        let steps_without = left.ln() / (-1.0 / mean).ln_1p();
        let memoryless = if mean > 1.0 { (steps_without - 1e-9).ceil().max(1.0) } else { 1.0 };
        Self {
            share,
            steps,
            memoryless: memoryless as u64,
        }
    }
}
