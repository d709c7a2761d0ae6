//! Machines of units whose states are not listed, against small ones of which everything is summed over: all words and all images.

use latent_cycles::analysis::sampled::Drift;
use latent_cycles::codes::Layers;
use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::evaluation::units::path_entropy_production;
use latent_cycles::model::Parameters;
use latent_cycles::model::recognition::RecognitionParameters;
use latent_cycles::numerics::Numerics;
use latent_cycles::random::{Seed, Stream, categorical, normal};
use latent_cycles::record::TrainingState;
use latent_cycles::units::annealing::Partition;
use latent_cycles::units::bound::{Bound, Bounds};
use latent_cycles::units::chains::{Moment, Start, Walkers};
use latent_cycles::units::information::Information;
use latent_cycles::units::marginal::Marginal;
use latent_cycles::units::path::{Steps, mean_of_chains};
use latent_cycles::units::{UnitConditionals, correlation};
use ndarray::{Array1, Array2, Axis};

use crate::chain_path;
use crate::common::{all_images, flat, on_every_backend, random_images, random_parameters, recipe, relative_distance};
use crate::deeper::differences;
use crate::functional::{assert_mean_step, one_step};
use crate::layered::Layered;

const VISIBLE: usize = 7;
const UNITS: usize = 5;

fn parameters(seed: u64, scale: f64) -> Parameters {
    let layers = Layers::parse(&format!("{{ kind = \"binary\", units = {UNITS} }}")).unwrap();
    random_parameters(seed, VISIBLE, &layers, scale)
}

/// A Boltzmann machine with the same A, a and b.
fn tied(parameters: &Parameters) -> Parameters {
    Parameters {
        forward: parameters.backward.t().as_standard_layout().into_owned(),
        ..parameters.clone()
    }
}

/// Words in the order of their states: the last unit is the lowest bit.
fn all_words() -> PackedImages {
    let words = Array2::from_shape_fn((1 << UNITS, UNITS), |(state, unit)| (state >> (UNITS - 1 - unit) & 1) as u8);
    PackedImages::pack(&words)
}

fn recognition(seed: u64) -> RecognitionParameters {
    let mut generator = Seed(seed).generator(Stream::Parameters, 79, 0);
    let mut draw = || (0.3 * normal(&mut generator)) as f32;
    RecognitionParameters {
        matrix: Array2::from_shape_simple_fn((VISIBLE, UNITS), &mut draw),
        bias: Array1::from_shape_simple_fn(UNITS, &mut draw),
        tanh: None,
    }
}

/// Sums over all states and all images.
struct Exact {
    /// `p(k|x)` and `q(x|k)`, `[2^D, L]`.
    p: Array2<f64>,
    q: Array2<f64>,
    /// T, `[L, L]`.
    transition: Array2<f64>,
    /// pi, `[L]`.
    pi: Array1<f64>,
}

impl Exact {
    fn of(parameters: &Parameters) -> Self {
        let plain = Layered::new(parameters);
        let images = all_images(VISIBLE).mapv(f64::from);
        let (p, q) = (plain.log_p(&images).mapv(f64::exp), plain.log_q(&images).mapv(f64::exp));
        let transition = q.t().dot(&p);
        let late = (0..24).fold(transition.clone(), |power, _| power.dot(&power));
        let pi = late.row(0).to_owned() / late.row(0).sum();
        Self { p, q, transition, pi }
    }

    /// `E[ f(k, x, k') ]` over steps of the steady state.
    fn mean(&self, f: impl Fn(usize, usize, usize) -> f64) -> f64 {
        let (images, states) = self.p.dim();
        let mut mean = 0.0;
        for x in 0..images {
            for k in 0..states {
                for next in 0..states {
                    mean += self.pi[k] * self.q[[x, k]] * self.p[[x, next]] * f(k, x, next);
                }
            }
        }
        mean
    }

    fn log_likelihood(&self, images: &PackedImages) -> f64 {
        let density = self.q.dot(&self.pi);
        let of_image = |row: ndarray::ArrayView1<u8>| {
            let code: usize = row.iter().enumerate().map(|(pixel, &lit)| usize::from(lit) << pixel).sum();
            density[code].ln()
        };
        let images = images.unpack();
        images.rows().into_iter().map(of_image).sum::<f64>() / images.nrows() as f64
    }

