//! The latent kernel of a model of many states by plain means, in groups of draws: no number for every image and every state.
//!
//! ```text
//! T_jk = E_{x ~ q(.|j)} p(k|x),      path_j = E_{x ~ q(.|j)} E_z'[ ln P/Q ]
//! ```
//!
//! A group's sums are products of matrices ([`crate::codes::Codes::sum_of_products`]), through all latent layers. Transitions below e^-600, which those
//! products might lose, are summed again in log space.

use ndarray::{Array1, Array2, Axis, Zip, s};
use rayon::prelude::*;

use super::sampling::Sampling;
use super::{EstimateError, Kernel};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::latent::SteadyState;
use crate::logs::{logaddexp, logsumexp};
use crate::watch::{Stopped, Watch};

/// States whose sums are held beside the tables of all.
const TOGETHER: usize = 64;

/// What the images of all states sum to, group by group.
pub struct Strata<T> {
    /// `ln sum_x p(k|x)` of each group, `[L, L]`.
    log_sums: Vec<Array2<f64>>,
    /// The sum of the path's log ratios in each state, of each group, `[L]`.
    path: Vec<Array1<f64>>,
    /// Images of each state in a group.
    each: usize,
    /// As in [`Kernels`].
    observed: Vec<Vec<T>>,
}

/// What the sums give.
pub struct Kernels<T> {
    /// From all draws.
    pub whole: Kernel,
    /// From all draws but one group's, for each group if there are several.
    pub without: Vec<Kernel>,
    /// For every state, what was observed of each of its M images, group by group.
    pub observed: Vec<Vec<T>>,
}

/// The sums of one state.
struct FromState<T> {
    /// `[G, L]` of the first latent layer.
    sums: Array2<f64>,
    /// `[G]`
    path: Array1<f64>,
    observed: Vec<T>,
}

