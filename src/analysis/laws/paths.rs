//! Simulated paths `z -> x -> z'` with their images, and the entropy of each: the theorems tested where chance and not T decides.

use rayon::prelude::*;
use serde::Serialize;

use super::{HistogramFigures, RARE, SIDE};
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Method};
use crate::latent::fluctuations::{Histogram, exponent};
use crate::random::{Seed, Stream, categorical};
use crate::watch::{Stopped, Watch};

/// Numbers of steps at which a path is looked at.
const LENGTHS: [usize; 3] = [1, 2, 4];
/// Groups of paths, for errors.
const GROUPS: usize = 32;
/// Paths that rows of p and q `[N, L]` are held for.
const BLOCK: usize = 256;
/// Of the paths whose e^-s makes the last twentieth of `< e^-s >`, so many must be expected among those simulated before it is shown.
const LEAST_CARRIERS: f64 = 10.0;

/// Simulated paths of one length.
#[derive(Debug, Serialize)]
pub struct PathFluctuations {
    /// Do the images count, or the latent states alone?
    pub images: bool,
    /// n.
    pub steps: usize,
    /// Simulated paths.
    pub paths: usize,
    /// `n sigma` of the kernel, nats: what the mean must be.
    pub expected: Figure,
    /// `<s>`, nats.
    pub mean: Figure,
    /// Variance of s over its mean, nats.
    pub fano: Figure,
    /// P(s < 0).
    pub negative: Figure,
    /// a of `P(s) = e^(a s) P(-s)`; 1 by the detailed theorem.
    pub exponent: Figure,
    /// `< e^-s >`; 1 by the integral theorem.
    pub integral: Figure,
    /// How many of the simulated paths are expected among those that carry the last twentieth of `< e^-s >`.
    pub carriers: f64,
    /// P(s), of one step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<HistogramFigures>,
}

/// Blocks of paths, each of which is a part to a watch.
pub fn parts(model: &Conditionals) -> usize {
    /// Numbers of p and q that are made at each step.
    const WORK: usize = 1 << 23;
    (WORK / model.latent()).clamp(2048, 16_384) / BLOCK
}

/// s of every path at all lengths: of latent states alone and with images.
type Entropies = [Vec<[f64; 2]>; LENGTHS.len()];

/// Simulates paths that start in the steady state: states from pi, images from q, the next states from p, never from T.
///
/// The entropy of the latent path comes from T and pi, that of the whole path from
/// `s = sum_t ln[ pi_z q(x|z) p(z'|x) / ( pi_z' q(x|z') p(z|x) ) ]`. `width` is that of the bins for s of latent steps.
///
/// # Errors
/// When it is stopped.
pub fn simulated(
    model: &Conditionals,
    estimate: &Estimate,
    width: f64,
    seed: Seed,
    watch: &dyn Watch,
) -> Result<Vec<PathFluctuations>, Stopped> {
    let blocks: Result<Vec<Entropies>, Stopped> = (0..parts(model))
        .into_par_iter()
        .map(|block| {
            let entropies = entropies(model, estimate, seed, block as u64, watch)?;
            watch.part_done();
            Ok(entropies)
        })
        .collect();
    let blocks = blocks?;
    let mut found = Vec::new();
    for images in [false, true] {
        for (place, steps) in LENGTHS.into_iter().enumerate() {
            let of_block = |block: &Entropies| block[place].iter().map(|s| s[usize::from(images)]).collect::<Vec<f64>>();
            let entropies: Vec<f64> = blocks.iter().flat_map(of_block).collect();
            watch.go_on()?;
            let mut of_length = PathFluctuations::of(&entropies, steps, images, estimate);
            if steps == 1 {
                let width = if images {
                    Histogram::width_for(SIDE, weighted(&entropies))
                } else {
                    width
                };
                of_length.histogram = Some(HistogramFigures::simulated(&entropies, width));
            }
            found.push(of_length);
        }
    }
    Ok(found)
}

fn entropies(model: &Conditionals, estimate: &Estimate, seed: Seed, block: u64, watch: &dyn Watch) -> Result<Entropies, Stopped> {
    let steady = &estimate.kernel.steady;
    let (pi, log_pi) = (steady.pi().to_vec(), steady.log_pi());
    let mut generator = seed.generator(Stream::Fluctuation, block, 1);
    let mut states: Vec<usize> = (0..BLOCK).map(|_| categorical(&mut generator, &pi)).collect();
    let mut sums = vec![[0.0; 2]; BLOCK];
    let mut found = Entropies::default();
    for step in 1..=LENGTHS[LENGTHS.len() - 1] {
        watch.go_on()?;
        let emitting: Vec<i32> = states.iter().map(|&state| state as i32).collect();
        let images = model.draw(&emitting, seed.draws(Stream::Fluctuation, block, 2 * step as u64));
        let (log_p, log_q) = (model.log_forward(&images), model.log_backward(&images));
        let mut generator = seed.generator(Stream::Fluctuation, block, 2 * step as u64 + 1);
        for (path, (z, sums)) in states.iter_mut().zip(&mut sums).enumerate() {
            let p: Vec<f64> = log_p.row(path).iter().map(|log_p| log_p.exp()).collect();
            let next = categorical(&mut generator, &p);
            let way = |from: usize, to: usize| log_pi[from] + log_q[[path, from]] + log_p[[path, to]];
            sums[0] += steady.step_entropy(*z, next);
            sums[1] += if *z == next { 0.0 } else { way(*z, next) - way(next, *z) };
            *z = next;
        }
        if let Some(place) = LENGTHS.iter().position(|&length| length == step) {
            found[place].clone_from(&sums);
        }
    }
    Ok(found)
}

