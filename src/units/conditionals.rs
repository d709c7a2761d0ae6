//! p(h|x) and q(x|h) of binary units on the host, without a number for each of the 2^H words h.
//!
//! Words are packed as images of H pixels. Products are in f32, as the parameters are; what is summed over pixels, words and chains is summed in f64.

use ndarray::{Array1, Array2, Axis};

use crate::data::packed::PackedImages;
use crate::kernels::visible::Thresholds;
use crate::kernels::{pixels, products};
use crate::logs::sigmoid;
use crate::model::Parameters;
use crate::model::tanh::TanhParameters;
use crate::random::Draws;

/// The two transitions of a machine with one layer of binary units.
#[derive(Clone, Debug)]
pub struct UnitConditionals {
    /// W, `[D, H]`.
    forward: Array2<f32>,
    /// b, `[H]`.
    forward_bias: Array1<f32>,
    /// A, `[H, D]`.
    backward: Array2<f32>,
    /// a, `[D]`.
    visible_bias: Array1<f32>,
    tanh: Option<TanhParameters>,
}

impl UnitConditionals {
    /// Those of a model with one layer of binary units.
    pub fn new(parameters: &Parameters) -> Self {
        let visible = parameters.visible();
        Self {
            forward: parameters.forward.as_standard_layout().into_owned(),
            forward_bias: parameters.forward_bias.clone(),
            backward: parameters.backward.as_standard_layout().into_owned(),
            visible_bias: parameters.visible_bias.clone().unwrap_or_else(|| Array1::zeros(visible)),
            tanh: parameters.tanh.clone(),
        }
    }

    /// a, `[D]`.
    pub fn visible_bias(&self) -> &Array1<f32> {
        &self.visible_bias
    }

    /// `V = W - A^T`, `[D, H]`.
    fn excess(&self) -> Array2<f32> {
        (&self.forward - &self.backward.t()).as_standard_layout().into_owned()
    }

    /// `x V`, `[N, H]`, and what tanh units add to the logits: what keeps the chain from detailed balance.
    pub fn drive(&self, images: &PackedImages) -> Array2<f32> {
        upward(images, (&self.excess(), &Array1::zeros(self.units())), self.tanh.as_ref())
    }

    /// Is the chain in detailed balance by construction: is this a Boltzmann machine?
    pub fn is_tied(&self) -> bool {
        self.tanh.is_none() && self.excess().iter().all(|excess| *excess == 0.0)
    }

    /// H.
    pub fn units(&self) -> usize {
        self.forward_bias.len()
    }

    /// D.
    pub fn visible(&self) -> usize {
        self.visible_bias.len()
    }

    /// `x W + b`, `[N, H]`, with what tanh units add.
    pub fn forward_logits(&self, images: &PackedImages) -> Array2<f32> {
        upward(images, (&self.forward, &self.forward_bias), self.tanh.as_ref())
    }

    /// `h A + a`, `[N, D]`.
    pub fn visible_logits(&self, words: &PackedImages) -> Array2<f32> {
        affine(words, &self.backward, &self.visible_bias)
    }

    /// E[x|h], `[N, D]`.
    pub fn mean_images(&self, words: &PackedImages) -> Array2<f64> {
        self.visible_logits(words).mapv(|logit| sigmoid(f64::from(logit)))
    }

    /// `h A`, `[N, D]`.
    pub fn visible_pull(&self, words: &PackedImages) -> Array2<f32> {
        affine(words, &self.backward, &Array1::zeros(self.visible()))
    }

    /// Draws `h ~ p(.|x)` of N images.
    pub fn draw_words(&self, images: &PackedImages, draws: Draws) -> PackedImages {
        draw_bits(&self.forward_logits(images), 1, draws)
    }

    /// Draws `x ~ q(.|h)` of N words.
    pub fn draw_images(&self, words: &PackedImages, draws: Draws) -> PackedImages {
        draw_bits(&self.visible_logits(words), 1, draws)
    }

    /// N words of fair bits.
    pub fn fair_words(&self, count: usize, draws: Draws) -> PackedImages {
        draw_bits(&Array2::zeros((1, self.units())), count, draws)
    }
}

/// The logits of units that images lead to, `x M + s + tanh(x U + d) G`, `[N, H]`.
pub fn upward(images: &PackedImages, (matrix, bias): (&Array2<f32>, &Array1<f32>), tanh: Option<&TanhParameters>) -> Array2<f32> {
    let logits = affine(images, matrix, bias);
    match tanh {
        None => logits,
        Some(tanh) => logits + affine(images, &tanh.inward, &tanh.bias).mapv_into(f32::tanh).dot(&tanh.outward),
    }
}

/// `x M + s`, `[N, L]`.
pub fn affine(bits: &PackedImages, table: &Array2<f32>, start: &Array1<f32>) -> Array2<f32> {
    let sums = products::affine(bits.bits(), table.view(), Some(&start.to_vec()));
    Array2::from_shape_vec((bits.len(), table.ncols()), sums).expect("a sum for every image and column")
}

/// Bits that are 1 with probabilities s(a), so many consecutive draws from each row of logits a `[N, M]`.
pub fn draw_bits(logits: &Array2<f32>, each: usize, draws: Draws) -> PackedImages {
    let (rows, columns) = logits.dim();
    let logits = logits.as_standard_layout();
    let thresholds = Thresholds::of_logits(logits.as_slice().expect("rows in their order"), columns);
    let rows: Vec<i32> = (0..(rows * each) as i32).map(|row| row / each as i32).collect();
    PackedImages::from_words(thresholds.draw(&rows, draws), columns)
}

/// `sum_i ( x_ni a_ni - ln(1 + e^a_ni) )`, `[N]`, of bits x and logits a; nats. N is the larger number of both; each of the others belongs to as many
/// consecutive rows.
pub fn log_bernoulli(bits: &PackedImages, logits: &Array2<f32>) -> Array1<f32> {
    let logits = logits.as_standard_layout();
    pixels::log_bernoulli(bits.bits(), logits.as_slice().expect("rows in their order"))
        .0
        .into()
}

/// `ln p(0|x_n) = -sum_j ln(1 + e^l_nj)`, `[N]`, of logits l `[N, H]`; nats.
pub fn log_silent(logits: &Array2<f32>) -> Array1<f32> {
    let logits = logits.as_standard_layout();
    pixels::bernoulli(logits.as_slice().expect("rows in their order"), logits.len_of(Axis(1)))
        .1
        .into()
}
