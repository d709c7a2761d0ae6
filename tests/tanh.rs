//! tanh units beside the upward maps: gradients against finite differences with everything summed over, and the path entropy production by its definition.

use latent_cycles::codes::Layers;
use latent_cycles::data::BinaryImages;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::model::Parameters;
use latent_cycles::model::recognition::RecognitionParameters;
use latent_cycles::model::tanh::TanhParameters;
use latent_cycles::random::{Seed, Stream, categorical, normal};
use latent_cycles::units::UnitConditionals;
use latent_cycles::units::chains::Moment;
use latent_cycles::units::path::Steps;
use ndarray::{Array1, Array2, Axis};

use crate::common::{all_images, on_every_backend, random_images};
use crate::functional::assert_mean_step;

const VISIBLE: usize = 7;
/// More than have their states listed by default are refused without them; the functions take any number.
const UNITS: usize = 5;
const TANH: usize = 3;

/// A machine or a recognition distribution in f64: W or R, b or c, U, d, G, and of a machine A and a.
#[derive(Clone)]
struct Plain {
    matrix: Array2<f64>,
    bias: Array1<f64>,
    inward: Array2<f64>,
    inner: Array1<f64>,
    outward: Array2<f64>,
    backward: Array2<f64>,
    visible_bias: Array1<f64>,
}

impl Plain {
    fn draw(seed: u64, scale: f64) -> Self {
        let mut generator = Seed(seed).generator(Stream::Parameters, 80, 0);
        // What f32 holds.
        let mut number = || f64::from((scale * normal(&mut generator)) as f32);
        Self {
            matrix: Array2::from_shape_simple_fn((VISIBLE, UNITS), &mut number),
            bias: Array1::from_shape_simple_fn(UNITS, &mut number),
            inward: Array2::from_shape_simple_fn((VISIBLE, TANH), &mut number),
            inner: Array1::from_shape_simple_fn(TANH, &mut number),
            outward: Array2::from_shape_simple_fn((TANH, UNITS), &mut number),
            backward: Array2::from_shape_simple_fn((UNITS, VISIBLE), &mut number),
            visible_bias: Array1::from_shape_simple_fn(VISIBLE, &mut number),
        }
    }

    /// In the order of `Parameters::numbers`, or of `RecognitionParameters::numbers` where A and a are left out.
    fn numbers_mut(&mut self, machine: bool) -> Vec<&mut f64> {
        let upward = self.matrix.iter_mut().chain(&mut self.bias);
        let downward = self.backward.iter_mut().chain(&mut self.visible_bias).filter(|_| machine);
        let tanh = self.inward.iter_mut().chain(&mut self.inner).chain(&mut self.outward);
        upward.chain(downward).chain(tanh).collect()
    }

    fn tanh(&self) -> TanhParameters {
        let f32s = |values: &Array2<f64>| values.mapv(|value| value as f32);
        TanhParameters {
            inward: f32s(&self.inward),
            bias: self.inner.mapv(|value| value as f32),
            outward: f32s(&self.outward),
        }
    }

    fn machine(&self) -> Parameters {
        let layers = Layers::parse(&format!("{{ kind = \"binary\", units = {UNITS} }}")).unwrap();
        Parameters {
            forward: self.matrix.mapv(|value| value as f32),
            forward_bias: self.bias.mapv(|value| value as f32),
            backward: self.backward.mapv(|value| value as f32),
            visible_bias: Some(self.visible_bias.mapv(|value| value as f32)),
            tanh: Some(self.tanh()),
            ..Parameters::of_zeros(VISIBLE, &layers)
        }
    }

    fn recognition(&self) -> RecognitionParameters {
        RecognitionParameters {
            matrix: self.matrix.mapv(|value| value as f32),
            bias: self.bias.mapv(|value| value as f32),
            tanh: Some(self.tanh()),
        }
    }

    /// The logits of units, without b: `[N, H]`.
    fn drive(&self, images: &Array2<f64>) -> Array2<f64> {
        images.dot(&self.matrix) + (images.dot(&self.inward) + &self.inner).mapv(f64::tanh).dot(&self.outward)
    }

