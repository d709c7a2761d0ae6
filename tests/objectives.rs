//! Objectives that need the latent kernel, with codes: their gradients against finite differences under enumeration, then as they are estimated.

use latent_cycles::codes::Layer;
use latent_cycles::data::BinaryImages;
use latent_cycles::gradient::functional::{Objective, StratifiedSample};
use latent_cycles::latent::SteadyState;
use latent_cycles::model::Parameters;
use ndarray::{Array1, Array2};

use crate::coded::{Coded, layers, random_coded};
use crate::common::{Plain, image, on_every_backend, random_images, relative_distance};
use crate::functional::{assert_mean_step, data_part, objective, one_step};

/// `E[ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ]`, by all z, x and z'.
fn path_entropy_production(plain: &Plain) -> f64 {
    let steady = SteadyState::new(&plain.kernel()).unwrap();
    let mut sigma = 0.0;
    for code in 0..1 << plain.visible() {
        let x = image(code, plain.visible());
        let log_q: Vec<f64> = (0..plain.latent()).map(|k| plain.log_q(&x, k)).collect();
        let log_p: Vec<f64> = (0..plain.latent()).map(|k| plain.log_p(&x, k)).collect();
        for z in 0..plain.latent() {
            for next in 0..plain.latent() {
                let ratio = log_q[z] + log_p[next] - log_q[next] - log_p[z];
                sigma += steady.pi()[z] * (log_q[z] + log_p[next]).exp() * ratio;
            }
        }
    }
    sigma
}

fn one_hot_and_others() -> Vec<(Layer, Array2<f64>, Array1<f64>)> {
    let mut layers = layers();
    layers.push((Layer::OneHot { states: 3 }, Array2::eye(3), Array1::zeros(3)));
    layers
}

/// W, b, A and a, to be varied one by one.
fn numbers_mut(coded: &mut Coded, has_bias: bool) -> Vec<&mut f64> {
    let bias = coded.bias.iter_mut().filter(move |_| has_bias);
    coded.w.iter_mut().chain(&mut coded.b).chain(&mut coded.a).chain(bias).collect()
}

/// The objective's derivatives, central differences of fourth order, as (W, b, A, a) flattened.
fn differences(coded: &Coded, has_bias: bool, images: &BinaryImages, what: Objective) -> Vec<f64> {
    let step = 1e-3;
    let count = numbers_mut(&mut coded.clone(), has_bias).len();
    let shifted = |index: usize, shift: f64| {
        let mut coded = coded.clone();
        *numbers_mut(&mut coded, has_bias)[index] += shift;
        let plain = coded.tables();
        objective(&plain, images, what.entropy_weight) + what.path_entropy_weight * path_entropy_production(&plain)
    };
    crate::common::differences(count, shifted, step)
}

/// The formulas at all images of every state, weighted by their probabilities, as (W, b, A, a) flattened.
fn enumerated(coded: &Coded, has_bias: bool, images: &BinaryImages, what: Objective) -> Vec<f64> {
    let plain = coded.tables();
    let (visible, latent, count) = (plain.visible(), plain.latent(), 1 << plain.visible());
    let drawn = Array2::from_shape_fn((latent * count, visible), |(n, i)| f64::from(image(n % count, visible)[i]));
    let log_p = Array2::from_shape_fn((latent * count, latent), |(n, k)| plain.log_p(&image(n % count, visible), k));
    let log_weights = Array1::from_shape_fn(latent * count, |n| plain.log_q(&image(n % count, visible), n / count));
    let sample = StratifiedSample::new(log_p, log_weights).unwrap();
    let (u, of_data) = data_part(&plain, &sample.steady().pi(), images);
    let likelihood = sample.contributions(u.view(), what);
    let path = sample.path_contributions(&drawn.dot(&(&plain.w - &plain.a.t())));
    let forward = likelihood.forward + path.forward * what.path_entropy_weight;
    let opposite = drawn.t().dot(&(path.opposite * what.path_entropy_weight));
    let backward = likelihood.backward + path.backward * what.path_entropy_weight;
    let mut tables = of_data - opposite.t();
    for (n, h) in backward.iter().enumerate() {
        // A constant per state changes nothing in A~'s own terms: h has mean zero.
        tables.row_mut(n / count).scaled_add(*h, &drawn.row(n));
    }
    // a has no part in what W and A have with opposite signs: the rows of it sum to zero.
    let w = (drawn.t().dot(&forward) + opposite).dot(&coded.codes);
    let b = forward.sum_axis(ndarray::Axis(0)).dot(&coded.codes);
    let bias = tables.sum_axis(ndarray::Axis(0));
    let a = coded.codes.t().dot(&tables);
    let bias = bias.iter().filter(|_| has_bias);
    w.iter().chain(&b).chain(&a).chain(bias).copied().collect()
}

fn coded(seed: u64, layer: &Layer, codes: &Array2<f64>, g: &Array1<f64>) -> (Parameters, Coded, BinaryImages) {
    let parameters = random_coded(seed, 5, layer, 0.7);
    let coded = Coded::new(&parameters, codes, g);
    (parameters, coded, random_images(seed, 13, 5))
}

#[test]
fn each_equals_finite_differences_under_full_enumeration() {
    for (seed, (layer, codes, g)) in (51..).zip(one_hot_and_others()) {
        let (parameters, coded, images) = coded(seed, &layer, &codes, &g);
        let has_bias = parameters.visible_bias.is_some();
        for (entropy_weight, path_entropy_weight) in [(0.0, 0.0), (0.7, 0.0), (0.0, -0.9), (-0.3, 0.4)] {
            let what = Objective {
                complete: true,
                entropy_weight,
                path_entropy_weight,
            };
            let exact = differences(&coded, has_bias, &images, what);
            let found = enumerated(&coded, has_bias, &images, what);
            let distance = relative_distance(&found, &exact);
            assert!(distance < 1e-8, "{layer}, {what:?}: {distance:e}");
        }
    }
}

/// What a step estimates from draws is the exact gradient of each objective.
///
/// Means over 31 seeds are compared with the truth in units of their standard errors. With some 200 parameters of four models and three backends, a right
/// program has some |t| (30 degrees of freedom) beyond 6.5 with probability 2e-4; the bias of order 1 / M, with M = 1,009 images of every state, is
/// below half a standard error.
#[test]
fn a_stratified_step_follows_each_of_them_on_every_backend() {
    let seeds = 31;
    let what = Objective {
        complete: true,
        entropy_weight: 0.3,
        path_entropy_weight: -0.5,
    };
    for (seed, (layer, codes, g)) in (51..).zip(one_hot_and_others()) {
        let (parameters, coded, images) = coded(seed, &layer, &codes, &g);
        let exact = enumerated(&coded, parameters.visible_bias.is_some(), &images, what);
        on_every_backend("stratified step with codes", |numerics| {
            let steps: Vec<Vec<f64>> = (0..seeds)
                .map(|seed| {
                    let settings = [
                        format!("model.latent={layer}"),
                        "training.gradient=complete".to_owned(),
                        format!("training.entropy_weight={}", what.entropy_weight),
                        format!("training.path_entropy_weight={}", what.path_entropy_weight),
                        format!("training.chains={}", codes.nrows() * 1009),
                        format!("training.seed={seed}"),
                    ];
                    one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images)
                })
                .collect();
            assert_mean_step(&steps, &exact, &format!("{}, {layer}", numerics.device().backend));
        });
    }
}