    /// The time of the columns of f, `[2^D, F]`, lag by lag.
    fn autocorrelation_time(&self, f: &Array2<f64>) -> f64 {
        let density = self.q.dot(&self.pi);
        let deviation = f - &density.dot(f);
        let weighed = &deviation * &density.insert_axis(Axis(1));
        let (mut later, mut tau) = (deviation.clone(), 0.5);
        for _ in 0..1000 {
            later = self.p.dot(&self.q.t().dot(&later));
            tau += (&weighed * &later).sum() / (&weighed * &deviation).sum();
        }
        tau
    }
}

/// The figure is within four standard errors of the truth, which a normal one is not in one case of 16,000.
#[track_caller]
fn assert_near(figure: &Figure, truth: f64) {
    let (value, error) = (figure.value.unwrap(), figure.standard_error.unwrap());
    println!("{value} +- {error} for {truth}");
    assert!((value - truth).abs() < 4.0 * error, "{value} +- {error} for {truth}");
    assert!(error < 0.1 * truth.abs().max(1.0), "{error} says nothing of {truth}");
}

/// Steps before a film.
const BURN_IN: usize = 50;

fn film(model: &UnitConditionals, chains: usize, moments: usize) -> Vec<Moment> {
    film_at(3, model, chains, moments)
}

/// With draws of its own for each time.
fn film_at(time: u64, model: &UnitConditionals, chains: usize, moments: usize) -> Vec<Moment> {
    let walkers = Walkers {
        model,
        seed: Seed(1701),
        time,
    };
    let first = walkers.after(Start::Noise, chains, BURN_IN, &()).unwrap();
    walkers.film(first, BURN_IN, moments, &()).unwrap()
}

#[test]
fn pi_of_all_words_is_the_mean_of_the_forward_transition_over_chains() {
    let parameters = parameters(1702, 1.0);
    let images = random_images(1703, 48, VISIBLE);
    let marginal = Marginal::of(&UnitConditionals::new(&parameters), &PackedImages::pack(&images));
    let found = marginal.log_pi(&all_words());
    let expected = Layered::new(&parameters).log_p(&images.mapv(f64::from)).mapv(f64::exp);
    let expected = expected.mean_axis(Axis(0)).unwrap().mapv(f64::ln);
    assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
    assert!((found.mapv(f64::exp).sum() - 1.0).abs() < 1e-5);
}

fn bound(parameters: &Parameters, images: &PackedImages, candidates: usize, chains: usize) -> Bound {
    let model = UnitConditionals::new(parameters);
    let walkers = Walkers {
        model: &model,
        seed: Seed(1704),
        time: 5,
    };
    let moment = walkers.after(Start::Noise, chains, 50, &()).unwrap();
    let bounds = Bounds {
        model: &model,
        recognition: &recognition(1705),
        marginal: &Marginal::of(&model, &moment.images),
        seed: Seed(1704),
        time: 5,
    };
    bounds.of(images, candidates, &()).unwrap()
}

/// With many candidates and chains the bound is the likelihood; with few it is below, by what the second half of either says is missing, more or less.
#[test]
fn the_bound_is_the_likelihood_with_many_candidates_and_below_it_with_few() {
    let parameters = parameters(1706, 1.0);
    let images = PackedImages::pack(&random_images(1707, 29, VISIBLE));
    let exact = Exact::of(&parameters).log_likelihood(&images);
    let many = bound(&parameters, &images, 4096, 16_384);
    // Chains' error, and that of the candidates, whose weights vary by order 1.
    let error = many.error + 1.0 / (4096.0_f64 * 29.0).sqrt();
    println!("{many:?} for {exact}");
    assert!((many.value - exact).abs() < 4.0 * error, "{many:?} for {exact}");
    assert!(many.by_candidates < 0.01 && many.by_chains.abs() < 0.05, "{many:?}");
    let few = bound(&parameters, &images, 2, 16_384);
    println!("{few:?} for {exact}");
    assert!(
        few.value < exact - 4.0 * few.error - 0.05 && few.by_candidates > 0.05,
        "{few:?} for {exact}"
    );
    let few_chains = bound(&parameters, &images, 4096, 16);
    println!("{few_chains:?} for {exact}");
    assert!(few_chains.value < exact + 4.0 * few_chains.error, "{few_chains:?} for {exact}");
}

