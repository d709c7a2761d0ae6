//! What a configuration may say: every number in its range, every combination meaningful.

use super::{Classes, Config, ConfigError, GradientKind, Init, ModelKind, PseudoCount, Sampling, Source};

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
        within("data.threshold", data.threshold, 0.0..1.0)?;
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
        let files = [
            ("data.images", &data.images),
            ("data.labels", &data.labels),
            ("data.test_images", &data.test_images),
            ("data.test_labels", &data.test_labels),
        ];
        match data.source {
            Source::Idx if data.images.is_none() => {
                return Err(ConfigError::value(
                    "data.images",
                    "nothing",
                    "the path of an IDX file, as data.source is \"idx\"",
                ));
            }
            Source::Idx if data.test_labels.is_some() && data.test_images.is_none() => {
                return Err(ConfigError::value(
                    "data.test_images",
                    "nothing",
                    "the path of an IDX file, as data.test_labels is given",
                ));
            }
            Source::Idx => (),
            Source::Bundled | Source::Mnist => {
                if let Some((key, path)) = files.iter().find_map(|(key, path)| Some((key, path.as_ref()?))) {
                    return Err(ConfigError::value(
                        key,
                        path.display().to_string(),
                        "left out unless data.source is \"idx\"",
                    ));
                }
            }
        }

        let model = &self.model;
        count("model.latent", model.latent as u64, 1, 10_000)?;
        within("model.scale", model.scale, 0.0..=100.0)?;
        match (model.init, &model.record) {
            (Init::Record, None) => {
                return Err(ConfigError::value(
                    "model.record",
                    "nothing",
                    "the path of a record, as model.init is \"record\"",
                ));
            }
            (Init::Random | Init::Reversible | Init::Cyclic | Init::Images, Some(path)) => {
                return Err(ConfigError::value(
                    "model.record",
                    path.display().to_string(),
                    "left out unless model.init is \"record\"",
                ));
            }
            _ => (),
        }

        self.check_method()?;
        let training = &self.training;
        count("training.steps", training.steps, 1, 1_000_000_000)?;
        count("training.batch_size", training.batch_size as u64, 1, MOST_ROWS as u64)?;
        count("training.chains", training.chains as u64, 1, MOST_ROWS as u64)?;
        count("training.chain_steps", training.chain_steps as u64, 1, 1_000_000)?;
        within("training.learning_rate", training.learning_rate, f64::MIN_POSITIVE..=1e9)?;
        count("training.seed", training.seed, 0, i64::MAX as u64)?;
        within("training.probability_floor", training.probability_floor, 1e-12..=0.1)?;
        // In f32, which is what is computed with, more would be 1.
        within("training.rmsprop.decay", training.rmsprop.decay, 0.0..=0.9999999)?;
        // Large ones make plain gradient ascent of it. The square of a gradient below 1e-22 is 0 in f32; with a smaller epsilon such a gradient would take a giant's step.
        within("training.rmsprop.epsilon.forward", training.rmsprop.epsilon.forward, 1e-18..=1e6)?;
        within("training.rmsprop.epsilon.backward", training.rmsprop.epsilon.backward, 1e-18..=1e6)?;

        count("evaluation.every", self.evaluation.every, 1, 1_000_000_000)?;
        count("evaluation.samples", self.evaluation.samples as u64, 1, 10_000_000)?;
        count("checkpoint.per_decade", self.checkpoint.per_decade.into(), 1, 1000)?;
        count("checkpoint.seconds", self.checkpoint.seconds, 1, 1_000_000_000)
    }

    /// Do kind, gradient, sampling and what belongs to them go together?
    fn check_method(&self) -> Result<(), ConfigError> {
        let (kind, training) = (self.model.kind, &self.training);
        let gradient = training.gradient;
        if gradient.trains() != kind {
            let allowed = match kind {
                ModelKind::Nonequilibrium => "\"two-step\" or \"complete\", as model.kind is \"nonequilibrium\"",
                ModelKind::Rbm => "\"exact\" or \"pcd\", as model.kind is \"rbm\"",
                ModelKind::Mixture => "\"em\", as model.kind is \"mixture\"",
            };
            return Err(ConfigError::value("training.gradient", word(&gradient), allowed));
        }
        if kind != ModelKind::Nonequilibrium && self.model.init == Init::Cyclic {
            return Err(ConfigError::value(
                "model.init",
                "cyclic",
                "\"random\", \"images\" or \"record\", as the machine is in equilibrium",
            ));
        }
        within("training.entropy_weight", training.entropy_weight, -1e6..=1e6)?;
        if kind != ModelKind::Nonequilibrium && training.entropy_weight != 0.0 {
            return Err(ConfigError::value(
                "training.entropy_weight",
                training.entropy_weight.to_string(),
                "0, as the machine is in equilibrium",
            ));
        }
        let sampling = training.sampling;
        if kind != ModelKind::Nonequilibrium && sampling != Sampling::Persistent {
            return Err(ConfigError::value(
                "training.sampling",
                word(&sampling),
                "\"persistent\", as the machine is in equilibrium",
            ));
        }
        let needs_kernel = gradient == GradientKind::Complete || training.entropy_weight != 0.0;
        if needs_kernel && sampling != Sampling::Stratified {
            return Err(ConfigError::value(
                "training.sampling",
                word(&sampling),
                "\"stratified\", as the complete gradient and the entropy production need the latent kernel",
            ));
        }
        if sampling == Sampling::Stratified && training.chains < 2 * self.model.latent {
            return Err(ConfigError::value(
                "training.chains",
                training.chains.to_string(),
                format!(
                    "at least {}, as training.sampling is \"stratified\" and draws two images or more from each of {} states",
                    2 * self.model.latent,
                    self.model.latent
                ),
            ));
        }
        if let PseudoCount::Number(count) = training.em.pseudo_count {
            within("training.em.pseudo_count", count, 1e-6..=1e6)?;
        }
        count("training.em.restarts", training.em.restarts.into(), 1, 1_000_000)
    }

    /// Checks the values that depend on the data: `images` training images of `visible` pixels, and the largest array that the device
    /// takes, in bytes.
    ///
    /// # Errors
    /// Names the key, its value, and what it can be with these data.
    pub fn check_against(&self, images: usize, visible: usize, device_bytes: u64) -> Result<(), ConfigError> {
        let training = &self.training;
        let batch_size = training.batch_of(images);
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
        let latent = self.model.latent;
        if visible > MOST_ROWS {
            return Err(ConfigError::value(
                "the size of an image",
                format!("{visible} pixels"),
                format!("at most {MOST_ROWS} pixels"),
            ));
        }
        if (self.evaluation.samples * latent) as u64 > MOST_SAMPLES {
            return Err(ConfigError::value(
                "evaluation.samples",
                self.evaluation.samples.to_string(),
                format!("at most {} in each of {latent} latent states", MOST_SAMPLES / latent as u64),
            ));
        }
        let most = MOST_ELEMENTS.min(device_bytes / 4);
        for (key, value, other) in [
            ("training.chains", training.chains, visible),
            ("training.batch_size", batch_size, visible),
            ("model.latent", latent, visible),
            ("training.chains", training.chains, latent),
            ("training.batch_size", batch_size, latent),
            ("model.latent", latent, latent),
        ] {
            if value as u64 * other as u64 > most {
                return Err(ConfigError::value(
                    key,
                    value.to_string(),
                    format!(
                        "at most {}, or an array of {value} x {other} numbers would be larger than this device takes ({most})",
                        most / other as u64
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// A choice as it is written.
fn word(choice: &impl serde::Serialize) -> String {
    toml::Value::try_from(choice)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
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
