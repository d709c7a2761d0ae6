//! A claim on a folder that other hosts respect too: a file that one process alone can have made, with a beat that shows it alive.
//!
//! Locks of files end with their process, but on a network file system they may hold on one host only, or not at all. A claim asks less of the
//! file system: no file is made under a name that is taken, and who opens a file sees what was last written to it, as NFS promises.
//!
//! Claims are numbered. Whoever finds that the holder of claim n shows no sign of life makes claim n + 1, which only one process can; a holder
//! that finds its claim gone, or a higher one beside it, has lost the folder and writes nothing more.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::LockError;
use crate::files::{self, FileError};

/// How the names of claims begin; their number follows.
const CLAIM: &str = ".claim-";
/// How often a holder shows that it is alive.
const BEAT: Duration = Duration::from_secs(10);
/// How long it may show nothing until another process takes over. By the clock of the process that waits: those of two hosts need not agree.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one that waits looks.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes of the stack of the thread that shows it: it needs little, and memory may be limited.
const STACK: usize = 1 << 17;
/// The longest content that is read, in bytes.
const LONGEST: u64 = 1 << 12;

/// Who holds a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    host: String,
    process: u32,
    /// Nanoseconds of the system's clock: tells apart two claims of one process.
    since: u128,
}

/// What the file of a claim holds. Its length does not change with the beats, so that one can be written over another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    holder: Holder,
    beat: String,
}

/// A claim as another process sees it; the content is none while it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    content: Option<Content>,
}

/// A folder that is ours on every host, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    number: u64,
    holder: Holder,
    /// Closed to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Claim {
    /// Claims a folder, if need be after watching for [`PATIENCE`] that its holder is gone; none where the file system takes no claims.
    ///
    /// # Errors
    /// When the holder is alive, or files cannot be written.
    pub fn take(folder: &Path) -> Result<Option<Self>, LockError> {
        let mut watched: Option<(Seen, Instant)> = None;
        loop {
            let number = match (latest(folder), &watched) {
                (None, _) => 1,
                (Some(seen), _) if seen.is_of_the_dead() => seen.number + 1,
                (Some(seen), Some((before, since))) if seen == *before => {
                    if since.elapsed() < PATIENCE {
                        std::thread::sleep(LOOK);
                        continue;
                    }
                    seen.number + 1
                }
                (Some(_), Some(_)) => return Err(LockError::Busy),
                (Some(seen), None) => {
                    watched = Some((seen, Instant::now()));
                    continue;
                }
            };
            match Self::make(folder, number) {
                Ok(claim) => return Ok(Some(claim)),
                // Another process was faster, or tidied away the file in the making.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) && folder.is_dir() => watched = None,
                // The lock's file could be made here: what is refused is a file whose name must be free, which some file systems cannot do.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Unsupported | ErrorKind::InvalidInput | ErrorKind::PermissionDenied
                    ) =>
                {
                    return Ok(None);
                }
                Err(source) => {
                    let path = folder.join(name(number));
                    return Err(FileError::Write { path, source }.into());
                }
            }
        }
    }

    fn make(folder: &Path, number: u64) -> io::Result<Self> {
        let holder = Holder::this();
        let path = folder.join(name(number));
        let file = files::partial(folder, &holder.content(0))?;
        file.persist_noclobber(&path).map_err(|error| error.error)?;
        let mut claim = Self {
            folder: folder.to_owned(),
            number,
            holder,
            end: None,
            thread: None,
        };
        // Whoever took over from a holder before that one made way for claim 1 has a higher number.
        if !claim.is_held() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        for (earlier, path) in claims(folder) {
            if earlier < number {
                let _ = fs::remove_file(path);
            }
        }
        let (end, ended) = channel::<()>();
        let holder = claim.holder.clone();
        let beats = move || {
            let mut beat = 0;
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                beat += 1;
                // Never a new file: this one is gone when another process took over.
                let file = File::options().write(true).open(&path);
                let _ = file.and_then(|mut file| file.write_all(&holder.content(beat)));
            }
        };
        let thread = std::thread::Builder::new().name("claim".into()).stack_size(STACK);
        claim.thread = Some(thread.spawn(beats)?);
        claim.end = Some(end);
        Ok(claim)
    }

    /// Is the folder still ours?
    pub fn is_held(&self) -> bool {
        latest(&self.folder)
            .is_some_and(|seen| seen.number == self.number && seen.content.is_some_and(|content| content.holder == self.holder))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if self.is_held() {
            let _ = fs::remove_file(self.folder.join(name(self.number)));
        }
    }
}

/// Is a folder claimed, as far as can be told at once? Of other hosts by the age of the last beat, as the clocks of both have it.
pub(super) fn is_claimed(folder: &Path) -> bool {
    let Some(seen) = latest(folder).filter(|seen| !seen.is_of_the_dead()) else {
        return false;
    };
    let beaten = folder.join(name(seen.number)).metadata().and_then(|file| file.modified());
    beaten.is_ok_and(|time| time.elapsed().unwrap_or_default() < PATIENCE)
}

/// Is this the name of a claim?
pub(super) fn is_claim(name: &str) -> bool {
    number_of(name).is_some()
}

fn name(number: u64) -> String {
    format!("{CLAIM}{number}")
}

fn number_of(name: &str) -> Option<u64> {
    // There is always a next one.
    name.strip_prefix(CLAIM)?.parse::<u32>().ok().map(u64::from)
}

pub(super) fn claims(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((number_of(entry.file_name().to_str()?)?, entry.path())))
        .collect()
}

fn latest(folder: &Path) -> Option<Seen> {
    let (number, path) = claims(folder).into_iter().max()?;
    let content = files::read_at_most(&path, LONGEST).ok();
    let content = content.and_then(|content| serde_json::from_slice(&content).ok());
    Some(Seen { number, content })
}

impl Seen {
    /// Is the holder a process of this host that has ended?
    fn is_of_the_dead(&self) -> bool {
        self.content
            .as_ref()
            .is_some_and(|Content { holder, .. }| holder.host == this_host() && !is_alive(holder.process))
    }
}

impl Holder {
    fn this() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            host: this_host(),
            process: std::process::id(),
            since: since.as_nanos(),
        }
    }

    fn content(&self, beat: u64) -> Vec<u8> {
        let content = Content {
            holder: self.clone(),
            beat: format!("{beat:012}"),
        };
        serde_json::to_vec(&content).unwrap_or_default()
    }
}

/// The host's name, and what else says that a process number means the same process: the boot, and the space of process numbers, which
/// containers have of their own.
#[cfg(target_os = "linux")]
fn this_host() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!(
        "{} {} {}",
        read("/proc/sys/kernel/hostname"),
        read("/proc/sys/kernel/random/boot_id"),
        space.display()
    )
}

#[cfg(not(target_os = "linux"))]
fn this_host() -> String {
    let name = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(std::env::var_os);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(unix)]
fn is_alive(process: u32) -> bool {
    let Ok(process) = libc::pid_t::try_from(process) else {
        return false;
    };
    // SAFETY: signal 0 asks whether there is such a process and sends nothing.
    unsafe { libc::kill(process, 0) == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM) }
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    true
}
