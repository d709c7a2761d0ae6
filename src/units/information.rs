//! What a step hands on: the mutual information of an image and the word after it, and of successive words.
//!
//! ```text
//! I(x; h') = E ln p(h'|x) / pi(h'),      I(h; h') = E ln T(h'|h) / pi(h'),      T(h'|h) = E_{x ~ q(.|h)} p(h'|x)
//! ```
//!
//! pi and T are means over finitely many images, under a logarithm. Where these include the image that h' was drawn from, the mean is too large on average, and without it the logarithm
//! is too small on average; both together lie about the truth.

use ndarray::Array1;

use super::UnitConditionals;
use super::chains::Moment;
use super::marginal::Marginal;
use super::path::mean_of_chains;
use crate::data::packed::PackedImages;
use crate::estimate::jackknife::Figure;
use crate::logs::{logaddexp, logsumexp};
use crate::random::{Seed, Stream};
use crate::watch::{Stopped, Watch};

use rayon::prelude::*;
use serde::Serialize;

/// Images drawn from each word for T.
const IMAGES: usize = 1024;

/// A figure between two estimates, of which one is too small and one too large on average.
#[derive(Clone, Debug, Serialize)]
pub struct Between {
    /// Too small on average.
    pub low: Figure,
    /// Too large on average.
    pub high: Figure,
}

/// Nats per step.
#[derive(Clone, Debug, Serialize)]
pub struct Information {
    /// I(x; h').
    pub image_and_word: Between,
    /// I(h; h').
    pub words: Between,
}

impl Information {
    /// From successive moments of chains, of which the first's words and images lead to the second's words, and pi of other chains; one part for each pair of words.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(
        model: &UnitConditionals,
        marginal: &Marginal,
        [before, after]: [&Moment; 2],
        seed: Seed,
        time: u64,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let pairs = before.words.len();
        watch.begins("information", pairs);
        let others = marginal.log_pi(&after.words);
        let chains = marginal.chains() as f64;
        let found: Result<Vec<[f64; 4]>, Stopped> = (0..pairs)
            .into_par_iter()
            .map(|pair| {
                watch.go_on()?;
                let [word, image, next] = [&before.words, &before.images, &after.words].map(|bits| bits.select(&[pair]));
                let draws = seed.draws(Stream::Information, time, pair as u64);
                let drawn = model.draw_images(&repeated(&word, IMAGES), draws);
                let own = log_p(model, &image, &next)[0];
                let log_p = log_p(model, &drawn, &next);
                let without = logsumexp(log_p.view()) - (IMAGES as f64).ln();
                let with = logaddexp(without + (IMAGES as f64).ln(), own) - (IMAGES as f64 + 1.0).ln();
                // The same of pi.
                let pi_without = others[pair];
                let pi_with = logaddexp(pi_without + chains.ln(), own) - (chains + 1.0).ln();
                watch.part_done();
                Ok([own - pi_with, own - pi_without, without - pi_with, with - pi_without])
            })
            .collect();
        let found = found?;
        let mean = |which: usize| mean_of_chains(&found.iter().map(|of_pair| of_pair[which]).collect::<Array1<f64>>());
        Ok(Self {
            image_and_word: Between {
                low: mean(0),
                high: mean(1),
            },
            words: Between {
                low: mean(2),
                high: mean(3),
            },
        })
    }
}

/// `ln p(h|x_n)`, `[N]`, of one word.
fn log_p(model: &UnitConditionals, images: &PackedImages, word: &PackedImages) -> Array1<f64> {
    let logits = model.forward_logits(images);
    let log_silent = super::conditionals::log_silent(&logits);
    let on = word.unpack().row(0).mapv(f32::from);
    (logits.dot(&on) + log_silent).mapv(f64::from)
}

/// One image so many times.
fn repeated(image: &PackedImages, times: usize) -> PackedImages {
    image.select(&vec![0; times])
}
