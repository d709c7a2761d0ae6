//! A chain on points of a line or a plane: drift, diffusion, the probability current, its stream function, its vortices.
//!
//! The states are the points of a grid, state `i n_2 + j` at the code `(x_i, y_j)`. Of a step from c to c', in the steady state:
//!
//! ```text
//! drift       b(z)   = E[ c' - c | z ]                              [L, H]
//! diffusion   D(z)   = Cov[ c' - c | z ] / 2                        [L, H, H]
//! current     each net current J(z, z') runs from point to point along the edges of the grid, as near to the straight line as it can;
//!             where two ways are equally near, half of it takes each
//! ```
//!
//! What enters a point leaves it, on its way or because `sum_z' J(z, z') = 0`: the current on the edges is free of divergence at every point. On a
//! line it vanishes. In the plane it is the curl of a stream function psi, one number for every cell between four points and zero outside:
//!
//! ```text
//! current from (i, j) to (i+1, j)  =  psi above the edge - psi below it,      to (i, j+1)  =  psi on the left - psi on the right
//! ```
//!
//! so that level lines of psi are streamlines, with higher values to their left, and as much current flows between two of them as their values
//! differ by. A maximum is a vortex that turns counterclockwise, a minimum one that turns clockwise.

use ndarray::{Array1, Array2, ArrayView1, s};

use super::SteadyState;

/// What a step does at each point, and the current through the grid.
#[derive(Clone, Debug)]
pub struct Field {
    /// b, `[L, H]`.
    pub drift: Array2<f64>,
    /// D, `[L, H^2]`, each matrix row by row.
    pub diffusion: Array2<f64>,
    /// The current through the plane, where there is one.
    pub flow: Option<Flow>,
}

/// A current on the edges of a grid of `n_1 x n_2` points, per step.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Toward the next point of the first coordinate, `[n_1 - 1, n_2]`.
    pub first: Array2<f64>,
    /// Toward the next point of the second coordinate, `[n_1, n_2 - 1]`.
    pub second: Array2<f64>,
}

/// A maximum or minimum of the stream function that stands out from what is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extremum {
    /// Its cell, as counted in [`Flow::stream`].
    pub cell: (usize, usize),
    /// Where the closed level lines around it end: the cell at which they would meet those around a higher one, or the outside.
    pub saddle: (usize, usize),
    /// Is it a maximum?
    pub is_maximum: bool,
}

impl Field {
    /// Of a chain on the points with these coordinates along one axis or two.
    pub fn of(steady: &SteadyState, axes: &[Vec<f64>]) -> Self {
        let codes = points(axes);
        let (states, width) = codes.dim();
        let square = |state: usize, pair: usize| codes[[state, pair / width]] * codes[[state, pair % width]];
        let squares = Array2::from_shape_fn((states, width * width), |(state, pair)| square(state, pair));
        let transition = steady.transition();
        let means = transition.dot(&codes);
        let second = transition.dot(&squares);
        let of_means = |state: usize, pair: usize| means[[state, pair / width]] * means[[state, pair % width]];
        Self {
            diffusion: Array2::from_shape_fn(second.dim(), |(state, pair)| 0.5 * (second[[state, pair]] - of_means(state, pair))),
            drift: means - &codes,
            flow: match axes {
                [first, second] => Some(Flow::of(&steady.currents(), (first.len(), second.len()))),
                _ => None,
            },
        }
    }

    /// `tr D(z)`, `[L]`.
    pub fn total_diffusion(&self) -> Array1<f64> {
        let width = self.drift.ncols();
        let trace = |row: ArrayView1<f64>| (0..width).map(|h| row[h * (width + 1)]).sum();
        self.diffusion.rows().into_iter().map(trace).collect()
    }

    /// psi; empty where there is no plane.
    pub fn stream(&self) -> Array2<f64> {
        self.flow.as_ref().map_or_else(|| Array2::zeros((0, 0)), Flow::stream)
    }
}

/// The codes of all points, `[L, H]`, the last coordinate running fastest.
pub fn points(axes: &[Vec<f64>]) -> Array2<f64> {
    let states: usize = axes.iter().map(Vec::len).product();
    let mut codes = Array2::zeros((states, axes.len()));
    let mut period = states;
    for (axis, mut column) in axes.iter().zip(codes.columns_mut()) {
        period /= axis.len();
        for (state, code) in column.iter_mut().enumerate() {
            *code = axis[state / period % axis.len()];
        }
    }
    codes
}

