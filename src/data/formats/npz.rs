//! .npz, numpy's archive of named arrays: which of them are images, and which labels.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::{FormatError, Found, ImageSet, Purpose, npy, open};

const NEEDED: &str = "it must be a .npz file as numpy.savez writes it";
/// What images and labels are called, to train on and to test on, in capitals or not; the first that is there is taken.
const IMAGES: [&str; 5] = ["images", "x_train", "train_images", "x", "data"];
const LABELS: [&str; 5] = ["labels", "y_train", "train_labels", "y", "target"];
const TEST_IMAGES: [&str; 2] = ["test_images", "x_test"];
const TEST_LABELS: [&str; 2] = ["test_labels", "y_test"];

type Archive = ZipArchive<BufReader<std::fs::File>>;

/// The images of the array `member`; without one, those of the usual names, with their labels and the images to test on.
pub(super) fn images(path: &Path, member: Option<&str>, purpose: Purpose) -> Result<Found, FormatError> {
    let mut archive = read(path)?;
    if let Some(member) = member {
        return Ok(set(&mut archive, path, member, None)?.into());
    }
    let names = names(&archive);
    let first = |known: &[&str]| usual(known, &names);
    // A file that is named for testing may hold what is trained on, too.
    if let (Purpose::Test, Some(images)) = (purpose, first(&TEST_IMAGES)) {
        return Ok(set(&mut archive, path, &images, first(&TEST_LABELS).as_deref())?.into());
    }
    let images = match (first(&IMAGES), &names[..]) {
        (Some(images), _) => images,
        (None, [only]) => only.clone(),
        _ => return Err(none_of(path, "images", &IMAGES, &names)),
    };
    let images = set(&mut archive, path, &images, first(&LABELS).as_deref())?;
    let test = first(&TEST_IMAGES).map(|test| set(&mut archive, path, &test, first(&TEST_LABELS).as_deref()));
    Ok(Found {
        images,
        test: test.transpose()?,
    })
}

/// The labels in the array `member`; without one, in that of the usual name.
pub(super) fn labels(path: &Path, member: Option<&str>, purpose: Purpose) -> Result<Vec<u8>, FormatError> {
    let mut archive = read(path)?;
    let names = names(&archive);
    let only = || names.first().filter(|_| names.len() == 1).cloned();
    let member = (member.map(str::to_owned))
        .or_else(|| usual(&TEST_LABELS, &names).filter(|_| purpose == Purpose::Test))
        .or_else(|| usual(&LABELS, &names))
        .or_else(only)
        .ok_or_else(|| none_of(path, "labels", &LABELS, &names))?;
    labels_of(&mut archive, path, &member)
}

/// The first of the known names that is there, as it is written there.
fn usual(known: &[&str], names: &[String]) -> Option<String> {
    let there = |known: &&str| names.iter().find(|name| name.eq_ignore_ascii_case(known)).cloned();
    known.iter().find_map(there)
}

fn none_of(path: &Path, what: &str, known: &[&str], names: &[String]) -> FormatError {
    let there = match names {
        [] => "no array".to_owned(),
        names => format!("the arrays {}", crate::text::shortened(&crate::text::printable(&names.join(", ")))),
    };
    FormatError::malformed(
        path,
        "name its arrays after the file, as in data.images = digits.npz:images, and so for data.labels, data.test_images and data.test_labels",
    )(format!(
        "holds {there}, and none that is called as {what} usually are ({})",
        known.join(", ")
    ))
}

fn read(path: &Path) -> Result<Archive, FormatError> {
    let malformed = FormatError::malformed(path, NEEDED);
    ZipArchive::new(open(path)?).map_err(|error| malformed(format!("cannot be read as a zip archive: {error}")))
}

/// The names of the arrays, in the order of the file.
fn names(archive: &Archive) -> Vec<String> {
    let arrays = archive.file_names().filter_map(|name| name.strip_suffix(".npy"));
    arrays.map(str::to_owned).collect()
}

fn set(archive: &mut Archive, path: &Path, images: &str, labels: Option<&str>) -> Result<ImageSet, FormatError> {
    let reader = array(archive, path, images, |source, name| npy::images_of(source, name))?;
    let labels = labels.map(|labels| labels_of(archive, path, labels)).transpose()?;
    Ok(ImageSet {
        labels,
        ..ImageSet::new(reader)
    })
}

fn labels_of(archive: &mut Archive, path: &Path, member: &str) -> Result<Vec<u8>, FormatError> {
    array(archive, path, member, |source, name| npy::labels_of(source, name))
}

/// Reads one array by `read`, which is given its content and its name for errors.
fn array<T>(
    archive: &mut Archive,
    path: &Path,
    member: &str,
    read: impl FnOnce(&mut dyn std::io::Read, &Path) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let there = names(archive).join(", ");
    let name = PathBuf::from(format!("{}:{member}", path.display()));
    let problem = |error| match error {
        zip::result::ZipError::FileNotFound => format!(
            "holds no array of this name; it has {}",
            crate::text::shortened(&crate::text::printable(&there))
        ),
        error => format!("cannot be read from the archive: {error}"),
    };
    let mut file = archive
        .by_name(&format!("{member}.npy"))
        .map_err(|error| FormatError::malformed(&name, NEEDED)(problem(error)))?;
    read(&mut file, &name)
}
