//! Which record, which draws, which steps: what commands do with the run of a machine whose answers are known.

use std::path::Path;

use latent_cycles::model::Parameters;
use latent_cycles::record;
use ndarray::{Array1, Array3};
use serde_json::Value;

use crate::analyze::analysis;
use crate::command::metrics;
use crate::html::close;
use crate::known::{self, COLUMNS, PIXELS, ROWS, SIGNAL, STATES, next, succeeds};
use crate::meaning::{array, flat, value};

/// The known machine with a forward matrix that always goes on round the ring, whatever the signal.
fn clockwork() -> Parameters {
    let mut parameters = known::parameters();
    parameters.forward.fill(0.0);
    for state in 0..STATES {
        parameters.forward[[2 * state, next(state)]] = 30.0;
    }
    parameters
}

/// Where the ring leads in some steps.
fn after(state: usize, steps: usize) -> usize {
    (0..steps).fold(state, |state, _| next(state))
}

/// The images that are judged have walked ten steps: on a ring of seven, from each state that they start in to the one three steps on.
#[test]
fn generated_images_have_walked() {
    let folder = tempfile::tempdir().unwrap();
    record::save_model(&folder.path().join("clock.mpk"), &clockwork()).unwrap();
    succeeds(folder.path(), "analyze clock.mpk --quiet --seed 5 --out clock");
    let generated = flat(&array(&folder.path().join("clock/latent.npz"), "generated"));
    // A sample with the same seed starts the same chains.
    let count = generated.len();
    succeeds(
        folder.path(),
        &format!("sample clock.mpk --seed 5 --steps 0 --count {count} --out start.npz"),
    );
    let start: Array1<i32> = array(&folder.path().join("start.npz"), "start");
    for (image, start) in generated.iter().zip(start) {
        assert_eq!(known::read(image).0, after(start as usize, 10));
    }
}

/// `sample` on the ring: frames follow each other as the ring does, chains stand in rows, steps are counted as asked.
#[test]
fn samples_walk_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    record::save_model(&folder.path().join("run/clock.mpk"), &clockwork()).unwrap();
    let sample = |arguments: &str| -> (Vec<usize>, Vec<usize>, Vec<Vec<u8>>) {
        succeeds(folder.path(), &format!("sample {arguments} --out out.npz"));
        let archive = folder.path().join("out.npz");
        let images: Array3<u8> = array(&archive, "images");
        assert_eq!((images.dim().1, images.dim().2), (ROWS, COLUMNS));
        let start: Array1<i32> = array(&archive, "start");
        let images = flat(&images);
        let states: Vec<usize> = images.iter().map(|image| known::read(image).0).collect();
        let latent: Array1<i32> = array(&archive, "states");
        let latent: Vec<usize> = latent.iter().map(|&k| k as usize).collect();
        assert_eq!(latent, states, "z of each image, which tells it");
        (states, start.iter().map(|&k| k as usize).collect(), images)
    };
    for steps in [1, 2] {
        let film = format!("run/clock.mpk --film --count 5 --steps {steps} --start 3,0");
        let (states, start, images) = sample(&film);
        assert_eq!(start, [3, 0]);
        let expected: Vec<usize> = start
            .iter()
            .flat_map(|&k| (0..5).map(move |frame| after(k, frame * steps)))
            .collect();
        assert_eq!(states, expected, "all frames of the first chain, then of the second");
        // A chain a row in the picture.
        succeeds(folder.path(), &format!("sample {film} --out out.png"));
        let picture = image::open(folder.path().join("out.png")).unwrap().to_luma8();
        let shown = crate::pages::cut_apart(&picture, 5, 10);
        assert!(
            shown
                .iter()
                .zip(&images)
                .all(|(shown, image)| shown.iter().zip(image).all(|(a, b)| *a == 255 * b))
        );
    }
    let (states, start, _) = sample("run/clock.mpk --count 9 --steps 4 --start 6,1");
    assert_eq!(start, [6, 1, 6, 1, 6, 1, 6, 1, 6]);
    assert!(states.iter().zip(&start).all(|(&state, &start)| state == after(start, 4)));

    // Seven steps lead back to the same state, and every frame has draws of its own: the signals of two frames agree as chance has it.
    let starts = vec!["0"; 400].join(",");
    let (_, _, images) = sample(&format!("run/clock.mpk --film --count 4 --steps 7 --start {starts}"));
    for frame in 1..3 {
        let signal = |chain: usize, frame: usize| known::read(&images[4 * chain + frame]);
        let agree = (0..400).filter(|&chain| signal(chain, frame) == signal(chain, frame + 1)).count() as f64 / 400.0;
        let chance = SIGNAL[0].powi(2) + (1.0 - SIGNAL[0]).powi(2);
        close(agree, chance, 5.0 * (0.25 / 400.0_f64).sqrt(), "signals that agree by chance");
    }

    // Without --start the states are drawn from pi, and the images are theirs.
    let (states, start, _) = sample("run/checkpoints/step-0000000.mpk --count 4000 --steps 0");
    assert_eq!(states, start);
    let pi = known::stationary(&known::transition());
    let chi_squared: f64 = (0..STATES)
        .map(|k| (start.iter().filter(|&&state| state == k).count() as f64, 4000.0 * pi[k]))
        .map(|(found, expected)| (found - expected).powi(2) / expected)
        .sum();
    // Six degrees of freedom: passed with probability 1 - 3e-6.
    assert!(chi_squared < 36.0, "{chi_squared}");
}

