//! A sweep's file: refused, or a plan whose runs have names of their own.
#![no_main]

use std::collections::HashSet;

use latent_cycles::sweep::plan::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(plan) = Plan::from_toml(text, "the input") {
        let names: HashSet<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names.len(), plan.runs.len());
    }
});
