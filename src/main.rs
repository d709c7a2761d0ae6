//! The command line: parse, dispatch, print errors.

use std::process::ExitCode;

fn main() -> ExitCode {
    latent_cycles::cli::main()
}
