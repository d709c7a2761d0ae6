//! Files that are whole or absent: written under a temporary name, synced, read back, renamed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// How temporary names begin; a killed program may leave one behind.
pub(crate) const PARTIAL: &str = ".partial-";
/// Ends a sealed file, after the 64 hexadecimal digits of its content's SHA-256.
const SEAL: &[u8; 16] = b"\nlatent-cycles\n\0";
/// Length of what a seal adds to a file.
const SEAL_LENGTH: usize = 64 + SEAL.len();

/// The longest file of lines that is read, in bytes.
pub const LONGEST_LINES: u64 = 1 << 32;

/// Why a file could not be written or used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Writing failed; what stood under the name before still does.
    #[error("{path}: cannot be written: {source}; check space and permissions (what was there before is untouched)")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading failed.
    #[error("{path}: cannot be read: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// This process stood still for so long that another one was right to go on with its work.
    #[error("{0} was taken over by another process, as this one showed no sign of life for a minute; the other one goes on")]
    TakenOver(PathBuf),
    /// A path of no characters.
    #[error("the path of a file is empty; name the file")]
    NoPath,
    /// No seal at the end.
    #[error("{path}: is not a complete record of latent-cycles: it is truncated or was made by another program")]
    NotSealed {
        /// The file.
        path: PathBuf,
    },
    /// Content and seal disagree.
    #[error("{path}: is corrupt: its content does not have the checksum that was written with it; use another checkpoint")]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// Larger than any record.
    #[error("{path}: is {size} bytes long, more than any record")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        size: u64,
    },
}

/// Writes a file so that a kill or a full disk at any moment leaves the old one or the new one, never a part.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    expect_path(path)?;
    write_atomically(path, content).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link, a pipe or a device under this name would be replaced by a file.
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("what is there is not a regular file"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let file = partial(folder, content)?;
    if fs::read(file.path())? != content {
        return Err(io::Error::other("what was read back differs from what was written"));
    }
    file.persist(path).map_err(|error| error.error)?;
    // The new name is only safe once its folder is. The file itself is whole by now, and not every file system can do this.
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Content under a temporary name in a folder, synced; it goes away unless it is given another.
pub(crate) fn partial(folder: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; a result is as readable as any other new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(PARTIAL).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Writes a file with a checksum after its content. Readers of burn records stop at the record's end and do not see it.
pub fn write_sealed(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut sealed = content.to_vec();
    sealed.extend_from_slice(hexadecimal(&Sha256::digest(content)).as_bytes());
    sealed.extend_from_slice(SEAL);
    write(path, &sealed)
}

/// Reads a file written by [`write_sealed`] and returns its content, checked.
pub fn read_sealed(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut sealed = read_at_most(path, 1 << 34)?;
    let Some(end) = sealed.len().checked_sub(SEAL_LENGTH) else {
        return Err(FileError::NotSealed { path: path.to_owned() });
    };
    let (content, seal) = sealed.split_at(end);
    if &seal[64..] != SEAL {
        return Err(FileError::NotSealed { path: path.to_owned() });
    }
    if hexadecimal(&Sha256::digest(content)).as_bytes() != &seal[..64] {
        return Err(FileError::Corrupt { path: path.to_owned() });
    }
    sealed.truncate(end);
    Ok(sealed)
}

/// Reads a whole file of at most `most` bytes.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    expect_path(path)?;
    let error = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_regular(path).map_err(error)?;
    let size = file.metadata().map_err(error)?.len();
    if size > most {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content).map_err(error)?;
    Ok(content)
}

/// The values of a file of JSON, one a line, and the lines that hold none.
#[derive(Clone, Debug)]
pub struct JsonLines<T> {
    /// What could be read, in the order of the file.
    pub values: Vec<T>,
    /// What could not.
    pub unread: Vec<UnreadLine>,
}

impl<T> Default for JsonLines<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            unread: Vec::new(),
        }
    }
}

/// A line that is none of its file's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}, line {line}: cannot be read and is left out")]
pub struct UnreadLine {
    /// The file.
    pub path: PathBuf,
    /// The line's number, from 1.
    pub line: usize,
}

/// Reads a file of JSON with one value a line.
pub fn read_json_lines<T: DeserializeOwned>(path: &Path) -> Result<JsonLines<T>, FileError> {
    Ok(json_lines(path, &read_at_most(path, LONGEST_LINES)?))
}

/// As [`read_json_lines`], from the content of the file. Empty lines count for nothing, and neither does a last one that has no end: a kill
/// left it half written.
pub fn json_lines<T: DeserializeOwned>(path: &Path, content: &[u8]) -> JsonLines<T> {
    let mut lines = JsonLines::default();
    for (number, line) in String::from_utf8_lossy(content).split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(value) => lines.values.push(value),
            Err(_) if line.trim().is_empty() || !line.ends_with('\n') => (),
            Err(_) => lines.unread.push(UnreadLine {
                path: path.to_owned(),
                line: number + 1,
            }),
        }
    }
    lines
}

fn expect_path(path: &Path) -> Result<(), FileError> {
    if path.as_os_str().is_empty() {
        Err(FileError::NoPath)
    } else {
        Ok(())
    }
}

/// Opens a regular file: a pipe would wait for a writer, a device need not end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// Deletes what a killed program left half written in a folder.
pub fn remove_partial(folder: &Path) {
    remove_partial_if(folder, |_| true);
}

/// The same in a folder where others may be writing: only what is older than a day.
pub fn remove_old_partial(folder: &Path) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let age = |entry: &fs::DirEntry| entry.metadata().and_then(|file| file.modified()).ok()?.elapsed().ok();
    remove_partial_if(folder, |entry| age(entry).is_some_and(|age| age > DAY));
}

fn remove_partial_if(folder: &Path, is_to_go: impl Fn(&fs::DirEntry) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) && is_to_go(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Bytes as lowercase hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
