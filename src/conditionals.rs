//! The two conditionals in f64 on the host: the arithmetic behind every figure that is reported.
//!
//! Training runs in f32 on any backend; what is written down about a model is computed here from its parameters, the same on all of
//! them.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Axis, Data, Ix2, Zip};

use crate::codes::Codes;
use crate::data::packed::PackedImages;
use crate::kernels::products;
use crate::kernels::visible::Thresholds;
use crate::logs::{largest, log_softmax_rows, sigmoid, softmax_rows, softplus};
use crate::model::Parameters;
use crate::random::Draws;

/// `p(z|x)` and `q(x|z)` of one model, in log space; nats. z is a state of the last latent layer, one of L.
#[derive(Clone, Debug)]
pub struct Conditionals {
    /// W and b, `[D, H]` and `[H]`, and the codes that they act on.
    up: Logits,
    /// A^T and zeros, `[D, H]` and `[H]`, and the codes that act on A.
    down: Logits,
    /// a, `[D, 1]`, where there is one.
    visible_bias: Option<Array2<f64>>,
    /// g, `[L]`, of a machine in equilibrium whose weights are free.
    log_weights: Option<Array1<f64>>,
    /// M, `[L, L']`, from each latent layer to the next.
    between: Vec<Array2<f64>>,
    /// `V = W - A^T`, `[D, H]`, where one layer's codes have both; see [`Conditionals::path_ratios`].
    drive: Option<Array2<f64>>,
    /// `W~ = W C^T`, `[D, L]`, of a first layer with structure: made when it is asked for, which is for tilts alone.
    forward: OnceLock<Array2<f64>>,
    /// `b~ = C b + g`, `[L]`, of the first layer.
    forward_bias: Array1<f64>,
    /// `A~ = a + C A`, `[L, D]`.
    backward: Array2<f64>,
    /// `-sum_i ln(1 + exp(A~_ki))`, `[L]`: ln q of the dark image.
    log_dark: Array1<f64>,
    /// `s(A~_ki)`, `[L, D]`: the mean image of each state.
    means: Array2<f64>,
    thresholds: Thresholds,
}

/// What images give the logits of codes.
#[derive(Clone, Debug)]
struct Logits {
    matrix: Array2<f64>,
    bias: Array1<f64>,
    codes: Codes,
}

impl Logits {
    /// `x M + s` of N images, `[N, H]`.
    fn of(&self, images: &PackedImages) -> Array2<f64> {
        affine(images, &self.matrix, &self.bias)
    }
}

/// What N images say of the codes before and after them.
pub struct Sights {
    /// `x W`, `[N, H]`.
    pub up: Array2<f64>,
    /// `x A^T`, `[N, H']`.
    pub down: Array2<f64>,
    /// The mean code of the first latent layer, given x, `[N, H]`.
    pub first: Array2<f64>,
    /// That of the last, `[N, H']`.
    pub last: Array2<f64>,
    /// `p(z|x)` of the first latent layer, `[N, L]`, where it is not the last.
    pub states: Option<Array2<f64>>,
}

impl Conditionals {
    /// The conditionals of the model with these parameters.
    pub fn new(parameters: &Parameters) -> Self {
        // In rows, whatever the order that they came in: what sums over rows reads them as slices.
        let [forward, backward] = [&parameters.forward, &parameters.backward].map(|matrix| matrix.as_standard_layout().mapv(f64::from));
        let up = Logits {
            codes: Codes::of(parameters.layers.first()),
            bias: parameters.forward_bias.mapv(f64::from),
            matrix: forward,
        };
        let down = Logits {
            codes: Codes::of(parameters.layers.last()),
            bias: Array1::zeros(backward.nrows()),
            matrix: backward.t().as_standard_layout().into_owned(),
        };
        let table = parameters.backward_table();
        let means = table.mapv(sigmoid);
        let log_weights = parameters.log_weights.as_ref().map(|log_weights| log_weights.mapv(f64::from));
        let first_log_weights = log_weights.clone().unwrap_or_else(|| up.codes.log_weights());
        let one_layer = parameters.between.is_empty() && !up.codes.is_one_hot();
        Self {
            drive: one_layer.then(|| &up.matrix - &down.matrix),
            forward: OnceLock::new(),
            forward_bias: up.codes.spread_rows(up.bias.clone().insert_axis(Axis(0))).remove_axis(Axis(0)) + first_log_weights,
            visible_bias: parameters
                .visible_bias
                .as_ref()
                .map(|bias| bias.mapv(f64::from).insert_axis(Axis(1))),
            log_weights,
            between: between(parameters),
            log_dark: table.map_axis(Axis(1), |row| -row.iter().copied().map(softplus).sum::<f64>()),
            thresholds: Thresholds::of_probabilities(&means.iter().copied().collect::<Vec<f64>>(), means.ncols()),
            means,
            backward: table,
            up,
            down,
        }
    }

