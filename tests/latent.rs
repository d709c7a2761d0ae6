//! The latent kernel and its thermodynamics: closed forms and full enumeration.

use latent_cycles::conditionals::Conditionals;
use latent_cycles::latent::kernel::LatentKernel;
use latent_cycles::latent::stationary::log_stationary;
use latent_cycles::latent::thermodynamics::{entropy_production, self_transition};
use latent_cycles::random::{Seed, Stream, uniform_f64};
use ndarray::{Array2, Axis, array};

use crate::common::{Plain, image, random_model};

/// A ring: one way with probability 0.6, the other with 0.1, stay with 0.3.
fn ring(states: usize) -> Array2<f64> {
    let mut t = Array2::zeros((states, states));
    for k in 0..states {
        t[[k, k]] += 0.3;
        t[[k, (k + 1) % states]] += 0.6;
        t[[k, (k + states - 1) % states]] += 0.1;
    }
    t.mapv_into(f64::ln)
}

#[test]
fn a_ring_has_the_entropy_production_of_its_affinity() {
    // Each step goes round with net probability 0.5 against ln(0.6 / 0.1).
    for states in [3, 5, 11] {
        let log_t = ring(states);
        let log_pi = log_stationary(&log_t).unwrap();
        assert!(log_pi.iter().all(|log_pi| (log_pi + (states as f64).ln()).abs() < 1e-14));
        assert!((entropy_production(&log_pi, &log_t) - 0.5 * 6.0_f64.ln()).abs() < 1e-14);
        assert!((self_transition(&log_pi, &log_t) - 0.3).abs() < 1e-14);
    }
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
    let log_t = t.mapv(f64::ln);
    let log_pi = log_stationary(&log_t).unwrap();
    for k in 0..states {
        let expected = k as f64 * (up / down).ln() + log_pi[0];
        assert!((log_pi[k] - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{k}");
    }
    assert!(entropy_production(&log_pi, &log_t).abs() < 1e-15);
}

#[test]
fn one_way_streets_islands_and_a_single_state_have_clear_answers() {
    let one_way = array![[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]].mapv(f64::ln);
    let log_pi = log_stationary(&one_way).unwrap();
    assert_eq!(entropy_production(&log_pi, &one_way), f64::INFINITY);
    let islands = array![[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]].mapv(f64::ln);
    assert!(log_stationary(&islands).is_none());
    let single = array![[0.0]];
    let log_pi = log_stationary(&single).unwrap();
    assert_eq!(
        (entropy_production(&log_pi, &single), self_transition(&log_pi, &single)),
        (0.0, 1.0)
    );
}

/// Any positive chain: pi is stationary and normalized, nothing is negative, relabelling changes nothing, two states are reversible.
#[test]
fn random_chains() {
    let states = 5;
    let mut generator = Seed(70).generator(Stream::Kernel, 0, 0);
    for _ in 0..256 {
        let t = Array2::from_shape_simple_fn((states, states), || (33.0 * uniform_f64(&mut generator) - 30.0).exp());
        let t = &t / &t.sum_axis(Axis(1)).insert_axis(Axis(1));
        let log_t = t.mapv(f64::ln);
        let log_pi = log_stationary(&log_t).unwrap();
        let pi = log_pi.mapv(f64::exp);
        assert!((pi.sum() - 1.0).abs() < 1e-12);
        assert!((&pi.dot(&t) - &pi).iter().all(|unbalanced| unbalanced.abs() < 1e-12));
        let sigma = entropy_production(&log_pi, &log_t);
        assert!(sigma >= 0.0);
        let order = [3, 0, 4, 1, 2];
        let relabelled = Array2::from_shape_fn((states, states), |(j, k)| log_t[[order[j], order[k]]]);
        let again = entropy_production(&log_stationary(&relabelled).unwrap(), &relabelled);
        assert!((again - sigma).abs() <= 1e-9 * (1.0 + sigma));
        let two = array![[t[[0, 0]], 1.0 - t[[0, 0]]], [t[[0, 1]], 1.0 - t[[0, 1]]]].mapv(f64::ln);
        assert!(entropy_production(&log_stationary(&two).unwrap(), &two).abs() < 1e-9);
    }
}

/// The estimated kernel against enumeration: every entry within 5.3 of its own standard errors, which a right program passes but once
/// in 10^6 seeds even with nine entries.
#[test]
fn the_estimated_kernel_agrees_with_enumeration() {
    let (visible, latent, samples) = (7, 3, 20_011);
    let parameters = random_model(71, visible, latent, 1.5);
    let plain = Plain::new(&parameters);
    let exact = plain.kernel();
    let kernel = LatentKernel::estimate(&Conditionals::new(&parameters), samples, Seed(71), 0, |images| {
        vec![(); images.len()]
    })
    .unwrap();
    for ((j, k), &expected) in exact.indexed_iter() {
        let second: f64 = (0..1 << visible)
            .map(|code| {
                let x = image(code, visible);
                (plain.log_q(&x, j) + 2.0 * plain.log_p(&x, k)).exp()
            })
            .sum();
        let error = ((second - expected * expected) / samples as f64).sqrt();
        let found = kernel.log_transition[[j, k]].exp();
        assert!(
            (found - expected).abs() < 5.3 * error,
            "T[{j}, {k}]: {found} against {expected} +- {error}"
        );
    }
    assert_eq!(kernel.observed.iter().map(Vec::len).sum::<usize>(), latent * samples);
}

/// Both entropy productions, from many independent estimates: their mean within 5 standard errors of the enumerated truth.
#[test]
fn both_entropy_productions_agree_with_enumeration() {
    let (visible, latent) = (7, 3);
    // Images of a state lead to the next one: a cycle with noise.
    let mut parameters = random_model(72, visible, latent, 1.0);
    let next = Array2::from_shape_fn((visible, latent), |(i, k)| parameters.backward[[(k + 2) % latent, i]]);
    parameters.forward = &parameters.forward * 0.5 + next;
    let plain = Plain::new(&parameters);
    let log_t = plain.kernel().mapv(f64::ln);
    let log_pi = log_stationary(&log_t).unwrap();
    let latent_truth = entropy_production(&log_pi, &log_t);
    // sigma over all paths z -> x -> z'.
    let mut path_truth = 0.0;
    for code in 0..1 << visible {
        let x = image(code, visible);
        for z in 0..latent {
            for after in 0..latent {
                let forward = plain.log_q(&x, z) + plain.log_p(&x, after);
                let back = plain.log_q(&x, after) + plain.log_p(&x, z);
                path_truth += (log_pi[z] + forward).exp() * (forward - back);
            }
        }
    }
    assert!(path_truth > latent_truth && latent_truth > 1e-3, "{path_truth} {latent_truth}");

    let model = Conditionals::new(&parameters);
    let estimates: Vec<(f64, f64)> = (0..40)
        .map(|seed| {
            let kernel = LatentKernel::estimate(&model, 5003, Seed(seed), 0, |images| vec![(); images.len()]).unwrap();
            (
                entropy_production(&kernel.log_pi, &kernel.log_transition),
                kernel.path_entropy_production,
            )
        })
        .collect();
    for (truth, values) in [
        (latent_truth, estimates.iter().map(|e| e.0).collect::<Vec<_>>()),
        (path_truth, estimates.iter().map(|e| e.1).collect::<Vec<_>>()),
    ] {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt();
        assert!((mean - truth).abs() < 5.0 * error, "{mean} against {truth} +- {error}");
        assert!(error < 0.05 * truth, "an estimate worth the name: {truth} +- {error}");
    }
}

/// A reversible model: W_ik = A_ki + c_i.
#[test]
fn a_reversible_model_produces_no_entropy() {
    let mut parameters = random_model(73, 5, 3, 1.0);
    let shift = [0.5_f32, -1.0, 0.25, 2.0, 0.0];
    parameters.forward = ndarray::Array2::from_shape_fn((5, 3), |(i, k)| parameters.backward[[k, i]] + shift[i]);
    let kernel = LatentKernel::estimate(&Conditionals::new(&parameters), 1009, Seed(73), 0, |images| vec![(); images.len()]).unwrap();
    // The path's ratio vanishes image by image up to its mean, so only pi's error is left, which is small too.
    assert!(kernel.path_entropy_production.abs() < 0.05, "{}", kernel.path_entropy_production);
    let log_t = Plain::new(&parameters).kernel().mapv(f64::ln);
    let log_pi = log_stationary(&log_t).unwrap();
    assert!(entropy_production(&log_pi, &log_t) < 1e-12);
}
