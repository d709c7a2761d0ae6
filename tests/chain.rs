//! The persistent chains: draws that depend on the seed alone, and the right distribution.

use latent_cycles::random::{Draws, Seed, Stream, uniform_f64, unit};
use ndarray::Array1;

use crate::common::{Plain, all_images, on_every_backend, random_images, random_model};

/// Chains started at the steady state of an enumerable model stay there.
///
/// The counts of the 2^D images after some steps are compared with P by chi-square. The seed is fixed; over seeds a right program
/// would fail with probability 1e-6: chi-square with 31 degrees of freedom exceeds 85 that often.
#[test]
fn chains_started_at_the_target_stay_there_on_every_backend() {
    let (visible, latent, count) = (5, 3, 20_011);
    let parameters = random_model(51, visible, latent, 1.0);
    let distribution = Plain::new(&parameters).image_distribution();
    let all = all_images(visible);
    let mut generator = Seed(51).generator(Stream::ChainStart, 0, 0);
    let mut chains = latent_cycles::data::BinaryImages::zeros((count, visible));
    for mut chain in chains.rows_mut() {
        let mut left = uniform_f64(&mut generator);
        let code = distribution.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        chain.assign(&all.row(code.unwrap_or(0)));
    }
    on_every_backend("stationarity of the chains", |numerics| {
        let moved = numerics.walk(&parameters, &chains, 7, Seed(52), 3);
        assert_ne!(moved, chains);
        let mut counts = Array1::<f64>::zeros(1 << visible);
        for chain in moved.rows() {
            let code: usize = chain.iter().enumerate().map(|(pixel, &lit)| usize::from(lit) << pixel).sum();
            counts[code] += 1.0;
        }
        let chi_square: f64 = counts
            .iter()
            .zip(&distribution)
            .map(|(found, share)| (found - share * count as f64).powi(2) / (share * count as f64))
            .sum();
        assert!(chi_square < 85.0, "{}: {chi_square}", numerics.device().backend);
    });
}

/// The move is what the documented streams say: the inverse cumulative distribution for z, one comparison for each pixel.
#[test]
fn a_walk_is_a_function_of_the_documented_draws_on_every_backend() {
    let (visible, latent, count) = (71, 7, 103);
    let parameters = random_model(53, visible, latent, 1.0);
    let plain = Plain::new(&parameters);
    let start = random_images(53, count, visible);
    let (seed, time) = (Seed(54), 12);
    let mut expected = start.clone();
    for step in 0..2 {
        let for_latent = seed.draws(Stream::Latent, time, step);
        let for_visible = seed.draws(Stream::Visible, time, step);
        for (n, mut chain) in expected.rows_mut().into_iter().enumerate() {
            let image = chain.to_vec();
            let mut cumulative = 0.0;
            let state = (0..latent)
                .find(|&k| {
                    cumulative += plain.log_p(&image, k).exp();
                    f64::from(unit(for_latent.block(n as u64)[0])) < cumulative
                })
                .unwrap();
            for i in 0..visible {
                let mean = 1.0 / (1.0 + (-plain.a[[state, i]]).exp());
                chain[i] = u8::from(pixel_uniform(for_visible, visible, n, i) < mean);
            }
        }
    }
    on_every_backend("walk", |numerics| {
        assert_eq!(
            numerics.walk(&parameters, &start, 2, seed, time),
            expected,
            "{}",
            numerics.device().backend
        );
    });
}

/// The uniform of a pixel, bit by bit as the documentation of the kernel says.
fn pixel_uniform(draws: Draws, visible: usize, chain: usize, pixel: usize) -> f64 {
    let first = 8 * (chain * visible.div_ceil(32) + pixel / 32);
    let bit = |b: usize| draws.block((first + b / 4) as u64)[b % 4] >> (pixel % 32) & 1;
    (0..32).map(|b| f64::from(bit(b)) * 0.5_f64.powi(b as i32 + 1)).sum()
}

#[test]
fn a_state_of_probability_zero_is_never_drawn_on_every_backend() {
    let mut parameters = random_model(55, 3, 5, 0.1);
    parameters.forward_bias[0] = -500.0;
    parameters.forward_bias[4] = -500.0;
    // Such a state would light all pixels, the others none.
    parameters.backward.fill(-80.0);
    parameters.backward.row_mut(0).fill(80.0);
    parameters.backward.row_mut(4).fill(80.0);
    let start = random_images(55, 100_003, 3);
    on_every_backend("impossible states", |numerics| {
        let moved = numerics.walk(&parameters, &start, 1, Seed(56), 0);
        assert!(moved.iter().all(|&lit| lit == 0), "{}", numerics.device().backend);
    });
}
