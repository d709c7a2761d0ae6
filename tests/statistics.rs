//! Statistics of sweeps against closed forms, worked examples and scipy 1.17.1.

use latent_cycles::random::{Seed, Stream, normal};
use latent_cycles::sweep::statistics::{
    Correlations, Observation, correlations, describe, mid_ranks, paired, quantile, spearman, stratified, student,
};

fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{found} instead of {expected}"
    );
}

/// scipy.stats.t.ppf(0.975, n); with one degree of freedom it is tan(0.475 pi), with two 0.95 / sqrt(2 x 0.975 x 0.025).
#[test]
fn quantiles_of_student() {
    close((0.475 * std::f64::consts::PI).tan(), 12.706204736174694);
    close(0.95 / (2.0_f64 * 0.975 * 0.025).sqrt(), 4.302652729749462);
    for (freedom, quantile) in [
        (1, 12.706204736174694),
        (2, 4.302652729749462),
        (3, 3.1824463052837078),
        (4, 2.7764451051977934),
        (9, 2.262157162798205),
        (10, 2.228138851986274),
        (30, 2.0422724563012378),
        (120, 1.9799304050824402),
        (1000, 1.9623390808264083),
    ] {
        close(student(freedom), quantile);
    }
}

/// numpy.mean, numpy.std(ddof=1), scipy.stats.t.interval(0.95, 4, mean, scipy.stats.sem) of the README's five log-likelihoods.
#[test]
fn a_sample_is_described() {
    let sample = describe(&[-134.81, -134.01, -134.90, -135.31, -135.18]).unwrap();
    close(sample.mean, -134.842);
    close(sample.deviation.unwrap(), 0.5074150175152541);
    let (low, high) = sample.interval.unwrap();
    close(low, -135.47203895939663);
    close(high, -134.2119610406034);
    assert_eq!((sample.n, sample.median, sample.min, sample.max), (5, -134.90, -135.31, -134.01));
    close(describe(&[4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
    let one = describe(&[7.0]).unwrap();
    assert_eq!(
        (one.n, one.mean, one.deviation, one.interval, one.median),
        (1, 7.0, None, None, 7.0)
    );
    assert_eq!(describe(&[]), None);
}

/// scipy.stats.rankdata and scipy.stats.spearmanr.
#[test]
fn ranks_with_ties() {
    let (x, y) = ([1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 7.0, 8.0], [2.0, 1.0, 4.0, 4.0, 3.0, 9.0, 9.0, 5.0]);
    assert_eq!(mid_ranks(&x), [1.0, 2.5, 2.5, 5.0, 5.0, 5.0, 7.0, 8.0]);
    assert_eq!(mid_ranks(&y), [2.0, 1.0, 4.5, 4.5, 3.0, 7.5, 7.5, 6.0]);
    let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
    close(spearman(&points).unwrap(), 0.7268342671254985);
    // Without ties it is 1 - 6 sum d^2 / (n (n^2 - 1)).
    let points = [(1.0, 30.0), (2.0, 10.0), (3.0, 20.0), (4.0, 50.0), (5.0, 40.0)];
    close(spearman(&points).unwrap(), 1.0 - 6.0 * (4.0 + 1.0 + 1.0 + 1.0 + 1.0) / 120.0);
    assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), None);
    assert_eq!(mid_ranks(&[]), [0.0; 0]);
}

/// By hand: strata with correlations 1 of three points (sums of squares 2) and -1 of two (sums 1/2) pool to (2 - 1/2) / (2 + 1/2); where
/// the strata lie plays no part.
#[test]
fn strata_are_pooled() {
    let strata = [vec![(1.0, 100.0), (2.0, 200.0), (3.0, 300.0)], vec![(1001.0, 2.0), (1002.0, 1.0)]];
    close(stratified(&strata).unwrap(), 0.6);
    let one: Vec<(f64, f64)> = strata.iter().flatten().copied().collect();
    assert!((stratified(&[one]).unwrap() - 0.6).abs() > 0.1);
}

/// Runs in which y falls with x within each of four settings and rises across them.
fn opposed(seeds: u64) -> Vec<Observation> {
    let mut generator = Seed(5).generator(Stream::Parameters, 79, 0);
    let mut all = Vec::new();
    for setting in 0..4 {
        for seed in 0..seeds {
            let x = 100.0 * setting as f64 + normal(&mut generator);
            let y = 300.0 * setting as f64 - x + 0.5 * normal(&mut generator);
            all.push(Observation { setting, seed, x, y });
        }
    }
    all
}

#[test]
fn correlations_within_and_across_settings_are_told_apart() {
    let Correlations { within, across, overall } = correlations(&opposed(12), Seed(1));
    assert!(within.value.unwrap() < -0.7 && across.value == Some(1.0) && overall.value.unwrap() > 0.8);
    let (low, high) = within.interval.unwrap();
    assert!(
        low < within.value.unwrap() && within.value.unwrap() < high && high < -0.5 && low > -1.0,
        "{low} {high}"
    );
    assert_eq!(
        across.interval,
        Some((1.0, 1.0)),
        "no choice of seeds changes the order of these settings"
    );
    assert_eq!(correlations(&opposed(12), Seed(1)).within, within, "the same again");
    // Too few of anything.
    let few = correlations(&opposed(4), Seed(1));
    assert!(few.within.value.is_some() && few.within.interval.is_none() && few.within.note.unwrap().contains("few seeds"));
    let one: Vec<Observation> = opposed(12).into_iter().filter(|run| run.setting == 1).collect();
    let one = correlations(&one, Seed(1));
    assert!(one.across.value.is_none() && one.across.note.unwrap().contains("three settings") && one.within.value == one.overall.value);
    let nothing = correlations(&[], Seed(1));
    assert!(nothing.within.value.is_none() && nothing.across.value.is_none() && nothing.overall.value.is_none());
}

/// A seed brings its runs of all settings along: where every setting repeats the same values, more settings tell nothing more.
#[test]
fn the_bootstrap_draws_seeds_and_not_runs() {
    let repeated = |settings: usize| -> Vec<Observation> {
        let all = (0..settings).flat_map(|setting| {
            opposed(12)
                .into_iter()
                .filter(|run| run.setting == 0)
                .map(move |run| Observation { setting, ..run })
        });
        all.collect()
    };
    let width = |settings: usize| {
        let (low, high) = correlations(&repeated(settings), Seed(1)).within.interval.unwrap();
        high - low
    };
    close(width(9), width(1));
}

/// The interval covers the truth about as often as it says: 60 normal pairs have Spearman's correlation 6/pi asin(rho/2) on average.
#[test]
fn bootstrap_intervals_cover() {
    let rho: f64 = 0.6;
    let truth = 6.0 / std::f64::consts::PI * (0.5 * rho).asin();
    let covered = (0..100).filter(|&trial| {
        let mut generator = Seed(trial).generator(Stream::Parameters, 80, 0);
        let runs: Vec<Observation> = (0..60)
            .map(|seed| {
                let x = normal(&mut generator);
                let y = rho * x + (1.0 - rho * rho).sqrt() * normal(&mut generator);
                Observation { setting: 0, seed, x, y }
            })
            .collect();
        let (low, high) = correlations(&runs, Seed(trial)).within.interval.unwrap();
        low < truth && truth < high
    });
    let covered = covered.count();
    assert!((86..=99).contains(&covered), "{covered} of 100");
}

/// scipy.stats.ttest_1samp(d, 0).confidence_interval().
#[test]
fn paired_differences() {
    let found = paired(&[0.3, -0.1, 0.7, 0.4]).unwrap();
    close(found.difference.mean, 0.325);
    let (low, high) = found.difference.interval.unwrap();
    close(low, -0.2007461657151005);
    close(high, 0.8507461657151004);
    close(found.above, 0.75);
    assert_eq!(paired(&[]), None);
}

#[test]
fn quantiles_lie_between_neighbours() {
    let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
    close(quantile(&sorted, 0.5), 4.0);
    close(quantile(&sorted, 0.025), 1.1);
    close(quantile(&sorted, 0.975), 15.2);
}
