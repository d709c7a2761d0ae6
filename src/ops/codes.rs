//! The codes of a latent layer on a device: from H logits to L states, and back.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use ndarray::{Array1, Array2, Axis, s};

use super::ChainBackend;
use crate::codes::{Codes, Layer};
use crate::kernels::codes::States;
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
    /// As the CPU's kernels take them.
    #[module(skip)]
    pub states: States,
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
    /// Where the values of each of the F factors begin and, after the last, end, `[F + 1]`.
    pub places: Tensor<B, 1, Int>,
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
        let ends = codes.factors().map(|(_, _, values)| values.end as i32);
        let places: Vec<i32> = std::iter::once(0).chain(ends).collect();
        let factors = Factors {
            matrix: put(codes.matrix()),
            log_weights: row(codes.log_weights()),
            values: put(of_values),
            value_log_weights: row(codes.value_log_weights()),
            incidence: put(incidence),
            places: Tensor::from_data(&places[..], device),
            states: States::new(&codes),
            codes,
        };
        Self { factors: Some(factors) }
    }
}

/// Logarithms for N images and all states, `[N, L]`. Where states are made of factors they are not written out.
#[derive(Clone, Debug)]
pub enum StateLogs<B: Backend> {
    /// `[N, L]`.
    Plain(Tensor<B, 2>),
    /// The sums of what the factors' values have, `[N, V]`.
    Factored(Tensor<B, 2>, Box<Factors<B>>),
}

impl<B: ChainBackend> StateLogs<B> {
    /// `[N, L]`, written out.
    pub fn full(&self) -> Tensor<B, 2> {
        match self {
            Self::Plain(logs) => logs.clone(),
            Self::Factored(values, factors) => factors.combine(values.clone()),
        }
    }

    /// `ln mean_n p_nk`, `[1, L]`, where these are ln p.
    pub fn log_mean(&self) -> Tensor<B, 2> {
        match self {
            Self::Plain(log_p) => B::log_mean_exp(log_p.clone(), None),
            Self::Factored(log_values, factors) => B::coded_log_mean(factors, log_values.clone()),
        }
    }
}

impl<B: ChainBackend> DeviceCodes<B> {
    /// `ln softmax_k( c_k . l_n + g_k )` of logits l `[N, H]`: the product of the factors' own.
    pub fn log_softmax(&self, logits: Tensor<B, 2>) -> StateLogs<B> {
        match &self.factors {
            None => StateLogs::Plain(B::log_softmax_rows(logits)),
            Some(factors) => StateLogs::Factored(B::coded_log_softmax(factors, logits), Box::new(factors.clone())),
        }
    }

    /// `c_k . l_n`, of logits l `[N, H]`.
    pub fn spread(&self, logits: Tensor<B, 2>) -> StateLogs<B> {
        match &self.factors {
            None => StateLogs::Plain(logits),
            Some(factors) => StateLogs::Factored(B::dense(logits, factors.values.clone()), Box::new(factors.clone())),
        }
    }

    /// `sum_k p_nk ( u_k - sum_j p_nj u_j ) c_k / N`, `[N, H]`, of ln p and ln u `[1, L]`; and its sum over n, `[1, H]`.
    pub fn softmax_gradient(&self, log_p: &StateLogs<B>, log_u: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        match (log_p, &self.factors) {
            (StateLogs::Plain(log_p), None) => B::softmax_gradient(log_p.clone(), log_u),
            (log_p, _) => {
                let gathered = match log_p {
                    StateLogs::Factored(values, factors) => B::coded_softmax_gradient(factors, values.clone(), log_u),
                    StateLogs::Plain(log_p) => self.gather(B::softmax_gradient(log_p.clone(), log_u).0),
                };
                (gathered.clone(), B::column_sums(gathered))
            }
        }
    }

    /// `sum_k w_nk c_k`, `[N, H]`, of weights w `[N, L]`.
    pub fn gather(&self, weights: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => weights,
            Some(factors) => factors.gather(weights),
        }
    }

    /// `C^T m`, `[H, M]`, of m `[L, M]`.
    pub fn gather_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows,
            Some(factors) => factors.gather_rows(rows),
        }
    }

    /// `C m`, `[L, M]`, of m `[H, M]`.
    pub fn spread_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows,
            Some(factors) => factors.spread_rows(rows),
        }
    }

    /// `c_z m`, `[N, M]`, of states z `[N]` and m `[H, M]`.
    pub fn rows_of(&self, states: Tensor<B, 1, Int>, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.factors {
            None => rows.select(0, states),
            Some(factors) => B::dense(factors.matrix.clone().select(0, states), rows),
        }
    }

    /// Draws `z ~ softmax_k( c_k . l_n + g_k )`, `[N]`, of logits l `[N, H]`, factor by factor: the draws of factor f are part f of the stream.
    pub fn draw(&self, logits: Tensor<B, 2>, draws: Draws) -> Tensor<B, 1, Int> {
        match &self.factors {
            None => B::draw_latent(logits, draws),
            Some(factors) => B::coded_draw(factors, logits, draws),
        }
    }
}

impl<B: ChainBackend> Factors<B> {
    /// The sum of what the values of each state's factors have, `[N, L]`, of `[N, V]`.
    pub fn combine(&self, values: Tensor<B, 2>) -> Tensor<B, 2> {
        B::dense(values, self.incidence.clone())
    }

    /// `sum_k w_nk c_k`, `[N, H]`, of weights w `[N, L]`.
    pub fn gather(&self, weights: Tensor<B, 2>) -> Tensor<B, 2> {
        B::dense(weights, self.matrix.clone())
    }

    /// `C^T m`, `[H, M]`, of m `[L, M]`.
    pub fn gather_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        B::dense(self.matrix.clone().transpose(), rows)
    }

    /// `C m`, `[L, M]`, of m `[H, M]`.
    pub fn spread_rows(&self, rows: Tensor<B, 2>) -> Tensor<B, 2> {
        B::dense(self.matrix.clone(), rows)
    }

    /// `c_s . l_n + g_s` of the values s of each factor, `[N, S]`, of logits l `[N, H]`.
    pub fn value_logits(&self, logits: Tensor<B, 2>) -> impl Iterator<Item = Tensor<B, 2>> {
        let values = B::dense(logits, self.values.clone()) + self.value_log_weights.clone();
        let places: Vec<_> = self.codes.factors().map(|(_, _, place)| place).collect();
        places
            .into_iter()
            .map(move |place| values.clone().narrow(1, place.start, place.len()))
    }
}
