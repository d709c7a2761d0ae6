//! The frame that all drawings of the plane share: its axes, and where a point of it stands.

use std::fmt::Write;

use ndarray::Array2;

use super::super::axis::ticks;
use super::super::png;
use crate::analysis::Plane;

/// Width and height of a drawing.
pub const SIZE: (f64, f64) = (596.0, 512.0);
/// Left and upper end of the field, and its side.
const LEFT: f64 = 58.0;
const TOP: f64 = 32.0;
const SIDE: f64 = 420.0;

/// From z to the drawing: each point of the grid is the middle of a cell.
pub struct Frame {
    low: [f64; 2],
    high: [f64; 2],
}

impl Frame {
    pub fn of(plane: &Plane) -> Self {
        let ends = |axis: &[f64]| {
            let half = 0.5 * (axis[1] - axis[0]);
            (axis[0] - half, axis[axis.len() - 1] + half)
        };
        let [first, second] = [0, 1].map(|axis: usize| ends(&plane.axes[axis]));
        Self {
            low: [first.0, second.0],
            high: [first.1, second.1],
        }
    }

    /// Where a point of the plane stands.
    pub fn place(&self, z: [f64; 2]) -> (f64, f64) {
        let share = |axis: usize| (z[axis] - self.low[axis]) / (self.high[axis] - self.low[axis]);
        (LEFT + SIDE * share(0), TOP + SIDE * (1.0 - share(1)))
    }

    /// Lengths in the drawing of one unit of z along each axis; the second runs upward.
    pub fn unit(&self) -> [f64; 2] {
        [SIDE / (self.high[0] - self.low[0]), -SIDE / (self.high[1] - self.low[1])]
    }

    /// The plane's point of a share of the way along each axis.
    pub fn point(&self, shares: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|axis: usize| self.low[axis] + shares[axis] * (self.high[axis] - self.low[axis]))
    }

    /// A picture that fills the field.
    pub fn image(&self, class: &str, href: &str) -> String {
        format!(r#"<image class="{class}" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" preserveAspectRatio="none" href="{href}"/>"#)
    }

    /// Title, box, ticks and names of the axes.
    pub fn axes(&self, title: &str) -> String {
        let (middle, bottom) = (LEFT + 0.5 * SIDE, TOP + SIDE);
        let mut svg = format!(
            r#"<text class="title mid" x="{middle}" y="20">{title}</text><rect class="box" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>"#
        );
        for axis in 0..2 {
            for tick in ticks(self.low[axis], self.high[axis], false) {
                let mut at = self.low;
                at[axis] = tick;
                let (x, y) = self.place(at);
                let _ = match axis {
                    0 => write!(
                        svg,
                        r#"<path class="box" d="M{x:.1} {bottom}v5"/><text class="small mid" x="{x:.1}" y="{:.1}">{}</text>"#,
                        bottom + 18.0,
                        number(tick)
                    ),
                    _ => write!(
                        svg,
                        r#"<path class="box" d="M{LEFT} {y:.1}h-5"/><text class="small end" x="{:.1}" y="{:.1}">{}</text>"#,
                        LEFT - 8.0,
                        y + 4.0,
                        number(tick)
                    ),
                };
            }
        }
        let (across, up) = (LEFT - 38.0, TOP + 0.5 * SIDE);
        let _ = write!(
            svg,
            r#"<text class="title mid" x="{middle}" y="{:.1}">z₁, in standard deviations of p(z|x)</text><text class="title mid" transform="translate({across} {up}) rotate(-90)">z₂, in standard deviations of p(z|x)</text>"#,
            bottom + 42.0
        );
        svg
    }

    /// A scale of colour at the right, with labels at shares of its height, and what it measures.
    pub fn scale(&self, colour: &dyn Fn(f64) -> [u8; 3], labels: &[(f64, String)], title: &str) -> String {
        let (x, height) = (LEFT + SIDE + 14.0, 180.0);
        let strip = image::RgbImage::from_fn(1, height as u32, |_, row| image::Rgb(colour(1.0 - f64::from(row) / (height - 1.0))));
        let mut svg = format!(
            r#"<image x="{x}" y="{TOP}" width="12" height="{height}" preserveAspectRatio="none" href="{}"/><text class="small mid" transform="translate({} {}) rotate(90)">{title}</text>"#,
            png::data_uri(strip),
            x + 74.0,
            TOP + 0.5 * height
        );
        for (at, label) in labels {
            let _ = write!(
                svg,
                r#"<text class="small start" x="{}" y="{:.1}">{label}</text>"#,
                x + 17.0,
                TOP + height * (1.0 - at) + 8.0 * at
            );
        }
        svg
    }

    /// Where the key of a drawing begins, at the right.
    pub fn key(&self) -> (f64, f64) {
        (LEFT + SIDE + 14.0, TOP + 10.0)
    }
}

/// A tick's number.
fn number(tick: f64) -> String {
    let text = format!("{:.1}", tick.abs());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if tick < -0.04 { format!("−{text}") } else { text.to_owned() }
}

/// A table between its entries, at places counted in entries, by cubic interpolation (Catmull and Rom); beyond its ends it goes on as there.
pub fn between(table: &Array2<f64>, [u, v]: [f64; 2]) -> f64 {
    let (rows, columns) = table.dim();
    let weights = |t: f64| {
        let (t2, t3) = (t * t, t * t * t);
        [-t3 + 2.0 * t2 - t, 3.0 * t3 - 5.0 * t2 + 2.0, -3.0 * t3 + 4.0 * t2 + t, t3 - t2].map(|weight| 0.5 * weight)
    };
    let (i, j) = (u.floor(), v.floor());
    let (down, across) = (weights(u - i), weights(v - j));
    let index = |first: f64, offset: usize, count: usize| (first as isize + offset as isize - 1).clamp(0, count as isize - 1) as usize;
    let mut sum = 0.0;
    for (a, down) in down.iter().enumerate() {
        for (b, across) in across.iter().enumerate() {
            sum += down * across * table[[index(i, a, rows), index(j, b, columns)]];
        }
    }
    sum
}
