//! Latent layers with structure: codes, gradients and draws of every kind, against plain f64 and burn's autodiff, on every backend.

use std::cell::RefCell;

use burn::tensor::Tensor;
use latent_cycles::codes::{Codes, Layer, Layers};
use latent_cycles::conditionals::Conditionals;
use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream};
use ndarray::{Array1, Array2, Axis};

use crate::common::{all_images, flat, on_every_backend, random_images, relative_distance};
use crate::gradient::{Oracle, ln, logsumexp, oracle};
use crate::layered::{Layered, codes, kinds, random_layers};

/// Spreading, gathering and normalizing factor by factor is what the whole matrix C does.
#[test]
fn codes_act_as_their_matrix() {
    for layers in kinds() {
        for layer in layers.all() {
            let (matrix, log_weights) = codes(layer);
            let own = Codes::of(layer);
            assert_eq!((own.states(), own.width()), matrix.dim(), "{layer}");
            let apart = |a: &Array2<f64>, b: &Array2<f64>| (a - b).mapv(f64::abs).iter().copied().fold(0.0, f64::max);
            // Sums of at most 8 numbers of order 10.
            assert!(apart(&own.matrix(), &matrix) < 1e-14, "{layer}");
            assert!((own.log_weights() - &log_weights).iter().all(|d| d.abs() < 1e-14), "{layer}");
            let logits = Array2::from_shape_fn((3, own.width()), |(n, h)| ((7 * n + 3 * h) % 11) as f64 - 5.0);
            let spread = logits.dot(&matrix.t());
            assert!(apart(&own.spread_rows(logits.clone()), &spread) < 1e-13, "{layer}");
            let mut log_p = spread + &log_weights;
            for mut row in log_p.rows_mut() {
                let total = row.mapv(f64::exp).sum().ln();
                row -= total;
            }
            assert!(apart(&own.log_softmax_rows(logits.clone()), &log_p) < 1e-13, "{layer}");
            let weights = Array1::from_shape_fn(own.states(), |k| ((5 * k) % 7) as f64 - 3.0);
            let gathered = own.gather(weights.view());
            assert!((gathered - weights.dot(&matrix)).iter().all(|d| d.abs() < 1e-11), "{layer}");
        }
    }
}

/// The conditionals of evaluation, in f64.
#[test]
fn conditionals_are_those_of_the_equations() {
    for (case, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(100 + case as u64, 7, layers, 1.5);
        let (plain, model) = (Layered::new(&parameters), Conditionals::new(&parameters));
        let images = all_images(7);
        let packed = PackedImages::pack(&images);
        let images = images.mapv(f64::from);
        for (found, expected) in [
            (model.log_forward(&packed), plain.log_p(&images)),
            (model.log_backward(&packed), plain.log_q(&images)),
        ] {
            assert!((found - expected).iter().all(|d| d.abs() < 1e-11), "{layers}");
        }
        assert!((model.backward() - &plain.table()).iter().all(|d| d.abs() < 1e-13), "{layers}");
    }
}

