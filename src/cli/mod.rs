//! The commands: one file each.

mod analyze;
mod bench;
mod export;
mod findings;
mod import;
mod progress;
mod sample;
mod sweep;
mod sweep_progress;
mod train;

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::ConfigError;
use crate::data::DataError;
use crate::sweep::folder::SweepFolderError;
use crate::sweep::plan::PlanError;
use crate::trained::TrainedError;
use crate::training::folder::FolderError;
use crate::training::session::SessionError;

/// The program's arguments.
#[derive(Parser)]
#[command(name = "latent-cycles", version, about, propagate_version = true)]
#[command(after_help = "Example: latent-cycles train --set training.seed=2")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Train),
    Analyze(analyze::Analyze),
    Sample(sample::Sample),
    Export(export::Export),
    Import(import::Import),
    Bench(bench::Bench),
    Sweep(sweep::Sweep),
}

/// Parses the arguments, runs the command and turns its error into a sentence and an exit status: 0 done, 2 wrong usage or
/// configuration, 1 everything else. `commit` is the git commit that the program was built from, for the manifests of runs.
pub fn main(commit: Option<&'static str>) -> ExitCode {
    // wgpu's threads tell of their faults only to a logger. Its notes on missing features are no faults.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let command = Arguments::parse().command;
    let run = || match command {
        Command::Train(command) => command.run(commit),
        Command::Analyze(command) => command.run(),
        Command::Sample(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(commit),
        Command::Bench(command) => command.run(),
        Command::Sweep(command) => command.run(),
    };
    // On a thread of the pool, which shares its work instead of sleeping while others do it.
    let run = || rayon::scope(|_| run());
    // A device that is lost, say, panics inside burn.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(
            std::io::stderr(),
            "error: the program failed inside: {panic}; please report this as a bug"
        );
    }));
    match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(exit_status(&error))
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit_status(error: &anyhow::Error) -> u8 {
    let usage = error.is::<Usage>()
        || matches!(error.downcast_ref(), Some(DataError::Config(_)))
        || error.is::<ConfigError>()
        || error.downcast_ref().is_some_and(SessionError::is_of_usage)
        || error.downcast_ref().is_some_and(FolderError::is_of_usage)
        || error.downcast_ref().is_some_and(TrainedError::is_of_usage)
        || error.is::<PlanError>()
        || error.downcast_ref().is_some_and(SweepFolderError::is_of_usage);
    if usage { 2 } else { 1 }
}

/// Arguments that do not go together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Refuses a file to write whose name does not end as its content asks.
fn expect_extension(flag: &str, path: &std::path::Path, extension: &str) -> Result<(), Usage> {
    if path.extension().is_some_and(|found| found == extension) {
        return Ok(());
    }
    Err(Usage(format!("{flag} is {}; its name must end in .{extension}", shell(path))))
}

/// A flag that Ctrl-C sets, with a line on stderr where one is given. The second Ctrl-C does not wait for anyone to look.
fn stop_on_ctrl_c(line: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        if !line.is_empty() {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    })
    .context("Ctrl-C cannot be caught on this system")?;
    Ok(stop)
}

/// A line on stdout; a reader that has gone away is no error.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// How the user started this program, to name a next command that can be pasted.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "latent-cycles".to_owned())
}

/// A path as a shell takes it.
fn shell(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
