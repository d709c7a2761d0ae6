//! Figures by a second path: what the files of a run and of an analysis say of a machine whose answers are known.

use std::path::Path;

use latent_cycles::random::{Seed, Stream, normal, uniform_f64};
use latent_cycles::record;
use latent_cycles::sweep::statistics::{Observation, correlations, spearman};
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::{NpzReader, ReadableElement};
use serde_json::Value;

use crate::analyze::analysis;
use crate::command::metrics;
use crate::common::Plain;
use crate::html::close;
use crate::known::{self, COLUMNS, RING, ROWS, SIGNAL, STATES, next, succeeds};

pub fn value(figure: &Value) -> f64 {
    figure["value"].as_f64().unwrap_or_else(|| panic!("{figure}"))
}

pub fn array<T: ReadableElement, D: ndarray::Dimension>(archive: &Path, name: &str) -> ndarray::Array<T, D> {
    let file = std::fs::File::open(archive).unwrap();
    NpzReader::new(file).unwrap().by_name(name).unwrap()
}

/// Images one a row.
pub fn flat(images: &Array3<u8>) -> Vec<Vec<u8>> {
    images.outer_iter().map(|image| image.iter().copied().collect()).collect()
}

/// `E [ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ]`, nats per step, over the two images of each state.
fn path_entropy_production() -> f64 {
    let (plain, pi) = (Plain::new(&known::parameters()), known::stationary(&known::transition()));
    let mut sum = 0.0;
    for z in 0..STATES {
        for (lit, share) in [(true, SIGNAL[z]), (false, 1.0 - SIGNAL[z])] {
            let x = known::image(z, lit);
            for to in 0..STATES {
                let ratio = plain.log_q(&x, z) + plain.log_p(&x, to) - plain.log_q(&x, to) - plain.log_p(&x, z);
                sum += pi[z] * share * plain.log_p(&x, to).exp() * ratio;
            }
        }
    }
    sum
}

fn divergence([data, model]: [[f64; 3]; 2]) -> f64 {
    data.iter().zip(model).map(|(d, m)| d * (d / m).ln()).sum()
}

/// A line of metrics.jsonl, of the known machine: within what 4,000 images in each state leave open, which is a part of what any mistaken
/// figure would be off by.
#[test]
fn metrics_are_those_of_the_model_and_its_data() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    let lines = metrics(&folder.path().join("run"));
    let figure = |key: &str| lines[0][key].as_f64().unwrap();
    let [train, test] = [0, 1].map(|set| known::log_likelihood(set).0);
    assert!((train - test).abs() > 0.1, "they can be told apart: {train} {test}");
    close(figure("log_likelihood_train"), train, 0.03, "training images");
    close(figure("log_likelihood_test"), test, 0.03, "test images");
    let (t, pi) = (known::transition(), known::stationary(&known::transition()));
    let sigma = known::entropy_production(&t);
    close(figure("entropy_production"), sigma, 0.03 * sigma, "entropy production");
    let path = path_entropy_production();
    assert!(path > sigma);
    close(figure("path_entropy_production"), path, 0.03 * path, "of the path");
    let (stays, unweighted) = (t.diag().dot(&pi), t.diag().mean().unwrap());
    assert!((stays - unweighted).abs() > 0.05, "they can be told apart");
    close(figure("self_transition"), stays, 0.02, "self-transition");
    let shares = known::class_shares();
    let [forward, backward] = [divergence(shares), divergence([shares[1], shares[0]])];
    assert!(forward > 0.02, "they can be told apart: {forward} {backward}");
    close(figure("class_kl"), forward, 0.3 * forward, "class divergence");
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.path().join("run/manifest.json")).unwrap()).unwrap();
    close(
        manifest["classifier_accuracy"].as_f64().unwrap(),
        known::rightly_labelled(),
        1e-12,
        "accuracy",
    );

    // What `train` prints of each line that a kept checkpoint belongs to, or that is the last.
    let stdout = succeeds(folder.path(), "train --config config.toml --run loud");
    let mut lines = metrics(&folder.path().join("loud"));
    lines.retain(|line| [0, 1, 2, 3, 6, 10, known::STEPS].contains(&line["step"].as_u64().unwrap()));
    let printed: Vec<Vec<f64>> = stdout
        .lines()
        .filter(|line| line.starts_with("step "))
        .map(crate::html::numbers)
        .collect();
    assert_eq!(printed.len(), lines.len());
    for (printed, line) in printed.iter().zip(&lines) {
        let keys = [
            ("step", 0.0),
            ("seconds", 0.051),
            ("log_likelihood_train", 0.00051),
            ("log_likelihood_test", 0.00051),
            ("entropy_production", 0.00051),
            ("self_transition", 0.000051),
        ];
        assert_eq!(printed.len(), keys.len(), "{printed:?}");
        for (printed, (key, tolerance)) in printed.iter().zip(keys) {
            close(*printed, line[key].as_f64().unwrap(), tolerance, key);
        }
    }
    // samples.png shows the chains as they stand at the end.
    let state = record::load_checkpoint(&folder.path().join(format!("run/checkpoints/step-{:07}.mpk", known::STEPS))).unwrap();
    let chains = state.chains.unwrap().unpack();
    let picture = image::open(folder.path().join("run/samples.png")).unwrap().to_luma8();
    let shown = crate::pages::cut_apart(&picture, 10, 100);
    let expected = chains
        .outer_iter()
        .map(|image| image.iter().map(|pixel| 255 * pixel).collect::<Vec<u8>>());
    assert!(shown.into_iter().eq(expected), "white where lit, ten in a row");
}

