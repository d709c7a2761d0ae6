//! T tanh units beside the matrix of an upward map, `tanh(x U + d) G`, which are added to its logits `x W + b`: what lets p(h|x) and s(h|x) depend on more
//! than one sum of pixels for each unit.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use ndarray::{Array1, Array2};

use super::parameters::{matrix as named_matrix, vector as named_vector};
use super::{Array, matrix, to_matrix, to_vector, vector};
use crate::ops::{ChainBackend, DeviceImages};

/// Of D pixels, T tanh units and H units of the latent layer.
#[derive(Module, Debug)]
pub struct Tanh<B: Backend> {
    /// U, `[D, T]`.
    pub inward: Param<Tensor<B, 2>>,
    /// d, `[T]`.
    pub bias: Param<Tensor<B, 1>>,
    /// G, `[T, H]`.
    pub outward: Param<Tensor<B, 2>>,
}

/// The same on the host, in the f32 that records hold.
#[derive(Clone, Debug, PartialEq)]
pub struct TanhParameters {
    /// U, `[D, T]`.
    pub inward: Array2<f32>,
    /// d, `[T]`.
    pub bias: Array1<f32>,
    /// G, `[T, H]`.
    pub outward: Array2<f32>,
}

/// Something with respect to U, d and G.
#[derive(Clone, Debug)]
pub struct TanhGradient<B: Backend> {
    /// `[D, T]`.
    pub inward: Tensor<B, 2>,
    /// `[T]`.
    pub bias: Tensor<B, 1>,
    /// `[T, H]`.
    pub outward: Tensor<B, 2>,
}

impl<B: Backend> Tanh<B> {
    /// Puts host parameters on a device; their identities are numbered from `first` on.
    pub fn new(parameters: &TanhParameters, first: u64, device: &B::Device) -> Self {
        Self {
            inward: Param::initialized(ParamId::from(first), matrix(&parameters.inward, device)),
            bias: Param::initialized(ParamId::from(first + 1), vector(&parameters.bias, device)),
            outward: Param::initialized(ParamId::from(first + 2), matrix(&parameters.outward, device)),
        }
    }

    /// The parameters, back on the host.
    pub fn parameters(&self) -> TanhParameters {
        TanhParameters {
            inward: to_matrix(self.inward.val()),
            bias: to_vector(self.bias.val()),
            outward: to_matrix(self.outward.val()),
        }
    }
}

impl<B: ChainBackend> Tanh<B> {
    /// `t = tanh(x U + d)`, `[N, T]`, of images.
    fn units(&self, images: &DeviceImages<B>) -> Tensor<B, 2> {
        let sums = B::affine(images, self.inward.val(), self.bias.val().unsqueeze());
        let (s, _) = B::bernoulli(sums * 2.0); //                                        tanh(a) = 2 s(2 a) - 1
        s * 2.0 - 1.0
    }

    /// Of a function whose derivatives by the logits of some images, with these units, are `[N, H]`.
    fn gradient(&self, images: &DeviceImages<B>, units: Tensor<B, 2>, by_logits: Tensor<B, 2>) -> TanhGradient<B> {
        let slope = -(units.clone() * units.clone()) + 1.0; //                            1 - t^2        [N, T]
        let by_sums = B::dense(by_logits.clone(), self.outward.val().transpose()) * slope;
        TanhGradient {
            inward: B::transposed_product(images, by_sums.clone()),
            bias: B::column_sums(by_sums).squeeze_dim(0),
            outward: B::dense(units.transpose(), by_logits),
        }
    }
}

/// What some images lead to: the logits of the units, `x M + s + t G`, and t where there are tanh units.
#[derive(Clone, Debug)]
pub struct Upward<B: Backend> {
    /// `[N, H]`.
    pub logits: Tensor<B, 2>,
    /// t, `[N, T]`.
    units: Option<Tensor<B, 2>>,
}

