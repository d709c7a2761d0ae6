//! What a latent layer is: the codes of its states.
//!
//! Both matrices act on codes. State k of a layer has a fixed code c_k in R^H, a row of C `[L, H]`, and a fixed log-weight g_k:
//!
//! ```text
//! forward    p(k|x) = softmax_k( (x W + b) . c_k + g_k )                               W [D, H],  b [H]
//! backward   q(x|k) = prod_i s(A~_ki)^x_i (1 - s(A~_ki))^(1 - x_i),  A~ = a + C A      a [D],     A [H, D]
//! ```
//!
//! | layer | its codes | p(z\|x) |
//! |---|---|---|
//! | one-hot | C = 1, g = 0 | the softmax of L logits |
//! | binary | all words of H bits, g = 0 | H independent units |
//! | groups | a unit vector for each group, g = 0 | independent groups, in each the softmax of its logits |
//! | grid | points of `[-R, R]^H`, g = -c^2/2 | N(z; x W + b, 1), on the points |
//!
//! A state is made of [`Factor`]s that are independent given x: one for a one-hot layer, one for each unit, group or axis. That is all that
//! tells layers apart: C, g, the normalizer of p and its draws follow from the factors. State k stands for the values of its factors in row-major
//! order, the last factor running fastest, as `numpy.ravel_multi_index` counts.
//!
//! To *spread* is to go from H logits to L, `l -> C l`; to *gather* is the transpose, `w -> C^T w`, which takes a gradient back.

mod check;
mod factor;
mod names;
mod sums;
mod text;
mod written;

use std::ops::{Add, Range};

use ndarray::{Array1, Array2, ArrayView1, s};

pub use self::check::LayersError;
pub use self::factor::Factor;
pub(crate) use self::written::{TABLE_KEYS, WrittenLayers, keys_of_kind};
use crate::logs::{largest, log_softmax_rows, logsumexp};

/// The most states of a one-hot layer.
pub const MOST_ONE_HOT: usize = 10_000;
/// The most states of a layer that is not one-hot, where they are listed.
pub const MOST_STATES: usize = 4096;
/// The most binary units of a layer whose states are not listed.
pub const MOST_UNITS: usize = 4096;
/// The most layers of a chain.
pub const MOST_LAYERS: usize = 8;

/// A latent layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// One of L states, without any structure.
    OneHot {
        /// L.
        states: usize,
    },
    /// Binary units: `L = 2^units`.
    Binary {
        /// H.
        units: usize,
    },
    /// Categorical units: L is the product of their sizes.
    Groups {
        /// The number of values of each.
        sizes: Vec<usize>,
    },
    /// A continuous latent space with Gaussian noise, on a grid: `L = points^dimensions`.
    Grid {
        /// H.
        dimensions: usize,
        /// Points along each axis.
        points: usize,
        /// R, the largest coordinate.
        range: f64,
    },
}

impl Layer {
    /// The factors of a state.
    pub fn factors(&self) -> Vec<Factor> {
        match self {
            Self::OneHot { states } => vec![Factor::OneHot(*states)],
            Self::Binary { units } => vec![Factor::Unit; *units],
            Self::Groups { sizes } => sizes.iter().map(|&size| Factor::OneHot(size)).collect(),
            Self::Grid { dimensions, points, range } => {
                let axis = Factor::Axis {
                    points: *points,
                    range: *range,
                };
                vec![axis; *dimensions]
            }
        }
    }

    /// L, the number of states; `usize::MAX` where that is more than can be counted.
    pub fn states(&self) -> usize {
        if let Self::Binary { units } = self {
            return 1_usize.checked_shl((*units).min(64) as u32).unwrap_or(usize::MAX);
        }
        let sizes = self.factors().into_iter().map(Factor::values);
        sizes.fold(1, usize::saturating_mul)
    }

    /// Are its states few enough to be listed?
    pub fn is_listed(&self) -> bool {
        self.is_one_hot() || self.states() <= MOST_STATES
    }

    /// H, the number of components of a code.
    pub fn width(&self) -> usize {
        self.factors().into_iter().map(Factor::width).sum()
    }

    /// Is C the identity?
    pub fn is_one_hot(&self) -> bool {
        matches!(self, Self::OneHot { .. })
    }

    /// Do codes of every state sum to a constant? Then A holds what a bias of the pixels would add.
    pub fn spans_constant(&self) -> bool {
        self.factors().iter().any(|factor| matches!(factor, Factor::OneHot(_)))
    }
}

