//! Integrated autocorrelation times of chains that are followed: `tau = 1/2 + sum_{n >= 1} rho(n)`; see [`crate::estimate::autocorrelation`].
//!
//! ```text
//! rho(n) = Cov( f(x_0), f(x_n) ) / Var f,      summed over the components of f: the pixels, or 1 for each class where x is of it
//! ```
//!
//! Means are over many chains and all moments. The sum over n ends where the lag exceeds ten times what the sum has come to (A. Sokal, 1997), and not before lag 20.

use rayon::prelude::*;

use super::chains::Moment;
use super::marginal::GROUPS;
use crate::estimate::jackknife::Figure;

/// Lags in the sum, in units of the time found.
const WINDOW: f64 = 10.0;
/// Lags in the sum at least.
const SHORTEST: usize = 20;

/// f along some chains, whose components are 0 or 1.
struct Observed<'a> {
    moments: usize,
    /// How many components are 1 at both of two moments of a chain: `(chain, from, to)`.
    product: &'a (dyn Fn(usize, usize, usize) -> f64 + Sync),
    /// The means of the components over some chains and all moments.
    means: &'a (dyn Fn(&[usize]) -> Vec<f64> + Sync),
}

/// Of the pixels.
pub fn of_pixels(film: &[Moment]) -> Figure {
    let product = |chain: usize, from: usize, to: usize| {
        let [from, to] = [from, to].map(|moment| film[moment].images.bits());
        let both = from.row(chain).iter().zip(to.row(chain)).map(|(a, b)| (a & b).count_ones());
        f64::from(both.sum::<u32>())
    };
    let means = |group: &[usize]| {
        let mut means = vec![0.0; film[0].images.pixels()];
        for moment in film {
            for (mean, lit) in means.iter_mut().zip(moment.images.select(group).lit()) {
                *mean += lit as f64 / (group.len() * film.len()) as f64;
            }
        }
        means
    };
    let observed = Observed {
        moments: film.len(),
        product: &product,
        means: &means,
    };
    observed.time(film[0].images.len())
}

/// Of classes, of which `classes[t][n]` is that of chain n at moment t, out of so many.
pub fn of_classes(classes: &[Vec<usize>], count: usize) -> Figure {
    let product = |chain: usize, from: usize, to: usize| f64::from(u8::from(classes[from][chain] == classes[to][chain]));
    let means = |group: &[usize]| {
        let mut means = vec![0.0; count];
        for moment in classes {
            for &chain in group {
                means[moment[chain]] += 1.0 / (group.len() * classes.len()) as f64;
            }
        }
        means
    };
    let observed = Observed {
        moments: classes.len(),
        product: &product,
        means: &means,
    };
    observed.time(classes[0].len())
}

impl Observed<'_> {
    /// The time, from groups of so many chains in all; missing where the chains were not followed for long enough.
    fn time(&self, chains: usize) -> Figure {
        let groups: Vec<Vec<usize>> = (0..GROUPS).map(|group| (group..chains).step_by(GROUPS).collect()).collect();
        let means: Vec<Vec<f64>> = groups.par_iter().map(|group| (self.means)(group)).collect();
        // `E[ f(x_0) . f(x_n) ]` of each group, lag by lag.
        let mut products = vec![self.products(&groups, 0)];
        if covariance(&means, &products[0], None) <= 0.0 {
            return Figure::missing("it does not vary: all images are of one class, or one image");
        }
        let sum = |products: &[Vec<f64>], left_out: Option<usize>| {
            let of_lag = |products: &Vec<f64>| covariance(&means, products, left_out);
            0.5 + products[1..].iter().map(of_lag).sum::<f64>() / of_lag(&products[0])
        };
        loop {
            let lag = products.len();
            // A sum that has come to so much does not come down again.
            if lag > self.moments / 2 || WINDOW * sum(&products, None) > self.moments as f64 {
                let why = format!(
                    "not known: it is longer than a twentieth of the {} steps that chains were followed",
                    self.moments
                );
                return Figure::missing(&why);
            }
            products.push(self.products(&groups, lag));
            if lag >= SHORTEST && lag as f64 >= WINDOW * sum(&products, None) {
                break;
            }
        }
        let without: Vec<f64> = (0..GROUPS).map(|group| sum(&products, Some(group))).collect();
        Figure::jackknife(sum(&products, None), &without).at_least(0.0)
    }

    /// At long lags from fewer moments: neighbours then say the same.
    fn products(&self, groups: &[Vec<usize>], lag: usize) -> Vec<f64> {
        let every = (lag / 16).max(1);
        let pairs = (self.moments - lag).div_ceil(every);
        let of_group = |group: &Vec<usize>| {
            let from = (0..pairs).map(|pair| pair * every);
            let of_chain = |&chain: &usize| from.clone().map(|from| (self.product)(chain, from, from + lag)).sum::<f64>();
            group.iter().map(of_chain).sum::<f64>() / (pairs * group.len()) as f64
        };
        groups.par_iter().map(of_group).collect()
    }
}

/// `E[ f . f' ] - E[ f ]^2` from all groups or all but one.
fn covariance(means: &[Vec<f64>], products: &[f64], left_out: Option<usize>) -> f64 {
    let used: Vec<usize> = (0..products.len()).filter(|group| Some(*group) != left_out).collect();
    let mean = |of: &dyn Fn(usize) -> f64| used.iter().map(|&group| of(group)).sum::<f64>() / used.len() as f64;
    let squares: f64 = (0..means[0].len())
        .map(|component| mean(&|group| means[group][component]).powi(2))
        .sum();
    mean(&|group| products[group]) - squares
}
