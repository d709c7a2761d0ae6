//! Sums over images of what independent factors make of them: no number for every image and every state.

use ndarray::{Array1, Array2, Axis, s};

use super::Codes;

impl Codes {
    /// `sum_n p_nk`, `[L]`, with `p_nk = softmax_k( c_k . l_n + g_k )`, of logits l `[N, H]`.
    ///
    /// p is a product of a part u that the first factors set and a part v of the others, so that the sum is the matrix product `u^T v`, `[L_u, L_v]`.
    /// What f64 does not hold, below e^-700, is lost.
    pub fn sum_of_softmax(&self, logits: &Array2<f64>) -> Array1<f64> {
        let [first, last] = self.halves();
        let (of_first, of_last) = logits.view().split_at(Axis(1), first.width());
        let [u, v] =
            [(first, of_first), (last, of_last)].map(|(codes, logits)| codes.log_softmax_rows(&logits.to_owned()).mapv_into(f64::exp));
        u.t().dot(&v).into_iter().collect()
    }

    /// `sum_k p_nk c_k`, `[N, H]`: the mean code given each image, of logits l `[N, H]`.
    pub fn mean_codes(&self, logits: &Array2<f64>) -> Array2<f64> {
        let mut means = Array2::zeros(logits.dim());
        for (logits, mut mean) in logits.rows().into_iter().zip(means.rows_mut()) {
            let values = self.value_log_softmax(logits).mapv_into(f64::exp);
            for (factor, at, place) in self.factors() {
                factor.gather(values.slice(s![place]), mean.slice_mut(s![at]));
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
        let states = |factors: &[super::Factor]| factors.iter().map(|factor| factor.values()).product::<usize>();
        let larger = |split: &usize| states(&self.factors[..*split]).max(states(&self.factors[*split..]));
        let split = (0..=self.factors.len()).min_by_key(larger).unwrap_or(0);
        [&self.factors[..split], &self.factors[split..]].map(|factors| Self { factors: factors.to_vec() })
    }
}