/// Each analysis is of the record that was asked for: mean images are s(A) of that record.
#[test]
fn an_analysis_is_of_the_record_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    let run = folder.path().join("run");
    let check = |out: &Path, record: &Path, step: u64| {
        let parameters = record::load_model(record).unwrap();
        let means: Array3<f64> = array(&out.join("latent.npz"), "mean_images");
        for (mean, logit) in means.iter().zip(&parameters.backward) {
            close(*mean, 1.0 / (1.0 + (-f64::from(*logit)).exp()), 1e-12, "a pixel's mean");
        }
        assert_eq!(analysis(out)["step"].as_u64(), Some(step));
        parameters
    };
    succeeds(folder.path(), "analyze run --quiet --checkpoint 6");
    let six = check(&run.join("analysis/step-0000006"), &run.join("checkpoints/step-0000006.mpk"), 6);
    succeeds(folder.path(), "analyze run --quiet");
    let last = check(&run.join("analysis"), &run.join("model.mpk"), known::STEPS);
    assert!(six != last && last != known::parameters(), "they can be told apart");
    succeeds(folder.path(), "analyze run --quiet --all-checkpoints");
    let lines = std::fs::read_to_string(run.join("analysis/checkpoints.jsonl")).unwrap();
    let metrics = metrics(&run);
    let mut least: f64 = f64::MAX;
    for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let step = line["step"].as_u64().unwrap();
        check(
            &run.join(format!("analysis/step-{step:07}")),
            &run.join(format!("checkpoints/step-{step:07}.mpk")),
            step,
        );
        for key in ["log_likelihood_train", "log_likelihood_test"] {
            close(value(&line[key]), metrics[step as usize][key].as_f64().unwrap(), 0.03, key);
            least = least.min((value(&line[key]) - value(&analysis(&run.join("analysis"))[key])).abs());
        }
    }
    assert_eq!(least, 0.0, "the last checkpoint is the final model");
    check(&run.join("analysis"), &run.join("model.mpk"), known::STEPS);
}

/// Training and test images that are the same grey images become different binary ones: each set has draws of its own.
#[test]
fn stochastic_test_images_have_draws_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let grey = vec![128; 50 * PIXELS];
    std::fs::write(
        folder.path().join("grey"),
        crate::data::idx_bytes(&[50, ROWS as u32, COLUMNS as u32], &grey),
    )
    .unwrap();
    let data =
        "--set data.source=idx --set data.images=grey --set data.test_images=grey --set data.classes=all --set data.binarize=stochastic";
    let rest = "--set model.latent=3 --set training.steps=1 --set training.batch_size=10 --set training.chains=10";
    succeeds(folder.path(), &format!("train --quiet --run run {data} {rest}"));
    let first = &metrics(&folder.path().join("run"))[0];
    assert_ne!(first["log_likelihood_train"], first["log_likelihood_test"], "{first}");
}

/// The seconds of a resumed run go on from those of its last line.
#[test]
fn seconds_of_a_resumed_run_go_on() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    let run = folder.path().join("run");
    std::fs::remove_file(run.join("model.mpk")).unwrap();
    std::fs::remove_file(run.join(format!("checkpoints/step-{:07}.mpk", known::STEPS))).unwrap();
    let mut lines = metrics(&run);
    for line in &mut lines {
        line["seconds"] = (1000.0 + line["step"].as_f64().unwrap()).into();
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(run.join("metrics.jsonl"), text).unwrap();
    succeeds(folder.path(), "train --quiet --resume --run run");
    let lines = metrics(&run);
    assert_eq!(lines.len() as u64, known::STEPS + 1);
    for line in &lines[11..] {
        let seconds = line["seconds"].as_f64().unwrap();
        assert!((1010.0..1500.0).contains(&seconds), "{line}");
    }
}
