//! Autocorrelation times against the chain of images itself, all of them: lag by lag, with no latent state in sight.

use latent_cycles::codes::Layers;
use latent_cycles::conditionals::Conditionals;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::autocorrelation::{AutocorrelationTimes, Classes};
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::estimate::{Estimate, Settings};
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use ndarray::{Array2, Axis};

use crate::common::all_images;
use crate::layered::{Layered, kinds, random_layers};

const VISIBLE: usize = 7;

/// A class of an image: how many of its first three pixels are lit, cut at two.
fn class(image: impl Iterator<Item = u8>) -> usize {
    image.take(3).map(usize::from).sum::<usize>().min(2)
}

fn classes_of(images: &PackedImages) -> Vec<usize> {
    images.unpack().rows().into_iter().map(|row| class(row.iter().copied())).collect()
}

/// 1 where an image is of a class, `[2^D, 3]`.
fn indicators() -> Array2<f64> {
    let images = all_images(VISIBLE);
    let class_of = |n: usize| class(images.row(n).iter().copied());
    Array2::from_shape_fn((images.nrows(), 3), |(n, c)| f64::from(u8::from(class_of(n) == c)))
}

/// `1/2 + sum_n rho(n)` of the columns of f, `[2^D, F]`, by steps of the chain of images until nothing is left.
fn lag_by_lag(plain: &Layered, f: &Array2<f64>) -> f64 {
    let images = all_images(VISIBLE).mapv(f64::from);
    let kernel = plain.log_p(&images).mapv(f64::exp).dot(&plain.log_q(&images).mapv(f64::exp).t());
    // After 2^24 steps every row is the steady state.
    let late = (0..24).fold(kernel.clone(), |power, _| power.dot(&power));
    let density = late.row(0).to_owned() / late.row(0).sum();
    let deviation = f - &density.dot(f);
    let weighed = &deviation * &density.insert_axis(Axis(1));
    let covariance = |later: &Array2<f64>| (&weighed * later).sum();
    let mut later = deviation.clone();
    let mut tau = 0.5;
    for _ in 0..100_000 {
        later = kernel.dot(&later);
        let rho = covariance(&later) / covariance(&deviation);
        tau += rho;
        if rho.abs() < 1e-11 {
            return tau;
        }
    }
    panic!("a chain that is too slow for this: {tau} so far")
}

/// The shares of the classes in each state, by enumeration.
fn shares(plain: &Layered) -> Array2<f64> {
    let images = all_images(VISIBLE).mapv(f64::from);
    plain.log_q(&images).mapv(f64::exp).t().dot(&indicators())
}

fn times(parameters: &Parameters, settings: Settings) -> [Figure; 2] {
    let model = Conditionals::new(parameters);
    let estimate = Estimate::with(parameters, settings, &()).unwrap();
    let classes = Classes {
        of: &classes_of,
        shares: shares(&Layered::new(parameters)),
    };
    let found = AutocorrelationTimes::of(&model, &estimate, settings.sampling(parameters), Some(classes), &()).unwrap();
    [found.pixels, found.classes.unwrap()]
}

fn truth(parameters: &Parameters) -> [f64; 2] {
    let plain = Layered::new(parameters);
    [all_images(VISIBLE).mapv(f64::from), indicators()].map(|f| lag_by_lag(&plain, &f))
}

/// A model whose forward matrix is near the transpose of the backward one, and whose chain is slow.
fn slow(seed: u64, layers: &Layers, scale: f64) -> Parameters {
    let mut parameters = random_layers(seed, VISIBLE, layers, scale);
    if layers.all().len() == 1 {
        parameters.forward = parameters.forward * 0.1 + parameters.backward.t();
    }
    parameters
}

#[test]
fn they_are_those_of_the_chain_of_images() {
    let mut longest: f64 = 0.0;
    for (seed, layers) in (401..).zip(kinds()) {
        for scale in [0.3, 1.0, 1.3] {
            let parameters = slow(seed, &layers, scale);
            let settings = Settings {
                exact: true,
                ..Settings::of(&parameters)
            };
            for (found, expected) in times(&parameters, settings).iter().zip(truth(&parameters)) {
                let value = found.value.unwrap();
                assert!(
                    (value / expected - 1.0).abs() < 1e-6,
                    "{layers}, scale {scale}: {value} for {expected}"
                );
                longest = longest.max(expected);
            }
        }
    }
    assert!(longest > 3.0, "all of these chains forget at once: {longest}");
}

