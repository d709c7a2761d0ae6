//! The chart of how long the chain stays in each macrostate, beside stays without memory.

use std::fmt::Write;

use super::laws_charts::{FIELD, across, frame, power, up, x_tick, y_tick};
use super::page::{escape, figure};
use super::plane::CLASSES;
use crate::analysis::Macrostates;

/// Macrostates shown, the most probable ones.
const MOST_SHOWN: usize = 6;
/// Powers of ten beneath 1.
const DECADES: i32 = 2;

/// The figure; nothing where no stay lasts longer than a step.
pub fn html(found: &Macrostates) -> Option<String> {
    let weights = found.steady.pi();
    let mut shown: Vec<usize> = (0..found.labels.len()).collect();
    shown.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    shown.truncate(MOST_SHOWN);
    shown.sort_unstable();
    let lengths = shown.iter().filter_map(|&a| found.residences[a].survival.last());
    let longest = lengths.map(|last| last.steps).max().filter(|longest| *longest > 1)?;
    let others = match found.labels.len() - shown.len() {
        0 => String::new(),
        others => format!(" Of {others} less probable macrostates see analysis.json."),
    };
    Some(figure(
        "macro-stays",
        &format!(
            r#"<h3>Length of a visit</h3><div style="max-width:460px">{}</div>"#,
            chart(found, &shown, longest)
        ),
        &format!(
            "The share of visits that last longer than n steps, from where the chain enters a macrostate and what it does within; bars are 95% intervals. Dashed: visits without memory that last as long \
             on average, a straight line on this scale. Points above their line far out are a macrostate with states to be caught in; points beneath it at first are visits that need some steps to find \
             the way out.{others}"
        ),
    ))
}

fn chart(found: &Macrostates, shown: &[usize], longest: usize) -> String {
    let mut svg = frame("length of a visit to a macrostate", "n, steps", "share of visits longer than n");
    let at = |steps: f64| across(steps / longest as f64);
    let height = |share: f64| up((1.0 + share.max(f64::MIN_POSITIVE).log10() / f64::from(DECADES)).clamp(0.0, 1.0));
    for decade in -DECADES..=0 {
        y_tick(&mut svg, 1.0 + f64::from(decade) / f64::from(DECADES), &power(decade));
    }
    let every = longest.div_ceil(5).max(1);
    for steps in (0..=longest).step_by(every) {
        x_tick(&mut svg, steps as f64 / longest as f64, &steps.to_string());
    }
    for (number, &a) in shown.iter().enumerate() {
        let (colour, name) = (CLASSES[number], escape(&found.labels[a]));
        let survival = &found.residences[a].survival;
        let lowest = 10.0_f64.powi(-DECADES);
        // To the end of the chart, or to where the line leaves it.
        let stays = survival.first().map_or(0.0, |first| first.memoryless);
        let end = (lowest.ln() / stays.ln()).clamp(0.0, longest as f64);
        let _ = write!(
            svg,
            r#"<path class="memoryless" fill="none" stroke="{colour}" stroke-dasharray="4 4" d="M{:.1} {:.1}L{:.1} {:.1}"/>"#,
            at(0.0),
            height(1.0),
            at(end),
            height(stays.powf(end))
        );
        for point in survival {
            let Some(share) = point.probability.value.filter(|share| *share >= lowest) else {
                continue;
            };
            let x = at(point.steps as f64);
            if let (Some(low), Some(high)) = (point.probability.low, point.probability.high) {
                let _ = write!(
                    svg,
                    r#"<path stroke="{colour}" stroke-width="1.5" d="M{x:.1} {:.1}V{:.1}"/>"#,
                    height(low),
                    height(high)
                );
            }
            let _ = write!(
                svg,
                r#"<circle class="stay" cx="{x:.1}" cy="{:.1}" r="2.8" fill="{colour}"><title>{name}: {} of visits last longer than {} steps; without memory {:.4}</title></circle>"#,
                height(share),
                point.probability,
                point.steps,
                point.memoryless
            );
        }
        let (x, y) = (FIELD[1] - 8.0, FIELD[2] + 14.0 + 16.0 * number as f64);
        let _ = write!(
            svg,
            r#"<text class="small end" x="{:.1}" y="{:.1}">{name}</text><circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#,
            x - 9.0,
            y + 4.0
        );
    }
    svg.push_str("</svg>");
    svg
}
