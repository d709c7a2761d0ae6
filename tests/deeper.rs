//! Objectives that need the latent kernel, in deeper chains: their gradients against finite differences under enumeration, then as they are estimated.

use std::path::Path;

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::data::BinaryImages;
use latent_cycles::gradient::earlier::EarlierLayers;
use latent_cycles::gradient::functional::{Objective, StratifiedSample};
use latent_cycles::latent::SteadyState;
use latent_cycles::logs::logsumexp;
use ndarray::{Array1, Array2, Axis};

use crate::command::{SMALL, metrics, run};
use crate::common::{all_images, on_every_backend, program, random_images, relative_distance};
use crate::functional::{assert_mean_step, one_step};
use crate::layered::{Layered, kinds, log_softmax, random_layers};

pub const VISIBLE: usize = 5;

/// Two and three layers, of all kinds.
pub fn deeper() -> Vec<Layers> {
    let grid = |dimensions, points, range| Layer::Grid { dimensions, points, range };
    let mut deeper: Vec<Layers> = kinds().into_iter().filter(|layers| layers.all().len() > 1).collect();
    let more = vec![grid(2, 2, 1.5), Layer::OneHot { states: 3 }, Layer::Binary { units: 2 }];
    deeper.push(Layers::new(more).unwrap());
    deeper.push(Layers::new(vec![Layer::Groups { sizes: vec![2, 3] }, Layer::OneHot { states: 5 }]).unwrap());
    deeper
}

pub fn objective(complete: bool, entropy_weight: f64, path_entropy_weight: f64) -> Objective {
    Objective {
        complete,
        entropy_weight,
        path_entropy_weight,
    }
}

/// `ln sum_j e^(a_nj + b_jk)`, term by term.
pub fn log_sums(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(n, k)| logsumexp((&a.row(n) + &b.column(k)).view()))
}

/// `ln p(k|x)` of the first layer, and `ln M` between the layers.
pub fn ways_up(plain: &Layered, images: &Array2<f64>) -> (Array2<f64>, Vec<Array2<f64>>) {
    let mut steps = (plain.up.iter().zip(&plain.codes).enumerate()).map(|(layer, ((matrix, bias), (codes, weights)))| {
        let input = if layer == 0 { images } else { &plain.codes[layer - 1].0 };
        log_softmax((input.dot(matrix) + bias).dot(&codes.t()) + weights)
    });
    let first = steps.next().unwrap();
    (first, steps.collect())
}

/// A model at all images: what every function of it is made of.
struct All {
    /// `ln p(k|x)` of the last layer and `ln q(x|k)`, `[2^D, L]`.
    log_p: Array2<f64>,
    log_q: Array2<f64>,
    steady: SteadyState,
}

impl All {
    fn of(plain: &Layered) -> Self {
        let images = all_images(VISIBLE).mapv(f64::from);
        let (first, between) = ways_up(plain, &images);
        let log_p = between.iter().fold(first, |log_p, log_m| log_sums(&log_p, log_m));
        let log_q = plain.log_q(&images);
        let log_transition = log_sums(&log_q.t().to_owned(), &log_p);
        Self {
            steady: SteadyState::from_logs(log_transition).unwrap(),
            log_p,
            log_q,
        }
    }

    /// The path entropy production by all z, x and z': `E[ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ]`.
    fn path_entropy_production(&self) -> f64 {
        let states = self.steady.states();
        let mut sigma = 0.0;
        for (log_p, log_q) in self.log_p.rows().into_iter().zip(self.log_q.rows()) {
            for (z, next) in (0..states).flat_map(|z| (0..states).map(move |next| (z, next))) {
                let weight = (self.steady.log_pi()[z] + log_q[z] + log_p[next]).exp();
                sigma += weight * (log_q[z] + log_p[next] - log_q[next] - log_p[z]);
            }
        }
        sigma
    }
}

/// `mean_n ln sum_k pi_k q(x_n|k)`.
fn likelihood(plain: &Layered, log_pi: &Array1<f64>, images: &BinaryImages) -> f64 {
    let joint = plain.log_q(&images.mapv(f64::from)) + log_pi;
    joint.map_axis(Axis(1), logsumexp).mean().unwrap()
}

