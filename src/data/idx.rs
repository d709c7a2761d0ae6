//! IDX, the file format of MNIST: a magic number, the sizes, then bytes; gzipped or not.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::files::open_regular;

/// The most bytes of content that are read into memory: 2 GiB, 57 times the full MNIST set.
const LARGEST: u64 = 1 << 31;
/// The type code of unsigned bytes, the only one that images and labels come in.
const UNSIGNED_BYTE: u8 = 0x08;

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not what its header or its use says.
    #[error("{path}: {problem}; it must be an IDX file of unsigned bytes, gzipped or not")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
}

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
pub fn read(path: &Path, dimensions: &[usize], most: usize) -> Result<Idx, IdxError> {
    let read_error = |source| IdxError::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_regular(path).map_err(read_error)?;
    parse(BufReader::new(file), dimensions, most).map_err(|problem| IdxError::Malformed {
        path: path.to_owned(),
        problem,
    })
}

/// Parses IDX content, gzipped or not, as [`read`] does; the error says in words what is wrong.
pub fn parse(mut source: impl Read, dimensions: &[usize], most: usize) -> Result<Idx, String> {
    let mut start = [0; 2];
    read_exact(&mut source, &mut start, "its first bytes")?;
    let source = start.as_slice().chain(source);
    if start == [0x1f, 0x8b] {
        parse_plain(MultiGzDecoder::new(source), dimensions, most)
    } else {
        parse_plain(source, dimensions, most)
    }
}

fn parse_plain(mut source: impl Read, dimensions: &[usize], most: usize) -> Result<Idx, String> {
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
    let total = sizes.iter().try_fold(1_u64, |total, &size| total.checked_mul(size as u64));
    let total = match total {
        Some(0) => return Err(format!("declares the sizes {sizes:?}, which hold nothing")),
        Some(total) if total <= LARGEST => total,
        _ => return Err(format!("declares the sizes {sizes:?}, more than the {LARGEST} bytes that are read")),
    };
    let item = total / sizes[0] as u64;
    let bytes = read_up_to(&mut source, total.min(item.saturating_mul(most as u64)))?;
    // What is not kept is read as well, and one byte more shows a file that goes on.
    let kept = bytes.len() as u64;
    let rest = std::io::copy(&mut source.take(total - kept + 1), &mut std::io::sink());
    let there = kept + rest.map_err(|error| corrupt(kept, &error))?;
    match there.cmp(&total) {
        std::cmp::Ordering::Less => Err(format!(
            "is truncated: the sizes {sizes:?} need {total} bytes and {there} are there"
        )),
        std::cmp::Ordering::Greater => Err(format!("goes on after the {total} bytes that its sizes {sizes:?} need")),
        std::cmp::Ordering::Equal => Ok(Idx { sizes, bytes }),
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
