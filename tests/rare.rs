//! Gradients of deeper chains where states and transitions are rarer than f64 or f32 hold.

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::gradient::earlier::EarlierLayers;
use latent_cycles::latent::SteadyState;
use latent_cycles::logs::{log_product, logsumexp};
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream, normal};
use ndarray::{Array1, Array2, Axis, s};

use crate::common::{on_every_backend, random_images, relative_distance};
use crate::deeper::{Pulls, VISIBLE, deeper, differences, log_sums, objective, settings, ways_up};
use crate::functional::one_step;
use crate::layered::{Layered, log_softmax, random_layers};

/// One-hot states that follow each other around a ring, `k -> k + 1` on the way from the first latent layer to the second, all but surely.
fn ring(seed: u64, layers: usize, scale: f64) -> Parameters {
    let states = 3;
    let (up, between) = (1500.0 * scale as f32, 900.0 * scale as f32);
    let layers = Layers::new(vec![Layer::OneHot { states }; layers]).unwrap();
    let mut parameters = random_layers(seed, VISIBLE, &layers, 1.0);
    for k in 0..states {
        parameters.forward[[k, k]] += up;
        for (number, step) in parameters.between.iter_mut().enumerate() {
            let next = if number == 0 { (k + 1) % states } else { k };
            step.matrix[[k, next]] += between;
        }
    }
    parameters
}

/// At images as a step draws them, which leave reverse currents to transitions that f64 does not hold: the parameters on the way up, of the productions of
/// the estimated chain.
#[test]
fn entropy_productions_of_rings_have_the_right_gradients() {
    let (states, each) = (3, 7);
    for (seed, scale) in (81..).zip([0.02, 0.3, 1.0, 3.0]) {
        for layers in [2, 3] {
            let mut drawn = random_images(seed, states * each, VISIBLE).mapv(f64::from);
            for ((n, i), pixel) in drawn.indexed_iter_mut().filter(|((_, i), _)| *i < states) {
                *pixel = f64::from(u8::from(n / each == i));
            }
            let log_weights = Array1::from_elem(states * each, -(each as f64).ln());
            let productions = |plain: &Layered| {
                let (first, between) = ways_up(plain, &drawn);
                let log_p = between.iter().fold(first, |log_p, log_m| log_sums(&log_p, log_m));
                let log_transition = Array2::from_shape_fn((states, states), |(i, k)| {
                    let of_state = log_p.slice(s![i * each..(i + 1) * each, k]);
                    logsumexp(of_state) - (each as f64).ln()
                });
                let steady = SteadyState::from_logs(log_transition).unwrap();
                let f = &log_p - &plain.log_q(&drawn);
                let later = (log_p.mapv(f64::exp) * &f).sum_axis(Axis(1));
                let path = (later.indexed_iter()).map(|(n, later)| steady.pi()[n / each] * (later - f[[n, n / each]]) / each as f64);
                [steady.entropy_production(), path.sum()]
            };
            let plain = Layered::new(&ring(seed, layers, scale));
            let found = productions(&plain);
            assert!(found[0] > 500.0 * scale && found[1] > 500.0 * scale, "{found:?}");
            for (number, what) in [objective(true, 1.0, 0.0), objective(true, 0.0, 1.0)].into_iter().enumerate() {
                let u = |steady: &SteadyState| Array1::ones(steady.states());
                let found = Pulls::at(&plain, &drawn, log_weights.clone(), u, what).up;
                let exact = differences(&plain, 1e-3, |plain| productions(plain)[number]);
                let distance = relative_distance(&found, &exact[..found.len()]);
                assert!(
                    distance < 1e-7 * (1.0 + scale),
                    "{layers} layers, scale {scale}, {what:?}: {distance:e}"
                );
            }
        }
    }
}

/// The shares of states in states that products of matrices do not reach, against the definition.
#[test]
fn pulls_go_back_in_shares_however_rare_the_states() {
    let (images, first, middle, last) = (11, 3, 5, 7);
    for scale in [1.0, 30.0, 100.0, 1000.0] {
        let mut generator = Seed(91).generator(Stream::Parameters, 79, 0);
        let mut table = |shape: (usize, usize), scale: f64| Array2::from_shape_simple_fn(shape, || scale * normal(&mut generator));
        let log_p = log_softmax(table((images, first), scale));
        let log_m = [(first, middle), (middle, last)].map(|shape| log_softmax(table(shape, scale)));
        let mut pull = table((images, last), 1.0);
        pull -= &pull.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
        let logs = [log_p.clone(), log_sums(&log_p, &log_m[0])];
        let of_last = log_sums(&logs[1], &log_m[1]);

        let (earlier, found) = EarlierLayers::below_last(log_p, log_m.to_vec());
        assert!((&found - &of_last).iter().all(|d| d.abs() < 1e-9), "scale {scale}");
        let (of_first, between) = earlier.pull_back(&found, pull.clone());

        let mut expected = pull;
        for (layer, after) in [(1, &of_last), (0, &logs[1])] {
            let (before, log_m) = (&logs[layer], &log_m[layer]);
            let mut gone_back = Array2::zeros(before.dim());
            let mut of_m = Array2::<f64>::zeros(log_m.dim());
            for ((n, k), pull) in expected.indexed_iter() {
                for j in 0..before.ncols() {
                    let share = (before[[n, j]] + log_m[[j, k]] - after[[n, k]]).exp();
                    gone_back[[n, j]] += share * pull;
                    of_m[[j, k]] += share * pull;
                }
            }
            for ((j, k), of_m) in of_m.indexed_iter_mut() {
                *of_m -= log_m[[j, k]].exp() * gone_back.column(j).sum();
            }
            assert!(
                (&between[layer] - &of_m).iter().all(|d| d.abs() < 1e-9),
                "scale {scale}, layer {layer}"
            );
            expected = gone_back;
        }
        assert!((of_first - expected).iter().all(|d| d.abs() < 1e-9), "scale {scale}");
    }
}

#[test]
fn sums_of_exponentials_are_right_however_small() {
    let mut generator = Seed(92).generator(Stream::Parameters, 79, 0);
    for scale in [1.0, 100.0, 1000.0] {
        let [a, b] = [(3, 5), (5, 7)].map(|shape| Array2::from_shape_simple_fn(shape, || -scale * normal(&mut generator).abs()));
        let (found, expected) = (log_product(&a, &b), log_sums(&a, &b));
        assert!((found - expected).iter().all(|d| d.abs() < 1e-11), "scale {scale}");
    }
}

/// Where some images, some states and some transitions are all but impossible.
#[test]
fn gradients_of_the_rarest_states_are_finite_on_every_backend() {
    on_every_backend("stratified step of rare states", |numerics| {
        for (seed, layers) in (73..).zip(deeper()) {
            for scale in [20.0, 200.0, 2000.0] {
                let mut parameters = random_layers(seed, 11, &layers, 1.0);
                parameters.forward *= scale;
                for between in &mut parameters.between {
                    between.matrix *= scale;
                }
                let settings = settings(&layers, objective(true, 0.1, -0.1), 3 * layers.states(), 1);
                let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                let step = one_step(numerics, &settings, &parameters, &random_images(seed, 13, 11));
                let largest = step.iter().fold(0.0_f64, |largest, step| largest.max(step.abs()));
                assert!(
                    step.iter().all(|step| step.is_finite()) && largest > 0.0 && largest < 1e6,
                    "{}, {layers}, scale {scale}: {largest}",
                    numerics.device().backend
                );
            }
        }
    });
}
