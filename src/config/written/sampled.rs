//! From what is written of a sampled posterior to what a run uses.

use super::super::{AdamConfig, Ascent, ConfigError, Method, ModelKind, Optimizer, PathEntropy, SampledConfig};
use super::unused::UnusedKeys;
use super::{GradientWord, OptimizerWord, PosteriorWord, SamplingWord, Training, word};
use crate::codes::Layers;

impl Training {
    /// Is the posterior of the data sampled? Where states are listed, only if that is asked for; a Boltzmann machine's never has to be.
    pub(super) fn samples_posterior(&self, kind: ModelKind, layers: &Layers) -> Result<bool, ConfigError> {
        let refuse = |key: &str, value: String, allowed: &str| Err(ConfigError::value(key, value, allowed));
        let asked = self.posterior == Some(PosteriorWord::Recognition);
        let listed = layers.are_listed();
        match kind {
            _ if listed && !asked => Ok(false),
            _ if layers.binary_units().is_none() => refuse(
                "training.posterior",
                word(&PosteriorWord::Recognition),
                "\"enumerate\" or left out, as model.latent is not one layer of binary units",
            ),
            ModelKind::Rbm | ModelKind::Mixture if asked => refuse(
                "model.kind",
                word(&kind),
                "\"nonequilibrium\" or \"directed\", as training.posterior is \"recognition\"",
            ),
            ModelKind::Rbm => Ok(false),
            ModelKind::Mixture => refuse(
                "model.kind",
                word(&kind),
                "\"nonequilibrium\", \"directed\" or \"rbm\", as a mixture has a weight for each of its states, and so many units have too many to list",
            ),
            ModelKind::Nonequilibrium | ModelKind::Directed if self.posterior == Some(PosteriorWord::Enumerate) => refuse(
                "training.posterior",
                word(&PosteriorWord::Enumerate),
                "\"recognition\" or left out, as so many units have too many states to list",
            ),
            ModelKind::Nonequilibrium | ModelKind::Directed => Ok(true),
        }
    }

    /// The method of a machine whose posterior is sampled.
    pub(super) fn sampled(&self, kind: ModelKind) -> Result<Method, ConfigError> {
        let sampled = "as training.posterior is \"recognition\"";
        if let Some(gradient) = self.gradient.filter(|gradient| *gradient != GradientWord::TwoStep) {
            return Err(ConfigError::value(
                "training.gradient",
                word(&gradient),
                format!("\"two-step\", {sampled}"),
            ));
        }
        if let Some(sampling) = self.sampling.filter(|sampling| *sampling != SamplingWord::Persistent) {
            return Err(ConfigError::value(
                "training.sampling",
                word(&sampling),
                format!("\"persistent\", {sampled}"),
            ));
        }
        let default = AdamConfig::default();
        let directed = kind == ModelKind::Directed;
        Ok(Method::Sampled(SampledConfig {
            directed,
            chains: self.chains(),
            candidates: self.candidates.unwrap_or(SampledConfig::CANDIDATES),
            ascent: self.ascent(Ascent::sampled()),
            optimizer: match self.optimizer {
                Some(OptimizerWord::RmsProp) => Optimizer::RmsProp,
                None | Some(OptimizerWord::Adam) => Optimizer::Adam(AdamConfig {
                    decay: self.adam.decay.unwrap_or(default.decay),
                    square_decay: self.adam.square_decay.unwrap_or(default.square_decay),
                    epsilon: self.adam.epsilon.unwrap_or(default.epsilon),
                }),
            },
            path_entropy: if directed { PathEntropy::NONE } else { self.path_entropy()? },
        }))
    }

    /// The keys of a sampled posterior where there is none, and of what it does without.
    pub(super) fn find_unused_of_sampling(&self, method: &Method, unused: &mut UnusedKeys) {
        let (ascent, adam) = (Ascent::default(), AdamConfig::default());
        let optimizer = match method {
            Method::Sampled(SampledConfig { optimizer, .. }) => {
                let sampled = "training.posterior is \"recognition\"";
                unused.add("training.entropy_weight", &self.entropy_weight, 0.0, sampled);
                *optimizer
            }
            _ => {
                let listed = "the posterior is not sampled";
                unused.add("training.candidates", &self.candidates, 0, listed);
                unused.add("training.optimizer", &self.optimizer, OptimizerWord::RmsProp, listed);
                Optimizer::RmsProp
            }
        };
        match optimizer {
            Optimizer::Adam(_) => {
                let reason = "training.optimizer is \"adam\"";
                unused.add("training.rmsprop.decay", &self.rmsprop.decay, ascent.decay, reason);
                unused.add("training.rmsprop.epsilon", &self.rmsprop.epsilon, ascent.epsilon, reason);
            }
            Optimizer::RmsProp => {
                let reason = "training.optimizer is \"rmsprop\"";
                unused.add("training.adam.decay", &self.adam.decay, adam.decay, reason);
                unused.add("training.adam.square_decay", &self.adam.square_decay, adam.square_decay, reason);
                unused.add("training.adam.epsilon", &self.adam.epsilon, adam.epsilon, reason);
            }
        }
    }
}
