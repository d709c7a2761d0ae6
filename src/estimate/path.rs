//! The entropy production of the whole path, images included, from images of every state.
//!
//! ```text
//! sigma = sum_{z,x,z'} P ln( P / Q ),     P = pi_z q(x|z) p(z'|x),   Q = pi_z' q(x|z') p(z|x)
//! ```
//!
//! Q is P with z and z' exchanged, so that the sum is half that of `(P - Q) ln( P / Q )`, which is never negative, and all of it comes
//! from the terms with `R = Q / P < 1`, each counted twice:
//!
//! ```text
//! sigma = E_P [ g(R) ],      g(R) = -(1 - R) ln R  for R < 1,  else 0
//! ```
//!
//! Unlike a mean of `ln( P / Q )`, whose terms cancel, it gives a reversible model exactly zero for any draws, and it does not wait for
//! the rare images that look reversed.

use ndarray::{Array1, Array2, ArrayView1};
use rayon::prelude::*;

use super::sampling::{Batch, GROUPS, Sampling, batches, mean_of_groups};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::watch::{Stopped, Watch};

/// What the images of one state say of the path.
struct FromState {
    /// `E_x sum_z' p(z'|x) g(R)` in each group, `[G]`.
    mean: Array1<f64>,
    /// Its first derivative with respect to `ln pi_z' - ln pi_z`, `[G, L]`.
    slope: Array2<f64>,
    /// Its second, which the jackknife needs to see the bias that the error of pi leaves.
    curvature: Array2<f64>,
}

/// The path's entropy production by states, from all groups or all but one, and what was observed of the images.
pub struct Path<T> {
    states: Vec<FromState>,
    log_pi: Array1<f64>,
    /// For every state, what was observed of each of its M images from q(.|j), group by group.
    pub observed: Vec<Vec<T>>,
}

impl<T: Send> Path<T> {
    /// From the same images of q(.|j) that the kernel was estimated from, given its `ln pi`.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn draw(
        model: &Conditionals,
        log_pi: &Array1<f64>,
        sampling: Sampling,
        observe: impl Fn(&PackedImages) -> Vec<T> + Sync,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let drawn: Result<Vec<(FromState, Vec<T>)>, Stopped> = (0..model.latent())
            .into_par_iter()
            .map(|state| {
                let mut observed = Vec::with_capacity(sampling.samples());
                let mut from_state = FromState {
                    mean: Array1::zeros(GROUPS),
                    slope: Array2::zeros((GROUPS, model.latent())),
                    curvature: Array2::zeros((GROUPS, model.latent())),
                };
                for Batch { images, blocks } in batches(sampling.images_of(model, state)) {
                    watch.go_on()?;
                    let (log_forward, log_backward) = (model.log_forward(&images), model.log_backward(&images));
                    for (group, place) in blocks {
                        for image in place {
                            from_state.add(group, state, log_forward.row(image), log_backward.row(image), log_pi);
                        }
                    }
                    observed.extend(observe(&images));
                }
                let each = sampling.each() as f64;
                from_state.mean /= each;
                from_state.slope /= each;
                from_state.curvature /= each;
                Ok((from_state, observed))
            })
            .collect();
        let (states, observed) = drawn?.into_iter().unzip();
        Ok(Self {
            states,
            log_pi: log_pi.clone(),
            observed,
        })
    }

    /// `E_x sum_z' p(z'|x) g(R)` for every state z, `[L]`, for the steady state of a kernel from the same groups; to second order in what
    /// it differs by.
    pub fn by_state(&self, log_pi: &Array1<f64>, left_out: Option<usize>) -> Array1<f64> {
        let change = log_pi - &self.log_pi;
        let states = self.states.iter().enumerate().map(|(z, state)| {
            let change = &change - change[z];
            let squared = &change * &change;
            let of_group = |group: usize| {
                let (slope, curvature) = (state.slope.row(group), state.curvature.row(group));
                state.mean[group] + slope.dot(&change) + 0.5 * curvature.dot(&squared)
            };
            mean_of_groups((0..GROUPS).map(of_group), left_out)
        });
        states.collect()
    }
}

impl FromState {
    fn add(&mut self, group: usize, z: usize, log_p: ArrayView1<f64>, log_q: ArrayView1<f64>, log_pi: &Array1<f64>) {
        // ln Q - ln P, but for the part of z'.
        let here = log_pi[z] + log_q[z] - log_p[z];
        for next in 0..log_p.len() {
            let log_r = log_pi[next] + log_q[next] - log_p[next] - here;
            if log_r < 0.0 {
                let (p, r) = (log_p[next].exp(), log_r.exp());
                self.mean[group] -= p * (1.0 - r) * log_r;
                self.slope[[group, next]] += p * (r * log_r + r - 1.0);
                self.curvature[[group, next]] += p * r * (log_r + 2.0);
            }
        }
    }
}
