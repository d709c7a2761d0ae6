//! The parameters of a model on the host: what records and files of other programs hold.

use ndarray::{Array1, Array2};

use super::tanh::{self, TanhParameters};
use crate::codes::{Codes, Layer, Layers};

/// The parameters of a [`Model`](super::Model) on the host, in the f32 that records hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The latent layers.
    pub layers: Layers,
    /// W, `[D, H]`.
    pub forward: Array2<f32>,
    /// b, `[H]`.
    pub forward_bias: Array1<f32>,
    /// From each latent layer to the next.
    pub between: Vec<BetweenParameters>,
    /// A, `[H, D]`.
    pub backward: Array2<f32>,
    /// a, `[D]`, where A does not hold it.
    pub visible_bias: Option<Array1<f32>>,
    /// g, `[L]`, where it is not the codes' own.
    pub log_weights: Option<Array1<f32>>,
    /// tanh units beside W, of units whose states are not listed.
    pub tanh: Option<TanhParameters>,
}

/// The transition from a latent layer to the next one, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct BetweenParameters {
    /// V, `[H, H']`.
    pub matrix: Array2<f32>,
    /// b', `[H']`.
    pub bias: Array1<f32>,
}

impl Parameters {
    /// One one-hot layer: W `[D, L]`, b `[L]` and A `[L, D]`.
    pub fn one_hot(forward: Array2<f32>, forward_bias: Array1<f32>, backward: Array2<f32>) -> Self {
        Self {
            layers: Layers::one_hot(forward.ncols()),
            forward,
            forward_bias,
            between: Vec::new(),
            backward,
            visible_bias: None,
            log_weights: None,
            tanh: None,
        }
    }

    /// All zeros, with one one-hot layer.
    pub fn zeros(visible: usize, latent: usize) -> Self {
        Self::of_zeros(visible, &Layers::one_hot(latent))
    }

    /// All zeros: the shape of something that lies beside every parameter, such as an optimizer's moments.
    pub fn of_zeros(visible: usize, layers: &Layers) -> Self {
        let widths: Vec<usize> = layers.all().iter().map(Layer::width).collect();
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        Self {
            layers: layers.clone(),
            forward: Array2::zeros((visible, first)),
            forward_bias: Array1::zeros(first),
            between: widths
                .windows(2)
                .map(|widths| BetweenParameters {
                    matrix: Array2::zeros((widths[0], widths[1])),
                    bias: Array1::zeros(widths[1]),
                })
                .collect(),
            backward: Array2::zeros((last, visible)),
            visible_bias: (!layers.last().spans_constant()).then(|| Array1::zeros(visible)),
            log_weights: None,
            tanh: None,
        }
    }

    /// All zeros, of the same shape but for log-weights, which no optimizer moves.
    pub fn zeros_like(&self) -> Self {
        Self {
            tanh: self.tanh.as_ref().map(TanhParameters::zeros_like),
            ..Self::of_zeros(self.visible(), &self.layers)
        }
    }

    /// T, the number of tanh units.
    pub fn tanh_units(&self) -> usize {
        self.tanh.as_ref().map_or(0, TanhParameters::count)
    }

    /// D, the number of pixels.
    pub fn visible(&self) -> usize {
        self.forward.nrows()
    }

    /// L, the number of latent states (of the last layer).
    pub fn latent(&self) -> usize {
        self.layers.last().states()
    }

    /// `A~ = a + C A`, `[L, D]`: the logit of each pixel given a latent state.
    pub fn backward_table(&self) -> Array2<f64> {
        let backward = self.backward.as_standard_layout().mapv(f64::from);
        if self.layers.last().is_one_hot() {
            return backward;
        }
        let table = Codes::of(self.layers.last()).spread_columns(&backward);
        match &self.visible_bias {
            Some(bias) => table + bias.mapv(f64::from),
            None => table,
        }
    }

    /// All numbers, array by array.
    pub fn numbers(&self) -> impl Iterator<Item = &f32> {
        let between = self.between.iter().flat_map(|between| between.matrix.iter().chain(&between.bias));
        let biases = self.visible_bias.iter().chain(&self.log_weights).flatten();
        let tanh = self.tanh.iter().flat_map(TanhParameters::numbers);
        self.forward
            .iter()
            .chain(&self.forward_bias)
            .chain(between)
            .chain(&self.backward)
            .chain(biases)
            .chain(tanh)
    }

