//! The section on currents: their graph, the maps of T and J, the spectrum.

use ndarray::Array2;

use super::graph::{self, FAINTEST, Graph, MOST_NODES};
use super::names::letters;
use super::page::{Page, escape, figure, section as of_figures, wide};
use super::{heatmap, macrostates, spectrum, walk};
use crate::analysis::{Analysis, CycleFigures, MOST_TABLED, Macrostates};

/// The section; maps have the states in the given order.
pub fn section(page: &Page, order: &[usize]) -> String {
    let analysis = page.analysis;
    let currents = analysis.resolved_currents();
    let mut figures = Vec::new();
    if !analysis.notes.is_empty() {
        figures.push(format!("<p>{}</p>", escape(&analysis.notes.join(" "))));
    }
    let player = walk::player(page);
    if analysis.latent <= MOST_NODES {
        figures.push(of_states(page, &currents, order, &player));
    } else if let Some(found) = shown_as_macrostates(analysis) {
        figures.push(macrostates::graph(found, page.size, &player));
        figures.extend(of_cycles(page, &currents, ""));
    } else {
        let graph = of_cycles(page, &currents, &player);
        figures.push(graph.unwrap_or_else(|| {
            wide(
                "graph",
                &player,
                "The chain walking: the states that it visits and the images that it draws, step by step.",
            )
        }));
    }
    if analysis.latent <= MOST_TABLED {
        figures.extend(maps(analysis, &currents, order));
    }
    figures.push(figure(
        "spectrum",
        &format!("<h3>Spectrum</h3>{}", spectrum::svg(&analysis.eigenvalues)),
        "The eigenvalues of T in the unit circle; 1 is the steady state. The nearer another is to the rim, the longer the chain remembers; off the real \
         axis it rotates as it forgets, which no reversible chain can.",
    ));
    of_figures("Currents", &figures)
}

/// The macrostates, where the states are too many for one picture.
pub fn shown_as_macrostates(analysis: &Analysis) -> Option<&Macrostates> {
    analysis.macrostates.as_ref().filter(|_| analysis.latent > MOST_NODES)
}

/// The states with some of their currents.
pub fn graph_of<'a>(analysis: &'a Analysis, currents: &'a Array2<f64>) -> Graph<'a> {
    Graph {
        weights: &analysis.stationary,
        stay: analysis.transition.diag().to_vec(),
        currents,
        mean_images: &analysis.mean_images,
        names: (0..analysis.latent).map(letters).collect(),
        noun: "state",
        id: "state",
    }
}

fn of_states(page: &Page, currents: &Array2<f64>, order: &[usize], player: &str) -> String {
    let analysis = page.analysis;
    wide(
        "graph",
        &(graph::svg(&graph_of(analysis, currents), order, page.size) + player),
        &format!(
            "Where probability flows. Each node is the mean image s(A<sub>k</sub>) of a state, its size the weight π<sub>k</sub>; each arrow is a net current \
             J<sub>ij</sub>, as wide as it is strong.{}",
            left_out(analysis, currents)
        ),
    )
}

/// Which currents are not drawn.
fn left_out(analysis: &Analysis, resolved: &Array2<f64>) -> String {
    if analysis.reversibility.reversible {
        return " There are none: the chain is in equilibrium, as far as can be told.".to_owned();
    }
    let positive = || resolved.iter().copied().filter(|current| *current > 0.0);
    let largest = positive().fold(0.0, f64::max);
    let (all, faint) = (positive().sum::<f64>(), positive().filter(|current| *current <= FAINTEST * largest));
    let (count, sum) = faint.fold((0, 0.0), |(count, sum), current| (count + 1, sum + current));
    let unresolved = analysis.latent * (analysis.latent - 1) / 2 - positive().count();
    let mut text = String::new();
    if count > 0 {
        text = format!(
            " Not drawn: {count} currents below {:.0}% of the largest, {:.2}% of the sum of all.",
            100.0 * FAINTEST,
            100.0 * sum / all
        );
    }
    if unresolved > 0 {
        text += &format!(
            " Between {unresolved} pairs of states the current does not differ from zero by four standard errors; none of these is drawn."
        );
    }
    text + " In equilibrium there would be no arrow."
}

/// Of too many states for one picture, those of the cycles that carry most.
fn of_cycles(page: &Page, currents: &Array2<f64>, player: &str) -> Option<String> {
    let analysis = page.analysis;
    let mut states: Vec<usize> = Vec::new();
    let mut shown: Vec<&CycleFigures> = Vec::new();
    for cycle in analysis.cycles.iter().filter(|cycle| cycle.resolved) {
        let more: Vec<usize> = cycle.states.iter().copied().filter(|state| !states.contains(state)).collect();
        if states.len() + more.len() <= MOST_NODES {
            states.extend(more);
            shown.push(cycle);
        }
    }
    if shown.is_empty() {
        return None;
    }
    let mut of_cycles = Array2::zeros(currents.dim());
    for cycle in &shown {
        let next = cycle.states.iter().cycle().skip(1);
        cycle
            .states
            .iter()
            .zip(next)
            .for_each(|(&i, &j)| of_cycles[[i, j]] = currents[[i, j]]);
    }
    let share: f64 = shown.iter().filter_map(|cycle| cycle.share).sum();
    let id = if analysis.macrostates.is_some() { "graph-cycles" } else { "graph" };
    Some(wide(
        id,
        &(graph::svg(&graph_of(analysis, &of_cycles), &states, page.size) + player),
        &format!(
            "The strongest cycles among {} states: of {} cycles the {} that carry most of the entropy production and fit on {MOST_NODES} states, together {:.1}% of it. Each node is \
             the mean image s(A<sub>k</sub>) of a state, its size the weight π<sub>k</sub>; each arrow is the net current J<sub>ij</sub> on a step of these cycles, as wide as it is \
             strong. Currents off these cycles, and those below {:.0}% of the largest, are not drawn.",
            analysis.latent,
            analysis.cycles.len(),
            shown.len(),
            100.0 * share,
            100.0 * FAINTEST
        ),
    ))
}

fn maps(analysis: &Analysis, currents: &Array2<f64>, order: &[usize]) -> [String; 2] {
    let in_order = if analysis.cycles.iter().any(|cycle| cycle.resolved) {
        "States stand in the order of the cycle that carries most, then of those that follow: its steps stand just above the diagonal."
    } else {
        "States stand in the order of their weight."
    };
    [
        figure(
            "map-transitions",
            &format!("<h3>Transitions T</h3>{}", heatmap::transitions(&analysis.transition, order)),
            &format!(
                "T<sub>jk</sub> = Σ<sub>x</sub> q(x|j) p(k|x), the probability per step, from the row's state to the column's, on a logarithmic scale. {in_order}"
            ),
        ),
        figure(
            "map-currents",
            &format!("<h3>Currents J, per step</h3>{}", heatmap::currents(currents, order)),
            "J<sub>ij</sub> = π<sub>i</sub>T<sub>ij</sub> − π<sub>j</sub>T<sub>ji</sub>, net steps per step: red where the row's state leads to the column's, blue \
             where it is led to, the colour as strong as the square root of the current. The map is antisymmetric, and in equilibrium it is blank; so are currents that do \
             not differ from zero by four standard errors.",
        ),
    ]
}
