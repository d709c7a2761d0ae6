//! The macrostates on the page: their graph, their cycles as film strips, and tables of fluxes, times and passages.

use std::fmt::Write;

use ndarray::Array2;

use super::page::{escape, figure, section as of_figures, wide};
use super::{film, graph, stays};
use crate::analysis::{Analysis, Macrostates, Residence};
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::Figure;
use crate::latent::SteadyState;
use crate::random::{Seed, Stream, categorical};

/// Cycles shown as strips.
const STRIPS: usize = 5;
/// The most macrostates whose tables for all pairs are shown.
const MOST_IN_TABLES: usize = 12;
/// Strips of macrostates are numbered from here on, so that they share no draw with those of states.
const AFTER_STATES: u64 = 1 << 32;

fn names(found: &Macrostates) -> Vec<String> {
    found.labels.iter().map(|label| escape(label)).collect()
}

/// The graph of the currents among macrostates, with the player of a walk.
pub fn graph(found: &Macrostates, size: (usize, usize), player: &str) -> String {
    let (weights, currents) = (found.steady.pi(), found.steady.currents());
    // One strongest cycle after the other, as far as there are any.
    let mut order: Vec<usize> = Vec::new();
    let all = 0..found.labels.len();
    for place in found.cycles.iter().flat_map(|cycle| cycle.macrostates.iter().copied()).chain(all) {
        if !order.contains(&place) {
            order.push(place);
        }
    }
    // Those that cannot be told from zero have a note.
    let is_resolved = |(a, b): (usize, usize)| !found.cycles.is_empty() && found.currents[a][b].note.is_none();
    let currents = Array2::from_shape_fn(currents.dim(), |pair| if is_resolved(pair) { currents[pair] } else { 0.0 });
    let flows = currents.iter().any(|current| *current > 0.0);
    let drawn = graph::Graph {
        weights: &weights,
        stay: found.steady.transition().diag().to_vec(),
        currents: &currents,
        mean_images: &found.mean_images,
        names: names(found),
        noun: "macrostate",
        id: "macrostate",
    };
    let why = if flows { "" } else { " Here none differs from zero." };
    wide(
        "graph",
        &(graph::svg(&drawn, &order, size) + player),
        &format!(
            "Where probability flows among macrostates ({}). Each node is the mean image of a macrostate, its size the weight; each arrow is a net current \
             J<sub>ab</sub> whose 95% interval does not contain 0, as wide as it is strong. Currents below {:.0}% of the largest are not drawn. In equilibrium there would be no \
             arrow.{why}",
            escape(&found.source),
            100.0 * graph::FAINTEST
        ),
    )
}

/// The cycles among macrostates as film strips; nothing where there are none.
pub fn cycles(found: &Macrostates, steady: &SteadyState, model: &Conditionals, size: (usize, usize), seed: Seed) -> String {
    let names = names(found);
    let states = |macrostate: usize| (0..found.of_states.len()).filter(move |&state| found.of_states[state] == macrostate);
    let mut strips = String::new();
    for (number, cycle) in found.cycles.iter().take(STRIPS).enumerate() {
        let number = AFTER_STATES + number as u64;
        let next = cycle.macrostates.iter().cycle().skip(1);
        let frames = cycle.macrostates.iter().zip(next).enumerate().map(|(place, (&here, &next))| {
            let next: Vec<usize> = states(next).collect();
            let here: Vec<usize> = states(here).collect();
            // A state in proportion to its flux to the next macrostate.
            let flux = |&from: &usize| next.iter().map(|&to| steady.log_flux(from, to).exp()).sum::<f64>();
            let fluxes: Vec<f64> = here.iter().map(flux).collect();
            let chosen = categorical(&mut seed.draws(Stream::Film, number, place as u64).part(2).generator(), &fluxes);
            film::Frame {
                state: here[chosen],
                next,
                name: names[cycle.macrostates[place]].clone(),
            }
        });
        let frames: Vec<film::Frame> = frames.collect();
        let share = cycle.share.map_or(String::new(), |share| {
            format!(", {:.1}% of what macrostates produce", 100.0 * share)
        });
        let _ = write!(
            strips,
            r#"{}<p class="under">{:.3e} turns per step, affinity {} nats{share}</p>"#,
            film::strip(model, &frames, size, seed, number),
            cycle.weight,
            cycle.affinity
        );
    }
    if strips.is_empty() {
        return strips;
    }
    wide(
        "macro-cycles",
        &strips,
        &format!(
            "What the chain draws as it goes round among macrostates: the {} widest of {} cycles of their net currents, widest first. Each image was drawn from a state \
             of the macrostate beneath it, chosen as often as it leads to the next, on its way there.",
            STRIPS.min(found.cycles.len()),
            found.cycles.len()
        ),
    )
}

