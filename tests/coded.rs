//! Machines in equilibrium whose states have codes, against enumeration and finite differences: RBM, mixture and directed model.

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::data::{BinaryImages, Dataset};
use latent_cycles::estimate::reversible::closed_form;
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream, normal};
use latent_cycles::record;
use latent_cycles::training::start::initial_state;
use ndarray::{Array1, Array2, Axis};

use crate::common::{Plain, configured, image, on_every_backend, random_images, relative_distance};
use crate::functional::one_step;

/// A layer of each kind that is not one-hot, with its codes and log-weights written out, state by state.
pub fn layers() -> Vec<(Layer, Array2<f64>, Array1<f64>)> {
    let binary = Array2::from_shape_fn((8, 3), |(k, h)| (k >> (2 - h) & 1) as f64);
    let groups = Array2::from_shape_fn((6, 5), |(k, h)| {
        let value = if h < 2 { k / 3 } else { 2 + k % 3 };
        f64::from(u8::from(value == h))
    });
    let grid = Array2::from_shape_fn((9, 2), |(k, h)| [-1.5, 0.0, 1.5][if h == 0 { k / 3 } else { k % 3 }]);
    let gauss = grid.map_axis(ndarray::Axis(1), |code| -0.5 * code.dot(&code));
    let of_grid = Layer::Grid {
        dimensions: 2,
        points: 3,
        range: 1.5,
    };
    vec![
        (Layer::Binary { units: 3 }, binary, Array1::zeros(8)),
        (Layer::Groups { sizes: vec![2, 3] }, groups, Array1::zeros(6)),
        (of_grid, grid, gauss),
    ]
}

/// A model with codes in plain f64, to be varied number by number.
#[derive(Clone)]
pub struct Coded {
    pub w: Array2<f64>,
    pub b: Array1<f64>,
    pub a: Array2<f64>,
    /// a, or zeros where A holds it.
    pub bias: Array1<f64>,
    pub codes: Array2<f64>,
    pub g: Array1<f64>,
}

impl Coded {
    pub fn new(parameters: &Parameters, codes: &Array2<f64>, g: &Array1<f64>) -> Self {
        let zeros = || Array1::zeros(parameters.visible());
        Self {
            w: parameters.forward.mapv(f64::from),
            b: parameters.forward_bias.mapv(f64::from),
            a: parameters.backward.mapv(f64::from),
            bias: parameters.visible_bias.as_ref().map_or_else(zeros, |bias| bias.mapv(f64::from)),
            codes: codes.clone(),
            g: g.clone(),
        }
    }

    /// The one-hot model with the same conditionals: its W, b and A have a column, a number and a row for every state.
    pub fn tables(&self) -> Plain {
        Plain {
            w: self.w.dot(&self.codes.t()),
            b: self.codes.dot(&self.b) + &self.g,
            a: self.codes.dot(&self.a) + &self.bias,
        }
    }

    /// ln q(x|k) of all states.
    fn log_q(&self, x: &[u8]) -> Array1<f64> {
        let plain = self.tables();
        (0..plain.latent()).map(|k| plain.log_q(x, k)).collect()
    }
}

/// Some model with normal parameters.
pub fn random_coded(seed: u64, visible: usize, layer: &Layer, scale: f64) -> Parameters {
    let mut generator = Seed(seed).generator(Stream::Parameters, 77, 0);
    let mut draw = |_: f32| (scale * normal(&mut generator)) as f32;
    let layers = Layers::new(vec![layer.clone()]).unwrap();
    let mut parameters = Parameters::of_zeros(visible, &layers);
    parameters.forward.mapv_inplace(&mut draw);
    parameters.forward_bias.mapv_inplace(&mut draw);
    parameters.backward.mapv_inplace(&mut draw);
    if let Some(bias) = &mut parameters.visible_bias {
        bias.mapv_inplace(&mut draw);
    }
    parameters
}

/// The same with `W = A^T`.
fn tied(seed: u64, visible: usize, layer: &Layer, scale: f64) -> Parameters {
    let mut parameters = random_coded(seed, visible, layer, scale);
    parameters.forward = parameters.backward.t().as_standard_layout().into_owned();
    parameters
}

