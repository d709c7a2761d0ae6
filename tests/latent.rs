//! The thermodynamics of a chain: closed forms, and what must hold for any chain.

use latent_cycles::latent::cycles::Cycle;
use latent_cycles::latent::spectrum::{decay_time, rotation_period};
use latent_cycles::latent::{ChainError, SteadyState};
use latent_cycles::logs::{LogSum, largest, logaddexp, logsumexp};
use latent_cycles::random::{Seed, Stream, uniform_f64};
use latent_cycles::watch::Stopped;
use ndarray::{Array2, Axis, array};

use crate::common::Impatient;

/// A ring: one way with probability `ahead`, the other with `back`, else it stays.
pub fn ring(states: usize, ahead: f64, back: f64) -> Array2<f64> {
    let mut t = Array2::zeros((states, states));
    for k in 0..states {
        t[[k, k]] += 1.0 - ahead - back;
        t[[k, (k + 1) % states]] += ahead;
        t[[k, (k + states - 1) % states]] += back;
    }
    t
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + b.abs())
}

#[test]
fn a_ring_has_the_thermodynamics_of_its_affinity() {
    for states in [3, 5, 11] {
        let steady = SteadyState::new(&ring(states, 0.6, 0.1)).unwrap();
        let count = states as f64;
        assert!(steady.pi().iter().all(|&pi| close(pi, 1.0 / count, 1e-14)));
        // Each step goes round with net probability 0.5 against ln(0.6 / 0.1).
        assert!(close(steady.entropy_production(), 0.5 * 6.0_f64.ln(), 1e-14));
        assert!(close(steady.self_transition(), 0.3, 1e-14));
        assert!(close(steady.current(0, 1), 0.5 / count, 1e-14));
        let [
            Cycle {
                states: list,
                weight,
                affinity,
            },
        ] = &steady.cycles()[..]
        else {
            panic!("one cycle")
        };
        assert_eq!(*list, (0..states).collect::<Vec<_>>());
        assert!(close(*weight, 0.5 / count, 1e-13) && close(*affinity, count * 6.0_f64.ln(), 1e-13));
        let strongest = steady.strongest_loop().unwrap();
        assert!(close(strongest.affinity, count * 6.0_f64.ln(), 1e-13), "{strongest:?}");
        assert!(close(steady.affinity(&strongest.states), strongest.affinity, 1e-13));

        // Circulant: lambda_m = 0.3 + 0.7 cos(2 pi m / K) + 0.5 i sin(2 pi m / K).
        let spectrum = steady.spectrum().unwrap();
        assert_eq!(spectrum.eigenvalues.len(), states);
        for m in 0..states {
            let angle = std::f64::consts::TAU * m as f64 / count;
            let (re, im) = (0.3 + 0.7 * angle.cos(), 0.5 * angle.sin());
            assert!(
                spectrum.eigenvalues.iter().any(|e| close(e.0, re, 1e-12) && close(e.1, im, 1e-12)),
                "{m}"
            );
        }
        let angle = std::f64::consts::TAU / count;
        let (re, im) = (0.3 + 0.7 * angle.cos(), 0.5 * angle.sin());
        assert!(close(decay_time(spectrum.slowest().unwrap()), -1.0 / re.hypot(im).ln(), 1e-10));
        assert!(close(
            rotation_period(spectrum.turning().unwrap()),
            std::f64::consts::TAU / im.atan2(re),
            1e-10
        ));
    }
}

/// A ring without noise: all eigenvalues on the unit circle, and the period is that of the ring, not of its harmonics.
#[test]
fn a_clockwork_ring_turns_once_in_as_many_steps_as_it_has_states() {
    for states in [3, 5, 7] {
        let spectrum = SteadyState::new(&ring(states, 1.0, 0.0)).unwrap().spectrum().unwrap();
        assert!(close(rotation_period(spectrum.turning().unwrap()), states as f64, 1e-10));
        assert_eq!(decay_time(spectrum.slowest().unwrap()), f64::INFINITY);
    }
}

