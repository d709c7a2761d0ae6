//! The entropy that a path produces, and its distribution: the fluctuation theorems.
//!
//! A path of n steps in the steady state, seen with its end points, produces
//!
//! ```text
//! s = ln [ pi_z0 T_z0z1 ... T_z(n-1)zn / ( pi_zn T_znz(n-1) ... T_z1z0 ) ]  =  sum_t ln( F_z(t)z(t+1) / F_z(t+1)z(t) ),     F_ij = pi_i T_ij
//! ```
//!
//! nats: the logarithm of how much more probable it is than its reverse. The reverse has -s, so that
//!
//! ```text
//! P(s) = e^s P(-s)            detailed theorem
//! < e^-s > = 1 - lambda       integral theorem;     <s> = n sigma >= 0
//! ```
//!
//! lambda is the probability of paths whose reverse never happens: 0 where every step has a way back (U. Seifert, Phys. Rev. Lett. 95, 040602 (2005);
//! for lambda Y. Murashita, K. Funo and M. Ueda, Phys. Rev. E 90, 042110 (2014)).

use super::SteadyState;

/// How the entropy of one step is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepFluctuations {
    /// `<s> = sigma`, nats per step; infinite where a step has no way back.
    pub mean: f64,
    /// Of s, nats^2; infinite as the mean is.
    pub variance: f64,
    /// P(s < 0): how often a step goes against the arrow of time.
    pub negative: f64,
    /// P(s = 0), steps that stay among them.
    pub zero: f64,
    /// P(s = infinity): steps that have no way back.
    pub one_way: f64,
    /// `< e^-s >`.
    pub integral: f64,
}

impl SteadyState {
    /// `s = ln( F_ij / F_ji )` of a step from i to j, nats; infinite where there is no way back.
    pub fn step_entropy(&self, i: usize, j: usize) -> f64 {
        self.log_flux_ratio(i, j)
    }

    /// s of a path, by its states.
    pub fn path_entropy(&self, states: &[usize]) -> f64 {
        states.windows(2).map(|step| self.step_entropy(step[0], step[1])).sum()
    }

    /// All steps that happen: s of each and its probability.
    pub fn step_entropies(&self) -> impl Iterator<Item = (f64, f64)> {
        let states = self.states();
        let pairs = (0..states).flat_map(move |i| (0..states).map(move |j| (i, j)));
        let happens = pairs.filter(|&(i, j)| self.log_flux(i, j) > f64::NEG_INFINITY);
        happens.map(|(i, j)| (self.step_entropy(i, j), self.log_flux(i, j).exp()))
    }

    /// The distribution of one step's entropy, from all L^2 of its values.
    pub fn step_fluctuations(&self) -> StepFluctuations {
        let mut found = StepFluctuations::default();
        let mut square = 0.0;
        for (s, probability) in self.step_entropies() {
            let reversed = if s == f64::INFINITY { 0.0 } else { (probability.ln() - s).exp() };
            found.integral += if probability > 0.0 { reversed } else { 0.0 };
            if s == f64::INFINITY {
                found.one_way += probability;
            } else if s < 0.0 {
                found.negative += probability;
            } else if s == 0.0 {
                found.zero += probability;
            }
            // A step too rare for f64 counts nowhere.
            if probability > 0.0 {
                found.mean += probability * s;
                square += probability * s * s;
            }
        }
        found.variance = if found.mean.is_finite() {
            square - found.mean * found.mean
        } else {
            f64::INFINITY
        };
        found
    }
}

/// P(s) in bins beside `e^s P(-s)`, which the detailed theorem makes equal to it. Bins are as many on both sides of 0; s = 0 is in none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Of a bin, nats.
    pub width: f64,
    /// Of the bins from the most negative on.
    pub probability: Vec<f64>,
    /// `e^s P(-s)` of the same bins: every value of s counts with its own e^s.
    pub mirrored: Vec<f64>,
}

