//! The way of drawing images from a state that makes a rare transition common.
//!
//! The transition to k needs images for which k wins: whose logit `a_k = sum_i x_i W_ik + b_k` is not below any other. For any weights
//! `lambda` on the states that sum to 1,
//!
//! ```text
//! p(k|x) = e^{a_k} / sum_m e^{a_m}  <=  e^{ a_k - sum_m lambda_m a_m }
//! ```
//!
//! since the largest logit is at least their mean. The right side is linear in x, so that q(.|j) times it is, up to a factor, again a
//! product of Bernoullis, and the factor bounds the transition (Chernoff):
//!
//! ```text
//! q_jk(x) = q(x|j) e^{ tau . a(x) - K },   tau_m = 1[m=k] - lambda_m:   logits  A_ji + sum_m W_im tau_m
//! T_jk <= e^K,      K = sum_i ln( 1 - s(A_ji) + s(A_ji) e^{ sum_m W_im tau_m } ) + sum_m b_m tau_m
//! ```
//!
//! The best weights make K smallest. At the minimum the mean images of q_jk lie where k meets its strongest competitors: those with
//! `lambda_m > 0` have one mean logit and no other state has a larger one. `lambda_k` is the share that is not tilted; it is 1 where k
//! wins anyway. Drawn so, no image weighs more than `e^K / T_jk` times the mean, a modest number (the cost of a Gaussian integral over
//! half a space for each competitor), whereas plain draws need 1 / T_jk of them.

use ndarray::{Array1, ArrayView1};

use crate::conditionals::Conditionals;
use crate::logs::{sigmoid, softplus};

/// How closely the competitors' mean logits must meet, nats; K is then at most so much above its minimum.
const TOLERANCE: f64 = 0.05;
/// Shifts of weight after which the search ends. Any weights give a valid proposal.
const MOST_SHIFTS: usize = 100;

/// A proposal for the transition from one state to one target.
#[derive(Clone, Debug)]
pub struct Tilt {
    /// k.
    pub target: usize,
    /// `(m, lambda_m)` of the other states with weight.
    pub competitors: Vec<(usize, f64)>,
    /// K, at most 0.
    pub log_bound: f64,
}

/// The tilted distribution while its weights are sought.
struct Search<'a> {
    model: &'a Conditionals,
    /// `A_j`, `[D]`.
    source: ArrayView1<'a, f64>,
    /// `sum_m W_im tau_m`, `[D]`.
    tilt: Array1<f64>,
    /// `lambda`, `[L]`.
    lambda: Array1<f64>,
    /// The pixels' means under the tilt, `[D]`.
    pixels: Array1<f64>,
    /// The mean logits `mu`, `[L]`.
    mean: Array1<f64>,
}

/// What all targets of one source share: its untilted means.
pub struct Untilted {
    pixels: Array1<f64>,
    logits: Array1<f64>,
}

impl Untilted {
    /// Of images from q(.|j).
    pub fn new(model: &Conditionals, source: usize) -> Self {
        let pixels = model.means().row(source).to_owned();
        let mut logits = model.forward_bias().clone();
        add_rows(model, &mut logits, pixels.iter().copied());
        Self { pixels, logits }
    }
}

/// The best tilt from a source to a target. Its derivatives are the mean logits under the tilt, `dK/dlambda_m = -mu_m`: weight moves
/// from the competitor with the smallest mean logit to the one with the largest until they meet (pairwise Frank-Wolfe, with the exact
/// step; S. Lacoste-Julien and M. Jaggi, NIPS 2015).
pub fn best_tilt(model: &Conditionals, source: usize, target: usize, untilted: &Untilted) -> Tilt {
    let mut search = Search {
        model,
        source: model.backward().row(source),
        tilt: Array1::zeros(model.visible()),
        lambda: Array1::zeros(model.latent()),
        pixels: untilted.pixels.clone(),
        mean: untilted.logits.clone(),
    };
    search.lambda[target] = 1.0;
    for _ in 0..MOST_SHIFTS {
        let by_mean = |a: &usize, b: &usize| search.mean[*a].total_cmp(&search.mean[*b]);
        let strongest = (0..search.mean.len()).max_by(by_mean).unwrap_or(target);
        let with_weight = (0..search.mean.len()).filter(|&m| search.lambda[m] > 0.0);
        let weakest = with_weight.min_by(by_mean).unwrap_or(target);
        if search.mean[strongest] - search.mean[weakest] <= TOLERANCE {
            break;
        }
        search.shift(weakest, strongest);
    }
    search.finish(target)
}

