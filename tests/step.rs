//! The training step: its order, its optimizer, its bounds, states that come back to life, schedules and starts.

use latent_cycles::codes::Layers;
use latent_cycles::config::{Ascent, Config, Schedule};
use latent_cycles::data::packed::PackedImages;
use latent_cycles::data::{BinaryImages, Dataset};
use latent_cycles::latent::SteadyState;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use latent_cycles::record::TrainingState;
use latent_cycles::training::schedule::learning_rate;
use latent_cycles::training::start::{self, logit_bound};

use crate::common::{Plain, flat, on_every_backend, random_images, random_model, recipe, relative_distance};

fn state(parameters: Parameters, chains: BinaryImages) -> TrainingState {
    TrainingState {
        mean_squares: Parameters::zeros(parameters.visible(), parameters.latent()),
        parameters,
        chains: Some(PackedImages::pack(&chains)),
        path_entropy_weight: None,
        sampled: None,
        step: 0,
    }
}

/// A copy of `like` with other values, given flat.
fn unflatten(values: &[f64], like: &Parameters) -> Parameters {
    let mut parameters = like.clone();
    let slots = parameters
        .forward
        .iter_mut()
        .chain(&mut parameters.forward_bias)
        .chain(&mut parameters.backward);
    slots.zip(values).for_each(|(slot, value)| *slot = *value as f32);
    parameters
}

/// Three steps against the order of the method written out: move with the updated parameters, gradient at the images reached, update.
/// The order decides between a cycling and a reversible machine, so two other orders are computed too, and must be far away.
#[test]
fn the_order_within_a_step_is_move_then_gradient_then_update_on_every_backend() {
    let settings = ["training.learning_rate=0.3", "training.chain_steps=2", "training.seed=68"];
    let as_documented = recipe(&settings);
    // One of the two other orders can be asked for.
    let stale = recipe(&[&settings[..], &["training.sampling=stale"]].concat());
    let parameters = random_model(61, 7, 3, 1.0);
    let start = random_images(61, 101, 7);
    let images = random_images(62, 53, 7);

    on_every_backend("order within a step", |numerics| {
        let walk = |parameters: &Parameters, chains: &BinaryImages, time| numerics.walk(parameters, chains, 2, Seed(68), time);
        let follow = |order: &str| {
            let (mut theta, mut chains) = (parameters.clone(), start.clone());
            let mut v = vec![0.0; flat(&theta).len()];
            for time in 0..3 {
                let moved = walk(&theta, &chains, time);
                let seen = if order == "gradient at the images before the move" {
                    &chains
                } else {
                    &moved
                };
                let gradient = Plain::new(&theta).gradient(&images, seen);
                let mut values = flat(&theta);
                for ((value, g), v) in values.iter_mut().zip(&gradient).zip(&mut v) {
                    *v = 0.9 * *v + 0.1 * g * g;
                    *value += 0.3 * g / (v.sqrt() + 1e-15);
                }
                let bound = logit_bound(as_documented.probability_floor);
                let backward = values.len() - 7 * 3;
                values[backward..].iter_mut().for_each(|logit| *logit = logit.clamp(-bound, bound));
                let updated = unflatten(&values, &theta);
                chains = if order == "move with the parameters after the update" {
                    walk(&updated, &chains, time)
                } else {
                    moved
                };
                theta = updated;
            }
            flat(&theta)
        };
        let mut trainer = numerics.trainer(&state(parameters.clone(), start.clone()), as_documented.clone());
        (0..3).for_each(|_| trainer.step(&PackedImages::pack(&images)));
        let found = flat(&trainer.parameters());
        let backend = numerics.device().backend;
        let distance = relative_distance(&found, &follow("as documented"));
        assert!(distance < 1e-4, "{backend}: {distance:e}");
        for other in [
            "gradient at the images before the move",
            "move with the parameters after the update",
        ] {
            let distance = relative_distance(&found, &follow(other));
            assert!(distance > 1e-2, "{backend}: {other} would not be noticed ({distance:e})");
        }
        let mut trainer = numerics.trainer(&state(parameters.clone(), start.clone()), stale.clone());
        (0..3).for_each(|_| trainer.step(&PackedImages::pack(&images)));
        let distance = relative_distance(&flat(&trainer.parameters()), &follow("gradient at the images before the move"));
        assert!(distance < 1e-4, "{backend}, stale: {distance:e}");
    });
}

/// A state of probability e^-30 that would explain the data better comes back with the default epsilon, and not with one that is
/// larger than its gradient.
#[test]
fn a_dead_state_comes_back_to_life_on_every_backend() {
    let mut parameters = random_model(63, 11, 3, 0.1);
    parameters.forward_bias[0] = -30.0;
    // It explains the data a little better than the others do: a faint pull.
    parameters.backward.fill(0.0);
    parameters.backward[[0, 0]] = 0.5;
    let images = BinaryImages::ones((13, 11));
    let chains = BinaryImages::zeros((17, 11));
    on_every_backend("revival", |numerics| {
        let bias_after = |epsilon: f64| {
            // The backward matrix stands still, and with it the pull.
            let epsilon = format!("training.rmsprop.epsilon={{ forward = {epsilon:e}, backward = 1e6 }}");
            let recipe = recipe(&["training.learning_rate=5e-3", &epsilon]);
            let mut trainer = numerics.trainer(&state(parameters.clone(), chains.clone()), recipe);
            (0..100).for_each(|_| trainer.step(&PackedImages::pack(&images)));
            let after = trainer.parameters();
            assert!(after.is_finite());
            after.forward_bias[0]
        };
        let backend = numerics.device().backend;
        assert!(bias_after(1e-15) > -29.6, "{backend}: {}", bias_after(1e-15));
        assert!(bias_after(1e-6) < -29.99, "{backend}: {}", bias_after(1e-6));
    });
}

