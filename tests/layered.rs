//! A model with latent layers in plain f64, written from the equations alone: what the program is compared with.

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream, normal};
use ndarray::{Array1, Array2, Axis};

/// One of each kind of layer, and deeper chains; small.
pub fn kinds() -> Vec<Layers> {
    let binary = |units| Layer::Binary { units };
    let groups = |sizes: &[usize]| Layer::Groups { sizes: sizes.to_vec() };
    let grid = |dimensions, points, range| Layer::Grid { dimensions, points, range };
    let one_hot = |states| Layer::OneHot { states };
    [
        vec![one_hot(5)],
        vec![binary(3)],
        vec![groups(&[3, 2, 5])],
        vec![grid(2, 5, 2.5)],
        vec![grid(1, 7, 3.0)],
        vec![binary(3), binary(2)],
        vec![one_hot(5), groups(&[2, 3]), grid(1, 7, 2.0)],
    ]
    .into_iter()
    .map(|layers| Layers::new(layers).unwrap())
    .collect()
}

/// A model with normal parameters.
pub fn random_layers(seed: u64, visible: usize, layers: &Layers, scale: f64) -> Parameters {
    let mut generator = Seed(seed).generator(Stream::Parameters, 78, 0);
    let zeros = Parameters::of_zeros(visible, layers);
    let count = zeros.numbers().count();
    let numbers: Vec<f64> = (0..count).map(|_| scale * normal(&mut generator)).collect();
    with_numbers(&zeros, &numbers)
}

/// A model of the same shape with other numbers, in the order of `Parameters::numbers`.
pub fn with_numbers(like: &Parameters, numbers: &[f64]) -> Parameters {
    let mut parameters = like.clone();
    let mut numbers = numbers.iter().map(|&number| number as f32);
    let mut fill = |slots: &mut dyn Iterator<Item = &mut f32>| slots.for_each(|slot| *slot = numbers.next().unwrap());
    fill(&mut parameters.forward.iter_mut());
    fill(&mut parameters.forward_bias.iter_mut());
    for between in &mut parameters.between {
        fill(&mut between.matrix.iter_mut());
        fill(&mut between.bias.iter_mut());
    }
    fill(&mut parameters.backward.iter_mut());
    fill(&mut parameters.visible_bias.iter_mut().flatten());
    assert!(numbers.next().is_none());
    parameters
}

/// C and g of a layer, state by state: the last factor runs fastest.
pub fn codes(layer: &Layer) -> (Array2<f64>, Array1<f64>) {
    let mut rows: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 0.0)];
    let factors: Vec<Vec<(Vec<f64>, f64)>> = match layer {
        Layer::OneHot { states } => vec![unit_vectors(*states)],
        Layer::Binary { units } => vec![vec![(vec![0.0], 0.0), (vec![1.0], 0.0)]; *units],
        Layer::Groups { sizes } => sizes.iter().map(|&size| unit_vectors(size)).collect(),
        Layer::Grid { dimensions, points, range } => {
            let point = |n: usize| -range + 2.0 * range * n as f64 / (points - 1) as f64;
            vec![(0..*points).map(|n| (vec![point(n)], -point(n) * point(n) / 2.0)).collect(); *dimensions]
        }
    };
    for factor in factors {
        rows = rows
            .iter()
            .flat_map(|(code, weight)| {
                let longer = |(more, g): &(Vec<f64>, f64)| ([&code[..], more].concat(), weight + g);
                factor.iter().map(longer).collect::<Vec<_>>()
            })
            .collect();
    }
    let width = rows[0].0.len();
    let flat = rows.iter().flat_map(|(code, _)| code.clone()).collect();
    (
        Array2::from_shape_vec((rows.len(), width), flat).unwrap(),
        rows.iter().map(|(_, weight)| *weight).collect(),
    )
}

fn unit_vectors(size: usize) -> Vec<(Vec<f64>, f64)> {
    let unit = |s: usize| (0..size).map(|h| f64::from(u8::from(h == s))).collect();
    (0..size).map(|s| (unit(s), 0.0)).collect()
}