/// A directed model's or a mixture's log-weights, `w_k + ln q(0|k)`.
fn with_log_weights(parameters: Parameters, coded: &Coded, log_weights: &Array1<f64>) -> Parameters {
    let log_weights = log_weights + coded.log_q(&vec![0; parameters.visible()]);
    Parameters {
        log_weights: Some(log_weights.mapv(|weight| weight as f32)),
        ..parameters
    }
}

fn rows(images: &BinaryImages) -> Vec<Vec<u8>> {
    images.rows().into_iter().map(|row| row.to_vec()).collect()
}

fn log_sum(terms: &Array1<f64>) -> f64 {
    let largest = terms.iter().copied().fold(f64::MIN, f64::max);
    largest + terms.mapv(|term| (term - largest).exp()).sum().ln()
}

/// `mean_n ln sum_k pi_k q(x_n|k)`, of `ln pi` up to a constant.
fn likelihood(coded: &Coded, log_pi: &Array1<f64>, images: &BinaryImages) -> f64 {
    let log_pi = log_pi - log_sum(log_pi);
    let terms = rows(images).into_iter().map(|x| log_sum(&(&log_pi + &coded.log_q(&x))));
    terms.sum::<f64>() / images.nrows() as f64
}

/// The Boltzmann machine's log-likelihood by its partition function over all images.
fn boltzmann(coded: &Coded, images: &BinaryImages) -> f64 {
    let visible = coded.a.ncols();
    let states = coded.codes.dot(&coded.b) + &coded.g;
    let logits = coded.codes.dot(&coded.a) + &coded.bias;
    let log_weight = |x: &[u8]| log_sum(&(&states + &logits.dot(&x.iter().map(|&x| f64::from(x)).collect::<Array1<f64>>())));
    let all: Array1<f64> = (0..1 << visible).map(|code| log_weight(&image(code, visible))).collect();
    let mean = rows(images).iter().map(|x| log_weight(x)).sum::<f64>() / images.nrows() as f64;
    mean - log_sum(&all)
}

/// Central differences of fourth order, over b, A and a.
fn differences(coded: &Coded, has_bias: bool, objective: impl Fn(&Coded) -> f64) -> Vec<f64> {
    let step = 1e-3;
    let [b, a, bias] = [coded.b.len(), coded.a.len(), if has_bias { coded.bias.len() } else { 0 }];
    let shifted = |index: usize, shift: f64| {
        let mut coded = coded.clone();
        let mut numbers = coded.b.iter_mut().chain(&mut coded.a).chain(&mut coded.bias);
        *numbers.nth(index).unwrap() += shift;
        objective(&coded)
    };
    crate::common::differences(b + a + bias, shifted, step)
}

/// b, A and a of a step, and g if there is one; W moves as A does.
fn untied(step: &[f64], parameters: &Parameters) -> Vec<f64> {
    let (width, visible) = parameters.backward.dim();
    let (forward, rest) = step.split_at(visible * width);
    for h in 0..width {
        for i in 0..visible {
            assert_eq!(forward[i * width + h], rest[width + h * visible + i], "W = A^T after the step");
        }
    }
    rest.to_vec()
}

fn latent(layer: &Layer) -> String {
    format!("model.latent={layer}")
}

#[test]
fn the_rbms_exact_gradient_equals_finite_differences_of_the_partition_function_on_every_backend() {
    for (seed, (layer, codes, g)) in (31..).zip(layers()) {
        let parameters = tied(seed, 7, &layer, 0.7);
        let images = random_images(seed, 13, 7);
        let coded = Coded::new(&parameters, &codes, &g);
        let exact = differences(&coded, parameters.visible_bias.is_some(), |coded| boltzmann(coded, &images));
        // Its steady state, by enumeration.
        let log_pi = closed_form(&parameters).unwrap();
        let kernel = coded.tables().kernel();
        let pi = log_pi.mapv(f64::exp);
        assert!(
            (pi.dot(&kernel) - &pi).iter().all(|moved| moved.abs() < 1e-12),
            "{layer}: pi = pi T"
        );
        on_every_backend("RBM's exact gradient with codes", |numerics| {
            let settings = ["model.kind=rbm".to_owned(), latent(&layer)];
            let found = untied(
                &one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images),
                &parameters,
            );
            let distance = relative_distance(&found, &exact);
            assert!(distance < 1e-5, "{}, {layer}: {distance:e}", numerics.device().backend);
        });
    }
}

