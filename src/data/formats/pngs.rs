//! A folder of PNG images: subfolders are labels.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use super::{FormatError, ImageReader, ImageSet, LARGEST, Shape};
use crate::files::{FileError, read_at_most};
use crate::text::printable;

const NEEDED: &str = "give a folder of grey PNG images of one size, or of subfolders of these, one for each label";
/// The longest image file that is read, in bytes.
const LONGEST: u64 = 1 << 26;

/// The images of a folder in the order of their names; or those of its subfolders, in the order of the images' names, then of the subfolders', so
/// that the first images are of all labels. A subfolder's name is its label where all are numbers from 0 to 255, otherwise labels are numbers
/// in alphabetical order.
pub(super) fn images(folder: &Path) -> Result<ImageSet, FormatError> {
    let malformed = FormatError::malformed(folder, NEEDED);
    let top = entries(folder)?;
    let (mut notes, mut names) = (Vec::new(), None);
    let (mut files, labels) = if top.images.is_empty() {
        let (files, found) = labelled(&top.folders)?;
        if let Some(found) = &found {
            let of = |(label, name): (usize, &String)| format!("{label} is {}", printable(name));
            let of: Vec<String> = found.iter().enumerate().map(of).collect();
            notes.push(format!("labels by subfolder: {}", of.join(", ")));
        }
        names = found;
        let (files, labels): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        (files, Some(labels))
    } else if top.folders.is_empty() {
        (top.images, None)
    } else {
        return Err(malformed("holds images beside subfolders".into()));
    };
    if files.is_empty() {
        return Err(malformed("holds no file whose name ends in .png, nor do its subfolders".into()));
    }
    let first = decode(&files[0])?;
    let shape = Shape {
        count: files.len(),
        rows: first.height() as usize,
        columns: first.width() as usize,
    };
    if (shape.count as u64).saturating_mul(shape.visible() as u64) > LARGEST {
        return Err(malformed(format!("holds more than the {LARGEST} pixels that are read")));
    }
    if first.color().has_color() {
        notes.push("colour images are turned to grey by their luminance, 0.21 red + 0.72 green + 0.07 blue".to_owned());
    }
    files.reverse();
    Ok(ImageSet {
        images: Box::new(Files { shape, left: files }),
        labels,
        names,
        notes,
    })
}

/// Images that are still to be read, the next one last.
struct Files {
    shape: Shape,
    left: Vec<PathBuf>,
}

impl ImageReader for Files {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&mut self, image: &mut [u8]) -> Result<(), FormatError> {
        let Some(path) = self.left.pop() else { return Ok(()) };
        let decoded = decode(&path)?;
        let (rows, columns) = (decoded.height() as usize, decoded.width() as usize);
        if (rows, columns) != (self.shape.rows, self.shape.columns) {
            return Err(FormatError::malformed(&path, NEEDED)(format!(
                "is of {rows} x {columns} pixels, and the first image of {} x {}",
                self.shape.rows, self.shape.columns
            )));
        }
        // What is transparent is dark.
        let grey = decoded.to_luma_alpha8();
        for (to, [grey, alpha]) in image.iter_mut().zip(grey.pixels().map(|pixel| pixel.0)) {
            *to = (u16::from(grey) * u16::from(alpha) / 255) as u8;
        }
        Ok(())
    }
}

fn decode(path: &Path) -> Result<DynamicImage, FormatError> {
    let malformed = FormatError::malformed(path, NEEDED);
    let content = read_at_most(path, LONGEST).map_err(|error| match error {
        FileError::Read { path, source } => FormatError::Read { path, source },
        _ => malformed(format!("is longer than the {LONGEST} bytes that are read")),
    })?;
    image::load_from_memory_with_format(&content, ImageFormat::Png)
        .map_err(|error| malformed(format!("cannot be decoded: {}", printable(&error.to_string()))))
}

/// What a folder holds, by name; hidden files and those of other formats are passed over.
struct Entries {
    images: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

fn entries(folder: &Path) -> Result<Entries, FormatError> {
    let reading = FormatError::reading(folder);
    let mut found = Entries {
        images: Vec::new(),
        folders: Vec::new(),
    };
    for entry in fs::read_dir(folder).map_err(&reading)? {
        let path = entry.map_err(&reading)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            found.folders.push(path);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            found.images.push(path);
        }
    }
    found.images.sort_unstable();
    found.folders.sort_unstable();
    Ok(found)
}

/// Images with their labels.
type Labelled = Vec<(PathBuf, u8)>;

/// The images of subfolders with their labels, and the names that stand for these where they are no numbers.
fn labelled(folders: &[PathBuf]) -> Result<(Labelled, Option<Vec<String>>), FormatError> {
    let mut filled = Vec::new();
    for folder in folders {
        let images = entries(folder)?.images;
        if !images.is_empty() {
            filled.push((
                folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                folder,
                images,
            ));
        }
    }
    let numbers: Option<Vec<u8>> = filled.iter().map(|(name, ..)| name.parse().ok()).collect();
    let distinct = |numbers: &Vec<u8>| numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len();
    let (labels, names) = match numbers.filter(distinct) {
        Some(numbers) => (numbers, None),
        None => {
            let labels: Option<Vec<u8>> = (0..filled.len()).map(|label| u8::try_from(label).ok()).collect();
            let labels = labels.ok_or_else(|| {
                let parent = folders[0].parent().unwrap_or(&folders[0]);
                FormatError::malformed(parent, NEEDED)(format!("has {} subfolders of images, more than 256 labels", filled.len()))
            })?;
            let names: Vec<String> = filled.iter().map(|(name, ..)| name.clone()).collect();
            (labels, (!names.is_empty()).then_some(names))
        }
    };
    let name = |path: &Path| path.file_name().map(OsString::from).unwrap_or_default();
    let mut files: Labelled = filled
        .into_iter()
        .zip(labels)
        .flat_map(|((_, _, images), label)| images.into_iter().map(move |image| (image, label)))
        .collect();
    files.sort_by_cached_key(|(path, _)| (name(path), path.clone()));
    Ok((files, names))
}
