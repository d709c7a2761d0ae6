//! Machines in equilibrium: the RBM's gradients against enumeration, expectation and maximization, and both through all commands.

use std::path::Path;

use latent_cycles::codes::Layers;
use latent_cycles::config::TrainingConfig;
use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use latent_cycles::record::TrainingState;
use latent_cycles::training::start::{around_the_mean, tied_start};
use latent_cycles::training::step::{Recipe, Update};
use ndarray::{Array1, Array2};
use serde_json::Value;

use crate::command::{SMALL, metrics, run};
use crate::common::{Plain, image, on_every_backend, program, random_images, random_model, relative_distance};
use crate::functional::one_step;

/// Some machine in equilibrium, `W = A^T`.
fn tied(seed: u64, visible: usize, latent: usize, scale: f64) -> Parameters {
    let mut parameters = random_model(seed, visible, latent, scale);
    parameters.forward = parameters.backward.t().as_standard_layout().into_owned();
    parameters
}

/// `ln sum_k exp(b_k + sum_i x_i A_ki)`, the logarithm of an image's weight in the Boltzmann machine.
fn log_weight(b: &Array1<f64>, a: &Array2<f64>, x: &[u8]) -> f64 {
    let energy = |k: usize| b[k] + x.iter().enumerate().map(|(i, &x)| f64::from(x) * a[[k, i]]).sum::<f64>();
    (0..b.len()).map(|k| energy(k).exp()).sum::<f64>().ln()
}

/// The RBM's log-likelihood by its partition function over all images, nats per image.
fn log_likelihood(b: &Array1<f64>, a: &Array2<f64>, images: &BinaryImages) -> f64 {
    let visible = a.ncols();
    let partition: f64 = (0..1 << visible).map(|code| log_weight(b, a, &image(code, visible)).exp()).sum();
    let weights = images.rows().into_iter().map(|row| log_weight(b, a, &row.to_vec()));
    weights.sum::<f64>() / images.nrows() as f64 - partition.ln()
}

/// (b, A) of a step; W moves as A does.
fn bias_and_backward(step: &[f64], visible: usize, latent: usize) -> Vec<f64> {
    let (forward, rest) = step.split_at(visible * latent);
    for k in 0..latent {
        for i in 0..visible {
            assert_eq!(forward[i * latent + k], rest[latent + k * visible + i], "W = A^T after the step");
        }
    }
    rest.to_vec()
}

#[test]
fn the_exact_gradient_equals_finite_differences_of_the_partition_function_on_every_backend() {
    for (seed, visible, latent, scale) in [(21, 5, 3, 1.0), (22, 7, 2, 0.3), (23, 3, 11, 2.0)] {
        let parameters = tied(seed, visible, latent, scale);
        let images = random_images(seed, 13, visible);
        let (b, a) = (parameters.forward_bias.mapv(f64::from), parameters.backward.mapv(f64::from));
        let step = 1e-3;
        let difference =
            |shift: &dyn Fn(f64) -> f64| (8.0 * (shift(step) - shift(-step)) - (shift(2.0 * step) - shift(-2.0 * step))) / (12.0 * step);
        let mut exact: Vec<f64> = (0..latent)
            .map(|k| {
                difference(&|shift| {
                    let mut b = b.clone();
                    b[k] += shift;
                    log_likelihood(&b, &a, &images)
                })
            })
            .collect();
        exact.extend((0..latent * visible).map(|index| {
            difference(&|shift| {
                let mut a = a.clone();
                a[[index / visible, index % visible]] += shift;
                log_likelihood(&b, &a, &images)
            })
        }));
        on_every_backend("RBM's exact gradient", |numerics| {
            let found = bias_and_backward(&one_step(numerics, &["model.kind=rbm"], &parameters, &images), visible, latent);
            let distance = relative_distance(&found, &exact);
            // The step is read off parameters of order one in f32.
            assert!(distance < 1e-5, "{}: {distance:e}", numerics.device().backend);
        });
    }
}