impl Flow {
    /// Of net currents J `[L, L]` among the points of a grid.
    pub fn of(currents: &Array2<f64>, (rows, columns): (usize, usize)) -> Self {
        let mut flow = Self {
            first: Array2::zeros((rows - 1, columns)),
            second: Array2::zeros((rows, columns - 1)),
        };
        // Of each pair of points once: J is antisymmetric, and the way back is the way.
        for down in 0..rows {
            for across in -(columns as isize - 1)..columns as isize {
                if down > 0 || across > 0 {
                    flow.carry(currents, down, across, columns);
                }
            }
        }
        flow
    }

    /// Adds the currents of all pairs of points so far apart.
    fn carry(&mut self, currents: &Array2<f64>, down: usize, across: isize, columns: usize) {
        let way = way(down, across);
        let rows = self.second.nrows();
        let width = across.unsigned_abs();
        // The columns from which the other point is inside.
        let from = if across < 0 { width } else { 0 };
        for row in 0..rows - down {
            let start = |column: usize| row * columns + column;
            let end = |column: usize| (row + down) * columns + column.saturating_add_signed(across);
            let carried: Vec<f64> = (from..from + columns - width)
                .map(|column| currents[[start(column), end(column)]])
                .collect();
            for step in &way {
                let edges = match step.is_down {
                    true => self.first.row_mut(row + step.down),
                    false => self.second.row_mut(row + step.down),
                };
                let left = from.saturating_add_signed(step.across);
                let mut edges = edges.slice_move(s![left..left + carried.len()]);
                edges
                    .iter_mut()
                    .zip(&carried)
                    .for_each(|(edge, current)| *edge += step.share * current);
            }
        }
    }

    /// psi, `[n_1 + 1, n_2 + 1]`, per step: entry (i, j) is that of the cell below and left of point (i, j), and the rim lies outside.
    pub fn stream(&self) -> Array2<f64> {
        let (rows, columns) = (self.second.nrows(), self.first.ncols());
        let mut stream = Array2::zeros((rows + 1, columns + 1));
        for i in 1..rows {
            for j in 1..columns {
                stream[[i, j]] = stream[[i, j - 1]] + self.first[[i - 1, j - 1]];
            }
        }
        stream
    }

    /// What flows out of each point but not in, `[n_1, n_2]`, per step: zero but for rounding in a steady state.
    pub fn divergence(&self) -> Array2<f64> {
        let mut divergence = Array2::zeros((self.second.nrows(), self.first.ncols()));
        for ((i, j), current) in self.first.indexed_iter() {
            divergence[[i, j]] += current;
            divergence[[i + 1, j]] -= current;
        }
        for ((i, j), current) in self.second.indexed_iter() {
            divergence[[i, j]] += current;
            divergence[[i, j + 1]] -= current;
        }
        divergence
    }

    /// The current around each cell, counterclockwise, `[n_1 - 1, n_2 - 1]`, per step.
    pub fn curl(&self) -> Array2<f64> {
        let (first, second) = (&self.first, &self.second);
        Array2::from_shape_fn((first.nrows(), second.ncols()), |(i, j)| {
            first[[i, j]] + second[[i + 1, j]] - first[[i, j + 1]] - second[[i, j]]
        })
    }
}

/// An edge of a way between two points, as seen from the first.
struct Step {
    is_down: bool,
    down: usize,
    across: isize,
    /// The signed part of the current that takes it, positive toward higher coordinates.
    share: f64,
}

/// The edges from a point to the one so many rows and columns away, next to the straight line: the k-th step down is made at the time
/// `(k + 1/2) / rows`, the k-th across at `(k + 1/2) / columns`. Steps at one time are made in both orders, by one half each.
fn way(rows: usize, across: isize) -> Vec<Step> {
    let (columns, sign) = (across.unsigned_abs(), across.signum());
    let step_down = |down: usize, aside: usize, share: f64| Step {
        is_down: true,
        down,
        across: sign * aside as isize,
        share,
    };
    let step_aside = |down: usize, aside: usize, share: f64| Step {
        is_down: false,
        down,
        // An edge is named by its lower end.
        across: (sign * aside as isize).min(sign * (aside as isize + 1)),
        share: share * sign as f64,
    };
    let (mut down, mut aside) = (0, 0);
    let mut way = Vec::with_capacity(rows + columns);
    while down < rows || aside < columns {
        // (down + 1/2) / rows beside (aside + 1/2) / columns, without fractions.
        let times = ((2 * down + 1) * columns).cmp(&((2 * aside + 1) * rows));
        if aside == columns || (down < rows && times.is_lt()) {
            way.push(step_down(down, aside, 1.0));
            down += 1;
        } else if down == rows || times.is_gt() {
            way.push(step_aside(down, aside, 1.0));
            aside += 1;
        } else {
            way.extend([step_down(down, aside, 0.5), step_aside(down + 1, aside, 0.5)]);
            way.extend([step_aside(down, aside, 0.5), step_down(down, aside + 1, 0.5)]);
            (down, aside) = (down + 1, aside + 1);
        }
    }
    way
}