/// A ring with one barrier: the current is one and the same all around, and no state is like another.
#[test]
fn a_driven_ring_with_a_barrier_has_one_cycle_that_carries_everything() {
    let mut t = ring(7, 0.5, 0.2);
    (t[[2, 3]], t[[2, 2]]) = (1e-6, 0.3 + 0.5 - 1e-6);
    let steady = SteadyState::new(&t).unwrap();
    let cycles = steady.cycles();
    let affinity = 6.0 * (0.5_f64 / 0.2).ln() + (1e-6_f64 / 0.2).ln();
    // The barrier makes the ring run backwards.
    assert!(affinity < 0.0);
    assert_eq!(cycles.len(), 1);
    assert_eq!(cycles[0].states, [0, 6, 5, 4, 3, 2, 1]);
    assert!(close(cycles[0].affinity, -affinity, 1e-12));
    assert!(close(cycles[0].weight * cycles[0].affinity, steady.entropy_production(), 1e-12));
}

#[test]
fn a_birth_and_death_chain_is_reversible_and_its_rarest_state_exact() {
    // Up with 1e-8, down with 0.5: pi_k ~ (2e-8)^k, down to 1e-138.
    let states = 19;
    let (up, down) = (1e-8_f64, 0.5_f64);
    let t = Array2::from_shape_fn((states, states), |(j, k)| match (j as i64 - k as i64, j, k) {
        (-1, _, _) => up,
        (1, _, _) => down,
        (0, 0, _) => 1.0 - up,
        (0, j, _) if j == states - 1 => 1.0 - down,
        (0, _, _) => 1.0 - up - down,
        _ => 0.0,
    });
    let steady = SteadyState::new(&t).unwrap();
    let log_pi = steady.log_pi();
    for k in 0..states {
        let expected = k as f64 * (up / down).ln() + log_pi[0];
        assert!(close(log_pi[k], expected, 1e-12), "{k}");
    }
    assert_eq!(steady.entropy_production(), 0.0);
    assert!(steady.cycles().is_empty());
    assert_eq!(steady.strongest_loop(), None);
    assert_eq!(steady.spectrum().unwrap().turning(), None);
}

/// Detailed balance from symmetric fluxes over 20 decades, in any order of states.
#[test]
fn reversible_chains_are_in_balance() {
    let states = 7;
    let mut generator = Seed(74).generator(Stream::Kernel, 0, 0);
    for _ in 0..64 {
        let half = Array2::from_shape_simple_fn((states, states), || 20.0 * uniform_f64(&mut generator) * f64::ln(10.0));
        let log_flux = &half + &half.t();
        let balanced = SteadyState::of_fluxes(log_flux);
        let again = SteadyState::from_logs(balanced.log_transition().clone()).unwrap();
        for steady in [&balanced, &again] {
            assert!(steady.entropy_production() < 1e-12);
            assert!(steady.cycles().is_empty());
            assert!(steady.strongest_loop().unwrap().affinity < 1e-12);
        }
        assert!(balanced.log_pi().iter().zip(again.log_pi()).all(|(a, b)| close(*a, *b, 1e-13)));
    }
}

