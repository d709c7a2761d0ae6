//! Configurations: refused, or the same again after they were written.
#![no_main]

use latent_cycles::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::from_toml(text, "the input") {
        let written = config.to_toml();
        assert_eq!(Config::from_toml(&written, "what was written").unwrap(), config, "{written}");
    }
});