impl PathFluctuations {
    /// From s of each path.
    pub fn of(entropies: &[f64], steps: usize, images: bool, estimate: &Estimate) -> Self {
        let sigma = if images {
            estimate.path_entropy_production()
        } else {
            estimate.entropy_production()
        };
        let figure = |function: &dyn Fn(&[f64]) -> f64| jackknife(entropies, function);
        let badly_known = !images && estimate.method == Method::Plain;
        let carriers = carriers(entropies);
        Self {
            images,
            steps,
            paths: entropies.len(),
            expected: times(&sigma, steps as f64),
            mean: figure(&mean),
            fano: figure(&|s| variance(s) / mean(s)).at_least(0.0),
            negative: negative(entropies),
            exponent: if badly_known {
                Figure::missing(RARE)
            } else if exponent(entropies).is_some() {
                figure(&|s| exponent(s).map_or(f64::NAN, |(exponent, _)| exponent))
            } else {
                Figure::missing("too few of the simulated paths have an s near enough to 0 for both signs to be seen")
            },
            integral: if badly_known {
                Figure::missing(RARE)
            } else if carriers >= LEAST_CARRIERS {
                figure(&|s| s.iter().map(|s| (-s).exp()).sum::<f64>() / s.len() as f64)
            } else {
                Figure::missing("it rests on paths too rare to be among those simulated")
            },
            carriers,
            histogram: None,
        }
    }
}

impl HistogramFigures {
    fn simulated(entropies: &[f64], width: f64) -> Self {
        let each = 1.0 / entropies.len() as f64;
        let histogram = Histogram::of(width, SIDE, weighted(entropies));
        let mut squares = vec![0.0; 2 * SIDE];
        for &s in entropies {
            if let Some(bin) = histogram.bin(s) {
                squares[2 * SIDE - 1 - bin] += (each * (-s).exp()).powi(2);
            }
        }
        let error = |square: f64, mean: f64| (square - mean * mean * each).max(0.0).sqrt();
        let errors = |squares: &[f64], means: &[f64]| squares.iter().zip(means).map(|(&square, &mean)| error(square, mean)).collect();
        let counted: Vec<f64> = histogram.probability.iter().map(|p| p * each).collect();
        Self {
            s: (0..2 * SIDE).map(|bin| histogram.middle(bin)).collect(),
            probability_error: errors(&counted, &histogram.probability),
            mirrored_error: errors(&squares, &histogram.mirrored),
            probability: histogram.probability,
            mirrored: histogram.mirrored,
        }
    }
}

/// Of N paths, how many are expected among those that carry the last twentieth of `< e^-s >`.
///
/// By the detailed theorem these are the reverses of the paths with the largest s, a twentieth of all, and as probable as `E[ e^-s ]` over them: what
/// was not seen can be told from what was.
fn carriers(entropies: &[f64]) -> f64 {
    let mut sorted = entropies.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len() - sorted.len() / 20;
    sorted[last..].iter().map(|s| (-s).exp()).sum()
}

/// Values of s, each as probable as any other.
fn weighted(entropies: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    entropies.iter().map(|&s| (s, 1.0 / entropies.len() as f64))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// P(s < 0); missing where none was seen, which is not zero.
fn negative(entropies: &[f64]) -> Figure {
    let share = |values: &[f64]| values.iter().filter(|s| **s < 0.0).count() as f64 / values.len() as f64;
    if share(entropies) == 0.0 {
        // Of an event that N trials do not show, the probability is below 3 / N with 95% confidence.
        let most = 3.0 / entropies.len() as f64;
        return Figure::missing(&format!("none of the simulated paths: below {most:.1e} with 95% confidence"));
    }
    jackknife(entropies, &share).within(0.0, 1.0)
}

/// A function of independent paths with its error, from groups of them.
fn jackknife(values: &[f64], function: &dyn Fn(&[f64]) -> f64) -> Figure {
    let each = values.len() / GROUPS;
    let without = |group: usize| function(&[&values[..group * each], &values[(group + 1) * each..]].concat());
    Figure::jackknife(function(values), &(0..GROUPS).map(without).collect::<Vec<_>>())
}

/// A figure n times.
fn times(figure: &Figure, factor: f64) -> Figure {
    let scaled = |part: Option<f64>| part.map(|part| factor * part);
    Figure {
        value: scaled(figure.value),
        low: scaled(figure.low),
        high: scaled(figure.high),
        standard_error: scaled(figure.standard_error),
        ..figure.clone()
    }
}
