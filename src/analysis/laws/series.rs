//! The entropy production as a latent time series would show it: plugged in from counted transitions, with its bias.

use rayon::prelude::*;
use serde::Serialize;

use crate::estimate::jackknife::Figure;
use crate::latent::SteadyState;
use crate::random::{Seed, Stream, categorical, uniform_f64};
use crate::watch::{Stopped, Watch};

/// Lengths of the series, steps.
const LENGTHS: [usize; 3] = [1_000, 10_000, 100_000];
/// Series of each length.
const REPETITIONS: u64 = 32;
/// What a watch is told: each series is a part.
pub const PARTS: usize = REPETITIONS as usize;

/// Time series of one length.
#[derive(Debug, Serialize)]
pub struct TimeSeries {
    /// N.
    pub steps: usize,
    /// Series that were simulated.
    pub repetitions: u64,
    /// The entropy production of the T that they were simulated from, nats per step.
    pub exact: Figure,
    /// From pairs of states that were seen in both directions, the others left out: `sum_{i<j} (n_ij - n_ji)/N ln( n_ij / n_ji )`.
    pub both_ways: Reading,
    /// With half a transition added to each direction of every pair that was seen.
    pub half_added: Reading,
    /// The share of transitions that were seen in one direction only: each makes the estimate without any addition infinite.
    pub one_way: f64,
}

/// What series say of the entropy production, nats per step.
#[derive(Debug, Serialize)]
pub struct Reading {
    /// The mean over series.
    pub mean: f64,
    /// Its standard deviation from one series to another.
    pub spread: f64,
    /// The mean less the exact value, with the interval that the number of series leaves.
    pub bias: Figure,
}

/// Simulates latent paths from T and reads them.
///
/// # Errors
/// When it is stopped.
pub fn read(steady: &SteadyState, seed: Seed, watch: &dyn Watch) -> Result<Vec<TimeSeries>, Stopped> {
    let mut cumulative = steady.transition();
    for mut row in cumulative.rows_mut() {
        let mut sum = 0.0;
        row.iter_mut().for_each(|p| {
            sum += *p;
            *p = sum;
        });
    }
    let pi = steady.pi().to_vec();
    let read: Result<Vec<[Counted; LENGTHS.len()]>, Stopped> = (0..REPETITIONS)
        .into_par_iter()
        .map(|repetition| {
            let mut generator = seed.generator(Stream::TimeSeries, repetition, 0);
            let mut state = categorical(&mut generator, &pi);
            let mut steps: Vec<(u32, u32)> = Vec::with_capacity(LENGTHS[LENGTHS.len() - 1]);
            let mut counted = [Counted::default(); LENGTHS.len()];
            for (counted, length) in counted.iter_mut().zip(LENGTHS) {
                watch.go_on()?;
                while steps.len() < length {
                    let row = cumulative.row(state);
                    let row = row.as_slice().unwrap_or_default();
                    let at = uniform_f64(&mut generator) * row[row.len() - 1];
                    let next = row.partition_point(|sum| *sum <= at).min(row.len() - 1);
                    steps.push((state as u32, next as u32));
                    state = next;
                }
                *counted = Counted::of(&steps);
            }
            watch.part_done();
            Ok(counted)
        })
        .collect();
    let (read, exact) = (read?, steady.entropy_production());
    let of_length = |(place, steps): (usize, usize)| {
        let all = |part: fn(&Counted) -> f64| read.iter().map(|counted| part(&counted[place])).collect::<Vec<f64>>();
        TimeSeries {
            steps,
            repetitions: REPETITIONS,
            exact: Figure::exact(exact),
            both_ways: Reading::of(&all(|counted| counted.both_ways), exact),
            half_added: Reading::of(&all(|counted| counted.half_added), exact),
            one_way: all(|counted| counted.one_way).iter().sum::<f64>() / REPETITIONS as f64,
        }
    };
    Ok(LENGTHS.into_iter().enumerate().map(of_length).collect())
}

/// What the counts of one series give.
#[derive(Clone, Copy, Default)]
struct Counted {
    both_ways: f64,
    half_added: f64,
    one_way: f64,
}

impl Counted {
    fn of(steps: &[(u32, u32)]) -> Self {
        // Both directions of a pair beside each other.
        let mut pairs: Vec<(u32, u32, bool)> = steps
            .iter()
            .filter(|(from, to)| from != to)
            .map(|&(from, to)| (from.min(to), from.max(to), from < to))
            .collect();
        pairs.sort_unstable();
        let count = steps.len() as f64;
        let mut found = Self::default();
        for pair in pairs.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let up = pair.iter().filter(|(.., up)| *up).count() as f64;
            let down = pair.len() as f64 - up;
            if up > 0.0 && down > 0.0 {
                found.both_ways += (up - down) / count * (up / down).ln();
            } else {
                found.one_way += (up + down) / count;
            }
            found.half_added += (up - down) / count * ((up + 0.5) / (down + 0.5)).ln();
        }
        found
    }
}

impl Reading {
    fn of(values: &[f64], exact: f64) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let bias: Vec<f64> = (0..values.len())
            .map(|left_out| (count * mean - values[left_out]) / (count - 1.0) - exact)
            .collect();
        Self {
            mean,
            spread: (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
            bias: Figure::jackknife(mean - exact, &bias),
        }
    }
}
