//! The model: two independent transition matrices between a binary image and a latent state.

mod parameters;
pub mod recognition;
pub mod tanh;
pub mod units;

use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use ndarray::{Array1, Array2};

pub use self::parameters::{Array, BetweenParameters, Parameters, between_name, shapes};
use self::tanh::{Tanh, Upward};
use crate::codes::Layers;
use crate::ops::codes::{DeviceCodes, Factors, StateLogs};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::Draws;

/// A two-layer Markov chain `... x -> z -> x' -> z' ...` over D binary pixels and L latent states (arXiv:2512.11415), whose matrices act on the
/// codes of the states, rows of C `[L, H]`; see [`crate::codes`].
///
/// ```text
/// forward    p(z=k | x) = softmax_k( c_k . (x W + b) + g_k )
/// backward   q(x | z=k) = prod_i s(A~_ki)^x_i (1 - s(A~_ki))^(1 - x_i),      A~ = a + C A,      s(a) = 1 / (1 + exp(-a))
/// ```
///
/// The two matrices are independent: nothing makes p the Bayes posterior of q, so the chain need not be reversible. With one-hot states C is the
/// identity, H = L, and there is no a, which would be redundant: a row of A already holds it.
///
/// A deeper chain `x -> z_1 -> z_2 -> x'` has a matrix between each two latent layers, which acts on the codes of both:
///
/// ```text
/// M(z_2=k | z_1=j) = softmax_k( c_k . (c_j V + b_2) + g_k )
/// ```
#[derive(Module, Debug)]
pub struct Model<B: Backend> {
    /// W, `[D, H]`: what a lit pixel adds to each logit of the (first) latent layer.
    pub forward: Param<Tensor<B, 2>>,
    /// b, `[H]`: the logits of that layer given a dark image.
    pub forward_bias: Param<Tensor<B, 1>>,
    /// From each latent layer to the next, if there are several. (burn loads a record that lacks an optional part.)
    pub between: Option<Vec<Between<B>>>,
    /// A, `[H, D]`: what the codes of the (last) latent layer add to the logit of each pixel.
    pub backward: Param<Tensor<B, 2>>,
    /// a, `[D]`: the logit of each pixel for a code of zeros, where no code holds it.
    pub visible_bias: Option<Param<Tensor<B, 1>>>,
    /// g, `[L]`, of a machine in equilibrium whose weights are free; otherwise g is fixed by the codes.
    pub log_weights: Option<Param<Tensor<B, 1>>>,
    /// tanh units beside W, of units whose states are not listed.
    pub tanh: Option<Tanh<B>>,
    /// C of each latent layer whose states are listed.
    #[module(skip)]
    pub codes: Vec<DeviceCodes<B>>,
    /// What the latent layers are.
    #[module(skip)]
    pub layers: Layers,
}

