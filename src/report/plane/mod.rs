//! The plane of a model: where the probability is and flows, what is drawn where, where the data are, what moves the chain.

mod field;
mod frame;
mod line;
mod streamlines;

use std::fmt::Write;

pub(super) use self::field::CLASSES;
use super::page::{escape, figure, section, wide};
use crate::analysis::Analysis;
use crate::model::Parameters;

/// The section of the page; empty where the states are no points of a line or a plane.
pub fn html(analysis: &Analysis, parameters: &Parameters, size: (usize, usize)) -> String {
    let Some(plane) = &analysis.plane else { return String::new() };
    if plane.axes.len() == 1 {
        return line::html(analysis, plane, parameters, size);
    }
    let edge = format!("{}.", escape(&plane.edge.to_string()));
    let flow = wide(
        "plane-field",
        &panels(&[field::current(analysis, plane), field::manifold(plane, parameters, size)]),
        &format!(
            "Left: the probability of each point in the steady state (colour) and its current (lines, in the direction of the arrows). The current of every net jump \
             runs along the grid, next to the straight line from its start to its end; it has no sources, so that it follows the level lines of a stream function ψ. {} In \
             equilibrium there would be no line. The current has {}. Right: what the chain draws at each point, the mean image s(a + zA), on the \
             same axes. The unit of z is the standard deviation of p(z|x). {edge}",
            field::between_lines(plane).map_or(
                "Without a vortex that can be told from noise, no line is drawn.".to_owned(),
                |between| format!("Between two neighbouring lines flow {between:.1e} net events per step.")
            ),
            escape(&plane.to_string()),
        ),
    );
    let motion = wide(
        "plane-motion",
        &panels(&[field::data(analysis, plane), field::motion(plane)]),
        &format!(
            "Left: images of the data, each at its posterior mean Σ r<sub>k</sub> z<sub>k</sub> with r<sub>k</sub> ∝ π<sub>k</sub> q(x|k), coloured by its class; {} of them. Right: \
             what one step does at a point: the arrow is the drift b(z) = E[z′ − z | z], the ellipse the spread of the step about it, of half axes √(2D) along the axes of the \
             diffusion D(z) = Cov[z′ − z | z]/2, both drawn smaller than they are, as the key says. In the mean over π, √E|b|² = {} per step and E tr D = {} per step.",
            plane.data.len(),
            plane.drift,
            plane.diffusion
        ),
    );
    section("The plane", &[flow, motion])
}

/// plane.svg: the current and the decoded images side by side, a picture that needs no page. For states that are points of a plane.
pub fn picture(analysis: &Analysis, parameters: &Parameters, size: (usize, usize)) -> Option<String> {
    let plane = analysis.plane.as_ref().filter(|plane| plane.axes.len() == 2)?;
    let (width, height) = frame::SIZE;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {height}" width="{}" height="{height}" role="img" aria-label="current and decoded images of the plane"><style>{}</style><rect width="100%" height="100%" fill="#ffffff"/>"##,
        2.0 * width,
        2.0 * width,
        include_str!("picture.css")
    );
    for (panel, x) in [field::current(analysis, plane), field::manifold(plane, parameters, size)]
        .iter()
        .zip([0.0, width])
    {
        let _ = write!(svg, r#"<g transform="translate({x} 0)">{}</g>"#, panel.content);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// A drawing of the size of [`frame::SIZE`].
struct Panel {
    name: &'static str,
    content: String,
}

/// Drawings beside each other, or below where there is no room.
fn panels(panels: &[Panel]) -> String {
    let (width, height) = frame::SIZE;
    let mut html = String::from(r#"<div class="panels">"#);
    for Panel { name, content } in panels {
        let _ = write!(
            html,
            r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">{content}</svg>"#
        );
    }
    html.push_str("</div>");
    html
}