/// What the gradient is that of, at a model shifted from `here`. The two-step gradient holds the distribution of the images that z is drawn from.
fn value(plain: &Layered, here: &All, images: &BinaryImages, what: Objective) -> f64 {
    let all = All::of(plain);
    let log_pi = if what.complete {
        all.steady.log_pi().clone()
    } else {
        let log_density = (&here.log_q + here.steady.log_pi()).map_axis(Axis(1), logsumexp);
        (&all.log_p + &log_density.insert_axis(Axis(1))).map_axis(Axis(0), logsumexp)
    };
    let path = all.path_entropy_production();
    likelihood(plain, &log_pi, images) + what.entropy_weight * all.steady.entropy_production() + what.path_entropy_weight * path
}

/// Central differences of fourth order, in the order of `Parameters::numbers`.
pub fn differences(plain: &Layered, step: f64, value: impl Fn(&Layered) -> f64) -> Vec<f64> {
    let count = plain.clone().numbers_mut().len();
    let shifted = |index: usize, shift: f64| {
        let mut plain = plain.clone();
        *plain.numbers_mut()[index] += shift;
        value(&plain)
    };
    crate::common::differences(count, shifted, step)
}

/// What the formulas give.
pub struct Pulls {
    steady: SteadyState,
    /// Of all parameters on the way up, in the order of `Parameters::numbers`.
    pub up: Vec<f64>,
    /// Of each image, on the logits of the pixels of its state.
    down: Array1<f64>,
    /// Of each image and state, on the same.
    opposite: Array2<f64>,
}

impl Pulls {
    /// At some images of every state, as many of each, and the logarithms of their weights; `u` makes `u_k` of the steady state.
    pub fn at(
        plain: &Layered,
        drawn: &Array2<f64>,
        log_weights: Array1<f64>,
        u: impl Fn(&SteadyState) -> Array1<f64>,
        what: Objective,
    ) -> Self {
        let (first, between) = ways_up(plain, drawn);
        let (earlier, log_p) = EarlierLayers::below_last(first, between);
        let f = &log_p - &drawn.dot(&plain.table().t());
        let sample = StratifiedSample::new(log_p.clone(), log_weights).unwrap();
        let chain = sample.contributions(u(sample.steady()).view(), what);
        let path = sample.path_contributions(&f);
        let opposite = path.opposite * what.path_entropy_weight;
        let pull = chain.forward + path.forward * what.path_entropy_weight + &opposite;
        let (pull, between) = earlier.pull_back(&log_p, pull);

        let pull = pull.dot(&plain.codes[0].0);
        let mut up: Vec<f64> = drawn.t().dot(&pull).iter().copied().chain(pull.sum_axis(Axis(0))).collect();
        for (pull, codes) in between.iter().zip(plain.codes.windows(2)) {
            let pull = pull.dot(&codes[1].0);
            up.extend(codes[0].0.t().dot(&pull));
            up.extend(pull.sum_axis(Axis(0)));
        }
        Self {
            steady: sample.steady().clone(),
            up,
            down: chain.backward + path.backward * what.path_entropy_weight,
            opposite,
        }
    }
}

/// The formulas at all images of every state, weighted by their probabilities, in the order of `Parameters::numbers`.
fn enumerated(plain: &Layered, has_bias: bool, images: &BinaryImages, what: Objective) -> Vec<f64> {
    let all = all_images(VISIBLE).mapv(f64::from);
    let codes = &plain.codes[plain.codes.len() - 1].0;
    let (count, states) = (all.nrows(), codes.nrows());
    let drawn = Array2::from_shape_fn((states * count, VISIBLE), |(n, i)| all[[n % count, i]]);
    let log_weights = plain.log_q(&all).t().iter().copied().collect();
    let x = images.mapv(f64::from);
    let r = |steady: &SteadyState| log_softmax(plain.log_q(&x) + steady.log_pi()).mapv(f64::exp) / images.nrows() as f64;
    let u = |steady: &SteadyState| r(steady).sum_axis(Axis(0)) / steady.pi();
    let pulls = Pulls::at(plain, &drawn, log_weights, u, what);

    let r = r(&pulls.steady);
    let means = plain.table().mapv(|a| 1.0 / (1.0 + (-a).exp()));
    let mut tables = r.t().dot(&x) - means * r.sum_axis(Axis(0)).insert_axis(Axis(1)) - pulls.opposite.t().dot(&drawn);
    for (n, h) in pulls.down.iter().enumerate() {
        tables.row_mut(n / count).scaled_add(*h, &drawn.row(n));
    }
    let mut gradient = pulls.up;
    gradient.extend(codes.t().dot(&tables));
    gradient.extend(tables.sum_axis(Axis(0)).iter().filter(|_| has_bias));
    gradient
}

