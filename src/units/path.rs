//! Path entropy production of a machine of units, and what each unit does in a step.
//!
//! Of one latent layer, with `V = W - A^T`,
//!
//! ```text
//! sigma = E[ ln q(x|h) p(h'|x) - ln q(x|h') p(h|x) ] = sum_j E[ (x V)_j ( p_j(x) - h_j ) ],      h ~ pi,  x ~ q(.|h),  p_j(x) = s((x W + b)_j)
//! ```
//!
//! (with tanh units beside W, what they add to the logits beside x V), since in the steady state whatever is a function of h alone has the same mean before and after the step, and h' has the mean p(x) given x.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::UnitConditionals;
use super::chains::Moment;
use crate::estimate::jackknife::{Figure, error_of_mean};
use crate::logs::sigmoid;

/// Moments that are summed one after the other.
const PART: usize = 8;

/// What chains say of the step, each chain by itself, as means over moments.
pub struct Steps {
    /// sigma, `[N]`, nats per step.
    pub path_entropy_production: Array1<f64>,
    /// `p(h|x)`, the probability that the word stays, `[N]`.
    pub self_transition: Array1<f64>,
    /// Units that change, `[N]`.
    pub flips: Array1<f64>,
    /// Lit pixels, `[N]`.
    pub lit: Array1<f64>,
    /// sigma by unit, `[N, H]`, nats per step.
    pub by_unit: Array2<f64>,
    /// How often each unit is on, `[H]`.
    pub on: Array1<f64>,
    /// How often it changes, `[H]`, per step.
    pub flip_rates: Array1<f64>,
}

impl Steps {
    /// From moments of chains in the steady state.
    pub fn of(model: &UnitConditionals, film: &[Moment]) -> Self {
        let (chains, units) = (film[0].words.len(), model.units());
        let of_moment = |moment: &Moment| {
            let logits = model.forward_logits(&moment.images).mapv(f64::from);
            let drive = model.drive(&moment.images);
            let words = moment.words.unpack();
            let bits = moment.images.bits();
            let mut found = Self::zeros(chains, units);
            for chain in 0..chains {
                let mut log_stay = 0.0;
                for unit in 0..units {
                    let on = f64::from(words[[chain, unit]]);
                    let p = sigmoid(logits[[chain, unit]]);
                    let flip = on + p - 2.0 * on * p;
                    log_stay += (1.0 - flip).ln();
                    found.by_unit[[chain, unit]] = f64::from(drive[[chain, unit]]) * (p - on);
                    found.flips[chain] += flip;
                    found.on[unit] += on / chains as f64;
                    found.flip_rates[unit] += flip / chains as f64;
                }
                found.self_transition[chain] = log_stay.exp();
                found.lit[chain] = f64::from(bits.row(chain).iter().map(|word| word.count_ones()).sum::<u32>());
            }
            found
        };
        // In parts of a fixed length: a sum's last bits are not to depend on which thread adds what.
        let parts: Vec<Self> = film
            .par_chunks(PART)
            .map(|moments| moments.iter().map(of_moment).fold(Self::zeros(chains, units), Self::plus))
            .collect();
        let mut sum = parts.into_iter().fold(Self::zeros(chains, units), Self::plus);
        sum.scale(1.0 / film.len() as f64);
        sum
    }

    /// Those of two walks of the same chains and the same length.
    pub fn mean(self, other: Self) -> Self {
        let mut sum = self.plus(other);
        sum.scale(0.5);
        sum
    }

    /// The sums over units follow those of each.
    fn scale(&mut self, share: f64) {
        for column in [
            &mut self.self_transition,
            &mut self.flips,
            &mut self.lit,
            &mut self.on,
            &mut self.flip_rates,
        ] {
            *column *= share;
        }
        self.by_unit *= share;
        self.path_entropy_production = self.by_unit.sum_axis(Axis(1));
    }

    fn zeros(chains: usize, units: usize) -> Self {
        let of_chains = || Array1::zeros(chains);
        Self {
            path_entropy_production: of_chains(),
            self_transition: of_chains(),
            flips: of_chains(),
            lit: of_chains(),
            by_unit: Array2::zeros((chains, units)),
            on: Array1::zeros(units),
            flip_rates: Array1::zeros(units),
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.self_transition += &other.self_transition;
        self.flips += &other.flips;
        self.lit += &other.lit;
        self.by_unit += &other.by_unit;
        self.on += &other.on;
        self.flip_rates += &other.flip_rates;
        self
    }
}

/// The mean over independent chains, with its interval.
pub fn mean_of_chains(values: &Array1<f64>) -> Figure {
    let mean = values.sum() / values.len() as f64;
    if values.len() < 2 {
        return Figure::exact(mean);
    }
    Figure::with_error(mean, error_of_mean(values.iter().copied(), mean), values.len() - 1)
}
