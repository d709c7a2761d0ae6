//! Level lines of a table of heights, each with the higher side on its left.

use std::collections::HashMap;

use ndarray::Array2;

/// A line through points, at places counted in entries of the table.
pub struct Line {
    pub points: Vec<[f64; 2]>,
    pub is_closed: bool,
}

/// The lines at one level, by marching squares: in each square of four entries, straight pieces between the edges that the level crosses.
///
/// The first index runs to the right and the second upward.
pub fn at_level(heights: &Array2<f64>, level: f64) -> Vec<Line> {
    let mut next: HashMap<Edge, Edge> = HashMap::new();
    for i in 0..heights.nrows().saturating_sub(1) {
        for j in 0..heights.ncols().saturating_sub(1) {
            for [from, to] in pieces(heights, (i, j), level) {
                next.insert(from, to);
            }
        }
    }
    // Open lines from where nothing leads to, then what is closed, in the order of the table.
    let ends: std::collections::HashSet<Edge> = next.values().copied().collect();
    let mut starts: Vec<Edge> = next.keys().copied().collect();
    starts.sort_unstable_by_key(|edge| (ends.contains(edge), *edge));
    let mut lines = Vec::new();
    for start in starts {
        let mut points = Vec::new();
        let mut here = start;
        while let Some(there) = next.remove(&here) {
            points.push(crossing(heights, here, level));
            here = there;
        }
        if !points.is_empty() {
            let is_closed = here == start;
            if !is_closed {
                points.push(crossing(heights, here, level));
            }
            lines.push(Line { points, is_closed });
        }
    }
    lines
}

/// Between two entries: the lower one, and whether the other one is to its right or above it.
type Edge = (usize, usize, bool);

/// The pieces in a square, given its lower left entry.
fn pieces(heights: &Array2<f64>, (i, j): (usize, usize), level: f64) -> Vec<[Edge; 2]> {
    let is_high = |(i, j): (usize, usize)| heights[[i, j]] > level;
    // Counterclockwise: corners, and the edge from each to the next.
    let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
    let edges = [(i, j, true), (i + 1, j, false), (i, j + 1, true), (i, j, false)];
    // Going round, a piece leaves the square where it becomes high and enters where it becomes low, with the high side on its left.
    let high = corners.map(is_high);
    let rises: Vec<usize> = (0..4).filter(|&k| !high[k] && high[(k + 1) % 4]).collect();
    let falls: Vec<usize> = (0..4).filter(|&k| high[k] && !high[(k + 1) % 4]).collect();
    let middle = corners.iter().map(|&corner| heights[corner]).sum::<f64>() / 4.0 > level;
    let partner = |fall: usize| {
        // Of two, the one behind a low corner if the middle is high, else the one before the high corner.
        let order: Vec<usize> = (1..4)
            .map(|step| if middle { (fall + step) % 4 } else { (fall + 4 - step) % 4 })
            .collect();
        order.into_iter().find(|k| rises.contains(k))
    };
    falls
        .iter()
        .filter_map(|&fall| Some([edges[fall], edges[partner(fall)?]]))
        .collect()
}

/// Where the level crosses an edge.
fn crossing(heights: &Array2<f64>, (i, j, is_right): Edge, level: f64) -> [f64; 2] {
    let there = if is_right { (i + 1, j) } else { (i, j + 1) };
    let (a, b) = (heights[[i, j]], heights[there]);
    let share = ((level - a) / (b - a)).clamp(0.0, 1.0);
    let share = if share.is_finite() { share } else { 0.5 };
    let (x, y) = (i as f64, j as f64);
    if is_right { [x + share, y] } else { [x, y + share] }
}
