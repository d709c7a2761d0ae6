//! Objectives that need the latent kernel, in deeper chains: their gradients against finite differences under enumeration, then as they are estimated.

use std::path::Path;

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::data::BinaryImages;
use latent_cycles::gradient::earlier::EarlierLayers;
use latent_cycles::gradient::functional::{Objective, StratifiedSample};
use latent_cycles::latent::SteadyState;
use latent_cycles::logs::{log_product, logsumexp};
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream, normal};
use ndarray::{Array1, Array2, Axis, s};

use crate::command::{SMALL, metrics, run};
use crate::common::{all_images, on_every_backend, program, random_images, relative_distance};
use crate::functional::{assert_mean_step, one_step};
use crate::layered::{Layered, kinds, log_softmax, random_layers};

const VISIBLE: usize = 5;

/// Two and three layers, of all kinds.
fn deeper() -> Vec<Layers> {
    let grid = |dimensions, points, range| Layer::Grid { dimensions, points, range };
    let mut deeper: Vec<Layers> = kinds().into_iter().filter(|layers| layers.all().len() > 1).collect();
    let more = vec![grid(2, 2, 1.5), Layer::OneHot { states: 3 }, Layer::Binary { units: 2 }];
    deeper.push(Layers::new(more).unwrap());
    deeper.push(Layers::new(vec![Layer::Groups { sizes: vec![2, 3] }, Layer::OneHot { states: 5 }]).unwrap());
    deeper
}

fn objective(complete: bool, entropy_weight: f64, path_entropy_weight: f64) -> Objective {
    Objective {
        complete,
        entropy_weight,
        path_entropy_weight,
    }
}

/// `ln sum_j e^(a_nj + b_jk)`, term by term.
fn log_sums(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(n, k)| logsumexp((&a.row(n) + &b.column(k)).view()))
}

