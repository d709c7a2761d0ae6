//! Integrated autocorrelation times of the images that a chain walks through: how many steps lie between independent ones.
//!
//! Let f(x) have as components the pixels, or for each class 1 where x is of it. In the steady state
//!
//! ```text
//! tau = 1/2 + sum_{n >= 1} rho(n),      rho(n) = Cov( f(x_0), f(x_n) ) / Var f,      summed over the components
//! ```
//!
//! so that images drawn anew at each step have 1/2, and N successive images are worth N / (2 tau) independent ones for a mean over them (A. Sokal, "Monte
//! Carlo methods in statistical mechanics", 1997). An image knows of later ones only by the state that it leads to, and so with `m_k = E[ f | z=k ]`, its mean
//! mu over pi, and the fundamental matrix Z,
//!
//! ```text
//! sum_{n >= 1} Cov( f(x_0), f(x_n) ) = sum_j pi_j (m_j - mu) . (T S)_j + sum_k R_k . S_k,      S = Z (m - mu)
//! R_k = sum_j pi_j E_{x ~ q(.|j)} [ ( p(k|x) - T_jk ) ( f(x) - m_j ) ]
//! ```
//!
//! The first term is what the states remember, the second what an image hands on beyond its state.
//!
//! In detailed balance p(z|x) is the posterior of q, a step is the product of an operator and its adjoint, and no correlation of any f is negative: tau is 1/2 at
//! least. Out of equilibrium successive images may repel each other, and a walk be worth more than as many independent images.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, s};
use rayon::prelude::*;

use super::exact::{PARTS, images_of};
use super::jackknife::Figure;
use super::sampling::Sampling;
use super::{Estimate, Kernel, Method};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::latent::fundamental::Fundamental;
use crate::random::Stream;
use crate::watch::{Stopped, Watch};

/// Images drawn in all for R.
const IMAGES: usize = 1 << 16;
/// Images whose products are taken together.
const BLOCK: usize = 256;

/// The times of one chain.
#[derive(Clone, Debug)]
pub struct AutocorrelationTimes {
    /// Of the pixels, steps.
    pub pixels: Figure,
    /// Of the classes, steps, where there are some.
    pub classes: Option<Figure>,
}

/// The classes of images.
pub struct Classes<'a> {
    /// The class of each image.
    pub of: &'a (dyn Fn(&PackedImages) -> Vec<usize> + Sync),
    /// The shares of the classes among the images of each state, `[L, C]`.
    pub shares: Array2<f64>,
}

/// f: the pixels, and after them the classes.
struct Observed<'a> {
    model: &'a Conditionals,
    classes: Option<Classes<'a>>,
    /// m, `[L, F]`.
    means: Array2<f64>,
}

impl AutocorrelationTimes {
    /// Of a model with its estimated kernel; `sampling` is that of the kernel. One part is announced for each group of draws, and one for each kernel.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(
        model: &Conditionals,
        estimate: &Estimate,
        sampling: Sampling,
        classes: Option<Classes>,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let observed = Observed::new(model, classes);
        watch.begins("autocorrelation times", Self::groups(estimate) + estimate.without.len() + 1);
        let handed_on = if estimate.method == Method::Enumeration {
            observed.enumerate(&estimate.kernel, watch)?
        } else {
            observed.draw(&estimate.kernel, sampling, watch)?
        };
        let groups = handed_on.len();
        let total = handed_on.iter().fold(Array2::zeros(observed.means.dim()), |sum, group| sum + group);
        let times = |kernel: &Kernel, handed_on: &Array2<f64>| {
            watch.go_on()?;
            let times = observed.times(kernel, handed_on);
            watch.part_done();
            Ok(times)
        };
        let whole = times(&estimate.kernel, &(&total / groups as f64))?;
        let without: Result<Vec<[f64; 2]>, Stopped> = (estimate.without.par_iter().enumerate())
            .map(|(group, kernel)| times(kernel, &((&total - &handed_on[group]) / (groups - 1) as f64)))
            .collect();
        let without = without?;
        let figure = |which: usize| {
            let without: Vec<f64> = without.iter().map(|times| times[which]).collect();
            settled(whole[which], &without)
        };
        Ok(Self {
            pixels: figure(0),
            classes: observed.classes.is_some().then(|| figure(1)),
        })
    }

    fn groups(estimate: &Estimate) -> usize {
        match estimate.method {
            Method::Enumeration => PARTS,
            _ => estimate.without.len().max(1),
        }
    }
}

/// A time with its interval; missing where f64 cannot tell the chain from one that never forgets, with some of the draws or with all, and where the
/// draws hardly say more than its order of magnitude.
fn settled(whole: f64, without: &[f64]) -> Figure {
    /// Rounding errors of T, about 1e-16 of each row, are multiplied by the time.
    const LONGEST: f64 = 1e10;
    /// Of itself.
    const MOST_ERROR: f64 = 0.5;
    if whole == f64::NEG_INFINITY {
        return Figure::missing("it does not vary: all images are of one class, or one image");
    }
    if without.iter().chain([&whole]).any(|time| !(0.0..LONGEST).contains(time)) {
        return Figure::missing("longer than 10^10 steps, or without end: the chain is frozen");
    }
    let figure = Figure::jackknife(whole, without);
    let error = figure.standard_error.unwrap_or(0.0);
    if error > MOST_ERROR * whole {
        return Figure::missing("the draws do not tell: it rests on transitions that are too rare for them");
    }
    figure.at_least(0.0)
}