/// ln softmax of every row.
pub fn log_softmax(mut logits: Array2<f64>) -> Array2<f64> {
    for mut row in logits.rows_mut() {
        let largest = row.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = row.iter().map(|a| (a - largest).exp()).sum();
        row.mapv_inplace(|a| a - largest - total.ln());
    }
    logits
}

/// The model.
#[derive(Clone)]
pub struct Layered {
    /// W and b, then V and b' of each further layer.
    pub up: Vec<(Array2<f64>, Array1<f64>)>,
    /// A.
    pub backward: Array2<f64>,
    /// a, or zeros.
    pub visible_bias: Array1<f64>,
    has_visible_bias: bool,
    /// C and g of each layer.
    pub codes: Vec<(Array2<f64>, Array1<f64>)>,
}

impl Layered {
    pub fn new(parameters: &Parameters) -> Self {
        let wide = |matrix: &Array2<f32>| matrix.mapv(f64::from);
        let mut up = vec![(wide(&parameters.forward), parameters.forward_bias.mapv(f64::from))];
        up.extend(
            parameters
                .between
                .iter()
                .map(|between| (wide(&between.matrix), between.bias.mapv(f64::from))),
        );
        Self {
            up,
            backward: wide(&parameters.backward),
            visible_bias: match &parameters.visible_bias {
                Some(bias) => bias.mapv(f64::from),
                None => Array1::zeros(parameters.visible()),
            },
            has_visible_bias: parameters.visible_bias.is_some(),
            codes: parameters.layers.all().iter().map(codes).collect(),
        }
    }

    /// All numbers, in the order of `Parameters::numbers`.
    pub fn numbers_mut(&mut self) -> Vec<&mut f64> {
        let mut numbers: Vec<&mut f64> = Vec::new();
        for (matrix, bias) in &mut self.up {
            numbers.extend(matrix.iter_mut().chain(bias));
        }
        numbers.extend(&mut self.backward);
        if self.has_visible_bias {
            numbers.extend(&mut self.visible_bias);
        }
        numbers
    }

    /// ln p(k|x), `[N, L]`, of images of 0.0 and 1.0.
    pub fn log_p(&self, images: &Array2<f64>) -> Array2<f64> {
        let logits = |input: &Array2<f64>, layer: usize| {
            let ((matrix, bias), (codes, weights)) = (&self.up[layer], &self.codes[layer]);
            log_softmax((input.dot(matrix) + bias).dot(&codes.t()) + weights)
        };
        let mut log_p = logits(images, 0);
        for layer in 1..self.up.len() {
            let kernel = logits(&self.codes[layer - 1].0, layer).mapv(f64::exp);
            log_p = log_p.mapv(f64::exp).dot(&kernel).mapv(f64::ln);
        }
        log_p
    }

    /// ln q(x|k), `[N, L]`.
    pub fn log_q(&self, images: &Array2<f64>) -> Array2<f64> {
        let table = self.table();
        let softplus = |a: f64| if a > 0.0 { a + (-a).exp().ln_1p() } else { a.exp().ln_1p() };
        images.dot(&table.t()) - table.mapv(softplus).sum_axis(Axis(1))
    }

    /// A~ = a + C A, `[L, D]`.
    pub fn table(&self) -> Array2<f64> {
        self.codes[self.codes.len() - 1].0.dot(&self.backward) + &self.visible_bias
    }

    /// The two-step objective: mean_n ln sum_k pi_k q(x_n|k) with pi_k = mean over the chains of p(k|x').
    pub fn objective(&self, images: &Array2<f64>, chains: &Array2<f64>) -> f64 {
        let pi = self.log_p(chains).mapv(f64::exp).mean_axis(Axis(0)).unwrap();
        let density = self.log_q(images).mapv(f64::exp).dot(&pi);
        density.mapv(f64::ln).mean().unwrap()
    }
}
