//! Checkpoint after checkpoint: the graph, T, J and samples as they emerge, for the page's slider.

use ndarray::{Array1, Array2};

use super::graph::{Graph, MOST_NODES, arranged, drawn};
use super::names::letters;
use super::page::wide;
use super::{grid, heatmap, png};
use crate::analysis::measures::charts;
use crate::analysis::{Analysis, Headline};
use crate::data::packed::PackedImages;

/// Most states of a model whose checkpoints are shown.
const MOST_STATES: usize = 100;
/// Samples of each checkpoint.
const SAMPLES: usize = 30;

/// What is shown of one checkpoint.
pub struct Still {
    headline: Headline,
    stationary: Array1<f64>,
    transition: Array2<f64>,
    currents: Array2<f64>,
    mean_images: Array2<f64>,
    samples: PackedImages,
}

impl Still {
    /// Of a checkpoint's analysis; `None` for a model of too many states.
    pub fn of(analysis: &Analysis) -> Option<Self> {
        (analysis.latent <= MOST_STATES).then(|| Self {
            headline: analysis.headline.clone(),
            stationary: analysis.stationary.clone(),
            transition: analysis.transition.clone(),
            currents: analysis.resolved_currents(),
            mean_images: analysis.mean_images.clone(),
            samples: {
                let images = PackedImages::pack(&analysis.generated);
                let first: Vec<usize> = (0..SAMPLES.min(images.len())).collect();
                images.select(&first)
            },
        })
    }

    /// In words, its step and figures.
    fn name(&self) -> String {
        let step = self.headline.step.unwrap_or(0);
        let figures = charts().into_iter().map(|(chart, measures)| {
            let figure = (measures[0].of)(&self.headline);
            format!(
                "{} {}",
                chart.title.to_lowercase(),
                figure.value.map_or("-".to_owned(), |value| format!("{value:.4}"))
            )
        });
        format!("after {step} steps: {}", figures.collect::<Vec<_>>().join(", "))
    }

    fn html(&self, order: &[usize], arrangement: &[usize], size: (usize, usize)) -> String {
        let graph = Graph {
            weights: &self.stationary,
            stay: self.transition.diag().to_vec(),
            currents: &self.currents,
            mean_images: &self.mean_images,
            names: (0..self.stationary.len()).map(letters).collect(),
            noun: "state",
            id: "checkpoint",
        };
        let of_currents = match self.stationary.len() {
            ..=MOST_NODES => format!("<div><h3>Graph of the currents</h3>{}</div>", drawn(&graph, arrangement, size)),
            _ => String::new(),
        };
        format!(
            r#"{of_currents}<div><h3>Samples</h3><img class="samples pixels" src="{}" alt="images drawn by the chain"/></div><div><h3>Transitions T</h3>{}</div><div><h3>Currents J, per step</h3>{}</div>"#,
            png::of_bytes(&grid::samples(&self.samples, size)),
            heatmap::transitions(&self.transition, order),
            heatmap::currents(&self.currents, order)
        )
    }
}

/// The figure with its slider; nothing without checkpoints.
pub fn figure(stills: &[Still], order: &[usize], size: (usize, usize)) -> Option<String> {
    let last = stills.last()?;
    let graph = Graph {
        weights: &last.stationary,
        stay: last.transition.diag().to_vec(),
        currents: &last.currents,
        mean_images: &last.mean_images,
        names: Vec::new(),
        noun: "state",
        id: "checkpoint",
    };
    let arrangement = match last.stationary.len() {
        ..=MOST_NODES => arranged(&graph, order),
        _ => Vec::new(),
    };
    let shown: Vec<[String; 2]> = stills
        .iter()
        .map(|still| [still.name(), still.html(order, &arrangement, size)])
        .collect();
    let data = serde_json::to_string(&shown).unwrap_or_default().replace('<', "\\u003c");
    let [name, html] = shown.last()?;
    Some(wide(
        "emergence",
        &format!(
            r#"<h3 id="checkpoint-name">{name}</h3><label id="checkpoint-slider" hidden>checkpoint <input type="range" id="checkpoint" min="0" max="{0}" value="{0}"/></label><div id="checkpoint-shown" class="stills">{html}</div><script type="application/json" id="checkpoints-data">{data}</script>"#,
            shown.len() - 1
        ),
        "How it emerges: the current graph, samples, T and J at each checkpoint, states in the places and order of the last one. Move the slider. Widths and the colours of J have a \
         scale of their own at each checkpoint.",
    ))
}