#[test]
fn a_pixel_that_never_lights_stays_within_the_floor_on_every_backend() {
    let recipe = recipe(&[
        "training.probability_floor=1e-3",
        "training.learning_rate=0.1",
        // The forward matrix stands still, so that no state dies in these large steps.
        "training.rmsprop.epsilon.forward=1.0",
    ]);
    let bound = (0.999_f64 / 0.001).ln();
    let mut images = random_images(64, 13, 7);
    images.column_mut(0).fill(0);
    images.column_mut(1).fill(1);
    on_every_backend("floor", |numerics| {
        let start = state(random_model(64, 7, 3, 0.1), random_images(65, 17, 7));
        let mut trainer = numerics.trainer(&start, recipe.clone());
        (0..200).for_each(|_| trainer.step(&PackedImages::pack(&images)));
        let after = trainer.parameters();
        assert!(after.is_finite());
        for k in 0..3 {
            assert!(
                (f64::from(after.backward[[k, 0]]) + bound).abs() < 1e-5,
                "{}",
                after.backward[[k, 0]]
            );
            assert!(
                (f64::from(after.backward[[k, 1]]) - bound).abs() < 1e-5,
                "{}",
                after.backward[[k, 1]]
            );
        }
    });
}

#[test]
fn schedules_start_at_the_learning_rate_and_end_where_they_say() {
    for (schedule, middle, last) in [
        (Schedule::Constant, 0.02, 0.02),
        (Schedule::Linear, 0.01, 0.00002),
        (Schedule::Cosine, 0.01, 0.02 * 0.5 * (1.0 + (std::f64::consts::PI * 0.999).cos())),
    ] {
        let ascent = Ascent {
            learning_rate: 0.02,
            schedule,
            ..Ascent::default()
        };
        assert_eq!(learning_rate(&ascent, 0, 1000), 0.02);
        assert!((learning_rate(&ascent, 500, 1000) - middle).abs() < 1e-12);
        assert!((learning_rate(&ascent, 999, 1000) - last).abs() < 1e-12);
    }
}

/// The reversible start: no current, no path entropy production, equal weights. The random start: currents of its noise.
#[test]
fn the_reversible_start_is_reversible() {
    let mean = [0.0, 0.1, 0.5, 0.7, 1.0];
    let latent = 3;
    let exact = |parameters: &Parameters| {
        let steady = SteadyState::new(&Plain::new(parameters).kernel()).unwrap();
        (steady.entropy_production(), steady.log_pi().clone())
    };
    let (sigma, log_pi) = exact(&start::reversible(&mean, &Layers::one_hot(latent), 1.0, 1e-3, Seed(60)));
    assert!(sigma < 1e-11, "{sigma:e}");
    assert!(log_pi.iter().all(|log_pi| (log_pi + (latent as f64).ln()).abs() < 1e-5), "{log_pi}");
    let (sigma, _) = exact(&start::random(&mean, &Layers::one_hot(latent), 1.0, 1e-3, Seed(60)));
    assert!(sigma > 1e-3, "{sigma:e}");
}

/// The cyclic start sends states that can be told apart round a ring.
#[test]
fn the_cyclic_start_goes_round_a_ring() {
    let (mean, latent) = ([0.5; 17], 5);
    let parameters = start::cyclic(&mean, latent, 5.0, 1e-3, Seed(60));
    let steady = SteadyState::new(&Plain::new(&parameters).kernel()).unwrap();
    for k in 0..latent {
        let next = steady.transition()[[k, (k + 1) % latent]];
        assert!(next > 0.9, "from {k} to its successor: {next}");
    }
    assert!(steady.self_transition() < 0.1);
}

#[test]
fn the_random_start_lies_around_the_mean_of_the_data() {
    let config = Config::default();
    let data = Dataset::load(&config.data).unwrap();
    let state = start::initial_state(&config, &data.train, data.visible()).unwrap();
    let mean = data.train.mean();
    for (pixel, &mean) in mean.iter().enumerate().filter(|(_, mean)| (0.05..0.95).contains(*mean)) {
        let center = (mean / (1.0 - mean)).ln();
        for k in 0..10 {
            // Six standard deviations of the noise, for some 2,000 logits.
            assert!((f64::from(state.parameters.backward[[k, pixel]]) - center).abs() < 3.0);
        }
    }
    let chains = state.chains.expect("the default machine has chains");
    assert_eq!((chains.len(), chains.pixels()), (500, 784));
    let lit = chains.unpack().iter().map(|&lit| f64::from(lit)).sum::<f64>() / 500.0;
    let expected: f64 = mean.iter().sum();
    assert!((lit - expected).abs() < 20.0, "{lit} lit pixels a chain, {expected} in the data");
}