    /// `ln p(h|x)`, `[N, 2^H]`.
    fn log_p(&self, images: &Array2<f64>) -> Array2<f64> {
        log_bernoulli(&(self.drive(images) + &self.bias), &words())
    }

    /// `ln q(x|h)`, `[N, 2^H]`.
    fn log_q(&self, images: &Array2<f64>) -> Array2<f64> {
        log_bernoulli(&(words().dot(&self.backward) + &self.visible_bias), images)
            .reversed_axes()
            .as_standard_layout()
            .into_owned()
    }
}

/// All words, the last unit the lowest bit.
fn words() -> Array2<f64> {
    Array2::from_shape_fn((1 << UNITS, UNITS), |(state, unit)| (state >> (UNITS - 1 - unit) & 1) as f64)
}

/// `ln` of the probability of each of M rows of bits given each of N rows of logits, `[N, M]`.
fn log_bernoulli(logits: &Array2<f64>, bits: &Array2<f64>) -> Array2<f64> {
    let silent = logits
        .mapv(|logit| -(1.0 + logit.exp()).ln())
        .sum_axis(Axis(1))
        .insert_axis(Axis(1));
    logits.dot(&bits.t()) + silent
}

/// Central differences of fourth order.
fn differences(plain: &Plain, machine: bool, value: impl Fn(&Plain) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-3;
    let count = plain.clone().numbers_mut(machine).len();
    let shifted = |index: usize, shift: f64| {
        let mut plain = plain.clone();
        *plain.numbers_mut(machine)[index] += shift;
        value(&plain)
    };
    crate::common::differences(count, shifted, STEP)
}

fn floats(images: &BinaryImages) -> Array2<f64> {
    images.mapv(f64::from)
}

/// With 16,384 candidates the bias is far below the error of the mean of 31 draws: of 220 numbers and three backends some |t| (30 degrees of freedom) is
/// beyond 6.5 with probability 3e-4.
#[test]
fn the_sampled_gradient_is_that_of_the_sum_over_all_words_on_every_backend() {
    let (machine, recognition) = (Plain::draw(1801, 0.7), Plain::draw(1802, 0.4));
    let (images, chains) = (random_images(1803, 3, VISIBLE), random_images(1804, 13, VISIBLE));
    let chain_words = random_images(1805, 13, UNITS);
    let log_pi = |plain: &Plain| {
        plain
            .log_p(&floats(&chains))
            .mapv(f64::exp)
            .mean_axis(Axis(0))
            .unwrap()
            .mapv(f64::ln)
    };
    let joint = |plain: &Plain| (plain.log_q(&floats(&images)) + &log_pi(plain)).mapv(f64::exp);
    let exact = differences(&machine, true, |plain| joint(plain).sum_axis(Axis(1)).mapv(f64::ln).mean().unwrap());
    let mut r = joint(&machine);
    for mut row in r.rows_mut() {
        row /= row.sum();
    }
    let toward = differences(&recognition, false, |plain| {
        let wake = (&r * &plain.log_p(&floats(&images))).sum() / images.nrows() as f64;
        let sleep = plain.drive(&floats(&chains)) + &plain.bias;
        let sleep = log_bernoulli(&sleep, &floats(&chain_words)).diag().mean().unwrap();
        wake + sleep
    });
    on_every_backend("tanh units", |numerics| {
        let draws: Vec<(Vec<f64>, Vec<f64>)> = (0..31)
            .map(|draw| {
                let draws = Seed(1806).draws(Stream::Candidates, draw, 0);
                let machine = (&machine.machine(), &recognition.recognition());
                let (gradient, recognition) = numerics.sampled_gradient(machine, &images, (&chain_words, &chains), 16_384, draws);
                let numbers = |numbers: &mut dyn Iterator<Item = &f32>| numbers.map(|&number| f64::from(number)).collect();
                (numbers(&mut gradient.numbers()), numbers(&mut recognition.numbers()))
            })
            .collect();
        let (of_machine, of_recognition): (Vec<_>, Vec<_>) = draws.into_iter().unzip();
        let backend = numerics.device().backend;
        assert_mean_step(&of_machine, &exact, &format!("{backend}, machine"));
        assert_mean_step(&of_recognition, &toward, &format!("{backend}, recognition"));
    });
    let tanh = exact.len() - TANH * (VISIBLE + 1 + UNITS);
    assert!(exact[tanh..].iter().any(|pull| pull.abs() > 0.02) && toward[VISIBLE * UNITS..].iter().any(|pull| pull.abs() > 0.02));
}

