//! Records, as they lie in a file before their seal: refused, or a model or checkpoint that could be one.
#![no_main]

use latent_cycles::record::Recorded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let parameters = match Recorded::from_bytes(content) {
        Ok(Recorded::Model(parameters)) => vec![*parameters],
        Ok(Recorded::Checkpoint(state)) => {
            let shape = (state.parameters.visible(), state.parameters.latent());
            assert_eq!((state.mean_squares.visible(), state.mean_squares.latent()), shape);
            assert!(state.chains.is_none_or(|chains| chains.pixels() == shape.0 && !chains.is_empty()));
            vec![state.parameters, state.mean_squares]
        }
        Err(problem) => {
            assert!(problem.chars().all(|c| !c.is_control()), "{problem:?}");
            return;
        }
    };
    for parameters in parameters {
        assert!(parameters.is_consistent() && parameters.is_finite());
        assert!(parameters.visible() > 0 && parameters.latent() > 0);
        // What was read was there.
        assert!(4 * parameters.numbers().count() <= content.len());
    }
});