/// The transition from a latent layer to the next one.
#[derive(Module, Debug)]
pub struct Between<B: Backend> {
    /// V, `[H, H']`.
    pub matrix: Param<Tensor<B, 2>>,
    /// b', `[H']`.
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Model<B> {
    /// The transitions from each latent layer to the next.
    pub fn between(&self) -> &[Between<B>] {
        self.between.as_deref().unwrap_or_default()
    }

    /// Puts host parameters on a device.
    pub fn new(parameters: &Parameters, device: &B::Device) -> Self {
        // Fixed ids: records of one model, made anywhere, are the same bytes.
        let id = |number: usize| ParamId::from(number as u64);
        let optional = |number, values: &Option<Array1<f32>>| {
            let values = values.as_ref()?;
            Some(Param::initialized(id(number), vector(values, device)))
        };
        Self {
            forward: Param::initialized(id(1), matrix(&parameters.forward, device)),
            forward_bias: Param::initialized(id(2), vector(&parameters.forward_bias, device)),
            backward: Param::initialized(id(3), matrix(&parameters.backward, device)),
            visible_bias: optional(4, &parameters.visible_bias),
            log_weights: optional(5, &parameters.log_weights),
            between: (!parameters.between.is_empty()).then(|| {
                let between = parameters.between.iter().enumerate().map(|(number, between)| Between {
                    matrix: Param::initialized(id(6 + 2 * number), matrix(&between.matrix, device)),
                    bias: Param::initialized(id(7 + 2 * number), vector(&between.bias, device)),
                });
                between.collect()
            }),
            tanh: (parameters.tanh.as_ref()).map(|tanh| Tanh::new(tanh, 101, device)),
            codes: parameters
                .layers
                .all()
                .iter()
                .filter(|layer| layer.is_listed())
                .map(|layer| DeviceCodes::new(layer, device))
                .collect(),
            layers: parameters.layers.clone(),
        }
    }

    /// The parameters, back on the host.
    pub fn parameters(&self) -> Parameters {
        let optional = |values: &Option<Param<Tensor<B, 1>>>| values.as_ref().map(|values| to_vector(values.val()));
        Parameters {
            layers: self.layers.clone(),
            forward: to_matrix(self.forward.val()),
            forward_bias: to_vector(self.forward_bias.val()),
            between: (self.between().iter())
                .map(|between| BetweenParameters {
                    matrix: to_matrix(between.matrix.val()),
                    bias: to_vector(between.bias.val()),
                })
                .collect(),
            backward: to_matrix(self.backward.val()),
            visible_bias: optional(&self.visible_bias),
            log_weights: optional(&self.log_weights),
            tanh: self.tanh.as_ref().map(Tanh::parameters),
        }
    }
}

/// `ln p` of every latent layer given some images, and the `ln M` between them; nats.
pub struct LogForward<B: ChainBackend> {
    /// `ln p(z=k | x)` of the first layer, the second, ..., `[N, L]` each.
    pub of_layers: Vec<StateLogs<B>>,
    /// `ln M(k|j)` from each layer to the next, `[L, L']`.
    pub between: Vec<Tensor<B, 2>>,
}

impl<B: ChainBackend> LogForward<B> {
    /// `ln p(z=k | x)` of the last layer.
    pub fn last(&self) -> &StateLogs<B> {
        &self.of_layers[self.of_layers.len() - 1]
    }
}

impl<B: ChainBackend> Model<B> {
    /// `x W + b`, `[N, H]`, with what tanh units add: the logits of the first latent layer.
    pub fn forward_logits(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        self.upward(images).logits
    }

    /// The same with what its gradient needs.
    pub fn upward(&self, images: &DeviceImages<B>) -> Upward<B> {
        Upward::of(images, (self.forward.val(), self.forward_bias.val()), self.tanh.as_ref())
    }

    /// `ln p(z=k | x)`, `[N, L]`; nats.
    pub fn log_forward(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        self.log_forward_of_layers(images).last().full()
    }

    /// As [`Model::log_forward`], of every layer: `p(z_2|x) = sum_z_1 p(z_1|x) M(z_2|z_1)`.
    pub fn log_forward_of_layers(&self, images: &DeviceImages<B>) -> LogForward<B> {
        let mut of_layers = vec![self.log_forward_to_first(images)];
        let between = self.log_between();
        for log_m in &between {
            let p = of_layers[of_layers.len() - 1].full().exp();
            let next = B::dense(p, log_m.clone().exp()).clamp_min(f32::MIN_POSITIVE).log();
            of_layers.push(StateLogs::Plain(next));
        }
        LogForward { of_layers, between }
    }

    /// `ln p(z=k | x)` of the first latent layer; nats.
    pub fn log_forward_to_first(&self, images: &DeviceImages<B>) -> StateLogs<B> {
        let logits = self.forward_logits(images);
        match &self.log_weights {
            None => self.codes[0].log_softmax(logits),
            Some(_) => StateLogs::Plain(B::log_softmax_rows(self.with_log_weights(self.codes[0].spread(logits).full()))),
        }
    }

    /// `ln M(k|j)`, `[L, L']`, from each latent layer to the next; nats.
    pub fn log_between(&self) -> Vec<Tensor<B, 2>> {
        let layers = self.between().iter().zip(self.codes.windows(2));
        let kernels = layers.map(|(Between { matrix, bias }, codes)| {
            let logits = codes[0].spread_rows(matrix.val()) + bias.val().unsqueeze();
            codes[1].log_softmax(logits).full()
        });
        kernels.collect()
    }

    /// `ln pi_k`, `[1, L]`, of a machine in equilibrium, from the dark image's `ln q(0|k)`, `[1, L]`; see [`crate::gradient::equilibrium`].
    pub fn log_steady(&self, log_dark: Tensor<B, 2>) -> Tensor<B, 2> {
        let bias = self.forward_bias.val().unsqueeze::<2>();
        B::log_softmax_rows(self.with_log_weights(self.last_codes().spread(bias).full()) - log_dark)
    }