#[test]
fn steps_are_those_of_the_sum_over_all_words_and_images() {
    let parameters = parameters(1708, 1.0);
    let exact = Exact::of(&parameters);
    let (p, q) = (&exact.p, &exact.q);
    let sigma = exact.mean(|k, x, next| (q[[x, k]] * p[[x, next]] / (q[[x, next]] * p[[x, k]])).ln());
    let model = UnitConditionals::new(&parameters);
    let steps = Steps::of(&model, &film(&model, 512, 64));
    assert_near(&mean_of_chains(&steps.path_entropy_production), sigma);
    // Of one step of chains that are in the steady state.
    let last = film(&model, 4096, 1);
    let of_next = path_entropy_production(&parameters, &last[0].images, Seed(1701), 5).unwrap();
    let error = 64.0_f64.sqrt() * mean_of_chains(&steps.path_entropy_production).standard_error.unwrap() / (4096.0_f64 / 512.0).sqrt();
    println!("{of_next} +- {error} for {sigma}");
    assert!(
        (of_next - sigma).abs() < 4.0 * error && error < 0.1 * sigma,
        "{of_next} +- {error} for {sigma}"
    );
    let stay: f64 = exact.transition.diag().dot(&exact.pi);
    assert_near(&mean_of_chains(&steps.self_transition), stay);
    let different = |k: usize, next: usize| f64::from((k ^ next).count_ones());
    assert_near(&mean_of_chains(&steps.flips), exact.mean(|k, _, next| different(k, next)));
    assert_near(&mean_of_chains(&steps.lit), exact.mean(|_, x, _| f64::from(x.count_ones())));
    // The last unit is the lowest bit.
    let on = exact.mean(|k, _, _| (k & 1) as f64);
    assert!((steps.on[UNITS - 1] - on).abs() < 0.02, "{} for {on}", steps.on[UNITS - 1]);
    let flips = exact.mean(|k, _, next| ((k ^ next) & 1) as f64);
    assert!(
        (steps.flip_rates[UNITS - 1] - flips).abs() < 0.02,
        "{} for {flips}",
        steps.flip_rates[UNITS - 1]
    );
}

/// Each unit lights pixels of its own, which switch it on again: a unit that is on stays so, one that is off comes on once in `steps` steps.
fn traps(steps: f64) -> Parameters {
    let mut parameters = parameters(1712, 0.0);
    parameters.forward_bias.fill(-((steps - 1.0).ln()) as f32);
    parameters.visible_bias = Some(Array1::from_elem(VISIBLE, -20.0));
    for unit in 0..UNITS {
        parameters.forward[[unit, unit]] = 40.0;
        parameters.backward[[unit, unit]] = 40.0;
    }
    parameters
}

#[test]
fn chains_on_their_way_to_a_trap_are_not_in_their_steady_state() {
    let drift = |parameters: &Parameters, time: u64| {
        let model = UnitConditionals::new(parameters);
        let film = film_at(time, &model, 256, 256);
        Drift::between([&film[..128], &film[128..]].map(|half| Steps::of(&model, half)).each_ref())
    };
    let trapped = drift(&traps(300.0), 3);
    // Half of the units are off at first, and each that is on lights a pixel.
    let off = |step: usize| 0.5 * (1.0 - 1.0 / 300.0_f64).powi((BURN_IN + step) as i32);
    let half = |from: usize| (from..from + 128).map(off).sum::<f64>() / 128.0;
    assert_near(&trapped.lit_pixels, UNITS as f64 * (half(0) - half(128)));
    assert!(!trapped.steady, "{}", trapped.in_words());
    assert!(drift(&traps(3.0), 3).steady);
    // One in 300 by chance, each with draws of its own: three of forty are one in 3,000.
    let not = (0..40)
        .filter(|seed| !drift(&parameters(1720 + seed, 1.0), 4 + seed).steady)
        .count();
    assert!(not < 3, "{not} of 40");
}

#[test]
fn a_tied_machine_produces_nothing() {
    let model = UnitConditionals::new(&tied(&parameters(1709, 1.0)));
    assert!(model.is_tied());
    let steps = Steps::of(&model, &film(&model, 32, 3));
    assert!(steps.path_entropy_production.iter().all(|produced| *produced == 0.0));
}

