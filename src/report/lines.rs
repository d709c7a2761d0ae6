//! The chart of a figure that a sweep's file asks for: means over seeds with their intervals, along an axis in decades medians with their ranges, joined
//! line by line.

use std::fmt::Write;

use super::axis::{Axis, shown};
use super::page::escape;
use crate::sweep::figures::{FigurePlan, Line, Point, Spread};

/// Colours that stand apart, on white and on black, also for readers who do not tell red from green.
pub const APART: [&str; 10] = [
    "#3b7dd8", "#e0792b", "#1f9e89", "#c2549d", "#9a7d0a", "#7a5fd0", "#d64550", "#3fa7c8", "#7c8a3a", "#8a8f98",
];
/// Ends of the field.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 548.0;
const TOP: f64 = 14.0;
/// Its height.
const HEIGHT: f64 = 286.0;
/// Of a line of the legend.
const LEADING: f64 = 18.0;
/// About the width of a letter.
const LETTER: f64 = 6.4;

/// The drawing; `None` where no setting has both figures.
pub fn svg(plan: &FigurePlan, lines: &[Line]) -> Option<String> {
    let is_shown = |point: &&Point| shown(point.x.mean[1]) && shown(point.y.mean[1]);
    let points: Vec<&Point> = lines.iter().flat_map(|line| &line.points).filter(is_shown).collect();
    if points.is_empty() {
        return None;
    }
    let [x, y] = [|point: &Point| point.x, |point: &Point| point.y].map(|of| axis(&points, of));
    let bottom = TOP + HEIGHT;
    let across = |value: f64| LEFT + x.share(value).clamp(0.0, 1.0) * (RIGHT - LEFT);
    let up = |value: f64| bottom - y.share(value).clamp(0.0, 1.0) * HEIGHT;
    let place = |point: &Point| (marked(&x, point.x), marked(&y, point.y));

    let mut legend = String::new();
    let rows = draw_legend(&mut legend, lines, bottom + 66.0);
    let height = bottom + 62.0 + LEADING * rows as f64;
    let mut svg = format!(
        r#"<svg viewBox="0 0 560 {height:.0}" role="img" aria-label="{}"><path class="axis" d="M{LEFT} {TOP}V{bottom}H{RIGHT}"/>"#,
        escape(&plan.title)
    );
    draw_ticks(&mut svg, [&x, &y], [&plan.x_title(), &plan.y_title()]);
    for (line, colour) in lines.iter().zip(APART.iter().cycle()) {
        let points: Vec<&Point> = line.points.iter().filter(is_shown).collect();
        if plan.is_joined() {
            let path: Vec<String> = (points.iter())
                .map(|point| place(point))
                .map(|(x, y)| format!("{:.1},{:.1}", across(x[1]), up(y[1])))
                .collect();
            let _ = write!(
                svg,
                r#"<polyline fill="none" stroke="{colour}" stroke-width="1.5" stroke-opacity="0.6" points="{}"/>"#,
                path.join(" ")
            );
        }
        for point in points {
            let (x, y) = place(point);
            let _ = write!(
                svg,
                r#"<path fill="none" stroke="{colour}" stroke-width="1.5" d="M{cx:.1} {:.1}V{:.1}M{:.1} {cy:.1}H{:.1}"/><circle fill="{colour}" cx="{cx:.1}" cy="{cy:.1}" r="3.5"><title>{}</title></circle>"#,
                up(y[0]),
                up(y[2]),
                across(x[0]),
                across(x[2]),
                escape(&format!("{}: {:.5}, {:.5}", point.setting, x[1], y[1])),
                cx = across(x[1]),
                cy = up(y[1]),
            );
        }
    }
    svg.push_str(&legend);
    svg.push_str("</svg>");
    Some(svg)
}

/// An axis for some points: in decades where their medians ask for it.
fn axis(points: &[&Point], of: impl Fn(&Point) -> Spread) -> Axis {
    let medians: Vec<f64> = points.iter().map(|point| of(point).median[1]).collect();
    let with_bars = |of: &dyn Fn(&Point) -> [f64; 3]| -> Vec<f64> {
        let all = points.iter().flat_map(|point| of(point));
        all.filter(|end| shown(*end)).collect()
    };
    if Axis::of(&medians).decades {
        Axis::by_decades(&with_bars(&|point| of(point).median))
    } else {
        Axis::linear(&with_bars(&|point| of(point).mean))
    }
}

/// What an axis shows of a figure.
fn marked(axis: &Axis, figure: Spread) -> [f64; 3] {
    if axis.decades { figure.median } else { figure.mean }
}

fn draw_ticks(svg: &mut String, [x, y]: [&Axis; 2], [x_title, y_title]: [&str; 2]) {
    let bottom = TOP + HEIGHT;
    let minus = |text: String| text.replace('-', "−");
    for &tick in &x.ticks {
        let across = LEFT + x.share_of_place(tick) * (RIGHT - LEFT);
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{across:.1} {TOP}V{:.1}"/><text x="{across:.1}" y="{:.1}" class="small mid">{}</text>"#,
            bottom + 5.0,
            bottom + 19.0,
            minus(x.label(tick))
        );
    }
    for &tick in &y.ticks {
        let up = bottom - y.share_of_place(tick) * HEIGHT;
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{LEFT} {up:.1}H{RIGHT}"/><text x="{:.1}" y="{:.1}" class="small end">{}</text>"#,
            LEFT - 6.0,
            up + 4.0,
            minus(y.label(tick))
        );
    }
    let _ = write!(
        svg,
        r#"<text x="{:.0}" y="{:.0}" class="small mid">{}</text><text transform="translate(14 {:.0}) rotate(-90)" class="small mid">{}</text>"#,
        0.5 * (LEFT + RIGHT),
        bottom + 40.0,
        escape(x_title),
        TOP + 0.5 * HEIGHT,
        escape(y_title)
    );
}

/// What the colours mean, below the chart; says how many rows that takes.
fn draw_legend(svg: &mut String, lines: &[Line], top: f64) -> usize {
    let (mut row, mut left) = (0, LEFT);
    for (line, colour) in lines.iter().zip(APART.iter().cycle()) {
        let width = 20.0 + LETTER * line.name.chars().count() as f64 + 14.0;
        if left > LEFT && left + width > RIGHT + 10.0 {
            (row, left) = (row + 1, LEFT);
        }
        let y = top + LEADING * row as f64;
        let _ = write!(
            svg,
            r#"<circle fill="{colour}" cx="{:.1}" cy="{:.1}" r="4"/><text x="{:.1}" y="{y:.1}" class="small start">{}</text>"#,
            left + 5.0,
            y - 4.0,
            left + 14.0,
            escape(&line.name)
        );
        left += width;
    }
    row + 1
}
