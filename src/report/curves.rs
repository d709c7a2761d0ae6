//! Figures over training, by plotters, in colours that the page chooses.

use plotters::prelude::*;

use crate::analysis::Headline;
use crate::analysis::measures::Measure;
use crate::estimate::jackknife::Figure;
use crate::training::metrics::Metrics;

/// plotters writes colours as numbers; these stand for the page's own, which follow the reader's choice of light or dark.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
pub(super) const FAINT: RGBColor = RGBColor(1, 1, 2);
const FIRST: RGBColor = RGBColor(1, 1, 3);
const SECOND: RGBColor = RGBColor(1, 1, 4);
/// Of the measures of a chart, in order.
const COLOURS: [RGBColor; 2] = [FIRST, SECOND];

/// Of a chart, in its own units.
pub(super) const SIZE: (u32, u32) = (380, 260);

/// Where step 0 stands on the logarithmic axis of steps.
const START: f64 = -0.5;

/// The place of a step on that axis.
fn place(step: u64) -> f64 {
    if step == 0 { START } else { (step as f64).log10() }
}

/// Is this a value that a chart can show? Files can be changed by hand, and an axis without end never ends.
pub(super) fn shown(value: f64) -> bool {
    value.abs() < 1e12
}

/// A curve: its points while training, and its checkpoints with intervals.
struct Curve {
    colour: RGBColor,
    points: Vec<(f64, f64)>,
    intervals: Vec<(f64, f64, f64, f64)>,
}

/// The chart of some measures, the first of them on top.
///
/// # Errors
/// When it cannot be drawn, in words.
pub fn svg(measures: &[&Measure], evaluations: &[Metrics], checkpoints: &[Headline]) -> Result<String, String> {
    let curves = measures.iter().zip(COLOURS).rev().map(|(measure, colour)| Curve {
        colour,
        points: evaluations
            .iter()
            .filter_map(|line| Some((place(line.step), (measure.noted)(&line.figures)?)))
            .filter(|&(_, value)| shown(value))
            .collect(),
        intervals: checkpoints
            .iter()
            .filter_map(|line| {
                let Figure { value, low, high, .. } = (measure.of)(line);
                let value = (*value).filter(|value| shown(*value))?;
                let (low, high) = (low.filter(|low| shown(*low)), high.filter(|high| shown(*high)));
                Some((place(line.step?), low.unwrap_or(value), value, high.unwrap_or(value)))
            })
            .collect(),
    });
    let mut text = String::new();
    draw(&curves.collect::<Vec<_>>(), &mut text).map_err(|error| error.to_string())?;
    Ok(themed(&text))
}

fn draw(curves: &[Curve], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let points = || curves.iter().flat_map(|curve| &curve.points).copied();
    let ends = || {
        curves
            .iter()
            .flat_map(|curve| &curve.intervals)
            .flat_map(|&(step, low, _, high)| [(step, low), (step, high)])
    };
    let last = points().chain(ends()).fold(1.0, |last: f64, (step, _)| last.max(step));
    let (low, high) = points()
        .chain(ends())
        .fold((f64::MAX, f64::MIN), |(low, high), (_, value)| (low.min(value), high.max(value)));
    let room = 0.06 * (high - low).max(1e-9);
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(START - 0.1..last + 0.1, low - room..high + room)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.mix(0.25))
        .axis_style(FAINT)
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_desc("training step, 0 at the left end")
        .x_labels(5)
        .y_labels(6)
        .x_label_formatter(&|place| {
            if *place < 0.0 {
                String::new()
            } else {
                format!("{:.0}", 10.0_f64.powf(*place))
            }
        })
        .y_label_formatter(&|value| {
            if value.abs() < 10.0 {
                format!("{value:.2}")
            } else {
                format!("{value:.0}")
            }
        })
        .draw()?;
    for Curve { colour, points, intervals } in curves {
        // From step 0 to the first evaluation after it nothing is known but the checkpoints.
        let (start, rest): (Vec<_>, Vec<_>) = points.iter().copied().partition(|&(place, _)| place < 0.0);
        chart.draw_series(LineSeries::new(rest, colour.stroke_width(2)))?;
        chart.draw_series(start.into_iter().map(|point| Circle::new(point, 2, colour.filled())))?;
        let values = intervals.iter().map(|&(step, _, value, _)| (step, value));
        chart.draw_series(LineSeries::new(values, colour.mix(0.5).stroke_width(1)))?;
        for &(step, low, value, high) in intervals {
            chart.draw_series([PathElement::new([(step, low), (step, high)], colour.stroke_width(2))])?;
            chart.draw_series([Circle::new((step, value), 3, colour.filled())])?;
        }
    }
    root.present()?;
    Ok(())
}

/// The drawing with the page's colours for its own, and without its size, which the page sets.
pub(super) fn themed(svg: &str) -> String {
    let mut text = svg.to_owned();
    for (RGBColor(red, green, blue), name) in [(INK, "ink"), (FAINT, "faint"), (FIRST, "first"), (SECOND, "second")] {
        text = text.replace(&format!("#{red:02X}{green:02X}{blue:02X}"), &format!("var(--{name})"));
    }
    let (width, height) = SIZE;
    text.replacen(&format!(r#"width="{width}" height="{height}" "#), "", 1)
}
