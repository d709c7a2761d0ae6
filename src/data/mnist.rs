//! The full MNIST set, through burn-dataset and its cache.

use std::path::{Path, PathBuf};

use burn_dataset::vision::MnistDataset;

use super::DataError;
use super::formats::idx::{self, Idx};
use crate::config::Files;
use crate::panics::quietly;

/// The files of a split in burn-dataset's cache: folder, images, labels.
const SPLITS: [(&str, &str, &str); 2] = [
    ("train", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
];

/// The files of MNIST, 60,000 training and 10,000 test images; downloaded by burn-dataset if its cache does not hold them.
///
/// burn-dataset panics when it is offline or when a file is damaged, and leaves a bad download in its cache. So the files are checked, and a
/// download that fails becomes an error that says which files to put where.
pub fn files() -> Result<Files, DataError> {
    let cache = dirs::cache_dir()
        .ok_or(DataError::NoCacheFolder)?
        .join("burn-dataset")
        .join("mnist");
    check_cache(&cache)?;
    let [train, test] = SPLITS.map(|(split, images, labels)| [images, labels].map(|file| cache.join(split).join(file)));
    if train.iter().chain(&test).any(|file| !file.is_file()) {
        let sets = quietly(|| [MnistDataset::train(), MnistDataset::test()]);
        sets.map_err(|_| DataError::MnistMissing { cache: cache.clone() })?;
        // A download just made has not been checked yet.
        check_cache(&cache)?;
    }
    let ([images, labels], [test_images, test_labels]) = (train, test);
    Ok(Files {
        images,
        labels: Some(labels),
        test_images: Some(test_images),
        test_labels: Some(test_labels),
    })
}

/// The files that are in the cache must be whole, and labels as many as images.
fn check_cache(cache: &Path) -> Result<(), DataError> {
    for (split, images, labels) in SPLITS {
        let folder = cache.join(split);
        let (images, label_path) = (check(&folder.join(images), 3)?, folder.join(labels));
        let labels = check(&label_path, 1)?;
        if let (Some(images), Some(labels)) = (images, labels)
            && images.sizes[0] != labels.sizes[0]
        {
            return Err(DataError::MnistDamaged {
                path: label_path,
                problem: format!("it holds {} labels for {} images", labels.sizes[0], images.sizes[0]),
            });
        }
    }
    Ok(())
}

/// A file that is in the cache must be whole; one that is not may be downloaded.
fn check(path: &Path, dimensions: usize) -> Result<Option<Idx>, DataError> {
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |problem: String| DataError::MnistDamaged {
        path: PathBuf::from(path),
        problem,
    };
    let idx = idx::read(path, &[dimensions], 0).map_err(|error| damaged(error.to_string()))?;
    if dimensions == 3 && idx.sizes[1..] != [28, 28] {
        return Err(damaged(format!("its images are {} x {}, not 28 x 28", idx.sizes[1], idx.sizes[2])));
    }
    Ok(Some(idx))
}