/// `ln p(k|x)` of the first layer, and `ln M` between the layers.
fn ways_up(plain: &Layered, images: &Array2<f64>) -> (Array2<f64>, Vec<Array2<f64>>) {
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
fn differences(plain: &Layered, step: f64, value: impl Fn(&Layered) -> f64) -> Vec<f64> {
    let count = plain.clone().numbers_mut().len();
    let shifted = |index: usize, shift: f64| {
        let mut plain = plain.clone();
        *plain.numbers_mut()[index] += shift;
        value(&plain)
    };
    (0..count)
        .map(|index| {
            let [near, far] = [step, 2.0 * step].map(|step| shifted(index, step) - shifted(index, -step));
            (8.0 * near - far) / (12.0 * step)
        })
        .collect()
}

/// What the formulas give.
struct Pulls {
    steady: SteadyState,
    /// Of all parameters on the way up, in the order of `Parameters::numbers`.
    up: Vec<f64>,
    /// Of each image, on the logits of the pixels of its state.
    down: Array1<f64>,
    /// Of each image and state, on the same.
    opposite: Array2<f64>,
}

impl Pulls {
    /// At some images of every state, as many of each, and the logarithms of their weights; `u` makes `u_k` of the steady state.
    fn at(
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

/// One-hot states that follow each other around a ring, `k -> k + 1` on the way from the first latent layer to the second, all but surely.
fn ring(seed: u64, layers: usize, scale: f64) -> Parameters {
    let states = 3;
    let (up, between) = (1500.0 * scale as f32, 900.0 * scale as f32);
    let layers = Layers::new(vec![Layer::OneHot { states }; layers]).unwrap();
    let mut parameters = random_layers(seed, VISIBLE, &layers, 1.0);
    for k in 0..states {
        parameters.forward[[k, k]] += up;
        for (number, step) in parameters.between.iter_mut().enumerate() {
            let next = if number == 0 { (k + 1) % states } else { k };
            step.matrix[[k, next]] += between;
        }
    }
    parameters
}

/// At images as a step draws them, which leave reverse currents to transitions that f64 does not hold: the parameters on the way up, of the productions of
/// the estimated chain.
#[test]
fn entropy_productions_of_rings_have_the_right_gradients() {
    let (states, each) = (3, 7);
    for (seed, scale) in (81..).zip([0.02, 0.3, 1.0, 3.0]) {
        for layers in [2, 3] {
            let mut drawn = random_images(seed, states * each, VISIBLE).mapv(f64::from);
            for ((n, i), pixel) in drawn.indexed_iter_mut().filter(|((_, i), _)| *i < states) {
                *pixel = f64::from(u8::from(n / each == i));
            }
            let log_weights = Array1::from_elem(states * each, -(each as f64).ln());
            let productions = |plain: &Layered| {
                let (first, between) = ways_up(plain, &drawn);
                let log_p = between.iter().fold(first, |log_p, log_m| log_sums(&log_p, log_m));
                let log_transition = Array2::from_shape_fn((states, states), |(i, k)| {
                    let of_state = log_p.slice(s![i * each..(i + 1) * each, k]);
                    logsumexp(of_state) - (each as f64).ln()
                });
                let steady = SteadyState::from_logs(log_transition).unwrap();
                let f = &log_p - &plain.log_q(&drawn);
                let later = (log_p.mapv(f64::exp) * &f).sum_axis(Axis(1));
                let path = (later.indexed_iter()).map(|(n, later)| steady.pi()[n / each] * (later - f[[n, n / each]]) / each as f64);
                [steady.entropy_production(), path.sum()]
            };
            let plain = Layered::new(&ring(seed, layers, scale));
            let found = productions(&plain);
            assert!(found[0] > 500.0 * scale && found[1] > 500.0 * scale, "{found:?}");
            for (number, what) in [objective(true, 1.0, 0.0), objective(true, 0.0, 1.0)].into_iter().enumerate() {
                let u = |steady: &SteadyState| Array1::ones(steady.states());
                let found = Pulls::at(&plain, &drawn, log_weights.clone(), u, what).up;
                let exact = differences(&plain, 1e-3, |plain| productions(plain)[number]);
                let distance = relative_distance(&found, &exact[..found.len()]);
                assert!(
                    distance < 1e-7 * (1.0 + scale),
                    "{layers} layers, scale {scale}, {what:?}: {distance:e}"
                );
            }
        }
    }
}

/// The shares of states in states that products of matrices do not reach, against the definition.
#[test]
fn pulls_go_back_in_shares_however_rare_the_states() {
    let (images, first, middle, last) = (11, 3, 5, 7);
    for scale in [1.0, 30.0, 100.0, 1000.0] {
        let mut generator = Seed(91).generator(Stream::Parameters, 79, 0);
        let mut table = |shape: (usize, usize), scale: f64| Array2::from_shape_simple_fn(shape, || scale * normal(&mut generator));
        let log_p = log_softmax(table((images, first), scale));
        let log_m = [(first, middle), (middle, last)].map(|shape| log_softmax(table(shape, scale)));
        let mut pull = table((images, last), 1.0);
        pull -= &pull.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
        let logs = [log_p.clone(), log_sums(&log_p, &log_m[0])];
        let of_last = log_sums(&logs[1], &log_m[1]);

        let (earlier, found) = EarlierLayers::below_last(log_p, log_m.to_vec());
        assert!((&found - &of_last).iter().all(|d| d.abs() < 1e-9), "scale {scale}");
        let (of_first, between) = earlier.pull_back(&found, pull.clone());

        let mut expected = pull;
        for (layer, after) in [(1, &of_last), (0, &logs[1])] {
            let (before, log_m) = (&logs[layer], &log_m[layer]);
            let mut gone_back = Array2::zeros(before.dim());
            let mut of_m = Array2::<f64>::zeros(log_m.dim());
            for ((n, k), pull) in expected.indexed_iter() {
                for j in 0..before.ncols() {
                    let share = (before[[n, j]] + log_m[[j, k]] - after[[n, k]]).exp();
                    gone_back[[n, j]] += share * pull;
                    of_m[[j, k]] += share * pull;
                }
            }
            for ((j, k), of_m) in of_m.indexed_iter_mut() {
                *of_m -= log_m[[j, k]].exp() * gone_back.column(j).sum();
            }
            assert!(
                (&between[layer] - &of_m).iter().all(|d| d.abs() < 1e-9),
                "scale {scale}, layer {layer}"
            );
            expected = gone_back;
        }
        assert!((of_first - expected).iter().all(|d| d.abs() < 1e-9), "scale {scale}");
    }
}

#[test]
fn sums_of_exponentials_are_right_however_small() {
    let mut generator = Seed(92).generator(Stream::Parameters, 79, 0);
    for scale in [1.0, 100.0, 1000.0] {
        let [a, b] = [(3, 5), (5, 7)].map(|shape| Array2::from_shape_simple_fn(shape, || -scale * normal(&mut generator).abs()));
        let (found, expected) = (log_product(&a, &b), log_sums(&a, &b));
        assert!((found - expected).iter().all(|d| d.abs() < 1e-11), "scale {scale}");
    }
}

fn settings(layers: &Layers, what: Objective, chains: usize, seed: usize) -> Vec<String> {
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

/// Where some images, some states and some transitions are all but impossible.
#[test]
fn gradients_of_the_rarest_states_are_finite_on_every_backend() {
    on_every_backend("stratified step of rare states", |numerics| {
        for (seed, layers) in (73..).zip(deeper()) {
            for scale in [20.0, 200.0, 2000.0] {
                let mut parameters = random_layers(seed, 11, &layers, 1.0);
                parameters.forward *= scale;
                for between in &mut parameters.between {
                    between.matrix *= scale;
                }
                let settings = settings(&layers, objective(true, 0.1, -0.1), 3 * layers.states(), 1);
                let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                let step = one_step(numerics, &settings, &parameters, &random_images(seed, 13, 11));
                let largest = step.iter().fold(0.0_f64, |largest, step| largest.max(step.abs()));
                assert!(
                    step.iter().all(|step| step.is_finite()) && largest > 0.0 && largest < 1e6,
                    "{}, {layers}, scale {scale}: {largest}",
                    numerics.device().backend
                );
            }
        }
    });
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