/// The maxima and minima of a stream function, those that stand out most first.
pub fn extrema(stream: &Array2<f64>) -> Vec<Extremum> {
    let mut found = hills(stream, true);
    found.extend(hills(&-stream, false));
    found.sort_by(|a, b| b.current(stream).total_cmp(&a.current(stream)));
    found
}

/// The maxima. Cells are added from the highest down: one without a neighbour among those before it is a maximum; where one joins two hills, the closed
/// lines around the lower end. The outside is a cell at level 0 that no hill is higher than.
fn hills(heights: &Array2<f64>, is_maximum: bool) -> Vec<Extremum> {
    const OUTSIDE: usize = 0;
    let (rows, columns) = heights.dim();
    let cell = |node: usize| (node / columns, node % columns);
    let is_rim = |(i, j): (usize, usize)| i == 0 || j == 0 || i + 1 == rows || j + 1 == columns;
    let around = |node: usize| {
        let (i, j) = cell(node);
        let near = move |at: usize| at.saturating_sub(1)..=at + 1;
        let cells = near(i).flat_map(move |i| near(j).map(move |j| (i, j)));
        cells.map(move |at| if is_rim(at) { OUTSIDE } else { at.0 * columns + at.1 })
    };
    let height = |node: usize| if node == OUTSIDE { f64::INFINITY } else { heights[cell(node)] };
    let mut nodes: Vec<usize> = (0..rows * columns).filter(|&node| node == OUTSIDE || !is_rim(cell(node))).collect();
    nodes.sort_by(|&a, &b| heights[cell(b)].total_cmp(&heights[cell(a)]));
    let beside_outside: Vec<usize> = nodes
        .iter()
        .copied()
        .filter(|&node| around(node).any(|other| other == OUTSIDE))
        .collect();

    // Of each cell that was added, one of the same hill that is higher, up to the maximum itself.
    let mut above: Vec<Option<usize>> = vec![None; rows * columns];
    let mut found = Vec::new();
    for node in nodes {
        above[node] = Some(node);
        let neighbours = if node == OUTSIDE {
            beside_outside.clone()
        } else {
            around(node).collect()
        };
        for neighbour in neighbours {
            let (Some(here), Some(there)) = (top(&above, node), top(&above, neighbour)) else {
                continue;
            };
            if here == there {
                continue;
            }
            let (lower, higher) = if height(here) < height(there) {
                (here, there)
            } else {
                (there, here)
            };
            above[lower] = Some(higher);
            // A cell that joins the hill beside it is no maximum.
            if lower != node {
                found.push(Extremum {
                    cell: cell(lower),
                    saddle: cell(node),
                    is_maximum,
                });
            }
        }
    }
    found
}

/// The maximum of the hill that a cell is part of, once it was added.
fn top(above: &[Option<usize>], mut node: usize) -> Option<usize> {
    while above[node]? != node {
        node = above[node]?;
    }
    Some(node)
}

impl Extremum {
    /// The current that flows round it along closed lines, per step.
    pub fn current(&self, stream: &Array2<f64>) -> f64 {
        (stream[self.cell] - stream[self.saddle]).abs()
    }

    /// Its centre, in cells, by the parabolas through it and its neighbours.
    pub fn centre(&self, stream: &Array2<f64>) -> [f64; 2] {
        let (i, j) = self.cell;
        let shift = |before: f64, here: f64, after: f64| {
            let bend = before - 2.0 * here + after;
            let shift = 0.5 * (before - after) / bend;
            if shift.is_finite() { shift.clamp(-1.0, 1.0) } else { 0.0 }
        };
        [
            i as f64 + shift(stream[[i - 1, j]], stream[self.cell], stream[[i + 1, j]]),
            j as f64 + shift(stream[[i, j - 1]], stream[self.cell], stream[[i, j + 1]]),
        ]
    }
}
