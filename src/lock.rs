//! A folder held by one process: the lock on the file `.lock` in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::files::FileError;

/// The name of the file.
pub(crate) const LOCK: &str = ".lock";

/// How often a lock is asked for. A process that another thread of its holder was just starting has it too, until it runs its own program.
const TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Why a folder cannot be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Someone else holds it.
    #[error("another process is at work there")]
    Busy,
    /// The file cannot be made.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Holds a folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes hold of a folder.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(LOCK);
        let file = open(File::options().create(true).truncate(false), &path).map_err(|source| FileError::Write { path, source })?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
                // Some network file systems have no locks; then there is no protection, but the work can go on.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Self { _file: file }),
            }
        }
        Err(LockError::Busy)
    }
}

/// Does a process hold the folder?
pub(crate) fn is_held(folder: &Path) -> bool {
    let file = open(&mut File::options(), &folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens a regular file: a link would lead to a file elsewhere, and a pipe would wait for a reader.
fn open(options: &mut fs::OpenOptions, path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("what is there is not a regular file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options.write(true).open(path)
}
