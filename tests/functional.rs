//! The complete gradient and that of the entropy production: against finite differences under enumeration, then as they are estimated.

use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::gradient::functional::{Objective, StratifiedSample};
use latent_cycles::latent::SteadyState;
use latent_cycles::model::Parameters;
use latent_cycles::numerics::Numerics;
use latent_cycles::record::TrainingState;
use ndarray::{Array1, Array2};

use crate::common::{Plain, configured, image, on_every_backend, random_images, random_model, recipe, relative_distance};

/// The exact log-likelihood of images, nats each, plus a multiple of the exact latent entropy production.
pub fn objective(plain: &Plain, images: &BinaryImages, entropy_weight: f64) -> f64 {
    let steady = SteadyState::new(&plain.kernel()).unwrap();
    let log_density = |x: &[u8]| {
        (0..plain.latent())
            .map(|k| steady.pi()[k] * plain.log_q(x, k).exp())
            .sum::<f64>()
            .ln()
    };
    let likelihood = images.rows().into_iter().map(|row| log_density(&row.to_vec())).sum::<f64>() / images.nrows() as f64;
    likelihood + entropy_weight * steady.entropy_production()
}

/// Central differences of fourth order, over (W, b, A) flattened.
fn differences(plain: &Plain, objective: impl Fn(&Plain) -> f64) -> Vec<f64> {
    let step = 1e-3;
    let count = plain.visible() * plain.latent() * 2 + plain.latent();
    let shifted = |index: usize, shift: f64| {
        let mut plain = plain.clone();
        *plain.parameters_mut()[index] += shift;
        objective(&plain)
    };
    crate::common::differences(count, shifted, step)
}

/// `u_k = mean_n q(x_n|k) / P(x_n)`, and the data's part of dl/dA.
pub fn data_part(plain: &Plain, pi: &Array1<f64>, images: &BinaryImages) -> (Array1<f64>, Array2<f64>) {
    let mut u = Array1::zeros(plain.latent());
    let mut a = Array2::zeros(plain.a.dim());
    for row in images.rows() {
        let x = row.to_vec();
        let q: Array1<f64> = (0..plain.latent()).map(|k| plain.log_q(&x, k).exp()).collect();
        let density = q.dot(pi);
        u += &(&q / density / images.nrows() as f64);
        for ((k, i), a) in a.indexed_iter_mut() {
            let mean = 1.0 / (1.0 + (-plain.a[[k, i]]).exp());
            *a += pi[k] * q[k] / density * (f64::from(x[i]) - mean) / images.nrows() as f64;
        }
    }
    (u, a)
}

/// The formulas at all images of every state, weighted by their probabilities, as (W, b, A) flattened.
fn enumerated(plain: &Plain, images: &BinaryImages, what: Objective) -> Vec<f64> {
    let (visible, latent, count) = (plain.visible(), plain.latent(), 1 << plain.visible());
    let log_p = Array2::from_shape_fn((latent * count, latent), |(n, k)| plain.log_p(&image(n % count, visible), k));
    let log_weights = Array1::from_shape_fn(latent * count, |n| plain.log_q(&image(n % count, visible), n / count));
    let sample = StratifiedSample::new(log_p, log_weights).unwrap();
    let (u, mut a) = data_part(plain, &sample.steady().pi(), images);
    let contributions = sample.contributions(u.view(), what);
    let mut w = Array2::<f64>::zeros((visible, latent));
    let mut b = Array1::<f64>::zeros(latent);
    for (n, pull) in contributions.forward.rows().into_iter().enumerate() {
        b += &pull;
        for (i, &lit) in image(n % count, visible).iter().enumerate() {
            w.row_mut(i).scaled_add(f64::from(lit), &pull);
            a[[n / count, i]] += f64::from(lit) * contributions.backward[n];
        }
    }
    w.iter().chain(&b).chain(&a).copied().collect()
}

