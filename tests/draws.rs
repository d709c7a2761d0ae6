//! Draws of images: right probabilities, independence, and the same on every backend.

use burn::tensor::{Tensor, TensorData};
use burn_ndarray::NdArrayDevice;
use latent_cycles::kernels::visible::Thresholds;
use latent_cycles::ops::cpu::NdArrayBackend;
use latent_cycles::ops::generic;
use latent_cycles::random::{Draws, Seed, Stream, normal};
use ndarray::Array2;

use crate::common::on_every_backend;

fn count_lit(words: &[u32]) -> f64 {
    words.iter().map(|word| f64::from(word.count_ones())).sum()
}

/// Lit pixels among 10^8 draws of one probability (and of its complement), in f32 as in training and in f64 as in evaluation. Each bound
/// is passed by chance once in 10^7 seeds: 5.3 sigma, and for the mean of 100 lit pixels, where a Poisson's tail is heavier, 6.2.
#[test]
fn pixels_are_lit_as_often_as_their_probability_says() {
    let (visible, chains) = (997, 100_003);
    for probability in [1e-6_f64, 1e-4, 0.01, 0.3, 0.5] {
        for p in [probability, 1.0 - probability] {
            let draws = Seed(81).draws(Stream::Visible, (p * 1e9) as u64, 0);
            let logit = (p / (1.0 - p)).ln() as f32;
            let in_f32 = Thresholds::of_logits(&vec![logit; visible], visible).draw(&vec![0; chains], draws);
            let in_f64 = Thresholds::of_probabilities(&vec![p; visible], visible).draw(&vec![0; chains], draws.part(1));
            let count = (visible * chains) as f64;
            let (expected, spread) = (count * p, (count * p * (1.0 - p)).sqrt());
            for lit in [count_lit(&in_f32), count_lit(&in_f64)] {
                let sigmas = if probability < 1e-5 { 6.2 } else { 5.3 };
                assert!((lit - expected).abs() < sigmas * spread, "{p}: {lit} for {expected} +- {spread}");
            }
        }
    }
}

/// Certain pixels, and the finest probability above zero that f32 logits reach, which 2^-32 resolves.
#[test]
fn extreme_probabilities_are_kept() {
    let draw = |p: f64| count_lit(&Thresholds::of_probabilities(&[p; 31], 31).draw(&[0; 10_007], Seed(82).draws(Stream::Visible, 0, 0)));
    assert_eq!(draw(0.0), 0.0);
    assert_eq!(draw(1.0), 310_217.0);
    let logits = [-200.0, 200.0];
    let words = Thresholds::of_logits(&logits, 2).draw(&[0; 10_007], Seed(82).draws(Stream::Visible, 0, 0));
    assert!(words.iter().all(|&word| word == 0b10));
}

/// Agreement of fair pixels with their neighbours in every direction; each of the 9 bounds is passed by chance once in 10^7 seeds
/// (5.3 sigma of 10^7 pairs).
#[test]
fn fair_pixels_are_independent_in_every_direction() {
    let (visible, chains) = (1024, 10_007);
    let thresholds = Thresholds::of_logits(&vec![0.0; visible], visible);
    let draw = |draws: Draws| thresholds.draw(&vec![0; chains], draws);
    let here = draw(Seed(83).draws(Stream::Visible, 7, 0));
    let uncorrelated = |what: &str, others: &mut dyn Iterator<Item = u32>| {
        let (mut pairs, mut differ) = (0.0, 0.0);
        for (here, other) in here.iter().zip(others) {
            pairs += 32.0;
            differ += f64::from((here ^ other).count_ones());
        }
        assert!(
            (differ - pairs / 2.0_f64).abs() < 5.3 * f64::sqrt(pairs / 4.0),
            "{what}: {differ} of {pairs}"
        );
    };
    uncorrelated("next pixel", &mut here.iter().map(|word| word.rotate_right(1)));
    uncorrelated("pixel 5 on", &mut here.iter().map(|word| word.rotate_right(5)));
    uncorrelated("next word", &mut here[1..].iter().copied());
    uncorrelated("eighth word", &mut here[8..].iter().copied());
    uncorrelated("next chain", &mut here[visible / 32..].iter().copied());
    uncorrelated("next step", &mut draw(Seed(83).draws(Stream::Visible, 8, 0)).into_iter());
    uncorrelated("next chain step", &mut draw(Seed(83).draws(Stream::Visible, 7, 1)).into_iter());
    uncorrelated("other stream", &mut draw(Seed(83).draws(Stream::Kernel, 7, 0)).into_iter());
    uncorrelated("next seed", &mut draw(Seed(84).draws(Stream::Visible, 7, 0)).into_iter());
}

