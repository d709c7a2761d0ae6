//! A small judge of images: multinomial logistic regression on pixels, trained on the labelled data.

use ndarray::{Array1, Array2, ArrayView1};

use crate::conditionals::affine;
use crate::data::packed::PackedImages;
use crate::kernels::bits::{WORD, lit_columns};
use crate::logs::logsumexp;
use crate::random::{Seed, Stream, permutation};

/// Passes over the training images; the decaying rate has settled well before the last.
const EPOCHS: usize = 12;
/// First learning rate, halved over the first epoch's time and falling as 1/t after it.
const RATE: f64 = 0.05;

/// `p(class | x) = softmax_c( sum_i x_i V_ic + a_c )`, fitted by stochastic gradient descent and averaged over the later half of the
/// passes (Polyak).
#[derive(Clone, Debug)]
pub struct Classifier {
    /// V, `[D, C]`.
    weights: Array2<f64>,
    /// a, `[C]`.
    bias: Array1<f64>,
}

impl Classifier {
    /// Fits images to labels `0..classes`. The seed sets the order of the images and nothing else.
    pub fn fit(images: &PackedImages, labels: &[usize], classes: usize, seed: Seed) -> Self {
        let bits = images.bits();
        let mut lit = vec![0; images.pixels().next_multiple_of(WORD) + 8];
        let mut present = Self {
            weights: Array2::zeros((images.pixels(), classes)),
            bias: Array1::zeros(classes),
        };
        let mut average = present.clone();
        for epoch in 0..EPOCHS {
            let rate = RATE / (1.0 + epoch as f64);
            let mut generator = seed.generator(Stream::Classifier, epoch as u64, 0);
            for n in permutation(&mut generator, images.len()) {
                // d ln p(label|x) / d logits = onehot(label) - p(.|x)
                let count = lit_columns(bits.row(n), &mut lit);
                let mut step = present.log_probabilities(&lit[..count]).mapv(|log_p| -log_p.exp());
                step[labels[n]] += 1.0;
                step *= rate;
                for &pixel in &lit[..count] {
                    let mut row = present.weights.row_mut(usize::from(pixel));
                    row += &step;
                }
                present.bias += &step;
            }
            if epoch >= EPOCHS / 2 {
                let share = 1.0 / (1.0 + (epoch - EPOCHS / 2) as f64);
                average.weights = &average.weights * (1.0 - share) + &present.weights * share;
                average.bias = &average.bias * (1.0 - share) + &present.bias * share;
            }
        }
        average
    }

    /// The most probable class of each image; the first of equals.
    pub fn classes(&self, images: &PackedImages) -> Vec<usize> {
        let logits = affine(images, &self.weights, &self.bias);
        let best =
            |logits: ArrayView1<f64>| (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        logits.rows().into_iter().map(best).collect()
    }

    /// The share of images whose class is found.
    pub fn accuracy(&self, images: &PackedImages, labels: &[usize]) -> f64 {
        let right = self
            .classes(images)
            .iter()
            .zip(labels)
            .filter(|(class, label)| class == label)
            .count();
        right as f64 / images.len() as f64
    }

    /// `ln p(class | x)` of an image given by its lit pixels.
    fn log_probabilities(&self, lit: &[u16]) -> Array1<f64> {
        let mut logits = self.bias.clone();
        for &pixel in lit {
            logits += &self.weights.row(usize::from(pixel));
        }
        let normalization = logsumexp(logits.view());
        logits - normalization
    }
}
