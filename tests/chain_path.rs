//! The path entropy production at the persistent chains: its gradient against finite differences, and the weight that holds it at a target.

use latent_cycles::config::PathEntropy;
use latent_cycles::training::path_weight::PathWeight;
use ndarray::{Array1, Array2, Axis};

use crate::command::{SMALL, metrics, run};
use crate::common::{all_images, on_every_backend, program, random_images, relative_distance};
use crate::deeper::differences;
use crate::functional::{assert_mean_step, one_step};
use crate::layered::{Layered, kinds, random_layers};

const VISIBLE: usize = 5;

/// `sum_z pi_z sum_x q(x|z) [ sum_k p(k|x) f_k(x) - f_z(x) ]`, `f_k(x) = c_k . (W - A^T)^T x`, term by term.
pub fn produced(plain: &Layered, pi: &Array1<f64>) -> f64 {
    let images = all_images(plain.backward.ncols()).mapv(f64::from);
    let (p, q) = (plain.log_p(&images).mapv(f64::exp), plain.log_q(&images).mapv(f64::exp));
    let excess = &plain.up[0].0 - &plain.backward.t();
    let f: Array2<f64> = images.dot(&excess).dot(&plain.codes[0].0.t());
    let ahead = (&p * &f).sum_axis(Axis(1));
    let mut sigma = 0.0;
    for (n, z) in (0..images.nrows()).flat_map(|n| (0..pi.len()).map(move |z| (n, z))) {
        sigma += pi[z] * q[[n, z]] * (ahead[n] - f[[n, z]]);
    }
    sigma
}

/// T.
fn kernel(plain: &Layered) -> Array2<f64> {
    let images = all_images(plain.backward.ncols()).mapv(f64::from);
    plain.log_q(&images).mapv(f64::exp).t().dot(&plain.log_p(&images).mapv(f64::exp))
}

/// pi of the chain, by many steps of it.
pub fn stationary(plain: &Layered) -> Array1<f64> {
    let kernel = kernel(plain);
    let mut pi = Array1::from_elem(kernel.nrows(), 1.0 / kernel.nrows() as f64);
    for _ in 0..10_000 {
        pi = pi.dot(&kernel);
    }
    pi
}

/// The path's part of a step, the difference between the same step with it and without, is the gradient at a fixed distribution of the states.
///
/// Means over 31 seeds are compared with the truth in units of their standard errors: with some 250 parameters in all and three backends, a right
/// program has some |t| (30 degrees of freedom) beyond 6.5 with probability 3e-4. Chains walk 19 steps from dark images, which leaves less than 1e-6 of the start.
#[test]
fn a_step_at_the_chains_follows_it_on_every_backend() {
    let one_layer = kinds().into_iter().filter(|layers| layers.all().len() == 1);
    for (seed, layers) in (301..).zip(one_layer) {
        let parameters = random_layers(seed, VISIBLE, &layers, 0.6);
        let (plain, images) = (Layered::new(&parameters), random_images(seed, 7, VISIBLE));
        let pi = stationary(&plain);
        let dark = Array2::zeros((1, VISIBLE));
        let mut state: Array1<f64> = plain.log_p(&dark).row(0).mapv(f64::exp);
        (0..18).for_each(|_| state = state.dot(&kernel(&plain)));
        assert!((state - &pi).iter().all(|left| left.abs() < 1e-6));
        let exact = differences(&plain, 1e-3, |plain| produced(plain, &pi));
        on_every_backend("path entropy production at the chains", |numerics| {
            let steps: Vec<Vec<f64>> = (0..31)
                .map(|seed| {
                    let [with, without] = ["1", "0"].map(|weight| {
                        let settings = [
                            format!("model.latent={layers}"),
                            format!("training.path_entropy_weight={weight}"),
                            "training.chains=1009".to_owned(),
                            "training.chain_steps=19".to_owned(),
                            format!("training.seed={seed}"),
                        ];
                        one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images)
                    });
                    with.iter().zip(&without).map(|(with, without)| with - without).collect()
                })
                .collect();
            assert_mean_step(&steps, &exact, &format!("{}, {layers}", numerics.device().backend));
        });
        // What a weight in the wrong direction, or none, would give.
        assert!(exact.iter().any(|pull| pull.abs() > 0.05));
    }
}