/// burn's autodiff of the two-step objective in f64, in the order of `Parameters::numbers`.
fn autodiff(parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Vec<f64> {
    let row = |values: &Array1<f64>| oracle(&values.clone().insert_axis(Axis(0)));
    let plain = Layered::new(parameters);
    let up: Vec<_> = (plain.up.iter())
        .map(|(matrix, bias)| (oracle(matrix).require_grad(), row(bias).require_grad()))
        .collect();
    let backward = oracle(&plain.backward).require_grad();
    let visible_bias = row(&plain.visible_bias).require_grad();
    let codes: Vec<_> = plain.codes.iter().map(|(matrix, weights)| (oracle(matrix), row(weights))).collect();

    let log_softmax = |input: Tensor<Oracle, 2>, layer: usize| {
        let ((matrix, bias), (codes, weights)) = (&up[layer], &codes[layer]);
        let logits = (input.matmul(matrix.clone()) + bias.clone()).matmul(codes.clone().transpose()) + weights.clone();
        logits.clone() - logsumexp(logits, 1)
    };
    let mut log_p = log_softmax(oracle(&chains.mapv(f64::from)), 0);
    for layer in 1..up.len() {
        log_p = ln(log_p.exp().matmul(log_softmax(codes[layer - 1].0.clone(), layer).exp()));
    }
    let log_pi = logsumexp(log_p, 0);
    let table = codes[codes.len() - 1].0.clone().matmul(backward.clone()) + visible_bias.clone();
    let log_q = oracle(&images.mapv(f64::from)).matmul(table.clone().transpose()) - ln(table.exp() + 1.0).sum_dim(1).transpose();
    let gradients = logsumexp(log_q + log_pi, 1).mean().backward();
    let mut leaves: Vec<_> = up.into_iter().flat_map(|(matrix, bias)| [matrix, bias]).collect();
    leaves.push(backward);
    leaves.extend(parameters.visible_bias.is_some().then_some(visible_bias));
    leaves
        .into_iter()
        .flat_map(|leaf| leaf.grad(&gradients).unwrap().into_data().iter::<f64>().collect::<Vec<_>>())
        .collect()
}

#[test]
fn gradients_equal_burns_autodiff_on_every_backend() {
    on_every_backend("gradient with codes against autodiff", |numerics| {
        for (case, layers) in kinds().iter().enumerate() {
            for (seed, scale) in [(200, 1.0), (300, 0.1), (400, 2.0)] {
                let parameters = random_layers(seed + case as u64, 11, layers, scale);
                let (images, chains) = (random_images(seed + 1, 13, 11), random_images(seed + 2, 17, 11));
                let found = numerics.gradient(&parameters, &images, &chains);
                let distance = relative_distance(&flat(&found), &autodiff(&parameters, &images, &chains));
                assert!(
                    distance <= 1e-5,
                    "{}, {layers}, scale {scale}: {distance:e}",
                    numerics.device().backend
                );
            }
        }
    });
}

/// Central differences of the objective in plain f64.
#[test]
fn gradients_equal_finite_differences_on_every_backend() {
    for (case, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(500 + case as u64, 5, layers, 1.0);
        let (images, chains) = (random_images(51, 29, 5), random_images(52, 31, 5));
        let (x, walkers) = (images.mapv(f64::from), chains.mapv(f64::from));
        let step = 1e-3;
        let differences: Vec<f64> = (0..parameters.numbers().count())
            .map(|index| {
                let shifted = |shift: f64| {
                    let mut plain = Layered::new(&parameters);
                    *plain.numbers_mut()[index] += shift;
                    plain.objective(&x, &walkers)
                };
                (8.0 * (shifted(step) - shifted(-step)) - (shifted(2.0 * step) - shifted(-2.0 * step))) / (12.0 * step)
            })
            .collect();
        let apart = relative_distance(&autodiff(&parameters, &images, &chains), &differences);
        assert!(apart < 1e-9, "{layers}: autodiff {apart:e}");
        on_every_backend("gradient with codes against finite differences", |numerics| {
            let found = flat(&numerics.gradient(&parameters, &images, &chains));
            let distance = relative_distance(&found, &differences);
            assert!(distance <= 1e-5, "{}, {layers}: {distance:e}", numerics.device().backend);
        });
    }
}

/// Over data that are distributed as the model's own images, u = 1: nothing pulls on the way up. The gradient is linear in the data's
/// distribution, so that it is summed over all images, each weighted by its P(x).
#[test]
fn nothing_pulls_on_the_way_up_where_rho_is_pi() {
    let visible = 5;
    for (case, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(600 + case as u64, visible, layers, 1.0);
        let plain = Layered::new(&parameters);
        let chains = random_images(61, 17, visible);
        let pi = plain.log_p(&chains.mapv(f64::from)).mapv(f64::exp).mean_axis(Axis(0)).unwrap();
        let images = all_images(visible);
        let density = plain.log_q(&images.mapv(f64::from)).mapv(f64::exp).dot(&pi);
        let up = parameters.numbers().count() - parameters.backward.len() - parameters.visible_bias.as_ref().map_or(0, Array1::len);
        on_every_backend("gradient with codes at rho = pi", |numerics| {
            let mut total = vec![0.0; up];
            let mut size: f64 = 0.0;
            for (x, weight) in images.rows().into_iter().zip(&density) {
                let image = x.to_owned().insert_axis(Axis(0));
                let gradient = flat(&numerics.gradient(&parameters, &image, &chains));
                total.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += weight * g);
                size = gradient[..up].iter().fold(size, |size, g| size.max(g.abs()));
            }
            // Rounding in f32 of terms that cancel.
            let left = total.iter().fold(0.0_f64, |left, g| left.max(g.abs()));
            assert!(left < 3e-6 * size, "{}, {layers}: {left:e} of {size:e}", numerics.device().backend);
        });
    }
}

/// Far below what f32 holds: a state that no chain visits, and one that explains the data alone.
#[test]
fn unvisited_states_give_finite_gradients_on_every_backend() {
    on_every_backend("gradient with codes of unvisited states", |numerics| {
        for layers in kinds() {
            for bias in [-50.0, -200.0, -1000.0] {
                let mut parameters = random_layers(71, 11, &layers, 1.0);
                parameters.forward_bias.fill(bias);
                parameters.backward *= 20.0;
                let gradient = numerics.gradient(&parameters, &BinaryImages::ones((13, 11)), &random_images(72, 17, 11));
                assert!(gradient.is_finite(), "{}, {layers} at {bias}", numerics.device().backend);
            }
        }
    });
}

