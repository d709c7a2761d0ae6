//! The CPU's kernels against plain loops in f64.

use latent_cycles::data::packed::PackedImages;
use latent_cycles::kernels::bits::{Bits, transpose};
use latent_cycles::kernels::products::affine;
use latent_cycles::kernels::rmsprop::RmsProp;
use latent_cycles::kernels::{exp, latent, logspace, pixels};
use latent_cycles::random::{Seed, Stream, normal, unit};
use ndarray::Array2;

use crate::common::random_images;

fn normals(seed: u64, rows: usize, columns: usize, scale: f64) -> Array2<f32> {
    let mut generator = Seed(seed).generator(Stream::Parameters, 5, 0);
    Array2::from_shape_simple_fn((rows, columns), || (scale * normal(&mut generator)) as f32)
}

#[test]
fn the_exponential_in_f64_is_right_to_its_stated_error() {
    let worst = (0..2_000_000)
        .map(|n| -700.0 + 7.001e-4 * f64::from(n))
        .map(|x| (exp::exp_f64(x) / x.exp() - 1.0).abs())
        .fold(0.0, f64::max);
    println!("{worst:e}");
    assert!(worst < 5e-16, "{worst:e}");
    assert_eq!([f64::NEG_INFINITY, -1e300, -709.0, 0.0].map(exp::exp_f64), [0.0, 0.0, 0.0, 1.0]);
    assert!(exp::exp_f64(f64::NAN).is_nan());
}

#[test]
fn the_exponential_is_right_to_its_stated_error() {
    let worst = (0..2_000_003)
        .map(|step| -87.29 + step as f64 * 176.0 / 2e6)
        .filter(|&x| x < 88.29)
        .map(|x| (f64::from(exp::exp(x as f32)) / f64::from(x as f32).exp() - 1.0).abs())
        .fold(0.0, f64::max);
    assert!(worst < 1.2e-7, "{worst:e}");
    assert_eq!(
        [f32::NEG_INFINITY, -1e30, -87.4, 0.0, 89.0, f32::INFINITY].map(exp::exp),
        [0.0, 0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY]
    );
    assert!(exp::exp(f32::NAN).is_nan());
}

/// Widths that use every strip, and columns beyond a block of 512; sums of whole numbers are exact in f32.
#[test]
fn affine_products_are_exact_at_every_width() {
    for (rows, columns, width) in [
        (3, 5, 1),
        (37, 61, 7),
        (41, 53, 11),
        (17, 67, 19),
        (13, 1031, 29),
        (11, 71, 37),
        (7, 523, 101),
    ] {
        let images = random_images(rows as u64, rows, columns);
        let table = normals(7, columns, width, 1000.0).mapv(f32::round);
        let start: Vec<f32> = (0..width).map(|k| k as f32).collect();
        let packed = PackedImages::pack(&images);
        let dense = |start: f32| {
            let mut sums = images.mapv(f32::from).dot(&table);
            for mut row in sums.rows_mut() {
                row.iter_mut().enumerate().for_each(|(k, sum)| *sum += start * k as f32);
            }
            sums.into_raw_vec_and_offset().0
        };
        assert_eq!(affine(packed.bits(), table.view(), Some(&start)), dense(1.0));
        // A transposed table lies in columns.
        let columns_first = table.t().as_standard_layout().into_owned();
        assert_eq!(affine(packed.bits(), columns_first.t(), None), dense(0.0));
        let in_f64 = affine(packed.bits(), table.mapv(f64::from).view(), None);
        assert_eq!(in_f64, dense(0.0).into_iter().map(f64::from).collect::<Vec<_>>());
        assert_eq!(PackedImages::pack(&images).unpack(), images);
        let words = packed.bits().transposed();
        let transposed = Bits {
            words: &words,
            columns: rows,
        };
        let expected = PackedImages::pack(&images.t().to_owned());
        assert_eq!(transposed.words, expected.words());
    }
    let mut squares: [[u32; 8]; 32] =
        std::array::from_fn(|i| std::array::from_fn(|s| 0x9E37_79B9_u32.wrapping_mul((8 * i + s) as u32 + 1)));
    let before = squares;
    transpose(&mut squares);
    for (i, j, s) in (0..32 * 32 * 8).map(|index| (index % 32, index / 32 % 32, index / 1024)) {
        assert_eq!(squares[i][s] >> j & 1, before[j][s] >> i & 1);
    }
}

