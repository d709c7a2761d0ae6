//! Are the chains that are followed in their steady state? Then what they do does not change from the first half of the walk to the second.

use serde::Serialize;

use crate::estimate::jackknife::Figure;
use crate::units::path::{Steps, mean_of_chains};

/// Standard errors beyond which a change is none of chance: one analysis in 300 with three figures in the steady state.
const BEYOND_CHANCE: f64 = 3.29;

/// What changed from the first half of the walk to the second, as means over chains.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// nats per step.
    pub path_entropy_production: Figure,
    /// Per step.
    pub self_transition: Figure,
    /// Lit pixels.
    pub lit_pixels: Figure,
    /// Is all of it within chance?
    pub steady: bool,
}

impl Drift {
    /// Between two halves of a walk of the same chains.
    pub fn between([first, second]: [&Steps; 2]) -> Self {
        let changes = [
            &second.path_entropy_production - &first.path_entropy_production,
            &second.self_transition - &first.self_transition,
            &second.lit - &first.lit,
        ];
        let changes = changes.map(|change| mean_of_chains(&change));
        let steady = changes.iter().all(is_chance);
        let [path_entropy_production, self_transition, lit_pixels] = changes;
        Self {
            path_entropy_production,
            self_transition,
            lit_pixels,
            steady,
        }
    }

    /// A sentence.
    pub fn in_words(&self) -> String {
        let verdict = match self.steady {
            true => "as chance has it in the steady state",
            false => {
                "more than by chance: the chains are NOT in their steady state, and the figures are those of this walk, not of the machine"
            }
        };
        let (self_transition, lit_pixels) = (&self.self_transition, &self.lit_pixels);
        // A machine in equilibrium produces none in any step.
        let produced = match self.path_entropy_production.value {
            Some(0.0) => String::new(),
            _ => format!(
                "the path entropy production changed by {} nats per step, ",
                self.path_entropy_production
            ),
        };
        format!(
            "From the first half of the walk to the second {produced}the self-transition changed by {self_transition} and the lit pixels by {lit_pixels}, {verdict}."
        )
    }
}

/// Is a mean over independent chains zero within chance?
fn is_chance(change: &Figure) -> bool {
    let error = change.standard_error.unwrap_or(0.0);
    change.value.is_some_and(|value| value.abs() <= BEYOND_CHANCE * error)
}
