//! The figures of one checkpoint, for curves over training: a line of checkpoints.jsonl.

use serde::{Deserialize, Serialize};

use super::Analysis;
use crate::estimate::jackknife::Figure;

/// The figures, as analysis.json names them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Headline {
    pub step: u64,
    pub log_likelihood_train: Figure,
    pub log_likelihood_test: Figure,
    pub entropy_production: Figure,
    pub path_entropy_production: Figure,
    pub self_transition: Figure,
    pub class_kl: Figure,
    pub relaxation_time: Figure,
    pub rotation_period: Figure,
}

impl Headline {
    /// Of an analysis; `None` for a record that does not know its step.
    pub fn of(analysis: &Analysis) -> Option<Self> {
        Some(Self {
            step: analysis.step?,
            log_likelihood_train: analysis.log_likelihood_train.clone(),
            log_likelihood_test: analysis.log_likelihood_test.clone(),
            entropy_production: analysis.entropy_production.clone(),
            path_entropy_production: analysis.path_entropy_production.clone(),
            self_transition: analysis.self_transition.clone(),
            class_kl: analysis.class_kl.clone(),
            relaxation_time: analysis.relaxation_time.clone(),
            rotation_period: analysis.rotation_period.clone(),
        })
    }
}
