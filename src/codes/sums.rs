//! Sums over images of what independent factors make of them: no number for every image and every state.

use std::ops::Mul;

use ndarray::{Array1, Array2, s};

use super::{Codes, Factor};

impl Codes {
    /// p of the values of all factors, `[N, V]`, of logits l `[N, H]`: in each factor `softmax_s( c_s . l + g_s )`.
    pub fn value_softmax(&self, logits: &Array2<f64>) -> Array2<f64> {
        let log_weights = self.value_log_weights();
        let mut values = Array2::zeros((logits.nrows(), self.values()));
        for (factor, from, to) in self.factors() {
            let (from, mut to_factor) = (logits.slice(s![.., from]), values.slice_mut(s![.., to.clone()]));
            let log_weights = &log_weights.as_slice().unwrap_or_default()[to];
            for (logits, mut p) in from.rows().into_iter().zip(to_factor.rows_mut()) {
                factor.spread(logits, p.view_mut());
                p.iter_mut().zip(log_weights).for_each(|(p, log_weight)| *p += log_weight);
                let largest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                p.iter_mut().for_each(|p| *p = (*p - largest).exp());
                let sum: f64 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= sum);
            }
        }
        values
    }

    /// `sum_n p_nk`, `[L]`, of p of the values of all factors `[N, V]`, whose product is that of a state.
    ///
    /// It is a product of a part u that the first factors set and a part v of the others, so that the sum is the matrix product `u^T v`, `[L_u, L_v]`.
    /// What f64 does not hold, below e^-700, is lost.
    pub fn sum_of_products(&self, values: &Array2<f64>) -> Array1<f64> {
        let halves = self.halves();
        let width = halves[0].values();
        let [u, v] = [(&halves[0], 0..width), (&halves[1], width..self.values())].map(|(codes, place)| {
            let mut products = Array2::ones((values.nrows(), codes.states()));
            let values = values.slice(s![.., place]);
            for (values, mut states) in values.rows().into_iter().zip(products.rows_mut()) {
                codes.combine(&values.to_vec(), 1.0, f64::mul, states.as_slice_mut().unwrap_or_default());
            }
            products
        });
        u.t().dot(&v).into_iter().collect()
    }

    /// `sum_k p_nk c_k`, `[N, H]`: the mean code given each image, of p of the values of all factors `[N, V]`.
    pub fn mean_codes(&self, values: &Array2<f64>) -> Array2<f64> {
        let mut means = Array2::zeros((values.nrows(), self.width()));
        for (factor, at, place) in self.factors() {
            let (values, mut means) = (values.slice(s![.., place]), means.slice_mut(s![.., at]));
            for (values, mean) in values.rows().into_iter().zip(means.rows_mut()) {
                factor.gather(values, mean);
            }
        }
        means
    }

    /// c_k of a state k, `[H]`.
    pub fn code(&self, state: usize) -> Array1<f64> {
        let values = self.values_of(state);
        let code = (self.factors().zip(values)).flat_map(|((factor, at, _), value)| (0..at.len()).map(move |h| factor.code(value, h)));
        code.collect()
    }

    /// The first factors and the others, with numbers of states as near to each other as can be.
    fn halves(&self) -> [Self; 2] {
        let states = |factors: &[Factor]| factors.iter().map(|factor| factor.values()).product::<usize>();
        let larger = |split: &usize| states(&self.factors[..*split]).max(states(&self.factors[*split..]));
        let split = (0..=self.factors.len()).min_by_key(larger).unwrap_or(0);
        [&self.factors[..split], &self.factors[split..]].map(|factors| Self { factors: factors.to_vec() })
    }
}
