//! The model: two independent transition matrices between a binary image and a one-hot latent state.

use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ndarray::{Array1, Array2};

use crate::ops::{ChainBackend, DeviceImages};

/// A two-layer Markov chain `... x -> z -> x' -> z' ...` over D binary pixels and L latent states (arXiv:2512.11415).
///
/// ```text
/// forward    p(z=k | x) = softmax_k( sum_i x_i W_ik + b_k )
/// backward   q(x | z=k) = prod_i s(A_ki)^x_i (1 - s(A_ki))^(1 - x_i)        s(a) = 1 / (1 + exp(-a))
/// ```
///
/// The two matrices are independent: nothing makes p the Bayes posterior of q, so the chain need not be reversible. A bias of
/// the backward matrix would be redundant, since a row of A already holds it.
#[derive(Module, Debug)]
pub struct Model<B: Backend> {
    /// W, `[D, L]`: what a lit pixel adds to the logit of each latent state.
    pub forward: Param<Tensor<B, 2>>,
    /// b, `[L]`: the logit of each latent state given a dark image.
    pub forward_bias: Param<Tensor<B, 1>>,
    /// A, `[L, D]`: the logit of each pixel given a latent state.
    pub backward: Param<Tensor<B, 2>>,
}

impl<B: Backend> Model<B> {
    /// Puts host parameters on a device.
    pub fn new(parameters: &Parameters, device: &B::Device) -> Self {
        // Fixed ids: records of one model, made anywhere, are the same bytes.
        Self {
            forward: Param::initialized(ParamId::from(1), matrix(&parameters.forward, device)),
            forward_bias: Param::initialized(ParamId::from(2), vector(&parameters.forward_bias, device)),
            backward: Param::initialized(ParamId::from(3), matrix(&parameters.backward, device)),
        }
    }

    /// The parameters, back on the host.
    pub fn parameters(&self) -> Parameters {
        Parameters {
            forward: to_matrix(self.forward.val()),
            forward_bias: to_vector(self.forward_bias.val()),
            backward: to_matrix(self.backward.val()),
        }
    }
}

impl<B: ChainBackend> Model<B> {
    /// `sum_i x_i W_ik + b_k`, `[N, L]`: ln p(z=k | x) up to its normalizer.
    pub fn forward_logits(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        B::affine(images, self.forward.val(), self.forward_bias.val().unsqueeze())
    }

    /// `ln p(z=k | x)`, `[N, L]`; nats.
    pub fn log_forward(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        B::log_softmax_rows(self.forward_logits(images))
    }

    /// `ln q(x | z=k) = ln q(0|k) + sum_i x_i A_ki`, `[N, L]`, from the dark image's `ln q(0|k)`, `[1, L]`; nats.
    pub fn log_backward(&self, images: &DeviceImages<B>, log_dark: Tensor<B, 2>) -> Tensor<B, 2> {
        B::affine(images, self.backward.val().transpose(), log_dark)
    }
}

/// The parameters of a [`Model`] on the host, in the f32 that records hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// W, `[D, L]`.
    pub forward: Array2<f32>,
    /// b, `[L]`.
    pub forward_bias: Array1<f32>,
    /// A, `[L, D]`.
    pub backward: Array2<f32>,
}

impl Parameters {
    /// All zeros: the shape of something that lies beside every parameter, such as an optimizer's moments.
    pub fn zeros(visible: usize, latent: usize) -> Self {
        Self {
            forward: Array2::zeros((visible, latent)),
            forward_bias: Array1::zeros(latent),
            backward: Array2::zeros((latent, visible)),
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

    /// Do the three arrays agree on D and L?
    pub fn is_consistent(&self) -> bool {
        self.forward_bias.len() == self.latent() && self.backward.dim() == (self.latent(), self.visible())
    }

    /// Is every number finite?
    pub fn is_finite(&self) -> bool {
        let finite = |value: &f32| value.is_finite();
        self.forward.iter().all(finite) && self.forward_bias.iter().all(finite) && self.backward.iter().all(finite)
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
