//! A factor of a latent state: one of its independent parts, with the codes of its values.

use ndarray::{ArrayView1, ArrayViewMut1};

/// One of the independent parts that a latent state is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Factor {
    /// One of some values, each with a logit of its own: value s has the unit vector e_s as its code.
    OneHot(usize),
    /// A binary unit, off or on: its code is the number 0 or 1.
    Unit,
    /// A coordinate of a Gaussian latent: its code is one of some points, evenly spaced in [-range, range], and g = -c^2/2.
    Axis {
        /// Points.
        points: usize,
        /// The largest coordinate.
        range: f64,
    },
}

impl Factor {
    /// S, the number of its values.
    pub fn values(self) -> usize {
        match self {
            Self::OneHot(values) => values,
            Self::Unit => 2,
            Self::Axis { points, .. } => points,
        }
    }

    /// How many numbers its code takes.
    pub fn width(self) -> usize {
        match self {
            Self::OneHot(values) => values,
            Self::Unit | Self::Axis { .. } => 1,
        }
    }

    /// Component h of the code of a value.
    pub fn code(self, value: usize, h: usize) -> f64 {
        match self {
            Self::OneHot(_) => f64::from(u8::from(value == h)),
            Self::Unit => value as f64,
            Self::Axis { points, range } => {
                // Symmetric to the last bit.
                let last = (points - 1) as f64;
                range * (2.0 * value as f64 - last) / last
            }
        }
    }

    /// Are the components of its code 0 or 1?
    pub fn is_on_or_off(self) -> bool {
        matches!(self, Self::OneHot(_) | Self::Unit)
    }

    /// g of a value: what is added to its logit.
    pub fn log_weight(self, value: usize) -> f64 {
        match self {
            Self::OneHot(_) | Self::Unit => 0.0,
            Self::Axis { .. } => -0.5 * self.code(value, 0).powi(2),
        }
    }

    /// `c_s . l` of every value s, `[S]`, of logits l `[width]`.
    pub(super) fn spread(self, logits: ArrayView1<f64>, mut values: ArrayViewMut1<f64>) {
        match self {
            Self::OneHot(_) => values.assign(&logits),
            Self::Unit | Self::Axis { .. } => {
                for (value, spread) in values.iter_mut().enumerate() {
                    *spread = self.code(value, 0) * logits[0];
                }
            }
        }
    }

    /// `sum_s w_s c_s`, `[width]`, of weights w `[S]`.
    pub(super) fn gather(self, weights: ArrayView1<f64>, mut sums: ArrayViewMut1<f64>) {
        match self {
            Self::OneHot(_) => sums.assign(&weights),
            Self::Unit | Self::Axis { .. } => {
                let terms = weights.iter().enumerate().map(|(value, weight)| weight * self.code(value, 0));
                sums[0] = terms.sum();
            }
        }
    }
}
