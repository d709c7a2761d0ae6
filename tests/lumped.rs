//! Chains seen through a partition, and their passages: against plain loops and closed forms.

use latent_cycles::latent::SteadyState;
use latent_cycles::latent::lumped::{LumpingError, Partition};
use latent_cycles::latent::passage::{Passage, Passages};
use ndarray::{Array1, Array2, array};

use crate::latent::{random_chain, ring};

fn steady(transition: &Array2<f64>) -> SteadyState {
    SteadyState::new(transition).unwrap()
}

fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
        "{found} instead of {expected}"
    );
}

/// Macrostates that are mixed up among the numbers of the states.
fn mixed(states: usize, count: usize) -> Partition {
    Partition::new((0..states).map(|state| (state + 2 * (state / count)) % count).collect()).unwrap()
}

/// A chain on a line that goes on with p, back with q, and stays where it cannot.
fn line(states: usize, p: f64, q: f64) -> Array2<f64> {
    let mut t = Array2::zeros((states, states));
    for k in 0..states {
        t[[k, (k + 1).min(states - 1)]] += p;
        t[[k, k.saturating_sub(1)]] += q;
        t[[k, k]] += 1.0 - p - q;
    }
    t
}

/// The two ends of a line, and all between them.
fn ends(states: usize) -> Partition {
    Partition::new(
        (0..states)
            .map(|k| {
                if k == 0 {
                    0
                } else if k == states - 1 {
                    2
                } else {
                    1
                }
            })
            .collect(),
    )
    .unwrap()
}

#[test]
fn fluxes_of_macrostates_are_sums_of_those_of_states() {
    for seed in 0..40 {
        let states = [5, 7, 11, 13][seed as usize % 4];
        let whole = steady(&random_chain(seed, states, [0.5, 3.0, 14.0][seed as usize % 3], seed % 2 == 0));
        let partition = mixed(states, 3);
        let lumped = whole.lumped(&partition).unwrap();
        let mut flux = Array2::<f64>::zeros((3, 3));
        for ((i, j), f) in whole.flux().indexed_iter() {
            flux[[partition.of()[i], partition.of()[j]]] += f;
        }
        for ((a, b), &expected) in flux.indexed_iter() {
            close(lumped.flux()[[a, b]], expected);
            assert!((lumped.currents()[[a, b]] - (flux[[a, b]] - flux[[b, a]])).abs() < 1e-15);
        }
        for a in 0..3 {
            close(lumped.pi()[a], partition.states(a).map(|k| whole.pi()[k]).sum());
            let leaves: f64 = (0..3).filter(|&b| b != a).map(|b| flux[[a, b]]).sum();
            close(lumped.residence_time(a), lumped.pi()[a] / leaves);
        }
        // It is the steady state of its own T.
        let again = steady(&lumped.transition());
        assert!((again.pi() - lumped.pi()).iter().all(|difference| difference.abs() < 1e-12));
        let cycles = lumped.cycles();
        let turned: f64 = cycles.iter().map(|cycle| cycle.weight * cycle.affinity).sum();
        assert!((turned - lumped.entropy_production()).abs() < 1e-10 * (1.0 + turned));
    }
}

/// The log-sum inequality; with equality where nothing is lumped.
#[test]
fn macrostates_never_produce_more_than_the_whole() {
    let mut shares = Vec::new();
    for seed in 0..200 {
        let states = [4, 7, 11, 13][seed as usize % 4];
        let whole = steady(&random_chain(seed, states, [0.5, 3.0, 14.0][seed as usize % 3], seed % 5 == 0));
        let produced = whole.entropy_production();
        for count in [2, 3, 4] {
            let lumped = whole.lumped(&mixed(states, count)).unwrap().entropy_production();
            assert!(lumped >= 0.0 && lumped <= produced * (1.0 + 1e-12), "{lumped} of {produced}");
            shares.push(lumped / produced);
        }
        let same = whole.lumped(&Partition::new((0..states).collect()).unwrap()).unwrap();
        close(same.entropy_production(), produced);
    }
    assert!(shares.iter().any(|share| *share > 0.5), "some partitions show most of it");
}

