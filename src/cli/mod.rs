//! The commands: one file each.

mod analysis_files;
mod analyze;
mod bench;
mod export;
mod findings;
mod import;
mod progress;
mod runs;
mod sample;
mod stop;
mod sweep;
mod terminal;
mod threads;
mod train;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use self::stop::{stop_on_ctrl_c, stop_on_termination};
use self::terminal::{counted, program, say, shell, tell, warn};
use crate::analysis::PartitionError;
use crate::config::{ConfigError, known_keys};
use crate::data::DataError;
use crate::sweep::error::PlanError;
use crate::sweep::folder::SweepFolderError;
use crate::text::{printable, shortened_to};
use crate::trained::TrainedError;
use crate::training::folder::{FolderError, RUNS};
use crate::training::runs::{KnownRun, in_folder, latest};
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
    Runs(runs::Runs),
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

    stop::survive_the_limit_on_file_sizes();
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(error) => return refuse(&error),
    };
    let run = || match command {
        Command::Train(command) => command.run(commit),
        Command::Analyze(command) => command.run(),
        Command::Sample(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(commit),
        Command::Runs(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Sweep(command) => command.run(),
    };
    // A device that is lost, say, panics inside burn.
    std::panic::set_hook(Box::new(|panic| {
        terminal::fail(format_args!("the program failed inside: {panic}; please report this as a bug"));
    }));
    match std::panic::catch_unwind(AssertUnwindSafe(|| threads::on_pool(run))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            if error.is::<Stopped>() {
                tell(&error);
            } else {
                terminal::fail(&error);
            }
            ExitCode::from(exit_status(&error))
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// The longest line of what clap says of the arguments, in characters; without them none is as long.
const LONGEST_LINE: usize = 400;

/// Prints what clap says: help, or what is wrong with the arguments, which it repeats as they are.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let fit = |line: &str| shortened_to(LONGEST_LINE, &printable(line));
    if error.use_stderr() && text.lines().any(|line| fit(line) != line) {
        text.lines().for_each(|line| terminal::tell(fit(line)));
    } else {
        let _ = error.print();
    }
    if let Some(tip) = setting_meant(error) {
        tell(tip);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Of an option that `train` does not have and a configuration does, such as --seed: how to set it.
fn setting_meant(error: &clap::Error) -> Option<String> {
    let (Some(ContextValue::String(option)), true) = (
        error.get(ContextKind::InvalidArg),
        std::env::args().nth(1).is_some_and(|command| command == "train"),
    ) else {
        return None;
    };
    let name = option.trim_start_matches('-').replace('-', "_");
    let key = known_keys().into_iter().find(|key| key.rsplit('.').next() == Some(&name))?;
    Some(format!("`{key}` is a setting: write --set {key}=VALUE"))
}

fn exit_status(error: &anyhow::Error) -> u8 {
    let usage = error.is::<Usage>()
        || matches!(error.downcast_ref(), Some(DataError::Config(_)))
        || error.is::<ConfigError>()
        || error.downcast_ref().is_some_and(SessionError::is_of_usage)
        || error.downcast_ref().is_some_and(FolderError::is_of_usage)
        || error.downcast_ref().is_some_and(TrainedError::is_of_usage)
        || error.is::<PlanError>()
        || error.is::<PartitionError>()
        || error.downcast_ref().is_some_and(SweepFolderError::is_of_usage);
    if usage { 2 } else { 1 }
}

/// The user stopped the command, which is no error; what stands, and how to go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Stopped(String);

/// Arguments that do not go together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// The runs in artifacts/runs, with a warning of each that cannot be read.
fn known_runs() -> Vec<KnownRun> {
    let (runs, errors) = in_folder(std::path::Path::new(RUNS));
    errors.iter().for_each(|error| warn(format_args!("passed over {error}")));
    runs
}

/// A path as it is; a name that is none here and is that of a run in artifacts/runs stands for the run.
fn named_run(path: &std::path::Path) -> PathBuf {
    let run = std::path::Path::new(RUNS).join(path);
    if !path.exists() && run.is_dir() { run } else { path.to_owned() }
}

/// The run that a command was given, or the latest, which is told.
fn run_or_latest(given: Option<PathBuf>) -> Result<PathBuf, Usage> {
    if let Some(path) = given {
        return Ok(named_run(&path));
    }
    let latest = latest(known_runs()).ok_or_else(|| {
        Usage(format!(
            "{RUNS} holds no run with a model; name a run's folder, or train one with: {} train",
            program()
        ))
    })?;
    tell(format_args!("{}, the latest run", shell(&latest.folder)));
    Ok(latest.folder)
}

/// Refuses a file to write whose name does not end as its content asks.
fn expect_extension(flag: &str, path: &std::path::Path, extension: &str) -> Result<(), Usage> {
    if path.extension().is_some_and(|found| found == extension) {
        return Ok(());
    }
    Err(Usage(format!("{flag} is {}; its name must end in .{extension}", shell(path))))
}