/// Adds `sum_i c_i W_im` to a vector `[L]`, passing over what is too small to count.
fn add_rows(model: &Conditionals, sum: &mut Array1<f64>, coefficients: impl Iterator<Item = f64>) {
    /// Far below the tolerance for any weights that models have.
    const NOTHING: f64 = 1e-9;
    let Some(sum) = sum.as_slice_mut() else { return };
    for (coefficient, weights) in coefficients.zip(model.forward().rows()) {
        let Some(weights) = weights.to_slice().filter(|_| coefficient.abs() > NOTHING) else {
            continue;
        };
        crate::kernels::vectorized(
            #[inline(always)]
            || sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += coefficient * weight),
        );
    }
}

impl Search<'_> {
    /// Moves weight from one competitor to another, until their mean logits meet or the first has none left.
    fn shift(&mut self, from: usize, to: usize) {
        let forward = self.model.forward();
        let direction = &forward.column(from) - &forward.column(to);
        let bias = self.model.forward_bias();
        let constant = bias[from] - bias[to];
        let logits = &self.source + &self.tilt;
        // The slope of K, the difference of the two mean logits, and its curvature.
        let slope = |shift: f64| {
            let (mut slope, mut curvature) = (constant, 0.0);
            for (logit, direction) in logits.iter().zip(&direction) {
                let p = sigmoid(logit + shift * direction);
                slope += p * direction;
                curvature += p * (1.0 - p) * direction * direction;
            }
            (slope, curvature)
        };
        let all = self.lambda[from];
        let shift = if slope(all).0 <= 0.0 { all } else { zero(slope, all) };
        self.tilt.scaled_add(shift, &direction);
        self.lambda[to] += shift;
        self.lambda[from] = if shift == all { 0.0 } else { all - shift };
        // Most pixels hardly change.
        let pixels = (&self.source + &self.tilt).mapv_into(sigmoid);
        let change = pixels.iter().zip(&self.pixels).map(|(now, before)| now - before);
        add_rows(self.model, &mut self.mean, change);
        self.pixels = pixels;
    }

    fn finish(self, target: usize) -> Tilt {
        let bias = self.model.forward_bias();
        let pixels: f64 = self
            .source
            .iter()
            .zip(&self.tilt)
            .map(|(a, tilt)| softplus(a + tilt) - softplus(*a))
            .sum();
        let competitors = self
            .lambda
            .iter()
            .copied()
            .enumerate()
            .filter(|&(m, lambda)| m != target && lambda > 0.0);
        let competitors: Vec<(usize, f64)> = competitors.collect();
        let constant: f64 = competitors.iter().map(|&(m, lambda)| lambda * (bias[target] - bias[m])).sum();
        Tilt {
            target,
            competitors,
            log_bound: pixels + constant,
        }
    }
}

impl Tilt {
    /// The pixels' logits of the proposal, `[D]`.
    pub fn logits(&self, model: &Conditionals, source: usize) -> Array1<f64> {
        let forward = model.forward();
        let mut logits = model.backward().row(source).to_owned();
        for &(m, lambda) in &self.competitors {
            logits.scaled_add(lambda, &forward.column(self.target));
            logits.scaled_add(-lambda, &forward.column(m));
        }
        logits
    }

    /// `ln q_jk(x) - ln q(x|j)` of an image with logits a.
    pub fn log_ratio(&self, a: &[f64]) -> f64 {
        let tilt: f64 = self.competitors.iter().map(|&(m, lambda)| lambda * (a[self.target] - a[m])).sum();
        tilt - self.log_bound
    }
}

/// Where a rising function between 0 and `end`, negative at the first and positive at the second, is zero: Newton's method, halving
/// where it would leave the bracket.
fn zero(function: impl Fn(f64) -> (f64, f64), end: f64) -> f64 {
    let (mut low, mut high) = (0.0, end);
    let mut at = 0.5 * end;
    for _ in 0..60 {
        let (value, slope) = function(at);
        if value.abs() <= 0.2 * TOLERANCE {
            break;
        }
        if value < 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - value / slope;
        at = if newton > low && newton < high {
            newton
        } else {
            0.5 * (low + high)
        };
    }
    at
}
