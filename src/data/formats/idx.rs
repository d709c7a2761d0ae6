//! IDX, the file format of MNIST: a magic number, the sizes, then bytes; gzipped or not.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{FormatError, ImageReader, Shape, open, total};

/// The type code of unsigned bytes, the only one that images and labels come in.
const UNSIGNED_BYTE: u8 = 0x08;
const NEEDED: &str = "it must be an IDX file of unsigned bytes, gzipped or not, a .npy or .npz file, or a folder of PNGs";

/// The content of an IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Sizes, the number of items in the file first.
    pub sizes: Vec<usize>,
    /// The items one after another, or the first of them.
    pub bytes: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes with `dimensions` many sizes (one of those given). All of it is checked, and at most `most` items
/// are kept.
///
/// # Errors
/// When the file cannot be read, or is truncated, longer than it says, of another type, empty or too large.
pub fn read(path: &Path, dimensions: &[usize], most: usize) -> Result<Idx, FormatError> {
    parse(open(path)?, dimensions, most).map_err(FormatError::malformed(path, NEEDED))
}

/// Parses IDX content, gzipped or not, as [`read`] does; the error says in words what is wrong.
///
/// # Errors
/// As [`read`], in words.
pub fn parse(source: impl Read, dimensions: &[usize], most: usize) -> Result<Idx, String> {
    let mut items = Items::begin(source, dimensions)?;
    let kept = items.total.min(items.item.saturating_mul(most as u64));
    let bytes = read_up_to(&mut items.source, kept)?;
    items.done = bytes.len() as u64;
    items.finish()?;
    Ok(Idx { sizes: items.sizes, bytes })
}

/// Images of an IDX file, with two sizes or three.
pub(super) fn images(path: &Path) -> Result<Images<BufReader<std::fs::File>>, FormatError> {
    Images::new(open(path)?, path)
}

/// Images of IDX content, read one at a time.
pub(crate) struct Images<R: Read> {
    path: PathBuf,
    shape: Shape,
    items: Items<R>,
}

impl<R: Read> Images<R> {
    /// Of a source with the name `path`.
    pub fn new(source: R, path: &Path) -> Result<Self, FormatError> {
        let begun = Items::begin(source, &[2, 3]).and_then(|items| Ok((Shape::of_sizes(&items.sizes)?, items)));
        let (shape, items) = begun.map_err(FormatError::malformed(path, NEEDED))?;
        Ok(Self {
            path: path.to_owned(),
            shape,
            items,
        })
    }
}

impl<R: Read> ImageReader for Images<R> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&mut self, image: &mut [u8]) -> Result<(), FormatError> {
        self.items.read(image).map_err(FormatError::malformed(&self.path, NEEDED))
    }

    fn finish(&mut self) -> Result<(), FormatError> {
        self.items.finish().map_err(FormatError::malformed(&self.path, NEEDED))
    }
}

/// What follows a header: items of one length.
struct Items<R: Read> {
    source: Unzipped<R>,
    sizes: Vec<usize>,
    /// Bytes of an item.
    item: u64,
    /// Bytes of all items.
    total: u64,
    /// Bytes read so far.
    done: u64,
}

type Start<R> = std::io::Chain<std::io::Cursor<[u8; 2]>, R>;

/// A source, unpacked if it begins as gzip does.
enum Unzipped<R: Read> {
    Plain(Start<R>),
    Gzip(Box<MultiGzDecoder<Start<R>>>),
}

impl<R: Read> Read for Unzipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(source) => source.read(buffer),
        }
    }
}

impl<R: Read> Items<R> {
    /// Reads the header.
    fn begin(mut source: R, dimensions: &[usize]) -> Result<Self, String> {
        let mut start = [0; 2];
        read_exact(&mut source, &mut start, "its first bytes")?;
        let source = std::io::Cursor::new(start).chain(source);
        let mut source = if start == [0x1f, 0x8b] {
            Unzipped::Gzip(Box::new(MultiGzDecoder::new(source)))
        } else {
            Unzipped::Plain(source)
        };
        let mut magic = [0; 4];
        read_exact(&mut source, &mut magic, "the magic number")?;
        let [0, 0, kind, count] = magic else {
            return Err(format!("starts with the bytes {magic:02x?}, not with an IDX magic number"));
        };
        if kind != UNSIGNED_BYTE {
            return Err(format!("holds elements of type 0x{kind:02x}, not unsigned bytes (0x08)"));
        }
        if !dimensions.contains(&usize::from(count)) {
            let allowed: Vec<String> = dimensions.iter().map(usize::to_string).collect();
            return Err(format!(
                "has {count} dimensions where {} are needed (are images and labels swapped?)",
                allowed.join(" or ")
            ));
        }
        let mut sizes = Vec::new();
        for _ in 0..count {
            let mut size = [0; 4];
            read_exact(&mut source, &mut size, "the sizes")?;
            sizes.push(u32::from_be_bytes(size) as usize);
        }
        let total = total(&sizes, "bytes")?;
        Ok(Self {
            source,
            item: total / sizes[0] as u64,
            sizes,
            total,
            done: 0,
        })
    }

    /// Reads the next bytes.
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let mut read = 0;
        while read < bytes.len() {
            match self.source.read(&mut bytes[read..]) {
                Ok(0) => return Err(self.truncated(self.done + read as u64)),
                Ok(more) => read += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
                Err(error) => return Err(corrupt(self.done + read as u64, &error)),
            }
        }
        self.done += read as u64;
        Ok(())
    }

    /// Reads the rest, and one byte more, which shows a file that goes on.
    fn finish(&mut self) -> Result<(), String> {
        let rest = (&mut self.source).take(self.total - self.done + 1);
        let rest = std::io::copy(&mut { rest }, &mut std::io::sink()).map_err(|error| corrupt(self.done, &error))?;
        self.done += rest;
        match self.done.cmp(&self.total) {
            std::cmp::Ordering::Less => Err(self.truncated(self.done)),
            std::cmp::Ordering::Greater => Err(format!(
                "goes on after the {} bytes that its sizes {:?} need",
                self.total, self.sizes
            )),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    fn truncated(&self, there: u64) -> String {
        let Self { sizes, total, .. } = self;
        format!("is truncated: the sizes {sizes:?} need {total} bytes and {there} are there")
    }
}

/// The next `wanted` bytes, or as many as there are. Room for them is asked for once: the system gives it as it is filled, so that a header's
/// claim costs nothing, while a buffer that grows is copied and lies in memory twice.
fn read_up_to(source: &mut impl Read, wanted: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(wanted as usize)
        .map_err(|_| format!("needs {wanted} bytes of memory, which are not to be had"))?;
    match source.take(wanted).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(corrupt(bytes.len() as u64, &error)),
    }
}

fn corrupt(there: u64, error: &std::io::Error) -> String {
    format!("breaks off or is corrupt after {there} bytes of content: {error}")
}

fn read_exact(source: &mut impl Read, buffer: &mut [u8], what: &str) -> Result<(), String> {
    source
        .read_exact(buffer)
        .map_err(|error| format!("ends or is corrupt before {what}: {error}"))
}
