//! What an analysis found, in lines of text.

use std::fmt::Write;

use super::say;
use crate::analysis::measures::{charts, shown};
use crate::analysis::sampled::UnitAnalysis;
use crate::analysis::units::Unit;
use crate::analysis::{Analysis, Headline};

/// One checkpoint of many, in one line: the first measure of each chart.
pub fn checkpoint(headline: &Headline) {
    let mut line = format!("step {:>7}", headline.step.unwrap_or(0));
    for (chart, measures) in charts() {
        let _ = write!(line, "  {} {}", chart.title.to_lowercase(), (measures[0].of)(headline));
    }
    say(line);
}

/// The single figures, a line each.
fn single(headline: &Headline) {
    for measure in shown(headline) {
        let figure = (measure.of)(headline);
        let note = figure.note.as_ref().map_or(String::new(), |note| format!("  ({note})"));
        say(format_args!(
            "{:<30}{figure:>24}  {}{note}",
            measure.title.to_lowercase(),
            measure.unit
        ));
    }
}

/// What is found of a machine of units.
pub fn of_units(analysis: &UnitAnalysis) {
    single(&analysis.headline);
    let data = (analysis.lit_pixels_of_data).map_or(String::new(), |data| format!(", in the data {data:.2}"));
    say(format_args!(
        "an image drawn has {} lit pixels{data}; in a step {} of {} units change",
        analysis.lit_pixels, analysis.flips, analysis.binary_units
    ));
    let information = &analysis.information;
    say(format_args!(
        "mutual information of an image and the word after it: between {} and {} nats; of a word and the next one: between {} and {} nats",
        information.image_and_word.low, information.image_and_word.high, information.words.low, information.words.high
    ));
    let by_unit = analysis.by_path_entropy_production();
    if let Some(most) = by_unit.first().filter(|unit| unit.path_entropy_production.value > Some(0.0)) {
        say(format_args!(
            "unit {} carries most of the path entropy production, {} nats per step",
            most.unit, most.path_entropy_production
        ));
    }
    if let Some(classes) = &analysis.classes {
        say(format_args!(
            "the classes of successive images, as all that is seen, show an entropy production of {} nats per step",
            classes.entropy_production
        ));
    }
    for note in &analysis.notes {
        say(note);
    }
}

/// Everything, in a dozen lines or so.
pub fn all(analysis: &Analysis) {
    single(&analysis.headline);
    for note in &analysis.notes {
        say(note);
    }
    if let Some(plane) = &analysis.plane {
        if plane.axes.len() == 2 {
            say(format_args!("plane: {plane}"));
        }
        say(&plane.edge);
    }
    if let Some(null) = &analysis.shuffled_entropy_production {
        say(format_args!("{null}"));
    }
    for cycle in analysis.cycles.iter().filter(|cycle| cycle.resolved).take(3) {
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
    if let Some(found) = &analysis.macrostates {
        let share = match &found.share.note {
            Some(note) if found.share.value.is_none() => note.clone(),
            _ => format!("{} of all that the latent chain produces", found.share),
        };
        say(format_args!(
            "macrostates {}, by {}: {} nats per step; {share}",
            found.labels.join(", "),
            found.source,
            found.entropy_production
        ));
        if let Some(agreement) = found.agreement {
            say(format_args!(
                "{:.1}% of the images drawn are of the class of their state",
                100.0 * agreement
            ));
        }
    }
    for units in analysis.layer_units.iter().flatten() {
        let produced = |unit: &Unit| unit.path_entropy_production.as_ref().and_then(|figure| figure.value).unwrap_or(0.0);
        let most = units.units.iter().max_by(|a, b| produced(a).total_cmp(&produced(b)));
        if let Some((most, figure)) = most
            .and_then(|unit| Some((unit, unit.path_entropy_production.as_ref()?)))
            .filter(|(unit, _)| produced(unit) > 0.0)
        {
            say(format_args!(
                "layer {}: {} carries most of the path entropy production, {figure} nats per step",
                units.layer, most.name
            ));
        }
    }
    if let Some(of_loop) = &analysis.layers {
        say(format_args!(
            "with all layers seen the path produces {} nats per step, of which the last layer and the images alone do not show {}",
            of_loop.path_entropy_production, of_loop.hidden
        ));
    }
    laws(analysis);
    let precision = &analysis.precision;
    let count = analysis.latent * analysis.latent;
    say(format_args!(
        "standard errors: worst transition {:.1}%, {} of {count} above 10% (with {:.2}% of the steps between states); entropy production {}, of the path {}",
        100.0 * precision.worst_transition,
        precision.transitions_above_10_percent,
        100.0 * precision.traffic_above_10_percent,
        percent(precision.entropy_production),
        percent(precision.path_entropy_production)
    ));
}

/// Do simulated steps obey the fluctuation theorem, and how near are currents to the uncertainty relation?
fn laws(analysis: &Analysis) {
    let Some(laws) = &analysis.laws else { return };
    let of_one_step = laws.paths.iter().filter(|path| path.steps == 1);
    let exponents = of_one_step.map(|path| {
        let kind = if path.images { "with images" } else { "latent" };
        match path.exponent.value {
            Some(_) => format!("{} ({kind})", path.exponent),
            None => format!("not resolved ({kind})"),
        }
    });
    say(format_args!(
        "fluctuation theorem: P(s) = e^(a s) P(-s) with a = {} in simulated steps; 1 is exact",
        exponents.collect::<Vec<_>>().join(" and ")
    ));
    if let Some(relation) = &laws.uncertainty
        && let Some(first) = relation.currents.first()
    {
        let below = relation
            .currents
            .iter()
            .filter(|current| current.violates_continuous == Some(true))
            .count();
        say(format_args!(
            "uncertainty relation: the current \"{}\" varies {} times as much as it must; {below} of {} currents are below the bound of continuous time",
            first.name,
            first.times_sharper_bound,
            relation.currents.len()
        ));
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("none".to_owned(), |share| format!("{:.2}%", 100.0 * share))
}