#[test]
fn sums_in_log_space_agree_with_f64() {
    for (rows, columns, scale) in [(3, 1, 1.0), (131, 7, 30.0), (389, 11, 0.1), (257, 101, 100.0)] {
        let a = normals(11, rows, columns, scale);
        let along_rows = normals(12, rows, 1, scale);
        let along_columns = normals(13, 1, columns, scale);
        let a_slice = a.as_slice().unwrap();
        let (r, c) = (along_rows.as_slice().unwrap(), along_columns.as_slice().unwrap());
        let wide = |n: usize, k: usize, r: f32, c: f32| f64::from(a[[n, k]]) + f64::from(r) + f64::from(c);
        let log_sum = |terms: &dyn Fn(usize) -> f64, count: usize| {
            let largest = (0..count).map(terms).fold(f64::MIN, f64::max);
            largest + (0..count).map(|i| (terms(i) - largest).exp()).sum::<f64>().ln()
        };
        // Every term is rounded once or twice to 2^-24 of its size, about five scales.
        let tolerance = 2.0_f64.powi(-24) * (10.0 * scale + 2.0);
        for (n, &found) in logspace::logsumexp(a_slice, c).iter().enumerate() {
            let expected = log_sum(&|k| wide(n, k, 0.0, c[k]), columns);
            assert!((f64::from(found) - expected).abs() < tolerance, "{found} {expected}");
        }
        for (k, &found) in logspace::log_mean_exp(a_slice, r).iter().enumerate() {
            let expected = log_sum(&|n| wide(n, k, -r[n], 0.0), rows) - (rows as f64).ln();
            assert!((f64::from(found) - expected).abs() < tolerance, "{found} {expected}");
        }
        let shift = logspace::logsumexp(a_slice, c).into_iter().fold(0.0, f32::max);
        let r = vec![shift; rows];
        for (position, &found) in logspace::responsibilities(a_slice, &r, c).iter().enumerate() {
            let expected = wide(position / columns, position % columns, -shift, c[position % columns]).exp();
            assert!(
                (f64::from(found) - expected).abs() < 3.0 * tolerance * expected + 1e-37,
                "{found} {expected}"
            );
        }
    }
}

#[test]
fn bernoulli_pixels_agree_with_f64() {
    for (states, visible, scale) in [(3, 5, 1.0), (7, 787, 4.0), (2, 1031, 40.0)] {
        let logits = normals(21, states, visible, scale);
        let (means, log_dark) = pixels::bernoulli(logits.as_slice().unwrap(), visible);
        for k in 0..states {
            let mut sum = 0.0;
            for i in 0..visible {
                let a = f64::from(logits[[k, i]]);
                let expected = 1.0 / (1.0 + (-a).exp());
                assert!((f64::from(means[k * visible + i]) / expected - 1.0).abs() < 4e-7 || expected < 1e-37);
                sum -= a.max(0.0) + (-a.abs()).exp().ln_1p();
            }
            // In units of 2^-24: up to 32 roundings of each sum of positive parts, 64 of each product of 32 factors, one at the end.
            let tolerance = 2.0_f64.powi(-24) * (33.0 * sum.abs() + 64.0 * (visible as f64 / 32.0 + 8.0));
            assert!((f64::from(log_dark[k]) - sum).abs() < tolerance, "{} {sum}", log_dark[k]);
        }
    }
}

#[test]
fn rmsprop_goes_uphill_within_bounds() {
    let rule = RmsProp {
        decay: 0.9,
        epsilon: 1e-6,
        rate: 0.3,
        bound: 2.0,
    };
    let [theta, gradient, moment] = [31, 32, 33].map(|seed| normals(seed, 1, 40_009, 1.0).into_raw_vec_and_offset().0);
    let mean_square: Vec<f32> = moment.iter().map(|value| value * value).collect();
    let (moved, square) = rule.step(&theta, &gradient, &mean_square);
    let mut at_bound = 0;
    for i in 0..theta.len() {
        let g = f64::from(gradient[i]);
        let v = 0.9 * f64::from(mean_square[i]) + 0.1 * g * g;
        let to = (f64::from(theta[i]) + 0.3 * g / (v.sqrt() + 1e-6)).clamp(-2.0, 2.0);
        assert!((f64::from(square[i]) - v).abs() < 5e-7 * v.max(1e-3));
        assert!((f64::from(moved[i]) - to).abs() < 2e-6, "{} {to}", moved[i]);
        at_bound += usize::from(to.abs() == 2.0);
    }
    assert!(at_bound > 100);
    let free = RmsProp {
        bound: f32::INFINITY,
        ..rule
    };
    assert!(free.step(&[5.0], &[1.0], &[0.0]).0[0] > 5.0);
    assert_eq!(
        free.step(&[5.0], &[0.0], &[0.0]),
        (vec![5.0], vec![0.0]),
        "nothing pulls, nothing moves"
    );
}

/// Inverting the cumulative distribution, against the same in f64.
#[test]
fn latent_draws_invert_the_cumulative_distribution() {
    let logits = normals(41, 5003, 7, 3.0);
    let draws = Seed(41).draws(Stream::Latent, 0, 0);
    let found = latent::draw_latent(logits.as_slice().unwrap(), 7, draws);
    let mut differ = 0;
    for (n, row) in logits.rows().into_iter().enumerate() {
        let weights: Vec<f64> = row.iter().map(|&a| f64::from(a).exp()).collect();
        let threshold = f64::from(unit(draws.block(n as u64)[0])) * weights.iter().sum::<f64>();
        let mut cumulative = 0.0;
        let expected = weights.iter().position(|weight| {
            cumulative += weight;
            threshold < cumulative
        });
        differ += usize::from(expected != Some(found[n] as usize));
    }
    // A uniform lies within the rounding of a cumulative sum, 7 x 2^-24, about once in 300 such rows of 5,003.
    assert!(differ <= 1, "{differ}");
}
