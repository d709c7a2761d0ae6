//! The generator: known answers, streams that never meet, and uniforms that are uniform.

use latent_cycles::random::{Seed, Stream, permutation, philox, uniform};
use rand::Rng;

/// Random123's own known answers for philox4x32 with 10 rounds.
#[test]
fn philox_gives_the_known_answers() {
    for (counter, key, answer) in [
        ([0; 4], [0; 2], [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
        ([!0; 4], [!0; 2], [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]),
        (
            [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344],
            [0xA409_3822, 0x299F_31D0],
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1],
        ),
    ] {
        assert_eq!(philox(counter, key), answer);
    }
}

#[test]
fn a_generator_gives_the_blocks_of_its_stream_in_order() {
    let draws = Seed(57).draws(Stream::Visible, 5, 1);
    let mut generator = draws.generator();
    for block in 0..101 {
        assert_eq!([0; 4].map(|_| generator.next_u32()), draws.block(block));
    }
    assert_eq!(draws.part(3).block(7), draws.block((3 << 32) + 7));
}

/// Every field of the counter, at its first and last bit, gives other blocks.
#[test]
fn no_two_streams_share_a_block() {
    let mut blocks = std::collections::BTreeSet::new();
    let mut count = 0;
    for seed in [0, 1, 1 << 31, 1 << 32, 1 << 62] {
        for stream in [Stream::Latent, Stream::Visible, Stream::Kernel] {
            for first in [0, 1, 1 << 31, 1 << 32, (1 << 40) - 1] {
                for second in [0, 1, (1 << 32) - 1] {
                    for block in [0, 1, (1 << 32) - 1, 1 << 32, (1 << 48) - 1] {
                        blocks.insert(Seed(seed).draws(stream, first, second).block(block));
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(blocks.len(), count);
}

/// Means and correlations of a million uniforms with their neighbours in position, index, stream and seed; each of the 16 bounds is passed
/// by chance once in 10^6 seeds (4.9 sigma).
#[test]
fn uniforms_are_uniform_and_independent() {
    let values = |seed: Seed, stream, first, second| -> Vec<f64> {
        let mut generator = seed.generator(stream, first, second);
        (0..1_000_000).map(|_| f64::from(uniform(&mut generator))).collect()
    };
    let here = values(Seed(59), Stream::Visible, 0, 0);
    let count = here.len() as f64;
    assert!(here.iter().all(|value| (0.0..1.0).contains(value)));
    let mean = here.iter().sum::<f64>() / count;
    assert!((mean - 0.5).abs() < 4.9 * (1.0 / 12.0 / count).sqrt());
    let uncorrelated = |what: &str, others: &[f64]| {
        let pairs = here.iter().zip(others).map(|(a, b)| (a - 0.5) * (b - 0.5));
        let correlation = 12.0 * pairs.sum::<f64>() / count;
        assert!(correlation.abs() < 4.9 / count.sqrt(), "{what}: {correlation}");
    };
    for lag in [1, 2, 3, 4, 8, 32, 1000] {
        uncorrelated(&format!("lag {lag}"), &here[lag..]);
    }
    uncorrelated("first index", &values(Seed(59), Stream::Visible, 1, 0));
    uncorrelated("second index", &values(Seed(59), Stream::Visible, 0, 1));
    uncorrelated("stream", &values(Seed(59), Stream::Latent, 0, 0));
    uncorrelated("seed", &values(Seed(58), Stream::Visible, 0, 0));
    for probability in [1e-3, 0.1, 0.5, 0.999] {
        let found = here.iter().filter(|&&value| value < probability).count() as f64;
        let spread = (count * probability * (1.0 - probability)).sqrt();
        assert!((found - count * probability).abs() < 4.9 * spread, "{probability}: {found}");
    }
}

#[test]
fn permutations_hold_every_index_once() {
    let mut order = permutation(&mut Seed(60).generator(Stream::Shuffle, 0, 0), 1009);
    assert!(order.windows(2).any(|pair| pair[0] > pair[1]));
    order.sort_unstable();
    assert_eq!(order, (0..1009).collect::<Vec<_>>());
}
