//! The units of latent layers and the steps of deeper chains, against sums over all paths.

use latent_cycles::analysis::Settings;
use latent_cycles::analysis::units::{Found, LayerUnits, of};
use latent_cycles::codes::{Layer, Layers};
use latent_cycles::conditionals::Conditionals;
use latent_cycles::estimate::Estimate;
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::latent::SteadyState;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use ndarray::{Array1, Array2, Axis, array};

use crate::command::{SMALL, run};
use crate::common::{Impatient, all_images, program};
use crate::html;
use crate::layered::{Layered, kinds, log_softmax, random_layers};

const VISIBLE: usize = 7;

fn settings(samples: usize, seed: u64) -> Settings {
    Settings {
        exact: samples == 0,
        samples,
        seed: Seed(seed),
    }
}

/// The figures and the estimate that they belong to; of all images where there are no samples.
fn found(parameters: &Parameters, samples: usize, seed: u64) -> (Found, Estimate) {
    let settings = settings(samples, seed);
    let estimate = Estimate::with(parameters, settings, &()).unwrap();
    let model = Conditionals::new(parameters);
    let found = of(parameters, &model, &estimate, settings, 0, &()).unwrap();
    (found, estimate)
}

fn value(figure: &Figure) -> f64 {
    figure.value.unwrap_or_else(|| panic!("{figure:?}"))
}

fn close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{what}: {a} is not {b}");
}

fn all_close(a: &Array2<f64>, b: &Array2<f64>, what: &str) {
    a.iter().zip(b).for_each(|(a, b)| close(*a, *b, what));
}

/// All layers at a time as one state w, the first layer's running slowest, with everything written out over all images.
struct Joint {
    /// The states of each layer in w.
    states: Vec<Vec<usize>>,
    /// mu(w).
    weights: Vec<f64>,
    images: Array2<f64>,
    /// q(x|w), `[N, W]`.
    q: Array2<f64>,
    /// ln p(z_1|x), `[N, L]`.
    log_p: Array2<f64>,
    /// ln of the transitions between layers in w.
    log_between: Vec<f64>,
    /// From w to w', `[W, W]`.
    kernel: Array2<f64>,
}

impl Joint {
    fn of(plain: &Layered) -> Self {
        let images = all_images(VISIBLE).mapv(f64::from);
        let logits = |input: &Array2<f64>, layer: usize| {
            let ((matrix, bias), (codes, weights)) = (&plain.up[layer], &plain.codes[layer]);
            log_softmax((input.dot(matrix) + bias).dot(&codes.t()) + weights)
        };
        let log_p = logits(&images, 0);
        let between: Vec<Array2<f64>> = (1..plain.up.len()).map(|layer| logits(&plain.codes[layer - 1].0, layer)).collect();
        let mut states: Vec<Vec<usize>> = vec![Vec::new()];
        for (codes, _) in &plain.codes {
            let longer = |w: &Vec<usize>| (0..codes.nrows()).map(|z| [&w[..], &[z]].concat()).collect::<Vec<_>>();
            states = states.iter().flat_map(longer).collect();
        }
        let log_between: Vec<f64> = states
            .iter()
            .map(|w| between.iter().enumerate().map(|(layer, m)| m[[w[layer], w[layer + 1]]]).sum())
            .collect();
        let log_q = plain.log_q(&images);
        let q = Array2::from_shape_fn((images.nrows(), states.len()), |(n, w)| {
            log_q[[n, *states[w].last().unwrap()]].exp()
        });
        let forward = Array2::from_shape_fn((images.nrows(), states.len()), |(n, w)| {
            (log_p[[n, states[w][0]]] + log_between[w]).exp()
        });
        let kernel = q.t().dot(&forward);
        let mut weights = Array1::from_elem(states.len(), 1.0 / states.len() as f64);
        for _ in 0..3000 {
            weights = weights.dot(&kernel);
        }
        Self {
            states,
            weights: weights.to_vec(),
            images,
            q,
            log_p,
            log_between,
            kernel,
        }
    }

    /// The code of a layer in each w, `[W, H]`.
    fn codes(&self, plain: &Layered, layer: usize) -> Array2<f64> {
        let all: Vec<usize> = self.states.iter().map(|w| w[layer]).collect();
        plain.codes[layer].0.select(Axis(0), &all)
    }

    /// `E f(w, x, w')`, the terms of each path one by one.
    fn mean(&self, f: impl Fn(usize, usize, usize) -> f64) -> f64 {
        let mut sum = 0.0;
        for n in 0..self.images.nrows() {
            for w in 0..self.states.len() {
                for next in 0..self.states.len() {
                    let p = (self.log_p[[n, self.states[next][0]]] + self.log_between[next]).exp();
                    sum += self.weights[w] * self.q[[n, w]] * p * f(w, n, next);
                }
            }
        }
        sum
    }

