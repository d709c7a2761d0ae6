//! What images and labels come in: IDX files, .npy, .npz, folders of PNGs; told apart by what a file holds.

pub mod idx;
pub mod npy;
mod npz;
mod pngs;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::files::open_regular;

/// The most bytes of grey values that are read: 2 GiB, 57 times the full MNIST set.
pub(crate) const LARGEST: u64 = 1 << 31;

/// Why a file gives no images or no labels.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not what its use asks for.
    #[error("{path}: {problem}; {needed}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
        /// What it must be.
        needed: &'static str,
    },
}

impl FormatError {
    fn reading(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    fn malformed<'a>(path: &'a Path, needed: &'static str) -> impl Fn(String) -> Self + use<'a> {
        move |problem| Self::Malformed {
            path: path.to_owned(),
            problem,
            needed,
        }
    }
}

/// How many images there are, and of what size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// N.
    pub count: usize,
    /// Height of an image in pixels.
    pub rows: usize,
    /// Width of an image in pixels.
    pub columns: usize,
}

impl Shape {
    /// D, the number of pixels of an image.
    pub fn visible(&self) -> usize {
        self.rows * self.columns
    }

    /// Of sizes `[N, D]`, `[N, H, W]`, or these with a single channel, `[N, H, W, 1]` or `[N, 1, H, W]`.
    fn of_sizes(sizes: &[usize]) -> Result<Self, String> {
        let (count, rows, columns) = match *sizes {
            [count, pixels] => {
                let (rows, columns) = likely_size(pixels);
                (count, rows, columns)
            }
            [count, rows, columns] | [count, rows, columns, 1] | [count, 1, rows, columns] => (count, rows, columns),
            [_, _, _, channels @ (3 | 4)] | [_, channels @ (3 | 4), _, _] => {
                return Err(format!(
                    "holds images of {channels} colours, sizes {sizes:?}, where grey ones are needed: average over the colours first"
                ));
            }
            _ => return Err(format!("has the sizes {sizes:?}, which are not [N, D] or [N, H, W]")),
        };
        total(sizes, "pixels")?;
        Ok(Self { count, rows, columns })
    }
}

/// The product of the sizes that a header declares, in `units`; neither nothing nor too much to be read.
fn total(sizes: &[usize], units: &str) -> Result<u64, String> {
    match sizes.iter().try_fold(1_u64, |total, &size| total.checked_mul(size as u64)) {
        Some(0) => Err(format!("declares the sizes {sizes:?}, which hold nothing")),
        Some(total) if total <= LARGEST => Ok(total),
        _ => Err(format!(
            "declares the sizes {sizes:?}, more than the {LARGEST} {units} that are read"
        )),
    }
}

/// Height and width for showing images when only their number of pixels is known: a square if possible, otherwise one row.
pub fn likely_size(pixels: usize) -> (usize, usize) {
    let side = pixels.isqrt();
    if side * side == pixels { (side, side) } else { (1, pixels) }
}

/// Grey images of one size, read one after the other.
pub trait ImageReader {
    /// How many there are, and of what size.
    fn shape(&self) -> Shape;

    /// Reads the next into `image`, `[D]`: 0 is dark, 255 is lit.
    ///
    /// # Errors
    /// When the file breaks off or is corrupt.
    fn read(&mut self, image: &mut [u8]) -> Result<(), FormatError>;

    /// Checks what has not been read.
    ///
    /// # Errors
    /// As [`ImageReader::read`], and when the file goes on after the last image.
    fn finish(&mut self) -> Result<(), FormatError> {
        Ok(())
    }
}

/// Images, and the labels that the same file holds.
pub struct ImageSet {
    /// The images.
    pub images: Box<dyn ImageReader>,
    /// A label for each.
    pub labels: Option<Vec<u8>>,
    /// What the labels 0, 1, 2, ... are called, where they have names.
    pub names: Option<Vec<String>>,
    /// What a reader of the data should know, in sentences.
    pub notes: Vec<String>,
}

