//! T and J as maps of colour, their states in the order of the cycles.

use std::fmt::Write;

use ndarray::Array2;

use super::graph::short;
use super::names::letters;
use super::png;
use crate::analysis::CycleFigures;

/// All states: those of the strongest cycle as it visits them, then those that the next one adds, and so on; the rest by weight.
pub fn order_by_cycles(cycles: &[&CycleFigures], stationary: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(stationary.len());
    let mut placed = vec![false; stationary.len()];
    let mut rest: Vec<usize> = (0..stationary.len()).collect();
    rest.sort_by(|&a, &b| stationary[b].total_cmp(&stationary[a]));
    for &state in cycles.iter().flat_map(|cycle| &cycle.states).chain(&rest) {
        if !placed[state] {
            placed[state] = true;
            order.push(state);
        }
    }
    order
}

/// T on a logarithmic scale of colour, from 10^-6 (dark) to 1 (bright).
pub fn transitions(transition: &Array2<f64>, order: &[usize]) -> String {
    let colour = |value: f64| sequential(1.0 + value.max(1e-6).log10() / 6.0);
    map(
        order,
        "T",
        &[(0.0, "10⁻⁶"), (1.0 / 3.0, "10⁻⁴"), (2.0 / 3.0, "10⁻²"), (1.0, "1")],
        &sequential,
        |j, k| colour(transition[[j, k]]),
    )
}

/// J, red from the row's state to the column's and blue against it, the colour as the square root of the current.
pub fn currents(currents: &Array2<f64>, order: &[usize]) -> String {
    let largest = currents.iter().copied().fold(0.0, f64::max);
    let scaled = |value: f64| {
        if largest > 0.0 {
            (value.abs() / largest).sqrt().copysign(value)
        } else {
            0.0
        }
    };
    let [low, high] = [-largest, largest].map(short);
    let labels = match largest > 0.0 {
        true => vec![(0.0, low.as_str()), (0.5, "0"), (1.0, high.as_str())],
        false => vec![(0.5, "0")],
    };
    map(order, "J", &labels, &|t| diverging(2.0 * t - 1.0), |j, k| {
        diverging(scaled(currents[[j, k]]))
    })
}

/// A square map with its scale beneath; states are named where there is room.
fn map(
    order: &[usize],
    name: &str,
    labels: &[(f64, &str)],
    scale: &dyn Fn(f64) -> [u8; 3],
    colour: impl Fn(usize, usize) -> [u8; 3],
) -> String {
    /// Most states that are named.
    const NAMED: usize = 24;
    let side = order.len();
    let picture = png::data_uri(png::cells(side, |row, column| colour(order[row], order[column])));
    let (left, top, size) = (44.0, 42.0, 300.0);
    // The page turns white into black for readers in the dark.
    let class = if name == "J" { "pixels signed" } else { "pixels" };
    let mut svg = format!(
        r#"<svg viewBox="0 0 352 392" role="img" aria-label="map of {name}"><image x="{left}" y="{top}" width="{size}" height="{size}" preserveAspectRatio="none" class="{class}" href="{picture}"/>"#
    );
    if side <= NAMED {
        let cell = size / side as f64;
        for (place, state) in order.iter().enumerate() {
            let (middle, name) = ((place as f64 + 0.5) * cell, letters(*state));
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" class="small end">{name}</text><text x="{:.1}" y="{:.1}" class="small mid">{name}</text>"#,
                left - 5.0,
                top + middle + 4.0,
                left + middle,
                top - 6.0
            );
        }
    }
    let _ = write!(
        svg,
        r#"<text x="{:.1}" y="14" class="small axis-title mid">to</text><text transform="translate(12 {:.1}) rotate(-90)" class="small axis-title mid">from</text>"#,
        left + 0.5 * size,
        top + 0.5 * size
    );
    let bar = (0..size as usize).map(|x| scale(x as f64 / (size - 1.0)));
    let strip = image::RgbImage::from_vec(size as u32, 1, bar.flatten().collect()).unwrap_or_default();
    let _ = write!(
        svg,
        r#"<image x="{left}" y="356" width="{size}" height="10" preserveAspectRatio="none" class="{class}" href="{}"/>"#,
        png::data_uri(strip)
    );
    for (at, label) in labels {
        let anchor = ["start", "mid", "end"][usize::from(*at > 0.0) + usize::from(*at >= 1.0)];
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="382" class="small {anchor}">{label}</text>"#,
            left + at * size
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Between anchors of a scale of colour, evenly spaced from 0 to 1.
pub(super) fn between(anchors: &[[u8; 3]], t: f64) -> [u8; 3] {
    let place = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let first = (place as usize).min(anchors.len() - 2);
    let share = place - first as f64;
    std::array::from_fn(|part| {
        let [a, b] = [anchors[first][part], anchors[first + 1][part]].map(f64::from);
        (a + share * (b - a)).round() as u8
    })
}

/// Dark violet to yellow, even to the eye (anchors of viridis, by N. Smith and S. van der Walt, CC0).
fn sequential(t: f64) -> [u8; 3] {
    between(&[[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], t)
}

/// Blue at -1, pale at 0, red at 1.
pub(super) fn diverging(t: f64) -> [u8; 3] {
    between(
        &[[5, 48, 97], [67, 147, 195], [240, 240, 238], [214, 96, 77], [103, 0, 31]],
        0.5 + 0.5 * t,
    )
}
