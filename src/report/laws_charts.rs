//! Charts of the section on laws: the distribution of s with its mirror image, the entropy production against the length of a series.

use std::fmt::Write;

use super::axis::Axis;
use crate::analysis::laws::{HistogramFigures, Reading, TimeSeries};

/// Left, right, top and bottom of the field, of a chart of 380 x 260.
pub(super) const FIELD: [f64; 4] = [56.0, 368.0, 12.0, 208.0];

/// Where a share of the way along an axis is.
pub(super) fn across(share: f64) -> f64 {
    FIELD[0] + share * (FIELD[1] - FIELD[0])
}

pub(super) fn up(share: f64) -> f64 {
    FIELD[3] + share * (FIELD[2] - FIELD[3])
}

pub(super) fn frame(label: &str, x_title: &str, y_title: &str) -> String {
    let [left, right, top, bottom] = FIELD;
    format!(
        r#"<svg viewBox="0 0 380 260" role="img" aria-label="{label}"><path class="axis" fill="none" d="M{left} {top}V{bottom}H{right}"/><text x="{:.0}" y="250" class="small mid">{x_title}</text><text transform="translate(13 {:.0}) rotate(-90)" class="small mid">{y_title}</text>"#,
        0.5 * (left + right),
        0.5 * (top + bottom)
    )
}

pub(super) fn x_tick(svg: &mut String, share: f64, text: &str) {
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{0:.1} {1}v5"/><text x="{0:.1}" y="{2}" class="small mid">{text}</text>"#,
        across(share),
        FIELD[3],
        FIELD[3] + 19.0
    );
}

pub(super) fn y_tick(svg: &mut String, share: f64, text: &str) {
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{0} {1:.1}H{2}"/><text x="{3}" y="{4:.1}" class="small end">{text}</text>"#,
        FIELD[0],
        up(share),
        FIELD[1],
        FIELD[0] - 6.0,
        up(share) + 4.0
    );
}

/// P(s) of one histogram as bars, on a logarithmic scale, and `e^s P(-s)` of another as points with bars of two standard errors.
pub fn distribution(bars: &HistogramFigures, points: &HistogramFigures) -> String {
    /// The most decades shown.
    const DECADES: f64 = 7.0;
    let mut svg = frame("distribution of the entropy of a step", "s, nats", "probability of the bin");
    let positive = |values: &[f64]| values.iter().copied().filter(|value| *value > 0.0).collect::<Vec<_>>();
    let values = [positive(&bars.probability), positive(&points.mirrored)].concat();
    let most = values.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        svg.push_str(r#"<text x="212" y="110" class="small mid">every step has s = 0</text></svg>"#);
        return svg;
    }
    let highest = most.log10().ceil();
    let lowest = values
        .iter()
        .copied()
        .fold(most, f64::min)
        .log10()
        .floor()
        .clamp(highest - DECADES, highest - 1.0);
    let height = |value: f64| ((value.log10() - lowest) / (highest - lowest)).clamp(0.0, 1.0);
    for decade in lowest as i32..=highest as i32 {
        y_tick(&mut svg, (f64::from(decade) - lowest) / (highest - lowest), &power(decade));
    }
    let count = bars.s.len() as f64;
    let width = bars.s.get(1).map_or(1.0, |second| second - bars.s[0]);
    let end = 0.5 * count * width;
    let axis = Axis::between(-end, end);
    for &tick in &axis.ticks {
        x_tick(&mut svg, axis.share(tick), &label(&axis, tick));
    }
    for (bin, (&s, &probability)) in bars.s.iter().zip(&bars.probability).enumerate() {
        if height(probability.max(f64::MIN_POSITIVE)) > 0.0 {
            let (x, y) = (across(bin as f64 / count), up(height(probability)));
            let _ = write!(
                svg,
                r#"<rect class="law-bar" x="{:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"><title>s near {s:.3}: {probability:.3e}</title></rect>"#,
                x + 0.5,
                (across(1.0) - across(0.0)) / count - 1.0,
                FIELD[3] - y
            );
        }
    }
    for ((&s, &mirrored), &error) in points.s.iter().zip(&points.mirrored).zip(&points.mirrored_error) {
        let share = 0.5 + 0.5 * s / end;
        if mirrored > 0.0 && height(mirrored) > 0.0 && (0.0..=1.0).contains(&share) {
            let (x, low, high) = (
                across(share),
                (mirrored - 2.0 * error).max(f64::MIN_POSITIVE),
                mirrored + 2.0 * error,
            );
            let _ = write!(
                svg,
                r#"<path class="law-error" d="M{x:.1} {:.1}V{:.1}"/><circle class="law-point" cx="{x:.1}" cy="{:.1}" r="3"><title>e^s P(-s) at s near {s:.3}: {mirrored:.3e}, standard error {error:.1e}</title></circle>"#,
                up(height(low)),
                up(height(high)),
                up(height(mirrored))
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Means and spreads of what series of each length say.
pub fn series(series: &[TimeSeries]) -> String {
    let mut svg = frame("entropy production read off time series", "steps of the series", "nats per step");
    let readings =
        |line: &TimeSeries| -> [(f64, f64); 2] { [&line.both_ways, &line.half_added].map(|&Reading { mean, spread, .. }| (mean, spread)) };
    let exact = series.first().and_then(|line| line.exact.value);
    let most = series
        .iter()
        .flat_map(|line| readings(line).map(|(mean, spread)| mean + spread))
        .chain(exact)
        .fold(1e-12, f64::max)
        * 1.08;
    let height = |value: f64| (value / most).clamp(0.0, 1.0);
    let axis = Axis::between(0.0, most);
    for &tick in &axis.ticks {
        y_tick(&mut svg, axis.share(tick), &label(&axis, tick));
    }
    if let Some(exact) = exact {
        let _ = write!(
            svg,
            r#"<path class="law-exact" d="M{} {:.1}H{}"><title>exact: {exact:.5}</title></path>"#,
            FIELD[0],
            up(height(exact)),
            FIELD[1]
        );
    }
    let place = |number: usize| (number as f64 + 0.5) / series.len() as f64;
    for (number, line) in series.iter().enumerate() {
        x_tick(&mut svg, place(number), &power((line.steps as f64).log10().round() as i32));
        for (kind, (mean, spread)) in readings(line).into_iter().enumerate() {
            let x = across(place(number)) + [-6.0, 6.0][kind];
            let colour = ["first", "second"][kind];
            let _ = write!(
                svg,
                r#"<path class="law-error {colour}" d="M{x:.1} {:.1}V{:.1}"/><circle class="law-point {colour}" cx="{x:.1}" cy="{:.1}" r="4"><title>{} steps: {mean:.5}, from one series to another {spread:.2e}</title></circle>"#,
                up(height(mean - spread)),
                up(height(mean + spread)),
                up(height(mean)),
                line.steps
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A power of ten.
pub(super) fn power(exponent: i32) -> String {
    let digit = |character: char| match character {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    };
    match exponent {
        0 => "1".to_owned(),
        _ => format!("10{}", exponent.to_string().chars().map(digit).collect::<String>()),
    }
}

/// What stands at a tick.
fn label(axis: &Axis, tick: f64) -> String {
    axis.label(tick).replace('-', "−")
}
