//! The steps of a deeper chain's loop as bars: what each contributes to the path entropy production.

use std::fmt::Write;

use super::page;
use crate::analysis::units::Loop;
use crate::estimate::jackknife::Figure;

/// The section of a deeper chain; `of_last` is the path entropy production of its last layer and the images alone.
pub fn section(of_loop: &Loop, of_last: &Figure) -> String {
    page::section(
        "Layers",
        &[page::wide(
            "loop",
            &bars(of_loop, of_last),
            "Where along the loop x → z<sub>1</sub> → … → x the path entropy production arises when all layers are seen: all layers at a time are one state w, and \
             σ = E ln P(w, x, w′)/P(w′, x, w). Look at the step from the images and the step to them: they make all of it. A step between two layers contributes nothing on average, since \
             its part is a function of the layers at one time less the same function a step earlier. A step may be negative; the sum cannot, and is at least that of the last \
             layer, beneath, which sees less. Lines are 95% intervals.",
        )],
    )
}

fn bars(of_loop: &Loop, of_last: &Figure) -> String {
    const ROW: f64 = 30.0;
    let (left, width) = (124.0, 220.0);
    let mut rows: Vec<(String, &Figure, &str)> = (of_loop.steps.iter())
        .map(|step| {
            (
                format!("{} → {}", shown(&step.from), shown(&step.to)),
                &step.path_entropy_production,
                "bar-first",
            )
        })
        .collect();
    rows.push(("all steps".to_owned(), &of_loop.path_entropy_production, "bar-second"));
    rows.push(("last layer alone".to_owned(), of_last, "bar-second"));
    let ends = rows
        .iter()
        .flat_map(|(_, figure, _)| [figure.low, figure.value, figure.high].into_iter().flatten());
    let (least, most) = ends.fold((0.0_f64, 0.0_f64), |(least, most), end| (least.min(end), most.max(end)));
    let range = if most > least { most - least } else { 1.0 };
    let at = |value: f64| left + width * (value - least) / range;
    let height = ROW * rows.len() as f64;
    let mut svg = format!(
        r#"<svg viewBox="0 0 490 {:.0}" role="img" aria-label="contributions of the steps">"#,
        height + 44.0
    );
    for (number, (name, figure, class)) in rows.iter().enumerate() {
        let middle = ROW * (number as f64 + 0.5);
        let value = figure.value.unwrap_or(0.0);
        let (from, to) = (at(value.min(0.0)), at(value.max(0.0)));
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" class="step end">{name}</text><rect class="{class}" x="{from:.1}" y="{:.1}" width="{:.1}" height="{:.1}"/><text x="{:.1}" y="{:.1}" class="step start">{figure}</text>"#,
            left - 8.0,
            middle + 5.0,
            middle - 0.33 * ROW,
            to - from,
            0.66 * ROW,
            left + width + 8.0,
            middle + 5.0
        );
        if let (Some(low), Some(high)) = (figure.low, figure.high) {
            let _ = write!(svg, r#"<path class="rim" d="M{:.1} {middle:.1}H{:.1}"/>"#, at(low), at(high));
        }
    }
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{0:.1} 0V{height:.1}"/><text x="{0:.1}" y="{1:.1}" class="small mid">0</text><text x="{2:.1}" y="{3:.1}" class="small mid">nats per step of the whole loop</text></svg>"#,
        at(0.0),
        height + 16.0,
        left + 0.5 * width,
        height + 36.0
    );
    svg
}

/// With its number as an index.
fn shown(name: &str) -> String {
    match name.strip_prefix("z_") {
        Some(number) => format!(r#"z<tspan dy="3" font-size="75%">{number}</tspan><tspan dy="-3"> </tspan>"#),
        None => name.to_owned(),
    }
}