/// pi of the chain, `[2^H]`.
fn stationary(plain: &Plain) -> Array1<f64> {
    let images = floats(&all_images(VISIBLE));
    let (p, q) = (plain.log_p(&images).mapv(f64::exp), plain.log_q(&images).mapv(f64::exp));
    let kernel = q.t().dot(&p);
    let late = (0..24).fold(kernel, |power, _| power.dot(&power));
    late.row(0).to_owned() / late.row(0).sum()
}

/// The path entropy production by its definition.
fn sigma(plain: &Plain, pi: &Array1<f64>) -> f64 {
    let images = floats(&all_images(VISIBLE));
    let (log_p, log_q) = (plain.log_p(&images), plain.log_q(&images));
    let mut sigma = 0.0;
    for (log_p, log_q) in log_p.rows().into_iter().zip(log_q.rows()) {
        for (z, next) in (0..pi.len()).flat_map(|z| (0..pi.len()).map(move |next| (z, next))) {
            sigma += pi[z] * (log_q[z] + log_p[next]).exp() * (log_q[z] + log_p[next] - log_q[next] - log_p[z]);
        }
    }
    sigma
}

/// The same at a fixed distribution of the words, by the closed form.
fn produced(plain: &Plain, pi: &Array1<f64>) -> f64 {
    let images = floats(&all_images(VISIBLE));
    let q = plain.log_q(&images).mapv(f64::exp);
    let p = (plain.drive(&images) + &plain.bias).mapv(|logit| 1.0 / (1.0 + (-logit).exp()));
    let f = plain.drive(&images) - images.dot(&plain.backward.t());
    let mut sigma = 0.0;
    for (z, word) in words().rows().into_iter().enumerate() {
        let ahead = (&p - &word) * &f;
        sigma += pi[z] * q.column(z).dot(&ahead.sum_axis(Axis(1)));
    }
    sigma
}

/// 31 draws of 1,009 words from pi and images from them; some |t| of 117 numbers and three backends is beyond 6.5 with probability 2e-4.
#[test]
fn the_path_entropy_production_and_its_gradient_have_them_on_every_backend() {
    let plain = Plain::draw(1807, 0.5);
    let pi = stationary(&plain);
    let (exact, closed) = (sigma(&plain, &pi), produced(&plain, &pi));
    assert!((exact - closed).abs() < 1e-9 && exact > 0.5, "{exact} {closed}");
    let gradient = differences(&plain, true, |plain| produced(plain, &pi));
    let parameters = plain.machine();
    let model = UnitConditionals::new(&parameters);
    let words = PackedImages::pack(&words().mapv(|bit| bit as u8));
    on_every_backend("path entropy production with tanh units", |numerics| {
        let mut values = Vec::new();
        let steps: Vec<Vec<f64>> = (0..31)
            .map(|draw| {
                let mut generator = Seed(1808).generator(Stream::Generated, draw, 0);
                let states: Vec<usize> = (0..1009).map(|_| categorical(&mut generator, &pi.to_vec())).collect();
                let words = words.select(&states);
                let images = model.draw_images(&words, Seed(1808).draws(Stream::Generated, draw, 1));
                let (produced, gradient) = numerics.unit_path(&parameters, (&words.unpack(), &images.unpack()));
                // On the host, by another code.
                let steps = Steps::of(&model, &[Moment { words, images }]);
                let on_host = steps.path_entropy_production.mean().unwrap();
                assert!((on_host - produced).abs() < 1e-4 * exact, "{on_host} {produced}");
                values.push(vec![produced]);
                gradient.numbers().map(|&number| f64::from(number)).collect()
            })
            .collect();
        assert_mean_step(&values, &[exact], numerics.device().backend);
        assert_mean_step(&steps, &gradient, numerics.device().backend);
    });
}
