//! A folder held by one process: the lock on the file `.lock` in it for this host, a claim for the others.

mod claim;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::claim::Claim;
use crate::files::FileError;

/// The name of the file.
const LOCK: &str = ".lock";

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
    /// Given up first.
    claim: Option<Claim>,
    folder: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes hold of a folder. Where a process of another host held it, that takes a minute, in which it shows no sign of life.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let file = Self::lock(folder)?;
        Ok(Self {
            claim: Claim::take(folder)?,
            folder: folder.to_owned(),
            _file: file,
        })
    }

    /// Refuses to go on in a folder that another host has taken over, as it had no sign of life from here for too long.
    pub fn expect_held(&self) -> Result<(), FileError> {
        match &self.claim {
            Some(claim) if !claim.is_held() => Err(FileError::TakenOver(self.folder.clone())),
            _ => Ok(()),
        }
    }

    fn lock(folder: &Path) -> Result<File, LockError> {
        let path = folder.join(LOCK);
        let file = open(File::options().create(true).truncate(false), &path).map_err(|source| FileError::Write { path, source })?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
                // Some network file systems have no locks; the claim protects all the same.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            }
        }
        Err(LockError::Busy)
    }
}

/// Does a process hold the folder?
pub(crate) fn is_held(folder: &Path) -> bool {
    let file = open(&mut File::options(), &folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))) || claim::is_claimed(folder)
}

/// Is this the name of a file that holding a folder leaves there?
pub(crate) fn is_of_holding(name: &str) -> bool {
    name == LOCK || claim::is_claim(name)
}

/// Was the folder ever held?
pub(crate) fn was_held(folder: &Path) -> bool {
    folder.join(LOCK).symlink_metadata().is_ok_and(|lock| lock.is_file())
}

/// Removes what holding a folder leaves there, once nobody does.
pub(crate) fn remove_traces(folder: &Path) {
    let _ = fs::remove_file(folder.join(LOCK));
    for (_, path) in claim::claims(folder) {
        let _ = fs::remove_file(path);
    }
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
