//! manifest.json: what was run, where, on what, and how it ended.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::data::Dataset;
use crate::numerics::DeviceInfo;

/// manifest.json: what was run, where, on what, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `latent-cycles`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The git commit it was built from.
    pub commit: Option<String>,
    /// As in `--backend`.
    pub backend: String,
    /// The device in words.
    pub device: String,
    /// SHA-256 of config.toml.
    pub config: String,
    /// The same before the run was given more steps, while config.toml is being replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_config: Option<String>,
    /// The images in use.
    pub data: DataManifest,
    /// D.
    pub visible: usize,
    /// L; none where latent states are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<usize>,
    /// The run's seed.
    pub seed: u64,
    /// How well the judge of generated images (for `class_kl`) tells classes on test images; training images without labelled test
    /// images.
    pub classifier_accuracy: Option<f64>,
    /// Of a mixture: the pseudo-count, as configured or chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_count: Option<f64>,
    /// When the run began (UTC).
    pub start: String,
    /// When it ended or was last heard of.
    pub end: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Steps done when this was written.
    pub step: u64,
}

/// The `data` of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataManifest {
    /// In words.
    pub name: String,
    /// SHA-256 over sizes, grey values and labels of the images in use.
    pub checksum: String,
    /// Height of an image in pixels.
    pub rows: usize,
    /// Width of an image in pixels.
    pub columns: usize,
    /// Labels in use.
    pub classes: Vec<u8>,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
}

/// `status` of a [`Manifest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In training, or killed.
    Running,
    /// Trained to the end.
    Finished,
    /// Stopped by Ctrl-C or another signal; `--resume` goes on.
    Interrupted,
    /// Stopped by an error.
    Failed,
    /// Not trained here but imported.
    Imported,
}

/// Data that are not what they were.
#[derive(Debug, thiserror::Error)]
#[error("{path}: the run was started on other images (checksum {then} in its manifest, now {now}); bring those back")]
pub struct OtherData {
    /// The run's folder.
    path: PathBuf,
    /// In the manifest.
    then: String,
    /// Now.
    now: String,
}

impl DataManifest {
    /// Of data that are there.
    pub fn of(data: &Dataset) -> Self {
        Self {
            name: data.name.clone(),
            checksum: data.checksum(),
            rows: data.rows,
            columns: data.columns,
            classes: data.classes.clone(),
            train_images: data.train.len(),
            test_images: data.test.as_ref().map_or(0, |test| test.len()),
        }
    }

    /// Of a model without data, whose images have this size.
    pub fn none((rows, columns): (usize, usize)) -> Self {
        Self {
            name: "none".to_owned(),
            checksum: String::new(),
            rows,
            columns,
            classes: Vec::new(),
            train_images: 0,
            test_images: 0,
        }
    }
}

impl Manifest {
    /// Of a run that begins now. `config` is the checksum of its config.toml, `commit` the git commit that the program was built from.
    pub fn new(config: &Config, checksum: String, data: DataManifest, device: &DeviceInfo, commit: Option<&str>) -> Self {
        Self {
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit.map(str::to_owned),
            backend: device.backend.to_owned(),
            device: device.name.clone(),
            config: checksum,
            earlier_config: None,
            visible: data.rows * data.columns,
            data,
            latent: config.model.latent.are_listed().then(|| config.model.latent.states()),
            seed: config.training.seed,
            classifier_accuracy: None,
            pseudo_count: None,
            start: now(),
            end: None,
            status: Status::Running,
            step: 0,
        }
    }

    /// The run ended, one way or the other.
    pub fn ended(&mut self, status: Status, step: u64) {
        self.end = Some(now());
        self.status = status;
        self.step = step;
    }

    /// Refuses data that are not those the run was started on.
    pub fn expect_data(&self, folder: &Path, data: &Dataset) -> Result<(), OtherData> {
        let now = data.checksum();
        if self.data.checksum == now {
            return Ok(());
        }
        Err(OtherData {
            path: folder.to_owned(),
            then: self.data.checksum.clone(),
            now,
        })
    }
}

/// The present time (UTC), to the second.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
