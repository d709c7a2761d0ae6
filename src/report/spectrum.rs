//! The eigenvalues of T in the unit circle.

use std::fmt::Write;

/// Draws them; radius 1 is the circle.
pub fn svg(eigenvalues: &[(f64, f64)]) -> String {
    let (size, radius) = (360.0, 150.0);
    let middle = size / 2.0;
    let mut svg = format!(
        r#"<svg viewBox="0 0 {size} {size}" role="img" aria-label="spectrum of T"><circle class="rim" cx="{middle}" cy="{middle}" r="{radius}"/><path class="axis" d="M{0} {middle}H{1}M{middle} {0}V{1}"/>"#,
        middle - radius - 12.0,
        middle + radius + 12.0
    );
    for (x, y, text, anchor) in [
        (1.0, -0.06, "1", "start"),
        (-1.0, -0.06, "−1", "end"),
        (0.04, 1.03, "i", "start"),
        (0.04, -1.1, "−i", "start"),
    ] {
        let _ = write!(
            svg,
            r#"<text class="small {anchor}" x="{:.1}" y="{:.1}">{text}</text>"#,
            middle + radius * x + 8.0 * x,
            middle - radius * y
        );
    }
    for (re, im) in eigenvalues {
        let _ = write!(
            svg,
            r#"<circle class="dot" cx="{:.1}" cy="{:.1}" r="4.5"><title>{re:.6} {im:+.6} i, modulus {:.6}</title></circle>"#,
            middle + radius * re,
            middle - radius * im,
            re.hypot(*im)
        );
    }
    svg.push_str("</svg>");
    svg
}