    /// `E ln P(w, x, w') / P(w', x, w)` by its definition.
    fn path_entropy_production(&self) -> f64 {
        let log = |w: usize, n: usize, next: usize| {
            self.weights[w].ln() + self.q[[n, w]].ln() + self.log_p[[n, self.states[next][0]]] + self.log_between[next]
        };
        self.mean(|w, n, next| log(w, n, next) - log(next, n, w))
    }
}

/// Activity, flip rates, covariances at one time and a step apart, and correlation times of every layer, by the chain of all layers together.
#[test]
fn units_are_those_of_the_chain_of_all_layers() {
    for (seed, layers) in kinds().iter().enumerate() {
        let parameters = random_layers(seed as u64, VISIBLE, layers, 0.7);
        let (plain, (found, _)) = (Layered::new(&parameters), found(&parameters, 0, 1));
        let joint = Joint::of(&plain);
        let mut units = found.units.unwrap_or_default().into_iter();
        for (number, layer) in layers.all().iter().enumerate() {
            if layer.is_one_hot() {
                continue;
            }
            let units = units.next().unwrap();
            assert_eq!((units.layer, &units.kind), (number + 1, &layer.to_string()));
            check_layer(&units, layer, &joint, &joint.codes(&plain, number));
        }
        assert!(units.next().is_none(), "{layers}");
        assert_eq!(found.layers.is_some(), layers.all().len() > 1);
    }
}

fn check_layer(units: &LayerUnits, layer: &Layer, joint: &Joint, codes: &Array2<f64>) {
    let weights = Array1::from(joint.weights.clone());
    let mean = weights.dot(codes);
    let centred = codes - &mean;
    let weighted = &centred * &weights.view().insert_axis(Axis(1));
    let lag_one = weighted.t().dot(&joint.kernel.dot(&centred));
    all_close(&units.covariance, &weighted.t().dot(&centred), "covariance");
    all_close(&units.lag_one, &lag_one, "lag one");
    all_close(&units.current, &(&lag_one - &lag_one.t()), "current");
    assert!(units.lag_one_error.iter().chain(&units.current_error).all(|error| *error == 0.0));
    // Correlations by powers of the kernel.
    let (mut sums, mut later) = (weighted.t().dot(&centred).diag().mapv(|variance| 0.5 * variance), centred.clone());
    for _ in 0..3000 {
        later = joint.kernel.dot(&later);
        sums += &(&weighted * &later).sum_axis(Axis(0));
    }
    let mut h = 0;
    for unit in &units.units {
        let place = h..h + unit.components.len();
        let changes = |w: usize, next: usize| place.clone().any(|h| codes[[w, h]] != codes[[next, h]]);
        let pairs = || (0..joint.states.len()).flat_map(|w| (0..joint.states.len()).map(move |next| (w, next)));
        let flux = |(w, next): (usize, usize)| weights[w] * joint.kernel[[w, next]];
        match layer {
            Layer::Grid { .. } => {
                let step = |(w, next): (usize, usize)| (codes[[next, h]] - codes[[w, h]]).powi(2);
                let expected: f64 = pairs().map(|pair| flux(pair) * step(pair)).sum();
                close(value(unit.mean_square_step.as_ref().unwrap()), expected, "mean square step");
                assert!(unit.flip_rate.is_none());
            }
            _ => {
                let expected: f64 = pairs().filter(|&(w, next)| changes(w, next)).map(flux).sum();
                close(value(unit.flip_rate.as_ref().unwrap()), expected, "flip rate");
                assert!(unit.mean_square_step.is_none());
            }
        }
        for component in &unit.components {
            close(value(&component.activity), mean[h], "activity");
            let expected = sums[h] / weighted.t().dot(&centred)[[h, h]];
            close(value(&component.correlation_time), expected, "correlation time");
            h += 1;
        }
    }
    assert_eq!(h, codes.ncols());
    for pair in &units.after {
        let current = units.current[[pair.first, pair.second]];
        assert!(current > 0.0 && (value(&pair.value) - current).abs() < 1e-15);
    }
    let largest = units.current.iter().copied().fold(0.0, f64::max);
    assert!(units.after.is_empty() || value(&units.after[0].value) >= largest);
    for pair in &units.together {
        assert!((value(&pair.value) - units.covariance[[pair.first, pair.second]]).abs() < 1e-15);
    }
}

