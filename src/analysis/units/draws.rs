//! What the images of every state say of the codes before and after them: from the draws that the kernel was estimated from, or from all images.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, s};
use rayon::prelude::*;

use crate::conditionals::{Conditionals, Sights};
use crate::data::packed::PackedImages;
use crate::estimate::sampling::Sampling;
use crate::latent::SteadyState;
use crate::watch::{Stopped, Watch};

/// Means given each state, `[L, H]`, from all draws or all but one group's.
pub(super) struct Means {
    /// From all draws.
    whole: Array2<f64>,
    /// From each group alone, if there are several.
    groups: Vec<Array2<f64>>,
}

impl Means {
    fn zeros(groups: usize, shape: (usize, usize)) -> Self {
        Self {
            whole: Array2::zeros(shape),
            groups: vec![Array2::zeros(shape); groups],
        }
    }

    /// From all draws, or all but one group's.
    pub fn without(&self, left_out: Option<usize>) -> Array2<f64> {
        match left_out {
            None => self.whole.clone(),
            Some(group) => {
                let groups = self.groups.len() as f64;
                (&self.whole * groups - &self.groups[group]) / (groups - 1.0)
            }
        }
    }

    /// Takes the means of one state, `[G, H]`.
    fn fill(&mut self, state: usize, of_groups: &Array2<f64>) {
        for (group, mean) in self.groups.iter_mut().zip(of_groups.rows()) {
            group.row_mut(state).assign(&mean);
        }
        let mean = of_groups.sum_axis(Axis(0)) / of_groups.nrows() as f64;
        self.whole.row_mut(state).assign(&mean);
    }
}

/// Means over x ~ q(.|z) for every state z of the last latent layer; p^ is the mean code of the first latent layer given x, r^ that of the last.
pub(super) struct FromStates {
    /// `E[ p^_h (x W)_h ]`, `[L, H]`.
    pub up: Means,
    /// `E[ (x W)_h ]`, `[L, H]`.
    pub light: Means,
    /// `E[ ( c_zh - r^_h ) (x A^T)_h ]`, `[L, H']`.
    pub down: Means,
    /// The codes of every latent layer but the last, given z, `[L, H]`.
    pub next: Vec<Means>,
    /// Those codes squared.
    pub next_square: Vec<Means>,
    /// The steady state of the first latent layer where it is not the last, `[L]`, for each kernel.
    pub first: Vec<Array1<f64>>,
}

/// The codes of each layer but the last, as means given a state of the first, `[L, H]`; and squared.
pub(super) struct Ahead {
    /// For each layer but the last.
    pub codes: Vec<Array2<f64>>,
    /// The same.
    pub squares: Vec<Array2<f64>>,
    /// Of the last layer, where that is not the first.
    pub last: Option<Array2<f64>>,
}

impl FromStates {
    fn zeros(groups: usize, codes: &Array2<f64>, width: usize, ahead: &Ahead, kernels: usize) -> Self {
        let (states, last) = codes.dim();
        let of = |tables: &[Array2<f64>]| tables.iter().map(|table| Means::zeros(groups, (states, table.ncols()))).collect();
        let of_first = ahead.codes.first().map(|codes| Array1::zeros(codes.nrows()));
        Self {
            up: Means::zeros(groups, (states, width)),
            light: Means::zeros(groups, (states, width)),
            down: Means::zeros(groups, (states, last)),
            next: of(&ahead.codes),
            next_square: of(&ahead.squares),
            first: of_first.map_or_else(Vec::new, |zeros| vec![zeros; kernels]),
        }
    }