/// The latent layers of a chain, the one next to x on the way up first; images are drawn from the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// One layer or more.
    pub fn new(layers: Vec<Layer>) -> Option<Self> {
        (!layers.is_empty()).then_some(Self(layers))
    }

    /// The one-hot layer of L states.
    pub fn one_hot(states: usize) -> Self {
        Self(vec![Layer::OneHot { states }])
    }

    /// All of them.
    pub fn all(&self) -> &[Layer] {
        &self.0
    }

    /// The layer that images lead to.
    pub fn first(&self) -> &Layer {
        &self.0[0]
    }

    /// The layer that images are drawn from.
    pub fn last(&self) -> &Layer {
        &self.0[self.0.len() - 1]
    }

    /// L, the number of states that images are drawn from.
    pub fn states(&self) -> usize {
        self.last().states()
    }

    /// H of a single layer of binary units.
    pub fn binary_units(&self) -> Option<usize> {
        match self.all() {
            [Layer::Binary { units }] => Some(*units),
            _ => None,
        }
    }

    /// Are the states of every layer few enough to be listed?
    pub fn are_listed(&self) -> bool {
        self.all().iter().all(Layer::is_listed)
    }

    /// Is it a single one-hot layer?
    pub fn is_one_hot(&self) -> bool {
        self.0.len() == 1 && self.first().is_one_hot()
    }
}

/// The codes of a layer, ready for use on the host.
#[derive(Clone, Debug)]
pub struct Codes {
    factors: Vec<Factor>,
}

impl Codes {
    /// Those of a layer.
    pub fn of(layer: &Layer) -> Self {
        Self { factors: layer.factors() }
    }

    /// Is C the identity?
    pub fn is_one_hot(&self) -> bool {
        matches!(self.factors[..], [Factor::OneHot(_)])
    }

    /// The factors, with the place of each one's logits among all H, and of its values among those of all factors.
    pub fn factors(&self) -> impl DoubleEndedIterator<Item = (Factor, Range<usize>, Range<usize>)> {
        let mut places = Vec::new();
        let (mut logits, mut values) = (0, 0);
        for &factor in &self.factors {
            places.push((factor, logits..logits + factor.width(), values..values + factor.values()));
            logits += factor.width();
            values += factor.values();
        }
        places.into_iter()
    }

    /// The points along each axis, where the states are the points of a line or a plane.
    pub fn axes(&self) -> Option<Vec<Vec<f64>>> {
        let of_factor = |factor: &Factor| match *factor {
            Factor::Axis { points, .. } => Some((0..points).map(|point| factor.code(point, 0)).collect()),
            Factor::OneHot(_) | Factor::Unit => None,
        };
        self.factors.iter().map(of_factor).collect()
    }

    /// L.
    pub fn states(&self) -> usize {
        self.factors.iter().map(|factor| factor.values()).product()
    }

    /// H.
    pub fn width(&self) -> usize {
        self.factors.iter().map(|factor| factor.width()).sum()
    }

    /// V, the values of all factors together.
    pub fn values(&self) -> usize {
        self.factors.iter().map(|factor| factor.values()).sum()
    }

    /// C, `[L, H]`.
    pub fn matrix(&self) -> Array2<f64> {
        self.spread_columns(&Array2::eye(self.width()))
    }

    /// g, `[L]`.
    pub fn log_weights(&self) -> Array1<f64> {
        let mut log_weights = vec![0.0; self.states()];
        self.combine(
            self.value_log_weights().as_slice().unwrap_or_default(),
            0.0,
            f64::add,
            &mut log_weights,
        );
        log_weights.into()
    }

    /// g of the values of all factors, `[V]`.
    pub fn value_log_weights(&self) -> Array1<f64> {
        let values = self
            .factors
            .iter()
            .flat_map(|&factor| (0..factor.values()).map(move |value| factor.log_weight(value)));
        values.collect()
    }

    /// `c_k . l` of every state k, `[N, L]`, of N rows of logits l `[N, H]`.
    pub fn spread_rows(&self, logits: Array2<f64>) -> Array2<f64> {
        if self.is_one_hot() {
            return logits;
        }
        self.by_rows(&logits, |logits| self.of_values(logits))
    }

    /// `ln p(k) = ln softmax_k( c_k . l + g_k )` of every state k, `[N, L]`, of N rows of logits l `[N, H]`: the product of the factors' own.
    pub fn log_softmax_rows(&self, logits: Array2<f64>) -> Array2<f64> {
        if self.is_one_hot() {
            return log_softmax_rows(logits);
        }
        let log_weights = self.value_log_weights();
        self.by_rows(&logits, |logits| {
            let mut values = self.of_values(logits) + &log_weights;
            for (_, _, place) in self.factors() {
                let mut of_factor = values.slice_mut(s![place]);
                // In two steps, so that huge logits do not cost the probabilities their digits.
                of_factor -= largest(of_factor.iter().copied());
                of_factor -= logsumexp(of_factor.view());
            }
            values
        })
    }