#[test]
fn autocorrelation_times_are_those_of_the_chain_of_all_images() {
    let class = |image: ndarray::ArrayView1<u8>| image.iter().take(3).map(|&lit| usize::from(lit)).sum::<usize>().min(2);
    let images = all_images(VISIBLE);
    let pixels = images.mapv(f64::from);
    let classes = Array2::from_shape_fn((images.nrows(), 3), |(n, c)| f64::from(u8::from(class(images.row(n)) == c)));
    for (seed, scale) in [(1710, 1.0), (1711, 2.0)] {
        let parameters = parameters(seed, scale);
        let exact = Exact::of(&parameters);
        let model = UnitConditionals::new(&parameters);
        let film = film(&model, 512, 512);
        assert_near(&correlation::of_pixels(&film), exact.autocorrelation_time(&pixels));
        let of_film: Vec<Vec<usize>> = film
            .iter()
            .map(|moment| moment.images.unpack().rows().into_iter().map(class).collect())
            .collect();
        assert_near(&correlation::of_classes(&of_film, 3), exact.autocorrelation_time(&classes));
    }
}

/// One unit, which all pixels follow and which follows them, as strongly as the coupling: two phases of equal weight, and the rarer a way between them.
fn two_phases(coupling: f32) -> Parameters {
    let mut parameters = tied(&parameters(1712, 0.0));
    parameters.backward.row_mut(0).fill(coupling);
    parameters.forward.column_mut(0).fill(coupling);
    parameters.forward_bias[0] = -coupling / 2.0 * VISIBLE as f32;
    parameters.visible_bias = Some(Array1::from_elem(VISIBLE, -coupling / 2.0));
    parameters
}

/// Long lags are taken from fewer moments.
#[test]
fn long_autocorrelation_times_are_those_of_the_chain_of_all_images() {
    let pixels = all_images(VISIBLE).mapv(f64::from);
    for coupling in [3.0, 3.3, 3.6] {
        let parameters = two_phases(coupling);
        let time = Exact::of(&parameters).autocorrelation_time(&pixels);
        assert!((3.5..40.0).contains(&time), "{time}");
        let model = UnitConditionals::new(&parameters);
        assert_near(&correlation::of_pixels(&film(&model, 512, 1024)), time);
    }
}

#[test]
fn a_time_that_is_longer_than_the_walk_is_not_told() {
    let parameters = two_phases(6.0);
    let model = UnitConditionals::new(&parameters);
    let time = correlation::of_pixels(&film(&model, 64, 64));
    assert!(time.value.is_none(), "{time:?}");
    assert!(time.note.unwrap().contains("longer than"));
}

#[test]
fn information_lies_between_its_two_estimates() {
    let parameters = parameters(1713, 1.0);
    let exact = Exact::of(&parameters);
    let model = UnitConditionals::new(&parameters);
    let moments = film(&model, 2048, 2);
    let walkers = Walkers {
        model: &model,
        seed: Seed(1714),
        time: 7,
    };
    let moment = walkers.after(Start::Noise, 2048, 50, &()).unwrap();
    let marginal = Marginal::of(&model, &moment.images);
    let found = Information::of(&model, &marginal, [&moments[0], &moments[1]], Seed(1715), 7, &()).unwrap();
    let of_image = exact.mean(|_, x, next| (exact.p[[x, next]] / exact.pi[next]).ln());
    let of_words = exact.mean(|k, _, next| (exact.transition[[k, next]] / exact.pi[next]).ln());
    for (between, truth) in [(&found.image_and_word, of_image), (&found.words, of_words)] {
        let (low, high) = (&between.low, &between.high);
        println!("{low} to {high} for {truth}");
        assert!(
            low.value.unwrap() - 4.0 * low.standard_error.unwrap() < truth,
            "{between:?} for {truth}"
        );
        assert!(
            high.value.unwrap() + 4.0 * high.standard_error.unwrap() > truth,
            "{between:?} for {truth}"
        );
        assert!(high.value.unwrap() - low.value.unwrap() < 0.1, "{between:?}");
    }
}

#[test]
fn annealing_finds_the_likelihood_of_a_boltzmann_machine() {
    let parameters = tied(&parameters(1716, 1.0));
    let exact = Exact::of(&parameters);
    let images = PackedImages::pack(&random_images(1717, 31, VISIBLE));
    let model = UnitConditionals::new(&parameters);
    let partition = Partition::anneal(&model, &[0.37; VISIBLE], (1024, 200), Seed(1718), &()).unwrap();
    assert_near(&partition.log_likelihood(&model, &images), exact.log_likelihood(&images));
    assert!(partition.effective() > 500.0, "{}", partition.effective());
}