/// analysis.json and latent.npz of the known machine, whose 2^15 images are enumerated.
#[test]
fn an_analysis_says_what_is_known_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    succeeds(folder.path(), "analyze run --quiet --checkpoint 0 --out known");
    let found = analysis(&folder.path().join("known"));
    let archive = folder.path().join("known/latent.npz");
    let (t, pi, j) = (known::transition(), known::stationary(&known::transition()), known::currents());
    for (set, key) in ["log_likelihood_train", "log_likelihood_test"].into_iter().enumerate() {
        let (mean, error) = known::log_likelihood(set);
        close(value(&found[key]), mean, 1e-5, key);
        close(found[key]["standard_error_over_images"].as_f64().unwrap(), error, 1e-5 * error, key);
    }
    let sigma = known::entropy_production(&t);
    close(value(&found["entropy_production"]), sigma, 1e-4 * sigma, "entropy production");
    let path = path_entropy_production();
    close(value(&found["path_entropy_production"]), path, 1e-4 * path, "of the path");
    close(value(&found["self_transition"]), t.diag().dot(&pi), 1e-5, "self-transition");
    for (key, expected) in [("transition", &t), ("currents", &j)] {
        let stored: Array2<f64> = array(&archive, key);
        for ((row, column), expected) in expected.indexed_iter() {
            let listed = found[key][row][column].as_f64().unwrap();
            close(listed, *expected, 1e-5 * expected.abs() + 1e-7, &format!("{key} {row} {column}"));
            close(stored[[row, column]], listed, 1e-12 * listed.abs(), "latent.npz and analysis.json");
        }
    }
    let flux: Array2<f64> = array(&archive, "flux");
    let stationary: Array1<f64> = array(&archive, "stationary");
    for k in 0..STATES {
        close(found["stationary"][k].as_f64().unwrap(), pi[k], 1e-5, "pi");
        close(stationary[k], pi[k], 1e-5, "pi");
        close(flux[[k, next(k)]], pi[k] * t[[k, next(k)]], 1e-5, "F");
    }
    let means: Array3<f64> = array(&archive, "mean_images");
    assert_eq!(means.dim(), (STATES, ROWS, COLUMNS));
    for ((state, row, column), mean) in means.indexed_iter() {
        let expected = match row * COLUMNS + column {
            pixel if pixel == 2 * state => 1.0,
            pixel if pixel == 2 * state + 1 => SIGNAL[state],
            _ => 0.0,
        };
        close(*mean, expected, 1e-6, "mean image");
    }

    // The eigenvalues, and the two times that rest on one each.
    let listed: Vec<(f64, f64)> = found["eigenvalues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap()))
        .collect();
    crate::diagrams::traces(&listed, 1e-5);
    let stored: Array1<num_complex::Complex64> = array(&archive, "eigenvalues");
    assert!(listed.iter().zip(&stored).all(|(a, b)| (a.0 - b.re).hypot(a.1 - b.im) < 1e-12));
    let cycles: Array2<i64> = array(&archive, "cycles");
    for (stored, listed) in cycles.outer_iter().zip(found["cycles"].as_array().unwrap()) {
        let states = stored.iter().filter(|state| **state >= 0).map(|&state| Value::from(state));
        assert_eq!(Value::from(states.collect::<Vec<_>>()), listed["states"]);
    }
    let modulus = |value: &(f64, f64)| value.0.hypot(value.1);
    let slowest = |values: Vec<(f64, f64)>| values.into_iter().max_by(|a, b| modulus(a).total_cmp(&modulus(b))).unwrap();
    let second = slowest(listed.iter().copied().filter(|value| (value.0 - 1.0).abs() > 1e-6).collect());
    close(
        value(&found["relaxation_time"]),
        -1.0 / modulus(&second).ln(),
        1e-9,
        "relaxation time",
    );
    let turning = slowest(listed.iter().copied().filter(|value| value.1 > 1e-6).collect());
    let period = std::f64::consts::TAU / turning.1.atan2(turning.0);
    close(value(&found["rotation_period"]), period, 1e-9, "rotation period");
    assert!((value(&found["relaxation_time"]) - period).abs() > 1.0, "they can be told apart");

    for cycle in found["cycles"].as_array().unwrap() {
        let states: Vec<usize> = cycle["states"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| k.as_u64().unwrap() as usize)
            .collect();
        let steps = || (0..states.len()).map(|place| (states[place], states[(place + 1) % states.len()]));
        assert!(steps().all(|(from, to)| j[[from, to]] > 0.0), "cycles run with the currents");
        let affinity: f64 = steps().map(|(from, to)| (t[[from, to]] / t[[to, from]]).ln()).sum();
        close(cycle["affinity"].as_f64().unwrap(), affinity, 2e-4 * affinity.abs(), "affinity");
        let share = cycle["weight"].as_f64().unwrap() * affinity / sigma;
        close(cycle["share"].as_f64().unwrap(), share, 1e-4, "share of the entropy production");
    }
    let reversibility = &found["reversibility"];
    let states: Vec<usize> = reversibility["strongest_loop"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k.as_u64().unwrap() as usize)
        .collect();
    let affinity: f64 = (0..states.len())
        .map(|place| (states[place], states[(place + 1) % states.len()]))
        .map(|(from, to)| (t[[from, to]] / t[[to, from]]).ln())
        .sum();
    assert!(reversibility["reversible"] == false && affinity > 0.0);
    close(
        value(&reversibility["affinity"]),
        affinity,
        1e-3 * affinity,
        "the strongest loop, in its direction",
    );

    // Classes, counted among the generated images and summed over the states.
    let classes = &found["classes"];
    let list = |key: &str| -> Vec<f64> {
        classes[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|share| share.as_f64().unwrap())
            .collect()
    };
    assert_eq!(list("labels"), known::LABELS.map(f64::from));
    close(
        classes["judge_accuracy"].as_f64().unwrap(),
        known::rightly_labelled(),
        1e-12,
        "accuracy",
    );
    let images = flat(&array(&archive, "generated"));
    let mut counted = [0.0; 3];
    for image in &images {
        let (state, lit) = known::read(image);
        counted[known::class(state, lit)] += 1.0 / images.len() as f64;
    }
    let [data, steady] = known::class_shares();
    let states: Array2<f64> = array(&archive, "state_classes");
    for class in 0..3 {
        close(list("data")[class], data[class], 1e-12, "data");
        close(list("generated")[class], counted[class], 1e-9, "generated");
        close(list("from_stationary")[class], steady[class], 0.005, "from pi");
        for state in 0..STATES {
            close(states[[state, class]], known::classes_of(state)[class], 0.017, "of a state");
        }
    }
    close(
        value(&found["class_kl"]),
        divergence([data, counted]),
        1e-3,
        "divergence from what was generated",
    );
    assert_eq!(found["step"], 0);

    let exact = "T, pi and both entropy productions by enumeration of all images";
    assert!(found["method"].as_str().unwrap().starts_with(exact));
    null_model(&found["shuffled_entropy_production"], &t);
}

