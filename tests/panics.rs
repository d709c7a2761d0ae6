//! Panics of other crates: silenced as long as that lasts, on several threads at once, and not longer.

use std::panic::{catch_unwind, set_hook};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

// Not every build of the library has it.
#[path = "../src/panics.rs"]
mod library;

use library::{one_line, quietly};

/// A process has one hook for panics, which other tests may use: this takes a process of its own.
#[test]
fn silencing_leaves_the_hook_in_place() {
    let itself = std::env::current_exe().unwrap();
    let test = ["--ignored", "--exact", "panics::silencing_on_several_threads"];
    let output = Command::new(itself).args(test).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
}

#[test]
#[ignore = "silencing_leaves_the_hook_in_place runs it"]
fn silencing_on_several_threads() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    set_hook(Box::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    // Long enough for the others to come between.
                    let panic = || -> () {
                        std::thread::sleep(Duration::from_millis(1));
                        panic!("device\n  lost")
                    };
                    assert_eq!(quietly(panic), Err("device lost".to_owned()));
                    assert_eq!(quietly(|| 7), Ok(7));
                }
            });
        }
    });
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    assert!(catch_unwind(|| panic!("heard")).is_err());
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    assert_eq!(one_line(" a\n b "), "a b");
}