/// In coordinates about the mean image and the mean code the step goes along the gradient in those coordinates, by finite differences; seen in b, A and a, which
/// move with A.
#[test]
fn a_centered_step_goes_along_the_gradient_in_centered_coordinates_on_every_backend() {
    for (seed, (layer, codes, g)) in (41..).zip(layers()) {
        let parameters = tied(seed, 7, &layer, 0.7);
        let images = random_images(seed, 13, 7);
        let coded = Coded::new(&parameters, &codes, &g);
        let has_bias = parameters.visible_bias.is_some();
        let mu = images.mapv(f64::from).mean_axis(Axis(0)).unwrap();
        let weights = g.mapv(f64::exp) / g.mapv(f64::exp).sum();
        let nu = if has_bias {
            weights.dot(&codes)
        } else {
            Array1::zeros(coded.b.len())
        };
        let moved = |from: &Coded, sign: f64| Coded {
            b: &from.b + &(from.a.dot(&mu) * sign),
            bias: &from.bias + &(nu.dot(&from.a) * sign),
            ..from.clone()
        };
        let gradient = differences(&moved(&coded, 1.0), has_bias, |centered| boltzmann(&moved(centered, -1.0), &images));
        let (width, visible) = coded.a.dim();
        let a = Array2::from_shape_vec((width, visible), gradient[width..width * (visible + 1)].to_vec()).unwrap();
        let mut expected = gradient.clone();
        expected[..width].iter_mut().zip(a.dot(&mu)).for_each(|(b, shift)| *b -= shift);
        expected[width * (visible + 1)..]
            .iter_mut()
            .zip(nu.dot(&a))
            .for_each(|(bias, shift)| *bias -= shift);
        on_every_backend("RBM's centered step", |numerics| {
            let settings = ["model.kind=rbm".to_owned(), "training.centered=true".to_owned(), latent(&layer)];
            let found = one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images);
            let distance = relative_distance(&untied(&found, &parameters), &expected);
            assert!(distance < 1e-5, "{}, {layer}: {distance:e}", numerics.device().backend);
        });
    }
}

/// Data term minus the chains' term, at the images that the chains arrive at.
#[test]
fn the_rbms_persistent_gradient_is_that_of_the_moved_chains_with_codes_on_every_backend() {
    for (seed, (layer, codes, g)) in (34..).zip(layers()) {
        let parameters = tied(seed, 7, &layer, 0.7);
        let images = random_images(seed, 13, 7);
        let coded = Coded::new(&parameters, &codes, &g);
        let plain = coded.tables();
        let means = |images: &BinaryImages| {
            let (mut b, mut a) = (Array1::<f64>::zeros(coded.b.len()), Array2::<f64>::zeros(coded.a.dim()));
            let mut bias = Array1::<f64>::zeros(7);
            for x in rows(images) {
                let p: Array1<f64> = (0..plain.latent()).map(|k| plain.log_p(&x, k).exp()).collect();
                let code = p.dot(&codes) / images.nrows() as f64;
                let x: Array1<f64> = x.into_iter().map(f64::from).collect();
                b += &code;
                a += &code.insert_axis(ndarray::Axis(1)).dot(&x.view().insert_axis(ndarray::Axis(0)));
                bias.scaled_add(1.0 / images.nrows() as f64, &x);
            }
            let bias = bias.iter().filter(|_| parameters.visible_bias.is_some());
            b.iter().chain(&a).chain(bias).copied().collect::<Vec<f64>>()
        };
        on_every_backend("RBM's persistent gradient with codes", |numerics| {
            let settings = [
                "model.kind=rbm".to_owned(),
                latent(&layer),
                "training.gradient=pcd".to_owned(),
                "training.chains=101".to_owned(),
                "training.chain_steps=2".to_owned(),
                "training.seed=25".to_owned(),
            ];
            let moved = numerics.walk(&parameters, &BinaryImages::zeros((101, 7)), 2, Seed(25), 0);
            let expected: Vec<f64> = means(&images).iter().zip(means(&moved)).map(|(data, model)| data - model).collect();
            let found = untied(
                &one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images),
                &parameters,
            );
            let distance = relative_distance(&found, &expected);
            assert!(distance < 1e-5, "{}, {layer}: {distance:e}", numerics.device().backend);
        });
    }
}

