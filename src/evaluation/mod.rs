//! What a model is worth and what its chain does: the figures of one line of metrics.jsonl.

pub mod classifier;
pub mod judge;
pub mod likelihood;
pub mod units;

use serde::{Deserialize, Serialize};

use self::judge::Judge;
use self::likelihood::log_likelihood;
use crate::conditionals::Conditionals;
use crate::data::Dataset;
use crate::data::packed::PackedImages;
use crate::estimate::EstimateError;
use crate::estimate::plain::PlainEstimate;
use crate::estimate::reversible::closed_form;
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::random::Seed;
use crate::watch::Watch;

/// The figures of one evaluation; a figure that cannot be had (no test set, no labels, an infinite divergence) is null in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Nats per image; null where latent states are not listed.
    pub log_likelihood_train: Option<f64>,
    /// Nats per image, of images not trained on.
    pub log_likelihood_test: Option<f64>,
    /// A lower bound of it by few draws and at 500 images; null where the likelihood is exact.
    #[serde(default)]
    pub log_likelihood_bound_train: Option<f64>,
    /// The same of images not trained on.
    #[serde(default)]
    pub log_likelihood_bound_test: Option<f64>,
    /// Of the latent chain, nats per step; null where latent states are not listed.
    pub entropy_production: Option<f64>,
    /// Of the whole chain, images included, nats per step.
    pub path_entropy_production: f64,
    /// Mean probability that the latent state stays, per step.
    pub self_transition: f64,
    /// `sum_c d_c ln( d_c / m_c )` between the class shares d of the training labels and m of images drawn from the model; nats.
    pub class_kl: Option<f64>,
    /// Lit pixels of an image drawn from the model; only where latent states are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lit_pixels: Option<f64>,
}

/// What models are compared with.
pub struct Reference {
    /// Images trained on.
    pub train: PackedImages,
    /// Their classes, where they have labels.
    pub train_classes: Option<Vec<usize>>,
    /// Images not trained on.
    pub test: Option<PackedImages>,
    /// The judge of generated images, where the data have labels of two classes or more.
    pub judge: Option<Judge>,
}

impl Reference {
    /// Prepares the data and trains the judge.
    pub fn new(data: &Dataset, seed: Seed) -> Self {
        let train = data.train.evaluation_images(seed, 0);
        let test = data.test.as_ref().map(|test| test.evaluation_images(seed, 1));
        Self {
            judge: Judge::new(data, &train, test.as_ref(), seed),
            train_classes: data.train.labels().map(<[usize]>::to_vec),
            train,
            test,
        }
    }
}

/// Evaluates models against one set of data, the same way at every step.
pub struct Evaluator {
    /// What they are compared with.
    pub reference: Reference,
    samples: usize,
    seed: Seed,
}

impl Evaluator {
    /// `samples` is the number of images drawn in each latent state at each evaluation, or of chains where states are not listed.
    pub fn new(data: &Dataset, samples: usize, seed: Seed) -> Self {
        Self {
            reference: Reference::new(data, seed),
            samples,
            seed,
        }
    }

    /// Computes all figures of a model, with its recognition distribution if it has one; `time` keys the draws.
    ///
    /// The model's class shares are those of the images that the kernel's estimate draws, weighted by pi: images of the steady state,
    /// judged one by one.
    ///
    /// # Errors
    /// When the parameters or what is computed from them are not finite (training has diverged), or when it is stopped.
    pub fn evaluate(
        &self,
        parameters: &Parameters,
        recognition: Option<&RecognitionParameters>,
        time: u64,
        watch: &dyn Watch,
    ) -> Result<Figures, EstimateError> {
        if !parameters.is_finite() {
            return Err(EstimateError::NoNumbers);
        }
        if !parameters.layers.are_listed() {
            let draws = (self.samples, self.seed, time);
            return units::evaluate(&self.reference, parameters, recognition, draws, watch);
        }
        let model = Conditionals::new(parameters);
        let Reference { train, test, judge, .. } = &self.reference;
        let classes = |images: &PackedImages| judge.as_ref().map_or_else(Vec::new, |judge| judge.classes(images));
        let PlainEstimate { mut kernel, observed } = PlainEstimate::draw(&model, self.samples, self.seed, time, classes, watch)?;
        if let Some(log_pi) = closed_form(parameters) {
            kernel = kernel.in_balance(&log_pi, watch)?;
        }
        let steady = &kernel.steady;
        let likelihood = |images: &PackedImages| log_likelihood(&model, steady.log_pi(), images, watch);
        let class_kl = judge.as_ref().map(|judge| {
            let model_shares = steady.pi().dot(&judge.shares_by_state(&observed));
            judge.divergence(&model_shares)
        });
        Ok(Figures {
            log_likelihood_train: Some(likelihood(train)?),
            log_likelihood_test: test.as_ref().map(likelihood).transpose()?,
            log_likelihood_bound_train: None,
            log_likelihood_bound_test: None,
            entropy_production: Some(steady.entropy_production()),
            path_entropy_production: kernel.path_entropy_production(),
            self_transition: steady.self_transition(),
            class_kl: class_kl.filter(|kl| kl.is_finite()),
            lit_pixels: None,
        })
    }
}
