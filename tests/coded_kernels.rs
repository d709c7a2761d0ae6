//! The CPU's kernels for states that are made of factors against plain sums over all states in f64.
//!
//! A number that is made of F factors has F roundings of f32, each 6e-8 of the largest logarithm that it comes from; tolerances are 16 of these.

use latent_cycles::codes::{Codes, Layer};
use latent_cycles::kernels::coded_pixels::{Backward, log_dark, means};
use latent_cycles::kernels::coded_sums::{log_mean, shares, softmax_gradient};
use latent_cycles::kernels::codes::{States, draw, log_softmax};
use latent_cycles::kernels::visible::{Thresholds, draw_of_codes};
use latent_cycles::random::{Seed, Stream, normal};
use ndarray::{Array1, Array2, Axis};

const ROUNDING: f64 = 16.0 * 6e-8;

/// Layers of one factor and of many, whose runs of states are as long as 8, 16 and 32 lanes and no multiple of them.
fn layers() -> Vec<Layer> {
    let grid = |dimensions, points| Layer::Grid {
        dimensions,
        points,
        range: 3.0,
    };
    vec![
        Layer::Binary { units: 1 },
        Layer::Binary { units: 3 },
        Layer::Binary { units: 7 },
        Layer::Binary { units: 11 },
        Layer::Groups { sizes: vec![13] },
        Layer::Groups { sizes: vec![2, 3, 5, 7] },
        Layer::Groups { sizes: vec![101, 3] },
        grid(1, 37),
        grid(2, 24),
        grid(2, 29),
    ]
}

struct Fixture {
    codes: Codes,
    states: States,
    /// A and a, `[H, D]` and `[D]`.
    matrix: Array2<f32>,
    bias: Array1<f32>,
    /// `a + c_k A`, `[L, D]`, and the sums of the sizes of its terms.
    logits: Array2<f64>,
    sizes: Array2<f64>,
}

impl Fixture {
    /// A third of the pixels have odds of many orders of magnitude, also where the odds of values and of the bias make up for each other.
    fn new(layer: &Layer, visible: usize) -> Self {
        let codes = Codes::of(layer);
        let numbers = normals(31, codes.width() + 1, visible);
        let scaled = |row: usize, pixel: usize| (numbers[[row, pixel]] * if pixel.is_multiple_of(3) { 90.0 } else { 1.5 }) as f32;
        let matrix = Array2::from_shape_fn((codes.width(), visible), |(h, pixel)| scaled(h, pixel));
        let bias = Array1::from_shape_fn(visible, |pixel| scaled(codes.width(), pixel));
        let (c, a) = (codes.matrix(), matrix.mapv(f64::from));
        let bias_f64 = bias.mapv(f64::from);
        Self {
            states: States::new(&codes),
            logits: c.dot(&a) + &bias_f64,
            sizes: c.mapv(f64::abs).dot(&a.mapv(f64::abs)) + bias_f64.mapv(f64::abs) + 1.0,
            matrix,
            bias,
            codes,
        }
    }

    fn backward(&self) -> Backward<'_> {
        Backward {
            matrix: self.matrix.as_slice().unwrap(),
            bias: self.bias.as_slice().unwrap(),
        }
    }
}

fn normals(seed: u64, rows: usize, columns: usize) -> Array2<f64> {
    let mut generator = Seed(seed).generator(Stream::Parameters, 7, 0);
    Array2::from_shape_simple_fn((rows, columns), || normal(&mut generator))
}

fn softmax(logits: &Array2<f64>) -> Array2<f64> {
    let mut p = logits.clone();
    for mut row in p.rows_mut() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|logit| (logit - largest).exp());
        row /= row.sum();
    }
    p
}

fn assert_near(what: &str, layer: &Layer, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}, {layer:?}: {found:e} is not {expected:e} ± {tolerance:e}"
    );
}

#[test]
fn pixels_of_all_states_agree_with_f64() {
    for layer in layers() {
        let of = Fixture::new(&layer, 97);
        let softplus = |a: f64| a.max(0.0) + (-a.abs()).exp().ln_1p();
        let found = log_dark(&of.states, of.backward());
        for ((found, logits), sizes) in found.iter().zip(of.logits.rows()).zip(of.sizes.rows()) {
            let expected = -logits.mapv(softplus).sum();
            assert_near("log_dark", &layer, f64::from(*found), expected, ROUNDING * sizes.sum());
        }

        let rho = softmax(&normals(32, 1, of.codes.states())).row(0).mapv(|rho| rho as f32);
        let weighted = of.logits.mapv(|a| 1.0 / (1.0 + (-a).exp())) * rho.mapv(f64::from).insert_axis(Axis(1));
        let expected = of.codes.matrix().t().dot(&weighted);
        let tolerance =
            ROUNDING * of.sizes.iter().copied().fold(0.0, f64::max) * of.codes.matrix().mapv(f64::abs).iter().copied().fold(1.0, f64::max);
        let (found, whole) = means(&of.states, rho.as_slice().unwrap(), of.backward());
        for (found, expected) in found.iter().zip(&expected) {
            assert_near("means", &layer, f64::from(*found), *expected, tolerance);
        }
        for (found, expected) in whole.iter().zip(weighted.sum_axis(Axis(0))) {
            assert_near("means of pixels", &layer, f64::from(*found), expected, tolerance);
        }
    }
}