/// The quantiles of the null model among chains that are shuffled here.
fn null_model(found: &Value, t: &Array2<f64>) {
    let mut generator = Seed(91).generator(Stream::Kernel, 3, 0);
    let mut shuffled = || {
        let mut other = t.clone();
        for (state, mut row) in other.rows_mut().into_iter().enumerate() {
            // Fisher and Yates, over all states but this one.
            let places: Vec<usize> = (0..STATES).filter(|&k| k != state).collect();
            for last in (1..places.len()).rev() {
                let chosen = (uniform_f64(&mut generator) * (last + 1) as f64) as usize;
                row.swap(places[last], places[chosen]);
            }
        }
        known::entropy_production(&other)
    };
    let produced: Vec<f64> = (0..2000).map(|_| shuffled()).collect();
    let share = |key: &str| {
        let value = found[key].as_f64().unwrap();
        produced.iter().filter(|sigma| **sigma < value).count() as f64 / produced.len() as f64
    };
    // Four standard errors of a quantile of 400 chains, and of 2,000.
    close(share("low"), 0.025, 0.035, "chains below the interval");
    close(share("high"), 0.975, 0.035, "chains below its end");
    close(share("median"), 0.5, 0.11, "chains below the median");
    let own = known::entropy_production(t);
    let below = produced.iter().filter(|sigma| **sigma < own).count() as f64 / produced.len() as f64;
    assert!((below - 0.5).abs() > 0.15, "above and below can be told apart: {below}");
    close(found["share_below"].as_f64().unwrap(), below, 0.11, "chains below the machine");
}

