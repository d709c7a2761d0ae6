//! The currents among the states as a graph: mean images as nodes, arrows as wide as the currents.

use std::f64::consts::{PI, TAU};
use std::fmt::Write;

use ndarray::{Array1, Array2};

use super::png;

/// Most states drawn.
pub const MOST_NODES: usize = 20;
/// The smallest current drawn, as a part of the largest.
pub const FAINTEST: f64 = 0.02;
/// More nodes than these stand closely.
const CROWDED: usize = 12;
/// Width and height of the field of nodes.
const SIZE: f64 = 640.0;
/// Height of the scale of widths beneath it.
const SCALE: f64 = 44.0;

/// What is drawn: the chain of the states, or that among macrostates.
pub struct Graph<'a> {
    /// `[L]`.
    pub weights: &'a Array1<f64>,
    /// Probabilities to stay, `[L]`.
    pub stay: Vec<f64>,
    /// J, `[L, L]`, zero where it does not differ from zero.
    pub currents: &'a Array2<f64>,
    /// `[L, D]`.
    pub mean_images: &'a Array2<f64>,
    /// As HTML.
    pub names: Vec<String>,
    /// What a node is, in words.
    pub noun: &'a str,
    /// Sets the ids of its nodes apart from those of other graphs on the page.
    pub id: &'a str,
}

struct Node {
    state: usize,
    x: f64,
    y: f64,
    radius: f64,
}

/// Draws the states that carry most current around a circle, so that arrows are short and run clockwise.
pub fn svg(graph: &Graph, order: &[usize], size: (usize, usize)) -> String {
    drawn(graph, &arranged(graph, order), size)
}

