//! A lower bound of the log-likelihood, from candidates for the posterior of each image and pi of each candidate.
//!
//! ```text
//! ln P(x)  >=  E ln 1/K sum_k q(x|h_k) pi^(h_k) / s(h_k|x),      h_k ~ s(.|x),      pi^(h) = 1/N sum_n p(h|x'_n)
//! ```
//!
//! The mean under the logarithm is P(x) for any K (Y. Burda, R. Grosse and R. Salakhutdinov, ICLR 2016) and for chains x'_n of the steady state, so that the logarithm is too small on
//! average and grows with K and with N. How much it grew from half as many says what is still missing.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rayon::prelude::*;

use super::UnitConditionals;
use super::conditionals::{draw_bits, log_bernoulli, upward};
use super::marginal::{GROUPS, Marginal};
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::{Figure, error_of_mean};
use crate::logs::{effective_number, logsumexp};
use crate::model::recognition::RecognitionParameters;
use crate::random::{Seed, Stream};
use crate::watch::{Stopped, Watch};

/// Candidates at a time: for each there are numbers for all pixels.
const WORDS: usize = 2048;

/// The bound on the mean over some images; nats per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Images.
    pub images: usize,
    /// K.
    pub candidates: usize,
    /// N.
    pub chains: usize,
    /// The bound.
    pub value: f64,
    /// Its standard error by the draw of the chains.
    pub error: f64,
    /// Its standard error by the choice of the images.
    pub error_over_images: f64,
    /// What the second half of the candidates added.
    pub by_candidates: f64,
    /// What the second half of the chains added.
    pub by_chains: f64,
    /// Candidates that count: `(sum_k w_k)^2 / sum_k w_k^2`, on average.
    pub effective: f64,
}

/// What the bound is taken with.
pub struct Bounds<'a> {
    /// The machine.
    pub model: &'a UnitConditionals,
    /// s.
    pub recognition: &'a RecognitionParameters,
    /// pi.
    pub marginal: &'a Marginal,
    /// Of the candidates.
    pub seed: Seed,
    /// First index of their draws.
    pub time: u64,
}

/// What is found of one image.
#[derive(Clone, Default)]
struct OfImage {
    whole: f64,
    half_of_candidates: f64,
    half_of_chains: f64,
    without_group: [f64; GROUPS],
    effective: f64,
}

impl Bounds<'_> {
    /// With K candidates for each image. A part is announced for each block of images.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(&self, images: &PackedImages, candidates: usize, watch: &dyn Watch) -> Result<Bound, Stopped> {
        let block = (WORDS / candidates).clamp(1, 64);
        let all: Vec<usize> = (0..images.len()).collect();
        let blocks: Vec<&[usize]> = all.chunks(block).collect();
        watch.begins("likelihood bound", blocks.len());
        let of_blocks: Result<Vec<Vec<OfImage>>, Stopped> = (blocks.into_par_iter().enumerate())
            .map(|(number, block)| {
                watch.go_on()?;
                let found = self.of_block(&images.select(block), number as u64, candidates);
                watch.part_done();
                Ok(found)
            })
            .collect();
        let found: Vec<OfImage> = of_blocks?.into_iter().flatten().collect();
        let count = found.len() as f64;
        let mean = |of: &dyn Fn(&OfImage) -> f64| found.iter().map(of).sum::<f64>() / count;
        let value = mean(&|image| image.whole);
        let without: Vec<f64> = (0..GROUPS).map(|group| mean(&|image| image.without_group[group])).collect();
        let middle = without.iter().sum::<f64>() / GROUPS as f64;
        let spread: f64 = without.iter().map(|value| (value - middle).powi(2)).sum();
        Ok(Bound {
            images: found.len(),
            candidates,
            chains: self.marginal.chains(),
            value,
            // The jackknife's, but not its correction: that would be no bound.
            error: ((GROUPS - 1) as f64 / GROUPS as f64 * spread).sqrt(),
            error_over_images: error_of_mean(found.iter().map(|image| image.whole), value),
            by_candidates: value - mean(&|image| image.half_of_candidates),
            by_chains: value - mean(&|image| image.half_of_chains),
            effective: mean(&|image| image.effective),
        })
    }

    /// Of some images, with all their candidates at a time.
    fn of_block(&self, images: &PackedImages, number: u64, candidates: usize) -> Vec<OfImage> {
        let RecognitionParameters { matrix, bias, tanh } = self.recognition;
        let logits = upward(images, (matrix, bias), tanh.as_ref()); //                      x R + c              [B, H]
        let words = draw_bits(&logits, candidates, self.seed.draws(Stream::Bound, self.time, number));
        let log_s = log_bernoulli(&words, &logits); //                                   ln s(h_k|x)          [B K]
        let log_q = log_bernoulli(images, &self.model.visible_logits(&words)); //         ln q(x|h_k)        [B K]
        let log_sums = self.marginal.log_sums(&words); //                                   ln sum_n p(h_k|x'_n) [B K, G]
        let log_ratio = (log_q - log_s).mapv(f64::from);
        (0..images.len())
            .map(|image| {
                let of_image = s![image * candidates..(image + 1) * candidates];
                self.of_image(
                    log_ratio.slice(of_image),
                    log_sums.slice(s![image * candidates..(image + 1) * candidates, ..]),
                )
            })
            .collect()
    }

    /// Of one image, from `ln q(x|h_k) - ln s(h_k|x)`, `[K]`, and the sums over groups of chains, `[K, G]`.
    fn of_image(&self, log_ratio: ArrayView1<f64>, log_sums: ndarray::ArrayView2<f64>) -> OfImage {
        let chains = self.marginal.chains() as f64;
        let all = log_sums.map_axis(Axis(1), logsumexp);
        let log_mean = |log_w: ArrayView1<f64>| logsumexp(log_w) - (log_w.len() as f64).ln();
        let log_w: Array1<f64> = &log_ratio + &all - chains.ln();
        let half = log_w.len() / 2;
        let first_chains = log_sums.slice(s![.., ..GROUPS / 2]).map_axis(Axis(1), logsumexp);
        let without_group = std::array::from_fn(|left_out| {
            let others = log_sums.select(Axis(1), &(0..GROUPS).filter(|group| *group != left_out).collect::<Vec<_>>());
            let others: Array2<f64> = others;
            let count = chains * (GROUPS - 1) as f64 / GROUPS as f64;
            log_mean((&log_ratio + &others.map_axis(Axis(1), logsumexp) - count.ln()).view())
        });
        OfImage {
            whole: log_mean(log_w.view()),
            half_of_candidates: log_mean(log_w.slice(s![..half.max(1)])),
            half_of_chains: log_mean((&log_ratio + &first_chains - (chains / 2.0).ln()).view()),
            without_group,
            effective: effective_number(log_w.view()),
        }
    }
}

impl Bound {
    /// With its interval by the draw of the chains, and its error by the choice of the images.
    pub fn figure(&self) -> Figure {
        Figure {
            standard_error_over_images: Some(self.error_over_images),
            ..Figure::with_error(self.value, self.error, GROUPS - 1)
        }
    }
}