    /// Do the arrays have the shapes that the layers and D ask for?
    pub fn is_consistent(&self) -> bool {
        let expected = shapes(self.visible(), &self.layers, self.log_weights.is_some(), self.tanh_units());
        let fits = |(array, (name, shape)): (&Array, &(String, Vec<usize>))| array.name == *name && array.shape == *shape;
        let arrays = self.arrays();
        arrays.len() == expected.len() && arrays.iter().zip(&expected).all(fits)
    }

    /// All arrays by name: those of [`shapes`].
    pub fn arrays(&self) -> Vec<Array<'_>> {
        let mut arrays = vec![matrix("forward", &self.forward), vector("forward_bias", &self.forward_bias)];
        for (number, between) in self.between.iter().enumerate() {
            arrays.push(matrix(&between_name(number), &between.matrix));
            arrays.push(vector(&format!("{}_bias", between_name(number)), &between.bias));
        }
        arrays.push(matrix("backward", &self.backward));
        arrays.extend(self.visible_bias.iter().map(|bias| vector("visible_bias", bias)));
        arrays.extend(self.log_weights.iter().map(|log_weights| vector("log_weights", log_weights)));
        arrays.extend(self.tanh.iter().flat_map(|tanh| tanh.arrays("")));
        arrays
    }

    /// Is every number finite?
    pub fn is_finite(&self) -> bool {
        self.numbers().all(|value| value.is_finite())
    }
}

/// An array of a model, by its name in files.
pub struct Array<'a> {
    /// As in [`shapes`].
    pub name: String,
    /// One size or two.
    pub shape: Vec<usize>,
    /// Row by row.
    pub numbers: Box<dyn Iterator<Item = &'a f32> + 'a>,
}

pub(super) fn matrix<'a>(name: &str, values: &'a Array2<f32>) -> Array<'a> {
    Array {
        name: name.to_owned(),
        shape: values.shape().to_vec(),
        numbers: Box::new(values.iter()),
    }
}

pub(super) fn vector<'a>(name: &str, values: &'a Array1<f32>) -> Array<'a> {
    Array {
        name: name.to_owned(),
        shape: values.shape().to_vec(),
        numbers: Box::new(values.iter()),
    }
}

/// The names and shapes of a model's arrays: `forward` `[D, H]`, `forward_bias` `[H]`, of deeper chains `between_1` `[H, H']` and `between_1_bias`
/// `[H']` and so on, `backward` `[H, D]`, `visible_bias` `[D]` where A does not hold it, `log_weights` `[L]` where they are free, and of T tanh units `tanh_inward` `[D, T]`,
/// `tanh_bias` `[T]` and `tanh_outward` `[T, H]`.
pub fn shapes(visible: usize, layers: &Layers, free_log_weights: bool, tanh: usize) -> Vec<(String, Vec<usize>)> {
    let widths: Vec<usize> = layers.all().iter().map(Layer::width).collect();
    let last = widths[widths.len() - 1];
    let mut shapes = vec![
        ("forward".to_owned(), vec![visible, widths[0]]),
        ("forward_bias".to_owned(), vec![widths[0]]),
    ];
    for (number, pair) in widths.windows(2).enumerate() {
        shapes.push((between_name(number), pair.to_vec()));
        shapes.push((format!("{}_bias", between_name(number)), vec![pair[1]]));
    }
    shapes.push(("backward".to_owned(), vec![last, visible]));
    if !layers.last().spans_constant() {
        shapes.push(("visible_bias".to_owned(), vec![visible]));
    }
    if free_log_weights {
        shapes.push(("log_weights".to_owned(), vec![layers.states()]));
    }
    if tanh > 0 {
        let sizes = [vec![visible, tanh], vec![tanh], vec![tanh, widths[0]]];
        shapes.extend(tanh::names("").into_iter().zip(sizes));
    }
    shapes
}

/// The matrix from the latent layer of a number, the first being 0, to the next.
pub fn between_name(number: usize) -> String {
    format!("between_{}", number + 1)
}