#[test]
fn each_equals_finite_differences_under_full_enumeration() {
    for (seed, layers) in (71..).zip(deeper()) {
        let parameters = random_layers(seed, VISIBLE, &layers, 0.8);
        let (plain, images) = (Layered::new(&parameters), random_images(seed, 13, VISIBLE));
        let here = All::of(&plain);
        for what in [
            objective(false, 0.0, 0.0),
            objective(true, 0.0, 0.0),
            objective(true, 0.7, 0.0),
            objective(true, 0.0, -0.9),
            objective(false, -0.3, 0.4),
        ] {
            let exact = differences(&plain, 1e-3, |plain| value(plain, &here, &images, what));
            let found = enumerated(&plain, parameters.visible_bias.is_some(), &images, what);
            let distance = relative_distance(&found, &exact);
            assert!(distance < 1e-8, "{layers}, {what:?}: {distance:e}");
        }
    }
}

pub fn settings(layers: &Layers, what: Objective, chains: usize, seed: usize) -> Vec<String> {
    vec![
        format!("model.latent={layers}"),
        format!("training.gradient={}", if what.complete { "complete" } else { "two-step" }),
        "training.sampling=stratified".to_owned(),
        format!("training.entropy_weight={}", what.entropy_weight),
        format!("training.path_entropy_weight={}", what.path_entropy_weight),
        format!("training.chains={chains}"),
        format!("training.seed={seed}"),
    ]
}

/// What a step estimates from draws is the exact gradient of each objective.
///
/// Means over 31 seeds are compared with the truth in units of their standard errors. With some 400 parameters in all and three backends, a right
/// program has some |t| (30 degrees of freedom) beyond 6.5 with probability 4e-4; the bias of order 1 / M, with M = 1,009 images of every state, is
/// below half a standard error.
#[test]
fn a_stratified_step_follows_each_of_them_on_every_backend() {
    for (seed, layers) in (71..).zip(deeper()) {
        let parameters = random_layers(seed, VISIBLE, &layers, 0.7);
        let images = random_images(seed, 13, VISIBLE);
        for what in [objective(false, 0.0, 0.0), objective(true, 0.3, -0.5)] {
            let exact = enumerated(&Layered::new(&parameters), parameters.visible_bias.is_some(), &images, what);
            on_every_backend("stratified step of a deeper chain", |numerics| {
                let steps: Vec<Vec<f64>> = (0..31)
                    .map(|seed| {
                        let settings = settings(&layers, what, layers.states() * 1009, seed);
                        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                        one_step(numerics, &settings, &parameters, &images)
                    })
                    .collect();
                assert_mean_step(&steps, &exact, &format!("{}, {layers}, {what:?}", numerics.device().backend));
            });
        }
    }
}

const LATENT: &str = "model.latent=[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]";

fn train(folder: &Path, name: &str, more: &[&str]) -> f64 {
    let (status, _, stderr) = run(program()
        .args(["train", "--quiet", "--run", name])
        .args(SMALL)
        .args([
            "--set",
            LATENT,
            "--set",
            "training.steps=300",
            "--set",
            "training.gradient=complete",
        ])
        .args(more)
        .current_dir(folder));
    assert_eq!((status, stderr.as_str()), (0, ""));
    metrics(&folder.join(name)).last().unwrap()["path_entropy_production"]
        .as_f64()
        .unwrap()
}

#[test]
fn a_negative_weight_lowers_the_path_entropy_production_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let [free, held] = ["0", "-1"].map(|weight| {
        let weight = format!("training.path_entropy_weight={weight}");
        train(folder.path(), &format!("run{weight}"), &["--set", &weight])
    });
    assert!(free > 10.0 && held < 0.1 * free, "{free} {held}");
}
