//! The codes of a latent layer on a device: from H logits to L states, and back.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use ndarray::{Array1, Array2, Axis, s};

use super::{ChainBackend, DeviceImages};
use crate::codes::{Codes, Layer};
use crate::model::matrix;
use crate::random::Draws;

/// The codes of a layer on a device. A one-hot layer has no factors here: its C is the identity, and costs nothing.
#[derive(Module, Debug)]
pub struct DeviceCodes<B: Backend> {
    /// What the states of any other layer are made of.
    pub factors: Option<Factors<B>>,
}

/// Codes of states that are made of factors, which have V values in all.
#[derive(Module, Debug)]
pub struct Factors<B: Backend> {
    /// The same on the host.
    #[module(skip)]
    pub codes: Codes,
    /// C, `[L, H]`.
    pub matrix: Tensor<B, 2>,
    /// g, `[1, L]`.
    pub log_weights: Tensor<B, 2>,
    /// The codes of the factors' values, `[H, V]`.
    pub values: Tensor<B, 2>,
    /// Their g, `[1, V]`.
    pub value_log_weights: Tensor<B, 2>,
    /// 1 where a value is the state's, `[V, L]`.
    pub incidence: Tensor<B, 2>,
}

impl<B: Backend> DeviceCodes<B> {
    /// Puts the codes of a layer on a device.
    pub fn new(layer: &Layer, device: &B::Device) -> Self {
        if layer.is_one_hot() {
            return Self { factors: None };
        }
        let codes = Codes::of(layer);
        let put = |values: Array2<f64>| matrix(&values.mapv(|value| value as f32), device);
        let mut of_values = Array2::zeros((codes.width(), codes.values()));
        let mut incidence = Array2::zeros((codes.values(), codes.states()));
        for (factor, logits, values) in codes.factors() {
            let mut block = of_values.slice_mut(s![logits, values]);
            block
                .indexed_iter_mut()
                .for_each(|((h, value), code)| *code = factor.code(value, h));
        }
        for state in 0..codes.states() {
            for ((_, _, values), value) in codes.factors().zip(codes.values_of(state)) {
                incidence[[values.start + value, state]] = 1.0;
            }
        }
        let row = |values: Array1<f64>| put(values.insert_axis(Axis(0)));
        let factors = Factors {
            matrix: put(codes.matrix()),
            log_weights: row(codes.log_weights()),
            values: put(of_values),
            value_log_weights: row(codes.value_log_weights()),
            incidence: put(incidence),
            codes,
        };
        Self { factors: Some(factors) }
    }
}

impl<B: ChainBackend> DeviceCodes<B> {
    /// `ln softmax_k( c_k . l_n + g_k )`, `[N, L]`, of logits l `[N, H]`: the product of the factors' own.
    pub fn log_softmax(&self, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => B::log_softmax_rows(logits),
            Some(factors) => {
                let of_factors = factors.value_logits(logits).map(B::log_softmax_rows);
                B::combine(Tensor::cat(of_factors.collect(), 1), factors)
            }
        }
    }

    /// `c_k . l_n`, `[N, L]`, of logits l `[N, H]`.
    pub fn spread(&self, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => logits,
            Some(factors) => B::combine(logits.matmul(factors.values.clone()), factors),
        }
    }

    /// `c_k . (x_n M) + s_k`, `[N, L]`, of images, M `[D, H]` and s `[1, L]`.
    pub fn affine(&self, images: &DeviceImages<B>, table: Tensor<B, 2>, start: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => B::affine(images, table, start),
            Some(_) => {
                let zeros = Tensor::zeros([1, table.dims()[1]], &table.device());
                self.spread(B::affine(images, table, zeros)) + start
            }
        }
    }

    /// `sum_k w_nk c_k`, `[N, H]`, of weights w `[N, L]`.
    pub fn gather(&self, weights: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => weights,
            Some(factors) => B::gather(weights, factors),
        }
    }

    /// `C^T m`, `[H, M]`, of m `[L, M]`.
    pub fn gather_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows,
            Some(factors) => factors.matrix.clone().transpose().matmul(rows),
        }
    }

    /// `C m`, `[L, M]`, of m `[H, M]`.
    pub fn spread_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows,
            Some(factors) => factors.matrix.clone().matmul(rows),
        }
    }

    /// `c_z m`, `[N, M]`, of states z `[N]` and m `[H, M]`.
    pub fn rows_of(&self, states: Tensor<B, 1, Int>, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows.select(0, states),
            Some(factors) => factors.matrix.clone().select(0, states).matmul(rows),
        }
    }

    /// Draws `z ~ softmax_k( c_k . l_n + g_k )`, `[N]`, of logits l `[N, H]`, factor by factor: the draws of factor f are part f of the stream.
    pub fn draw(&self, logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
        match &self.factors {
            None => B::draw_latent(logits, draws),
            Some(factors) => {
                let [count, _] = logits.dims();
                let mut states = Tensor::zeros([count], &logits.device());
                for (part, of_factor) in factors.value_logits(logits).enumerate() {
                    let [_, values] = of_factor.dims();
                    states = states * values as i32 + B::draw_latent(of_factor, draws.part(part as u64));
                }
                states
            }
        }
    }
}

impl<B: ChainBackend> Factors<B> {
    /// `c_s . l_n + g_s` of the values s of each factor, `[N, S]`, of logits l `[N, H]`.
    fn value_logits(&self, logits: Tensor<B, 2>) -> impl Iterator<Item = Tensor<B, 2>> {
        let values = logits.matmul(self.values.clone()) + self.value_log_weights.clone();
        let places: Vec<_> = self.codes.factors().map(|(_, _, place)| place).collect();
        places
            .into_iter()
            .map(move |place| values.clone().narrow(1, place.start, place.len()))
    }
}
