//! Both conditionals on every backend, against plain f64.

use latent_cycles::conditionals::Conditionals;
use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::tilt::{Untilted, best_tilt};
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream};

use crate::common::{Plain, all_images, flat, on_every_backend, random_images, random_model, relative_distance};

#[test]
fn conditionals_agree_with_plain_f64_on_every_backend() {
    on_every_backend("conditionals", |numerics| {
        for (seed, visible, latent, scale) in [(1, 7, 3, 1.0), (2, 11, 5, 4.0), (3, 5, 2, 0.1), (4, 3, 1, 1.0), (5, 7, 37, 1.0)] {
            let parameters = random_model(seed, visible, latent, scale);
            let plain = Plain::new(&parameters);
            let images = all_images(visible);
            let (log_p, log_q) = numerics.conditionals(&parameters, &images);
            for (n, image) in images.rows().into_iter().enumerate() {
                for k in 0..latent {
                    let (p, q) = (plain.log_p(image.as_slice().unwrap(), k), plain.log_q(image.as_slice().unwrap(), k));
                    // f32 rounds each term of the sums by 2^-24 of its size, about `visible * scale * 3`.
                    let tolerance = 2.0_f64.powi(-24) * visible as f64 * scale.max(1.0) * 10.0;
                    assert!((f64::from(log_p[[n, k]]) - p).abs() < tolerance, "ln p {} {p}", log_p[[n, k]]);
                    assert!((f64::from(log_q[[n, k]]) - q).abs() < tolerance, "ln q {} {q}", log_q[[n, k]]);
                }
            }
        }
    });
}

#[test]
fn extreme_logits_stay_finite_and_right_on_every_backend() {
    on_every_backend("extreme logits", |numerics| {
        let mut parameters = random_model(5, 7, 3, 1.0);
        parameters.backward.row_mut(0).fill(-30.0);
        parameters.backward.row_mut(1).fill(30.0);
        parameters.forward_bias[2] = -300.0;
        let plain = Plain::new(&parameters);
        let images = all_images(7);
        let (log_p, log_q) = numerics.conditionals(&parameters, &images);
        for (n, image) in images.rows().into_iter().enumerate() {
            for k in 0..3 {
                let (p, q) = (plain.log_p(image.as_slice().unwrap(), k), plain.log_q(image.as_slice().unwrap(), k));
                assert!((f64::from(log_p[[n, k]]) - p).abs() < 1e-6 * p.abs().max(1.0) * 10.0);
                assert!((f64::from(log_q[[n, k]]) - q).abs() < 1e-6 * q.abs().max(1.0) * 10.0);
            }
        }
    });
}

#[test]
fn the_reported_conditionals_agree_with_plain_f64() {
    let parameters = random_model(6, 11, 5, 3.0);
    let (model, plain) = (Conditionals::new(&parameters), Plain::new(&parameters));
    let images = random_images(6, 97, 11);
    let packed = PackedImages::pack(&images);
    let (log_p, log_q) = (model.log_forward(&packed), model.log_backward(&packed));
    for (n, image) in images.rows().into_iter().enumerate() {
        let (log_p, log_q) = (log_p.row(n), log_q.row(n));
        let total: f64 = log_p.iter().map(|log_p| log_p.exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        for k in 0..5 {
            assert!((log_p[k] - plain.log_p(image.as_slice().unwrap(), k)).abs() < 1e-12);
            assert!((log_q[k] - plain.log_q(image.as_slice().unwrap(), k)).abs() < 1e-12);
        }
    }
}

/// On software Vulkan no kernel's loops run more than 65,535 times, and what is left is passed over in silence: these are the most chains
/// and images that a configuration allows. No sum runs over more than 1,024 terms one by one, each rounded to 2^-24.
#[test]
fn sums_over_the_longest_columns_are_right_on_every_backend() {
    on_every_backend("long sums", |numerics| {
        let rows = 1 << 16;
        for latent in [1, 2, 3, 37] {
            let parameters = random_model(7, 3, latent, 1.0);
            let plain = Plain::new(&parameters);
            let mut few_images = random_images(7, 64, 3);
            few_images.column_mut(0).fill(1);
            let few_chains = random_images(8, 64, 3);
            let repeat = |few: &BinaryImages| BinaryImages::from_shape_fn((rows, 3), |(n, i)| few[[n % 64, i]]);
            let found = flat(&numerics.gradient(&parameters, &repeat(&few_images), &repeat(&few_chains)));
            let distance = relative_distance(&found, &plain.gradient(&few_images, &few_chains));
            assert!(
                distance < 1024.0 * 2.0_f64.powi(-24),
                "{}, L = {latent}: {distance}",
                numerics.device().backend
            );
        }
    });
}

/// The sum over pixels of the widest images that a configuration allows.
#[test]
fn sums_over_the_widest_images_are_right_on_every_backend() {
    on_every_backend("wide sums", |numerics| {
        let visible = 1 << 16;
        let parameters = random_model(9, visible, 2, 1.0);
        let plain = Plain::new(&parameters);
        let mut images = BinaryImages::zeros((2, visible));
        images.row_mut(1).fill(1);
        let (_, log_q) = numerics.conditionals(&parameters, &images);
        for (n, k) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let expected = plain.log_q(images.row(n).as_slice().unwrap(), k);
            let error = (f64::from(log_q[[n, k]]) / expected - 1.0).abs();
            assert!(error < visible as f64 * 2.0_f64.powi(-24), "{}: {error}", numerics.device().backend);
        }
    });
}

/// What sums over rows of W once passed over a matrix that lies in columns.
#[test]
fn figures_do_not_depend_on_the_order_of_a_matrix_in_memory() {
    let in_rows = random_model(6, 11, 5, 3.0);
    let mut in_columns = in_rows.clone();
    for matrix in [&mut in_columns.forward, &mut in_columns.backward] {
        let transposed = matrix.t().as_standard_layout().into_owned();
        *matrix = transposed.reversed_axes();
        assert!(!matrix.is_standard_layout());
    }
    assert_eq!(in_rows, in_columns);
    let tilts = |parameters: &Parameters| {
        let model = Conditionals::new(parameters);
        let untilted: Vec<Untilted> = (0..5).map(|source| Untilted::new(&model, source)).collect();
        let tilt = |(source, target): (usize, usize)| {
            let tilt = best_tilt(&model, source, target, &untilted[source]);
            (tilt.log_bound, tilt.competitors)
        };
        (0..25).map(|pair| tilt((pair / 5, pair % 5))).collect::<Vec<_>>()
    };
    let (expected, found) = (tilts(&in_rows), tilts(&in_columns));
    assert!(expected.iter().any(|(_, competitors)| !competitors.is_empty()));
    assert_eq!(found, expected);
    let images = PackedImages::pack(&random_images(6, 13, 11));
    let [expected, found] = [&in_rows, &in_columns].map(|parameters| {
        let model = Conditionals::new(parameters);
        (
            model.log_forward(&images),
            model.log_backward(&images),
            model.draw(&[0, 1, 2, 3, 4], Seed(6).draws(Stream::ChainStart, 0, 0)),
        )
    });
    assert_eq!(found, expected);
}