#[test]
fn both_equal_finite_differences_under_full_enumeration() {
    for (seed, visible, latent, scale) in [(11, 5, 3, 1.0), (12, 7, 5, 0.3), (13, 5, 7, 1.5), (14, 3, 2, 2.0)] {
        let plain = Plain::new(&random_model(seed, visible, latent, scale));
        let images = random_images(seed, 13, visible);
        for entropy_weight in [0.0, 0.7, -2.0] {
            let exact = differences(&plain, |plain| objective(plain, &images, entropy_weight));
            let complete = enumerated(
                &plain,
                &images,
                Objective {
                    complete: true,
                    entropy_weight,
                    path_entropy_weight: 0.0,
                },
            );
            let distance = relative_distance(&complete, &exact);
            assert!(distance < 1e-9, "L = {latent}, weight {entropy_weight}: {distance:e}");
            // The two-step gradient is another one, though not far.
            let two_step = enumerated(
                &plain,
                &images,
                Objective {
                    complete: false,
                    entropy_weight,
                    path_entropy_weight: 0.0,
                },
            );
            assert!(
                relative_distance(&two_step, &exact) > 1e-5,
                "a truncation that would not be noticed"
            );
        }
        // The entropy production alone.
        let exact = differences(&plain, |plain| objective(plain, &images, 1.0) - objective(plain, &images, 0.0));
        let [with, without] = [1.0, 0.0].map(|entropy_weight| {
            enumerated(
                &plain,
                &images,
                Objective {
                    complete: false,
                    entropy_weight,
                    path_entropy_weight: 0.0,
                },
            )
        });
        let found: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
        if latent > 2 {
            assert!(relative_distance(&found, &exact) < 1e-8, "L = {latent}");
        } else {
            // Two states have no current.
            assert!(found.iter().chain(&exact).all(|pull| pull.abs() < 1e-9));
        }
    }
}

/// The mean over seeds of each parameter's step is the exact one, by Student's t.
pub fn assert_mean_step(steps: &[Vec<f64>], exact: &[f64], what: &str) {
    let seeds = steps.len() as f64;
    for (index, exact) in exact.iter().enumerate() {
        let values: Vec<f64> = steps.iter().map(|step| step[index]).collect();
        let mean = values.iter().sum::<f64>() / seeds;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (seeds - 1.0);
        // f32 near a parameter of order one resolves 1e-7.
        let error = (variance / seeds).sqrt() + 1e-7;
        let t = (mean - exact) / error;
        assert!(t.abs() < 6.5, "{what}, parameter {index}: {mean} for {exact}, t = {t:.1}");
    }
}

/// The step that a trainer takes with plain ascent at rate 1 is the gradient. Chains begin at dark images.
pub fn one_step(numerics: &dyn Numerics, settings: &[&str], parameters: &Parameters, images: &BinaryImages) -> Vec<f64> {
    /// An epsilon so large that the mean square beside it is nothing, and a learning rate as large, which cancels it.
    const PLAIN_ASCENT: [&str; 2] = ["training.rmsprop.epsilon=1e6", "training.learning_rate=1e6"];
    let settings = [settings, &PLAIN_ASCENT].concat();
    let chains = configured(&settings).training.method.chains();
    let dark = |count| PackedImages::pack(&BinaryImages::zeros((count, parameters.visible())));
    let state = TrainingState {
        parameters: parameters.clone(),
        mean_squares: Parameters::of_zeros(parameters.visible(), &parameters.layers),
        chains: chains.map(|chains| dark(chains.count)),
        path_entropy_weight: None,
        sampled: None,
        step: 0,
    };
    let mut trainer = numerics.trainer(&state, recipe(&settings));
    trainer.step(&PackedImages::pack(images));
    let moved = trainer.parameters();
    let pairs = moved.numbers().zip(parameters.numbers());
    pairs.map(|(&moved, &before)| f64::from(moved) - f64::from(before)).collect()
}

/// What a step estimates from draws is the exact gradient of log-likelihood plus weighted entropy production.
///
/// Means over 31 seeds are compared with the truth in units of their standard errors. With 33 parameters, three gradients and three
/// backends a right program has some |t| (30 degrees of freedom) beyond 6.5 with probability 1e-4; the bias of order 1 / M, with M = 2,003
/// images of every state, is below half a standard error.
#[test]
fn a_stratified_step_follows_the_exact_gradient_on_every_backend() {
    let (visible, latent, seeds) = (5, 3, 31);
    let parameters = random_model(15, visible, latent, 0.8);
    let plain = Plain::new(&parameters);
    let images = random_images(15, 17, visible);
    for (gradient, entropy_weight) in [("complete", 0.0), ("complete", 0.5), ("two-step", -0.5)] {
        let what = Objective {
            complete: gradient == "complete",
            entropy_weight,
            path_entropy_weight: 0.0,
        };
        let exact = enumerated(&plain, &images, what);
        on_every_backend("stratified step", |numerics| {
            let steps: Vec<Vec<f64>> = (0..seeds)
                .map(|seed| {
                    let settings = [
                        format!("training.gradient={gradient}"),
                        format!("training.entropy_weight={entropy_weight}"),
                        "training.sampling=stratified".to_owned(),
                        format!("training.chains={}", latent * 2003),
                        format!("training.seed={seed}"),
                    ];
                    one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images)
                })
                .collect();
            assert_mean_step(&steps, &exact, &format!("{}, {what:?}", numerics.device().backend));
        });
    }
}
