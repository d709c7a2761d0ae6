//! Where images come from: inside the program, MNIST's files, or files that the configuration names.

use std::path::Path;

use super::DataError;
use super::formats::{self, Found, ImageSet, Purpose, idx};
use crate::config::{Files, Source};
use crate::text::printable;

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
                names: None,
                notes: Vec::new(),
            }
        }};
    }
    Ok([bundled_set!("train"), bundled_set!("t10k")])
}

/// The files of a configuration. What an .npz file holds besides the images is used unless other files are named.
fn named(files: &Files) -> Result<Opened, DataError> {
    let Found { images, test } = read(&files.images, "data.images", Purpose::Train)?;
    let train = with_labels(images, &files.images, files.labels.as_deref(), "data.labels", Purpose::Train)?;
    let (test, path) = match &files.test_images {
        Some(path) => (Some(read(path, "data.test_images", Purpose::Test)?.images), path),
        None => (test, &files.images),
    };
    let test = test.map(|test| with_labels(test, path, files.test_labels.as_deref(), "data.test_labels", Purpose::Test));
    let mut test = test.transpose()?;
    if let Some(test) = &mut test {
        name_alike(&train, test)?;
    }
    Ok(Opened {
        name: files.images.display().to_string(),
        train,
        test,
    })
}

fn read(path: &Path, field: &'static str, purpose: Purpose) -> Result<Found, DataError> {
    formats::images(path, purpose).map_err(|source| DataError::File { field, source })
}

/// Numbers the labels of test images that have names as those of the training images are.
fn name_alike(train: &ImageSet, test: &mut ImageSet) -> Result<(), DataError> {
    if train.labels.is_none() || test.labels.is_none() || train.names == test.names {
        return Ok(());
    }
    let (Some(names), Some(of_test)) = (&train.names, &test.names) else {
        return Err(DataError::Inconsistent(
            "the labels of the training images or of the test images are names, and those of the others numbers; name the subfolders alike"
                .into(),
        ));
    };
    let place = |name: &String| {
        let place = names
            .iter()
            .position(|known| known == name)
            .and_then(|place| u8::try_from(place).ok());
        place.ok_or_else(|| {
            DataError::Inconsistent(format!(
                "the test images have the label {}, and no training image has it; name the subfolders alike",
                printable(name)
            ))
        })
    };
    let places: Vec<u8> = of_test.iter().map(place).collect::<Result<_, _>>()?;
    for label in test.labels.iter_mut().flatten() {
        *label = places[usize::from(*label)];
    }
    test.names = train.names.clone();
    test.notes = train.notes.clone();
    Ok(())
}

/// Puts labels, if any, beside images.
fn with_labels(
    mut set: ImageSet,
    images: &Path,
    labels: Option<&Path>,
    field: &'static str,
    purpose: Purpose,
) -> Result<ImageSet, DataError> {
    if let Some(path) = labels {
        set.names = None;
        set.labels = Some(formats::labels(path, purpose).map_err(|source| DataError::File { field, source })?);
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