impl ImageSet {
    fn new(images: impl ImageReader + 'static) -> Self {
        Self {
            images: Box::new(images),
            labels: None,
            names: None,
            notes: Vec::new(),
        }
    }
}

/// What one path gives: a set of images and, in an .npz file, another one to test on.
pub struct Found {
    /// Images to train on, or those that were asked for.
    pub images: ImageSet,
    /// Images to test on.
    pub test: Option<ImageSet>,
}

impl From<ImageSet> for Found {
    fn from(images: ImageSet) -> Self {
        Self { images, test: None }
    }
}

/// What a file is, by its first bytes.
enum Format {
    Idx,
    Npy,
    Npz,
    Png,
    Folder,
}

/// The array of an .npz file that a path may name after a colon, as in `digits.npz:images`.
fn split_member(path: &Path) -> (PathBuf, Option<String>) {
    let split = path.to_str().and_then(|path| path.split_once(".npz:"));
    match split {
        Some((stem, member)) if !path.exists() => (PathBuf::from(format!("{stem}.npz")), Some(member.to_owned())),
        _ => (path.to_owned(), None),
    }
}

fn format(path: &Path) -> Result<Format, FormatError> {
    let reading = FormatError::reading(path);
    if path.is_dir() {
        return Ok(Format::Folder);
    }
    let mut start = Vec::new();
    let file = open_regular(path).map_err(&reading)?;
    file.take(8).read_to_end(&mut start).map_err(&reading)?;
    Ok(match &start[..] {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Format::Npy,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Format::Npz,
        [0x89, b'P', b'N', b'G', ..] => Format::Png,
        _ => Format::Idx,
    })
}

/// What a file was named for: of an .npz file that holds both, it tells which images and labels are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To train on.
    Train,
    /// To test on.
    Test,
}

/// Opens images of any format.
///
/// # Errors
/// When there are none, or none that can be used.
pub fn images(path: &Path, purpose: Purpose) -> Result<Found, FormatError> {
    let (file, member) = split_member(path);
    match format(&file)? {
        Format::Idx => Ok(ImageSet::new(idx::images(&file)?).into()),
        Format::Npy => Ok(ImageSet::new(npy::images(&file)?).into()),
        Format::Npz => npz::images(&file, member.as_deref(), purpose),
        Format::Png => Err(FormatError::malformed(&file, "name the folder that holds the images")(
            "is a single PNG image".into(),
        )),
        Format::Folder => Ok(pngs::images(&file)?.into()),
    }
}

/// Reads labels of any format.
///
/// # Errors
/// When there are none, or none that can be used.
pub fn labels(path: &Path, purpose: Purpose) -> Result<Vec<u8>, FormatError> {
    let (file, member) = split_member(path);
    match format(&file)? {
        Format::Idx => Ok(idx::read(&file, &[1], usize::MAX)?.bytes),
        Format::Npy => npy::labels(&file),
        Format::Npz => npz::labels(&file, member.as_deref(), purpose),
        Format::Png | Format::Folder => Err(FormatError::malformed(
            &file,
            "leave the labels out: subfolders of a folder of PNGs are labels",
        )("holds images and no labels".into())),
    }
}

fn open(path: &Path) -> Result<BufReader<std::fs::File>, FormatError> {
    Ok(BufReader::new(open_regular(path).map_err(FormatError::reading(path))?))
}

/// Images that lie in memory.
struct InMemory {
    shape: Shape,
    grey: Vec<u8>,
    read: usize,
}

impl InMemory {
    fn new(shape: Shape, grey: Vec<u8>) -> Self {
        Self { shape, grey, read: 0 }
    }
}

impl ImageReader for InMemory {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&mut self, image: &mut [u8]) -> Result<(), FormatError> {
        image.copy_from_slice(&self.grey[self.read..self.read + image.len()]);
        self.read += image.len();
        Ok(())
    }
}