/// Errors that are stated are as large as the deviations from the truth; intervals are 95%: 2.0395 standard errors at 31 degrees of freedom.
#[test]
fn stated_errors_are_those_that_are_made() {
    let folder = tempfile::tempdir().unwrap();
    record::save_model(&folder.path().join("known.mpk"), &known::parameters()).unwrap();
    let (t, j) = (known::transition(), known::currents());
    let truth = known::stationary(&t);
    // Deviations from the truth in units of the stated error, where that is far above what the machine's own f32 leaves open.
    let mut deviations = [Vec::new(), Vec::new(), Vec::new()];
    let mut deviates = |kind: usize, found: f64, expected: f64, error: f64, least: f64| {
        if error > least {
            deviations[kind].push((found - expected) / error);
        }
    };
    for seed in 1..=4 {
        succeeds(
            folder.path(),
            &format!("analyze known.mpk --quiet --samples 1024 --seed {seed} --out {seed}"),
        );
        let archive = folder.path().join(format!("{seed}/latent.npz"));
        let table = |name: &str| -> Array2<f64> { array(&archive, name) };
        let (log_t, t_error) = (table("log_transition"), table("transition_error"));
        let (currents, j_error) = (table("currents"), table("currents_error"));
        for ((from, to), expected) in t.indexed_iter() {
            let pair = [from, to];
            deviates(0, log_t[pair], expected.ln(), t_error[pair], 1e-3);
            deviates(1, currents[pair], j[pair], j_error[pair], 1e-5);
            let mirrored = j_error[[to, from]];
            close(
                j_error[pair],
                mirrored,
                1e-9 * mirrored,
                "J is antisymmetric, and its errors are symmetric",
            );
        }
        let list = |name: &str| -> Array1<f64> { array(&archive, name) };
        let (log_pi, pi_error) = (list("log_stationary"), list("stationary_error"));
        for k in 0..STATES {
            deviates(2, log_pi[k], truth[k].ln(), pi_error[k], 1e-4);
        }
        let found = analysis(&folder.path().join(seed.to_string()));
        assert!(found["method"].as_str().unwrap().contains(&format!(
            "1024 images from each state and along the tilt of each of its transitions (seed {seed})"
        )));
        let precision = |key: &str| found["precision"][key].as_f64().unwrap();
        let worst = t_error.iter().copied().fold(0.0, f64::max);
        close(precision("worst_transition"), worst, 1e-9 * worst, "the largest relative error");
        let above = t_error.iter().filter(|error| **error > 0.1).count();
        assert_eq!(found["precision"]["transitions_above_10_percent"], above);
        for key in ["entropy_production", "path_entropy_production"] {
            let relative = found[key]["standard_error"].as_f64().unwrap() / value(&found[key]);
            close(precision(key), relative, 1e-9, key);
        }
        for key in ["self_transition", "path_entropy_production"] {
            let [low, middle, high, error] = ["low", "value", "high", "standard_error"].map(|part| found[key][part].as_f64().unwrap());
            close((high - middle) / error, 2.0395, 0.001, key);
            close((middle - low) / error, 2.0395, 0.001, key);
        }
    }
    // Their mean squares are 1 but for what so few figures, some of them correlated, leave open.
    for (deviations, what) in deviations.into_iter().zip(["ln T", "J", "ln pi"]) {
        let square = deviations.iter().map(|z| z * z).sum::<f64>() / deviations.len() as f64;
        assert!(
            deviations.len() >= 20 && (0.4..2.5).contains(&square),
            "{what}: {square} of {}",
            deviations.len()
        );
    }
    let transition = |seed: u32| analysis(&folder.path().join(seed.to_string()))["transition"].clone();
    assert_ne!(transition(1), transition(2), "another seed, other draws");
}

