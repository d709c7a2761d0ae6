//! What a configuration may say: every number in its range, every combination meaningful.

use crate::codes::{Layer, MOST_UNITS};

use super::{
    Ascent, Binarize, Chains, Classes, Config, ConfigError, GradientKind, Init, Method, ModelKind, Optimizer, PathEntropy, PseudoCount,
    SampledConfig,
};

/// The most chains, images of a batch and pixels: what the tests compare on every backend.
const MOST_ROWS: usize = 1 << 16;
/// Images drawn for one estimate of the latent kernel.
const MOST_SAMPLES: u64 = 100_000_000;
/// Elements of the largest array: 2 GiB of f32.
const MOST_ELEMENTS: u64 = 1 << 29;

impl Config {
    /// Checks every value that can be checked without the data.
    ///
    /// # Errors
    /// Names the first key that cannot be, its value, and what it can be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let data = &self.data;
        if let Binarize::Threshold(threshold) = data.binarize {
            within("data.threshold", threshold, 0.0..1.0)?;
        }
        for (key, limit) in [("data.max_images", data.max_images), ("data.max_test_images", data.max_test_images)] {
            if let Some(limit) = limit {
                count(key, limit as u64, 1, u32::MAX.into())?;
            }
        }
        if let Classes::Some(classes) = &data.classes {
            let distinct: std::collections::BTreeSet<_> = classes.iter().collect();
            if classes.is_empty() || distinct.len() != classes.len() {
                return Err(ConfigError::value(
                    "data.classes",
                    format!("{classes:?}"),
                    "distinct labels, at least one, or \"all\"",
                ));
            }
        }
        let model = &self.model;
        let layers = &model.latent;
        layers.check()?;
        self.check_against_layers()?;
        within("model.scale", model.init.scale(), 0.0..=100.0)?;
        count("model.tanh", model.tanh as u64, 0, MOST_UNITS as u64)?;

        let training = &self.training;
        count("training.steps", training.steps, 1, 1_000_000_000)?;
        count("training.seed", training.seed, 0, i64::MAX as u64)?;
        within("training.probability_floor", training.probability_floor, 1e-12..=0.1)?;
        if let Some(ascent) = training.method.ascent() {
            ascent.check()?;
        }
        if let Some(chains) = training.method.chains() {
            count("training.chains", chains.count as u64, 1, MOST_ROWS as u64)?;
            count("training.chain_steps", chains.steps as u64, 1, 1_000_000)?;
        }
        match &training.method {
            Method::Gradient {
                kind:
                    GradientKind::Stratified {
                        images,
                        entropy_weight,
                        path_entropy_weight,
                        ..
                    },
                ..
            } => {
                within("training.entropy_weight", *entropy_weight, -1e6..=1e6)?;
                within("training.path_entropy_weight", *path_entropy_weight, -1e6..=1e6)?;
                count("training.chains", *images as u64, 1, MOST_ROWS as u64)?;
                let latent = layers.states();
                if *images < 2 * latent {
                    return Err(ConfigError::value(
                        "training.chains",
                        images.to_string(),
                        format!(
                            "at least {}, as training.sampling is \"stratified\" and draws two images or more from each of {} states",
                            2 * latent,
                            latent
                        ),
                    ));
                }
            }
            Method::Gradient {
                kind: GradientKind::TwoStep { chains, path_entropy, .. },
                ..
            } => path_entropy.check(*chains)?,
            Method::Sampled(SampledConfig {
                chains,
                candidates,
                optimizer,
                path_entropy,
                ..
            }) => {
                path_entropy.check(*chains)?;
                count("training.candidates", *candidates as u64, 2, MOST_ROWS as u64)?;
                if let Optimizer::Adam(adam) = optimizer {
                    within("training.adam.decay", adam.decay, 0.0..=0.999999)?;
                    within("training.adam.square_decay", adam.square_decay, 0.0..=0.9999999)?;
                    within("training.adam.epsilon", adam.epsilon, 1e-18..=1e6)?;
                }
            }
            Method::Em(em) => {
                if let PseudoCount::Number(count) = em.pseudo_count {
                    within("training.em.pseudo_count", count, 1e-6..=1e6)?;
                }
                count("training.em.restarts", em.restarts.into(), 1, 1_000_000)?;
            }
            Method::Gradient { .. } => (),
        }

