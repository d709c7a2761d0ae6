//! Tells the program where git logs its commits: see src/main.rs, which reads the log at compile time, so that a commit rebuilds the program and
//! not the library. (A variable that changed with every commit would rebuild both.)

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let log = log_of_head().unwrap_or_else(|| {
        // Not a checkout: an empty log.
        let empty = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("no-log");
        std::fs::write(&empty, "").expect("cargo made the folder");
        empty
    });
    println!("cargo::rustc-env=GIT_LOG={}", log.display());
}

/// The file to which git adds a line for every commit that HEAD comes to.
fn log_of_head() -> Option<PathBuf> {
    let output = Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    let path = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).join(path.trim());
    (output.status.success() && path.is_file()).then_some(path)
}