/// The tables, each with a sentence; nothing where there are no macrostates.
pub fn section(analysis: &Analysis) -> String {
    let Some(found) = &analysis.macrostates else {
        return String::new();
    };
    let names = names(found);
    let mut figures = vec![each(found, &names)];
    figures.extend(stays::html(found));
    if names.len() <= MOST_IN_TABLES {
        let pair = |figures: &[Vec<Figure>], a: usize, b: usize| cell(&figures[a][b]);
        figures.push(wide(
            "macro-fluxes",
            &format!("<h3>Fluxes, per step</h3>{}", square(&names, |a, b| pair(&found.fluxes, a, b))),
            "F<sub>ab</sub>: how often the chain steps from the row's macrostate to the column's, its weight in the steady state included. Compare an entry with the one across \
             the diagonal: in equilibrium they are equal.",
        ));
        let currents = square(&names, |a, b| {
            if a == b {
                String::from("<td></td>")
            } else {
                pair(&found.currents, a, b)
            }
        });
        figures.push(wide(
            "macro-currents",
            &format!("<h3>Net currents, per step</h3>{currents}"),
            "J<sub>ab</sub> = F<sub>ab</sub> − F<sub>ba</sub>, positive where the row's macrostate leads to the column's. Faint entries cannot be told from zero.",
        ));
        let time = |a: usize, b: usize| {
            let passage = found.first_passages.iter().find(|passage| (passage.from, passage.to) == (a, b));
            passage.map_or(String::from("<td></td>"), |passage| cell(&passage.steps))
        };
        figures.push(wide(
            "macro-passages",
            &format!("<h3>Mean first-passage times, steps</h3>{}", square(&names, time)),
            "How long it takes from the steady state within the row's macrostate to the first state of the column's, by whatever way: exact solves on the whole latent chain.",
        ));
    }
    figures.extend(committor(found, &names));
    if !found.notes.is_empty() {
        figures.insert(0, format!("<p>{}</p>", escape(&found.notes.join(" "))));
    }
    of_figures("Macrostates", &figures)
}

/// One row for each macrostate.
fn each(found: &Macrostates, names: &[String]) -> String {
    let judged = found.agreements.as_ref();
    let mut html = String::from(
        r#"<div class="scroll"><table class="figs"><thead><tr><th>macrostate</th><th>states</th><th>weight</th><th>mean visit, steps</th><th>half of all visits, steps</th><th>nine of ten, steps</th>"#,
    );
    html.push_str(if judged.is_some() {
        "<th>images that agree</th></tr></thead><tbody>"
    } else {
        "</tr></thead><tbody>"
    });
    for (a, name) in names.iter().enumerate() {
        let agree = judged.map_or(String::new(), |agreements| format!("<td>{:.1}%</td>", 100.0 * agreements[a]));
        let (weight, visit) = (cell(&found.stationary[a]), cell(&found.residence_times[a]));
        let quantiles: String = [0.5, 0.9].iter().map(|&share| within(&found.residences[a], share)).collect();
        let _ = write!(
            html,
            "<tr><th>{name}</th><td>{}</td>{weight}{visit}{quantiles}{agree}</tr>",
            found.states[a]
        );
    }
    html.push_str("</tbody></table></div>");
    let agreement = found.agreement.map_or(String::new(), |agreement| {
        format!(
            " Images of one state may be of several classes; each state counts as the class of most of them, and {:.1}% of all images agree.",
            100.0 * agreement
        )
    });
    let share = match found.share.value {
        Some(_) => format!("which is {} of what the whole latent chain produces", found.share),
        None => format!(
            "whose share of the whole is not known ({})",
            found.share.note.as_deref().unwrap_or_default()
        ),
    };
    wide(
        "macrostates",
        &html,
        &format!(
            "The latent chain lumped by {}.{agreement} The fluxes among macrostates produce {} nats per step, {share}; the rest is produced within macrostates, or \
             along ways between single states that the sums hide. Half of all visits, and nine of ten, have ended within so many steps. Intervals hold for this partition.",
            escape(&found.source),
            found.entropy_production
        ),
    )
}

