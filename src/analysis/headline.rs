//! The figures of one model that are single numbers: what is plotted over training, a line of checkpoints.jsonl.

use serde::{Deserialize, Serialize};

use crate::estimate::jackknife::Figure;
use crate::evaluation::Figures;

/// Single figures with their intervals; units stand in analysis.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Headline {
    /// Training steps behind the model; null for a record that does not know.
    pub step: Option<u64>,
    /// Of the training images, nats per image.
    pub log_likelihood_train: Figure,
    /// Of images not trained on, nats per image.
    pub log_likelihood_test: Figure,
    /// A lower bound of it, of the training images, nats per image.
    #[serde(default = "exact_likelihood")]
    pub log_likelihood_bound_train: Figure,
    /// Of images not trained on, nats per image.
    #[serde(default = "exact_likelihood")]
    pub log_likelihood_bound_test: Figure,
    /// Of the latent chain, nats per step.
    pub entropy_production: Figure,
    /// Of the whole chain, images included, nats per step.
    pub path_entropy_production: Figure,
    /// On average over pi; state by state it is the diagonal of T.
    pub self_transition: Figure,
    /// Between class shares of data and generated images, nats.
    pub class_kl: Figure,
    /// `-1/ln|lambda_2|`, steps.
    pub relaxation_time: Figure,
    /// Integrated, of the pixels along the chain, steps.
    #[serde(default = "earlier")]
    pub autocorrelation_time: Figure,
    /// The same of the classes.
    #[serde(default = "earlier")]
    pub class_autocorrelation_time: Figure,
    /// Of the slowest coherent rotation, steps.
    pub rotation_period: Figure,
}

impl Headline {
    /// The figures of a line of metrics.jsonl, which have no intervals.
    pub fn noted(step: u64, figures: &Figures) -> Self {
        let maybe = |value: Option<f64>| value.map_or(Figure::missing("none in metrics.jsonl"), Figure::exact);
        Self {
            step: Some(step),
            log_likelihood_train: maybe(figures.log_likelihood_train),
            log_likelihood_test: maybe(figures.log_likelihood_test),
            log_likelihood_bound_train: maybe(figures.log_likelihood_bound_train),
            log_likelihood_bound_test: maybe(figures.log_likelihood_bound_test),
            entropy_production: maybe(figures.entropy_production),
            path_entropy_production: Figure::exact(figures.path_entropy_production),
            self_transition: Figure::exact(figures.self_transition),
            class_kl: maybe(figures.class_kl),
            relaxation_time: maybe(None),
            autocorrelation_time: maybe(None),
            class_autocorrelation_time: maybe(None),
            rotation_period: maybe(None),
        }
    }
}

/// What a bound says where it is not needed.
pub fn exact_likelihood() -> Figure {
    Figure::missing("the likelihood itself is known")
}

/// What an analysis by an earlier version lacks.
fn earlier() -> Figure {
    Figure::missing("the analysis is that of an earlier version, which did not compute it")
}