/// A and a go uphill at fixed weights, by finite differences; the weights go a tenth of the way to the responsibilities' means.
#[test]
fn a_step_of_a_mixture_is_uphill_and_towards_its_responsibilities_on_every_backend() {
    for (seed, (layer, codes, g)) in (37..).zip(layers()) {
        let mut parameters = tied(seed, 7, &layer, 0.7);
        parameters.forward_bias.fill(0.0);
        let images = random_images(seed, 13, 7);
        let coded = Coded::new(&parameters, &codes, &g);
        let mut generator = Seed(seed).generator(Stream::Restart, 77, 0);
        let log_pi: Array1<f64> = (0..codes.nrows()).map(|_| normal(&mut generator)).collect();
        let log_pi = &log_pi - log_sum(&log_pi);
        let parameters = with_log_weights(parameters, &coded, &log_pi);
        let uphill = differences(&coded, parameters.visible_bias.is_some(), |coded| {
            likelihood(coded, &log_pi, &images)
        });
        let mut rho = Array1::<f64>::zeros(log_pi.len());
        for x in rows(&images) {
            let joint = &log_pi + &coded.log_q(&x);
            let log_density = log_sum(&joint);
            rho += &((joint - log_density).mapv(f64::exp) / images.nrows() as f64);
        }
        on_every_backend("step of a mixture with codes", |numerics| {
            let settings = ["model.kind=mixture".to_owned(), latent(&layer)];
            let step = one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images);
            let found = untied(&step, &parameters);
            let backend = numerics.device().backend;
            let (found, moved) = found.split_at(uphill.len());
            let distance = relative_distance(found, &uphill);
            assert!(distance < 1e-5, "{backend}, {layer}: {distance:e}");

            let mut after = Coded::new(&parameters, &codes, &g);
            let (a, bias) = found[coded.b.len()..].split_at(coded.a.len());
            after.a.iter_mut().zip(a).for_each(|(a, step)| *a += step);
            after.bias.iter_mut().zip(bias).for_each(|(bias, step)| *bias += step);
            let log_weights: Array1<f64> = parameters
                .log_weights
                .iter()
                .flatten()
                .zip(moved)
                .map(|(&g, step)| f64::from(g) + step)
                .collect();
            let pi = (log_weights - after.log_q(&[0; 7])).mapv(f64::exp);
            for (k, pi) in pi.iter().enumerate() {
                let expected = 0.9 * log_pi[k].exp() + 0.1 * rho[k];
                assert!(
                    (pi / expected - 1.0).abs() < 1e-5,
                    "{backend}, {layer}, state {k}: {pi} for {expected}"
                );
            }
        });
    }
}

