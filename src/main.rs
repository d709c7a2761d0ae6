//! The command line: parse, dispatch, print errors.

use std::process::ExitCode;

/// The system's allocator gives large arrays back at once and pays for every page anew at each step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The git commit that the program was built from: the second word of the last line of git's log of HEAD.
const COMMIT: Option<&str> = last_commit(include_bytes!(env!("GIT_LOG")));

fn main() -> ExitCode {
    latent_cycles::cli::main(COMMIT)
}

const fn last_commit(log: &'static [u8]) -> Option<&'static str> {
    let mut start = log.len().saturating_sub(1);
    while start > 0 && log[start - 1] != b'\n' {
        start -= 1;
    }
    let Some(first) = next_space(log, start) else { return None };
    let Some(end) = next_space(log, first + 1) else { return None };
    match std::str::from_utf8(log.split_at(end).0.split_at(first + 1).1) {
        Ok(commit) => Some(commit),
        Err(_) => None,
    }
}

const fn next_space(text: &[u8], mut place: usize) -> Option<usize> {
    while place < text.len() {
        if text[place] == b' ' {
            return Some(place);
        }
        place += 1;
    }
    None
}
