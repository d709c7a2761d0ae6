//! Numbers about numbers: means with Student's intervals, rank correlations within and across strata, the bootstrap over seeds.

use rayon::prelude::*;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::random::{Seed, Stream, uniform_f64};

/// Times that seeds are drawn again for an interval: 2,000, and 200 at least where there are so many runs that it would take minutes.
pub fn replicates(runs: usize) -> u64 {
    (20_000_000 / runs.max(1) as u64).clamp(200, 2000)
}

/// With fewer seeds the resampled ones differ too little for an interval.
pub const FEWEST_SEEDS: usize = 5;

/// What is said of the values of one figure over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleStatistics {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1; of two or more.
    pub deviation: Option<f64>,
    /// 95% interval of the mean by Student's distribution, `mean -+ t s / sqrt(n)`; of two or more. It supposes that the mean of so many
    /// values is about normal.
    pub interval: Option<(f64, f64)>,
    /// The middle value, or the mean of the two.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

/// Describes values; `None` for none.
pub fn describe(values: &[f64]) -> Option<SampleStatistics> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (&min, &max) = (sorted.first()?, sorted.last()?);
    let n = sorted.len();
    let mean = sorted.iter().sum::<f64>() / n as f64;
    let squares = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let reach = deviation.map(|deviation| student(n - 1) * deviation / (n as f64).sqrt());
    Some(SampleStatistics {
        n,
        mean,
        deviation,
        interval: reach.map(|reach| (mean - reach, mean + reach)),
        median: 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
        min,
        max,
    })
}

/// The 97.5% point of Student's distribution with so many degrees of freedom, one at least.
pub fn student(freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |student| student.inverse_cdf(0.975))
}

/// One run: a point of a scatter plot, its setting (any number) and its seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Everything but the seed, as a number.
    pub setting: usize,
    /// The seed.
    pub seed: u64,
    /// One figure.
    pub x: f64,
    /// The other.
    pub y: f64,
}

/// Ranks from 1; equal values share the mean of theirs.
pub fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + 0.5 * (tie.len() + 1) as f64;
        tie.iter().for_each(|&index| ranks[index] = rank);
        first += tie.len();
    }
    ranks
}

/// Spearman's rank correlation with mid-ranks; `None` where one side does not vary.
pub fn spearman(points: &[(f64, f64)]) -> Option<f64> {
    correlation(std::iter::once(points))
}

/// Spearman's correlation within strata: ranks are taken in each stratum and counted from its mean rank, then pooled.
///
/// ```text
/// rho = sum_s sum_i u_si v_si / sqrt( sum_si u_si^2  sum_si v_si^2 ),    u_si = rank of x_si within s, less (n_s + 1)/2;  v likewise
/// ```
///
/// Differences between strata do not enter; a stratum of n points weighs about as n^3.
pub fn stratified(strata: &[Vec<(f64, f64)>]) -> Option<f64> {
    correlation(strata.iter().map(Vec::as_slice))
}

fn correlation<'a>(strata: impl Iterator<Item = &'a [(f64, f64)]>) -> Option<f64> {
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for points in strata {
        let ranks = |part: fn(&(f64, f64)) -> f64| mid_ranks(&points.iter().map(part).collect::<Vec<_>>());
        let middle = 0.5 * (points.len() + 1) as f64;
        for (u, v) in ranks(|point| point.0).into_iter().zip(ranks(|point| point.1)) {
            let (u, v) = (u - middle, v - middle);
            both += u * v;
            first += u * u;
            second += v * v;
        }
    }
    (first > 0.0 && second > 0.0).then(|| (both / (first * second).sqrt()).clamp(-1.0, 1.0))
}

/// A correlation with its interval, each where it can be had.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// The coefficient, from -1 to 1.
    pub value: Option<f64>,
    /// Its 95% interval; see [`correlations`].
    pub interval: Option<(f64, f64)>,
    /// Why there is none.
    pub note: Option<&'static str>,
}