#[test]
fn draws_do_not_depend_on_the_number_of_threads() {
    let (visible, chains) = (787, 1009);
    let thresholds = Thresholds::of_logits(&vec![-1.0; 3 * visible], visible);
    let latent: Vec<i32> = (0..chains).map(|chain| chain % 3).collect();
    let draw = || thresholds.draw(&latent, Seed(85).draws(Stream::Visible, 0, 0));
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three_threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(one_thread.install(draw), three_threads.install(draw));
}

/// Fused and generic draws on every backend, from the same logits and seed. Backends differ in the last bits of `s(a)`, by at most about
/// 3e-7 of it, and a pixel flips where its uniform falls between: at most 0.6 of these 1,973,009 on average, so more than 8 would be a
/// fault (probability below 1e-6).
#[test]
fn every_backend_draws_the_same_pixels() {
    let (latent, visible, chains) = (7, 787, 2507);
    let mut generator = Seed(86).generator(Stream::Parameters, 0, 0);
    let logits = Array2::from_shape_simple_fn((latent, visible), || (4.0 * normal(&mut generator)) as f32);
    let states: Vec<i32> = (0..chains).map(|chain| (chain * 5 % latent) as i32).collect();
    let draws = Seed(86).draws(Stream::Visible, 3, 1);
    let generic = {
        let device = NdArrayDevice::Cpu;
        let logits = TensorData::new(logits.iter().copied().collect(), [latent, visible]);
        let states = TensorData::new(states.clone(), [chains]);
        let images = generic::draw_visible::<NdArrayBackend>(Tensor::from_data(logits, &device), Tensor::from_data(states, &device), draws);
        images.to_host()
    };
    on_every_backend("draws of images", |numerics| {
        let found = numerics.draw_visible(&logits, &states, draws);
        let flips: u32 = found.words().iter().zip(generic.words()).map(|(a, b)| (a ^ b).count_ones()).sum();
        println!(
            "{}: {flips} of {} pixels differ from the generic draw",
            numerics.device().backend,
            visible * chains
        );
        assert!(flips <= 8, "{}: {flips}", numerics.device().backend);
        assert_eq!(found.len(), chains);
    });
}

/// As above for latent states: a state changes where its uniform falls within the rounding of one of L cumulative sums, about 1e-6 wide; of few states, and of
/// many, which several threads of a GPU share. On average 0.2 and 0.7 change.
#[test]
fn every_backend_draws_the_same_states() {
    for (latent, chains) in [(11, 20_011), (131, 5_003)] {
        let mut generator = Seed(87).generator(Stream::Parameters, 0, 0);
        let logits = Array2::from_shape_simple_fn((chains, latent), || (5.0 * normal(&mut generator)) as f32);
        let draws = Seed(87).draws(Stream::Latent, 3, 1);
        let generic: Vec<i32> = {
            let logits = TensorData::new(logits.iter().copied().collect(), [chains, latent]);
            let states = generic::draw_latent::<NdArrayBackend>(Tensor::from_data(logits, &NdArrayDevice::Cpu), draws);
            states.into_data().iter::<i32>().collect()
        };
        on_every_backend("draws of states", |numerics| {
            let found = numerics.draw_latent(&logits, draws);
            let differ = found.iter().zip(&generic).filter(|(a, b)| a != b).count();
            println!(
                "{}: {differ} of {chains} states differ from the generic draw",
                numerics.device().backend
            );
            assert!(differ <= 3, "{}: {differ}", numerics.device().backend);
        });
    }
}

/// A state of small weight, drawn on each backend as often as it should be: 10^7 draws at 1e-3, 10^5 on software Vulkan; 5.3 sigma.
#[test]
fn states_are_drawn_as_often_as_their_probability_says_on_every_backend() {
    let weights = [0.4_f64, 1e-3, 0.3, 0.1, 0.199];
    on_every_backend("frequencies of states", |numerics| {
        let chains = if numerics.device().software { 100_003 } else { 10_000_019 };
        let logits = Array2::from_shape_fn((chains, weights.len()), |(_, state)| weights[state].ln() as f32);
        let states = numerics.draw_latent(&logits, Seed(88).draws(Stream::Latent, 0, 0));
        for (state, p) in weights.into_iter().enumerate() {
            let found = states.iter().filter(|&&drawn| drawn == state as i32).count() as f64;
            let count = chains as f64;
            assert!(
                (found - count * p).abs() < 5.3 * (count * p * (1.0 - p)).sqrt(),
                "state {state}: {found}"
            );
        }
    });
}
