//! The judge of generated images: which classes a model draws, and how often, beside the data.

use ndarray::{Array1, Array2};

use super::classifier::Classifier;
use crate::data::Dataset;
use crate::data::packed::PackedImages;
use crate::random::Seed;

/// A classifier trained on the labelled data, with the shares it should find.
pub struct Judge {
    classifier: Classifier,
    data_shares: Array1<f64>,
    accuracy: f64,
}

impl Judge {
    /// Trains the judge on the training images; `None` where they have no labels or one class only.
    pub fn new(data: &Dataset, train: &PackedImages, test: Option<&PackedImages>, seed: Seed) -> Option<Self> {
        let classes = data.classes.len();
        let labels = data.train.labels().filter(|_| classes >= 2)?;
        let classifier = Classifier::fit(train, labels, classes, seed);
        let test_labels = data.test.as_ref().and_then(|test| test.labels());
        Some(Self {
            accuracy: match (test, test_labels) {
                (Some(test), Some(test_labels)) => classifier.accuracy(test, test_labels),
                _ => classifier.accuracy(train, labels),
            },
            data_shares: shares(labels.iter().copied(), classes),
            classifier,
        })
    }

    /// The class of each image.
    pub fn classes(&self, images: &PackedImages) -> Vec<usize> {
        self.classifier.classes(images)
    }

    /// The share of each class among some images, `[C]`.
    pub fn shares(&self, images: &PackedImages) -> Array1<f64> {
        shares(self.classes(images).into_iter(), self.data_shares.len())
    }

    /// The share of test images (training images where there is no labelled test set) whose class it finds.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// The share of each class among the training labels, `[C]`.
    pub fn data_shares(&self) -> &Array1<f64> {
        &self.data_shares
    }

    /// The shares of classes among the images that were drawn in each state, `[L, C]`.
    pub fn shares_by_state(&self, observed: &[Vec<usize>]) -> Array2<f64> {
        let by_state: Vec<Array1<f64>> = observed
            .iter()
            .map(|observed| shares(observed.iter().copied(), self.data_shares.len()))
            .collect();
        Array2::from_shape_fn((observed.len(), self.data_shares.len()), |(state, class)| by_state[state][class])
    }

    /// `KL(data || model) = sum_c d_c ln( d_c / m_c )` of class shares, nats; infinite where the model lacks a class.
    pub fn divergence(&self, model_shares: &Array1<f64>) -> f64 {
        let pairs = self.data_shares.iter().zip(model_shares).filter(|(data, _)| **data > 0.0);
        pairs.map(|(data, model)| data * (data / model).ln()).sum()
    }
}

/// The share of each of `classes` classes.
pub fn shares(labels: impl Iterator<Item = usize>, classes: usize) -> Array1<f64> {
    let mut counts = Array1::<f64>::zeros(classes);
    for label in labels {
        counts[label] += 1.0;
    }
    let all = counts.sum();
    counts / all
}
