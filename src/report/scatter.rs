//! Scatter plots of runs: plotters draws the frame, every point is a link with a tooltip.

use std::fmt::Write;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::axis::{Axis, shown};
use super::page::escape;

/// plotters writes colours as numbers; these stand for the page's own, which follow the reader's choice of light or dark.
const INK: RGBColor = RGBColor(1, 1, 1);
const FAINT: RGBColor = RGBColor(1, 1, 2);
/// Of a plot, in its own units.
const SIZE: (u32, u32) = (380, 260);

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
    let x = Axis::of(&points.iter().map(|point| point.x).collect::<Vec<_>>());
    let y = Axis::of(&points.iter().map(|point| point.y).collect::<Vec<_>>());
    let mut frame = String::new();
    let [(left, top), (right, bottom)] = draw_frame([&x, &y], [x_title, y_title], &mut frame).map_err(|error| error.to_string())?;
    let mut marks = String::from(r#"<g class="points">"#);
    for point in points {
        let (across, up) = (x.share(point.x), y.share(point.y));
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
fn draw_frame([x, y]: [&Axis; 2], titles: [&str; 2], text: &mut String) -> Result<[(f64, f64); 2], Box<dyn std::error::Error>> {
    let title = |axis: &Axis, title: &str| format!("{title}{}", if axis.decades { ", logarithmic" } else { "" });
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
        .x_desc(title(x, titles[0]))
        .y_desc(title(y, titles[1]))
        .draw()?;
    let corner = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y));
        (f64::from(x), f64::from(y))
    };
    let corners = [corner(x.low, y.high), corner(x.high, y.low)];
    root.present()?;
    Ok(corners)
}

/// The drawing with the page's colours for its own, and without its size, which the page sets.
fn themed(svg: &str) -> String {
    let mut text = svg.to_owned();
    for (RGBColor(red, green, blue), name) in [(INK, "ink"), (FAINT, "faint")] {
        text = text.replace(&format!("#{red:02X}{green:02X}{blue:02X}"), &format!("var(--{name})"));
    }
    let (width, height) = SIZE;
    text.replacen(&format!(r#"width="{width}" height="{height}" "#), "", 1)
}
