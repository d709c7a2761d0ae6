//! The recognition distribution, which proposes binary units for images: beside the model, and no part of it.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use ndarray::{Array1, Array2};

use super::parameters::{matrix as named_matrix, vector as named_vector};
use super::tanh::{Tanh, TanhParameters, Upward};
use super::{Array, matrix, to_matrix, to_vector, vector};
use crate::ops::{ChainBackend, DeviceImages};

/// `s(h|x) = prod_j s(e_j)^h_j (1 - s(e_j))^(1 - h_j)`, `e = x R + c` with what tanh units add: see [`crate::gradient::sampled`].
#[derive(Module, Debug)]
pub struct Recognition<B: Backend> {
    /// R, `[D, H]`.
    pub matrix: Param<Tensor<B, 2>>,
    /// c, `[H]`.
    pub bias: Param<Tensor<B, 1>>,
    /// tanh units beside R, where the machine has some.
    pub tanh: Option<Tanh<B>>,
}

/// The same on the host, in the f32 that records hold.
#[derive(Clone, Debug, PartialEq)]
pub struct RecognitionParameters {
    /// R, `[D, H]`.
    pub matrix: Array2<f32>,
    /// c, `[H]`.
    pub bias: Array1<f32>,
    /// tanh units beside R.
    pub tanh: Option<TanhParameters>,
}

impl<B: Backend> Recognition<B> {
    /// Puts host parameters on a device.
    pub fn new(parameters: &RecognitionParameters, device: &B::Device) -> Self {
        // Fixed ids: records of one distribution, made anywhere, are the same bytes.
        Self {
            matrix: Param::initialized(ParamId::from(1), matrix(&parameters.matrix, device)),
            bias: Param::initialized(ParamId::from(2), vector(&parameters.bias, device)),
            tanh: (parameters.tanh.as_ref()).map(|tanh| Tanh::new(tanh, 3, device)),
        }
    }

    /// The parameters, back on the host.
    pub fn parameters(&self) -> RecognitionParameters {
        RecognitionParameters {
            matrix: to_matrix(self.matrix.val()),
            bias: to_vector(self.bias.val()),
            tanh: self.tanh.as_ref().map(Tanh::parameters),
        }
    }
}

impl<B: ChainBackend> Recognition<B> {
    /// `x R + c`, `[N, H]`, of images, with what tanh units add.
    pub fn upward(&self, images: &DeviceImages<B>) -> Upward<B> {
        Upward::of(images, (self.matrix.val(), self.bias.val()), self.tanh.as_ref())
    }
}

impl RecognitionParameters {
    /// All zeros, of the same shape.
    pub fn zeros_like(&self) -> Self {
        Self {
            matrix: Array2::zeros(self.matrix.dim()),
            bias: Array1::zeros(self.bias.len()),
            tanh: self.tanh.as_ref().map(TanhParameters::zeros_like),
        }
    }

    /// All arrays by the names that they have in files.
    pub fn arrays(&self) -> Vec<Array<'_>> {
        let mut arrays = vec![
            named_matrix("recognition", &self.matrix),
            named_vector("recognition_bias", &self.bias),
        ];
        arrays.extend(self.tanh.iter().flat_map(|tanh| tanh.arrays("recognition_")));
        arrays
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = &f32> {
        let tanh = self.tanh.iter().flat_map(TanhParameters::numbers);
        self.matrix.iter().chain(&self.bias).chain(tanh)
    }
}
