//! What the units of a latent layer do: how often they are on, how fast they flip, which fires with which and after which, and which of them produce entropy.

mod compute;
mod draws;
mod figures;

use ndarray::{Array2, Axis, s};
use serde::Serialize;

pub use self::compute::{left_out, of};
use super::files;
use crate::codes::{Codes, Layer};
use crate::estimate::jackknife::Figure;
use crate::model::Parameters;

/// The most components of codes, of all layers together, that are looked at: beyond, tables of pairs say nothing to the eye and take minutes.
pub const MOST_COMPONENTS: usize = 256;
/// The most pairs that are listed.
const MOST_PAIRS: usize = 12;

/// The units of a model's latent layers, and what the steps between the layers of a deeper chain produce.
pub struct Found {
    /// For every layer that has units.
    pub units: Option<Vec<LayerUnits>>,
    /// Of a deeper chain.
    pub layers: Option<Loop>,
}

/// The units of one latent layer: binary units, groups, or the axes of a grid.
#[derive(Clone, Debug, Serialize)]
pub struct LayerUnits {
    /// The layer's number, the one next to x on the way up being 1.
    pub layer: usize,
    /// What the layer is, as in a configuration.
    pub kind: String,
    /// Its independent parts.
    pub units: Vec<Unit>,
    /// What the units carry of the path entropy production, together; nats per step. Absent in a layer between others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_entropy_production: Option<Figure>,
    /// The components of the code, in the order of the tables: units, values of groups, axes.
    pub components: Vec<String>,
    /// `E s_g s_h - E s_g E s_h` at one time, `[H, H]`.
    #[serde(serialize_with = "files::matrix")]
    pub covariance: Array2<f64>,
    /// `C_gh = E s_g(t) s_h(t+1) - E s_g E s_h`, `[H, H]`.
    #[serde(serialize_with = "files::matrix")]
    pub lag_one: Array2<f64>,
    /// Its standard error; zero where it is exact.
    #[serde(serialize_with = "files::matrix")]
    pub lag_one_error: Array2<f64>,
    /// The current between components, `J_gh = C_gh - C_hg`, twice the antisymmetric part of C: zero in equilibrium, as is that between states.
    #[serde(serialize_with = "files::matrix")]
    pub current: Array2<f64>,
    /// Its standard error; zero where it is exact.
    #[serde(serialize_with = "files::matrix")]
    pub current_error: Array2<f64>,
    /// Components of different units with the largest covariance at one time, by size: those that fire together, or not together where it is negative.
    pub together: Vec<Pair>,
    /// Components with the largest currents: the first fires before the second more often than after it.
    pub after: Vec<Pair>,
    /// Pairs whose current these draws can tell from zero, and all pairs.
    pub resolved: (usize, usize),
}

/// Two components.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// By its place in the list of components.
    pub first: usize,
    /// Likewise.
    pub second: usize,
    /// The covariance, or the current from the first to the second.
    pub value: Figure,
}

/// An independent part of a latent state.
#[derive(Clone, Debug, Serialize)]
pub struct Unit {
    /// As "unit 3", "group 1" or "axis 0".
    pub name: String,
    /// The probability that its value changes in a step; absent on an axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<Figure>,
    /// `E (c' - c)^2` of an axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_square_step: Option<Figure>,
    /// What it carries of the path entropy production, nats per step: with `V = W - A^T`, over its components h,
    ///
    /// ```text
    /// sigma_unit = sum_h E[ (c_z' - c_z)_h (V^T x)_h ],      z ~ pi,  x ~ q(.|z),  z' ~ p(.|x)
    /// ```
    ///
    /// These sum to the whole, and each may be negative. In a deeper chain the units of the first layer carry what W does, those of the last what A
    /// does ([`Loop`]), and those between carry nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_entropy_production: Option<Figure>,
    /// Its components: one, or one for each value of a group.
    pub components: Vec<Component>,
}

/// A component of a code.
#[derive(Clone, Debug, Serialize)]
pub struct Component {
    /// The unit's number, with the value of a group after a point.
    pub name: String,
    /// `E c_h`: the probability that it is on; on an axis, the mean coordinate.
    pub activity: Figure,
    /// The integrated correlation time, steps: `1/2 + sum_{t>=1} C_hh(t) / C_hh(0)`, which is 1/2 where every step is independent of the last.
    pub correlation_time: Figure,
    /// The angle between what it looks for, its column of W, and what it draws, its row of A, degrees: zero in a machine in equilibrium. Of a group's
    /// values, both less their means over the group, which alone matter. Only where one layer has both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub angle: Option<f64>,
}

/// What the steps of the loop `z_n -> x -> z_1 -> ... -> z_n'` of a deeper chain contribute to the path entropy production with all layers seen.
///
/// All latent layers at a time are one state `w = (z_1, ..., z_n)` with the steady state `mu(w)`, and images lie between: `w -> x -> w'` is a Markov chain with
/// `P(w, x, w') = mu(w) q(x|z_n) p(z_1'|x) M(z_2'|z_1') ... M(z_n'|z_{n-1}')`. Its path entropy production compares P with the same path run backwards,
///
/// ```text
/// sigma = E[ ln P(w, x, w') / P(w', x, w) ]
///       = E[ ln q(x|z_n) / q(x|z_n') ] + E[ ln p(z_1'|x) / p(z_1|x) ] + sum_l E[ ln M(z_l+1'|z_l') / M(z_l+1|z_l) ]
/// ```
///
/// a Kullback-Leibler divergence, zero if and only if the chain of w and x is reversible. It is at least the path entropy production of the last layer, which
/// sums over the others. The last terms are a function of w' less the same function of w: steps between layers contribute nothing on average, and all of
/// sigma is made where an image is drawn and where it is looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Loop {
    /// In the order of the loop.
    pub steps: Vec<Step>,
    /// Their sum, nats per step of the whole loop.
    pub path_entropy_production: Figure,
    /// How much of it is not seen in the last layer and the images alone.
    pub hidden: Figure,
}

/// A step of the loop.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Where it starts: "x" or a layer, as "z_1".
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// Nats per step of the whole loop.
    pub path_entropy_production: Figure,
}

/// What each component of the first latent layer looks for and what each of the last draws: columns of W and rows of A, `[H, D]`. Of a group's values, less
/// their means over the group.
pub fn weights(parameters: &Parameters) -> [Array2<f64>; 2] {
    let centred = |layer: &Layer, mut rows: Array2<f64>| {
        for (_, place, _) in Codes::of(layer).factors().filter(|(_, place, _)| place.len() > 1) {
            let mut of_group = rows.slice_mut(s![place.clone(), ..]);
            let mean = of_group.sum_axis(Axis(0)) / place.len() as f64;
            of_group -= &mean;
        }
        rows
    };
    [
        centred(parameters.layers.first(), parameters.forward.t().mapv(f64::from)),
        centred(parameters.layers.last(), parameters.backward.mapv(f64::from)),
    ]
}
