//! Sums of exponentials in log space, where the terms themselves would overflow or underflow f64.

use ndarray::{Array2, ArrayView1, Zip};

use crate::kernels::logsums;

/// The largest of some numbers: minus infinity if there are none, NaN if one of them is NaN.
pub fn largest(numbers: impl IntoIterator<Item = f64>) -> f64 {
    numbers.into_iter().fold(f64::NEG_INFINITY, logsums::larger)
}

/// `ln sum_k exp(a_k)`.
pub fn logsumexp(a: ArrayView1<f64>) -> f64 {
    match a.as_slice() {
        Some(a) => logsums::logsumexp(a),
        None => logsums::logsumexp(&a.to_vec()),
    }
}

/// `ln softmax` of every row.
pub fn log_softmax_rows(mut logits: Array2<f64>) -> Array2<f64> {
    for mut row in logits.rows_mut() {
        // In two steps, so that huge logits do not cost the probabilities their digits.
        row -= largest(row.iter().copied());
        row -= logsumexp(row.view());
    }
    logits
}

/// `softmax` of every row of a matrix that lies in rows, where what is below e^-708 of the largest is lost.
pub fn softmax_rows(mut logits: Array2<f64>) -> Array2<f64> {
    for mut row in logits.rows_mut() {
        logsums::softmax(row.as_slice_mut().expect("a row in one piece"));
    }
    logits
}

/// `ln sum_j e^(a_nj + b_jk)`, `[N, K]`, of a `[N, J]` and b `[J, K]`, none of them positive: by a product of matrices, but for what f64 might lose.
pub fn log_product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    /// Far above the e^-745 below which a term is lost.
    const RARE: f64 = -600.0;
    let mut logs = a.mapv(f64::exp).dot(&b.mapv(f64::exp)).mapv_into(f64::ln);
    Zip::from(logs.rows_mut()).and(a.rows()).par_for_each(|mut logs, a| {
        for (log, b) in logs.iter_mut().zip(b.columns()) {
            if *log < RARE {
                *log = logsumexp((&a + &b).view());
            }
        }
    });
    logs
}

/// `(sum w)^2 / sum w^2` of weights given by their logarithms: how many of them count.
pub fn effective_number(log_weights: ArrayView1<f64>) -> f64 {
    let squares = log_weights.mapv(|log_weight| 2.0 * log_weight);
    (2.0 * logsumexp(log_weights) - logsumexp(squares.view())).exp()
}

/// `ln(e^a + e^b)`.
pub fn logaddexp(a: f64, b: f64) -> f64 {
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    // e^-38 is less than half of the last bit of any number from 1 on: the sum would round to the larger term.
    if small == f64::NEG_INFINITY || large == f64::INFINITY && !small.is_nan() || large <= -1.0 && large - small > 38.0 {
        return large;
    }
    large + (small - large).exp().ln_1p()
}

/// `1 / (1 + exp(-a))`.
pub fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

/// `ln(1 + exp(a))`.
pub fn softplus(a: f64) -> f64 {
    a.max(0.0) + (-a.abs()).exp().ln_1p()
}

/// `ln sum e^a`, as terms come.
#[derive(Clone, Copy, Debug)]
pub struct LogSum {
    largest: f64,
    /// In units of e^largest.
    sum: f64,
}

impl LogSum {
    /// No term.
    pub const EMPTY: Self = Self {
        largest: f64::NEG_INFINITY,
        sum: 0.0,
    };

    /// One more term e^a.
    pub fn add(&mut self, a: f64) {
        self.join(Self { largest: a, sum: 1.0 });
    }

    /// All terms of another sum.
    pub fn join(&mut self, other: Self) {
        if other.largest > self.largest || other.largest.is_nan() {
            self.sum = self.sum * (self.largest - other.largest).exp() + other.sum;
            self.largest = other.largest;
        } else if other.largest == self.largest {
            self.sum += other.sum;
        } else if other.largest > f64::NEG_INFINITY {
            self.sum += other.sum * (other.largest - self.largest).exp();
        }
    }

    /// Its logarithm.
    pub fn ln(self) -> f64 {
        self.largest + self.sum.ln()
    }
}
