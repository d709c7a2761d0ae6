//! The section on cycles: film strips of those that carry most, and the null model.

use std::fmt::Write;

use super::currents::shown_as_macrostates;
use super::page::{Page, section as of_figures, wide};
use super::{film, macrostates};
use crate::analysis::{CycleFigures, Shuffled};
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::{Figure, student_95};
use crate::estimate::sampling::GROUPS;

/// Cycles shown as strips.
const STRIPS: usize = 5;

/// The section; nothing where no cycles were looked for.
pub fn section(page: &Page) -> String {
    let analysis = page.analysis;
    let model = Conditionals::new(page.parameters);
    let of_macrostates = shown_as_macrostates(analysis).map_or(String::new(), |found| {
        macrostates::cycles(found, &analysis.estimate.kernel.steady, &model, page.size, page.seed)
    });
    if analysis.cycles.is_empty() && !analysis.reversibility.reversible {
        // They were not looked for, as the notes say.
        return match of_macrostates.is_empty() {
            true => of_macrostates,
            false => of_figures("Cycles", &[of_macrostates]),
        };
    }
    let resolved: Vec<&CycleFigures> = analysis.cycles.iter().filter(|cycle| cycle.resolved).collect();
    let mut strips = String::new();
    for (number, cycle) in resolved.iter().take(STRIPS).enumerate() {
        let affinity = match cycle.affinity {
            Some(affinity) => format!("{} nats", with_interval(affinity, cycle.affinity_standard_error)),
            None => "infinite".to_owned(),
        };
        let share = cycle
            .share
            .map_or(String::new(), |share| format!(", {:.1}% of the entropy production", 100.0 * share));
        let _ = write!(
            strips,
            r#"{}<p class="under">{} turns per step, affinity {affinity}{share}</p>"#,
            film::strip(&model, &film::frames(&cycle.states), page.size, page.seed, number as u64),
            with_interval(cycle.weight, cycle.weight_standard_error),
        );
    }
    let caption = if resolved.is_empty() {
        strips.push_str("<p>No current differs from zero, and so there are no cycles to show.</p>");
        "A chain in equilibrium runs round every loop as often one way as the other.".to_owned()
    } else {
        let rest = match analysis.cycles.len() - resolved.len() {
            0 => String::new(),
            rest => format!(" {rest} further cycles turn too seldom to be told from zero and are not listed."),
        };
        format!(
            "Cycles of the net currents: of {} the {} that carry most of the entropy production, with 95% intervals. Each image was drawn from q(x|k) of the \
             state beneath it, on its way to the next. The net currents are a sum of simple cycles with weights w<sub>C</sub>, found by removing the widest \
             first; with the affinities A<sub>C</sub> = Σ ln(T<sub>ij</sub>/T<sub>ji</sub>) around them, Σ w<sub>C</sub>A<sub>C</sub> is the entropy production.{rest}{}",
            resolved.len(),
            STRIPS.min(resolved.len()),
            analysis.shuffled_entropy_production.as_ref().map_or(String::new(), compared)
        )
    };
    of_figures("Cycles", &[of_macrostates + &wide("cycles", &strips, &caption)])
}

fn with_interval(value: f64, standard_error: Option<f64>) -> Figure {
    let reach = standard_error.map(|error| student_95(GROUPS - 1) * error);
    Figure {
        low: reach.map(|reach| value - reach),
        high: reach.map(|reach| value + reach),
        ..Figure::exact(value)
    }
}

/// The null model in plain words.
fn compared(null: &Shuffled) -> String {
    let verdict = if null.share_below > 0.975 {
        "more than nearly all of them: where its transitions lead matters, not only how unequal they are"
    } else if null.share_below < 0.025 {
        "less than nearly all of them: its transitions are arranged so that they nearly balance"
    } else {
        "as much as could be expected of transitions as unequal as these, wherever they lead"
    };
    format!(
        " Is this much? For comparison, {} chains in which each state keeps its transition probabilities, but they lead to other states at random: half of them produce less than {:.2} nats \
         per step, and 95% between {:.2} and {:.2}. This chain produces more than {:.0}% of them do, {verdict}.",
        null.chains,
        null.median,
        null.low,
        null.high,
        100.0 * null.share_below
    )
}
