//! Figures over training: lines of what was noted on the way, points with intervals where checkpoints were analyzed.

use std::fmt::Write;

use super::axis::{Axis, shown};
use crate::analysis::Headline;
use crate::analysis::measures::{Chart, Measure};
use crate::estimate::jackknife::Figure;
use crate::training::metrics::Metrics;

/// Left, right, top and bottom of the field, of a chart of 380 x 280.
const FIELD: [f64; 4] = [56.0, 368.0, 34.0, 232.0];
/// Classes of the measures of a chart, in order.
const COLOURS: [&str; 2] = ["first", "second"];
/// Where step 0 stands on the logarithmic axis of steps.
const START: f64 = -0.5;

/// A curve: its points while training, and its checkpoints with the ends of their intervals.
struct Curve {
    colour: &'static str,
    points: Vec<(u64, f64)>,
    intervals: Vec<(u64, [f64; 3])>,
}

/// The places of steps and values in the drawing.
struct Axes {
    last: f64,
    values: Axis,
}

impl Axes {
    fn x(&self, step: u64) -> f64 {
        let place = if step == 0 { START } else { (step as f64).log10() };
        FIELD[0] + (place - START + 0.1) / (self.last - START + 0.2) * (FIELD[1] - FIELD[0])
    }

    fn at(&self, share: f64) -> f64 {
        FIELD[3] - share * (FIELD[3] - FIELD[2])
    }

    fn y(&self, value: f64) -> f64 {
        self.at(self.values.share(value))
    }
}

/// Does a chart of these measures show anything?
pub fn has_values(measures: &[&Measure], evaluations: &[Metrics], checkpoints: &[Headline]) -> bool {
    let noted = |measure: &&Measure| evaluations.iter().any(|line| (measure.noted)(&line.figures).is_some());
    let analyzed = |measure: &&Measure| checkpoints.iter().any(|line| (measure.of)(line).value.is_some());
    measures.iter().any(|measure| noted(measure) || analyzed(measure))
}

/// The chart of some measures, the first of them on top.
pub fn svg(chart: &Chart, measures: &[&Measure], evaluations: &[Metrics], checkpoints: &[Headline]) -> String {
    let curves: Vec<Curve> = (measures.iter().zip(COLOURS))
        .map(|(measure, colour)| Curve {
            colour,
            points: evaluations
                .iter()
                .filter_map(|line| Some((line.step, (measure.noted)(&line.figures)?)))
                .filter(|&(_, value)| shown(value))
                .collect(),
            intervals: checkpoints
                .iter()
                .filter_map(|line| {
                    let Figure { value, low, high, .. } = (measure.of)(line);
                    let value = (*value).filter(|value| shown(*value))?;
                    let (low, high) = (low.filter(|low| shown(*low)), high.filter(|high| shown(*high)));
                    Some((line.step?, [low.unwrap_or(value), value, high.unwrap_or(value)]))
                })
                .collect(),
        })
        .collect();
    let values: Vec<f64> = curves.iter().flat_map(|curve| curve.values()).collect();
    if values.is_empty() {
        return r#"<p class="under">It has no value.</p>"#.to_owned();
    }
    let steps = curves.iter().flat_map(|curve| curve.steps());
    let by_decades = chart.by_decades && values.iter().any(|value| *value > 0.0);
    let values = match by_decades {
        // Where an interval ends at zero or below says nothing on this axis.
        true => Axis::by_decades(&values.iter().copied().filter(|value| *value > 0.0).collect::<Vec<_>>()),
        false => Axis::linear(&values),
    };
    let axes = Axes {
        last: steps.max().map_or(1.0, |step| (step.max(10) as f64).log10()),
        values,
    };
    let mut svg = frame(&axes, chart.title);
    for curve in curves.iter().rev() {
        draw(&mut svg, curve, &axes, chart.rough.is_some());
    }
    legend(&mut svg, chart, measures, &curves);
    svg.push_str("</svg>");
    svg
}

impl Curve {
    fn values(&self) -> impl Iterator<Item = f64> {
        let of_points = self.points.iter().map(|&(_, value)| value);
        of_points.chain(self.intervals.iter().flat_map(|&(_, ends)| ends))
    }

    fn steps(&self) -> impl Iterator<Item = u64> {
        let of_points = self.points.iter().map(|&(step, _)| step);
        of_points.chain(self.intervals.iter().map(|&(step, _)| step))
    }
}

