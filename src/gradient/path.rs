//! The gradient of the path entropy production, from images drawn in every state.
//!
//! In the steady state, those terms of `ln q(x|z) p(z'|x) - ln q(x|z') p(z|x)` that are a function of z' less the same function of z have mean
//! zero. What is left of the path entropy production is
//!
//! ```text
//! sigma = E[ f_z'(x) - f_z(x) ],      f_k(x) = c_k . V^T x,      V = W - A^T,      z ~ pi,  x ~ q(.|z),  z' ~ p(.|x)
//! ```
//!
//! and so its gradient is, with `m_z = E_{x~q(.|z)}[ sum_k p(k|x) f_k(x) - f_z(x) ]`, `phi_k(x) = f_k(x) + (Z m)_k` and the fundamental matrix Z of
//! [`super::functional`],
//!
//! ```text
//! dsigma/dW_ih =  D_ih + E[ x_i sum_k c_kh p(k|x) ( phi_k - sum_j p(j|x) phi_j ) ],      D_ih = E[ x_i ( sum_k p(k|x) c_kh - c_zh ) ]
//! dsigma/dA_hi = -D_ih + E[ c_zh ( x_i - s_zi ) R ],                                    R(x, z) = sum_k p(k|x) phi_k - f_z
//! ```
//!
//! For b the second term of W counts, without x_i, and for a that of A, without c_zh. E is over z ~ pi and x ~ q(.|z).
//!
//! D is `-E[ d ln p(z|x)/dW ]`; A's, with the other sign, is `-E[ sum_k p(k|x) d ln q(x|k)/dA ]`, but for what cancels in the steady state. In a deeper chain
//! p(k|x) of the last layer is no softmax of x W, and `f_k(x) = ln p(k|x) - ln q(x|k)`. A keeps its D. What pulls on the last layer's logits, `p(k|x) - 1[k=z]`
//! of D and `p(k|x) ( phi_k - sum_j p(j|x) phi_j )` of the second term, goes back through the other layers ([`super::earlier`]).

use ndarray::{Array1, Array2, Axis};

use super::functional::StratifiedSample;

/// What each image adds to the gradient of the path entropy production.
pub struct PathContributions {
    /// `D_ik = sum_n x_ni d_nk`: d, `[L M, L]`: the pull of `-ln p(z|x)` on the logits of p. It sums to zero over the images.
    pub opposite: Array2<f64>,
    /// The second term of W: c, `[L M, L]`, as in [`super::functional::Contributions`].
    pub forward: Array2<f64>,
    /// The second term of A: h, `[L M]`, likewise.
    pub backward: Array1<f64>,
}

impl StratifiedSample {
    /// What each image adds to the gradient of the path entropy production, of `f_k(x)` `[L M, L]`.
    pub fn path_contributions(&self, f: &Array2<f64>) -> PathContributions {
        let p = self.log_p().mapv(f64::exp);
        let expected = (&p * f).sum_axis(Axis(1));
        let own = |n: usize| f[[n, self.state_of(n)]];
        let mut m = Array1::zeros(self.steady().states());
        for (n, expected) in expected.iter().enumerate() {
            m[self.state_of(n)] += self.weight_of(n) * (expected - own(n));
        }
        let later = self.fundamental().times(&m);
        let pi = self.steady().pi();

        let mut opposite = p.clone();
        let mut forward = p;
        let mut backward = Array1::zeros(expected.len());
        for n in 0..expected.len() {
            let state = self.state_of(n);
            let weight = pi[state] * self.weight_of(n);
            let mut pull = forward.row_mut(n);
            let phi = &f.row(n) + &later;
            let mean = pull.dot(&phi);
            pull *= &((phi - mean) * weight);
            let mut difference = opposite.row_mut(n);
            difference[state] -= 1.0;
            difference *= weight;
            backward[n] = pi[state] * (mean - own(n));
        }
        self.weigh_without_baseline(&mut backward);
        PathContributions {
            opposite,
            forward,
            backward,
        }
    }
}
