//! The line of a model: pi, drift and diffusion along it, and what is drawn there.

use std::fmt::Write;

use ndarray::ArrayView1;

use super::super::axis::ticks;
use super::super::png;
use super::field::decoded;
use super::{escape, figure, section, wide};
use crate::analysis::{Analysis, Plane};
use crate::model::Parameters;

/// Decoded images.
const DECODED: usize = 24;

/// The section of the page.
pub fn html(analysis: &Analysis, plane: &Plane, parameters: &Parameters, size: (usize, usize)) -> String {
    let z = &plane.axes[0];
    let (field, errors) = (&plane.field, &plane.errors);
    let pi_error = &analysis.stationary * &analysis.stationary_error;
    let charts = [
        (
            "plane-pi",
            "π of a point",
            analysis.stationary.view(),
            pi_error.view(),
            "The probability of each point in the steady state.".to_owned(),
        ),
        (
            "plane-drift",
            "drift b, z per step",
            field.drift.column(0),
            errors.drift.column(0),
            format!(
                "b(z) = E[z′ − z | z]: where it falls through zero, the chain is drawn to. √E b² = {} per step.",
                plane.drift
            ),
        ),
        (
            "plane-diffusion",
            "diffusion D, z² per step",
            field.diffusion.column(0),
            errors.diffusion.column(0),
            format!("D(z) = Var[z′ − z | z]/2. E D = {}.", plane.diffusion),
        ),
    ];
    let mut figures: Vec<String> = charts
        .into_iter()
        .map(|(id, name, values, errors, caption)| {
            let caption = format!("{caption} Bars: two standard errors.");
            figure(id, &chart(name, z, values, errors), &caption)
        })
        .collect();
    let mut strip = image::GrayImage::new((DECODED * size.1) as u32, size.0 as u32);
    for cell in 0..DECODED {
        let z = plane.range * (2.0 * cell as f64 / (DECODED - 1) as f64 - 1.0);
        let picture = png::gray(decoded(parameters, &[z]).into_iter(), size);
        image::imageops::replace(&mut strip, &picture, (cell * size.1) as i64, 0);
    }
    figures.push(wide(
        "plane-images",
        &format!(r#"<img class="samples pixels" style="max-width:100%" src="{}" alt="decoded images along the line">"#, png::data_uri(strip)),
        &format!(
            "What the chain draws along the line: the mean image s(a + zA) from z = −{0} at the left to z = {0} at the right. The unit of z is the standard deviation of p(z|x). No \
             current flows along a line in the steady state: what passes a point returns. {1}.",
            plane.range,
            escape(&plane.edge.to_string())
        ),
    ));
    section("The line", &figures)
}

/// Values along the line, with two standard errors to either side.
fn chart(name: &str, z: &[f64], values: ArrayView1<f64>, errors: ArrayView1<f64>) -> String {
    let (left, top, width, height) = (62.0, 12.0, 300.0, 200.0);
    let ends = values
        .iter()
        .zip(errors)
        .flat_map(|(value, error)| [value - 2.0 * error, value + 2.0 * error]);
    let (low, high) = ends.fold((0.0_f64, 1e-12_f64), |(low, high), end| (low.min(end), high.max(end)));
    let (first, last) = (z[0], z[z.len() - 1]);
    let across = |z: f64| left + width * (z - first) / (last - first);
    let up = |value: f64| top + height * (high - value) / (high - low);
    let mut svg = format!(
        r#"<svg viewBox="0 0 380 260" role="img" aria-label="{name} along the line"><rect class="box" x="{left}" y="{top}" width="{width}" height="{height}"/>"#
    );
    for tick in ticks(first, last, false) {
        let _ = write!(
            svg,
            r#"<text class="small mid" x="{:.1}" y="{}">{tick}</text>"#,
            across(tick),
            top + height + 16.0
        );
    }
    for tick in ticks(low, high, false) {
        let y = up(tick);
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{left} {y:.1}h{width}"/><text class="small end" x="{}" y="{:.1}">{}</text>"#,
            left - 5.0,
            y + 4.0,
            (tick * 1e6).round() / 1e6
        );
    }
    for ((z, value), error) in z.iter().zip(values).zip(errors) {
        let (x, y) = (across(*z), up(*value));
        let _ = write!(
            svg,
            r#"<path d="M{x:.1} {:.1}V{:.1}" stroke="var(--first)"/><circle class="dot" cx="{x:.1}" cy="{y:.1}" r="2.6"><title>{name} at {z:.2}: {value:.4e}</title></circle>"#,
            up(value - 2.0 * error),
            up(value + 2.0 * error)
        );
    }
    let _ = write!(
        svg,
        r#"<text class="small mid" x="{}" y="252">z, in standard deviations of p(z|x)</text><text class="small mid" transform="translate(12 {}) rotate(-90)">{name}</text></svg>"#,
        left + 0.5 * width,
        top + 0.5 * height
    );
    svg
}
