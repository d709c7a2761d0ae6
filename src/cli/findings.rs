//! What an analysis found, in lines of text.

use super::say;
use crate::analysis::{Analysis, Headline};
use crate::estimate::jackknife::Figure;

/// One checkpoint of many, in one line.
pub fn checkpoint(headline: &Headline) {
    say(format_args!(
        "step {:>7}  log-likelihood {}  entropy production {}  self-transition {}",
        headline.step.unwrap_or(0),
        headline.log_likelihood_train,
        headline.entropy_production,
        headline.self_transition
    ));
}

/// Everything, in a dozen lines or so.
pub fn all(analysis: &Analysis) {
    let headline = &analysis.headline;
    let line = |name: &str, figure: &Figure, unit: &str| {
        let note = figure.note.as_ref().map_or(String::new(), |note| format!("  ({note})"));
        say(format_args!("{name:<26}{figure:>24}  {unit}{note}"));
    };
    line("log-likelihood, train", &headline.log_likelihood_train, "nats per image");
    line("log-likelihood, test", &headline.log_likelihood_test, "nats per image");
    line("entropy production", &headline.entropy_production, "nats per step");
    line("path entropy production", &headline.path_entropy_production, "nats per step");
    line("self-transition", &headline.self_transition, "per step");
    line("class divergence", &headline.class_kl, "nats");
    line("relaxation time", &headline.relaxation_time, "steps");
    line("rotation period", &headline.rotation_period, "steps");
    if let Some(null) = &analysis.shuffled_entropy_production {
        say(format_args!("{null}"));
    }
    for cycle in analysis.cycles.iter().take(3) {
        let states: Vec<String> = cycle.states.iter().chain(cycle.states.first()).map(usize::to_string).collect();
        let share = cycle
            .share
            .map_or(String::new(), |share| format!(", {:.0}% of the entropy production", 100.0 * share));
        let affinity = cycle
            .affinity
            .map_or("infinite".to_owned(), |affinity| format!("{affinity:.2} nats"));
        say(format_args!(
            "cycle {}: {:.4} turns per step, affinity {affinity}{share}",
            states.join(" > "),
            cycle.weight
        ));
    }
    let precision = &analysis.precision;
    let count = analysis.latent * analysis.latent;
    say(format_args!(
        "standard errors: worst transition {:.1}%, {} of {count} above 10%; entropy production {}, of the path {}",
        100.0 * precision.worst_transition,
        precision.transitions_above_10_percent,
        percent(precision.entropy_production),
        percent(precision.path_entropy_production)
    ));
}

fn percent(share: Option<f64>) -> String {
    share.map_or("none".to_owned(), |share| format!("{:.2}%", 100.0 * share))
}
