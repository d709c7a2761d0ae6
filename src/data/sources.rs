//! Where images come from: inside the program, MNIST's files, or files that the configuration names.

use std::path::Path;

use super::DataError;
use super::formats::{self, Found, ImageSet, idx};
use crate::config::{Files, Source};

/// What a source gives.
pub(super) struct Opened {
    /// What the data are, in words.
    pub name: String,
    /// Images to train on.
    pub train: ImageSet,
    /// Images to evaluate on.
    pub test: Option<ImageSet>,
}

/// Opens a source; labels are read, images not yet.
pub(super) fn open(source: &Source) -> Result<Opened, DataError> {
    match source {
        Source::Bundled => {
            let [train, test] = bundled()?;
            Ok(Opened {
                name: "MNIST, the first 10,000 training and 2,000 test images (bundled)".to_owned(),
                train,
                test: Some(test),
            })
        }
        #[cfg(feature = "mnist")]
        Source::Mnist => Ok(Opened {
            name: "MNIST".to_owned(),
            ..named(&super::mnist::files()?)?
        }),
        #[cfg(not(feature = "mnist"))]
        Source::Mnist => Err(DataError::MnistNotBuilt),
        Source::None => Err(DataError::NoData),
        Source::File(files) => named(files),
    }
}

/// The bundled images, which are inside the program; see mnist-subset/NOTICE.md for their origin and licence.
fn bundled() -> Result<[ImageSet; 2], DataError> {
    macro_rules! bundled_set {
        ($split:literal) => {{
            let images: &[u8] = include_bytes!(concat!("mnist-subset/", $split, "-images-idx3-ubyte.gz"));
            let labels: &[u8] = include_bytes!(concat!("mnist-subset/", $split, "-labels-idx1-ubyte.gz"));
            let path = Path::new(concat!("the bundled ", $split, " images"));
            let labels = idx::parse(labels, &[1], usize::MAX).map_err(|problem| {
                DataError::Inconsistent(format!("the bundled labels are damaged ({problem}); build the program again"))
            })?;
            ImageSet {
                images: Box::new(idx::Images::new(images, path)?),
                labels: Some(labels.bytes),
                notes: Vec::new(),
            }
        }};
    }
    Ok([bundled_set!("train"), bundled_set!("t10k")])
}

/// The files of a configuration. What an .npz file holds besides the images is used unless other files are named.
fn named(files: &Files) -> Result<Opened, DataError> {
    let Found { images, test } = read(&files.images, "data.images")?;
    let train = with_labels(images, &files.images, files.labels.as_deref(), "data.labels")?;
    let (test, path) = match &files.test_images {
        Some(path) => (Some(read(path, "data.test_images")?.images), path),
        None => (test, &files.images),
    };
    let test = test.map(|test| with_labels(test, path, files.test_labels.as_deref(), "data.test_labels"));
    Ok(Opened {
        name: files.images.display().to_string(),
        train,
        test: test.transpose()?,
    })
}

fn read(path: &Path, field: &'static str) -> Result<Found, DataError> {
    formats::images(path).map_err(|source| DataError::File { field, source })
}

/// Puts labels, if any, beside images.
fn with_labels(mut set: ImageSet, images: &Path, labels: Option<&Path>, field: &'static str) -> Result<ImageSet, DataError> {
    if let Some(path) = labels {
        set.labels = Some(formats::labels(path).map_err(|source| DataError::File { field, source })?);
    }
    let count = set.images.shape().count;
    match &set.labels {
        Some(there) if there.len() != count => Err(DataError::Inconsistent(format!(
            "{} holds {count} images and {} ({field}) {} labels; give the labels of these images",
            images.display(),
            labels.unwrap_or(images).display(),
            there.len()
        ))),
        _ => Ok(set),
    }
}
