//! The files of an analysis but for the page: analysis.json, latent.npz, currents.dot.

use std::fmt::Write as _;
use std::io::{Cursor, Seek, Write};

use ndarray::{Array1, Array2, ArrayView1};
use ndarray_npy::{NpzWriter, WriteNpzError};
use num_complex::Complex64;
use serde::{Serialize, Serializer};

use super::plane::{Placed, Plane};
use super::{Analysis, MOST_TABLED};
use crate::latent::plane::points;

/// analysis.json.
///
/// # Errors
/// When serialization fails, which it cannot for these types.
pub fn json(analysis: &Analysis) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(analysis)?;
    text.push(b'\n');
    Ok(text)
}

/// latent.npz, for numpy: the tables of an analysis in f64.
///
/// | array | shape | |
/// |---|---|---|
/// | `transition`, `log_transition` | L, L | T and ln T |
/// | `transition_error` | L, L | its relative standard error |
/// | `stationary`, `log_stationary` | L | pi and ln pi |
/// | `stationary_error` | L | its relative standard error |
/// | `flux`, `currents`, `currents_error` | L, L | F, J and the standard error of J, per step |
/// | `pair_entropy_production` | L, L | of each pair of states, nats per step; half its sum is sigma_z |
/// | `path_by_state` | L | what steps from each state add to the path's entropy production, given the state |
/// | `eigenvalues` | L | complex; of many states, the largest |
/// | `cycles` | C, longest | states in the order in which they are visited, then -1; those that carry most of the entropy production first |
/// | `cycle_weights`, `cycle_affinities` | C | net turns per step; nats per turn, infinite where a step has no way back |
/// | `mean_images` | L, rows, columns | s(A) |
/// | `generated` | N, rows, columns | images of chains in the steady state, 0 and 1, u8; left out of the folders of checkpoints, where they would be 99% of all bytes |
/// | `state_classes` | L, C | shares of classes among each state's images, where there are labels |
///
/// Where the states are points of a line (H = 1) or a plane (H = 2), see [`crate::latent::plane`]:
///
/// | array | shape | |
/// |---|---|---|
/// | `plane_points` | L, H | z |
/// | `plane_drift`, `plane_drift_error` | L, H | b and its standard error, z per step |
/// | `plane_diffusion`, `plane_diffusion_error` | L, H, H | D and its standard error, z^2 per step |
/// | `plane_stream`, `plane_stream_error` | n + 1, n + 1 | psi of the cells between points, from half a spacing before the first point on; per step |
/// | `plane_current_first`, `plane_current_second` | n - 1, n; n, n - 1 | the current from each point to the next along either axis, per step |
/// | `plane_curl` | n - 1, n - 1 | the current around each cell, counterclockwise, per step |
/// | `plane_data`, `plane_data_class` | N, H; N | images of the data at their posterior means; indices of classes, -1 without labels |
///
/// Of more than [`MOST_TABLED`] states, what follows from ln T and ln pi is left out: `transition`, `flux`, `currents`, `currents_error`,
/// `pair_entropy_production`.
///
/// # Errors
/// When the archive cannot be made in memory.
pub fn npz(analysis: &Analysis, (rows, columns): (usize, usize), with_generated: bool) -> Result<Vec<u8>, WriteNpzError> {
    let kernel = &analysis.estimate.kernel;
    let steady = &kernel.steady;
    let mut bytes = Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut bytes);
    let tabled = !is_large(&analysis.transition);
    if tabled {
        archive.add_array("transition", &analysis.transition)?;
    }
    archive.add_array("log_transition", steady.log_transition())?;
    archive.add_array("transition_error", &analysis.transition_error)?;
    archive.add_array("stationary", &analysis.stationary)?;
    archive.add_array("log_stationary", steady.log_pi())?;
    archive.add_array("stationary_error", &analysis.stationary_error)?;
    if tabled {
        archive.add_array("flux", &steady.flux())?;
        archive.add_array("currents", &analysis.currents)?;
        archive.add_array("currents_error", &analysis.current_error)?;
        archive.add_array("pair_entropy_production", &steady.pair_entropy_production())?;
    }
    archive.add_array("path_by_state", &kernel.path)?;
    let eigenvalues = analysis.eigenvalues.iter().map(|&(re, im)| Complex64::new(re, im));
    archive.add_array("eigenvalues", &eigenvalues.collect::<Array1<Complex64>>())?;
    add_cycles(&mut archive, analysis)?;
    let size = |count: usize| (count, rows, columns);
    let means = analysis.mean_images.to_shape(size(analysis.latent));
    let generated = analysis.generated.to_shape(size(analysis.generated.nrows()));
    if let (Ok(means), Ok(generated)) = (means, generated) {
        archive.add_array("mean_images", &means)?;
        if with_generated {
            archive.add_array("generated", &generated)?;
        }
    }
    if let Some(classes) = &analysis.classes {
        archive.add_array("state_classes", &classes.states)?;
    }
    if let Some(plane) = &analysis.plane {
        add_plane(&mut archive, plane)?;
    }
    archive.finish()?;
    Ok(bytes.into_inner())
}