    /// D, the number of pixels.
    pub fn visible(&self) -> usize {
        self.backward.ncols()
    }

    /// L, the number of latent states.
    pub fn latent(&self) -> usize {
        self.backward.nrows()
    }

    /// Is there one latent layer, of one-hot states?
    pub fn is_one_hot(&self) -> bool {
        self.up.codes.is_one_hot() && self.has_logits()
    }

    /// Is p(z|x) a softmax of logits that are linear in x? Not in a deeper chain.
    pub fn has_logits(&self) -> bool {
        self.between.is_empty()
    }

    /// `W~ = W C^T`, `[D, L]`, of the first latent layer.
    pub fn forward(&self) -> &Array2<f64> {
        let Logits { matrix, codes, .. } = &self.up;
        if codes.is_one_hot() {
            return matrix;
        }
        self.forward.get_or_init(|| codes.spread_rows(matrix.clone()))
    }

    /// `b~ = C b + g`, `[L]`, of the first latent layer.
    pub fn forward_bias(&self) -> &Array1<f64> {
        &self.forward_bias
    }

    /// `A~ = a + C A`, `[L, D]`.
    pub fn backward(&self) -> &Array2<f64> {
        &self.backward
    }

    /// `s(A~_ki)`, the mean image of each latent state, `[L, D]`.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// `c_k . (x W + b) + g_k` of N images, `[N, L]`, for the states of the first latent layer: ln p(z=k | x) up to its normalizer.
    pub fn forward_logits(&self, images: &PackedImages) -> Array2<f64> {
        let logits = self.up.codes.spread_rows(self.up.of(images));
        match &self.log_weights {
            Some(log_weights) => logits + log_weights,
            None if self.up.codes.is_one_hot() => logits,
            None => logits + self.up.codes.log_weights(),
        }
    }

    /// `ln p(z=k | x)` of N images, `[N, L]`.
    pub fn log_forward(&self, images: &PackedImages) -> Array2<f64> {
        let mut log_p = if self.log_weights.is_some() {
            log_softmax_rows(self.forward_logits(images))
        } else {
            self.up.codes.log_softmax_rows(self.up.of(images))
        };
        for kernel in &self.between {
            // Relative to the most likely state, so that what is summed cannot all underflow.
            let largest = log_p.map_axis(Axis(1), |row| largest(row.iter().copied())).insert_axis(Axis(1));
            let p = (log_p - &largest).mapv_into(f64::exp);
            log_p = p.dot(kernel).mapv_into(|p| p.max(f64::MIN_POSITIVE).ln()) + &largest;
        }
        log_p
    }

    /// `ln q(x | z=k)` of N images, `[N, L]`.
    pub fn log_backward(&self, images: &PackedImages) -> Array2<f64> {
        if self.down.codes.is_one_hot() {
            return affine(images, &self.down.matrix, &self.log_dark);
        }
        let log_q = self.down.codes.spread_rows(self.down.of(images)) + &self.log_dark;
        match &self.visible_bias {
            Some(bias) => log_q + affine(images, bias, &Array1::zeros(1)),
            None => log_q,
        }
    }

    /// Sums over images drawn from a state z: of `p(z=k | x_n)`, `[L]`, for the states of the first latent layer, where what is below e^-700 may be lost;
    /// and of [`Conditionals::path_ratios`].
    pub fn sums_from(&self, state: usize, images: &PackedImages) -> (Array1<f64>, f64) {
        let codes = &self.up.codes;
        let next = self.next_states(&self.up.of(images));
        let path = match &self.drive {
            Some(drive) => self.driven(drive, state, images, next.mean_codes(codes)),
            None => self.path_ratios(state, images),
        };
        (next.sum(codes), path.sum())
    }

    /// `( sum_k p(k|x) c_k - c_z ) . V^T x`, `[N]`, given the mean codes, `[N, H]`.
    fn driven(&self, drive: &Array2<f64>, state: usize, images: &PackedImages, mean_codes: Array2<f64>) -> Array1<f64> {
        let driven = affine(images, drive, &Array1::zeros(drive.ncols()));
        let steps = mean_codes - self.up.codes.code(state);
        (steps * driven).sum_axis(Axis(1))
    }

    /// `p(z|x)` of the first latent layer, given `x W + b`.
    fn next_states(&self, logits: &Array2<f64>) -> NextStates {
        let codes = &self.up.codes;
        match &self.log_weights {
            Some(log_weights) => NextStates::OfStates(softmax_rows(codes.spread_rows(logits.clone()) + log_weights)),
            None => NextStates::OfValues(codes.value_softmax(logits)),
        }
    }