/// Draws the states of an arrangement, clockwise from the top.
pub fn drawn(graph: &Graph, arrangement: &[usize], size: (usize, usize)) -> String {
    let nodes = nodes(graph, arrangement);
    let largest = graph.currents.iter().copied().fold(0.0, f64::max);
    let mut svg = format!(
        r#"<svg viewBox="0 0 {SIZE} {}" role="img" aria-label="graph of the currents"><g class="arrows">"#,
        SIZE + SCALE
    );
    let mut arrows: Vec<(f64, &Node, &Node)> = nodes
        .iter()
        .flat_map(|from| nodes.iter().map(move |to| (graph.currents[[from.state, to.state]], from, to)))
        .filter(|(current, ..)| *current > FAINTEST * largest)
        .collect();
    // The widest on top.
    arrows.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (current, from, to) in arrows {
        arrow(&mut svg, graph, &nodes, [from, to], current, current / largest);
    }
    svg.push_str("</g>");
    for node in &nodes {
        let Node { state, x, y, radius } = node;
        let (mean, name, noun, id) = (graph.mean_images.row(*state), &graph.names[*state], graph.noun, graph.id);
        let picture = png::data_uri(png::gray(mean.iter().copied(), size));
        let inner = radius * 0.94;
        // The name stands outside of the ring.
        let (dx, dy) = (x - SIZE / 2.0, y - SIZE / 2.0);
        let out = 1.0 + (radius + 8.0 + 6.0 * name.len() as f64) / dx.hypot(dy).max(1.0);
        let _ = write!(
            svg,
            r#"<g data-node="{state}"><title>{noun} {name}: weight {:.3e}, self-transition {:.3e}</title><circle class="node" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/><clipPath id="{id}-{state}"><circle cx="{x:.1}" cy="{y:.1}" r="{inner:.1}"/></clipPath><image x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" clip-path="url(#{id}-{state})" class="pixels" href="{picture}"/><text x="{:.1}" y="{:.1}" class="label mid">{name}</text></g>"#,
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
    scale(&mut svg, largest, nodes.len());
    svg.push_str("</svg>");
    svg
}

/// The states with the largest currents through them, as many as there is room for, arranged for a circle: neighbours where currents are large.
pub fn arranged(graph: &Graph, order: &[usize]) -> Vec<usize> {
    let through = |state: usize| graph.currents.row(state).iter().map(|current| current.abs()).sum::<f64>();
    let mut chosen: Vec<usize> = order.to_vec();
    chosen.sort_by(|&a, &b| through(b).total_cmp(&through(a)));
    chosen.truncate(MOST_NODES);
    let mut shown: Vec<usize> = order.iter().copied().filter(|state| chosen.contains(state)).collect();
    let count = shown.len();
    let currents = graph.currents;
    // The sum of all arrows' lengths, each times its current; and of the currents clockwise less those counterclockwise.
    let lengths = |shown: &[usize], of_distance: &dyn Fn(f64) -> f64| {
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        let current = |(a, b): (usize, usize)| currents[[shown[a], shown[b]]].max(0.0) * of_distance(((b + count - a) % count) as f64);
        pairs.map(current).sum::<f64>()
    };
    let chord = |distance: f64| (PI * distance / count as f64).sin();
    let mut length = lengths(&shown, &chord);
    loop {
        let before = length;
        for a in 1..count {
            for b in a + 1..count {
                shown.swap(a, b);
                let swapped = lengths(&shown, &chord);
                if swapped < length * (1.0 - 1e-9) {
                    length = swapped;
                } else {
                    shown.swap(a, b);
                }
            }
        }
        if length >= before {
            break;
        }
    }
    if lengths(&shown, &|distance| (TAU * distance / count as f64).sin()) < 0.0 {
        shown[1..].reverse();
    }
    shown
}

fn nodes(graph: &Graph, arrangement: &[usize]) -> Vec<Node> {
    let count = arrangement.len() as f64;
    let ring = 0.37 * SIZE;
    let share = if arrangement.len() > CROWDED { 0.29 } else { 0.36 };
    let room = (share * TAU * ring / count).clamp(14.0, 62.0);
    let heaviest = arrangement.iter().map(|&state| graph.weights[state]).fold(0.0, f64::max);
    let place = |(place, &state): (usize, &usize)| {
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
    arrangement.iter().enumerate().map(place).collect()
}

/// The width of an arrow whose current is this part of the largest; of many nodes, which leave less room, narrower.
fn width(strength: f64, nodes: usize) -> f64 {
    let widest = if nodes > CROWDED { 5.0 } else { 9.0 };
    0.8 + widest * strength
}

/// The control point of an arrow's curve: as little bent toward the middle as keeps the arrow away from all other nodes.
fn control(nodes: &[Node], [from, to]: [&Node; 2], width: f64) -> (f64, f64) {
    let middle = SIZE / 2.0;
    let (mx, my) = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
    let bent = |pull: f64| (mx + pull * (middle - mx), my + pull * (middle - my));
    let is_free = |(cx, cy): (f64, f64)| {
        (1..40).all(|step| {
            let t = f64::from(step) / 40.0;
            let at = |a: f64, c: f64, b: f64| (1.0 - t).powi(2) * a + 2.0 * t * (1.0 - t) * c + t * t * b;
            let (x, y) = (at(from.x, cx, to.x), at(from.y, cy, to.y));
            let others = nodes.iter().filter(|node| node.state != from.state && node.state != to.state);
            others
                .into_iter()
                .all(|node| (node.x - x).hypot(node.y - y) > node.radius + 0.5 * width + 4.0)
        })
    };
    let pulls = (0..20).map(|part| 0.05 * f64::from(part));
    pulls.map(bent).find(|control| is_free(*control)).unwrap_or_else(|| bent(1.0))
}

/// A bent arrow from rim to rim.
fn arrow(svg: &mut String, graph: &Graph, nodes: &[Node], [from, to]: [&Node; 2], current: f64, strength: f64) {
    let length = (to.x - from.x).hypot(to.y - from.y).max(1e-9);
    let width = width(strength, nodes.len());
    // Between neighbours there is little room.
    let head = (5.0 + 1.5 * width).min(0.6 * (length - from.radius - to.radius)).max(3.0);
    let (cx, cy) = control(nodes, [from, to], width);
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
        r#"<g opacity="{opacity:.2}" data-edge="{}-{}"><title>{} to {}: {current:.3e} per step</title><path d="M{sx:.1} {sy:.1}Q{cx:.1} {cy:.1} {bx:.1} {by:.1}" stroke-width="{width:.1}"/><polygon points="{tx:.1},{ty:.1} {:.1},{:.1} {:.1},{:.1}"/></g>"#,
        from.state,
        to.state,
        graph.names[from.state],
        graph.names[to.state],
        bx + nx,
        by + ny,
        bx - nx,
        by - ny
    );
}

/// Lines of some widths with the currents that they stand for, down to the faintest that is drawn.
fn scale(svg: &mut String, largest: f64, nodes: usize) {
    let y = SIZE + 0.5 * SCALE;
    if largest <= 0.0 {
        let _ = write!(
            svg,
            r#"<text x="{}" y="{y}" class="small mid">no current differs from zero</text>"#,
            SIZE / 2.0
        );
        return;
    }
    let faintest = FAINTEST * largest;
    let shown = [round_below(largest), round_below(0.35 * largest), faintest];
    svg.push_str(r#"<g class="scale">"#);
    for (place, current) in shown.into_iter().enumerate() {
        let x = 20.0 + 190.0 * place as f64;
        let text = match place {
            2 => format!("at least {} per step", short(current)),
            _ => short(current),
        };
        let _ = write!(
            svg,
            r#"<path d="M{x} {y}h40" stroke-width="{:.1}" opacity="{:.2}"/><text x="{}" y="{}" class="small start">{text}</text>"#,
            width(current / largest, nodes),
            0.35 + 0.65 * current / largest,
            x + 50.0,
            y + 4.0,
        );
    }
    svg.push_str("</g>");
}

/// The largest of 1, 2 and 5 times a power of ten up to a number.
fn round_below(number: f64) -> f64 {
    let power = 10.0_f64.powf(number.log10().floor());
    let times = [5.0, 2.0].into_iter().find(|times| times * power <= number);
    times.unwrap_or(1.0) * power
}

/// A current to two digits.
pub fn short(current: f64) -> String {
    match -current.abs().log10().floor() as i32 {
        _ if current == 0.0 => "0".to_owned(),
        power @ ..=3 => format!("{current:.*}", (power + 1).max(0) as usize).replace('-', "−"),
        _ => format!("{current:.1e}").replace('-', "−"),
    }
}