/// At words drawn from pi and images drawn from them, as many as a run has chains, means over 31 draws are compared with finite differences in units of
/// their standard errors: of 82 parameters and three backends some |t| (30 degrees of freedom) is beyond 6.5 with probability 1e-4.
#[test]
fn the_path_entropy_production_of_chains_and_its_gradient_are_right_on_every_backend() {
    let parameters = parameters(1719, 0.6);
    let plain = Layered::new(&parameters);
    let pi = chain_path::stationary(&plain);
    let exact = differences(&plain, 1e-3, |plain| chain_path::produced(plain, &pi));
    assert!(exact.iter().any(|pull| pull.abs() > 0.05));
    let model = UnitConditionals::new(&parameters);
    let words = all_words();
    on_every_backend("path entropy production of units", |numerics| {
        let mut produced = Vec::new();
        let gradients: Vec<Vec<f64>> = (0..31)
            .map(|draw| {
                let mut generator = Seed(1720).generator(Stream::Generated, draw, 0);
                let states: Vec<usize> = (0..1009).map(|_| categorical(&mut generator, &pi.to_vec())).collect();
                let words = words.select(&states);
                let images = model.draw_images(&words, Seed(1720).draws(Stream::Generated, draw, 1));
                let (sigma, gradient) = numerics.unit_path(&parameters, (&words.unpack(), &images.unpack()));
                produced.push(sigma);
                flat(&gradient)
            })
            .collect();
        assert_mean_step(&gradients, &exact, numerics.device().backend);
        let sigma = mean_of_chains(&Array1::from(produced));
        assert_near(&sigma, chain_path::produced(&plain, &pi));
    });
}

/// A step of persistent contrastive divergence is the data's means less the chains', unit by unit.
#[test]
fn the_persistent_gradient_of_a_boltzmann_machine_of_many_units_is_right_on_every_backend() {
    let layers = Layers::parse("{ kind = \"binary\", units = 13 }").unwrap();
    let parameters = tied(&random_parameters(1721, VISIBLE, &layers, 0.7));
    let images = random_images(1722, 11, VISIBLE);
    let means = |images: &BinaryImages| {
        let x = images.mapv(f64::from);
        let logits = x.dot(&parameters.forward.mapv(f64::from)) + parameters.forward_bias.mapv(f64::from);
        let p = logits.mapv(|logit| 1.0 / (1.0 + (-logit).exp()));
        let count = images.nrows() as f64;
        let a = p.t().dot(&x) / count;
        let parts = [
            p.sum_axis(Axis(0)) / count,
            a.iter().copied().collect(),
            x.sum_axis(Axis(0)) / count,
        ];
        parts.into_iter().flatten().collect::<Vec<f64>>()
    };
    on_every_backend("persistent gradient of many units", |numerics| {
        let settings = [
            "model.kind=rbm",
            "model.latent={ kind = \"binary\", units = 13 }",
            "training.chains=101",
            "training.chain_steps=2",
            "training.seed=25",
        ];
        let walked = walk(numerics, &parameters, &settings);
        let expected: Vec<f64> = means(&images)
            .iter()
            .zip(means(&walked))
            .map(|(data, model)| data - model)
            .collect();
        let found = one_step(numerics, &settings, &parameters, &images);
        // W follows A, and stands before b.
        let found = &found[13 * VISIBLE..];
        let distance = relative_distance(found, &expected);
        assert!(distance < 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

fn dark(parameters: &Parameters, chains: usize) -> TrainingState {
    TrainingState {
        parameters: parameters.clone(),
        mean_squares: Parameters::of_zeros(parameters.visible(), &parameters.layers),
        chains: Some(PackedImages::pack(&BinaryImages::zeros((chains, parameters.visible())))),
        path_entropy_weight: None,
        sampled: None,
        step: 0,
    }
}

/// Where a step's chains arrive, which its state holds.
fn walk(numerics: &dyn Numerics, parameters: &Parameters, settings: &[&str]) -> BinaryImages {
    let mut trainer = numerics.trainer(&dark(parameters, 101), recipe(settings));
    trainer.step(&PackedImages::pack(&random_images(1722, 11, VISIBLE)));
    trainer.state().chains.unwrap().unpack()
}
