//! manifest.json: refused, or the same again after it was written.
#![no_main]

use latent_cycles::training::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(mut manifest) = serde_json::from_slice::<Manifest>(content) {
        // serde_json reads fractions to within their last digit.
        (manifest.classifier_accuracy, manifest.pseudo_count) = (None, None);
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }
});