#[test]
fn sums_over_states_agree_with_f64() {
    let count = 61;
    for (layer, scale) in layers().iter().flat_map(|layer| [(layer, 1.0), (layer, 30.0)]) {
        let codes = Codes::of(layer);
        let (states, c) = (States::new(&codes), codes.matrix());
        let logits = (normals(33, count, codes.width()) * scale).mapv(|logit| logit as f32);
        let log_values = log_softmax(&states, logits.as_slice().unwrap());
        let log_weights = codes.log_weights();
        let all = logits.mapv(f64::from).dot(&c.t()) + &log_weights;
        let size = all.iter().map(|a| a.abs()).fold(1.0, f64::max);
        let p = softmax(&all);

        let log_pi = log_mean(&states, &log_values);
        let pi = p.mean_axis(Axis(0)).unwrap();
        for (found, pi) in log_pi.iter().zip(&pi) {
            assert_near("log_mean", layer, f64::from(*found), pi.ln(), ROUNDING * size);
        }

        // Images far apart: their terms span hundreds of nats.
        let lit_logits = (normals(34, count, codes.width()) * scale * 4.0).mapv(|logit| logit as f32);
        let mut lit = Vec::new();
        for logits in lit_logits.rows() {
            for (factor, logits_of, _) in codes.factors() {
                for value in 0..factor.values() {
                    let terms = logits_of
                        .clone()
                        .enumerate()
                        .map(|(h, logit)| factor.code(value, h) * f64::from(logits[logit]));
                    lit.push(terms.sum::<f64>() as f32);
                }
            }
        }
        let log_dark: Vec<f32> = normals(35, 1, codes.states())
            .iter()
            .map(|&number| (-100.0 + 10.0 * number) as f32)
            .collect();
        let (gathered, log_u) = shares(&states, &lit, &log_dark, &log_pi);
        let columns: Array1<f64> = log_dark
            .iter()
            .zip(&log_pi)
            .map(|(dark, pi)| f64::from(*dark) + f64::from(*pi))
            .collect();
        let terms = lit_logits.mapv(f64::from).dot(&c.t()) + &columns;
        let r = softmax(&terms);
        let size = terms.iter().map(|a| a.abs()).fold(200.0, f64::max);
        let largest_code = c.iter().map(|c| c.abs()).fold(1.0, f64::max);
        for (found, expected) in gathered.iter().zip(r.dot(&c).iter()) {
            assert_near(
                "responsibilities",
                layer,
                f64::from(*found),
                *expected,
                ROUNDING * size * largest_code,
            );
        }
        for ((found, rho), log_pi) in log_u.iter().zip(r.mean_axis(Axis(0)).unwrap()).zip(&log_pi) {
            // A share below the smallest f32 is as good as any.
            let expected = rho.ln() - f64::from(*log_pi);
            if rho > 1e-30 {
                assert_near("log_u", layer, f64::from(*found), expected, ROUNDING * size);
            } else {
                assert!(
                    f64::from(*found) < 1e-30_f64.ln() - f64::from(*log_pi) + 1.0,
                    "log_u, {layer:?}: {found} of {expected}"
                );
            }
        }

        for steepness in [1.0, 60.0] {
            // As large as the two-step gradient has them: p u is 1 at most.
            let log_u: Vec<f32> = (normals(36, 1, codes.states()).iter().zip(p.columns()))
                .map(|(number, p)| (-steepness * number.abs() - p.iter().copied().fold(1e-37, f64::max).ln()) as f32)
                .collect();
            let u: Array1<f64> = log_u.iter().map(|&log_u| f64::from(log_u).exp()).collect();
            let mean = p.dot(&u).insert_axis(Axis(1));
            let sizes = ((&p * &u) + &p * &mean).sum_axis(Axis(1)) / count as f64;
            let expected = (&p * (&Array2::zeros(p.dim()) + &u - &mean)).dot(&c) / count as f64;
            let found = softmax_gradient(&states, &log_values, &log_u);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let tolerance = ROUNDING
                    * (all.iter().map(|a| a.abs()).fold(1.0, f64::max) + 4.0 * steepness + 90.0)
                    * largest_code
                    * sizes[index / codes.width()];
                assert_near("softmax_gradient", layer, f64::from(*found), *expected, tolerance.max(1e-37));
            }
        }
    }
}

/// By products of odds and from a table of logits, the thresholds of a pixel differ by some 1e-6 of s(a): of these 97,243 pixels a layer some 0.1 flip,
/// more than 5 in one of ten layers with a probability below 1e-6.
#[test]
fn images_from_codes_are_those_from_their_table() {
    for layer in layers() {
        let (visible, chains) = (269, 361);
        let of = Fixture::new(&layer, visible);
        let uniform_logits = vec![0.0; chains * of.codes.width()];
        let latent = draw(&of.states, &uniform_logits, Seed(37).draws(Stream::Latent, 0, 0));
        let draws = Seed(37).draws(Stream::Visible, 0, 0);
        let table: Vec<f32> = of.logits.iter().map(|&logit| logit as f32).collect();
        let expected = Thresholds::of_logits(&table, visible).draw(&latent, draws);
        let threads = |number| rayon::ThreadPoolBuilder::new().num_threads(number).build().unwrap();
        let drawn = || draw_of_codes(&of.states, of.backward(), &latent, draws);
        let found = threads(1).install(drawn);
        let flips: u32 = found.iter().zip(&expected).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert!(flips <= 5, "{layer:?}: {flips} pixels differ");
        assert_eq!(found, threads(3).install(drawn), "{layer:?}");
    }
}
