//! IDX files, gzipped or not: refused, or as many bytes as their sizes say. The first byte of the input is how many items are kept.
#![no_main]

use latent_cycles::data::formats::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&most, content)) = input.split_first() else {
        return;
    };
    if let Ok(file) = idx::parse(content, &[1, 2, 3], usize::from(most)) {
        let item: usize = file.sizes[1..].iter().product();
        assert_eq!(file.bytes.len(), file.sizes[0].min(most.into()) * item);
    }
});