/// The rank correlations of x and y in one set of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// [`stratified`] by setting: between runs that differ in their seed alone.
    pub within: Correlation,
    /// Of the settings' means.
    pub across: Correlation,
    /// Of all runs alike.
    pub overall: Correlation,
}

/// The three correlations with percentile intervals from a bootstrap over seeds: seeds are drawn with replacement, as many as there are,
/// and a drawn seed brings its runs in all settings along. The interval says how far the coefficient would vary with other seeds, in
/// these settings; it says nothing of other settings.
pub fn correlations(runs: &[Observation], seed: Seed) -> Correlations {
    let values = coefficients(runs);
    let mut seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let mut of_seed = vec![Vec::new(); seeds.len()];
    for run in runs {
        if let Ok(place) = seeds.binary_search(&run.seed) {
            of_seed[place].push(*run);
        }
    }
    let enough = seeds.len() >= FEWEST_SEEDS;
    let replicates: Vec<[Option<f64>; 3]> = (0..if enough { replicates(runs.len()) } else { 0 })
        .into_par_iter()
        .map(|replicate| {
            let mut generator = seed.generator(Stream::Bootstrap, replicate, 0);
            let drawn = seeds.iter().map(|_| (uniform_f64(&mut generator) * seeds.len() as f64) as usize);
            coefficients(&drawn.flat_map(|index| of_seed[index].iter().copied()).collect::<Vec<_>>())
        })
        .collect();
    let one = |kind: usize, too_few: &'static str| {
        let Some(value) = values[kind] else {
            return Correlation {
                value: None,
                interval: None,
                note: Some(too_few),
            };
        };
        let mut drawn: Vec<f64> = replicates.iter().filter_map(|values| values[kind]).collect();
        drawn.sort_by(f64::total_cmp);
        let interval = (enough && drawn.len() * 20 >= replicates.len() * 19).then(|| (quantile(&drawn, 0.025), quantile(&drawn, 0.975)));
        Correlation {
            value: Some(value),
            interval,
            note: interval.is_none().then_some("no interval: too few seeds"),
        }
    };
    Correlations {
        within: one(0, "too few seeds, or figures that do not vary"),
        across: one(1, "fewer than three settings, or figures that do not vary"),
        overall: one(2, "fewer than three runs, or figures that do not vary"),
    }
}

/// Within settings, across their means, overall; `None` where there are too few runs.
fn coefficients(runs: &[Observation]) -> [Option<f64>; 3] {
    let points = |runs: &[Observation]| runs.iter().map(|run| (run.x, run.y)).collect::<Vec<_>>();
    let mut sorted = runs.to_vec();
    sorted.sort_by_key(|run| run.setting);
    let strata: Vec<Vec<(f64, f64)>> = sorted.chunk_by(|a, b| a.setting == b.setting).map(points).collect();
    let mean = |stratum: &Vec<(f64, f64)>| {
        let sum = stratum.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / stratum.len() as f64, sum.1 / stratum.len() as f64)
    };
    let means: Vec<(f64, f64)> = strata.iter().map(mean).collect();
    // One pair in one setting is always -1 or 1.
    let comparisons = sorted.len() - strata.len();
    [
        if comparisons >= 2 { stratified(&strata) } else { None },
        if means.len() >= 3 { spearman(&means) } else { None },
        if sorted.len() >= 3 { spearman(&points(&sorted)) } else { None },
    ]
}

/// The quantile of sorted values, between neighbours along a line.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (place - place.floor()) * (high - low),
        _ => f64::NAN,
    }
}

/// Differences between pairs of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// The differences, with the interval of their mean.
    pub difference: SampleStatistics,
    /// The share of pairs in which it is above zero.
    pub above: f64,
}

/// Describes differences; `None` for none.
pub fn paired(differences: &[f64]) -> Option<Paired> {
    let above = differences.iter().filter(|difference| **difference > 0.0).count();
    Some(Paired {
        difference: describe(differences)?,
        above: above as f64 / differences.len() as f64,
    })
}
