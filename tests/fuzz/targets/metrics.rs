//! metrics.jsonl, by a run that goes on and by an analysis: every line is read, dropped for its step, or named.
#![no_main]

use std::path::Path;

use latent_cycles::files::json_lines;
use latent_cycles::training::metrics::{Earlier, Metrics};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let path = Path::new("metrics.jsonl");
    let lines = json_lines::<Metrics>(path, content);
    let earlier = Earlier::from_bytes(path, content, u64::MAX);
    // A last line without an end counts for the analysis alone.
    assert_eq!(earlier.unread, lines.unread);
    assert!(lines.values.len() + lines.unread.len() <= content.split(|&byte| byte == b'\n').count());
    assert!(earlier.last.is_none_or(|last| lines.values.iter().any(|value| value.step == last.step)));
});
