//! From image files to binary images: sources, choice of classes, binarization, minibatches.

pub mod batches;
mod binarize;
pub mod formats;
mod images;
#[cfg(feature = "mnist")]
mod mnist;
pub mod packed;
mod sources;

use std::path::PathBuf;

use ndarray::Array2;
use sha2::{Digest, Sha256};

pub use self::formats::likely_size;
use self::formats::{FormatError, ImageSet};
pub use self::images::GreyImages;
use self::images::Selection;
use self::sources::Opened;
use crate::config::{Classes, ConfigError, DataConfig};

/// Images of 0s and 1s, one a row, `[N, D]`.
pub type BinaryImages = Array2<u8>;

/// Why there are no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file of images or labels that the configuration names cannot be used.
    #[error("{field}: {source}")]
    File {
        /// The key of the configuration that names it.
        field: &'static str,
        /// What is wrong with it.
        source: FormatError,
    },
    /// Images cannot be read to their end.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A model without data.
    #[error("data.source is \"none\": there are no images; name some with data.source")]
    NoData,
    /// The program was built without burn-dataset.
    #[error(
        "data.source = \"mnist\" is not in this build of the program; build it with `cargo build --release --features mnist`, or use \
         data.source = \"bundled\""
    )]
    MnistNotBuilt,
    /// The system names no folder for burn-dataset's cache.
    #[error("data.source = \"mnist\" needs a cache folder and the system names none; set XDG_CACHE_HOME to one")]
    NoCacheFolder,
    /// Offline, and nothing in the cache.
    #[error(
        "MNIST is not in {cache} and could not be downloaded; put the unpacked files train-images-idx3-ubyte and \
         train-labels-idx1-ubyte into {cache}/train, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte into {cache}/test, \
         or use data.source = \"bundled\"",
        cache = cache.display()
    )]
    MnistMissing {
        /// burn-dataset's folder for MNIST.
        cache: PathBuf,
    },
    /// A broken file in the cache.
    #[error("the cached MNIST file {path} is damaged ({problem}); delete it, and it will be downloaded again")]
    MnistDamaged {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
    /// A choice of classes that the data do not allow.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Images, labels and options that do not go together.
    #[error("{0}")]
    Inconsistent(String),
}

/// What a model is trained and evaluated on.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What the data are, in words.
    pub name: String,
    /// Height of an image in pixels.
    pub rows: usize,
    /// Width of an image in pixels.
    pub columns: usize,
    /// The label of each class; labels of images are indices into this list. Empty without labels.
    pub classes: Vec<u8>,
    /// Images to train on.
    pub train: GreyImages,
    /// Images to evaluate on.
    pub test: Option<GreyImages>,
    /// What a user of these images should know, in sentences.
    pub notes: Vec<String>,
    checksum: String,
}

impl Dataset {
    /// Reads, selects and checks the data that a configuration names.
    ///
    /// # Errors
    /// When a file is missing or malformed, when every pixel is dark or every one lit, or when images, labels, classes and limits do not go
    /// together.
    pub fn load(config: &DataConfig) -> Result<Self, DataError> {
        Self::load_at(config, None)
    }

    /// The same images seen at another number of pixels: pixel i is pixel `i D / visible` of D. For measurements of speed.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load_resampled(config: &DataConfig, visible: usize) -> Result<Self, DataError> {
        Self::load_at(config, Some(visible))
    }

    fn load_at(config: &DataConfig, visible: Option<usize>) -> Result<Self, DataError> {
        let Opened { name, mut train, mut test } = sources::open(&config.source)?;
        let shape = train.images.shape();
        if let Some(other) = test.as_ref().map(|test| test.images.shape())
            && (other.rows, other.columns) != (shape.rows, shape.columns)
        {
            return Err(DataError::Inconsistent(format!(
                "the training images are {} x {} and the test images {} x {} pixels; they must have one size",
                shape.rows, shape.columns, other.rows, other.columns
            )));
        }
        let classes = choose_classes(&config.classes, &train, test.as_ref())?;
        let size = visible.map_or((shape.rows, shape.columns), |visible| (1, visible));
        let mut selection = Selection {
            classes: &classes,
            binarize: config.binarize,
            pixels: visible.map(|visible| (0..visible).map(|pixel| pixel * shape.visible() / visible).collect()),
            digest: Sha256::new(),
        };
        let train_images = selection.take(&mut train, config.max_images, size, "training")?;
        let test_images = test
            .as_mut()
            .map(|test| selection.take(test, config.max_test_images, size, "test"))
            .transpose()?;
        let checksum = crate::files::hexadecimal(&selection.digest.finalize());
        let mut notes = train.notes;
        notes.extend(test.into_iter().flat_map(|test| test.notes));
        notes.dedup();
        Ok(Self {
            name,
            rows: size.0,
            columns: size.1,
            train: train_images,
            test: test_images,
            notes,
            checksum,
            classes,
        })
    }

    /// D, the number of pixels.
    pub fn visible(&self) -> usize {
        self.rows * self.columns
    }

    /// SHA-256 over sizes, grey values and labels of all images in use, in hexadecimal.
    pub fn checksum(&self) -> String {
        self.checksum.clone()
    }
}

/// The labels in use, in ascending order; empty where there are none.
fn choose_classes(classes: &Classes, train: &ImageSet, test: Option<&ImageSet>) -> Result<Vec<u8>, DataError> {
    let mut present: Vec<u8> = train.labels.clone().unwrap_or_default();
    match classes {
        Classes::All => {
            if let (Some(test_labels), true) = (test.and_then(|test| test.labels.as_ref()), train.labels.is_some()) {
                present.extend(test_labels);
            }
            present.sort_unstable();
            present.dedup();
            Ok(present)
        }
        Classes::Some(chosen) => {
            let refuse = |allowed: &str| Err(ConfigError::value("data.classes", format!("{chosen:?}"), allowed).into());
            if train.labels.is_none() {
                return refuse("\"all\", as there are no labels to choose by; or give data.labels");
            }
            if test.is_some_and(|test| test.labels.is_none()) {
                return refuse("\"all\", as the test images have no labels to choose by; or give data.test_labels");
            }
            present.sort_unstable();
            present.dedup();
            if chosen.iter().any(|class| !present.contains(class)) {
                return refuse(&format!("among the labels of the training images, {present:?}"));
            }
            let mut chosen = chosen.clone();
            chosen.sort_unstable();
            Ok(chosen)
        }
    }
}