impl Histogram {
    /// Empty, with so many bins on each side of 0.
    pub fn new(width: f64, side: usize) -> Self {
        Self {
            width,
            probability: vec![0.0; 2 * side],
            mirrored: vec![0.0; 2 * side],
        }
    }

    /// Some steps or paths.
    pub fn of(width: f64, side: usize, entropies: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut histogram = Self::new(width, side);
        entropies.for_each(|(s, probability)| histogram.add(s, probability));
        histogram
    }

    /// The bin of s; `None` for 0 and beyond the ends.
    pub fn bin(&self, s: f64) -> Option<usize> {
        let side = self.probability.len() / 2;
        let place = (s.abs() / self.width).floor();
        if s == 0.0 || !(0.0..side as f64).contains(&place) {
            return None;
        }
        let place = place as usize;
        Some(if s > 0.0 { side + place } else { side - 1 - place })
    }

    /// Counts a value with its probability.
    pub fn add(&mut self, s: f64, probability: f64) {
        if let Some(bin) = self.bin(s) {
            self.probability[bin] += probability;
            let last = self.mirrored.len() - 1;
            self.mirrored[last - bin] += probability * (-s).exp();
        }
    }

    /// The middle of a bin, nats.
    pub fn middle(&self, bin: usize) -> f64 {
        (bin as f64 + 0.5 - 0.5 * self.probability.len() as f64) * self.width
    }

    /// The width of bins that leaves at most one part in a hundred of what is not zero beyond the ends, of so many bins on a side.
    pub fn width_for(side: usize, entropies: impl Iterator<Item = (f64, f64)>) -> f64 {
        /// |s| by powers of two, four bins to each, from 2^-50 to 2^14.
        const FIRST: f64 = -200.0;
        let mut weights = [0.0; 256];
        for (s, probability) in entropies.filter(|(s, _)| *s != 0.0 && s.is_finite()) {
            let place = (4.0 * s.abs().log2()).ceil() - FIRST;
            weights[place.clamp(0.0, 255.0) as usize] += probability;
        }
        let beyond = 0.01 * weights.iter().sum::<f64>();
        let mut left = 0.0;
        let last = (1..256).rev().find(|&place| {
            left += weights[place];
            left > beyond
        });
        ((last.unwrap_or(200) as f64 + FIRST) / 4.0).exp2() / side as f64
    }
}

/// The exponent a of `P(s) = e^(a s) P(-s)` that some values of s say, by maximum likelihood, and its standard error; by the detailed theorem it is 1.
///
/// Given |s|, the sign is positive with probability `1 / (1 + e^(-a|s|))`, so that values far from 0 say nothing: what is known is
/// `sum s^2 p (1 - p)`. `None` where the error is above 1/5.
pub fn exponent(entropies: &[f64]) -> Option<(f64, f64)> {
    const ROUNDS: usize = 50;
    const LEAST_INFORMATION: f64 = 25.0;
    // The first and second derivative of the log-likelihood.
    let derivatives = |a: f64| {
        entropies
            .iter()
            .filter(|s| s.is_finite())
            .fold((0.0, 0.0), |(slope, curvature), &s| {
                let wrong = 1.0 / (1.0 + (a * s).exp());
                (slope + s * wrong, curvature + s * s * wrong * (1.0 - wrong))
            })
    };
    if derivatives(1.0).1 < LEAST_INFORMATION {
        return None;
    }
    let mut a = 0.0_f64;
    for _ in 0..ROUNDS {
        let (slope, curvature) = derivatives(a);
        let step = (slope / curvature).clamp(-0.5, 0.5);
        a += step;
        if !a.is_finite() || a.abs() > 20.0 {
            return None;
        }
        if step.abs() < 1e-10 * (1.0 + a.abs()) {
            return Some((a, derivatives(a).1.sqrt().recip()));
        }
    }
    None
}
