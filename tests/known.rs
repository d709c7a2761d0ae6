//! A machine whose answers are known: seven states of images that do not overlap, and a transition matrix that was chosen.
//!
//! State k always lights pixel 2k, its mark, and lights pixel 2k + 1, its signal, with probability [`SIGNAL`]. The next state depends on the
//! signal: lit, the chain nearly always goes on round the ring `k -> k + 3`; dark, it stays, or from two states takes a shortcut. So
//! everything about the machine is a sum over two images for each state.

use std::path::Path;

use latent_cycles::model::Parameters;
use latent_cycles::record::save_model;
use ndarray::{Array1, Array2};

use crate::command::run;
use crate::common::program;
use crate::data::idx_bytes;

pub const STATES: usize = 7;
pub const ROWS: usize = 3;
pub const COLUMNS: usize = 5;
pub const PIXELS: usize = ROWS * COLUMNS;
/// The ring, from state 0 on.
pub const RING: [usize; STATES] = [0, 3, 6, 2, 5, 1, 4];
/// Where the chain may go instead, and how probably where the signal is dark.
const SHORTCUTS: [(usize, usize, f64); 2] = [(6, 4, 0.8), (5, 0, 0.6)];
/// How often each state lights its signal.
pub const SIGNAL: [f64; STATES] = [0.3, 0.5, 0.7, 0.9, 0.45, 0.6, 0.6];
/// The labels of the classes.
pub const LABELS: [u8; 3] = [4, 8, 9];
/// Training and test images of each state.
const TRAIN: [usize; STATES] = [600, 200, 400, 500, 300, 700, 100];
const TEST: [usize; STATES] = [50, 250, 100, 50, 200, 100, 150];
/// Every so many test images one has a wrong label.
const MISLABELLED: usize = 9;
/// The logit of a pixel that is always lit; its opposite is always dark. 2e-9 from 1 and from 0.
const SURE: f64 = 20.0;

/// The state after k on the ring.
pub fn next(k: usize) -> usize {
    (k + 3) % STATES
}

/// The transitions from a state of one image: `p(k|x)`, `[L]`, of the image with or without the signal.
pub fn given_signal(state: usize, lit: bool) -> Vec<f64> {
    // Every step is possible, and no two are equally rare.
    let mut p: Vec<f64> = (0..STATES)
        .map(|k| 1e-3 * (1.0 + ((3 * state + 5 * k) % 11) as f64 / 11.0 + 0.1 * state as f64))
        .collect();
    let main = if lit { next(state) } else { state };
    // Which of the two images leads there leaves hardly a doubt.
    p[next(state)] = 1e-4;
    for (_, to, share) in SHORTCUTS.iter().filter(|(from, ..)| *from == state) {
        p[*to] = if lit { 1e-4 } else { *share };
    }
    p[main] = 0.0;
    p[main] = 1.0 - p.iter().sum::<f64>();
    p
}

/// T, `[L, L]`.
pub fn transition() -> Array2<f64> {
    Array2::from_shape_fn((STATES, STATES), |(j, k)| {
        SIGNAL[j] * given_signal(j, true)[k] + (1.0 - SIGNAL[j]) * given_signal(j, false)[k]
    })
}

/// pi, by walking until it stands still.
pub fn stationary(t: &Array2<f64>) -> Array1<f64> {
    let mut pi = Array1::from_elem(t.nrows(), 1.0 / t.nrows() as f64);
    for _ in 0..20_000 {
        let next = pi.dot(t);
        let change = (&next - &pi).mapv_into(f64::abs).sum();
        pi = next;
        if change < 1e-15 {
            break;
        }
    }
    pi
}

/// J, `[L, L]`.
pub fn currents() -> Array2<f64> {
    let (t, pi) = (transition(), stationary(&transition()));
    Array2::from_shape_fn(t.dim(), |(i, j)| pi[i] * t[[i, j]] - pi[j] * t[[j, i]])
}

/// Nats per step.
pub fn entropy_production(t: &Array2<f64>) -> f64 {
    let pi = stationary(t);
    let pairs = t.indexed_iter().filter(|((i, j), _)| i != j);
    pairs.map(|((i, j), &p)| pi[i] * p * (p / t[[j, i]]).ln()).sum()
}

/// The machine.
pub fn parameters() -> Parameters {
    let mut parameters = Parameters::zeros(PIXELS, STATES);
    parameters.backward.fill(-SURE as f32);
    for (state, signal) in SIGNAL.into_iter().enumerate() {
        let (lit, dark) = (given_signal(state, true), given_signal(state, false));
        parameters.backward[[state, 2 * state]] = SURE as f32;
        parameters.backward[[state, 2 * state + 1]] = (signal / (1.0 - signal)).ln() as f32;
        for k in 0..STATES {
            parameters.forward[[2 * state, k]] = dark[k].ln() as f32;
            parameters.forward[[2 * state + 1, k]] = (lit[k] / dark[k]).ln() as f32;
        }
    }
    parameters
}

/// The image of a state.
pub fn image(state: usize, lit: bool) -> [u8; PIXELS] {
    let mut image = [0; PIXELS];
    image[2 * state] = 1;
    image[2 * state + 1] = u8::from(lit);
    image
}

