//! Figures of units and layers with their intervals, from what each kernel says of them.

use std::ops::Range;

use ndarray::{Array2, s};

use super::compute::{OfUnits, Values};
use super::{Component, LayerUnits, Loop, MOST_PAIRS, Pair, Step, Unit, weights};
use crate::codes::Codes;
use crate::estimate::Kernel;
use crate::estimate::jackknife::Figure;
use crate::latent::observables::Moments;
use crate::model::Parameters;

/// A figure of all kernels.
fn figure(values: &[Values], of: impl Fn(&Values) -> f64) -> Figure {
    let without: Vec<f64> = values[1..].iter().map(&of).collect();
    Figure::jackknife(of(&values[0]), &without)
}

/// Of a layer that has units.
pub(super) fn layer_units(parameters: &Parameters, layer: usize, values: &[Values], reversible: bool) -> Option<LayerUnits> {
    let layers = parameters.layers.all();
    values[0].layers[layer].as_ref()?;
    let of_layer = |values: &Values| {
        values.layers[layer]
            .as_ref()
            .map(|(moments, times)| (moments.clone(), times.clone()))
    };
    let all: Vec<OfUnits> = values.iter().filter_map(of_layer).collect();
    let codes = Codes::of(&layers[layer]);
    let of_kernel = |values: &Values, place: Range<usize>| {
        let up = if layer == 0 {
            values.up.slice(s![place.clone()]).sum()
        } else {
            0.0
        };
        let down = if layer + 1 == layers.len() {
            values.down.slice(s![place]).sum()
        } else {
            0.0
        };
        up + down
    };
    let produced = |place: Range<usize>| match reversible {
        true => Figure::exact(0.0).because("reversible by construction"),
        false => figure(values, |values| of_kernel(values, place.clone())),
    };
    let produces = layer == 0 || layer + 1 == layers.len();
    let angles = (layers.len() == 1).then(|| angles(parameters));
    let units = codes
        .factors()
        .zip(codes.unit_names())
        .map(|((factor, place, _), (name, components))| {
            let on_or_off = factor.is_on_or_off();
            let square_step = of_all(&all, |(moments, _)| moments.square_step.slice(s![place.clone()]).sum());
            // A change of a group's value changes two of its components.
            let flips = of_all(&all, |(moments, _)| {
                moments.square_step.slice(s![place.clone()]).sum() / if place.len() > 1 { 2.0 } else { 1.0 }
            });
            Unit {
                name,
                flip_rate: on_or_off.then(|| flips.within(0.0, 1.0)),
                mean_square_step: (!on_or_off).then(|| square_step.at_least(0.0)),
                path_entropy_production: produces.then(|| produced(place.clone())),
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
        path_entropy_production: produces.then(|| produced(0..codes.width())),
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
fn of_all(all: &[OfUnits], of: impl Fn(&OfUnits) -> f64) -> Figure {
    let without: Vec<f64> = all[1..].iter().map(&of).collect();
    Figure::jackknife(of(&all[0]), &without)
}

fn correlation_time(all: &[OfUnits], h: usize) -> Figure {
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
fn table(all: &[OfUnits], of: impl Fn(&Moments) -> Array2<f64>) -> (Array2<f64>, Array2<f64>) {
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
pub(super) fn steps_of_loop(values: &[Values], kernels: &[&Kernel]) -> Loop {
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