/// Pairs of neighbours on a ring of six are a ring of three: F_ab = p/6, and every other link produces what it did.
#[test]
fn a_ring_of_pairs_has_half_the_entropy_production_of_the_ring() {
    let (p, q) = (0.5, 0.1);
    let whole = steady(&ring(6, p, q));
    let lumped = whole.lumped(&Partition::new(vec![0, 0, 1, 1, 2, 2]).unwrap()).unwrap();
    close(lumped.flux()[[0, 1]], p / 6.0);
    close(lumped.flux()[[1, 0]], q / 6.0);
    close(lumped.current(2, 0), (p - q) / 6.0);
    close(whole.entropy_production(), (p - q) * (p / q).ln());
    close(lumped.entropy_production(), 0.5 * (p - q) * (p / q).ln());
    close(lumped.residence_time(1), 2.0 / (p + q));
    let cycles = lumped.cycles();
    assert_eq!((cycles.len(), &cycles[0].states), (1, &vec![0, 1, 2]));
    close(cycles[0].affinity, 3.0 * (p / q).ln());
}

#[test]
fn a_reversible_chain_has_no_currents_among_macrostates() {
    let weights = Array1::from_iter((0..13).map(|k| 1.0 + f64::from(k * k % 7)));
    let symmetric = random_chain(3, 13, 6.0, false);
    let symmetric = &symmetric + &symmetric.t();
    let log_flux = Array2::from_shape_fn((13, 13), |(i, j)| (symmetric[[i, j]] * weights[i] * weights[j]).ln());
    let total = latent_cycles::logs::logsumexp(log_flux.flatten().view());
    let whole = SteadyState::of_fluxes(log_flux - total);
    let lumped = whole.lumped(&mixed(13, 4)).unwrap();
    assert!(lumped.currents().iter().all(|current| *current == 0.0), "{}", lumped.currents());
    assert_eq!((lumped.entropy_production(), lumped.cycles().len()), (0.0, 0));
}

#[test]
fn partitions_that_are_none_are_refused() {
    assert_eq!(Partition::new(vec![0, 2, 2]), Err(LumpingError::Empty(1)));
    assert_eq!(Partition::new(vec![usize::MAX - 1, 0]), Err(LumpingError::Empty(1)));
    let three = steady(&ring(3, 0.5, 0.2));
    let two = Partition::new(vec![0, 1]).unwrap();
    assert_eq!(three.lumped(&two), Err(LumpingError::Length { states: 3, named: 2 }));
    // State 0 is left for good.
    let leaves = steady(&array![[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]]);
    assert_eq!(
        leaves.lumped(&Partition::new(vec![0, 1, 1]).unwrap()),
        Err(LumpingError::Transient(0))
    );
}

#[test]
fn two_states_wait_for_each_other() {
    let chain = steady(&array![[0.7, 0.3], [0.002, 0.998]]);
    let partition = Partition::new(vec![0, 1]).unwrap();
    let passages = Passages::new(&chain, &partition, &[Passage::Time { to: 1 }, Passage::Time { to: 0 }], &()).unwrap();
    close(passages.answers()[(0, 0)], 1.0 / 0.3);
    close(passages.answers()[(1, 1)], 500.0);
    assert_eq!(passages.answers()[(1, 0)], 0.0);
    close(chain.residence_time(1), 500.0);
}

/// On a line, the time from k to k + 1 follows from that from k - 1 to k: d_k = ( 1 + q d_(k-1) ) / p. On a ring without a way back it is the number of links.
#[test]
fn first_passages_have_their_closed_forms() {
    let states = 11;
    for (p, q) in [(0.5, 0.5), (0.3, 0.6), (0.45, 0.2)] {
        let chain = steady(&line(states, p, q));
        let passages = Passages::new(&chain, &ends(states), &[Passage::Time { to: 2 }], &()).unwrap();
        let mut step = 1.0 / p;
        let mut steps = vec![step];
        for _ in 1..states - 1 {
            step = (1.0 + q * step) / p;
            steps.push(step);
        }
        for k in 0..states {
            close(passages.answers()[(k, 0)], steps[k.min(states - 1)..].iter().sum());
        }
    }
    let one_way = steady(&ring(7, 0.25, 0.0));
    let partition = Partition::new(vec![0, 1, 1, 1, 1, 1, 2]).unwrap();
    let passages = Passages::new(&one_way, &partition, &[Passage::Time { to: 0 }], &()).unwrap();
    (1..7).for_each(|k| close(passages.answers()[(k, 0)], 4.0 * (7 - k) as f64));
}

