//! What a model is worth and what its chain does: the figures of one line of metrics.jsonl.

pub mod classifier;
pub mod likelihood;

use serde::{Deserialize, Serialize};

use self::classifier::Classifier;
use self::likelihood::log_likelihood;
use crate::conditionals::Conditionals;
use crate::data::Dataset;
use crate::data::packed::PackedImages;
use crate::latent::kernel::LatentKernel;
use crate::latent::thermodynamics::{entropy_production, self_transition};
use crate::model::Parameters;
use crate::random::Seed;

/// The figures of one evaluation; a figure that cannot be had (no test set, no labels, an infinite divergence) is null in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Nats per image.
    pub log_likelihood_train: f64,
    /// Nats per image, of images not trained on.
    pub log_likelihood_test: Option<f64>,
    /// Of the latent chain, nats per step.
    pub entropy_production: f64,
    /// Of the whole chain, images included, nats per step.
    pub path_entropy_production: f64,
    /// Mean probability that the latent state stays, per step.
    pub self_transition: f64,
    /// `sum_c d_c ln( d_c / m_c )` between the class shares d of the training labels and m of images drawn from the model; nats.
    pub class_kl: Option<f64>,
}

/// Evaluates models against one set of data, the same way at every step.
pub struct Evaluator {
    train: PackedImages,
    test: Option<PackedImages>,
    judge: Option<Judge>,
    samples: usize,
    seed: Seed,
}

/// The classifier of generated images, with the shares it should find.
struct Judge {
    classifier: Classifier,
    data_shares: Vec<f64>,
    accuracy: f64,
}

impl Evaluator {
    /// Prepares the data and, where there are labels of two classes or more, trains the judge of generated images.
    ///
    /// `samples` is the number of images drawn in each latent state at each evaluation.
    pub fn new(data: &Dataset, samples: usize, seed: Seed) -> Self {
        let train = data.train.evaluation_images(seed, 0);
        let test = data.test.as_ref().map(|test| test.evaluation_images(seed, 1));
        let judge = data.train.labels().filter(|_| data.classes.len() >= 2).map(|labels| {
            let classes = data.classes.len();
            let classifier = Classifier::fit(&train, labels, classes, seed);
            let test_labels = data.test.as_ref().and_then(|test| test.labels());
            Judge {
                accuracy: match (&test, test_labels) {
                    (Some(test), Some(test_labels)) => classifier.accuracy(test, test_labels),
                    _ => classifier.accuracy(&train, labels),
                },
                data_shares: shares(labels.iter().copied(), classes),
                classifier,
            }
        });
        Self {
            train,
            test,
            judge,
            samples,
            seed,
        }
    }

    /// The share of test images (training images where there is no labelled test set) whose class the judge finds.
    pub fn judge_accuracy(&self) -> Option<f64> {
        self.judge.as_ref().map(|judge| judge.accuracy)
    }

    /// Computes all figures of a model; `time` keys the draws. `None` where its parameters are not finite: training has diverged.
    pub fn evaluate(&self, parameters: &Parameters, time: u64) -> Option<Figures> {
        if !parameters.is_finite() {
            return None;
        }
        let model = Conditionals::new(parameters);
        let classes = |images: &PackedImages| self.judge.as_ref().map_or_else(Vec::new, |judge| judge.classifier.classes(images));
        let kernel = LatentKernel::estimate(&model, self.samples, self.seed, time, classes)?;
        let likelihood = |images: &PackedImages| log_likelihood(&model, &kernel.log_pi, images);
        Some(Figures {
            log_likelihood_train: likelihood(&self.train),
            log_likelihood_test: self.test.as_ref().map(likelihood),
            entropy_production: entropy_production(&kernel.log_pi, &kernel.log_transition),
            path_entropy_production: kernel.path_entropy_production,
            self_transition: self_transition(&kernel.log_pi, &kernel.log_transition),
            class_kl: self
                .judge
                .as_ref()
                .map(|judge| judge.divergence(&kernel))
                .filter(|kl| kl.is_finite()),
        })
    }
}

impl Judge {
    /// `KL(data || model)` of class shares, nats. The model's shares are those of the images that the kernel's estimate drew,
    /// weighted by pi: images generated in the steady state, judged one by one.
    fn divergence(&self, kernel: &LatentKernel<usize>) -> f64 {
        let classes = self.data_shares.len();
        let by_state: Vec<Vec<f64>> = kernel
            .observed
            .iter()
            .map(|observed| shares(observed.iter().copied(), classes))
            .collect();
        (0..classes)
            .filter(|&class| self.data_shares[class] > 0.0)
            .map(|class| {
                let model_share: f64 = by_state
                    .iter()
                    .zip(&kernel.log_pi)
                    .map(|(shares, log_pi)| log_pi.exp() * shares[class])
                    .sum();
                self.data_shares[class] * (self.data_shares[class] / model_share).ln()
            })
            .sum()
    }
}

/// The share of each of `classes` classes.
fn shares(labels: impl ExactSizeIterator<Item = usize>, classes: usize) -> Vec<f64> {
    let unit = 1.0 / labels.len() as f64;
    let mut shares = vec![0.0; classes];
    for label in labels {
        shares[label] += unit;
    }
    shares
}
