//! safetensors files: refused, or a model with the numbers that are there.
#![no_main]

use latent_cycles::exchange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok((parameters, _)) = exchange::from_bytes(content) {
        assert!(parameters.is_consistent() && parameters.is_finite());
        assert!(parameters.visible() > 0 && parameters.latent() > 0);
    }
});
