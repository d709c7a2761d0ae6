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
use crate::kernels::exp::sigmoid;
use crate::kernels::vectorized;
use crate::logs::{largest, softplus};

/// How closely the competitors' mean logits must meet, nats; K is then at most so much above its minimum.
const TOLERANCE: f64 = 0.05;
/// Shifts of weight after which the search ends. Any weights give a valid proposal.
const MOST_SHIFTS: usize = 100;
/// States that are followed from the start: those with the largest logits.
const FOLLOWED: usize = 24;
/// A mean, or a change of one, that is too small to count: far below the tolerance for any weights that models have.
const NOTHING: f64 = 1e-7;

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

/// The tilted distribution while its weights are sought. Any weights give a valid proposal: f32 is enough on the way to them.
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
    /// The mean logits `mu`, `[L]`, of the states that are followed.
    mean: Array1<f64>,
    /// The states that may compete; the others are looked at when these agree.
    followed: Followed,
    /// Shifts of weight so far.
    shifts: usize,
}

/// Some states, with their columns of W side by side: W itself is too large for the nearest caches.
#[derive(Clone)]
struct Followed {
    states: Vec<usize>,
    /// `[D, F]`, row by row.
    weights: Vec<f64>,
}

impl Followed {
    fn new(model: &Conditionals, states: Vec<usize>) -> Self {
        let weights = model.forward().rows().into_iter();
        Self {
            weights: weights.flat_map(|row| states.iter().map(move |&m| row[m])).collect(),
            states,
        }
    }

    fn and(&self, model: &Conditionals, more: &[usize]) -> Self {
        let rows = self.weights.chunks_exact(self.states.len()).zip(model.forward().rows());
        let weights = rows.flat_map(|(weights, row)| weights.iter().copied().chain(more.iter().map(move |&m| row[m])));
        Self {
            weights: weights.collect(),
            states: self.states.iter().chain(more).copied().collect(),
        }
    }
}

/// What all targets of one source share: its untilted means.
pub struct Untilted {
    pixels: Array1<f64>,
    logits: Array1<f64>,
    /// The states with the largest logits.
    strongest: Followed,
}

impl Untilted {
    /// Of images from q(.|j).
    pub fn new(model: &Conditionals, source: usize) -> Self {
        let pixels = model.means().row(source).to_owned();
        let logits = mean_logits(model, &pixels);
        Self {
            strongest: Followed::new(model, strongest((0..logits.len()).collect(), &logits)),
            pixels,
            logits,
        }
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
        followed: match untilted.strongest.states.contains(&target) {
            true => untilted.strongest.clone(),
            false => untilted.strongest.and(model, &[target]),
        },
        shifts: 0,
    };
    search.lambda[target] = 1.0;
    loop {
        search.settle();
        if search.shifts == MOST_SHIFTS || !search.follow_more() {
            return search.finish(target);
        }
    }
}

/// Of some states, those with the largest logits, the largest first.
fn strongest(mut states: Vec<usize>, logits: &Array1<f64>) -> Vec<usize> {
    states.sort_unstable_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    states.truncate(FOLLOWED);
    states
}

/// `sum_i mu_i W_im + b_m` of pixels with these means, `[L]`.
fn mean_logits(model: &Conditionals, pixels: &Array1<f64>) -> Array1<f64> {
    let mut logits = model.forward_bias().clone();
    let Some(sums) = logits.as_slice_mut() else { return logits };
    for (&mean, weights) in pixels.iter().zip(model.forward().rows()) {
        let Some(weights) = weights.to_slice().filter(|_| mean > NOTHING) else {
            continue;
        };
        vectorized(
            #[inline(always)]
            || sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += mean * weight),
        );
    }
    logits
}

