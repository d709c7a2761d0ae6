//! .npy files: refused, or as many grey values as their sizes say, and integers that are those of the same bytes.
#![no_main]

use latent_cycles::data::formats::npy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok((shape, grey)) = npy::grey(input) {
        assert_eq!(grey.len(), shape.count * shape.visible());
    }
    if let Ok(integers) = npy::integers(input) {
        assert!(integers.len() <= input.len());
    }
});