/// Binary units as many as in the configurations, at the size of the images that matter.
#[test]
fn the_error_of_f32_with_ten_units_at_784_pixels_is_as_stated() {
    let layers = Layers::new(vec![Layer::Binary { units: 10 }]).unwrap();
    let mut parameters = random_layers(81, 784, &layers, 0.5);
    // Steep as after training: most pixels dark.
    parameters.visible_bias = Some(Array1::from_shape_fn(784, |i| if i % 5 == 0 { 1.0 } else { -4.0 }));
    parameters.forward *= 0.2;
    let model = Conditionals::new(&parameters);
    let states: Vec<i32> = (0..204).map(|n| n * 5 % 1024).collect();
    let drawn = model.draw(&states, Seed(81).draws(Stream::ChainStart, 0, 0)).unpack();
    let (images, chains) = (
        drawn.slice(ndarray::s![..101, ..]).to_owned(),
        drawn.slice(ndarray::s![101.., ..]).to_owned(),
    );
    let reference = autodiff(&parameters, &images, &chains);
    on_every_backend("gradient with ten units at D = 784", |numerics| {
        let found = flat(&numerics.gradient(&parameters, &images, &chains));
        let distance = relative_distance(&found, &reference);
        println!(
            "relative error of the gradient with ten units at D = 784 on {}: {distance:.1e}",
            numerics.device().backend
        );
        assert!(distance <= 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

/// States are drawn in proportion to p(z|x), with an error rate of 1e-7 for each kind and backend; and all backends draw the same but for rounding,
/// which decides one draw in some millions.
#[test]
fn states_are_drawn_from_p_and_equal_on_every_backend() {
    let (visible, count) = (7, 20_011);
    for (case, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(900 + case as u64, visible, layers, 0.5);
        let image = random_images(91, 1, visible);
        let p = Layered::new(&parameters).log_p(&image.mapv(f64::from)).mapv(f64::exp);
        let images = BinaryImages::from_shape_fn((count, visible), |(_, i)| image[[0, i]]);
        let draws = Seed(92).draws(Stream::Latent, 3, 1);
        let first: RefCell<Option<Vec<i32>>> = RefCell::new(None);
        on_every_backend("draws of states with codes", |numerics| {
            let backend = numerics.device().backend;
            let states = numerics.draw_states(&parameters, &images, draws);
            let counts = p.iter().enumerate().map(|(k, p)| {
                let found = states.iter().filter(|&&state| state as usize == k).count();
                (found as f64, p * count as f64)
            });
            // States that are expected fewer than ten times count as one.
            let (common, rare): (Vec<_>, Vec<_>) = counts.partition(|(_, expected)| *expected >= 10.0);
            let rare = rare.into_iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let terms = common.iter().chain((rare.1 >= 10.0).then_some(&rare));
            let chi_squared: f64 = terms.map(|(found, expected)| (found - expected).powi(2) / expected).sum();
            // B. Laurent and P. Massart, Ann. Stat. 28, 1302 (2000), lemma 1.
            let (freedom, x) = (common.len() as f64, 1e7_f64.ln());
            let bound = freedom + 2.0 * (freedom * x).sqrt() + 2.0 * x;
            assert!(chi_squared < bound, "{backend}, {layers}: {chi_squared}, not below {bound}");
            let mut first = first.borrow_mut();
            let others = first.get_or_insert_with(|| states.clone());
            let differ = others.iter().zip(&states).filter(|(a, b)| a != b).count();
            assert!(differ <= 1, "{backend}, {layers}: {differ} of {count} states differ");
        });
    }
}

/// A full step from one image: the mean of the next image is `sum_k p(k|x) s(A~_k)`, with an error rate of 1e-8 for each pixel.
#[test]
fn chains_move_as_the_conditionals_say_on_every_backend() {
    let (visible, count) = (7, 20_011);
    for (case, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(950 + case as u64, visible, layers, 0.5);
        let image = random_images(95, 1, visible);
        let plain = Layered::new(&parameters);
        let p = plain.log_p(&image.mapv(f64::from)).mapv(f64::exp);
        let mean = p.dot(&plain.table().mapv(|a| 1.0 / (1.0 + (-a).exp())));
        let images = BinaryImages::from_shape_fn((count, visible), |(_, i)| image[[0, i]]);
        on_every_backend("steps of chains with codes", |numerics| {
            let moved = numerics.walk(&parameters, &images, 1, Seed(96), 5);
            let found = moved.mapv(f64::from).mean_axis(Axis(0)).unwrap();
            for (found, &mean) in found.iter().zip(&mean) {
                let deviations = (found - mean) / (mean * (1.0 - mean) / count as f64).sqrt();
                assert!(deviations.abs() < 5.8, "{}, {layers}: {deviations}", numerics.device().backend);
            }
        });
    }
}