/// In how many steps a share of all visits has ended, with the numbers that the draws leave open.
fn within(residence: &Residence, share: f64) -> String {
    let Some(quantile) = residence.quantiles.iter().find(|quantile| quantile.share == share) else {
        return "<td></td>".to_owned();
    };
    let Figure {
        value, low, high, note, ..
    } = &quantile.steps;
    let text = match (value, low, high) {
        (Some(_), Some(low), Some(high)) if low < high => format!("{low} to {high}"),
        (Some(value), ..) => value.to_string(),
        (None, ..) => "-".to_owned(),
    };
    let note = note
        .as_ref()
        .map_or(String::new(), |note| format!(r#" class="open" title="{}""#, escape(note)));
    format!("<td{note}>{text}</td>")
}

/// Where the chain comes to first, of the two most probable macrostates.
fn committor(found: &Macrostates, names: &[String]) -> Option<String> {
    let [first, second] = found.most_probable();
    let pair = found
        .committors
        .iter()
        .find(|pair| [first, second].contains(&pair.from) && [first, second].contains(&pair.to))?;
    let (from, to) = (&names[pair.from], &names[pair.to]);
    let others = (0..names.len()).filter(|&a| a != pair.from && a != pair.to);
    let rows: String = others
        .map(|a| format!("<tr><th>{}</th>{}</tr>", names[a], cell(&pair.before[a])))
        .collect();
    let table = format!(
        r#"<div class="scroll"><table class="figs"><thead><tr><th>from</th><th>to {to} before {from}</th></tr></thead><tbody>{rows}</tbody></table></div>"#
    );
    let shown = if rows.is_empty() { String::new() } else { table };
    let often = match &pair.transitions.note {
        Some(note) if pair.transitions.value.is_none() => format!("how often the chain goes cannot be told ({})", escape(note)),
        _ => format!("the chain goes {} times per step, and back as often", pair.transitions),
    };
    Some(figure(
        "macro-committor",
        &format!("<h3>Committor between {from} and {to}</h3>{shown}"),
        &format!(
            "Between the two most probable macrostates, {from} and {to}, {often}. The committor is the probability to come to {to} \
             before {from}: 1/2 would be as near to the one as to the other. Those of other pairs are in analysis.json."
        ),
    ))
}

fn square(names: &[String], entry: impl Fn(usize, usize) -> String) -> String {
    let head: String = names.iter().map(|name| format!("<th>to {name}</th>")).collect();
    let row = |a: usize| {
        format!(
            "<tr><th>{}</th>{}</tr>",
            names[a],
            (0..names.len()).map(|b| entry(a, b)).collect::<String>()
        )
    };
    let rows: String = (0..names.len()).map(row).collect();
    format!(r#"<div class="scroll"><table class="figs"><thead><tr><th>from</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"#)
}

/// A figure with its interval; one with a note is faint, and the note appears under the pointer.
fn cell(figure: &Figure) -> String {
    match &figure.note {
        Some(note) => format!(r#"<td class="open" title="{}">{figure}</td>"#, escape(note)),
        None => format!("<td>{figure}</td>"),
    }
}
