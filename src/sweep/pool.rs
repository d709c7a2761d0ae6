//! Child processes in parallel: this program itself, with a share of the cores each, stopped when the sweep is.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// How often a child is asked whether it has ended, and the sweep whether it shall.
pub const PERIOD: Duration = Duration::from_millis(10);

/// Why a run did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The whole sweep was stopped.
    Stopped,
    /// This run failed, in words.
    Failed(String),
}

/// What happened to a piece of work, by its number.
#[derive(Debug)]
pub enum Event {
    /// It began.
    Started(usize),
    /// It ended.
    Ended(usize, Result<(), Failure>),
}

/// Does the pieces of work `0..count` on `jobs` threads, in order, and reports on the caller's thread what happens to each; once `stop`
/// is set no further one begins.
pub fn spread(
    count: usize,
    jobs: usize,
    stop: &AtomicBool,
    work: &(dyn Fn(usize) -> Result<(), Failure> + Sync),
    report: &mut dyn FnMut(Event),
) {
    let next = AtomicUsize::new(0);
    let (sender, events) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(count) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    // The receiver lives as long as this thread.
                    let _ = sender.send(Event::Started(number));
                    let _ = sender.send(Event::Ended(number, work(number)));
                }
            });
        }
        drop(sender);
        events.iter().for_each(report);
    });
}

/// Runs this program with arguments, its words going to the end of a log, on so many threads. When `stop` is set it is interrupted, as
/// by Ctrl-C, and waited for.
pub fn run_program(arguments: &[&OsStr], threads: usize, log: &Path, stop: &AtomicBool) -> Result<(), Failure> {
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::Stopped);
    }
    let before = log.metadata().map_or(0, |file| file.len()) as usize;
    let ended = start(arguments, threads, log).and_then(|child| wait(child, stop));
    match ended {
        Ok(status) if status.success() => Ok(()),
        _ if stop.load(Ordering::Relaxed) => Err(Failure::Stopped),
        Ok(status) => {
            let said = fs::read(log).unwrap_or_default();
            let said = String::from_utf8_lossy(said.get(before..).unwrap_or_default()).into_owned();
            let last = said.lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with("$ "));
            let last = last.map(|line| line.trim().trim_start_matches("error: "));
            Err(Failure::Failed(match (status.code(), last) {
                (Some(_), Some(line)) => line.to_owned(),
                (None, Some(line)) => format!("ended by {status}, after: {line}"),
                (_, None) => format!("ended by {status}, without a word"),
            }))
        }
        Err(error) => Err(Failure::Failed(format!("the program could not be started: {error}"))),
    }
}

fn start(arguments: &[&OsStr], threads: usize, log: &Path) -> io::Result<Child> {
    let mut log = File::options().create(true).append(true).open(log)?;
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    writeln!(log, "$ latent-cycles {}", words.join(" "))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(arguments)
        // Everything that starts threads: rayon, and the matrix products under burn-ndarray.
        .env("RAYON_NUM_THREADS", threads.to_string())
        .env("MATMUL_NUM_THREADS", threads.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A terminal's Ctrl-C goes to a whole process group, and the second that `train` gets stops it without a checkpoint: in a
        // group of its own it gets the sweep's alone.
        command.process_group(0);
    }
    command.spawn()
}

fn wait(mut child: Child, stop: &AtomicBool) -> io::Result<ExitStatus> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) && !told {
            interrupt(&mut child);
            told = true;
        }
        std::thread::sleep(PERIOD);
    }
}

#[cfg(unix)]
fn interrupt(child: &mut Child) {
    use nix::sys::signal::{Signal, kill};
    // It has not been waited for, so that its number is still its own.
    if let Ok(number) = i32::try_from(child.id()) {
        let _ = kill(nix::unistd::Pid::from_raw(number), Signal::SIGINT);
    }
}

/// Elsewhere children share the console, whose Ctrl-C they get themselves.
#[cfg(not(unix))]
fn interrupt(_: &mut Child) {}