/// Each unit's part of the path entropy production, and the sum of all.
#[test]
fn units_share_out_the_path_entropy_production() {
    for (seed, layers) in kinds()
        .iter()
        .enumerate()
        .filter(|(_, layers)| layers.all().len() == 1 && !layers.is_one_hot())
    {
        let parameters = random_layers(seed as u64 + 10, VISIBLE, layers, 0.7);
        let (plain, (found, estimate)) = (Layered::new(&parameters), found(&parameters, 0, 1));
        let joint = Joint::of(&plain);
        let codes = joint.codes(&plain, 0);
        let driven = joint.images.dot(&(&plain.up[0].0 - &plain.backward.t()));
        let units = &found.units.unwrap()[0];
        let mut h = 0;
        for unit in &units.units {
            let place = h..h + unit.components.len();
            h = place.end;
            let of_path =
                |w: usize, n: usize, next: usize| place.clone().map(|h| (codes[[next, h]] - codes[[w, h]]) * driven[[n, h]]).sum();
            close(
                value(unit.path_entropy_production.as_ref().unwrap()),
                joint.mean(of_path),
                &unit.name,
            );
        }
        let whole = value(units.path_entropy_production.as_ref().unwrap());
        close(whole, joint.path_entropy_production(), "their sum");
        close(whole, value(&estimate.path_entropy_production()), "that of the headline");
        // Angles, from the definition by cosines, of what differs between the values of a unit.
        for (component, angle) in units
            .units
            .iter()
            .flat_map(|unit| &unit.components)
            .zip(plain_angles(&plain, units))
        {
            close(component.angle.unwrap(), angle, "angle");
        }
    }
}

fn plain_angles(plain: &Layered, units: &LayerUnits) -> Vec<f64> {
    let mut first = 0;
    let mut angles = Vec::new();
    for unit in &units.units {
        let count = unit.components.len();
        let less_mean = |rows: Array2<f64>| {
            let mean = rows.mean_axis(Axis(0)).unwrap() * f64::from(u8::from(count > 1));
            rows - mean
        };
        let place: Vec<usize> = (first..first + count).collect();
        let w = less_mean(plain.up[0].0.t().select(Axis(0), &place));
        let a = less_mean(plain.backward.select(Axis(0), &place));
        for (w, a) in w.rows().into_iter().zip(a.rows()) {
            angles.push((w.dot(&a) / (w.dot(&w) * a.dot(&a)).sqrt()).acos().to_degrees());
        }
        first += count;
    }
    angles
}

/// The steps of a deeper chain's loop: their sum is the path entropy production of all layers by its definition, and at least that of the last layer.
#[test]
fn steps_of_the_loop_add_up_to_the_path_entropy_production_of_all_layers() {
    let mut hidden_least = f64::INFINITY;
    for (kind, layers) in kinds().iter().enumerate().filter(|(_, layers)| layers.all().len() > 1) {
        for seed in 0..5 {
            let parameters = random_layers(100 * kind as u64 + seed, VISIBLE, layers, 0.4 + 0.3 * seed as f64);
            let (plain, (found, estimate)) = (Layered::new(&parameters), found(&parameters, 0, 1));
            let (of_loop, marginal) = (found.layers.unwrap(), value(&estimate.path_entropy_production()));
            let whole = value(&of_loop.path_entropy_production);
            hidden_least = hidden_least.min(whole - marginal);
            close(value(&of_loop.hidden), whole - marginal, "hidden");
            let steps: Vec<f64> = of_loop.steps.iter().map(|step| value(&step.path_entropy_production)).collect();
            close(steps.iter().sum(), whole, "the sum of the steps");
            let names: Vec<&str> = of_loop.steps.iter().map(|step| step.from.as_str()).collect();
            assert_eq!(names, ["x", "z_1", "z_2", "z_3"][..=layers.all().len()]);
            if seed > 0 {
                continue;
            }
            let joint = Joint::of(&plain);
            close(whole, joint.path_entropy_production(), "by the definition");
            close(
                steps[0],
                joint.mean(|w, n, next| joint.log_p[[n, joint.states[next][0]]] - joint.log_p[[n, joint.states[w][0]]]),
                "x -> z_1",
            );
            close(
                steps[1],
                joint.mean(|w, _, next| joint.log_between[next] - joint.log_between[w]),
                "between layers",
            );
            close(
                *steps.last().unwrap(),
                joint.mean(|w, n, next| (joint.q[[n, w]] / joint.q[[n, next]]).ln()),
                "z -> x",
            );
            // The units of the first layer carry the first step, those of the last the last.
            for units in found.units.unwrap() {
                let carried = units.path_entropy_production.as_ref().map(value);
                match units.layer {
                    1 => close(carried.unwrap(), steps[0], "first layer"),
                    layer if layer == layers.all().len() => close(carried.unwrap(), *steps.last().unwrap(), "last layer"),
                    _ => assert!(carried.is_none() && units.units.iter().all(|unit| unit.path_entropy_production.is_none())),
                }
            }
        }
    }
    assert!(
        hidden_least > 1e-3,
        "hidden layers hide something, never less than nothing: {hidden_least}"
    );
}

