//! The single figures of an analysis on its page, and their curves over training.

use std::fmt::Write;

use super::curves;
use super::page::{escape, figure, section};
use crate::analysis::Headline;
use crate::analysis::measures::{charts, shown};
use crate::estimate::jackknife::Figure;
use crate::training::metrics::Metrics;

/// The single figures of an analysis, as cards, and what is to be known of them.
pub fn figures(headline: &Headline, caption: &str) -> String {
    let mut html = String::from(r#"<div class="headlines">"#);
    for measure in shown(headline) {
        let ((name, unit), figure) = (measure.card, (measure.of)(headline));
        let note = figure
            .note
            .as_ref()
            .map_or(String::new(), |note| format!("<small>{}</small>", escape(note)));
        let (shown, note) = match figure.standard_error_over_images {
            // How far the mean over other images of the kind could be from this one matters, not how well the kernel is known.
            Some(error) => (
                with_reach(figure, 1.96 * error),
                format!("<small>interval: other images of the kind</small>{}", kernels(figure)),
            ),
            None => (figure.clone(), note),
        };
        let _ = write!(
            html,
            "<div><h3>{name}</h3><b>{}</b><span>{unit}</span>{note}</div>",
            unbroken(&shown)
        );
    }
    html.push_str("</div>");
    section("Figures", &[figure("headlines", &html, caption)])
}

/// The figures noted while training, and those of checkpoints.
pub fn over_training(evaluations: &[Metrics], checkpoints: &[Headline]) -> String {
    if evaluations.is_empty() && checkpoints.is_empty() {
        return section(
            "Over training",
            &["<p>No figures over training were found beside this record.</p>".to_owned()],
        );
    }
    let points = if checkpoints.is_empty() {
        " <code>analyze --all-checkpoints</code> adds points with intervals."
    } else {
        " Points with bars: checkpoints, analyzed with 95% intervals."
    };
    let mut figures = Vec::new();
    for (chart, measures) in charts() {
        if !curves::has_values(&measures, evaluations, checkpoints) {
            continue;
        }
        let svg = curves::svg(chart, &measures, evaluations, checkpoints);
        figures.push(figure(
            &format!("training-{}", figures.len()),
            &format!("<h3>{}, {}</h3>{svg}", chart.title, measures[0].unit),
            &format!("{}{points}", chart.caption),
        ));
    }
    section("Over training", &figures)
}

/// A figure with another interval.
fn with_reach(figure: &Figure, reach: f64) -> Figure {
    Figure {
        low: figure.value.map(|value| value - reach),
        high: figure.value.map(|value| value + reach),
        ..figure.clone()
    }
}

/// What the kernel's error adds to a mean over images.
fn kernels(figure: &Figure) -> String {
    let half = figure.low.zip(figure.high).map(|(low, high)| 0.5 * (high - low));
    let half = half.filter(|half| *half > 0.0);
    half.map_or(String::new(), |half| {
        let digits = (1.0 - half.log10().floor()).clamp(0.0, 12.0) as usize;
        format!("<small>for these images: ± {half:.digits$}</small>")
    })
}

/// A figure that breaks before its interval in brackets alone, unless it is too long for a line.
fn unbroken(figure: &Figure) -> String {
    /// Characters that have room.
    const LINE: usize = 22;
    let text = figure.to_string();
    let longest = text.split(" (").map(|part| part.chars().count()).max();
    if longest > Some(LINE) {
        return text;
    }
    text.replace(" ± ", "\u{a0}±\u{a0}").replace(" to ", "\u{a0}to\u{a0}")
}
