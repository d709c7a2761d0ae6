//! The two conditionals in f64 on the host: the arithmetic behind every figure that is reported.
//!
//! Training runs in f32 on any backend; what is written down about a model is computed here from its parameters, the same on all of
//! them. An image is taken as the list of its lit pixels, so that both conditionals are sums of rows.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand::Rng;

use crate::data::BinaryImages;
use crate::model::Parameters;
use crate::random::uniform_f64;

/// `p(z|x)` and `q(x|z)` of one model, in log space; nats.
#[derive(Clone, Debug)]
pub struct Conditionals {
    /// W, `[D, L]`.
    forward: Array2<f64>,
    /// b, `[L]`.
    forward_bias: Array1<f64>,
    /// A transposed, `[D, L]`: what a lit pixel adds to ln q.
    backward: Array2<f64>,
    /// `-sum_i ln(1 + exp(A_ki))`, `[L]`: ln q of the dark image.
    log_dark: Array1<f64>,
    /// `s(A_ki)`, `[L, D]`: the mean image of each state.
    means: Array2<f64>,
}

impl Conditionals {
    /// Takes over a model's parameters.
    pub fn new(parameters: &Parameters) -> Self {
        let backward = parameters.backward.mapv(f64::from);
        Self {
            forward: parameters.forward.mapv(f64::from),
            forward_bias: parameters.forward_bias.mapv(f64::from),
            log_dark: backward.map_axis(Axis(1), |row| -row.iter().copied().map(softplus).sum::<f64>()),
            means: backward.mapv(sigmoid),
            backward: backward.reversed_axes().as_standard_layout().into_owned(),
        }
    }

    /// D, the number of pixels.
    pub fn visible(&self) -> usize {
        self.forward.nrows()
    }

    /// L, the number of latent states.
    pub fn latent(&self) -> usize {
        self.forward.ncols()
    }

    /// `s(A_ki)`, the mean image of each latent state, `[L, D]`.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// `ln p(z=k | x)`, `[L]`, of the image with these lit pixels.
    pub fn log_forward(&self, lit: &[usize]) -> Array1<f64> {
        let logits = sum_of_rows(&self.forward, self.forward_bias.view(), lit);
        let normalization = log_sum_exp(logits.view());
        logits - normalization
    }

    /// `ln q(x | z=k)`, `[L]`, of the image with these lit pixels.
    pub fn log_backward(&self, lit: &[usize]) -> Array1<f64> {
        sum_of_rows(&self.backward, self.log_dark.view(), lit)
    }

    /// Draws an image from `q(.|state)`, as the list of its lit pixels.
    pub fn draw(&self, state: usize, generator: &mut impl Rng, lit: &mut Vec<usize>) {
        lit.clear();
        for (pixel, &mean) in self.means.row(state).iter().enumerate() {
            if uniform_f64(generator) < mean {
                lit.push(pixel);
            }
        }
    }
}

/// The lit pixels of one image of 0s and 1s.
pub fn lit_pixels(image: ArrayView1<u8>) -> Vec<usize> {
    image
        .iter()
        .enumerate()
        .filter_map(|(pixel, &value)| (value != 0).then_some(pixel))
        .collect()
}

/// The lit pixels of every image.
pub fn lit_lists(images: &BinaryImages) -> Vec<Vec<usize>> {
    images.rows().into_iter().map(lit_pixels).collect()
}

/// `ln sum_k exp(a_k)`.
pub fn log_sum_exp(a: ArrayView1<f64>) -> f64 {
    let largest = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + a.iter().map(|a| (a - largest).exp()).sum::<f64>().ln()
}

/// `ln(e^a + e^b)`.
pub fn log_add(a: f64, b: f64) -> f64 {
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY {
        return large;
    }
    large + (small - large).exp().ln_1p()
}

fn sum_of_rows(matrix: &Array2<f64>, start: ArrayView1<f64>, rows: &[usize]) -> Array1<f64> {
    let mut sum = start.to_owned();
    for &row in rows {
        sum += &matrix.row(row);
    }
    sum
}

/// `1 / (1 + exp(-a))`.
fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

/// `ln(1 + exp(a))`.
fn softplus(a: f64) -> f64 {
    a.max(0.0) + (-a.abs()).exp().ln_1p()
}