/// A machine in equilibrium: nothing is produced, no current flows between units, and each draws what it looks for.
#[test]
fn units_in_equilibrium_produce_nothing() {
    let mut parameters = random_layers(5, VISIBLE, &Layers::new(vec![Layer::Binary { units: 3 }]).unwrap(), 0.7);
    parameters.forward = parameters.backward.t().to_owned();
    for samples in [0, 320] {
        let units = found(&parameters, samples, 1).0.units.unwrap().remove(0);
        for unit in &units.units {
            let produced = unit.path_entropy_production.as_ref().unwrap();
            assert_eq!((produced.value, produced.low), (Some(0.0), None));
            assert!(unit.components[0].angle.unwrap() < 1e-5);
        }
        // Differences of sums over 8 x 8 steps, of terms of at most 1.
        assert!(
            units.current.iter().all(|current| current.abs() < 64.0 * f64::EPSILON),
            "{:?}",
            units.current
        );
        assert!(units.after.is_empty());
    }
    // A second layer that copies the first leaves it so, though nobody says that it is in equilibrium.
    let layers = Layers::new(vec![Layer::Binary { units: 3 }, Layer::Binary { units: 3 }]).unwrap();
    let mut deeper = random_layers(5, VISIBLE, &layers, 0.7);
    deeper.between[0].matrix = Array2::eye(3) * 120.0;
    deeper.between[0].bias.fill(-60.0);
    deeper.forward = deeper.backward.t().to_owned();
    let copied = found(&deeper, 0, 1).0.layers.unwrap();
    assert!(value(&copied.path_entropy_production).abs() < 1e-12, "{copied:?}");
    deeper.forward[[2, 1]] += 0.5;
    let driven = found(&deeper, 0, 1).0.layers.unwrap();
    assert!(value(&driven.path_entropy_production) > 1e-3, "{driven:?}");
}

/// From draws: the intervals hold the truth in 90 to 99% of cases.
#[test]
fn intervals_of_units_and_layers_hold_the_truth() {
    let groups = Layer::Groups { sizes: vec![2, 3] };
    let kinds = [
        vec![Layer::Binary { units: 6 }],
        vec![groups.clone()],
        vec![Layer::Binary { units: 2 }, groups],
    ];
    let (mut held, mut all) = ([0_usize; 5], [0_usize; 5]);
    for (kind, layers) in kinds.iter().enumerate() {
        let layers = Layers::new(layers.clone()).unwrap();
        for seed in 0..40 {
            let parameters = random_layers(1000 * kind as u64 + seed, VISIBLE, &layers, 0.6);
            let (exact, drawn) = (found(&parameters, 0, seed).0, found(&parameters, 160, seed).0);
            let mut check = |sort: usize, drawn: &Figure, exact: &Figure| {
                all[sort] += 1;
                let (low, high) = (drawn.low.unwrap(), drawn.high.unwrap());
                held[sort] += usize::from((low..=high).contains(&value(exact)));
            };
            for (exact, drawn) in exact.units.unwrap().iter().zip(&drawn.units.unwrap()) {
                for (exact, drawn) in exact.units.iter().zip(&drawn.units) {
                    check(
                        0,
                        drawn.path_entropy_production.as_ref().unwrap(),
                        exact.path_entropy_production.as_ref().unwrap(),
                    );
                    check(1, drawn.flip_rate.as_ref().unwrap(), exact.flip_rate.as_ref().unwrap());
                    check(2, &drawn.components[0].activity, &exact.components[0].activity);
                    check(3, &drawn.components[0].correlation_time, &exact.components[0].correlation_time);
                }
            }
            if let (Some(exact), Some(drawn)) = (exact.layers, drawn.layers) {
                check(4, &drawn.path_entropy_production, &exact.path_entropy_production);
                check(4, &drawn.hidden, &exact.hidden);
            }
        }
    }
    for (held, all) in held.iter().zip(all) {
        let share = *held as f64 / all as f64;
        assert!((0.9..=0.995).contains(&share), "{held} of {all}");
    }
}