#[test]
fn one_way_streets_islands_and_absorbing_states_have_clear_answers() {
    let one_way = SteadyState::new(&array![[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]).unwrap();
    assert_eq!(one_way.entropy_production(), f64::INFINITY);
    assert_eq!(one_way.cycles()[0].affinity, f64::INFINITY);
    assert_eq!(one_way.strongest_loop().unwrap().affinity, f64::INFINITY);
    assert!(one_way.currents().iter().all(|current| current.is_finite()));

    let islands = array![[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]];
    assert_eq!(SteadyState::new(&islands), Err(ChainError::Apart(vec![vec![0, 1], vec![2]])));

    // State 2 absorbs; from 0 and 1 there is no way back.
    let absorbing = SteadyState::new(&array![[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]).unwrap();
    assert_eq!(absorbing.pi().to_vec(), [0.0, 0.0, 1.0]);
    assert_eq!((absorbing.entropy_production(), absorbing.self_transition()), (0.0, 1.0));
    assert!(absorbing.cycles().is_empty() && absorbing.strongest_loop().is_none());
    assert!(close(
        decay_time(absorbing.spectrum().unwrap().slowest().unwrap()),
        -1.0 / 0.75_f64.ln(),
        1e-12
    ));

    // A transient state before a ring changes nothing of the ring.
    let mut t = Array2::zeros((4, 4));
    t.slice_mut(ndarray::s![1.., 1..]).assign(&ring(3, 0.6, 0.1));
    (t[[0, 0]], t[[0, 2]]) = (0.5, 0.5);
    let steady = SteadyState::new(&t).unwrap();
    assert!(close(steady.entropy_production(), 0.5 * 6.0_f64.ln(), 1e-14));
    assert_eq!(steady.cycles()[0].states, [1, 2, 3]);

    let single = SteadyState::new(&array![[1.0]]).unwrap();
    assert_eq!((single.entropy_production(), single.self_transition()), (0.0, 1.0));
    assert_eq!(single.spectrum().unwrap().slowest(), None);
    // A frozen chain that is not quite reducible.
    let frozen = SteadyState::from_logs(array![[0.0, -90.0], [-80.0, 0.0]]).unwrap();
    assert!(close(frozen.log_pi()[1], -10.0, 1e-4) && decay_time(frozen.spectrum().unwrap().slowest().unwrap()) == f64::INFINITY);
}

#[test]
fn what_is_no_transition_matrix_is_refused() {
    assert_eq!(SteadyState::new(&Array2::zeros((0, 0))), Err(ChainError::Shape(0, 0)));
    assert_eq!(SteadyState::new(&Array2::zeros((2, 3))), Err(ChainError::Shape(2, 3)));
    assert_eq!(
        SteadyState::new(&array![[0.5, 0.5], [-0.5, 1.5]]),
        Err(ChainError::Entry(1, 0, -0.5))
    );
    assert!(matches!(
        SteadyState::new(&array![[f64::NAN, 1.0], [0.5, 0.5]]),
        Err(ChainError::Entry(0, 0, _))
    ));
    assert!(matches!(SteadyState::new(&array![[0.5, 0.5], [0.5, 0.4]]), Err(ChainError::Row(1, sum)) if close(sum, 0.9, 1e-12)));
    assert!(matches!(
        SteadyState::from_logs(array![[f64::INFINITY, 0.0], [0.0, 0.0]]),
        Err(ChainError::Row(0, _))
    ));
}

/// Two rings that share a state, and ties in all currents: the rule for equal cycles.
#[test]
fn equal_cycles_leave_in_the_order_of_their_states() {
    let t = array![
        [0.0, 0.5, 0.0, 0.5, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 0.0]
    ];
    let steady = SteadyState::new(&t).unwrap();
    let states: Vec<Vec<usize>> = steady.cycles().into_iter().map(|cycle| cycle.states).collect();
    assert_eq!(states, [[0, 1, 2], [0, 3, 4]]);
}

/// A random chain whose transitions spread over `decades`, some of them missing where `sparse`.
pub fn random_chain(seed: u64, states: usize, decades: f64, sparse: bool) -> Array2<f64> {
    let mut generator = Seed(seed).generator(Stream::Kernel, 1, 0);
    let mut t = Array2::from_shape_simple_fn((states, states), || 10.0_f64.powf(-decades * uniform_f64(&mut generator)));
    if sparse {
        // Any link may be missing, but in both directions, and never those of the ring.
        for j in 0..states {
            for k in 0..j {
                if j - k > 1 && j - k < states - 1 && uniform_f64(&mut generator) < 0.6 {
                    (t[[j, k]], t[[k, j]]) = (0.0, 0.0);
                }
            }
        }
    }
    &t / &t.sum_axis(Axis(1)).insert_axis(Axis(1))
}

/// What must hold for every chain: mild and steep, dense and sparse.
#[test]
fn random_chains() {
    for seed in 0..256 {
        let states = [2, 3, 5, 7, 13][seed as usize % 5];
        let decades = [0.5, 3.0, 14.0][seed as usize % 3];
        let t = random_chain(seed, states, decades, seed % 2 == 0);
        let steady = SteadyState::new(&t).unwrap();
        let pi = steady.pi();
        assert!((pi.sum() - 1.0).abs() < 1e-12);
        assert!((&pi.dot(&t) - &pi).iter().all(|unbalanced| unbalanced.abs() < 1e-12));
        assert!((steady.flux().sum() - 1.0).abs() < 1e-12);

        let currents = steady.currents();
        assert_eq!(currents, -&currents.t());
        assert!(currents.sum_axis(Axis(1)).iter().all(|sum| sum.abs() < 1e-12));

        let sigma = steady.entropy_production();
        assert!(sigma >= 0.0);
        assert!(close(0.5 * steady.pair_entropy_production().sum(), sigma, 1e-12));
        assert_eq!(sigma < 1e-14, states == 2, "zero if and only if reversible: {sigma}");
        assert_eq!(steady.strongest_loop().is_some_and(|l| l.affinity > 1e-9), states > 2);

        // The cycles: simple, ever weaker, and all of J and of sigma.
        let cycles = steady.cycles();
        let mut sum = Array2::<f64>::zeros((states, states));
        for cycle in &cycles {
            let mut visited = cycle.states.clone();
            visited.sort_unstable();
            visited.dedup();
            assert_eq!(visited.len(), cycle.states.len());
            assert!(cycle.states.len() >= 3 && cycle.states[0] == visited[0]);
            for (place, &from) in cycle.states.iter().enumerate() {
                let to = cycle.states[(place + 1) % cycle.states.len()];
                sum[[from, to]] += cycle.weight;
                sum[[to, from]] -= cycle.weight;
            }
        }
        assert!(cycles.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
        assert!((&sum - &currents).iter().all(|rest| rest.abs() < 1e-12), "seed {seed}");
        let carried: f64 = cycles.iter().map(|cycle| cycle.weight * cycle.affinity).sum();
        assert!(close(carried, sigma, 1e-11), "seed {seed}: {carried} {sigma}");
        assert_eq!(cycles, SteadyState::new(&t).unwrap().cycles());

        // Other names for the states change nothing.
        let order: Vec<usize> = (0..states).map(|k| (k * (states - 1) + 1) % states).collect();
        let relabelled = Array2::from_shape_fn((states, states), |(j, k)| t[[order[j], order[k]]]);
        let again = SteadyState::new(&relabelled).unwrap();
        assert!(close(again.entropy_production(), sigma, 1e-9));
        assert!(close(again.self_transition(), steady.self_transition(), 1e-12));
        // Later cycles may be cut in other ways where currents are equal; the widest is what it is.
        let widest = |cycles: &[Cycle]| cycles.first().map_or(0.0, |cycle| cycle.weight);
        assert!(close(widest(&again.cycles()), widest(&cycles), 1e-12), "seed {seed}");
        let (a, b) = (steady.spectrum().unwrap(), again.spectrum().unwrap());
        assert!(
            a.eigenvalues
                .iter()
                .zip(&b.eigenvalues)
                .all(|(a, b)| close(a.0, b.0, 1e-9) && close(a.1, b.1, 1e-9))
        );
        assert!(close(a.eigenvalues[0].0, 1.0, 1e-12));
    }
}

/// The widest cycle of a small chain, found by trying all of them.
#[test]
fn the_first_cycle_is_the_widest_of_all() {
    for seed in 0..64 {
        let states = 5;
        let steady = SteadyState::new(&random_chain(seed, states, 2.0, false)).unwrap();
        let mut widest: f64 = 0.0;
        // Every list of distinct states, by counting in base 6 with 5 for "ended".
        for code in 0..6_usize.pow(5) {
            let digits: Vec<usize> = (0..5).map(|place| code / 6_usize.pow(place) % 6).collect();
            let list: Vec<usize> = digits.iter().copied().take_while(|&digit| digit < states).collect();
            if list.len() >= 3 && (0..list.len()).all(|place| !list[..place].contains(&list[place])) {
                let bottleneck = (0..list.len()).map(|place| steady.current(list[place], list[(place + 1) % list.len()]));
                widest = widest.max(bottleneck.fold(f64::INFINITY, f64::min));
            }
        }
        assert_eq!(steady.cycles()[0].weight, widest, "seed {seed}");
    }
}

/// Entropy production by its meaning: the log ratio of a long path's probability to that of its reverse, per step.
#[test]
fn entropy_production_is_the_rate_at_which_paths_tell_the_direction_of_time() {
    let t = random_chain(5, 5, 1.0, false);
    let steady = SteadyState::new(&t).unwrap();
    let mut generator = Seed(75).generator(Stream::Kernel, 2, 0);
    let (steps, mut state) = (400_000, 0);
    let mut ratios = Vec::new();
    for _ in 0..steps {
        let mut left = uniform_f64(&mut generator);
        let next = (0..4).find(|&k| {
            left -= t[[state, k]];
            left < 0.0
        });
        let next = next.unwrap_or(4);
        ratios.push((t[[state, next]] / t[[next, state]]).ln());
        state = next;
    }
    // Means of blocks are as good as independent.
    let blocks: Vec<f64> = ratios.chunks(1000).map(|block| block.iter().sum::<f64>() / 1000.0).collect();
    let count = blocks.len() as f64;
    let mean = blocks.iter().sum::<f64>() / count;
    let error = (blocks.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt();
    assert!(
        (mean - steady.entropy_production()).abs() < 5.0 * error,
        "{mean} +- {error}, {}",
        steady.entropy_production()
    );
    assert!(error < 0.02 * mean);
}

/// The null model keeps each state's probabilities and shuffles them among the other states; a uniform chain stays what it is.
#[test]
fn a_shuffled_chain_keeps_the_probabilities_of_every_state() {
    let transition = ndarray::array![
        [0.1, 0.2, 0.3, 0.4, 0.0],
        [0.5, 0.05, 0.15, 0.1, 0.2],
        [0.25, 0.25, 0.1, 0.2, 0.2],
        [0.7, 0.1, 0.1, 0.05, 0.05],
        [0.3, 0.3, 0.2, 0.1, 0.1]
    ];
    let steady = SteadyState::new(&transition).unwrap();
    let backward = steady.shuffled(|count| (0..count).rev().collect()).unwrap().transition();
    let sorted = |matrix: &ndarray::Array2<f64>, k: usize| {
        let mut row = matrix.row(k).to_vec();
        row.sort_by(f64::total_cmp);
        row
    };
    for k in 0..5 {
        assert!((backward[[k, k]] - transition[[k, k]]).abs() < 1e-15);
        assert!(
            sorted(&backward, k)
                .iter()
                .zip(sorted(&transition, k))
                .all(|(a, b)| (a - b).abs() < 1e-15),
            "row {k}"
        );
    }
    assert!((backward[[0, 4]] - 0.2).abs() < 1e-15 && (backward[[3, 4]] - 0.7).abs() < 1e-15);
    let even = ndarray::array![[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]];
    let shuffled = SteadyState::new(&even)
        .unwrap()
        .shuffled(|count| (0..count).rev().collect())
        .unwrap();
    assert_eq!(shuffled.entropy_production(), 0.0);
}

/// `ln(e^a + e^b)` as it is written down.
fn log_add_in_full(a: f64, b: f64) -> f64 {
    let (large, small) = (a.max(b), a.min(b));
    large + (small - large).exp().ln_1p()
}

/// Sums in log space: what is no number stays none, infinity is no exception, and no digit is lost by what is left out.
#[test]
fn sums_of_exponentials_lose_nothing() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let whole = |terms: &[f64]| {
        let terms = ndarray::Array1::from_vec(terms.to_vec());
        let mut sum = LogSum::EMPTY;
        terms.iter().for_each(|&term| sum.add(term));
        let added = terms.iter().fold(-inf, |sum, &term| logaddexp(sum, term));
        [logsumexp(terms.view()), sum.ln(), added]
    };
    for terms in [
        &[nan][..],
        &[nan, nan],
        &[nan, 1.0],
        &[1.0, nan],
        &[nan, -inf],
        &[-inf, nan],
        &[inf, nan],
        &[nan, inf],
    ] {
        assert!(whole(terms).iter().all(|sum| sum.is_nan()), "{terms:?}: {:?}", whole(terms));
    }
    for (terms, expected) in [
        (&[][..], -inf),
        (&[-inf][..], -inf),
        (&[-inf, -inf], -inf),
        (&[inf, 1.0], inf),
        (&[1.0, inf], inf),
        (&[inf, inf], inf),
        (&[inf, -inf], inf),
        (&[-inf, -3.5], -3.5),
    ] {
        assert_eq!(whole(terms), [expected; 3], "{terms:?}");
    }
    assert!(largest([1.0, nan, 2.0]).is_nan() && largest([2.0, 1.0]) == 2.0 && largest([]) == -inf);

    let mut generator = Seed(31).generator(Stream::Parameters, 0, 0);
    for draw in 0..200_000 {
        let mut uniform = |low: f64, high: f64| low + (high - low) * uniform_f64(&mut generator);
        let a = if draw % 3 == 0 { uniform(-2.0, 0.5) } else { uniform(-800.0, 0.0) };
        let b = a - if draw % 2 == 0 { uniform(35.0, 41.0) } else { uniform(0.0, 800.0) };
        assert_eq!(logaddexp(a, b), log_add_in_full(a, b), "{a} {b}");
        assert_eq!(logaddexp(b, a), logaddexp(a, b));
    }
}

/// Many states: the closed form of a chain of births and deaths, the same digits on any number of threads, and a stop between two states.
#[test]
fn many_states_are_eliminated_on_all_threads_and_can_be_stopped() {
    let states = 300;
    let (up, down) = (
        |k: usize| 0.1 + 0.3 * (k % 7) as f64 / 7.0,
        |k: usize| 0.2 + 0.2 * (k % 5) as f64 / 5.0,
    );
    let mut t = Array2::zeros((states, states));
    for k in 0..states {
        let leave = [(k + 1 < states).then(|| (k + 1, up(k))), (k > 0).then(|| (k - 1, down(k)))];
        for (to, p) in leave.into_iter().flatten() {
            t[[k, to]] = p;
        }
        t[[k, k]] = 1.0 - t.row(k).sum();
    }
    let steady = SteadyState::new(&t).unwrap();
    let mut log_ratio: f64 = 0.0;
    for k in 1..states {
        log_ratio += (up(k - 1) / down(k)).ln();
        let found = steady.log_pi()[k] - steady.log_pi()[0];
        assert!((found - log_ratio).abs() < 1e-11, "{k}: {found} {log_ratio}");
    }

    // Metropolis' chain on weights from 1 to e^-250, which f64 holds, or to e^-900: the rarest state is as accurate as the others.
    for range in [250.0, 900.0] {
        let log_weight = |k: usize| -range * ((k * 37) % states) as f64 / states as f64;
        let mut log_t = Array2::from_shape_fn((states, states), |(i, j)| {
            (log_weight(j) - log_weight(i)).min(0.0) - (states as f64).ln()
        });
        for k in 0..states {
            log_t[[k, k]] = f64::NEG_INFINITY;
            log_t[[k, k]] = (-logsumexp(log_t.row(k)).exp()).ln_1p();
        }
        let steady = SteadyState::from_logs(log_t).unwrap();
        for k in 0..states {
            let found = steady.log_pi()[k] - steady.log_pi()[0];
            // 300 states, each of which rounds logarithms of up to 900 to 1e-13, a few times.
            assert!((found - log_weight(k)).abs() < 1e-10, "{k}: {found} {}", log_weight(k));
        }
    }

    let mut generator = Seed(32).generator(Stream::Parameters, 0, 0);
    let mut log_t = Array2::from_shape_simple_fn((211, 211), || -60.0 * uniform_f64(&mut generator));
    for mut row in log_t.rows_mut() {
        row -= logsumexp(row.view());
    }
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| SteadyState::from_logs(log_t.clone()).unwrap())
    };
    assert_eq!(on(1), on(3));
    let pi = on(2).pi();
    let moved = pi.dot(&log_t.mapv(f64::exp));
    assert!(moved.iter().zip(&pi).all(|(moved, pi)| (moved - pi).abs() < 1e-13));

    for patience in [0, 1, 100, 209] {
        let watch = Impatient::after(patience);
        assert_eq!(
            SteadyState::from_logs_watched(log_t.clone(), &watch),
            Err(ChainError::Stopped(Stopped))
        );
        assert_eq!(watch.asked(), patience + 1, "no state more");
    }
    assert_eq!(SteadyState::from_logs_watched(log_t.clone(), &()).as_ref(), Ok(&on(1)));
}
