//! The drawings of a plane: pi with the current, decoded images, the data, drift and diffusion.

use std::f64::consts::TAU;
use std::fmt::Write;

use ndarray::Array1;

use super::super::heatmap::between as colour_between;
use super::super::png;
use super::Panel;
use super::frame::{Frame, between};
use super::streamlines::{Line, at_level};
use crate::analysis::plane::Vortex;
use crate::analysis::{Analysis, Plane};
use crate::logs::sigmoid;
use crate::model::Parameters;

/// Decoded images along each axis.
const DECODED: usize = 12;
/// Arrows along each axis, at most.
const ARROWS: usize = 12;
/// Of classes, told apart on light and dark paper (after M. Okabe and K. Ito, and P. Tol).
pub const CLASSES: [&str; 10] = [
    "#0077bb", "#ee7733", "#009988", "#cc3377", "#8a7a00", "#33bbee", "#aa4499", "#b15928", "#777777", "#55a630",
];
/// Of currents that turn counterclockwise and clockwise.
const SENSES: [&str; 2] = ["#ffd27a", "#ffffff"];

/// pi, as the background, with the current on it.
pub fn current(analysis: &Analysis, plane: &Plane) -> Panel {
    /// Pixels of the background for each point.
    const FINE: usize = 8;
    let frame = Frame::of(plane);
    let [rows, columns] = [plane.points[0], plane.points[1]];
    let pi = analysis
        .stationary
        .to_shape((rows, columns))
        .map(|pi| pi.mapv(f64::sqrt))
        .unwrap_or_default();
    let largest = pi.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let background = image::RgbImage::from_fn((rows * FINE) as u32, (columns * FINE) as u32, |x, y| {
        let place = |pixel: u32| (f64::from(pixel) + 0.5) / FINE as f64 - 0.5;
        let at = [place(x), columns as f64 - 1.0 - place(y)];
        image::Rgb(night(between(&pi, at) / largest))
    });
    let mut content = frame.image("", &png::data_uri(background));
    content.push_str(&streamlines(plane, &frame));
    for vortex in &plane.vortices {
        content.push_str(&mark(vortex, &frame));
    }
    content.push_str(&frame.axes("Where the probability is, and where it flows"));
    let value = |share: f64| format!("{:.1e}", (share * largest).powi(2));
    let labels = [(0.0, "0".to_owned()), (0.5, value(0.5)), (1.0, value(1.0))];
    content.push_str(&frame.scale(&night, &labels, "π of a point"));
    Panel {
        name: "steady state and current in the plane",
        content,
    }
}

/// How much current flows between two neighbouring lines; none where no vortex can be told from noise.
pub fn between_lines(plane: &Plane) -> Option<f64> {
    /// Lines between zero and the largest value of psi.
    const MOST: f64 = 9.0;
    plane.vortices.first()?;
    let stream = plane.field.stream();
    let largest = stream.iter().fold(0.0, |most: f64, psi| most.max(psi.abs()));
    let noise = plane.errors.stream.iter().copied().fold(0.0, f64::max);
    Some((largest / MOST).max(2.0 * noise))
}

