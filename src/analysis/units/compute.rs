//! From a kernel with its groups of draws to the figures of units and layers.
//!
//! Of the path entropy production with all latent layers seen ([`Loop`]), those parts that are a function of the state before less the same function of the state
//! after have mean zero. With p^ the mean code of the first layer given x, s^ that given z, the last layer's state that x was drawn from, and r^ the mean code of the
//! last layer given x, what is left is
//!
//! ```text
//! sigma = sum_h E[ (p^ - s^)_h (x W)_h ] + sum_h E[ (c_z - r^)_h (x A^T)_h ],      z ~ pi,  x ~ q(.|z)
//! ```
//!
//! the step x -> z_1 and the step z_n -> x, unit by unit. Of one layer s^ = c_z and p^ = r^, and it is the closed form with `V = W - A^T`.

use std::ops::Range;

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::draws::{Ahead, FromStates};
use super::{Component, Found, LayerUnits, Loop, MOST_COMPONENTS, MOST_PAIRS, Pair, Step, Unit, weights};
use crate::analysis::Settings;
use crate::codes::{Codes, Layer};
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::Figure;
use crate::estimate::reversible::closed_form;
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

/// Are images of every state drawn once more for the figures of units and layers? Not of a machine in equilibrium, whose units produce nothing.
pub fn draws_again(parameters: &Parameters, settings: Settings) -> bool {
    is_looked_at(parameters) && !settings.exact && closed_form(parameters).is_none()
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
    let from_states = if estimate.reversible {
        None
    } else if settings.exact {
        Some(FromStates::enumerate(model, steady[0], last, &chain.ahead, watch)?)
    } else {
        let sampling = settings.sampling(parameters).at(time);
        Some(FromStates::draw(model, sampling, &steady, last, &chain.ahead, watch)?)
    };
    let fundamental = Fundamental::of(steady[0]);
    let values: Result<Vec<Values>, Stopped> = (steady.par_iter().enumerate())
        .map(|(number, steady)| {
            watch.go_on()?;
            Ok(chain.values(steady, number.checked_sub(1), from_states.as_ref(), &fundamental))
        })
        .collect();
    let values = values?;
    let units = (0..chain.codes.len())
        .filter_map(|layer| layer_units(parameters, layer, &values))
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

/// What one kernel gives.
struct Values {
    /// Of each layer; `None` where it has no units.
    layers: Vec<Option<(Moments, Array1<f64>)>>,
    /// `E[ (p^ - s^)_h (x W)_h ]`, `[H]`.
    up: Array1<f64>,
    /// `E[ (c_z - r^)_h (x A^T)_h ]`, `[H']`.
    down: Array1<f64>,
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

/// A figure of all kernels.
fn figure(values: &[Values], of: impl Fn(&Values) -> f64) -> Figure {
    let without: Vec<f64> = values[1..].iter().map(&of).collect();
    Figure::jackknife(of(&values[0]), &without)
}

/// Of a layer that has units.
fn layer_units(parameters: &Parameters, layer: usize, values: &[Values]) -> Option<LayerUnits> {
    let layers = parameters.layers.all();
    values[0].layers[layer].as_ref()?;
    let of_layer = |values: &Values| {
        values.layers[layer]
            .as_ref()
            .map(|(moments, times)| (moments.clone(), times.clone()))
    };
    let all: Vec<(Moments, Array1<f64>)> = values.iter().filter_map(of_layer).collect();
    let codes = Codes::of(&layers[layer]);
    let produced = |values: &Values, place: Range<usize>| {
        let up = if layer == 0 {
            values.up.slice(ndarray::s![place.clone()]).sum()
        } else {
            0.0
        };
        let down = if layer + 1 == layers.len() {
            values.down.slice(ndarray::s![place]).sum()
        } else {
            0.0
        };
        up + down
    };
    let produces = layer == 0 || layer + 1 == layers.len();
    let angles = (layers.len() == 1).then(|| angles(parameters));
    let units = codes
        .factors()
        .zip(codes.unit_names())
        .map(|((factor, place, _), (name, components))| {
            let on_or_off = factor.is_on_or_off();
            let square_step = of_all(&all, |(moments, _)| moments.square_step.slice(ndarray::s![place.clone()]).sum());
            // A change of a group's value changes two of its components.
            let flips = of_all(&all, |(moments, _)| {
                moments.square_step.slice(ndarray::s![place.clone()]).sum() / if place.len() > 1 { 2.0 } else { 1.0 }
            });
            Unit {
                name,
                flip_rate: on_or_off.then(|| flips.within(0.0, 1.0)),
                mean_square_step: (!on_or_off).then(|| square_step.at_least(0.0)),
                path_entropy_production: produces.then(|| figure(values, |values| produced(values, place.clone()))),
                components: components
                    .into_iter()
                    .zip(place)
                    .map(|(name, h)| {
                        let activity = of_all(&all, |(moments, _)| moments.mean[h]);
                        Component {
                            name,
                            activity: if on_or_off { activity.within(0.0, 1.0) } else { activity },
                            correlation_time: correlation_time(&all, h),
                            angle: angles.as_ref().and_then(|angles| angles[h]),
                        }
                    })
                    .collect(),
            }
        });
    let units: Vec<Unit> = units.collect();
    let [(covariance, covariance_error), (lag_one, lag_one_error), (current, current_error)] = [
        table(&all, |moments| moments.covariance.clone()),
        table(&all, |moments| moments.lag_one.clone()),
        table(&all, |moments| &moments.lag_one - &moments.lag_one.t()),
    ];
    let (together, _) = pairs(&codes, &covariance, &covariance_error, true, |pair| {
        of_all(&all, |(moments, _)| moments.covariance[pair])
    });
    let (after, resolved) = pairs(&codes, &current, &current_error, false, |(g, h)| {
        of_all(&all, |(moments, _)| moments.lag_one[[g, h]] - moments.lag_one[[h, g]])
    });
    Some(LayerUnits {
        layer: layer + 1,
        kind: layers[layer].to_string(),
        components: units
            .iter()
            .flat_map(|unit| unit.components.iter().map(|component| component.name.clone()))
            .collect(),
        units,
        path_entropy_production: produces.then(|| figure(values, |values| produced(values, 0..codes.width()))),
        covariance,
        lag_one,
        lag_one_error,
        current,
        current_error,
        together,
        after,
        resolved,
    })
}

/// A figure of a layer's moments and times.
fn of_all(all: &[(Moments, Array1<f64>)], of: impl Fn(&(Moments, Array1<f64>)) -> f64) -> Figure {
    let without: Vec<f64> = all[1..].iter().map(&of).collect();
    Figure::jackknife(of(&all[0]), &without)
}

fn correlation_time(all: &[(Moments, Array1<f64>)], h: usize) -> Figure {
    /// Beyond what f64 can tell from infinity.
    const LONGEST: f64 = 1e12;
    let time = all[0].1[h];
    if time.is_nan() {
        return Figure::missing("it does not vary");
    }
    if time > LONGEST {
        return Figure::missing("infinite, as far as f64 can tell");
    }
    if all[1..].iter().any(|(_, times)| !times[h].is_finite()) {
        return Figure::missing("the draws do not resolve it");
    }
    of_all(all, |(_, times)| times[h]).at_least(0.0)
}

/// A table of the moments and its standard errors, which are zero where it is exact.
fn table(all: &[(Moments, Array1<f64>)], of: impl Fn(&Moments) -> Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let tables: Vec<Array2<f64>> = all.iter().map(|(moments, _)| of(moments)).collect();
    let (mut values, mut errors) = (Array2::zeros(tables[0].dim()), Array2::zeros(tables[0].dim()));
    for (at, value) in values.indexed_iter_mut() {
        let without: Vec<f64> = tables[1..].iter().map(|table| table[at]).collect();
        let figure = Figure::jackknife(tables[0][at], &without);
        *value = figure.value.unwrap_or(f64::NAN);
        errors[at] = figure.standard_error.unwrap_or(0.0);
    }
    (values, errors)
}

/// The pairs with the largest values that can be told from zero, and how many can be of how many; of units of their own, or all.
fn pairs(
    codes: &Codes,
    table: &Array2<f64>,
    errors: &Array2<f64>,
    of_different_units: bool,
    value: impl Fn((usize, usize)) -> Figure,
) -> (Vec<Pair>, (usize, usize)) {
    /// Errors from zero: one pair in some 3,000 is that far by chance.
    const TOLD: f64 = 4.0;
    /// What rounding leaves.
    const ROUNDING: f64 = 1e-13;
    let unit_of: Vec<usize> = (codes.factors().enumerate())
        .flat_map(|(unit, (_, place, _))| place.map(move |_| unit))
        .collect();
    let mut all = 0;
    let mut told = Vec::new();
    for g in 0..table.nrows() {
        for h in 0..g {
            if of_different_units && unit_of[g] == unit_of[h] {
                continue;
            }
            all += 1;
            // The current from the first to the second is positive; a covariance is the same either way.
            let pair = if table[[h, g]] >= 0.0 || of_different_units {
                (h, g)
            } else {
                (g, h)
            };
            if table[pair].abs() > (TOLD * errors[pair]).max(ROUNDING) {
                told.push(pair);
            }
        }
    }
    told.sort_by(|&a, &b| table[b].abs().total_cmp(&table[a].abs()));
    let listed = told.iter().take(MOST_PAIRS).map(|&(first, second)| Pair {
        first,
        second,
        value: value((first, second)),
    });
    (listed.collect(), (told.len(), all))
}

/// Between what each component looks for and what it draws, degrees; `None` where either is nothing.
fn angles(parameters: &Parameters) -> Vec<Option<f64>> {
    let [forward, backward] = weights(parameters);
    let rows = forward.rows().into_iter().zip(backward.rows());
    let angle = rows.map(|(w, a)| {
        let lengths = (w.dot(&w) * a.dot(&a)).sqrt();
        (lengths > 0.0).then(|| (w.dot(&a) / lengths).clamp(-1.0, 1.0).acos().to_degrees())
    });
    angle.collect()
}

/// Of a deeper chain.
fn steps_of_loop(values: &[Values], kernels: &[&Kernel]) -> Loop {
    let layers = values[0].layers.len();
    let name = |layer: usize| format!("z_{}", layer + 1);
    let mut steps = vec![Step {
        from: "x".to_owned(),
        to: name(0),
        path_entropy_production: figure(values, |values| values.up.sum()),
    }];
    steps.extend((1..layers).map(|layer| Step {
        from: name(layer - 1),
        to: name(layer),
        path_entropy_production: Figure::exact(0.0).because("a function of the layers at one time, less the same function a step earlier"),
    }));
    steps.push(Step {
        from: name(layers - 1),
        to: "x".to_owned(),
        path_entropy_production: figure(values, |values| values.down.sum()),
    });
    let total = |values: &Values| values.up.sum() + values.down.sum();
    let hidden: Vec<f64> = (values.iter().zip(kernels))
        .map(|(values, kernel)| total(values) - kernel.path_entropy_production())
        .collect();
    Loop {
        steps,
        path_entropy_production: figure(values, total).at_least(0.0),
        hidden: Figure::jackknife(hidden[0], &hidden[1..]).at_least(0.0),
    }
}