    /// From the draws that the kernels were estimated from, of which the first is that of all draws; `codes` are those of the last layer, `[L, H']`. As many
    /// parts are announced as [`Sampling::plain_parts`] says.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn draw(
        model: &Conditionals,
        sampling: Sampling,
        kernels: &[&SteadyState],
        codes: &Array2<f64>,
        ahead: &Ahead,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        /// States whose sums are held beside the tables of all.
        const TOGETHER: usize = 64;
        let mut means = Self::zeros(sampling.groups(), codes, model.first_width(), ahead, kernels.len());
        let pi: Vec<Array1<f64>> = kernels.iter().map(|steady| steady.pi()).collect();
        for first in (0..model.latent()).step_by(TOGETHER) {
            let states = first..model.latent().min(first + TOGETHER);
            let drawn: Result<Vec<OfState>, Stopped> = states
                .clone()
                .into_par_iter()
                .map(|state| OfState::draw(model, sampling, state, codes, ahead, watch))
                .collect();
            for (state, drawn) in states.zip(drawn?) {
                means.up.fill(state, &drawn.up);
                means.light.fill(state, &drawn.light);
                means.down.fill(state, &drawn.down);
                let Some(of_first) = drawn.states else { continue };
                let of_first = Spread::new(of_first);
                for (layer, (codes, squares)) in ahead.codes.iter().zip(&ahead.squares).enumerate() {
                    means.next[layer].fill(state, &of_first.groups.dot(codes));
                    means.next_square[layer].fill(state, &of_first.groups.dot(squares));
                }
                for (number, (weights, pi)) in means.first.iter_mut().zip(&pi).enumerate() {
                    weights.scaled_add(pi[state], &of_first.without(number.checked_sub(1)));
                }
            }
        }
        Ok(means)
    }

    /// From all images of a model with few pixels.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn enumerate(
        model: &Conditionals,
        steady: &SteadyState,
        codes: &Array2<f64>,
        ahead: &Ahead,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        /// Images held at a time.
        const BLOCK: usize = 2048;
        let mut means = Self::zeros(0, codes, model.first_width(), ahead, 1);
        let mut of_first = ahead.codes.first().map(|codes| Array2::zeros((model.latent(), codes.nrows())));
        let images = 1_usize << model.visible();
        for start in (0..images).step_by(BLOCK) {
            watch.go_on()?;
            // The number of an image is its only word.
            let words = (start..images.min(start + BLOCK)).map(|code| code as u32).collect();
            let images = PackedImages::from_words(words, model.visible());
            let q = model.log_backward(&images).mapv_into(f64::exp);
            let Sights {
                up,
                down,
                first,
                last,
                states,
            } = model.sights(&images, ahead.last.as_ref());
            let add = |sum: &mut Array2<f64>, of_images: &Array2<f64>| general_mat_mul(1.0, &q.t(), of_images, 1.0, sum);
            add(&mut means.up.whole, &(first * &up));
            add(&mut means.light.whole, &up);
            means.down.whole += &(q.t().dot(&down) * codes - q.t().dot(&(last * &down)));
            if let (Some(sum), Some(states)) = (&mut of_first, &states) {
                add(sum, states);
            }
        }
        if let Some(of_first) = of_first {
            for (layer, (codes, squares)) in ahead.codes.iter().zip(&ahead.squares).enumerate() {
                means.next[layer].whole = of_first.dot(codes);
                means.next_square[layer].whole = of_first.dot(squares);
            }
            means.first[0] = steady.pi().dot(&of_first);
        }
        Ok(means)
    }
}

/// `p(z|x)` of the first latent layer, averaged over the images of a state.
struct Spread {
    /// In each group, `[G, L]`.
    groups: Array2<f64>,
    /// In all of them, `[L]`.
    sum: Array1<f64>,
}

impl Spread {
    fn new(groups: Array2<f64>) -> Self {
        Self {
            sum: groups.sum_axis(Axis(0)),
            groups,
        }
    }

    fn without(&self, left_out: Option<usize>) -> Array1<f64> {
        let groups = self.groups.nrows() as f64;
        match left_out {
            None => &self.sum / groups,
            Some(group) => (&self.sum - &self.groups.row(group)) / (groups - 1.0),
        }
    }
}

/// The means of one state in each group.
struct OfState {
    up: Array2<f64>,
    light: Array2<f64>,
    down: Array2<f64>,
    states: Option<Array2<f64>>,
}

impl OfState {
    fn draw(
        model: &Conditionals,
        sampling: Sampling,
        state: usize,
        codes: &Array2<f64>,
        ahead: &Ahead,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let groups = sampling.groups();
        let zeros = |width: usize| Array2::zeros((groups, width));
        let mut means = Self {
            up: zeros(model.first_width()),
            light: zeros(model.first_width()),
            down: zeros(codes.ncols()),
            states: ahead.last.as_ref().map(|onward| zeros(onward.nrows())),
        };
        let own = codes.row(state);
        for (group, images) in sampling.images_of(model, state) {
            watch.go_on()?;
            let sights = model.sights(&images, ahead.last.as_ref());
            let weight = groups as f64 / sampling.samples() as f64;
            let add = |table: &mut Array2<f64>, of_images: Array2<f64>| {
                table.slice_mut(s![group, ..]).scaled_add(weight, &of_images.sum_axis(Axis(0)));
            };
            add(&mut means.down, (&own - &sights.last) * &sights.down);
            add(&mut means.up, sights.first * &sights.up);
            add(&mut means.light, sights.up);
            if let (Some(table), Some(states)) = (&mut means.states, sights.states) {
                add(table, states);
            }
            watch.part_done();
        }
        Ok(means)
    }
}
