//! The two conditionals in f64 on the host: the arithmetic behind every figure that is reported.
//!
//! Training runs in f32 on any backend; what is written down about a model is computed here from its parameters, the same on all of
//! them.

use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use crate::data::packed::PackedImages;
use crate::kernels::products;
use crate::kernels::visible::Thresholds;
use crate::logs::{largest, logsumexp, sigmoid, softplus};
use crate::model::Parameters;
use crate::random::Draws;

/// `p(z|x)` and `q(x|z)` of one model, in log space; nats.
#[derive(Clone, Debug)]
pub struct Conditionals {
    /// W, `[D, L]`.
    forward: Array2<f64>,
    /// b, `[L]`.
    forward_bias: Array1<f64>,
    /// A, `[L, D]`.
    backward: Array2<f64>,
    /// `-sum_i ln(1 + exp(A_ki))`, `[L]`: ln q of the dark image.
    log_dark: Array1<f64>,
    /// `s(A_ki)`, `[L, D]`: the mean image of each state.
    means: Array2<f64>,
    thresholds: Thresholds,
}

impl Conditionals {
    /// The conditionals of the model with these parameters.
    pub fn new(parameters: &Parameters) -> Self {
        // In rows, whatever the order that they came in: what sums over rows reads them as slices.
        let [forward, backward] = [&parameters.forward, &parameters.backward].map(|matrix| matrix.as_standard_layout().mapv(f64::from));
        let means = backward.mapv(sigmoid);
        Self {
            forward,
            forward_bias: parameters.forward_bias.mapv(f64::from),
            log_dark: backward.map_axis(Axis(1), |row| -row.iter().copied().map(softplus).sum::<f64>()),
            thresholds: Thresholds::of_probabilities(&means.iter().copied().collect::<Vec<f64>>(), means.ncols()),
            means,
            backward,
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

    /// W, `[D, L]`.
    pub fn forward(&self) -> &Array2<f64> {
        &self.forward
    }

    /// b, `[L]`.
    pub fn forward_bias(&self) -> &Array1<f64> {
        &self.forward_bias
    }

    /// A, `[L, D]`.
    pub fn backward(&self) -> &Array2<f64> {
        &self.backward
    }

    /// `s(A_ki)`, the mean image of each latent state, `[L, D]`.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// `sum_i x_i W_ik + b_k` of N images, `[N, L]`: ln p(z=k | x) up to its normalizer.
    pub fn forward_logits(&self, images: &PackedImages) -> Array2<f64> {
        affine(images, &self.forward, &self.forward_bias)
    }

    /// `ln p(z=k | x)` of N images, `[N, L]`.
    pub fn log_forward(&self, images: &PackedImages) -> Array2<f64> {
        let mut logits = self.forward_logits(images);
        for mut row in logits.rows_mut() {
            // In two steps, so that huge logits do not cost the probabilities their digits.
            row -= largest(row.iter().copied());
            row -= logsumexp(row.view());
        }
        logits
    }

    /// `ln q(x | z=k)` of N images, `[N, L]`.
    pub fn log_backward(&self, images: &PackedImages) -> Array2<f64> {
        affine(images, &self.backward.t(), &self.log_dark)
    }

    /// Draws an image from `q(.|z)` for each of some states, with probabilities to the nearest 2^-32.
    pub fn draw(&self, states: &[i32], draws: Draws) -> PackedImages {
        PackedImages::from_words(self.thresholds.draw(states, draws), self.visible())
    }
}

/// `x M + s`, `[N, L]`.
pub fn affine<S: Data<Elem = f64>>(images: &PackedImages, table: &ArrayBase<S, Ix2>, start: &Array1<f64>) -> Array2<f64> {
    let sums = products::affine(images.bits(), table.view(), Some(&start.to_vec()));
    Array2::from_shape_vec((images.len(), table.ncols()), sums).expect("a sum for every image and state")
}