/// Two rings of the same images, seldom left: the slowest deviation does not turn, and what turns is not the slowest. Each time is of its own.
#[test]
fn relaxation_and_rotation_are_two_times() {
    let rings: [&[usize]; 2] = [&[0, 3, 6, 2], &[5, 1, 4]];
    let mut t = Array2::<f64>::from_elem((STATES, STATES), 2e-3);
    for ring in rings {
        for (place, &k) in ring.iter().enumerate() {
            t[[k, ring[(place + 1) % ring.len()]]] = 0.9;
            t[[k, k]] = 0.0;
            t[[k, k]] = 1.0 - t.row(k).sum();
        }
    }
    let mut parameters = known::parameters();
    parameters.forward.fill(0.0);
    for ((from, to), p) in t.indexed_iter() {
        parameters.forward[[2 * from, to]] = f64::ln(*p) as f32;
    }
    let folder = tempfile::tempdir().unwrap();
    record::save_model(&folder.path().join("rings.mpk"), &parameters).unwrap();
    succeeds(folder.path(), "analyze rings.mpk --quiet --out rings");
    let found = analysis(&folder.path().join("rings"));
    // A deviation between the rings, after all others have died out, shrinks by the second eigenvalue in each step.
    let between: f64 = rings[0].len() as f64 / rings[1].len() as f64;
    let mut deviation = Array1::from_shape_fn(STATES, |k| if rings[0].contains(&k) { 1.0 } else { -between });
    for _ in 0..400 {
        deviation = deviation.dot(&t);
        deviation /= deviation.iter().map(|d| d.abs()).sum::<f64>();
    }
    let shrinks = deviation.dot(&t).iter().map(|d| d.abs()).sum::<f64>();
    close(value(&found["relaxation_time"]), -1.0 / shrinks.ln(), 0.01, "relaxation time");
    // Waves round the larger ring, which the other does not see: with steps of a quarter turn, 0.09 + 0.9 i - 0.002 - 0.002 i.
    let period = std::f64::consts::TAU / 0.898_f64.atan2(0.088);
    close(value(&found["rotation_period"]), period, 1e-3, "rotation period");
}

/// The interval of a rank correlation holds 95% of the coefficients of seeds that are drawn again, here by draws of the test's own.
#[test]
fn bootstrap_intervals_are_of_95_percent() {
    let mut generator = Seed(17).generator(Stream::Parameters, 81, 0);
    let runs: Vec<Observation> = (0..40)
        .map(|seed| {
            let x = normal(&mut generator);
            let y = 0.6 * x + normal(&mut generator);
            Observation { setting: 0, seed, x, y }
        })
        .collect();
    let (low, high) = correlations(&runs, Seed(1)).overall.interval.unwrap();
    let replicates = 4000;
    let inside = (0..replicates).filter(|_| {
        let drawn: Vec<(f64, f64)> = (0..runs.len())
            .map(|_| &runs[(uniform_f64(&mut generator) * runs.len() as f64) as usize])
            .map(|run| (run.x, run.y))
            .collect();
        (low..=high).contains(&spearman(&drawn).unwrap())
    });
    // Standard errors of 2,000 replicates and of these 4,000 together: 0.006.
    close(
        inside.count() as f64 / replicates as f64,
        0.95,
        0.025,
        "share of coefficients inside",
    );
}

/// The ring's list of states is the ring.
#[test]
fn the_known_ring_goes_round() {
    assert!((0..STATES).all(|place| next(RING[place]) == RING[(place + 1) % STATES]));
    assert!(
        (known::transition().sum_axis(ndarray::Axis(1)) - 1.0)
            .iter()
            .all(|rest| rest.abs() < 1e-12)
    );
}