/// q+ = k/n for a symmetric walk between 0 and n, and ( 1 - r^k ) / ( 1 - r^n ) with r = q/p for one that drifts.
#[test]
fn committors_have_their_closed_forms() {
    let (states, n) = (13, 12);
    for (p, q) in [(0.3, 0.3), (0.5, 0.2), (0.1, 0.6)] {
        let chain = steady(&line(states, p, q));
        let questions = [Passage::Committor { from: 0, to: 2 }, Passage::Committor { from: 2, to: 0 }];
        let passages = Passages::new(&chain, &ends(states), &questions, &()).unwrap();
        let r: f64 = q / p;
        for k in 0..states {
            let expected = match p == q {
                true => k as f64 / n as f64,
                false => (1.0 - r.powi(k as i32)) / (1.0 - r.powi(n)),
            };
            close(passages.answers()[(k, 0)], expected);
            close(passages.answers()[(k, 1)], 1.0 - expected);
        }
    }
}

/// By iteration from a near chain's factors, and from one so far away that it takes its own, the answers are those of the chain.
#[test]
fn passages_of_other_chains_are_theirs() {
    for (seed, part) in [(0, 0.02), (1, 0.3), (2, 1.0)] {
        let [first, other] = [seed, seed + 50].map(|seed| random_chain(seed, 13, 5.0, false));
        let (first, other) = (steady(&first), steady(&(&first * (1.0 - part) + &other * part)));
        let partition = mixed(13, 3);
        let questions = [
            Passage::Time { to: 1 },
            Passage::Committor { from: 2, to: 0 },
            Passage::Time { to: 0 },
        ];
        let solved = |chain| Passages::new(chain, &partition, &questions, &()).unwrap();
        let (near, own) = (solved(&first).near(&other, &partition, &()).unwrap(), solved(&other));
        for number in 0..3 {
            for k in 0..13 {
                let (near, own) = (near[(k, number)], own.answers()[(k, number)]);
                assert!((near - own).abs() <= 1e-6 * own.abs(), "{near} instead of {own}");
            }
            // They solve their equation.
            let onward = |k: usize| (0..13).map(|j| other.transition()[[k, j]] * near[(j, number)]).sum::<f64>();
            let inside = (0..13).filter(|&k| match questions[number] {
                Passage::Time { to } => partition.of()[k] != to,
                Passage::Committor { .. } => partition.of()[k] == 1,
            });
            let source = [1.0, 0.0, 1.0][number];
            inside.for_each(|k| assert!((near[(k, number)] - source - onward(k)).abs() < 1e-6 * (1.0 + near[(k, number)])));
        }
    }
}

/// Ten links up a steep slope take 4e16 steps, of which f64 would lose a fifth: no number stands there, while the way down and the committor's is known.
#[test]
fn what_f64_does_not_resolve_is_no_number() {
    let chain = steady(&line(11, 0.02, 0.9));
    let questions = [
        Passage::Time { to: 2 },
        Passage::Time { to: 0 },
        Passage::Committor { from: 0, to: 2 },
    ];
    let solved = Passages::new(&chain, &ends(11), &questions, &()).unwrap();
    assert!((0..11).all(|k| solved.answers()[(k, 0)].is_nan()));
    close(solved.answers()[(5, 2)], (1.0 - 45.0_f64.powi(5)) / (1.0 - 45.0_f64.powi(10)));
    // Down from k it takes k / 0.88 steps, but for the upper end.
    assert!((solved.answers()[(3, 1)] - 3.0 / 0.88).abs() < 1e-6);
    let near = solved.near(&chain, &ends(11), &()).unwrap();
    assert!(near[(0, 0)].is_nan());
    close(near[(3, 1)], solved.answers()[(3, 1)]);
}