/// With respect to what leads from images to logits.
#[derive(Clone, Debug)]
pub struct UpwardGradient<B: Backend> {
    /// By W or R, `[D, H]`.
    pub matrix: Tensor<B, 2>,
    /// By b or c, `[H]`.
    pub bias: Tensor<B, 1>,
    /// By U, d and G.
    pub tanh: Option<TanhGradient<B>>,
}

impl<B: ChainBackend> Upward<B> {
    /// Of images, by a matrix `[D, H]`, a bias `[H]` and tanh units.
    pub fn of(images: &DeviceImages<B>, (matrix, bias): (Tensor<B, 2>, Tensor<B, 1>), tanh: Option<&Tanh<B>>) -> Self {
        let logits = B::affine(images, matrix, bias.unsqueeze());
        let units = tanh.map(|tanh| tanh.units(images));
        Self {
            logits: match tanh.zip(units.clone()) {
                None => logits,
                Some((tanh, units)) => logits + B::dense(units, tanh.outward.val()),
            },
            units,
        }
    }

    /// Of a function whose derivatives by the logits of the same images are `[N, H]`.
    pub fn gradient(self, images: &DeviceImages<B>, tanh: Option<&Tanh<B>>, by_logits: Tensor<B, 2>) -> UpwardGradient<B> {
        UpwardGradient {
            matrix: B::transposed_product(images, by_logits.clone()),
            bias: B::column_sums(by_logits.clone()).squeeze_dim(0),
            tanh: tanh.zip(self.units).map(|(tanh, units)| tanh.gradient(images, units, by_logits)),
        }
    }
}

impl<B: Backend> UpwardGradient<B> {
    /// This and another.
    pub fn plus(self, other: Self) -> Self {
        Self {
            matrix: self.matrix + other.matrix,
            bias: self.bias + other.bias,
            tanh: self.tanh.zip(other.tanh).map(|(own, other)| own.plus(other, 1.0)),
        }
    }
}

impl<B: Backend> TanhGradient<B> {
    /// This and so many times another.
    pub fn plus(self, other: Self, weight: f64) -> Self {
        Self {
            inward: self.inward + other.inward * weight,
            bias: self.bias + other.bias * weight,
            outward: self.outward + other.outward * weight,
        }
    }

    /// In the shapes of the parameters, on the host.
    pub fn to_host(&self) -> TanhParameters {
        TanhParameters {
            inward: to_matrix(self.inward.clone()),
            bias: to_vector(self.bias.clone()),
            outward: to_matrix(self.outward.clone()),
        }
    }
}

impl TanhParameters {
    /// All zeros, of D pixels, T tanh units and H units.
    pub fn zeros([visible, tanh, units]: [usize; 3]) -> Self {
        Self {
            inward: Array2::zeros((visible, tanh)),
            bias: Array1::zeros(tanh),
            outward: Array2::zeros((tanh, units)),
        }
    }

    /// All zeros, of the same shape.
    pub fn zeros_like(&self) -> Self {
        Self::zeros([self.inward.nrows(), self.bias.len(), self.outward.ncols()])
    }

    /// T.
    pub fn count(&self) -> usize {
        self.bias.len()
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = &f32> {
        self.inward.iter().chain(&self.bias).chain(&self.outward)
    }

    /// The arrays by the names that they have in files, which begin with `of`.
    pub(super) fn arrays(&self, of: &str) -> Vec<Array<'_>> {
        let [inward, bias, outward] = names(of);
        vec![
            named_matrix(&inward, &self.inward),
            named_vector(&bias, &self.bias),
            named_matrix(&outward, &self.outward),
        ]
    }
}

/// The names that U, d and G have in files; `of` is `recognition_` for those of a recognition distribution, and empty for a machine's.
pub fn names(of: &str) -> [String; 3] {
    ["inward", "bias", "outward"].map(|part| format!("{of}tanh_{part}"))
}