/// The state and the signal of an image, which must be one of the machine's.
pub fn read(pixels: &[u8]) -> (usize, bool) {
    let state = (0..STATES)
        .find(|k| pixels[2 * k] != 0)
        .unwrap_or_else(|| panic!("no state in {pixels:?}"));
    let lit = pixels[2 * state + 1] != 0;
    let expected: Vec<u8> = image(state, lit).iter().map(|pixel| pixel * pixels[2 * state]).collect();
    assert_eq!(pixels, expected, "an image of one state");
    (state, lit)
}

/// The class of an image, as its place in [`LABELS`]: state 0 draws two of them.
pub fn class(state: usize, lit: bool) -> usize {
    match state {
        0 => usize::from(lit),
        1 | 2 => 0,
        3 | 4 => 1,
        _ => 2,
    }
}

/// The shares of classes among a state's images, `[C]`.
pub fn classes_of(state: usize) -> [f64; 3] {
    let mut shares = [0.0; 3];
    shares[class(state, true)] += SIGNAL[state];
    shares[class(state, false)] += 1.0 - SIGNAL[state];
    shares
}

/// The states and signals of the data's images: the first of two sets is for training, the second for tests.
pub fn images(set: usize) -> Vec<(usize, bool)> {
    let counts = [TRAIN, TEST][set];
    let of_state = |state: usize| (0..counts[state]).map(move |n| (state, (n as f64 + 0.5) / (counts[state] as f64) < SIGNAL[state]));
    (0..STATES).flat_map(of_state).collect()
}

/// The mean log-likelihood of a set of images, nats per image, and its standard error over images: `P(x) = pi_k SIGNAL_k` or
/// `pi_k (1 - SIGNAL_k)`.
pub fn log_likelihood(set: usize) -> (f64, f64) {
    let pi = stationary(&transition());
    let of_image = |(state, lit): (usize, bool)| (pi[state] * if lit { SIGNAL[state] } else { 1.0 - SIGNAL[state] }).ln();
    let all: Vec<f64> = images(set).into_iter().map(of_image).collect();
    let (count, mean) = (all.len() as f64, all.iter().sum::<f64>() / all.len() as f64);
    let variance = all.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// The share of test images with a right label.
pub fn rightly_labelled() -> f64 {
    let count = images(1).len();
    1.0 - count.div_ceil(MISLABELLED) as f64 / count as f64
}

/// Shares of classes, `[C]`: of the training labels, and of what the machine draws in its steady state.
pub fn class_shares() -> [[f64; 3]; 2] {
    let mut shares = [[0.0; 3]; 2];
    let (train, pi) = (images(0), stationary(&transition()));
    for &(state, lit) in &train {
        shares[0][class(state, lit)] += 1.0 / train.len() as f64;
    }
    for state in 0..STATES {
        for (class, share) in classes_of(state).into_iter().enumerate() {
            shares[1][class] += pi[state] * share;
        }
    }
    shares
}

/// Steps of the run of [`train`]. It evaluates at each, and keeps some of its states.
pub const STEPS: u64 = 12;

/// Leaves in a folder the data, the machine's record `known.mpk`, and `run`, which starts from it and learns for some steps: its checkpoint of
/// step 0 is the known machine, and its model another.
pub fn train(folder: &Path) {
    for (set, name) in ["train", "test"].into_iter().enumerate() {
        let images = images(set);
        let grey: Vec<u8> = images
            .iter()
            .flat_map(|&(state, lit)| image(state, lit).map(|pixel| 255 * pixel))
            .collect();
        let label = |(n, &(state, lit)): (usize, &(usize, bool))| {
            let wrong = usize::from(set == 1 && n % MISLABELLED == 0);
            LABELS[(class(state, lit) + wrong) % LABELS.len()]
        };
        let labels: Vec<u8> = images.iter().enumerate().map(label).collect();
        let count = images.len() as u32;
        let bytes = idx_bytes(&[count, ROWS as u32, COLUMNS as u32], &grey);
        std::fs::write(folder.join(format!("{name}-images")), bytes).unwrap();
        std::fs::write(folder.join(format!("{name}-labels")), idx_bytes(&[count], &labels)).unwrap();
    }
    save_model(&folder.join("known.mpk"), &parameters()).unwrap();
    let config = format!(
        "[data]
         source = \"idx\"
         images = \"train-images\"
         labels = \"train-labels\"
         test_images = \"test-images\"
         test_labels = \"test-labels\"
         classes = \"all\"
         [model]
         latent = {STATES}
         init = \"record\"
         record = \"known.mpk\"
         [training]
         steps = {STEPS}
         batch_size = 140
         chains = 100
         learning_rate = 0.05
         probability_floor = 1e-9
         seed = 3
         [evaluation]
         every = 1
         samples = 4000
"
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    succeeds(folder, "train --quiet --config config.toml --run run");
}

/// Runs a command that must succeed without a word on stderr, and with `--quiet` without any, and gives what it said.
pub fn succeeds(folder: &Path, arguments: &str) -> String {
    let (status, stdout, stderr) = run(program().args(arguments.split_whitespace()).current_dir(folder));
    assert_eq!((status, stderr.as_str()), (0, ""), "{arguments}: {stdout}");
    assert!(stdout.is_empty() || !arguments.contains("--quiet"), "{arguments}: {stdout}");
    stdout
}
