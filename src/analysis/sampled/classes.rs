//! The classes of the images that chains walk through, and how one follows another.

use ndarray::{Array1, Array2};
use serde::Serialize;

use crate::analysis::classes::divergence;
use crate::analysis::files;
use crate::estimate::jackknife::{Figure, standard_errors};
use crate::evaluation::judge::Judge;
use crate::units::marginal::GROUPS;

/// Lists and tables are in the order of `labels`.
#[derive(Clone, Debug, Serialize)]
pub struct Classes {
    /// The classes' labels.
    pub labels: Vec<u8>,
    /// How often the judge, a logistic regression on pixels, is right on test images (training images without labelled test images).
    pub judge_accuracy: f64,
    /// Among the training labels.
    #[serde(serialize_with = "files::vector")]
    pub data: Array1<f64>,
    /// Among images drawn.
    #[serde(serialize_with = "files::vector")]
    pub generated: Array1<f64>,
    /// How often an image of one class is followed by one of another, `[C, C]`, per step.
    #[serde(serialize_with = "files::matrix")]
    pub fluxes: Array2<f64>,
    /// `J_ab = F_ab - F_ba`, per step.
    #[serde(serialize_with = "files::matrix")]
    pub currents: Array2<f64>,
    /// Standard errors of `currents`.
    #[serde(serialize_with = "files::matrix")]
    pub currents_error: Array2<f64>,
    /// `1/2 sum_ab J_ab ln( F_ab / F_ba )`, nats per step: what is seen of the path entropy production by one who sees only classes.
    pub entropy_production: Figure,
    /// `KL(data || generated)`; in analysis.json it stands as `class_kl`.
    #[serde(skip)]
    pub divergence: Figure,
}

impl Classes {
    /// From the classes of many chains' images, `of[t][n]` that of chain n at moment t.
    pub fn new(judge: &Judge, labels: &[u8], of: &[Vec<usize>]) -> Self {
        let count = labels.len();
        let fluxes: Vec<Array2<f64>> = (0..GROUPS).map(|group| fluxes(of, group, count)).collect();
        let without = |left_out: Option<usize>| {
            let used = (0..GROUPS).filter(|group| Some(*group) != left_out);
            let sum = used.fold(Array2::<f64>::zeros((count, count)), |sum, group| sum + &fluxes[group]);
            let all = sum.sum();
            sum / all
        };
        let whole = without(None);
        let left_out = |of: &dyn Fn(&Array2<f64>) -> f64| (0..GROUPS).map(|group| of(&without(Some(group)))).collect::<Vec<f64>>();
        // Every image is before and after another, but for the first and the last.
        let shares = |fluxes: &Array2<f64>| fluxes.sum_axis(ndarray::Axis(0));
        let of_shares = |fluxes: &Array2<f64>| judge.divergence(&shares(fluxes));
        Self {
            labels: labels.to_vec(),
            judge_accuracy: judge.accuracy(),
            data: judge.data_shares().clone(),
            generated: shares(&whole),
            currents: currents(&whole),
            currents_error: standard_errors(currents(&whole), (0..GROUPS).map(|group| currents(&without(Some(group))))),
            entropy_production: Figure::jackknife(entropy_production(&whole), &left_out(&entropy_production)).at_least(0.0),
            divergence: divergence(of_shares(&whole), &left_out(&of_shares)),
            fluxes: whole,
        }
    }
}

/// How often one class follows another in the chains of a group.
fn fluxes(of: &[Vec<usize>], group: usize, count: usize) -> Array2<f64> {
    let mut fluxes = Array2::zeros((count, count));
    for pair in of.windows(2) {
        for chain in (group..pair[0].len()).step_by(GROUPS) {
            fluxes[[pair[0][chain], pair[1][chain]]] += 1.0;
        }
    }
    fluxes
}

fn currents(fluxes: &Array2<f64>) -> Array2<f64> {
    fluxes - &fluxes.t()
}

/// Pairs that were seen one way only count as seen once the other way, or half a time.
fn entropy_production(fluxes: &Array2<f64>) -> f64 {
    let least = fluxes.iter().copied().filter(|flux| *flux > 0.0).fold(1.0, f64::min) / 2.0;
    let terms = fluxes.indexed_iter().map(|((a, b), &flux)| {
        let back = fluxes[[b, a]];
        if flux == back {
            0.0
        } else {
            0.5 * (flux - back) * (flux.max(least) / back.max(least)).ln()
        }
    });
    terms.sum()
}