/// Intervals of the sampled figures hold the truth in 95 of 100 cases: with 7 x 16 x 2 = 224, fewer than 198 (88%) or so do with probability
/// 1e-4 where 93% of them should, which the intervals of a jackknife over 32 groups of skewed figures may come down to.
#[test]
fn intervals_of_sampled_ones_hold_the_truth() {
    let mut held = 0;
    let mut cases = 0;
    for (number, layers) in kinds().into_iter().enumerate() {
        for seed in 0..16 {
            let parameters = slow(500 + 20 * number as u64 + seed, &layers, 1.0);
            let settings = Settings {
                exact: false,
                samples: 1024,
                seed: Seed(seed),
            };
            for (found, expected) in times(&parameters, settings).iter().zip(truth(&parameters)) {
                cases += 1;
                held += usize::from(found.low.unwrap() <= expected && expected <= found.high.unwrap());
            }
        }
    }
    assert!(cases == 224 && held >= 198, "{held} of {cases}");
}

/// Images drawn anew at each step are independent: 1/2. A frozen chain has no time.
#[test]
fn the_extremes_are_known() {
    let mut parameters = random_layers(431, VISIBLE, &kinds()[0], 1.0);
    parameters.forward.fill(0.0);
    let settings = Settings {
        exact: true,
        ..Settings::of(&parameters)
    };
    for found in times(&parameters, settings) {
        assert!((found.value.unwrap() - 0.5).abs() < 1e-12, "{found:?}");
    }
    // Two states that light and seek opposite pixels, so strongly that neither leads to the other.
    let mut frozen = Parameters::zeros(VISIBLE, 2);
    frozen
        .backward
        .indexed_iter_mut()
        .for_each(|((k, _), a)| *a = if k == 0 { 12.0 } else { -12.0 });
    frozen.forward = frozen.backward.t().to_owned();
    // As long as the two states weigh the same.
    frozen.forward_bias[0] = -12.0 * VISIBLE as f32;
    for found in times(
        &frozen,
        Settings {
            exact: true,
            ..Settings::of(&frozen)
        },
    ) {
        assert!(found.value.is_none() && found.note.unwrap().contains("frozen"));
    }
}

/// In detailed balance no time is below 1/2; out of it some are, as of a ring whose states follow one another.
#[test]
fn only_out_of_equilibrium_do_images_repel_each_other() {
    let one_layer = kinds().into_iter().filter(|layers| layers.all().len() == 1);
    for (seed, layers) in (441..).zip(one_layer) {
        let mut parameters = random_layers(seed, VISIBLE, &layers, 1.0);
        parameters.forward = parameters.backward.t().to_owned();
        let settings = Settings {
            exact: true,
            ..Settings::of(&parameters)
        };
        for found in times(&parameters, settings) {
            assert!(found.value.is_none_or(|time| time >= 0.5), "{layers}: {found:?}");
        }
    }
    // State k lights pixel k and the next, which lead to state k + 1.
    let mut ring = Parameters::zeros(VISIBLE, VISIBLE);
    let lights = |k: usize, i: usize| if i == k || i == (k + 1) % VISIBLE { 4.0 } else { -4.0 };
    ring.backward = Array2::from_shape_fn((VISIBLE, VISIBLE), |(k, i)| lights(k, i));
    ring.forward = Array2::from_shape_fn((VISIBLE, VISIBLE), |(i, k)| lights((k + VISIBLE - 1) % VISIBLE, i));
    let settings = Settings {
        exact: true,
        ..Settings::of(&ring)
    };
    let (found, expected) = (times(&ring, settings), truth(&ring));
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found.value.unwrap() - expected).abs() < 1e-7)
    );
    assert!(expected[0] < 0.3, "{expected:?}");
}