    /// `C m`, `[L, M]`, of m `[H, M]`.
    pub fn spread_columns(&self, matrix: &Array2<f64>) -> Array2<f64> {
        let transposed = self.by_rows(&matrix.t().to_owned(), |column| self.of_values(column));
        transposed.t().as_standard_layout().into_owned()
    }

    /// The sums over factors, `[N, L]`, of what `of_row` makes of each row of logits for the values of all factors, `[V]`.
    fn by_rows(&self, logits: &Array2<f64>, of_row: impl Fn(ArrayView1<f64>) -> Array1<f64>) -> Array2<f64> {
        let mut states = Array2::zeros((logits.nrows(), self.states()));
        for (logits, mut states) in logits.rows().into_iter().zip(states.rows_mut()) {
            let values = of_row(logits);
            let states = states.as_slice_mut().unwrap_or_default();
            self.combine(values.as_slice().unwrap_or_default(), 0.0, f64::add, states);
        }
        states
    }

    /// `sum_k w_k c_k`, `[H]`, of weights w `[L]`.
    pub fn gather(&self, weights: ArrayView1<f64>) -> Array1<f64> {
        let mut sums = Array1::zeros(self.width());
        let mut weights = weights.to_vec();
        // The last factor runs fastest: it is summed over first.
        for (factor, logits, _) in self.factors().rev() {
            let mut by_value = Array1::zeros(factor.values());
            let of_others = weights.chunks_exact(factor.values()).map(|weights| {
                by_value.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                weights.iter().sum()
            });
            weights = of_others.collect();
            factor.gather(by_value.view(), sums.slice_mut(s![logits]));
        }
        sums
    }

    /// `sum_k w_nk c_k`, `[N, H]`, of N rows of weights w `[N, L]`.
    pub fn gather_rows(&self, weights: &Array2<f64>) -> Array2<f64> {
        let mut sums = Array2::zeros((weights.nrows(), self.width()));
        for (weights, mut sums) in weights.rows().into_iter().zip(sums.rows_mut()) {
            sums.assign(&self.gather(weights));
        }
        sums
    }

    /// The smallest and the largest of `c_k . l` over all states, of logits l `[H]`.
    pub fn extremes(&self, logits: &[f64]) -> (f64, f64) {
        let values = self.of_values(logits.into());
        let of_factors = self.factors().map(|(_, _, place)| {
            let extremes = (f64::MAX, f64::MIN);
            values
                .slice(s![place])
                .fold(extremes, |(least, most), term| (least.min(*term), most.max(*term)))
        });
        of_factors.fold((0.0, 0.0), |(least, most), factor| (least + factor.0, most + factor.1))
    }

    /// The largest of `sum_h |c_kh| s_h` over all states, of sizes s `[H]`, none of them negative.
    pub fn largest(&self, sizes: &[f64]) -> f64 {
        let of_factors = self.factors().map(|(factor, place, _)| {
            let largest = sizes[place].iter().copied().fold(0.0, f64::max);
            match factor {
                Factor::OneHot(_) | Factor::Unit => largest,
                Factor::Axis { range, .. } => range * largest,
            }
        });
        of_factors.sum()
    }

    /// The values of the factors of a state.
    pub fn values_of(&self, mut state: usize) -> Vec<usize> {
        let mut values: Vec<usize> = self
            .factors
            .iter()
            .rev()
            .map(|factor| {
                let value = state % factor.values();
                state /= factor.values();
                value
            })
            .collect();
        values.reverse();
        values
    }

    /// `c_s . l` of the values of all factors, `[V]`, of logits l `[H]`.
    fn of_values(&self, logits: ArrayView1<f64>) -> Array1<f64> {
        let mut values = Array1::zeros(self.values());
        for (factor, from, to) in self.factors() {
            factor.spread(logits.slice(s![from]), values.slice_mut(s![to]));
        }
        values
    }

    /// What each state has, `[L]`: `start` joined with what the values of its factors have, `[V]`.
    fn combine(&self, values: &[f64], start: f64, join: impl Fn(f64, f64) -> f64, states: &mut [f64]) {
        states[0] = start;
        let (mut filled, mut first) = (1, 0);
        for factor in &self.factors {
            let of_factor = &values[first..first + factor.values()];
            // From the end, so that what is written lies behind what is still to be read.
            for before in (0..filled).rev() {
                let joined = states[before];
                let after = &mut states[before * of_factor.len()..][..of_factor.len()];
                after
                    .iter_mut()
                    .zip(of_factor)
                    .for_each(|(state, &value)| *state = join(joined, value));
            }
            filled *= of_factor.len();
            first += of_factor.len();
        }
    }
}
