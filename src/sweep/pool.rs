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
/// The variable that tells a child to stop, as by Ctrl-C, when its input ends. The sweep holds the other end of that pipe, and the system
/// closes it if the sweep is killed: unlike a signal at the death of the parent, on every system, and whichever thread started the child.
pub const STOPS_WITH_INPUT: &str = "LATENT_CYCLES_STOPS_WITH_INPUT";

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
///
/// # Errors
/// When no thread can be started at all; of fewer than `jobs`, those that there are do the work.
pub fn spread(
    count: usize,
    jobs: usize,
    stop: &AtomicBool,
    work: &(dyn Fn(usize) -> Result<(), Failure> + Sync),
    report: &mut dyn FnMut(Event),
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, events) = mpsc::channel();
    std::thread::scope(|scope| {
        for job in 0..jobs.min(count) {
            let (sender, next) = (sender.clone(), &next);
            let started = std::thread::Builder::new().spawn_scoped(scope, move || {
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
            match started {
                Err(error) if job == 0 => return Err(error),
                Err(_) => break,
                Ok(_) => (),
            }
        }
        drop(sender);
        events.iter().for_each(report);
        Ok(())
    })
}

/// Runs this program with arguments, its words going to the end of a log, on so many threads. When `stop` is set it is asked to stop and
/// waited for.
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
        .env(STOPS_WITH_INPUT, "1")
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A terminal's Ctrl-C goes to a whole process group, and one to a run that is to stop already ends it without a checkpoint: in a
        // group of its own it gets none.
        command.process_group(0);
    }
    command.spawn()
}

fn wait(mut child: Child, stop: &AtomicBool) -> io::Result<ExitStatus> {
    let mut input = child.stdin.take();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            drop(input.take());
        }
        std::thread::sleep(PERIOD);
    }
}