/// Correlation times: two states have a closed form, independent values 1/2, and what does not vary has none.
#[test]
fn correlation_times_have_their_closed_form() {
    for (there, back) in [(0.3, 0.2), (1e-6, 3e-6), (0.9, 0.8), (0.25, 0.75)] {
        let steady = SteadyState::new(&array![[1.0 - there, there], [back, 1.0 - back]]).unwrap();
        let lambda: f64 = 1.0 - there - back;
        let times = steady.correlation_times(&array![[0.0, 3.0], [1.0, 3.0]]);
        close(times[0], (1.0 + lambda) / (2.0 * (1.0 - lambda)), "two states");
        assert!(times[1].is_nan());
    }
    // A driven ring: f turns as it is forgotten, by lambda = 0.3 + 0.6 e^{i w} + 0.1 e^{-i w} a step.
    let states = 7;
    let ring = Array2::from_shape_fn((states, states), |(i, j)| match (j + states - i) % states {
        0 => 0.3,
        1 => 0.6,
        6 => 0.1,
        _ => 0.0,
    });
    let angle = std::f64::consts::TAU / states as f64;
    let wave = Array2::from_shape_fn((states, 1), |(k, _)| (angle * k as f64).cos());
    // sum_{t>=0} Re lambda^t = Re 1 / (1 - lambda)
    let (re, im) = (1.0 - 0.3 - 0.7 * angle.cos(), -0.5 * angle.sin());
    let expected = re / (re * re + im * im) - 0.5;
    close(SteadyState::new(&ring).unwrap().correlation_times(&wave)[0], expected, "a ring");
}

#[test]
fn units_can_be_stopped() {
    let parameters = random_layers(3, VISIBLE, &Layers::new(vec![Layer::Binary { units: 3 }]).unwrap(), 0.7);
    let estimate = Estimate::with(&parameters, settings(320, 1), &()).unwrap();
    let model = Conditionals::new(&parameters);
    let watch = Impatient::after(3);
    assert!(of(&parameters, &model, &estimate, settings(320, 1), 0, &watch).is_err());
}

/// analysis.json and the page show the units of every layer and the steps of a deeper chain, and neither where there are none.
#[test]
fn analyze_shows_units_and_layers() {
    let folder = tempfile::tempdir().unwrap();
    for (name, latent, layers) in [
        ("binary", "{ kind = \"binary\", units = 3 }", 1),
        (
            "deep",
            "[{ kind = \"binary\", units = 2 }, { kind = \"groups\", sizes = [2, 3] }]",
            2,
        ),
        ("one-hot", "5", 0),
    ] {
        let latent = format!("model.latent={latent}");
        let trained = ["train", "--quiet", "--run", name, "--set", "training.steps=20"];
        let succeeds = |arguments: &[&str]| {
            let (status, stdout, stderr) = run(program().args(arguments).current_dir(folder.path()));
            assert_eq!((status, stderr.as_str()), (0, ""), "{arguments:?}");
            stdout
        };
        succeeds(&[&trained[..], &SMALL[..], &["--set", &latent]].concat());
        let stdout = succeeds(&["analyze", name, "--samples", "64"]);
        let out = folder.path().join(name).join("analysis");
        let found = crate::analyze::analysis(&out);
        let page = std::fs::read_to_string(out.join("report.html")).unwrap();
        let units = found["layer_units"].as_array().map_or(0, Vec::len);
        assert_eq!((units, found["layers"].is_object()), (layers, layers > 1), "{name}");
        assert_eq!(page.contains("id=\"loop\""), layers > 1);
        assert_eq!(page.contains("id=\"units-table-1\""), layers > 0);
        assert_eq!(
            stdout.contains("carries most of the path entropy production"),
            layers > 0,
            "{stdout}"
        );
        assert_eq!(stdout.contains("with all layers seen"), layers > 1, "{stdout}");
        let page = html::body(&page);
        for layer in 1..=layers {
            let units = &found["layer_units"][layer - 1];
            let rows = page.by_id(&format!("units-table-{layer}")).all("tr");
            let components = units["components"].as_array().unwrap().len();
            let grouped = units["units"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|unit| unit["components"].as_array().unwrap().len() > 1);
            assert_eq!(rows.len(), 1 + components + grouped.count());
            // Two pictures of each component where one layer has both matrices.
            let pictures = page.by_id(&format!("units-weights-{layer}")).all("img").len();
            assert_eq!(pictures, components * if layers == 1 { 2 } else { 1 });
            let map = page.by_id(&format!("units-current-{layer}"));
            assert!(map.text().contains("component at t + 1") && map.text().contains("net events per step"));
        }
    }
}