/// With one-hot states b holds both beta and `ln q(0|k)`.
#[test]
fn a_directed_models_gradient_equals_finite_differences_on_every_backend() {
    let one_hot = (Layer::OneHot { states: 5 }, Array2::eye(5), Array1::zeros(5));
    for (seed, (layer, codes, g)) in (41..).zip(layers().into_iter().chain([one_hot])) {
        let parameters = tied(seed, 7, &layer, 0.7);
        let images = random_images(seed, 13, 7);
        let coded = Coded::new(&parameters, &codes, &g);
        let prior = |coded: &Coded| coded.codes.dot(&coded.b) + &coded.g;
        let exact = differences(&coded, parameters.visible_bias.is_some(), |coded| {
            likelihood(coded, &prior(coded), &images)
        });
        let parameters = if layer.is_one_hot() {
            let bias = &coded.b + &coded.log_q(&[0; 7]);
            Parameters {
                forward_bias: bias.mapv(|bias| bias as f32),
                ..parameters
            }
        } else {
            with_log_weights(parameters, &coded, &g)
        };
        let log_pi = closed_form(&parameters).unwrap();
        let expected = prior(&coded) - log_sum(&prior(&coded));
        assert!((&log_pi - &expected).iter().all(|error| error.abs() < 1e-5), "{layer}: {log_pi}");
        on_every_backend("directed model's gradient", |numerics| {
            let settings = ["model.kind=directed".to_owned(), latent(&layer)];
            let step = one_step(numerics, &settings.each_ref().map(String::as_str), &parameters, &images);
            let mut found = untied(&step, &parameters);
            let mut after = coded.clone();
            let width = coded.b.len();
            after.a.iter_mut().zip(&found[width..]).for_each(|(a, step)| *a += step);
            let bias = &found[width + coded.a.len()..];
            if parameters.visible_bias.is_some() {
                after.bias.iter_mut().zip(bias).for_each(|(bias, step)| *bias += step);
            }
            let dark = after.log_q(&[0; 7]) - coded.log_q(&[0; 7]);
            if layer.is_one_hot() {
                found[..width].iter_mut().zip(&dark).for_each(|(step, dark)| *step -= dark);
            }
            let backend = numerics.device().backend;
            let (found, moved) = found.split_at(exact.len());
            let distance = relative_distance(found, &exact);
            assert!(distance < 1e-5, "{backend}, {layer}: {distance:e}");
            // The posterior follows.
            for (step, dark) in moved.iter().zip(&dark) {
                assert!((step - dark).abs() < 1e-5, "{backend}, {layer}: {step} for {dark}");
            }
        });
    }
}

/// A record gives A and a; and pi to a machine that can have it: all states are equally likely otherwise.
#[test]
fn a_record_starts_the_machines_that_can_go_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.mpk");
    let (layer, codes, g) = layers().remove(0);
    let start = |kind: &str, parameters: &Parameters| {
        record::save_model(&path, parameters).unwrap();
        let kind = format!("model.kind={kind}");
        let record = format!("model.record={}", path.display());
        let config = configured(&[&kind, &latent(&layer), "model.init=record", &record, "data.max_images=23"]);
        let data = Dataset::load(&config.data).unwrap();
        initial_state(&config, &data.train, data.visible()).map(|state| state.parameters)
    };
    let pi = |parameters: &Parameters| closed_form(parameters).expect("in balance").mapv(f64::exp);
    // ln q(0|k) of 784 pixels is rounded to some 3e-5 in f32.
    let same = |a: &Array1<f64>, b: &Array1<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-4);
    let uniform = Array1::from_elem(8, 0.125);

    let out_of_equilibrium = random_coded(45, 784, &layer, 0.1);
    let boltzmann = tied(45, 784, &layer, 0.1);
    for kind in ["mixture", "directed"] {
        let started = start(kind, &out_of_equilibrium).unwrap();
        assert_eq!(started.backward, out_of_equilibrium.backward);
        assert_eq!(started.visible_bias, out_of_equilibrium.visible_bias);
        assert!(same(&pi(&started), &uniform), "{kind}: {}", pi(&started));
    }
    assert!(!same(&pi(&boltzmann), &uniform));
    assert!(same(&pi(&start("mixture", &boltzmann).unwrap()), &pi(&boltzmann)));
    assert!(same(&pi(&start("directed", &boltzmann).unwrap()), &uniform));

    let directed = with_log_weights(boltzmann.clone(), &Coded::new(&boltzmann, &codes, &g), &g);
    for kind in ["mixture", "directed"] {
        let again = start(kind, &directed).unwrap();
        assert!(same(&pi(&again), &pi(&directed)), "{kind}: {}", pi(&again));
        assert_eq!(again.forward_bias == directed.forward_bias, kind == "directed");
    }
    for kind in ["rbm", "nonequilibrium"] {
        let error = start(kind, &directed).unwrap_err().to_string();
        assert!(error.contains("only model.kind = \"mixture\" or \"directed\" can start"), "{error}");
    }
}