/// Data term minus the chains' term, at the images that the chains arrive at.
#[test]
fn the_persistent_gradient_is_that_of_the_moved_chains_on_every_backend() {
    let (visible, latent) = (7, 3);
    let parameters = tied(24, visible, latent, 1.0);
    let plain = Plain::new(&parameters);
    let images = random_images(24, 13, visible);
    let means = |images: &BinaryImages| {
        let mut means = vec![0.0; latent + latent * visible];
        for row in images.rows() {
            let x = row.to_vec();
            for k in 0..latent {
                let p = plain.log_p(&x, k).exp() / images.nrows() as f64;
                means[k] += p;
                (0..visible).for_each(|i| means[latent + k * visible + i] += p * f64::from(x[i]));
            }
        }
        means
    };
    on_every_backend("RBM's persistent gradient", |numerics| {
        let settings = [
            "model.kind=rbm",
            "training.gradient=pcd",
            "training.chains=101",
            "training.chain_steps=2",
            "training.seed=25",
        ];
        let moved = numerics.walk(&parameters, &BinaryImages::zeros((101, visible)), 2, Seed(25), 0);
        let expected: Vec<f64> = means(&images).iter().zip(means(&moved)).map(|(data, model)| data - model).collect();
        let found = bias_and_backward(&one_step(numerics, &settings, &parameters, &images), visible, latent);
        let distance = relative_distance(&found, &expected);
        assert!(distance < 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

/// Responsibilities, then weights and means with the pseudo-count, in plain f64; the penalized likelihood never falls.
#[test]
fn expectation_and_maximization_is_that_of_the_textbook_on_every_backend() {
    let (visible, latent, count, steps) = (11, 3, 53, 23);
    let images = random_images(26, count, visible);
    let mut generator = Seed(26).generator(latent_cycles::random::Stream::Restart, 0, 0);
    let start = tied_start(around_the_mean(&[0.4; 11], &Layers::one_hot(latent), 1.0, 1e-4, &mut generator));
    for pseudo_count in [0.05, 1.0] {
        let rows: Vec<Vec<u8>> = images.rows().into_iter().map(|row| row.to_vec()).collect();
        let mut means = start.backward.mapv(|a| 1.0 / (1.0 + (-f64::from(a)).exp()));
        let mut weights = vec![1.0 / latent as f64; latent];
        let mut penalized = Vec::new();
        for _ in 0..steps {
            let mut objective = 0.0;
            let (mut counts, mut lit) = (vec![pseudo_count; latent], Array2::from_elem((latent, visible), pseudo_count));
            let mut all = vec![2.0 * pseudo_count; latent];
            for x in &rows {
                let q: Vec<f64> = (0..latent)
                    .map(|k| {
                        weights[k]
                            * (0..visible)
                                .map(|i| if x[i] == 1 { means[[k, i]] } else { 1.0 - means[[k, i]] })
                                .product::<f64>()
                    })
                    .collect();
                let density: f64 = q.iter().sum();
                objective += density.ln();
                for k in 0..latent {
                    let r = q[k] / density;
                    counts[k] += r;
                    all[k] += r;
                    (0..visible).for_each(|i| lit[[k, i]] += r * f64::from(x[i]));
                }
            }
            objective += pseudo_count * weights.iter().map(|weight| weight.ln()).sum::<f64>();
            objective += pseudo_count * means.iter().map(|mean| (mean * (1.0 - mean)).ln()).sum::<f64>();
            penalized.push(objective);
            let total: f64 = counts.iter().sum();
            weights = counts.iter().map(|count| count / total).collect();
            means = Array2::from_shape_fn((latent, visible), |(k, i)| lit[[k, i]] / all[k]);
        }
        assert!(penalized.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9), "{penalized:?}");
        on_every_backend("expectation and maximization", |numerics| {
            let state = TrainingState {
                parameters: start.clone(),
                mean_squares: Parameters::zeros(visible, latent),
                chains: None,
                path_entropy_weight: None,
                sampled: None,
                step: 0,
            };
            let recipe = Recipe::new(&TrainingConfig::default(), Update::Em { pseudo_count });
            let mut trainer = numerics.trainer(&state, recipe);
            (0..steps).for_each(|_| trainer.step(&PackedImages::pack(&images)));
            let found = trainer.parameters();
            let backend = numerics.device().backend;
            for ((k, i), mean) in means.indexed_iter() {
                let logit = (mean / (1.0 - mean)).ln();
                // Twenty steps carry the rounding of f32 along.
                assert!((f64::from(found.backward[[k, i]]) - logit).abs() < 2e-3, "{backend}, A of {k}, {i}");
            }
            let log_pi = latent_cycles::estimate::reversible::closed_form(&found).expect("in balance");
            for (k, weight) in weights.iter().enumerate() {
                assert!((log_pi[k].exp() - weight).abs() < 1e-4, "{backend}: pi of {k}");
            }
        });
    }
}

/// Each machine trains, resumes bit for bit, samples, exports and is analyzed; in equilibrium nothing produces entropy.
#[test]
fn every_method_goes_through_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let go = |arguments: &[&str]| {
        let (status, stdout, stderr) = run(program().args(arguments).current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""), "{arguments:?}");
        stdout
    };
    for (name, settings, equilibrium) in [
        ("exact", &["model.kind=rbm"][..], true),
        ("pcd", &["model.kind=rbm", "training.gradient=pcd", "training.chain_steps=2"], true),
        ("mixture", &["model.kind=mixture", "training.em.restarts=3"], true),
        (
            "fixed",
            &["model.kind=mixture", "training.em.pseudo_count=0.2", "training.em.restarts=1"],
            true,
        ),
        ("complete", &["training.gradient=complete"], false),
        ("weighted", &["training.entropy_weight=0.1"], false),
        ("stratified", &["training.sampling=stratified"], false),
        ("stale", &["training.sampling=stale"], false),
        ("cyclic", &["model.init=cyclic"], false),
        ("images", &["model.init=images"], false),
        ("images-tied", &["model.init=images", "model.kind=mixture"], true),
        (
            "rbm-binary",
            &["model.kind=rbm", "model.latent={ kind = \"binary\", units = 3 }"],
            true,
        ),
        (
            "pcd-groups",
            &[
                "model.kind=rbm",
                "training.gradient=pcd",
                "model.latent={ kind = \"groups\", sizes = [2, 3] }",
            ],
            true,
        ),
        (
            "codes-mixture",
            &["model.kind=mixture", "model.latent={ kind = \"grid\", points = 3, range = 1.5 }"],
            true,
        ),
        (
            "directed-binary",
            &["model.kind=directed", "model.latent={ kind = \"binary\", units = 3 }"],
            true,
        ),
        ("directed", &["model.kind=directed"], true),
        (
            "path",
            &[
                "training.path_entropy_weight=-0.01",
                "model.latent={ kind = \"binary\", units = 3 }",
            ],
            false,
        ),
    ] {
        let mut arguments = vec!["train", "--quiet", "--run", name, "--set", "training.steps=100"];
        // The exact gradient needs no chains, and expectation and maximization no batches either.
        let unused: &[&str] = match name {
            "exact" | "rbm-binary" | "codes-mixture" | "directed-binary" | "directed" => &["training.chains"],
            "mixture" | "fixed" | "images-tied" => &["training.chains", "training.batch_size"],
            _ => &[],
        };
        let is_used = |pair: &&[&str]| !unused.iter().any(|key| pair[1].starts_with(key));
        arguments.extend(SMALL.chunks(2).filter(is_used).flatten());
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        go(&arguments);
        let path = folder.path().join(name);
        let lines = metrics(&path);
        let figure = |line: &Value, key: &str| line[key].as_f64().unwrap();
        let [first, last] = [&lines[0], &lines[lines.len() - 1]];
        // The restarts may have taken a mixture all the way before its first step.
        let rise = if unused.contains(&"training.batch_size") { -1e-3 } else { 1.0 };
        assert!(
            figure(last, "log_likelihood_train") > figure(first, "log_likelihood_train") + rise,
            "{name}: {lines:?}"
        );
        if equilibrium {
            assert!(
                figure(last, "entropy_production").abs() < 1e-9 && figure(last, "path_entropy_production") == 0.0,
                "{name}"
            );
        }

        // As if it had been killed after step 32.
        let read = |file: &str| std::fs::read(path.join(file)).unwrap();
        let whole = (read("model.mpk"), read("checkpoints/step-0000100.mpk"));
        for file in ["model.mpk", "checkpoints/step-0000100.mpk", "checkpoints/step-0000056.mpk"] {
            std::fs::remove_file(path.join(file)).unwrap();
        }
        go(&["train", "--resume", "--quiet", "--run", name]);
        assert!(
            whole == (read("model.mpk"), read("checkpoints/step-0000100.mpk")),
            "{name}: another end after resuming"
        );

        go(&["analyze", name, "--samples", "64", "--quiet"]);
        let analysis: Value = serde_json::from_slice(&read("analysis/analysis.json")).unwrap();
        if equilibrium {
            for key in ["entropy_production", "path_entropy_production"] {
                assert!(analysis[key]["value"].as_f64().unwrap().abs() < 1e-9, "{name}: {}", analysis[key]);
            }
        }
        // Both figures of the likelihood rest on the same model, the one in f64 after training, the other estimated anew.
        let likelihood = analysis["log_likelihood_train"]["value"].as_f64().unwrap();
        let tolerance = if equilibrium { 1e-6 } else { 0.5 };
        assert!(
            (likelihood - figure(last, "log_likelihood_train")).abs() < tolerance,
            "{name}: {likelihood}"
        );
        go(&["sample", name, "--count", "5", "--out", &format!("{name}.png")]);
        if !settings.iter().any(|setting| setting.starts_with("model.latent")) {
            go(&["export", name, "--out", &format!("{name}.safetensors")]);
            go(&["import", &format!("{name}.safetensors"), "--run", &format!("{name}-again")]);
        }
    }
    let manifest = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(Path::new(folder.path()).join(name).join("manifest.json")).unwrap()).unwrap()
    };
    assert!(manifest("mixture")["pseudo_count"].as_f64().is_some_and(|count| count > 0.0));
    assert_eq!(manifest("fixed")["pseudo_count"], 0.2);
    assert!(manifest("exact").get("pseudo_count").is_none());
}