impl<T: Send> Strata<T> {
    /// Draws images of every state; `observe` gives one observation for each. [`Sampling::plain_parts`] parts are announced.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn draw(
        model: &Conditionals,
        sampling: Sampling,
        observe: impl Fn(&PackedImages) -> Vec<T> + Sync,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let latent = model.latent();
        let mut strata = Self {
            log_sums: vec![Array2::zeros((latent, latent)); sampling.groups()],
            path: vec![Array1::zeros(latent); sampling.groups()],
            each: sampling.each(),
            observed: Vec::with_capacity(latent),
        };
        for first in (0..latent).step_by(TOGETHER) {
            let states = first..latent.min(first + TOGETHER);
            let drawn: Result<Vec<FromState<T>>, Stopped> = states
                .clone()
                .into_par_iter()
                .map(|state| FromState::draw(model, state, sampling, &observe, watch))
                .collect();
            let mut first_sums = Vec::with_capacity(TOGETHER);
            for (state, drawn) in states.clone().zip(drawn?) {
                for (path, sum) in strata.path.iter_mut().zip(drawn.path) {
                    path[state] = sum;
                }
                strata.observed.push(drawn.observed);
                first_sums.push(drawn.sums);
            }
            let through = |group: usize| {
                let mut sums = Array2::from_shape_fn((states.len(), model.first_latent()), |(row, k)| first_sums[row][[group, k]]);
                for kernel in model.between() {
                    sums = sums.dot(kernel);
                }
                sums.mapv_into(f64::ln)
            };
            let tables = strata.log_sums.par_iter_mut().enumerate();
            tables.for_each(|(group, table)| table.slice_mut(s![states.clone(), ..]).assign(&through(group)));
        }
        strata.sum_rare_again(model, sampling, watch)?;
        Ok(strata)
    }

    /// Rows that hold a transition too rare for the products, once more in log space.
    fn sum_rare_again(&mut self, model: &Conditionals, sampling: Sampling, watch: &dyn Watch) -> Result<(), Stopped> {
        /// Far above what f64 loses.
        const RARE: f64 = -600.0;
        let is_rare = |state: &usize| {
            self.log_sums
                .iter()
                .any(|table| table.row(*state).iter().any(|log_sum| *log_sum < RARE))
        };
        let rare: Vec<usize> = (0..model.latent()).filter(is_rare).collect();
        for states in rare.chunks(TOGETHER) {
            let again: Result<Vec<Array2<f64>>, Stopped> = (states.par_iter())
                .map(|&state| {
                    let mut log_sums = Array2::from_elem((sampling.groups(), model.latent()), f64::NEG_INFINITY);
                    for (group, images) in sampling.images_of(model, state) {
                        watch.go_on()?;
                        let block = model.log_forward(&images).map_axis(Axis(0), logsumexp);
                        log_sums
                            .row_mut(group)
                            .zip_mut_with(&block, |sum, &block| *sum = logaddexp(*sum, block));
                    }
                    Ok(log_sums)
                })
                .collect();
            for (&state, rows) in states.iter().zip(again?) {
                for (table, row) in self.log_sums.iter_mut().zip(rows.rows()) {
                    table.row_mut(state).assign(&row);
                }
            }
        }
        Ok(())
    }

    /// The kernel from all draws, and those from all draws but one group's, of every group if there are several; and what was observed.
    ///
    /// # Errors
    /// When numbers overflow, or when it is stopped.
    pub fn kernels(mut self, watch: &dyn Watch) -> Result<Kernels<T>, EstimateError> {
        let groups = self.log_sums.len();
        let whole = {
            let mut log_sums = self.log_sums[0].clone();
            for table in &self.log_sums[1..] {
                Zip::from(&mut log_sums)
                    .and(table)
                    .par_for_each(|sum, &log_sum| *sum = logaddexp(*sum, log_sum));
            }
            let path = self.path.iter().fold(Array1::zeros(log_sums.nrows()), |sum, path| sum + path);
            kernel(log_sums, path, groups * self.each, watch)?
        };
        if groups == 1 {
            return Ok(Kernels {
                whole,
                without: Vec::new(),
                observed: self.observed,
            });
        }
        self.leave_out_each();
        let without = self.log_sums.into_iter().zip(self.path);
        let without: Result<Vec<Kernel>, EstimateError> = without
            .map(|(log_sums, path)| kernel(log_sums, path, (groups - 1) * self.each, watch))
            .collect();
        Ok(Kernels {
            whole,
            without: without?,
            observed: self.observed,
        })
    }

    /// Replaces the sums of each group by those of all others, by additions alone: a difference would lose the rarest transitions.
    fn leave_out_each(&mut self) {
        let groups = self.log_sums.len();
        let total = self.path.iter().fold(Array1::zeros(self.observed.len()), |sum, path| sum + path);
        self.path.iter_mut().for_each(|path| *path = &total - &*path);
        let mut rows: Vec<Vec<&mut [f64]>> = (0..self.observed.len()).map(|_| Vec::with_capacity(groups)).collect();
        for table in &mut self.log_sums {
            let width = table.ncols();
            let table = table.as_slice_mut().expect("rows");
            rows.iter_mut()
                .zip(table.chunks_exact_mut(width))
                .for_each(|(rows, row)| rows.push(row));
        }
        rows.par_iter_mut().for_each(|rows| {
            let mut own = vec![0.0; groups];
            for k in 0..rows[0].len() {
                own.iter_mut().zip(rows.iter()).for_each(|(own, row)| *own = row[k]);
                let (mut before, mut after) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
                for group in 0..groups {
                    rows[group][k] = before;
                    before = logaddexp(before, own[group]);
                }
                for group in (0..groups).rev() {
                    rows[group][k] = logaddexp(rows[group][k], after);
                    after = logaddexp(after, own[group]);
                }
            }
        });
    }
}

fn kernel(mut log_sums: Array2<f64>, path: Array1<f64>, images: usize, watch: &dyn Watch) -> Result<Kernel, EstimateError> {
    let images = images as f64;
    log_sums -= images.ln();
    Ok(Kernel {
        steady: SteadyState::from_logs_watched(log_sums, watch)?,
        path: path / images,
    })
}

impl<T> FromState<T> {
    fn draw(
        model: &Conditionals,
        state: usize,
        sampling: Sampling,
        observe: impl Fn(&PackedImages) -> Vec<T>,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let mut drawn = Self {
            sums: Array2::zeros((sampling.groups(), model.first_latent())),
            path: Array1::zeros(sampling.groups()),
            observed: Vec::with_capacity(sampling.samples()),
        };
        for (group, images) in sampling.images_of(model, state) {
            watch.go_on()?;
            let (sums, path) = model.sums_from(state, &images);
            let mut of_group = drawn.sums.row_mut(group);
            of_group += &sums;
            drawn.path[group] += path;
            drawn.observed.extend(observe(&images));
            watch.part_done();
        }
        Ok(drawn)
    }
}
