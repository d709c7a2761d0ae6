//! The section of the page on the laws that fluctuations obey: distributions, tables, the entropy production read off time series.

use std::fmt::Write;

use super::page::{escape, figure, section, wide};
use super::{laws_charts, names};
use crate::analysis::laws::{Laws, PathFluctuations, TimeSeries, UncertaintyRelation};
use crate::estimate::jackknife::Figure;

/// The section; a sentence where a model has no laws to show because it is in balance.
pub fn html(laws: Option<&Laws>) -> String {
    let Some(laws) = laws else {
        return section(
            "Laws",
            &[
                "<p>The model is reversible by construction: every path is as probable as its reverse, and no step produces entropy.</p>"
                    .to_owned(),
            ],
        );
    };
    let mut figures = vec![latent_step(laws)];
    let of_one_step = |path: &&PathFluctuations| path.images && path.steps == 1;
    if let Some(histogram) = laws.paths.iter().find(of_one_step).and_then(|path| path.histogram.as_ref()) {
        figures.push(figure(
            "law-path",
            &format!("<h3>One step with its image</h3>{}", laws_charts::distribution(histogram, histogram)),
            "The same for whole steps z → x → z′, with s = ln[π<sub>z</sub> q(x|z) p(z′|x) / (π<sub>z′</sub> q(x|z′) p(z|x))]; bars and points are both from \
             simulated steps. The further the bars are from 0, the fewer of the reversed ones that the theorem needs are ever drawn.",
        ));
    }
    figures.push(series(&laws.time_series));
    figures.push(paths(&laws.paths));
    figures.extend(laws.uncertainty.as_ref().map(uncertainty));
    section("Laws", &figures)
}

fn latent_step(laws: &Laws) -> String {
    let step = &laws.step;
    let simulated = laws.paths.iter().find(|path| !path.images && path.steps == 1);
    let points = simulated.and_then(|path| path.histogram.as_ref()).unwrap_or(&step.histogram);
    let one_way = if step.one_way.value.is_some_and(|one_way| one_way > 0.0) {
        format!(
            " Steps without a way back, a share of {}, have s = ∞ and are missing from ⟨e<sup>−s</sup>⟩ = {}.",
            step.one_way, step.integral
        )
    } else {
        String::new()
    };
    figure(
        "law-step",
        &format!("<h3>One latent step</h3>{}", laws_charts::distribution(&step.histogram, points)),
        &format!(
            "How much entropy a single step produces: s = ln(F<sub>ij</sub>/F<sub>ji</sub>). Bars: P(s), from T and π. Points: e<sup>s</sup>P(−s), from steps that were \
             simulated with their images; by the detailed fluctuation theorem they end on the bars. Their bars are twice a standard error; there is no point where \
             no reversed step was drawn. Not in the chart: s = 0, a share of {}. Mean {} nats, variance over mean {} nats; {} of all steps run against the arrow \
             of time (s &lt; 0).{one_way}",
            step.zero, step.mean, step.fano, step.negative
        ),
    )
}

fn series(series: &[TimeSeries]) -> String {
    figure(
        "law-series",
        &format!("<h3>Read off a time series</h3>{}", laws_charts::series(series)),
        "The entropy production that counted transitions of a simulated latent path give, against the path's length; bars are the spread of single paths, the dashed \
         line is the exact value of the T they were simulated from. Blue: pairs of states seen in both directions, the others left out. Orange: half a transition added to each \
         direction of every pair that was seen. What is left between points and line is bias.",
    )
}

fn paths(paths: &[PathFluctuations]) -> String {
    let mut rows = String::new();
    for path in paths {
        let _ = write!(
            rows,
            "<tr><th>{}</th><td>{}</td>{}{}{}{}{}{}</tr>",
            if path.images { "whole" } else { "latent" },
            path.steps,
            cell(&path.expected),
            cell(&path.mean),
            cell(&path.fano),
            cell(&path.negative),
            cell(&path.exponent),
            cell(&path.integral)
        );
    }
    let count = paths.first().map_or(0, |path| path.paths);
    wide(
        "law-theorems",
        &format!(
            "<h3>Fluctuation theorems</h3><div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>path</th><th>steps n</th><th>nσ, nats</th><th>⟨s⟩, nats</th>\
             <th>Var s / ⟨s⟩</th><th>P(s &lt; 0)</th><th>exponent</th><th>⟨e<sup>−s</sup>⟩</th></tr></thead><tbody>{rows}</tbody></table></div>"
        ),
        &format!(
            "{count} simulated paths that start in the steady state, with 95% intervals. ⟨s⟩ must be nσ. The exponent is the a of P(s) = e<sup>as</sup>P(−s) that the signs of s at \
             given |s| say; the detailed theorem makes it 1. The integral theorem makes ⟨e<sup>−s</sup>⟩ = 1; it is shown where at least ten of the simulated paths are expected \
             among those that carry its last twentieth. A dash stands where it, or the exponent, rests on paths too rare to be drawn, or on transitions that are known badly; and for P(s &lt; 0) where no path had s &lt; 0: it is then \
             below 3/{count}."
        ),
    )
}

fn uncertainty(relation: &UncertaintyRelation) -> String {
    let mut rows = String::new();
    for current in &relation.currents {
        let verdict = match current.violates_continuous {
            Some(true) => "below 2",
            Some(false) => "2 or above",
            None => "not told",
        };
        let _ = write!(
            rows,
            "<tr><th>{}</th>{}{}{}{}{}<td>{verdict}</td></tr>",
            escape(&names::of_current(&current.name)),
            cell(&current.mean),
            cell(&current.variance),
            cell(&current.relative_variance),
            cell(&current.times_sharper_bound),
            cell(&current.continuous)
        );
    }
    wide(
        "law-uncertainty",
        &format!(
            "<h3>Uncertainty relation</h3><div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>current</th><th>mean j, per step</th><th>variance D, per step</th>\
             <th>D/j², steps</th><th>times the bound</th><th>Dσ/j²</th><th>continuous time</th></tr></thead><tbody>{rows}</tbody></table></div>"
        ),
        &format!(
            "How precise can a current be for the entropy that it costs? Counted over n steps, a current has mean nj and, for large n, variance nD. For steps of a clock D/j² is at least 2/(e<sup>σ</sup> − 1) = {} \
             (Proesmans and Van den Broeck, 2017), and at least 1/Π − 1 = {} with Π = Σ<sub>i&lt;j</sub> J<sub>ij</sub>²/(F<sub>ij</sub> + F<sub>ji</sub>), the bound of the fifth column. In continuous time \
             Dσ/j² could not be below 2 (last columns); here it can. Entropy: the entropy production itself. Sharpest of a step: weights J<sub>ij</sub>/(F<sub>ij</sub> + F<sub>ji</sub>). i to j: the largest net currents.",
            relation.bound, relation.sharper_bound
        ),
    )
}

fn cell(figure: &Figure) -> String {
    match &figure.note {
        Some(note) => format!("<td title=\"{}\">{figure}</td>", escape(note)),
        None => format!("<td>{figure}</td>"),
    }
}