fn frame(axes: &Axes, label: &str) -> String {
    let [left, right, top, bottom] = FIELD;
    let mut svg = format!(
        r#"<svg viewBox="0 0 380 280" role="img" aria-label="{label} over training"><path class="axis" d="M{left} {top}V{bottom}H{right}"/><text x="{:.0}" y="272" class="small mid">training step</text>"#,
        0.5 * (left + right)
    );
    for &tick in &axes.values.ticks {
        let y = axes.at(axes.values.share_of_place(tick));
        let text = axes.values.label(tick).replace('-', "−");
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{left} {y:.1}H{right}"/><text x="{:.1}" y="{:.1}" class="small end y-tick">{text}</text>"#,
            left - 6.0,
            y + 4.0
        );
    }
    let decades = (0..=axes.last as u32).map(|decade| 10_u64.pow(decade));
    for step in std::iter::once(0).chain(decades) {
        let x = axes.x(step);
        let text = match step {
            10_000.. => format!("10{}", superscript(step.ilog10())),
            _ => step.to_string(),
        };
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{x:.1} {bottom}v5"/><text x="{x:.1}" y="{:.1}" class="small mid x-tick">{text}</text>"#,
            bottom + 19.0
        );
    }
    svg
}

fn superscript(number: u32) -> String {
    let digit = |c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c as usize - '0' as usize).unwrap_or(c);
    number.to_string().chars().map(digit).collect()
}

fn draw(svg: &mut String, curve: &Curve, axes: &Axes, is_rough: bool) {
    let colour = curve.colour;
    let line = |points: &mut dyn Iterator<Item = (u64, f64)>| {
        let points: Vec<String> = points
            .filter(|&(_, value)| !axes.values.decades || value > 0.0)
            .map(|(step, value)| format!("{:.1},{:.1}", axes.x(step), axes.y(value)))
            .collect();
        points.join(" ")
    };
    // From step 0 to the first evaluation after it nothing is known but the checkpoints.
    let noted = line(&mut curve.points.iter().copied().filter(|&(step, _)| step > 0));
    let rough = if is_rough { " rough" } else { "" };
    let _ = write!(svg, r#"<polyline class="curve {colour}{rough}" points="{noted}"/>"#);
    for &(step, value) in curve
        .points
        .iter()
        .filter(|&&(step, value)| step == 0 && (!axes.values.decades || value > 0.0))
    {
        let _ = write!(
            svg,
            r#"<circle class="start {colour}" cx="{:.1}" cy="{:.1}" r="2"/>"#,
            axes.x(step),
            axes.y(value)
        );
    }
    let between = line(&mut curve.intervals.iter().map(|&(step, [_, value, _])| (step, value)));
    let _ = write!(svg, r#"<polyline class="between {colour}" points="{between}"/>"#);
    let bottom = FIELD[3];
    for &(step, [low, value, high]) in &curve.intervals {
        let x = axes.x(step);
        let end = |value: f64| {
            if axes.values.decades && value <= 0.0 {
                bottom
            } else {
                axes.y(value).min(bottom)
            }
        };
        let _ = write!(
            svg,
            r#"<path class="bar-of {colour}" d="M{x:.1} {:.1}V{:.1}"/>"#,
            end(low),
            end(high)
        );
        if !axes.values.decades || value > 0.0 {
            let _ = write!(
                svg,
                r#"<circle class="point {colour}" cx="{x:.1}" cy="{:.1}" r="3"><title>step {step}: {value:.6}</title></circle>"#,
                axes.y(value)
            );
        }
    }
}

/// What lines and points are, above the field.
fn legend(svg: &mut String, chart: &Chart, measures: &[&Measure], curves: &[Curve]) {
    let noted = curves.iter().any(|curve| !curve.points.is_empty());
    let analyzed = curves.iter().any(|curve| !curve.intervals.is_empty());
    let mut entries: Vec<(&str, bool, String)> = Vec::new();
    if measures.len() > 1 {
        let several = (measures.iter().zip(curves)).filter(|(_, curve)| curve.values().next().is_some());
        entries.extend(several.map(|(measure, curve)| (curve.colour, false, measure.title.to_lowercase())));
    } else {
        let line = chart.rough.unwrap_or("while training");
        entries.extend(noted.then(|| (COLOURS[0], false, line.to_owned())));
        entries.extend(analyzed.then(|| (COLOURS[0], true, "analyzed, 95% intervals".to_owned())));
    }
    svg.push_str(r#"<g class="legend-of">"#);
    let rough = if chart.rough.is_some() { " rough" } else { "" };
    for (number, (colour, is_point, text)) in entries.into_iter().enumerate() {
        let (x, y) = (FIELD[0] - 48.0 + 196.0 * number as f64, 14.0);
        let _ = match is_point {
            true => write!(
                svg,
                r#"<path class="bar-of {colour}" d="M{0} {1}V{2}"/><circle class="point {colour}" cx="{0}" cy="{y}" r="3"/>"#,
                x + 14.0,
                y - 7.0,
                y + 7.0
            ),
            false => write!(svg, r#"<path class="curve {colour}{rough}" d="M{x} {y}h20"/>"#),
        };
        let _ = write!(svg, r#"<text x="{}" y="{}" class="small start">{text}</text>"#, x + 25.0, y + 4.0);
    }
    svg.push_str("</g>");
}