impl Search<'_> {
    /// Shifts weight among the states that are followed until their mean logits meet.
    fn settle(&mut self) {
        while self.shifts < MOST_SHIFTS {
            let states = &self.followed.states;
            let by_mean = |a: &usize, b: &usize| self.mean[states[*a]].total_cmp(&self.mean[states[*b]]);
            let with_weight = (0..states.len()).filter(|&place| self.lambda[states[place]] > 0.0);
            let (Some(strongest), Some(weakest)) = ((0..states.len()).max_by(by_mean), with_weight.min_by(by_mean)) else {
                return;
            };
            if self.mean[states[strongest]] - self.mean[states[weakest]] <= TOLERANCE {
                return;
            }
            self.shift(weakest, strongest);
            self.shifts += 1;
        }
    }

    /// Looks at all states, and follows those that are stronger than any that was followed; false if there are none.
    fn follow_more(&mut self) -> bool {
        self.mean = mean_logits(self.model, &self.pixels);
        let largest = largest(self.followed.states.iter().map(|&m| self.mean[m]));
        let stronger = (0..self.mean.len()).filter(|&m| self.mean[m] > largest + TOLERANCE);
        let more = strongest(stronger.collect(), &self.mean);
        if !more.is_empty() {
            self.followed = self.followed.and(self.model, &more);
        }
        !more.is_empty()
    }

    /// Moves weight from one competitor to another, given by their places among those that are followed, until their mean logits meet or the first has none left.
    fn shift(&mut self, from_place: usize, to_place: usize) {
        let Followed { states, weights } = &self.followed;
        let (from, to) = (states[from_place], states[to_place]);
        let direction: Array1<f64> = weights
            .chunks_exact(states.len())
            .map(|row| row[from_place] - row[to_place])
            .collect();
        let bias = self.model.forward_bias();
        let constant = bias[from] - bias[to];
        let narrow = |numbers: &Array1<f64>| numbers.iter().map(|&number| number as f32).collect::<Vec<f32>>();
        let (logits, steps) = (narrow(&(&self.source + &self.tilt)), narrow(&direction));
        // The slope of K, the difference of the two mean logits, and its curvature.
        let slope = |shift: f64| {
            let (slope, curvature) = sums_along(&logits, &steps, shift as f32);
            (constant + slope, curvature)
        };
        let all = self.lambda[from];
        let shift = if slope(all).0 <= 0.0 { all } else { zero(slope, all) };
        self.tilt.scaled_add(shift, &direction);
        self.lambda[to] += shift;
        self.lambda[from] = if shift == all { 0.0 } else { all - shift };
        let mut changes = vec![0.0; states.len()];
        let mut moved = logits;
        vectorized(
            #[inline(always)]
            || {
                // All at first, so that the compiler may take several at a time.
                for (logit, step) in moved.iter_mut().zip(&steps) {
                    *logit = sigmoid(*logit + shift as f32 * step).0;
                }
                for ((now, pixel), weights) in moved.iter().zip(&mut self.pixels).zip(weights.chunks_exact(states.len())) {
                    let now = f64::from(*now);
                    let change = now - *pixel;
                    // Most pixels hardly change.
                    if change.abs() > NOTHING {
                        *pixel = now;
                        for (sum, weight) in changes.iter_mut().zip(weights) {
                            *sum += change * weight;
                        }
                    }
                }
            },
        );
        for (&m, change) in states.iter().zip(changes) {
            self.mean[m] += change;
        }
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

/// `sum_i p_i d_i` and `sum_i p_i (1 - p_i) d_i^2` with `p_i = s( a_i + shift d_i )`.
fn sums_along(logits: &[f32], steps: &[f32], shift: f32) -> (f64, f64) {
    /// Sums side by side, which the compiler may keep in one register.
    const LANES: usize = 16;
    let (mut slopes, mut curvatures) = ([0.0f32; LANES], [0.0f32; LANES]);
    vectorized(
        #[inline(always)]
        || {
            for (logits, steps) in logits.chunks(LANES).zip(steps.chunks(LANES)) {
                for (lane, (logit, step)) in logits.iter().zip(steps).enumerate() {
                    let (p, _) = sigmoid(logit + shift * step);
                    slopes[lane] += p * step;
                    curvatures[lane] += p * (1.0 - p) * step * step;
                }
            }
        },
    );
    let sum = |lanes: [f32; LANES]| lanes.iter().map(|&lane| f64::from(lane)).sum();
    (sum(slopes), sum(curvatures))
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
