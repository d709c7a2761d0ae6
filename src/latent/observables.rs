//! Functions of the state of a chain in its steady state: how they vary, how fast they change, how long they are remembered, which follows which.

use ndarray::{Array1, Array2, Axis};

use super::SteadyState;
use super::fundamental::Fundamental;

/// H functions f of a state y, and their values a step later. Usually y is the state of the chain T itself; in a loop of several layers, one of L states
/// may follow y within the step, by `B`, before the chain T goes on from there.
pub struct Observables<'a> {
    /// The weights of y in the steady state, `[K]`.
    pub weights: Array1<f64>,
    /// f, `[K, H]`.
    pub values: &'a Array2<f64>,
    /// B, `[K, L]`; `None` where y is the state of the chain itself.
    pub onward: Option<&'a Array2<f64>>,
    /// The means of f a step later, given the state of the chain, `[L, H]`.
    pub next: Array2<f64>,
    /// Those of f squared.
    pub next_square: Array2<f64>,
}

/// What [`Observables::moments`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `E f_h`, `[H]`.
    pub mean: Array1<f64>,
    /// `E f_g f_h - E f_g E f_h` at one time, `[H, H]`.
    pub covariance: Array2<f64>,
    /// `C_gh = E f_g(t) f_h(t+1) - E f_g E f_h`, `[H, H]`.
    pub lag_one: Array2<f64>,
    /// `E ( f_h(t+1) - f_h(t) )^2`, `[H]`: of a function that is 0 or 1, the probability that it changes.
    pub square_step: Array1<f64>,
}

impl<'a> Observables<'a> {
    /// Functions f `[L, H]` of the state of a chain.
    pub fn of(steady: &SteadyState, values: &'a Array2<f64>) -> Self {
        let transition = steady.transition();
        Self {
            weights: steady.pi(),
            onward: None,
            next: transition.dot(values),
            next_square: transition.dot(&values.mapv(|value| value * value)),
            values,
        }
    }

    /// Means, covariances at one time and a step apart, and mean square steps.
    pub fn moments(&self) -> Moments {
        let mean = self.weights.dot(self.values);
        let weighted = self.weighted(&mean);
        let (ahead, ahead_square) = (self.ahead(&self.next), self.ahead(&self.next_square));
        let squares = ahead_square + self.values * &(self.values - &ahead * 2.0);
        Moments {
            covariance: weighted.t().dot(&(self.values - &mean)),
            lag_one: weighted.t().dot(&(ahead - &mean)),
            square_step: self.weights.dot(&squares).mapv_into(|square| square.max(0.0)),
            mean,
        }
    }

    /// Integrated correlation times, `[H]`, steps: the variance of a mean over n steps is `2 tau Var f / n` for long n.
    ///
    /// ```text
    /// tau = 1/2 + sum_{t >= 1} C(t) / C(0),      C(t) = E f(0) f(t) - (E f)^2
    /// ```
    ///
    /// Independent values have 1/2; a chain of two states, whose other eigenvalue is l, `(1 + l) / (2 (1 - l))`. It is never negative, and no number where f
    /// does not vary. `later` is `Z ( N - E f )`, [`Observables::deviations`] summed over all later times.
    pub(crate) fn correlation_times(&self, moments: &Moments, later: &Array2<f64>) -> Array1<f64> {
        /// What rounding leaves of the variance of a function that does not vary.
        const NOTHING: f64 = 1e-14;
        let sums = (self.weighted(&moments.mean) * self.ahead(later)).sum_axis(Axis(0));
        let largest = self
            .values
            .map_axis(Axis(0), |column| column.iter().fold(0.0_f64, |most, f| most.max(f * f)));
        let variances = moments.covariance.diag();
        let time = |h: usize| match variances[h] > NOTHING * largest[h] {
            true => (0.5 + sums[h] / variances[h]).max(0.0),
            false => f64::NAN,
        };
        (0..sums.len()).map(time).collect()
    }

    /// `N - E f`, `[L, H]`: what is expected of f a step later, beyond its mean.
    pub(crate) fn deviations(&self, moments: &Moments) -> Array2<f64> {
        &self.next - &moments.mean
    }

    /// `w_y ( f_h(y) - E f_h )`, `[K, H]`.
    fn weighted(&self, mean: &Array1<f64>) -> Array2<f64> {
        (self.values - mean) * self.weights.view().insert_axis(Axis(1))
    }

    /// Means given the chain's state as those given y, `[K, H]`.
    fn ahead(&self, next: &Array2<f64>) -> Array2<f64> {
        match self.onward {
            Some(onward) => onward.dot(next),
            None => next.clone(),
        }
    }
}

impl SteadyState {
    /// Integrated correlation times of functions f `[L, H]` of the state, `[H]`, steps: `tau = 1/2 + sum_{t >= 1} C(t) / C(0)` with
    /// `C(t) = E f(0) f(t) - (E f)^2`, by one linear solve. Independent values have 1/2; no number where f does not vary.
    pub fn correlation_times(&self, values: &Array2<f64>) -> Array1<f64> {
        let observables = Observables::of(self, values);
        let moments = observables.moments();
        let later = Fundamental::of(self).times_columns(&observables.deviations(&moments));
        observables.correlation_times(&moments, &later)
    }
}