fn add_cycles(archive: &mut NpzWriter<impl Write + Seek>, analysis: &Analysis) -> Result<(), WriteNpzError> {
    let cycles = &analysis.cycles;
    let longest = cycles.iter().map(|cycle| cycle.states.len()).max().unwrap_or(0);
    let state = |(cycle, place): (usize, usize)| cycles[cycle].states.get(place).map_or(-1, |&state| state as i64);
    archive.add_array("cycles", &Array2::from_shape_fn((cycles.len(), longest), state))?;
    let weights: Array1<f64> = cycles.iter().map(|cycle| cycle.weight).collect();
    archive.add_array("cycle_weights", &weights)?;
    let affinities = cycles.iter().map(|cycle| cycle.affinity.unwrap_or(f64::INFINITY));
    archive.add_array("cycle_affinities", &affinities.collect::<Array1<f64>>())
}

fn add_plane(archive: &mut NpzWriter<impl Write + Seek>, plane: &Plane) -> Result<(), WriteNpzError> {
    let Plane {
        field, errors, data, axes, ..
    } = plane;
    archive.add_array("plane_points", &points(axes))?;
    archive.add_array("plane_drift", &field.drift)?;
    archive.add_array("plane_drift_error", &errors.drift)?;
    let (states, width) = field.drift.dim();
    for (name, table) in [("plane_diffusion", &field.diffusion), ("plane_diffusion_error", &errors.diffusion)] {
        if let Ok(matrices) = table.to_shape((states, width, width)) {
            archive.add_array(name, &matrices)?;
        }
    }
    if let Some(flow) = &field.flow {
        archive.add_array("plane_stream", &flow.stream())?;
        archive.add_array("plane_stream_error", &errors.stream)?;
        archive.add_array("plane_current_first", &flow.first)?;
        archive.add_array("plane_current_second", &flow.second)?;
        archive.add_array("plane_curl", &flow.curl())?;
    }
    if !data.is_empty() {
        archive.add_array("plane_data", &Array2::from_shape_fn((data.len(), width), |(n, h)| data[n].at[h]))?;
        let class = |placed: &Placed| placed.class.map_or(-1, |class| class as i64);
        archive.add_array("plane_data_class", &data.iter().map(class).collect::<Array1<i64>>())?;
    }
    Ok(())
}

/// currents.dot, for Graphviz: a node for each state, as large as its weight; an edge for each net current, as wide as it is.
///
/// Currents below a thousandth of the largest and those that do not differ from zero are left out, and states without any current with them; of more than [`MOST_TABLED`] states, all but
/// the 1,000 largest currents.
pub fn dot(analysis: &Analysis) -> String {
    let currents = analysis.resolved_currents();
    let largest = currents.iter().copied().fold(0.0, f64::max);
    let mut text =
        String::from("// Net currents among the latent states, per step. Draw with: dot -Tsvg currents.dot\ndigraph currents {\n");
    text.push_str("  layout=circo; node [shape=circle, fixedsize=true, fontsize=12]; edge [fontsize=9];\n");
    let positive = currents.indexed_iter();
    let mut edges: Vec<((usize, usize), &f64)> = positive.filter(|(_, current)| **current > 1e-3 * largest).collect();
    if is_large(&currents) {
        edges.sort_by(|a, b| b.1.total_cmp(a.1));
        edges.truncate(1000);
    }
    let mut joined = vec![false; analysis.latent];
    for &((from, to), _) in &edges {
        (joined[from], joined[to]) = (true, true);
    }
    for (state, weight) in analysis.stationary.iter().enumerate() {
        if joined[state] {
            let width = 0.3 + 1.2 * weight.sqrt();
            let _ = writeln!(
                text,
                "  {state} [width={width:.3}, tooltip=\"state {state}: weight {weight:.3e}\"];"
            );
        }
    }
    for ((from, to), current) in edges {
        let width = 0.3 + 5.0 * current / largest;
        let _ = writeln!(text, "  {from} -> {to} [penwidth={width:.2}, label=\"{current:.2e}\"];");
    }
    text.push_str("}\n");
    text
}

/// Is a table too large for text?
pub(super) fn is_large(table: &Array2<f64>) -> bool {
    table.nrows() > MOST_TABLED
}

/// A vector as a list of numbers.
pub(super) fn vector<S: Serializer>(values: &Array1<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    values.as_slice().unwrap_or_default().serialize(serializer)
}

/// A matrix as a list of rows.
pub(super) fn matrix<S: Serializer>(values: &Array2<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    let rows = values.rows().into_iter().map(|row: ArrayView1<f64>| row.to_vec());
    serializer.collect_seq(rows)
}
