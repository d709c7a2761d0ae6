//! Gradients of deeper chains: from the last latent layer back through those before it, image by image, in f64 on the host.
//!
//! Of layers j -> k with the transition M, `p(k|x) = sum_j p(j|x) M(k|j)`. Let a function F gain `v_nk` for each unit of `p(k|x_n)`, to first order.
//! Its pull on the logits of p(.|x_n), were it a softmax, is what functionals of the last layer's p give:
//!
//! ```text
//! e_nk = p(k|x_n) ( v_nk - sum_k' p(k'|x_n) v_nk' )
//! ```
//!
//! A layer back F gains `sum_k M(k|j) v_nk` for each unit of `p(j|x_n)`. So the pull goes back in the shares that the states j have in k, given the image,
//! and what M gains is what was in those shares:
//!
//! ```text
//! s_n(j|k) = p(j|x_n) M(k|j) / p(k|x_n),      e_nj = sum_k s_n(j|k) e_nk,      dF/dl_jk = sum_n s_n(j|k) e_nk - M(k|j) sum_n e_nj
//! ```
//!
//! of the logits l of M, `[L, L']`. Shares are at most 1, so that no pull grows on its way, however rare a state is. `chain_term` of the two-step gradient is
//! the same for a v that all images have in common, which needs no number for each image and state.

use ndarray::{Array2, Axis, Zip};

use crate::logs::{log_product, log_softmax_rows};

/// The latent layers before the last, seen from N images; none of a chain with one latent layer.
pub struct EarlierLayers {
    /// `ln p(j|x)` of each, the first layer's first, `[N, L]`.
    log_p: Vec<Array2<f64>>,
    /// `ln M(k|j)` from each to the next, `[L, L']`.
    log_m: Vec<Array2<f64>>,
}

impl EarlierLayers {
    /// From `ln p(j|x)` of the first latent layer `[N, L]` and `ln M` from each layer to the next; and `ln p(k|x)` of the last, `[N, L']`.
    pub fn below_last(first: Array2<f64>, log_m: Vec<Array2<f64>>) -> (Self, Array2<f64>) {
        // What comes from a device is rounded to f32. (The last layer's is normalized by who takes it.)
        let log_m: Vec<_> = log_m.into_iter().map(log_softmax_rows).collect();
        let (mut log_p, mut last) = (Vec::new(), first);
        for log_m in &log_m {
            let before = log_softmax_rows(last);
            last = log_product(&before, log_m);
            log_p.push(before);
        }
        (Self { log_p, log_m }, last)
    }

    /// The pulls on the logits of the first layer, `[N, L]`, and of every M, `[L, L']`, summed over images; of those on the last layer's `[N, L']`, and its
    /// `ln p(k|x)`.
    pub fn pull_back(&self, last: &Array2<f64>, pull: Array2<f64>) -> (Array2<f64>, Vec<Array2<f64>>) {
        let (mut log_p, mut pull) = (last, pull);
        let mut between = Vec::new();
        for (before, log_m) in self.log_p.iter().zip(&self.log_m).rev() {
            let (of_before, of_m) = a_layer_back(before, log_m, log_p, &pull);
            between.push(of_m);
            (log_p, pull) = (before, of_before);
        }
        between.reverse();
        (pull, between)
    }
}

/// `e_nj`, `[N, L]`, and `dF/dl_jk`, `[L, L']`, of `ln p(j|x)`, `ln M`, `ln p(k|x)` and `e_nk`, `[N, L']`.
fn a_layer_back(before: &Array2<f64>, log_m: &Array2<f64>, log_p: &Array2<f64>, pull: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    /// Probabilities that products of matrices cannot divide by, as those would lose or exceed what f64 holds.
    const RARE: f64 = -300.0;
    /// Pulls that f32, which the gradient is taken on in, does not notice.
    const NOTHING: f64 = 1e-60;
    let mut rare = Vec::new();
    let mut gains = Array2::zeros(pull.dim());
    for ((at, gain), (&log_p, &pull)) in gains.indexed_iter_mut().zip(log_p.iter().zip(pull)) {
        if log_p > RARE {
            *gain = pull / log_p.exp();
        } else if pull.abs() > NOTHING {
            rare.push((at, log_p, pull));
        }
    }
    let (p, m) = (before.mapv(f64::exp), log_m.mapv(f64::exp));
    let mut of_before = gains.dot(&m.t()) * &p;
    let mut of_m = p.t().dot(&gains) * &m;
    for ((n, k), log_p, pull) in rare {
        let states = (before.row(n).into_iter().zip(log_m.column(k))).zip(of_before.row_mut(n).into_iter().zip(of_m.column_mut(k)));
        for ((before, log_m), (of_before, of_m)) in states {
            let part = (before + log_m - log_p).exp() * pull;
            *of_before += part;
            *of_m += part;
        }
    }
    let from_each = of_before.sum_axis(Axis(0)).insert_axis(Axis(1));
    Zip::from(&mut of_m)
        .and(&m)
        .and_broadcast(&from_each)
        .for_each(|of_m, m, from| *of_m -= m * from);
    (of_before, of_m)
}
