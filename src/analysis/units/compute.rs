//! What a kernel, from all draws or all but one group's, says of units and layers.
//!
//! Of the path entropy production with all latent layers seen ([`super::Loop`]), those parts that are a function of the state before less the same function of the state
//! after have mean zero. With p^ the mean code of the first layer given x, s^ that given z, the last layer's state that x was drawn from, and r^ the mean code of the
//! last layer given x, what is left is
//!
//! ```text
//! sigma = sum_h E[ (p^ - s^)_h (x W)_h ] + sum_h E[ (c_z - r^)_h (x A^T)_h ],      z ~ pi,  x ~ q(.|z)
//! ```
//!
//! the step x -> z_1 and the step z_n -> x, unit by unit. Of one layer s^ = c_z and p^ = r^, and it is the closed form with `V = W - A^T`.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::draws::{Ahead, FromStates};
use super::figures::{layer_units, steps_of_loop};
use super::{Found, MOST_COMPONENTS};
use crate::analysis::Settings;
use crate::codes::{Codes, Layer};
use crate::conditionals::Conditionals;
use crate::estimate::{Estimate, Kernel};
use crate::latent::SteadyState;
use crate::latent::fundamental::Fundamental;
use crate::latent::observables::{Moments, Observables};
use crate::model::Parameters;
use crate::watch::{Stopped, Watch};

/// Has the model units, or several layers?
fn has_some(parameters: &Parameters) -> bool {
    let layers = parameters.layers.all();
    layers.len() > 1 || Codes::of(&layers[0]).has_units()
}

/// Are its units and layers looked at?
fn is_looked_at(parameters: &Parameters) -> bool {
    has_some(parameters) && left_out(parameters).is_none()
}

/// Why a model's units are left out, if they are.
pub fn left_out(parameters: &Parameters) -> Option<String> {
    let components: usize = parameters.layers.all().iter().map(Layer::width).sum();
    (has_some(parameters) && components > MOST_COMPONENTS).then(|| {
        format!("Units and layers are left out: the codes have {components} components, and tables of pairs are made of at most {MOST_COMPONENTS}.")
    })
}

/// The figures of units and layers; none of one-hot states, and of more than [`MOST_COMPONENTS`] components. `time` keys the draws, as it does the estimate's.
///
/// # Errors
/// When it is stopped.
pub fn of(
    parameters: &Parameters,
    model: &Conditionals,
    estimate: &Estimate,
    settings: Settings,
    time: u64,
    watch: &dyn Watch,
) -> Result<Found, Stopped> {
    if !is_looked_at(parameters) {
        return Ok(Found { units: None, layers: None });
    }
    let chain = LayeredChain::new(parameters, model);
    let kernels: Vec<&Kernel> = std::iter::once(&estimate.kernel).chain(&estimate.without).collect();
    let steady: Vec<&SteadyState> = kernels.iter().map(|kernel| &kernel.steady).collect();
    let last = &chain.codes[chain.codes.len() - 1];
    let sampling = settings.sampling(parameters).at(time);
    // Images of every state are drawn once more, but not of a machine in equilibrium, whose units produce nothing.
    let is_drawn = !estimate.reversible && !settings.exact;
    watch.begins(
        "units",
        kernels.len() + if is_drawn { sampling.plain_parts(model.latent()) } else { 0 },
    );
    let from_states = if estimate.reversible {
        None
    } else if settings.exact {
        Some(FromStates::enumerate(model, steady[0], last, &chain.ahead, watch)?)
    } else {
        Some(FromStates::draw(model, sampling, &steady, last, &chain.ahead, watch)?)
    };
    let fundamental = Fundamental::of(steady[0]);
    let values: Result<Vec<Values>, Stopped> = (steady.par_iter().enumerate())
        .map(|(number, steady)| {
            watch.go_on()?;
            let values = chain.values(steady, number.checked_sub(1), from_states.as_ref(), &fundamental);
            watch.part_done();
            Ok(values)
        })
        .collect();
    let values = values?;
    let units = (0..chain.codes.len())
        .filter_map(|layer| layer_units(parameters, layer, &values, estimate.reversible))
        .collect::<Vec<_>>();
    Ok(Found {
        units: Some(units).filter(|units| !units.is_empty()),
        layers: (chain.codes.len() > 1).then(|| steps_of_loop(&values, &kernels)),
    })
}

/// A model's latent layers and the transitions between them.
struct LayeredChain {
    /// C of each layer, `[L, H]`.
    codes: Vec<Array2<f64>>,
    /// Are these units?
    has_units: Vec<bool>,
    /// From each layer but the last to the last, `[L, L']`.
    onward: Vec<Array2<f64>>,
    /// M, `[L, L']`.
    between: Vec<Array2<f64>>,
    ahead: Ahead,
}