/// Level lines of psi.
fn streamlines(plane: &Plane, frame: &Frame) -> String {
    /// Places of the table of psi between two of its cells.
    const FINE: usize = 4;
    let Some(step) = between_lines(plane) else { return String::new() };
    let stream = plane.field.stream();
    let size = |count: usize| (count - 1) * FINE + 1;
    let fine = ndarray::Array2::from_shape_fn((size(stream.nrows()), size(stream.ncols())), |(i, j)| {
        between(&stream, [i as f64 / FINE as f64, j as f64 / FINE as f64])
    });
    let largest = stream.iter().fold(0.0, |most: f64, psi| most.max(psi.abs()));
    let shares = |[u, v]: [f64; 2]| [u / (fine.nrows() - 1) as f64, v / (fine.ncols() - 1) as f64];
    let mut svg = String::from(r#"<g fill="none" stroke-linejoin="round" stroke-linecap="round">"#);
    for number in 0..(largest / step).ceil() as usize {
        for (sign, colour) in [1.0, -1.0].iter().zip(SENSES) {
            for line in at_level(&fine, sign * (number as f64 + 0.5) * step) {
                let points: Vec<(f64, f64)> = line.points.iter().map(|&point| frame.place(frame.point(shares(point)))).collect();
                svg.push_str(&path(&points, &line, colour));
            }
        }
    }
    svg.push_str("</g>");
    svg
}

/// A line with arrows on it.
fn path(points: &[(f64, f64)], line: &Line, colour: &str) -> String {
    /// Between two arrows, as long as the line allows.
    const APART: f64 = 170.0;
    const SHORTEST: f64 = 24.0;
    let mut way = String::from("M");
    for (x, y) in points {
        let _ = write!(way, "{x:.1} {y:.1} ");
    }
    if line.is_closed {
        way.push('Z');
    }
    let closing = line.is_closed.then(|| points[0]);
    let ring: Vec<(f64, f64)> = points.iter().copied().chain(closing).collect();
    let lengths: Vec<f64> = ring
        .windows(2)
        .map(|ends| (ends[1].0 - ends[0].0).hypot(ends[1].1 - ends[0].1))
        .collect();
    let whole: f64 = lengths.iter().sum();
    let mut svg = format!(
        r##"<path d="{way}" stroke="#0b1026" stroke-opacity="0.35" stroke-width="3.2"/><path d="{way}" stroke="{colour}" stroke-width="1.4"/>"##
    );
    if whole < SHORTEST {
        return svg;
    }
    let arrows = (whole / APART).round().max(1.0);
    for arrow in 0..arrows as usize {
        let mut left = (arrow as f64 + 0.5) / arrows * whole;
        let piece = lengths.iter().position(|length| {
            left -= length;
            left < 0.0
        });
        let Some(piece) = piece else { continue };
        let ((x0, y0), (x1, y1)) = (ring[piece], ring[piece + 1]);
        let angle = (y1 - y0).atan2(x1 - x0).to_degrees();
        let (x, y) = (0.5 * (x0 + x1), 0.5 * (y0 + y1));
        let _ = write!(
            svg,
            r#"<path d="M6 0L-4 -4.2L-2 0L-4 4.2Z" fill="{colour}" transform="translate({x:.1} {y:.1}) rotate({angle:.0})"/>"#
        );
    }
    svg
}

/// A vortex: its centre, an arc that turns as it does, its current.
fn mark(vortex: &Vortex, frame: &Frame) -> String {
    let [Some(z1), Some(z2)] = [vortex.centre[0].value, vortex.centre[1].value] else {
        return String::new();
    };
    let (x, y) = frame.place([z1, z2]);
    // In the drawing the second axis runs upward, and the arc's flag 0 turns counterclockwise.
    let (colour, sweep, mirror) = if vortex.is_counterclockwise {
        (SENSES[0], 0, 1)
    } else {
        (SENSES[1], 1, -1)
    };
    format!(
        r##"<g transform="translate({x:.1} {y:.1})"><title>{vortex}</title><circle r="3.4" fill="{colour}" stroke="#0b1026"/><path d="M{} 5.5A11 11 0 1 {sweep} {} 5.5" fill="none" stroke="{colour}" stroke-width="2.2"/><path d="M-4.5 -3L4.5 -3L0 8Z" fill="{colour}" transform="translate({} 5.5) rotate({})"/></g>"##,
        9.5 * f64::from(mirror),
        -9.5 * f64::from(mirror),
        -9.5 * f64::from(mirror),
        -30 * mirror
    )
}

/// The mean image s(a + zA) at points all over the plane.
pub fn manifold(plane: &Plane, parameters: &Parameters, size: (usize, usize)) -> Panel {
    let frame = Frame::of(plane);
    let (rows, columns) = size;
    let mut sheet = image::GrayImage::new((DECODED * columns) as u32, (DECODED * rows) as u32);
    for across in 0..DECODED {
        for up in 0..DECODED {
            let shares = [across, up].map(|cell| (cell as f64 + 0.5) / DECODED as f64);
            let picture = png::gray(decoded(parameters, &frame.point(shares)).into_iter(), size);
            let (left, top) = (across * columns, (DECODED - 1 - up) * rows);
            image::imageops::replace(&mut sheet, &picture, left as i64, top as i64);
        }
    }
    let grey = |share: f64| [(255.0 * share) as u8; 3];
    let labels = [(0.0, "0".to_owned()), (1.0, "1".to_owned())];
    Panel {
        name: "decoded images in the plane",
        content: frame.image("pixels", &png::data_uri(sheet))
            + &frame.axes("What is drawn there")
            + &frame.scale(&grey, &labels, "probability of a lit pixel"),
    }
}

/// s(a + zA), `[D]`.
pub fn decoded(parameters: &Parameters, z: &[f64]) -> Array1<f64> {
    let logits = Array1::from(z.to_vec()).dot(&parameters.backward.mapv(f64::from));
    let logits = match &parameters.visible_bias {
        Some(bias) => logits + bias.mapv(f64::from),
        None => logits,
    };
    logits.mapv_into(sigmoid)
}

/// Images of the data at their posterior means.
pub fn data(analysis: &Analysis, plane: &Plane) -> Panel {
    let frame = Frame::of(plane);
    let labels = analysis.classes.as_ref().map_or(&[][..], |classes| &classes.labels);
    let colour = |class: Option<usize>| match class {
        Some(class) if !labels.is_empty() => CLASSES[class % CLASSES.len()],
        _ => "var(--faint)",
    };
    let mut content = String::from(r#"<g fill-opacity="0.6">"#);
    for placed in &plane.data {
        let (x, y) = frame.place([placed.at[0], placed.at[1]]);
        let _ = write!(
            content,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.4" fill="{}"/>"#,
            colour(placed.class)
        );
    }
    content.push_str("</g>");
    content.push_str(&frame.axes("Where the data are"));
    let (x, y) = frame.key();
    for (class, label) in labels.iter().enumerate() {
        let y = y + 20.0 * class as f64;
        let _ = write!(
            content,
            r#"<circle cx="{:.1}" cy="{y:.1}" r="5" fill="{}"/><text class="small start" x="{:.1}" y="{:.1}">{label}</text>"#,
            x + 5.0,
            colour(Some(class)),
            x + 16.0,
            y + 4.0
        );
    }
    Panel {
        name: "images of the data in the plane",
        content,
    }
}

/// Drift and diffusion at points all over the plane.
pub fn motion(plane: &Plane) -> Panel {
    let frame = Frame::of(plane);
    let [rows, columns] = [plane.points[0], plane.points[1]];
    let every = rows.max(columns).div_ceil(ARROWS);
    let chosen = |count: usize| (0..count).skip((count - 1) % every / 2).step_by(every);
    let states: Vec<(usize, usize)> = chosen(rows).flat_map(|i| chosen(columns).map(move |j| (i, j))).collect();
    let [unit, up] = frame.unit();
    let cell = unit * (plane.axes[0][1] - plane.axes[0][0]) * every as f64;
    let drift = |(i, j): (usize, usize)| plane.field.drift.row(i * columns + j).to_vec();
    let spread = |(i, j): (usize, usize)| half_axes(plane.field.diffusion.row(i * columns + j).as_slice().unwrap_or(&[0.0; 4]));
    let longest = states
        .iter()
        .map(|&state| drift(state)[0].hypot(drift(state)[1]))
        .fold(1e-9, f64::max);
    let widest = states.iter().map(|&state| spread(state).0).fold(1e-9, f64::max);
    let (of_drift, of_spread) = (1.1 * cell / longest, 0.42 * cell / widest);
    let mut content = String::from(r#"<g class="arrows">"#);
    for &state in &states {
        let (x, y) = frame.place([plane.axes[0][state.0], plane.axes[1][state.1]]);
        let ((long, short, angle), b) = (spread(state), drift(state));
        let _ = write!(
            content,
            r#"<ellipse cx="{x:.1}" cy="{y:.1}" rx="{:.1}" ry="{:.1}" transform="rotate({:.0} {x:.1} {y:.1})" class="spread"/>"#,
            of_spread * long,
            of_spread * short,
            -angle.to_degrees()
        );
        content.push_str(&arrow((x, y), of_drift * b[0], of_drift * b[1] * up.signum()));
    }
    content.push_str("</g>");
    content.push_str(&frame.axes("What a step does"));
    let (x, y) = frame.key();
    // Keys of round numbers.
    let [long, wide] = [longest, widest].map(round_below);
    let _ = write!(
        content,
        r#"<g class="arrows">{}<ellipse cx="{}" cy="{}" rx="{:.1}" ry="{:.1}" class="spread"/></g><text class="small start" x="{x}" y="{}">drift of {long}</text><text class="small start" x="{x}" y="{}">spread {wide}</text>"#,
        arrow((x, y), of_drift * long, 0.0),
        x + of_spread * wide,
        y + 70.0,
        of_spread * wide,
        of_spread * wide,
        y + 22.0,
        y + 74.0 + of_spread * wide + 14.0
    );
    Panel {
        name: "drift and diffusion in the plane",
        content,
    }
}

/// `sqrt(2 D)` along both axes of D `[2, 2]`, the longer first, and the angle of that one.
fn half_axes(diffusion: &[f64]) -> (f64, f64, f64) {
    let [xx, xy, yy] = [diffusion[0], diffusion[1], diffusion[3]];
    let (mean, half) = (0.5 * (xx + yy), (0.5 * (xx - yy)).hypot(xy));
    let root = |d: f64| (2.0 * d.max(0.0)).sqrt();
    (root(mean + half), root(mean - half), 0.5 * (2.0 * xy).atan2(xx - yy) % TAU)
}

/// The largest of 1, 2 and 5 times a power of ten that is not above a number.
fn round_below(number: f64) -> f64 {
    let power = 10.0_f64.powf(number.log10().floor());
    let rounded = [5.0, 2.0, 1.0]
        .into_iter()
        .map(|times| times * power)
        .find(|rounded| *rounded <= number);
    rounded.unwrap_or(power)
}

/// From a point so far across and down.
fn arrow((x, y): (f64, f64), dx: f64, dy: f64) -> String {
    let length = dx.hypot(dy);
    let head = (0.45 * length).min(6.0);
    let angle = dy.atan2(dx).to_degrees();
    format!(
        r#"<g transform="translate({x:.1} {y:.1}) rotate({angle:.0})"><path d="M0 0H{:.1}" stroke-width="1.3"/><polygon points="{length:.1},0 {:.1},{:.1} {:.1},{:.1}"/></g>"#,
        length - head,
        length - head,
        0.45 * head,
        length - head,
        -0.45 * head
    )
}

/// The night sky: nearly black to a pale green, dark enough for light lines.
fn night(share: f64) -> [u8; 3] {
    colour_between(&[[10, 14, 34], [23, 42, 92], [30, 84, 134], [38, 133, 148], [86, 178, 150]], share)
}
