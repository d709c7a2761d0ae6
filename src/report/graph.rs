//! The currents among the states as a graph: mean images as nodes, arrows as wide as the currents.

use std::f64::consts::TAU;
use std::fmt::Write;

use ndarray::{Array1, Array2};

use super::png;

/// Most states drawn.
pub const MOST_NODES: usize = 20;
/// The smallest current drawn, as a part of the largest.
const FAINTEST: f64 = 0.02;
const SIZE: f64 = 640.0;

/// What is drawn: the chain of the states, or that among macrostates.
pub struct Graph<'a> {
    /// `[L]`.
    pub weights: &'a Array1<f64>,
    /// Probabilities to stay, `[L]`.
    pub stay: Vec<f64>,
    /// J, `[L, L]`.
    pub currents: &'a Array2<f64>,
    /// `[L, D]`.
    pub mean_images: &'a Array2<f64>,
    /// As HTML.
    pub names: Vec<String>,
    /// What a node is, in words.
    pub noun: &'a str,
}

struct Node {
    state: usize,
    x: f64,
    y: f64,
    radius: f64,
}

/// Draws the states that carry most current, in the given order around a circle.
pub fn svg(graph: &Graph, order: &[usize], size: (usize, usize)) -> String {
    let nodes = nodes(graph, order);
    let largest = graph.currents.iter().copied().fold(0.0, f64::max);
    let mut svg = format!(r#"<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="graph of the currents"><g class="arrows">"#);
    let mut arrows: Vec<(f64, &Node, &Node)> = nodes
        .iter()
        .flat_map(|from| nodes.iter().map(move |to| (graph.currents[[from.state, to.state]], from, to)))
        .filter(|(current, ..)| *current > FAINTEST * largest)
        .collect();
    // The widest on top.
    arrows.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (current, from, to) in arrows {
        arrow(&mut svg, &graph.names, from, to, current, current / largest);
    }
    svg.push_str("</g>");
    for node in &nodes {
        let Node { state, x, y, radius } = node;
        let (mean, name, noun) = (graph.mean_images.row(*state), &graph.names[*state], graph.noun);
        let picture = png::data_uri(png::gray(mean.iter().copied(), size));
        let inner = radius * 0.94;
        // The number stands outside of the ring.
        let (dx, dy) = (x - SIZE / 2.0, y - SIZE / 2.0);
        let out = 1.0 + (radius + 14.0) / dx.hypot(dy).max(1.0);
        let _ = write!(
            svg,
            r#"<g><title>{noun} {name}: weight {:.3e}, self-transition {:.3e}</title><circle class="node" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/><clipPath id="n{state}"><circle cx="{x:.1}" cy="{y:.1}" r="{inner:.1}"/></clipPath><image x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" clip-path="url(#n{state})" class="pixels" href="{picture}"/><text x="{:.1}" y="{:.1}" class="label mid">{name}</text></g>"#,
            graph.weights[*state],
            graph.stay[*state],
            x - inner,
            y - inner,
            2.0 * inner,
            2.0 * inner,
            SIZE / 2.0 + dx * out,
            SIZE / 2.0 + dy * out + 5.0
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The states with the largest currents through them, as many as there is room for, in the given order.
fn nodes(graph: &Graph, order: &[usize]) -> Vec<Node> {
    let through = |state: usize| graph.currents.row(state).iter().map(|current| current.abs()).sum::<f64>();
    let mut chosen: Vec<usize> = order.to_vec();
    chosen.sort_by(|&a, &b| through(b).total_cmp(&through(a)));
    chosen.truncate(MOST_NODES);
    let shown: Vec<usize> = order.iter().copied().filter(|state| chosen.contains(state)).collect();
    let count = shown.len() as f64;
    let ring = 0.37 * SIZE;
    let room = (0.36 * TAU * ring / count).clamp(14.0, 62.0);
    let heaviest = shown.iter().map(|&state| graph.weights[state]).fold(0.0, f64::max);
    let place = |(place, state): (usize, usize)| {
        let angle = TAU * place as f64 / count - TAU / 4.0;
        // One state stands in the middle.
        let ring = if count > 1.0 { ring } else { 0.0 };
        Node {
            state,
            x: SIZE / 2.0 + ring * angle.cos(),
            y: SIZE / 2.0 + ring * angle.sin(),
            radius: room * (0.35 + 0.65 * (graph.weights[state] / heaviest).sqrt()),
        }
    };
    shown.into_iter().enumerate().map(place).collect()
}

/// A bent arrow from rim to rim.
fn arrow(svg: &mut String, names: &[String], from: &Node, to: &Node, current: f64, strength: f64) {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy).max(1e-9);
    let width = 0.8 + 9.0 * strength;
    // Between neighbours there is little room.
    let head = (5.0 + 1.5 * width).min(0.6 * (length - from.radius - to.radius)).max(3.0);
    // Bent to the left of its way, so that arrows cross less and none runs through the middle of all.
    let bend = 0.16 * length;
    let (cx, cy) = (
        (from.x + to.x) / 2.0 + bend * dy / length,
        (from.y + to.y) / 2.0 - bend * dx / length,
    );
    let toward = |x: f64, y: f64, distance: f64| {
        let (dx, dy) = (cx - x, cy - y);
        let length = dx.hypot(dy).max(1e-9);
        (x + dx / length * distance, y + dy / length * distance)
    };
    let (sx, sy) = toward(from.x, from.y, from.radius + 2.0);
    let (tx, ty) = toward(to.x, to.y, to.radius + 3.0);
    let (bx, by) = toward(to.x, to.y, to.radius + 3.0 + head);
    let (nx, ny) = (0.5 * (by - ty), 0.5 * (tx - bx));
    let opacity = 0.35 + 0.65 * strength;
    let _ = write!(
        svg,
        r#"<g opacity="{opacity:.2}"><title>{} to {}: {current:.3e} per step</title><path d="M{sx:.1} {sy:.1}Q{cx:.1} {cy:.1} {bx:.1} {by:.1}" stroke-width="{width:.1}"/><polygon points="{tx:.1},{ty:.1} {:.1},{:.1} {:.1},{:.1}"/></g>"#,
        names[from.state],
        names[to.state],
        bx + nx,
        by + ny,
        bx - nx,
        by - ny
    );
}