/// Moments and correlation times, `[H]`, of a layer's codes.
pub(super) type OfUnits = (Moments, Array1<f64>);

/// What one kernel gives.
pub(super) struct Values {
    /// Of each layer; `None` where it has no units.
    pub layers: Vec<Option<OfUnits>>,
    /// `E[ (p^ - s^)_h (x W)_h ]`, `[H]`.
    pub up: Array1<f64>,
    /// `E[ (c_z - r^)_h (x A^T)_h ]`, `[H']`.
    pub down: Array1<f64>,
}

impl LayeredChain {
    fn new(parameters: &Parameters, model: &Conditionals) -> Self {
        let all: Vec<Codes> = parameters.layers.all().iter().map(Codes::of).collect();
        let codes: Vec<Array2<f64>> = all.iter().map(Codes::matrix).collect();
        let between = model.between().to_vec();
        let mut onward: Vec<Array2<f64>> = Vec::new();
        for kernel in between.iter().rev() {
            onward.push(onward.last().map_or_else(|| kernel.clone(), |later| kernel.dot(later)));
        }
        onward.reverse();
        let through = |layer: usize, codes: Array2<f64>| between[..layer].iter().rev().fold(codes, |codes, kernel| kernel.dot(&codes));
        let deeper = !between.is_empty();
        let before_last = 0..between.len();
        Self {
            ahead: Ahead {
                codes: before_last.clone().map(|layer| through(layer, codes[layer].clone())).collect(),
                squares: before_last
                    .map(|layer| through(layer, codes[layer].mapv(|code| code * code)))
                    .collect(),
                last: deeper.then(|| through(between.len(), codes[between.len()].clone())),
            },
            has_units: all.iter().map(Codes::has_units).collect(),
            codes,
            onward,
            between,
        }
    }

    /// From all draws, or from all but one group's.
    fn values(&self, steady: &SteadyState, left_out: Option<usize>, from: Option<&FromStates>, fundamental: &Fundamental) -> Values {
        let number = left_out.map_or(0, |group| group + 1);
        let pi = steady.pi();
        let last = self.codes.len() - 1;
        let mut layers = Vec::new();
        let mut weights = from.and_then(|from| from.first.get(number)).cloned();
        for layer in 0..=last {
            let before_last = weights.clone().zip(from).filter(|_| layer < last);
            let observables = self.has_units[layer].then(|| match before_last {
                Some((weights, from)) => Observables {
                    weights,
                    values: &self.codes[layer],
                    onward: Some(&self.onward[layer]),
                    next: from.next[layer].without(left_out),
                    next_square: from.next_square[layer].without(left_out),
                },
                None => Observables::of(steady, &self.codes[layer]),
            });
            layers.push(observables.map(|observables| {
                let moments = observables.moments();
                let deviations = observables.deviations(&moments);
                let later = match left_out {
                    None => Some(fundamental.times_columns(&deviations)),
                    Some(_) => fundamental.of_neighbour(steady, &deviations),
                };
                let times = later.map(|later| observables.correlation_times(&moments, &later));
                let unknown = || Array1::from_elem(moments.mean.len(), f64::NAN);
                (moments.clone(), times.unwrap_or_else(unknown))
            }));
            weights = weights.filter(|_| layer < last).map(|weights| weights.dot(&self.between[layer]));
        }
        let (up, down) = match from {
            None => (Array1::zeros(self.codes[0].ncols()), Array1::zeros(self.codes[last].ncols())),
            Some(from) => {
                let before = match (self.onward.first(), from.first.get(number)) {
                    (Some(onward), Some(weights)) => mean_codes_before(onward, weights, &self.codes[0]),
                    _ => self.codes[0].clone(),
                };
                let up = from.up.without(left_out) - before * from.light.without(left_out);
                (pi.dot(&up), pi.dot(&from.down.without(left_out)))
            }
        };
        Values { layers, up, down }
    }
}

/// The mean code of the first layer given the last layer's state at the same time, `[L', H]`: `sum_y w_y B_yz c_y / sum_y w_y B_yz`.
fn mean_codes_before(onward: &Array2<f64>, weights: &Array1<f64>, codes: &Array2<f64>) -> Array2<f64> {
    let weighted = codes * &weights.view().insert_axis(Axis(1));
    // A state without weight counts nowhere.
    let totals = weights.dot(onward).mapv(|total| total.max(f64::MIN_POSITIVE));
    onward.t().dot(&weighted) / totals.insert_axis(Axis(1))
}
