//! Tables of the page: class shares with bars, and a card for each state.

use std::fmt::Write;

use ndarray::Array1;

use super::names::letters;
use super::png;
use crate::analysis::{Analysis, ClassShares};
use crate::codes::Codes;

/// Most states that have a card.
pub const MOST_CARDS: usize = 100;

/// Class shares, data beside model, a bar in each cell.
pub fn classes(classes: &ClassShares) -> String {
    shares(
        &classes.labels,
        &[
            ("data", &classes.data),
            ("drawn", &classes.generated),
            ("from π", &classes.from_stationary),
            ("by state", &classes.by_latent_state),
        ],
    )
}

/// Shares of classes, of the data first, side by side.
pub fn shares(labels: &[u8], columns: &[(&str, &Array1<f64>)]) -> String {
    let mut html = String::from(r#"<div class="scroll"><table class="bars"><thead><tr><th>class</th>"#);
    for (name, _) in columns {
        let _ = write!(html, "<th>{name}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    let largest = columns.iter().flat_map(|(_, shares)| shares.iter()).copied().fold(0.0, f64::max);
    for (class, label) in labels.iter().enumerate() {
        let _ = write!(html, "<tr><th>{label}</th>");
        for (column, (_, shares)) in columns.iter().enumerate() {
            let kind = if column == 0 { "second" } else { "first" };
            let width = 94.0 * shares[class] / largest;
            let _ = write!(
                html,
                r#"<td><span class="bar {kind}" style="width:{width:.1}%"></span><span class="value">{:.1}%</span></td>"#,
                100.0 * shares[class]
            );
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// The states by falling weight, each with its mean image.
pub fn states(analysis: &Analysis, codes: &Codes, size: (usize, usize)) -> String {
    let mut order: Vec<usize> = (0..analysis.latent).collect();
    order.sort_by(|&a, &b| analysis.stationary[b].total_cmp(&analysis.stationary[a]));
    let mut html = String::from(r#"<div class="cards">"#);
    for state in order.into_iter().take(MOST_CARDS) {
        let mean = analysis.mean_images.row(state);
        let picture = png::data_uri(png::gray(mean.iter().copied(), size));
        let letters = letters(state);
        let name = codes.name(state).map_or(String::new(), |name| format!("<span>{name}</span>"));
        let _ = write!(
            html,
            r#"<div class="card"><img class="pixels" src="{picture}" alt="mean image of state {letters}"><b>{letters}</b>{name}<span>weight {}</span><span>stays {}</span>"#,
            short(analysis.stationary[state]),
            short(analysis.transition[[state, state]])
        );
        if let Some(classes) = &analysis.classes {
            let shares = classes.states.row(state);
            let mut by_share: Vec<usize> = (0..shares.len()).collect();
            by_share.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
            let named = by_share.into_iter().take(2).filter(|&class| shares[class] >= 0.005);
            let text: Vec<String> = named
                .map(|class| format!("class {}: {:.0}%", classes.labels[class], 100.0 * shares[class]))
                .collect();
            let _ = write!(html, "<span>{}</span>", text.join(", "));
        }
        html.push_str("</div>");
    }
    html.push_str("</div>");
    html
}

/// A probability in few characters.
fn short(p: f64) -> String {
    if p >= 0.001 || p == 0.0 {
        format!("{p:.3}")
    } else {
        format!("{p:.0e}")
    }
}