    /// What some images say of the codes before and after them. `onward` is the mean code of the last layer given each state of the first, `[L, H']`,
    /// where these are not one layer.
    pub fn sights(&self, images: &PackedImages, onward: Option<&Array2<f64>>) -> Sights {
        let driven = |Logits { matrix, .. }: &Logits| affine(images, matrix, &Array1::zeros(matrix.ncols()));
        let (up, down) = (driven(&self.up), driven(&self.down));
        let logits = &up + &self.up.bias;
        let codes = &self.up.codes;
        let Some(onward) = onward else {
            let first = self.next_states(&logits).mean_codes(codes);
            let last = first.clone();
            return Sights {
                up,
                down,
                first,
                last,
                states: None,
            };
        };
        let states = codes.log_softmax_rows(logits.clone()).mapv_into(f64::exp);
        Sights {
            first: codes.mean_codes(&codes.value_softmax(&logits)),
            last: states.dot(onward),
            states: Some(states),
            up,
            down,
        }
    }

    /// M, `[L, L']`, from each latent layer to the next.
    pub fn between(&self) -> &[Array2<f64>] {
        &self.between
    }

    /// H of the first latent layer.
    pub fn first_width(&self) -> usize {
        self.up.codes.width()
    }

    /// L of the first latent layer.
    pub fn first_latent(&self) -> usize {
        self.forward_bias.len()
    }

    /// What the way from a state z over each of some images adds to the path's entropy production, averaged over the next state z', `[N]`, nats: with
    ///
    /// ```text
    /// P = q(x|z) p(z'|x),  Q = q(x|z') p(z|x):     E_z'[ ln P/Q ]  =  sum_k p(k|x) ( c_k - c_z ) . V^T x  +  f(z) - E_z'[ f(z') ],     V = W - A^T
    /// ```
    ///
    /// where the part f, a function of the states alone, has mean zero in the steady state. One layer of codes leaves it out, which needs no number
    /// for every state; one-hot states and deeper chains have all of it.
    pub fn path_ratios(&self, state: usize, images: &PackedImages) -> Array1<f64> {
        let Some(drive) = &self.drive else {
            let (log_forward, log_backward) = (self.log_forward(images), self.log_backward(images));
            let rows = log_forward.rows().into_iter().zip(log_backward.rows());
            return rows
                .map(|(log_p, log_q)| log_q[state] - log_p[state] - expected_ratio(log_p, log_q))
                .collect();
        };
        let next = self.next_states(&self.up.of(images));
        self.driven(drive, state, images, next.mean_codes(&self.up.codes))
    }

    /// Draws an image from `q(.|z)` for each of some states, with probabilities to the nearest 2^-32.
    pub fn draw(&self, states: &[i32], draws: Draws) -> PackedImages {
        PackedImages::from_words(self.thresholds.draw(states, draws), self.visible())
    }
}

/// `p(z|x)` of N images.
enum NextStates {
    /// Of every state, `[N, L]`.
    OfStates(Array2<f64>),
    /// Of every value of factors that are independent given x, `[N, V]`.
    OfValues(Array2<f64>),
}

impl NextStates {
    /// The sum over images, `[L]`.
    fn sum(&self, codes: &Codes) -> Array1<f64> {
        match self {
            Self::OfStates(p) => p.sum_axis(Axis(0)),
            Self::OfValues(p) => codes.sum_of_products(p),
        }
    }

    /// `sum_k p(k|x) c_k`, `[N, H]`.
    fn mean_codes(&self, codes: &Codes) -> Array2<f64> {
        match self {
            Self::OfStates(p) => codes.gather_rows(p),
            Self::OfValues(p) => codes.mean_codes(p),
        }
    }
}

/// `sum_k p(k|x) ( ln q(x|k) - ln p(k|x) )`: the part of the path's log ratio that the next state makes, averaged over it.
pub fn expected_ratio(log_p: ArrayView1<f64>, log_q: ArrayView1<f64>) -> f64 {
    Zip::from(&log_p)
        .and(&log_q)
        .fold(0.0, |sum, log_p, log_q| sum + log_p.exp() * (log_q - log_p))
}

/// `x M + s`, `[N, L]`.
pub fn affine<S: Data<Elem = f64>>(images: &PackedImages, table: &ArrayBase<S, Ix2>, start: &Array1<f64>) -> Array2<f64> {
    let sums = products::affine(images.bits(), table.view(), Some(&start.to_vec()));
    Array2::from_shape_vec((images.len(), table.ncols()), sums).expect("a sum for every image and state")
}

/// `M(k|j) = softmax_k( c_k . (c_j V + b') + g_k )`, `[L, L']`, from each latent layer to the next.
fn between(parameters: &Parameters) -> Vec<Array2<f64>> {
    let layers: Vec<Codes> = parameters.layers.all().iter().map(Codes::of).collect();
    let kernels = layers.windows(2).zip(&parameters.between).map(|(layers, between)| {
        let logits = layers[0].spread_columns(&between.matrix.mapv(f64::from)) + between.bias.mapv(f64::from);
        layers[1].log_softmax_rows(logits).mapv_into(f64::exp)
    });
    kernels.collect()
}
