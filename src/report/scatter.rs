//! Scatter plots of runs: plotters draws the frame, every point is a link with a tooltip.

use std::fmt::Write;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::curves::{FAINT, INK, SIZE, shown, themed};
use super::page::escape;

/// One run.
pub struct ScatterPoint {
    pub x: f64,
    pub y: f64,
    /// Classes by which the page gives it a colour.
    pub classes: String,
    /// The page of the run.
    pub link: Option<String>,
    /// Its name and figures.
    pub tooltip: String,
}

/// An axis: linear, or by decades where values from zero up span two or more, with zero half a decade below the smallest.
#[derive(Clone)]
struct Axis {
    title: String,
    decades: bool,
    zero: f64,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn of(title: &str, values: &[f64]) -> Self {
        let ends = |values: &mut dyn Iterator<Item = f64>| values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let (least, most) = ends(&mut values.iter().copied());
        let (smallest, _) = ends(&mut values.iter().copied().filter(|value| *value > 0.0));
        let decades = least >= 0.0 && most >= 100.0 * smallest;
        let zero = smallest.log10().floor() - 0.5;
        let place = |value: f64| {
            if !decades {
                value
            } else if value > 0.0 {
                value.log10()
            } else {
                zero
            }
        };
        let (low, high) = (place(least), place(most));
        let room = (0.06 * (high - low)).max(1e-6 * high.abs()).max(1e-9);
        let (low, high) = (low - room, high + room);
        let mut ticks = ticks(low, high, decades);
        if decades && least == 0.0 {
            ticks.retain(|tick| *tick > zero);
            ticks.insert(0, zero);
        }
        let title = format!("{title}{}", if decades { ", logarithmic" } else { "" });
        Self {
            title,
            decades,
            zero,
            low,
            high,
            ticks,
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self.decades {
            false => value,
            true if value > 0.0 => value.log10(),
            true => self.zero,
        }
    }

    fn label(&self, place: f64) -> String {
        if self.decades && place == self.zero {
            "0".to_owned()
        } else if self.decades && !(-4.0..5.0).contains(&place) {
            format!("1e{place:.0}")
        } else if self.decades {
            format!("{}", 10.0_f64.powi(place.round() as i32))
        } else {
            let step = self.ticks.get(1).map_or(1.0, |second| second - self.ticks[0]);
            let digits = (-(step * 1.001).log10().floor()).clamp(0.0, 9.0) as usize;
            format!("{:.digits$}", if place.abs() < 1e-9 * step { 0.0 } else { place })
        }
    }
}

/// For plotters, whose own axes put lines where they like.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.low) / (self.high - self.low);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        self.label(*place)
    }
}

/// Round numbers between two ends: four to eight, by 1, 2 or 5 times a power of ten; on an axis of decades whole ones.
pub(super) fn ticks(low: f64, high: f64, decades: bool) -> Vec<f64> {
    let rough = (high - low) / 6.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let step = if decades { step.ceil().max(1.0) } else { step };
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

/// The plot; `None` without a point.
///
/// # Errors
/// When it cannot be drawn, in words.
pub fn svg(points: &[ScatterPoint], x_title: &str, y_title: &str) -> Result<Option<String>, String> {
    // Files can be changed by hand, and an axis without end never ends.
    let points: Vec<&ScatterPoint> = points.iter().filter(|point| shown(point.x) && shown(point.y)).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let x = Axis::of(x_title, &points.iter().map(|point| point.x).collect::<Vec<_>>());
    let y = Axis::of(y_title, &points.iter().map(|point| point.y).collect::<Vec<_>>());
    let mut frame = String::new();
    let [(left, top), (right, bottom)] = draw_frame(&x, &y, &mut frame).map_err(|error| error.to_string())?;
    let mut marks = String::from(r#"<g class="points">"#);
    let along = |axis: &Axis, value: f64| (axis.place(value) - axis.low) / (axis.high - axis.low);
    for point in points {
        let (across, up) = (along(&x, point.x), along(&y, point.y));
        let (cx, cy) = (left + across * (right - left), bottom + up * (top - bottom));
        let mark = format!(
            r#"<circle class="{}" cx="{cx:.1}" cy="{cy:.1}" r="4"><title>{}</title></circle>"#,
            point.classes,
            escape(&point.tooltip)
        );
        let _ = match &point.link {
            Some(link) => write!(marks, r#"<a href="{}">{mark}</a>"#, escape(link)),
            None => write!(marks, "{mark}"),
        };
    }
    marks.push_str("</g></svg>");
    let frame = themed(&frame);
    Ok(Some(frame.trim_end().trim_end_matches("</svg>").to_owned() + &marks))
}

/// Draws axes and grid, and gives the corners of the field of points: top left, bottom right.
fn draw_frame(x: &Axis, y: &Axis, text: &mut String) -> Result<[(f64, f64); 2], Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(58)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.mix(0.25))
        .axis_style(FAINT)
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_desc(x.title.as_str())
        .y_desc(y.title.as_str())
        .draw()?;
    let corner = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y));
        (f64::from(x), f64::from(y))
    };
    let corners = [corner(x.low, y.high), corner(x.high, y.low)];
    root.present()?;
    Ok(corners)
}