    /// `ln q(x | z=k) = ln q(0|k) + sum_i x_i A~_ki`, `[N, L]`, from the dark image's `ln q(0|k)`, `[1, L]`; nats.
    pub fn log_backward(&self, images: &DeviceImages<B>, log_dark: Tensor<B, 2>) -> Tensor<B, 2> {
        let Some(factors) = &self.last_codes().factors else {
            return B::affine(images, self.backward.val().transpose(), log_dark);
        };
        let log_q = factors.combine(self.lit(images, factors)) + log_dark;
        match &self.visible_bias {
            None => log_q,
            Some(bias) => log_q + B::affine(images, bias.val().unsqueeze_dim(1), Tensor::zeros([1, 1], &bias.device())),
        }
    }

    /// What the values of each state's factors have in `sum_i x_i (C A)_ki`, `[N, V]`: that is what `ln q(x|k)` has besides `ln q(0|k)` and, whatever
    /// the state, `x . a`.
    pub fn lit(&self, images: &DeviceImages<B>, factors: &Factors<B>) -> Tensor<B, 2> {
        let zeros = Tensor::zeros([1, self.backward.dims()[0]], &self.backward.device());
        B::dense(B::affine(images, self.backward.val().transpose(), zeros), factors.values.clone())
    }

    /// Draws `z ~ p(.|x)`, `[N]`, through all latent layers; those of layer l are part 256 l of the stream.
    pub fn draw_latent(&self, images: &DeviceImages<B>, draws: Draws) -> Tensor<B, 1, Int> {
        /// More than a layer has factors.
        const PARTS: u64 = 256;
        let logits = self.forward_logits(images);
        let mut states = match &self.log_weights {
            None => self.codes[0].draw(logits, draws),
            Some(_) => B::draw_latent(self.with_log_weights(self.codes[0].spread(logits).full()), draws),
        };
        for (number, Between { matrix, bias }) in self.between().iter().enumerate() {
            let logits = self.codes[number].rows_of(states, matrix.val()) + bias.val().unsqueeze();
            states = self.codes[number + 1].draw(logits, draws.part(PARTS * (number as u64 + 1)));
        }
        states
    }

    /// Draws `x ~ q(.|z)` of states z `[N]`.
    pub fn draw_visible(&self, states: Tensor<B, 1, Int>, draws: Draws) -> DeviceImages<B> {
        match &self.last_codes().factors {
            None => B::draw_visible(self.backward.val(), states, draws),
            Some(factors) => B::coded_draw_visible(factors, states, self.backward.val(), self.visible_bias_row(), draws),
        }
    }

    /// C of the layer that images are drawn from.
    pub fn last_codes(&self) -> &DeviceCodes<B> {
        &self.codes[self.codes.len() - 1]
    }

    /// With g added to logits `[N, L]`.
    fn with_log_weights(&self, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        match (&self.log_weights, &self.last_codes().factors) {
            (Some(log_weights), _) => logits + log_weights.val().unsqueeze(),
            (None, Some(factors)) => logits + factors.log_weights.clone(),
            (None, None) => logits,
        }
    }

    /// a, `[1, D]`, or zeros.
    pub fn visible_bias_row(&self) -> Tensor<B, 2> {
        match &self.visible_bias {
            None => Tensor::zeros([1, self.backward.dims()[1]], &self.backward.device()),
            Some(bias) => bias.val().unsqueeze(),
        }
    }
}

/// A host matrix on a device.
pub fn matrix<B: Backend>(values: &Array2<f32>, device: &B::Device) -> Tensor<B, 2> {
    let flat: Vec<f32> = values.iter().copied().collect();
    Tensor::from_data(TensorData::new(flat, [values.nrows(), values.ncols()]), device)
}

/// A host vector on a device.
pub fn vector<B: Backend>(values: &Array1<f32>, device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// A matrix, back on the host.
pub fn to_matrix<B: Backend>(tensor: Tensor<B, 2>) -> Array2<f32> {
    let [rows, columns] = tensor.dims();
    let mut values = tensor.into_data();
    values = values.convert::<f32>();
    let mut values = values.iter::<f32>();
    Array2::from_shape_simple_fn((rows, columns), || values.next().unwrap_or(f32::NAN))
}

/// A vector, back on the host.
pub fn to_vector<B: Backend>(tensor: Tensor<B, 1>) -> Array1<f32> {
    tensor.into_data().iter::<f32>().collect()
}