impl<'a> Observed<'a> {
    fn new(model: &'a Conditionals, classes: Option<Classes<'a>>) -> Self {
        let means = match &classes {
            None => model.means().clone(),
            Some(classes) => ndarray::concatenate![Axis(1), model.means().view(), classes.shares.view()],
        };
        Self { model, classes, means }
    }

    /// `f(x) - m_z` of images drawn from states z, `[N, F]`; of any state, where none are given, `f(x)`.
    fn deviations(&self, images: &PackedImages, states: Option<&[i32]>) -> Array2<f64> {
        let pixels = self.model.visible();
        let mut f = Array2::zeros((images.len(), self.means.ncols()));
        f.slice_mut(s![.., ..pixels]).assign(&images.unpack().mapv(f64::from));
        if let Some(classes) = &self.classes {
            for (mut row, class) in f.rows_mut().into_iter().zip((classes.of)(images)) {
                row[pixels + class] = 1.0;
            }
        }
        for (mut row, &state) in f.rows_mut().into_iter().zip(states.unwrap_or_default()) {
            row -= &self.means.row(state as usize);
        }
        f
    }

    /// R of each group of draws, `[L, F]`.
    fn draw(&self, kernel: &Kernel, sampling: Sampling, watch: &dyn Watch) -> Result<Vec<Array2<f64>>, Stopped> {
        let latent = self.model.latent();
        let each = IMAGES.div_ceil(latent * sampling.groups());
        let (transition, pi) = (kernel.steady.transition(), kernel.steady.pi());
        let states: Vec<i32> = (0..latent * each).map(|number| (number / each) as i32).collect();
        (0..sampling.groups())
            .into_par_iter()
            .map(|group| {
                let draws = sampling.draws(Stream::Autocorrelation, group);
                let mut sum = Array2::zeros(self.means.dim());
                for (block, states) in states.chunks(BLOCK).enumerate() {
                    watch.go_on()?;
                    let images = self.model.draw(states, draws.part(block as u64));
                    let mut p = self.model.log_forward(&images).mapv_into(f64::exp);
                    for (mut row, &state) in p.rows_mut().into_iter().zip(states) {
                        row -= &transition.row(state as usize);
                        row *= pi[state as usize] / each as f64;
                    }
                    general_mat_mul(1.0, &p.t(), &self.deviations(&images, Some(states)), 1.0, &mut sum);
                }
                watch.part_done();
                Ok(sum)
            })
            .collect()
    }

    /// R by enumeration of all images, as a single group.
    fn enumerate(&self, kernel: &Kernel, watch: &dyn Watch) -> Result<Vec<Array2<f64>>, Stopped> {
        let pi = kernel.steady.pi();
        let parts: Result<Vec<Array2<f64>>, Stopped> = (0..PARTS)
            .into_par_iter()
            .map(|part| {
                let mut sum = Array2::zeros(self.means.dim());
                for images in images_of(part, self.model.visible()) {
                    watch.go_on()?;
                    let p = self.model.log_forward(&images).mapv_into(f64::exp);
                    let joint = self.model.log_backward(&images).mapv_into(f64::exp) * &pi; //     pi_j q(x|j)     [N, L]
                    let density = joint.sum_axis(Axis(1)).insert_axis(Axis(1));
                    let weighed = self.deviations(&images, None) * &density - joint.dot(&self.means);
                    general_mat_mul(1.0, &p.t(), &weighed, 1.0, &mut sum);
                }
                watch.part_done();
                Ok(sum)
            })
            .collect();
        let sum = parts?.into_iter().fold(Array2::zeros(self.means.dim()), |sum, part| sum + part);
        Ok(vec![sum])
    }

    /// The times of the pixels and of the classes; minus infinity where these do not vary.
    fn times(&self, kernel: &Kernel, handed_on: &Array2<f64>) -> [f64; 2] {
        let steady = &kernel.steady;
        let (pi, transition) = (steady.pi(), steady.transition());
        let mu: Array1<f64> = pi.dot(&self.means);
        let centred = &self.means - &mu;
        let later = Fundamental::of(steady).times_columns(&centred); //                       S       [L, F]
        let remembered = transition.t().dot(&(&centred * &pi.insert_axis(Axis(1)))); //  what S_k is multiplied by   [L, F]
        let covariance = ((remembered + handed_on) * later).sum_axis(Axis(0));
        let variance = mu.mapv(|mu| mu * (1.0 - mu));
        let pixels = self.model.visible();
        [s![..pixels], s![pixels..]].map(|part| match variance.slice(part).sum() {
            0.0 => f64::NEG_INFINITY,
            variance => 0.5 + covariance.slice(part).sum() / variance,
        })
    }
}