        count("evaluation.every", self.evaluation.every, 1, 1_000_000_000)?;
        count("evaluation.samples", self.evaluation.samples as u64, 1, 10_000_000)?;
        count("checkpoint.per_decade", self.checkpoint.per_decade.into(), 1, 1000)?;
        count("checkpoint.seconds", self.checkpoint.seconds, 1, 1_000_000_000)
    }

    /// Refuses what only a single one-hot layer, or only a single layer, can have.
    fn check_against_layers(&self) -> Result<(), ConfigError> {
        let layers = &self.model.latent;
        let deeper = layers.all().len() > 1;
        let reason = if deeper {
            "as model.latent is a list of layers"
        } else {
            "as model.latent is not a number of states"
        };
        let machine = match self.training.method.machine() {
            ModelKind::Nonequilibrium => None,
            ModelKind::Rbm => Some("rbm"),
            ModelKind::Mixture => Some("mixture"),
            ModelKind::Directed => Some("directed"),
        };
        if let Some(machine) = machine.filter(|_| deeper) {
            let allowed = format!("one layer, as model.kind is \"{machine}\"");
            return Err(ConfigError::value("model.latent", layers.to_string(), allowed));
        }
        let refused = match self.model.init {
            Init::Reversible { .. } if deeper => Some("reversible"),
            Init::Cyclic { .. } if !layers.is_one_hot() => Some("cyclic"),
            Init::Images { .. } if !layers.is_one_hot() => Some("images"),
            _ => None,
        };
        if let Some(init) = refused {
            let allowed = if deeper || machine.is_some() {
                "\"random\" or \"record\""
            } else {
                "\"random\", \"reversible\" or \"record\""
            };
            return Err(ConfigError::value("model.init", init, format!("{allowed}, {reason}")));
        }
        Ok(())
    }

    /// Checks the values that depend on the data: `images` training images of `visible` pixels, and the largest array that the device
    /// takes, in bytes.
    ///
    /// # Errors
    /// Names the key, its value, and what it can be with these data.
    pub fn check_against(&self, images: usize, visible: usize, device_bytes: u64) -> Result<(), ConfigError> {
        let method = &self.training.method;
        let batch_size = method.batch_of(images);
        if batch_size > MOST_ROWS {
            return Err(ConfigError::value(
                "the number of training images",
                images.to_string(),
                format!("at most {MOST_ROWS}, as training.gradient is \"em\" and takes all of them in every step; set data.max_images"),
            ));
        }
        if batch_size > images {
            return Err(ConfigError::value(
                "training.batch_size",
                batch_size.to_string(),
                format!("at most the number of training images, {images}"),
            ));
        }
        let layers = self.model.latent.all();
        if visible > MOST_ROWS {
            return Err(ConfigError::value(
                "the size of an image",
                format!("{visible} pixels"),
                format!("at most {MOST_ROWS} pixels"),
            ));
        }
        let listed = self.model.latent.are_listed();
        // Where states are listed, there is a number for each; otherwise for each unit.
        let size = |layer: &Layer| if listed { layer.states() } else { layer.width() };
        let latent = size(self.model.latent.last());
        let most_samples = if listed { MOST_SAMPLES / latent as u64 } else { MOST_ROWS as u64 };
        if self.evaluation.samples as u64 > most_samples {
            let of_each = if listed {
                format!(" in each of {latent} latent states")
            } else {
                String::new()
            };
            return Err(ConfigError::value(
                "evaluation.samples",
                self.evaluation.samples.to_string(),
                format!("at most {most_samples}{of_each}"),
            ));
        }
        let chains = match method {
            Method::Gradient {
                kind: GradientKind::Stratified { images, .. },
                ..
            } => *images,
            _ => method.chains().map_or(0, |chains| chains.count),
        };
        let most = MOST_ELEMENTS.min(device_bytes / 4);
        let widest = layers.iter().map(size).max().unwrap_or(latent);
        let mut arrays = vec![
            ("training.chains", chains, visible),
            ("training.batch_size", batch_size, visible),
            ("model.latent", latent, visible),
            ("model.latent", self.model.latent.first().width(), visible),
            ("training.chains", chains, widest),
            ("training.batch_size", batch_size, latent),
        ];
        if listed {
            arrays.push(("model.latent", latent, latent));
        }
        let between = layers.windows(2).map(|pair| ("model.latent", pair[0].states(), pair[1].states()));
        arrays.extend(between);
        if let Method::Sampled(sampled) = method {
            arrays.push((
                "training.candidates",
                sampled.candidates,
                batch_size * visible.max(chains).max(self.model.latent.first().width()),
            ));
        }
        for (key, value, other) in arrays {
            if value as u64 * other as u64 > most {
                let (shown, of) = match key {
                    "model.latent" if !self.model.latent.is_one_hot() => (self.model.latent.to_string(), "of layers of "),
                    _ => (value.to_string(), ""),
                };
                return Err(ConfigError::value(
                    key,
                    shown,
                    format!(
                        "{of}at most {}, or an array of {value} x {other} numbers would be larger than this device takes ({most})",
                        most / other as u64
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl PathEntropy {
    fn check(self, chains: Chains) -> Result<(), ConfigError> {
        match self {
            Self::NONE => return Ok(()),
            Self::Weight(weight) => within("training.path_entropy_weight", weight, -1e6..=1e6)?,
            Self::Target(target) => within("training.path_entropy_target", target, 1e-6..=1e6)?,
        }
        if chains.count < 2 {
            let allowed = "at least 2, as the path entropy production is followed at the chains";
            return Err(ConfigError::value("training.chains", chains.count.to_string(), allowed));
        }
        Ok(())
    }
}

impl Ascent {
    fn check(&self) -> Result<(), ConfigError> {
        if let Some(batch_size) = self.batch_size {
            count("training.batch_size", batch_size as u64, 1, MOST_ROWS as u64)?;
        }
        within("training.learning_rate", self.learning_rate, f64::MIN_POSITIVE..=1e9)?;
        // In f32, which is what is computed with, more would be 1.
        within("training.rmsprop.decay", self.decay, 0.0..=0.9999999)?;
        // Large ones make plain gradient ascent of it. The square of a gradient below 1e-22 is 0 in f32; with a smaller epsilon such a gradient would take a giant's step.
        within("training.rmsprop.epsilon.forward", self.epsilon.forward, 1e-18..=1e6)?;
        within("training.rmsprop.epsilon.backward", self.epsilon.backward, 1e-18..=1e6)
    }
}

fn count(key: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::value(
        key,
        value.to_string(),
        format!("a whole number from {least} to {most}"),
    ))
}

fn within(key: &str, value: f64, range: impl std::ops::RangeBounds<f64>) -> Result<(), ConfigError> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    if range.contains(&value) {
        return Ok(());
    }
    let least = match range.start_bound() {
        Included(&least) if least == f64::MIN_POSITIVE => "above 0".to_owned(),
        Included(least) | Excluded(least) => format!("from {least}"),
        Unbounded => String::new(),
    };
    let most = match range.end_bound() {
        Included(most) => format!("to {most}"),
        Excluded(most) => format!("to below {most}"),
        Unbounded => String::new(),
    };
    Err(ConfigError::value(key, value.to_string(), format!("a number {least} {most}")))
}
