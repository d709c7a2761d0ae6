//! From image files to binary images: sources, choice of classes, binarization, minibatches.

pub mod batches;
pub mod binarize;
pub mod idx;
#[cfg(feature = "mnist")]
mod mnist;
pub mod packed;

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use sha2::{Digest, Sha256};

use self::binarize::above;
use self::idx::{Idx, IdxError};
use self::packed::PackedImages;
use crate::config::{Binarize, Classes, ConfigError, DataConfig, Source};
use crate::random::{Seed, Stream};

/// Images of 0s and 1s, one a row, `[N, D]`.
pub type BinaryImages = Array2<u8>;

/// Why there are no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file of images or labels cannot be used.
    #[error(transparent)]
    Idx(#[from] IdxError),
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

/// Images and labels as a source gives them.
pub struct Raw {
    rows: usize,
    columns: usize,
    pixels: Vec<u8>,
    labels: Option<Vec<u8>>,
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
    checksum: String,
}

/// A set of grey images that a threshold has made binary, or that are drawn binary.
#[derive(Clone, Debug)]
pub struct GreyImages {
    pixels: Pixels,
    labels: Option<Vec<usize>>,
}

#[derive(Clone, Debug)]
enum Pixels {
    /// Lit above a threshold. The grey values are not needed any more.
    Binary(PackedImages),
    /// Grey values, `[n, D]`: the probability of each pixel to be lit, in 255ths.
    Grey(Array2<u8>),
}

/// The images in use of a source.
struct Selected {
    /// Grey values, `[n, D]`.
    grey: Array2<u8>,
    labels: Option<Vec<usize>>,
}

impl Dataset {
    /// Reads, selects and checks the data that a configuration names.
    ///
    /// # Errors
    /// When a file is missing or malformed, or when images, labels, classes and limits do not go together.
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
        let (name, train, test) = match &config.source {
            Source::Bundled => {
                let [train, test] = bundled()?;
                (
                    "MNIST, the first 10,000 training and 2,000 test images (bundled)".to_owned(),
                    train,
                    Some(test),
                )
            }
            #[cfg(feature = "mnist")]
            Source::Mnist => {
                let [train, test] = mnist::load()?;
                ("MNIST".to_owned(), train, Some(test))
            }
            #[cfg(not(feature = "mnist"))]
            Source::Mnist => return Err(DataError::MnistNotBuilt),
            Source::Idx(files) => {
                // Where no class is left out, the first images are those in use.
                let most = |limit: Option<usize>| match config.classes {
                    Classes::All => limit.unwrap_or(usize::MAX),
                    Classes::Some(_) => usize::MAX,
                };
                let train = read_pair(&files.images, files.labels.as_deref(), "data.labels", most(config.max_images))?;
                let test = match &files.test_images {
                    Some(images) => {
                        let most = most(config.max_test_images);
                        Some(read_pair(images, files.test_labels.as_deref(), "data.test_labels", most)?)
                    }
                    None => None,
                };
                (files.images.display().to_string(), train, test)
            }
        };
        if let Some(test) = &test
            && (test.rows, test.columns) != (train.rows, train.columns)
        {
            return Err(DataError::Inconsistent(format!(
                "the training images are {} x {} and the test images {} x {} pixels; they must have one size",
                train.rows, train.columns, test.rows, test.columns
            )));
        }
        let classes = choose_classes(&config.classes, &train, test.as_ref())?;
        let (mut rows, mut columns) = (train.rows, train.columns);
        let mut train = select(train, &classes, config.max_images, "training")?;
        let mut test = test
            .map(|test| select(test, &classes, config.max_test_images, "test"))
            .transpose()?;
        if let Some(visible) = visible {
            let pixels: Vec<usize> = (0..visible).map(|pixel| pixel * rows * columns / visible).collect();
            for images in std::iter::once(&mut train).chain(&mut test) {
                images.grey = images.grey.select(Axis(1), &pixels);
            }
            (rows, columns) = (1, visible);
        }
        Ok(Self {
            name,
            rows,
            columns,
            checksum: checksum(std::iter::once(&train).chain(&test), (rows, columns), &classes),
            train: GreyImages::new(train, config.binarize),
            test: test.map(|test| GreyImages::new(test, config.binarize)),
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

impl GreyImages {
    fn new(images: Selected, binarize: Binarize) -> Self {
        Self {
            pixels: match binarize {
                Binarize::Threshold(threshold) => Pixels::Binary(above(threshold, &images.grey)),
                Binarize::Stochastic => Pixels::Grey(images.grey),
            },
            labels: images.labels,
        }
    }

    /// The number of images, at least one.
    pub fn len(&self) -> usize {
        match &self.pixels {
            Pixels::Binary(images) => images.len(),
            Pixels::Grey(grey) => grey.nrows(),
        }
    }

    /// Never true: a set without images is refused when it is loaded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of every image, as an index into [`Dataset::classes`].
    pub fn labels(&self) -> Option<&[usize]> {
        self.labels.as_deref()
    }

    /// All images as evaluation sees them: a stochastic binarization is drawn once for a run and stays.
    ///
    /// `set` is 0 for training and 1 for test images.
    pub fn evaluation_images(&self, seed: Seed, set: u64) -> PackedImages {
        let all: Vec<usize> = (0..self.len()).collect();
        self.binary(&all, |_, image| seed.generator(Stream::BinarizeEvaluation, set, image as u64))
    }

    /// The mean binary image, `[D]`: the probability of each pixel to be lit.
    pub fn mean(&self) -> Vec<f64> {
        let count = self.len() as f64;
        match &self.pixels {
            Pixels::Binary(images) => images.lit().into_iter().map(|lit| lit as f64 / count).collect(),
            Pixels::Grey(grey) => {
                let pixels = grey.columns().into_iter();
                pixels
                    .map(|pixel| pixel.iter().map(|&grey| f64::from(grey) / 255.0).sum::<f64>() / count)
                    .collect()
            }
        }
    }
}

/// SHA-256 over sizes, grey values and labels of some sets of images, in hexadecimal.
fn checksum<'a>(sets: impl Iterator<Item = &'a Selected>, (rows, columns): (usize, usize), classes: &[u8]) -> String {
    let mut digest = Sha256::new();
    for images in sets {
        for size in [images.grey.nrows(), rows, columns] {
            digest.update((size as u64).to_le_bytes());
        }
        digest.update(images.grey.as_slice().unwrap_or_default());
        for &label in images.labels.iter().flatten() {
            digest.update([classes[label]]);
        }
    }
    crate::files::hexadecimal(&digest.finalize())
}

/// The bundled images, which are inside the program; see mnist-subset/NOTICE.md for their origin and licence.
fn bundled() -> Result<[Raw; 2], DataError> {
    macro_rules! bundled_pair {
        ($split:literal) => {
            pair(
                parse_bundled(include_bytes!(concat!("mnist-subset/", $split, "-images-idx3-ubyte.gz")), 3)?,
                Some(parse_bundled(
                    include_bytes!(concat!("mnist-subset/", $split, "-labels-idx1-ubyte.gz")),
                    1,
                )?),
            )
        };
    }
    Ok([bundled_pair!("train"), bundled_pair!("t10k")])
}

fn parse_bundled(bytes: &[u8], dimensions: usize) -> Result<Idx, DataError> {
    idx::parse(bytes, &[dimensions], usize::MAX)
        .map_err(|problem| DataError::Inconsistent(format!("the bundled images are damaged ({problem}); build the program again")))
}

/// Reads images, at most so many, and, where there are any, their labels.
fn read_pair(images: &Path, labels: Option<&Path>, field: &str, most: usize) -> Result<Raw, DataError> {
    let image_file = idx::read(images, &[2, 3], most)?;
    let label_file = labels.map(|labels| idx::read(labels, &[1], usize::MAX)).transpose()?;
    if let (Some(labels), Some(path)) = (&label_file, labels)
        && labels.sizes[0] != image_file.sizes[0]
    {
        return Err(DataError::Inconsistent(format!(
            "{} holds {} images and {} ({field}) {} labels; give the labels of these images",
            images.display(),
            image_file.sizes[0],
            path.display(),
            labels.sizes[0]
        )));
    }
    Ok(pair(image_file, label_file))
}

/// Height and width for showing images when only their number of pixels is known: a square if possible, otherwise one row.
pub fn likely_size(pixels: usize) -> (usize, usize) {
    let side = pixels.isqrt();
    if side * side == pixels { (side, side) } else { (1, pixels) }
}

/// A file with two sizes holds vectors.
fn pair(images: Idx, labels: Option<Idx>) -> Raw {
    let (rows, columns) = match images.sizes[1..] {
        [rows, columns] => (rows, columns),
        _ => likely_size(images.sizes[1]),
    };
    Raw {
        rows,
        columns,
        pixels: images.bytes,
        labels: labels.map(|labels| labels.bytes),
    }
}

/// The labels in use, in ascending order; empty where there are none.
fn choose_classes(classes: &Classes, train: &Raw, test: Option<&Raw>) -> Result<Vec<u8>, DataError> {
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

/// Keeps the images of the chosen classes, at most `limit` of them, in the memory that holds all of them.
fn select(mut raw: Raw, classes: &[u8], limit: Option<usize>, what: &str) -> Result<Selected, DataError> {
    let visible = raw.rows * raw.columns;
    let count = raw.pixels.len() / visible;
    let class_of = |image: usize| match &raw.labels {
        Some(labels) if !classes.is_empty() => classes.iter().position(|&class| class == labels[image]).map(Some),
        _ => Some(None),
    };
    let mut pixels = std::mem::take(&mut raw.pixels);
    let mut kept = 0;
    let mut labels = Vec::new();
    for (image, class) in (0..count)
        .filter_map(|image| Some((image, class_of(image)?)))
        .take(limit.unwrap_or(usize::MAX))
    {
        pixels.copy_within(image * visible..(image + 1) * visible, kept * visible);
        kept += 1;
        labels.extend(class);
    }
    if kept == 0 {
        return Err(DataError::Inconsistent(format!(
            "no {what} image is of the classes in data.classes"
        )));
    }
    pixels.truncate(kept * visible);
    pixels.shrink_to_fit();
    let grey = Array2::from_shape_vec((kept, visible), pixels)
        .map_err(|error| DataError::Inconsistent(format!("the {what} images do not form a table: {error}")))?;
    Ok(Selected {
        grey,
        labels: (labels.len() == kept).then_some(labels),
    })
}
