//! Tables and images of numbers of either sign, as colours from blue through white to red.

use std::fmt::Write;

use image::{Rgb, RgbImage};
use ndarray::{Array2, ArrayView1};

use super::heatmap::diverging;
use super::png;

/// An image of weights, on a scale of its own.
pub fn picture(weights: ArrayView1<f64>, (rows, columns): (usize, usize)) -> RgbImage {
    let largest = weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
    let scale = if largest > 0.0 { 1.0 / largest } else { 0.0 };
    let mut picture = RgbImage::new(columns as u32, rows as u32);
    for (pixel, weight) in picture.pixels_mut().zip(weights) {
        *pixel = Rgb(diverging(weight * scale));
    }
    picture
}

/// A map of a table `[H, H]`, the colour as the square root of the entry. Rows and columns are named one by one where there is room, else by the units,
/// given with their numbers of components. `titles` are those of the rows and of the columns.
pub fn map(table: &Array2<f64>, names: &[String], units: &[(&str, usize)], titles: [&str; 2], what: &str) -> String {
    /// Most components that are named.
    const NAMED: usize = 24;
    let side = names.len();
    let largest = table.iter().fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
    let scaled = |entry: f64| {
        if largest > 0.0 {
            (entry.abs() / largest).sqrt().copysign(entry)
        } else {
            0.0
        }
    };
    let cells = png::data_uri(png::cells(side, |row, column| diverging(scaled(table[[row, column]]))));
    let (left, top, size) = (72.0, 72.0, 290.0);
    let cell = size / side as f64;
    let mut svg = format!(
        r#"<svg class="map" viewBox="0 0 372 424" role="img" aria-label="map: {what}"><image x="{left}" y="{top}" width="{size}" height="{size}" preserveAspectRatio="none" class="pixels" href="{cells}"/>"#
    );
    let mut label = |text: &str, middle: f64| {
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" class="small end">{text}</text><text transform="translate({:.1} {:.1}) rotate(-90)" class="small start">{text}</text>"#,
            left - 5.0,
            top + middle + 4.0,
            left + middle + 4.0,
            top - 5.0
        );
    };
    if side <= NAMED {
        names
            .iter()
            .enumerate()
            .for_each(|(place, name)| label(name, (place as f64 + 0.5) * cell));
    } else {
        let mut first = 0;
        for (name, count) in units {
            label(name, (first as f64 + 0.5 * *count as f64) * cell);
            first += count;
        }
    }
    let _ = write!(
        svg,
        r#"<text x="{:.1}" y="14" class="small mid">{}</text><text transform="translate(14 {:.1}) rotate(-90)" class="small mid">{}</text>"#,
        left + 0.5 * size,
        titles[1],
        top + 0.5 * size,
        titles[0]
    );
    let bar = (0..size as usize).flat_map(|x| diverging(2.0 * x as f64 / (size - 1.0) - 1.0));
    let strip = RgbImage::from_vec(size as u32, 1, bar.collect()).unwrap_or_default();
    let _ = write!(
        svg,
        r#"<image x="{left}" y="372" width="{size}" height="10" preserveAspectRatio="none" href="{}"/>"#,
        png::data_uri(strip)
    );
    for (at, value, anchor) in [(0.0, -largest, "start"), (0.5, 0.0, "mid"), (1.0, largest, "end")] {
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="397" class="small {anchor}">{}</text>"#,
            left + at * size,
            short(value)
        );
    }
    let _ = write!(
        svg,
        r#"<text x="{:.1}" y="416" class="small mid">{what}</text></svg>"#,
        left + 0.5 * size
    );
    svg
}

fn short(value: f64) -> String {
    if value.abs() >= 1e-3 || value == 0.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.0e}")
    }
}