/// With the distribution of the states fixed, the function is the path entropy production itself: at pi they agree.
#[test]
fn what_is_followed_is_the_path_entropy_production() {
    for (seed, layers) in (321..).zip(kinds().into_iter().filter(|layers| layers.all().len() == 1)) {
        let plain = Layered::new(&random_layers(seed, VISIBLE, &layers, 0.6));
        let images = all_images(VISIBLE).mapv(f64::from);
        let (log_p, log_q, pi) = (plain.log_p(&images), plain.log_q(&images), stationary(&plain));
        let mut sigma = 0.0;
        for (log_p, log_q) in log_p.rows().into_iter().zip(log_q.rows()) {
            for (z, next) in (0..pi.len()).flat_map(|z| (0..pi.len()).map(move |next| (z, next))) {
                sigma += pi[z] * (log_q[z] + log_p[next]).exp() * (log_q[z] + log_p[next] - log_q[next] - log_p[z]);
            }
        }
        let found = produced(&plain, &pi);
        assert!(relative_distance(&[found], &[sigma]) < 1e-11, "{layers}: {found} {sigma}");
    }
}

/// Any process that follows its weight slowly is brought to the target: here one that relaxes to `100 + 20,000 w`, and one to `e^(5 + 300 w)`.
#[test]
fn the_weight_brings_a_slow_process_to_its_target() {
    let processes: [fn(f64) -> f64; 2] = [|w| 100.0 + 20_000.0 * w, |w| (5.0 + 300.0 * w).exp()];
    for (follows, target) in processes
        .into_iter()
        .flat_map(|follows| [33.0, 170.0].map(|target| (follows, target)))
    {
        let mut weight = PathWeight::new(PathEntropy::Target(target), None).unwrap();
        let mut produced: f64 = 1.0;
        for _ in 0..6000 {
            let w = weight.at(produced);
            produced += 0.02 * (follows(w).clamp(0.0, 1e4) - produced);
        }
        assert!((produced / target - 1.0).abs() < 0.01, "{produced} for {target}");
    }
    assert_eq!(PathWeight::new(PathEntropy::NONE, None), None);
    let mut fixed = PathWeight::new(PathEntropy::Weight(-0.5), Some(3.0)).unwrap();
    assert!(fixed.at(7.0) == -0.5 && fixed.steered().is_none());
    // No weight grows without end, whatever is asked for.
    let mut hopeless = PathWeight::new(PathEntropy::Target(1e-6), None).unwrap();
    assert!((0..200_000).all(|_| hopeless.at(5.0).is_finite()) && (hopeless.steered().unwrap() + 1e8).abs() < 1.0);
}

/// A run is held at the target, above and below what it produces when it is free, on average over its last third; and its metrics say the weight.
#[test]
fn a_run_is_held_at_its_target() {
    let folder = tempfile::tempdir().unwrap();
    let last = |name: &str, more: &[&str]| {
        let (status, _, stderr) = run(program()
            .args(["train", "--quiet", "--run", name])
            .args(SMALL)
            .args([
                "--set",
                "model.latent={ kind = \"binary\", units = 3 }",
                "--set",
                "training.steps=6000",
            ])
            .args(["--set", "training.learning_rate=0.01", "--set", "evaluation.samples=2000"])
            .args(more)
            .current_dir(folder.path()));
        assert_eq!((status, stderr.as_str()), (0, ""));
        let lines = metrics(&folder.path().join(name));
        let late = &lines[lines.len() - 40..];
        let produced = late
            .iter()
            .map(|line| line["path_entropy_production"].as_f64().unwrap())
            .sum::<f64>()
            / 40.0;
        (produced, late[39].get("path_entropy_weight").map(|weight| weight.as_f64().unwrap()))
    };
    let (free, weight) = last("free", &[]);
    assert!(weight.is_none());
    for factor in [0.3, 1.2] {
        let target = free * factor;
        let setting = format!("training.path_entropy_target={target}");
        let (produced, weight) = last(&format!("held{factor}"), &["--set", &setting]);
        assert!((produced / target - 1.0).abs() < 0.05, "{produced} for {target}");
        assert!(weight.is_some_and(f64::is_finite));
    }
}
