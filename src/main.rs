//! The command line: parse, dispatch, print errors.

use std::process::ExitCode;

/// The system's allocator gives large arrays back at once and pays for every page anew at each step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    latent_cycles::cli::main()
}
