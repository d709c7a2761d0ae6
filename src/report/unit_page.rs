//! report.html of a machine of units whose states are not listed.

use std::fmt::Write;

use ndarray::{Array2, Axis, concatenate};

use super::grid::{Grid, of_bits, of_means};
use super::page::{document, escape, figure, script, section, wide};
use super::provenance::Provenance;
use super::signed::{map, picture};
use super::{headlines, png, tables};
use crate::analysis::Headline;
use crate::analysis::sampled::{Classes, UnitAnalysis, UnitFigures};
use crate::data::packed::PackedImages;
use crate::model::Parameters;
use crate::training::metrics::Metrics;

/// Units whose weights are shown.
const MOST_CARDS: usize = 32;
/// Images in a row.
const ACROSS: usize = 10;

/// Beneath the single figures.
const CAPTION: &str = "Each figure has its 95% interval. Of a log-likelihood, a mean over images, it says how far the mean over as many other images of the kind could lie; what the draw \
                       of the chains adds to it, for these very images, stands beneath. Path entropy production: σ = Σ E[(x V)<sub>j</sub> (p<sub>j</sub>(x) − h<sub>j</sub>)] with \
                       V = W − A<sup>T</sup>. Autocorrelation times are those of chains that were followed; 0.5 is a chain whose images are drawn anew at each step.";

/// What the page shows.
pub struct UnitPage<'a> {
    /// The run or record, in words.
    pub name: &'a str,
    /// Its analysis.
    pub analysis: &'a UnitAnalysis,
    /// Height and width of an image.
    pub size: (usize, usize),
    /// The machine.
    pub parameters: &'a Parameters,
    /// Analyses of the run's checkpoints.
    pub checkpoints: &'a [Headline],
    /// Where the machine comes from.
    pub provenance: Provenance<'a>,
    /// The figures noted while training.
    pub evaluations: &'a [Metrics],
}

impl UnitPage<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let analysis = self.analysis;
        let step = (analysis.headline.step).map_or(String::new(), |step| format!(" after {step} training steps"));
        let mut body = format!(
            "<header><h1>{}</h1><p>A generative Markov chain of {} binary units and {} pixels{step}. {}</p></header>",
            escape(self.name),
            analysis.binary_units,
            analysis.visible,
            self.verdict()
        );
        body.push_str(&headlines::figures(&analysis.headline, CAPTION));
        body.push_str(&section("Images", &self.images()));
        body.push_str(&headlines::over_training(self.evaluations, self.checkpoints));
        if let Some(classes) = &analysis.classes {
            body.push_str(&section("Classes", &self.classes(classes)));
        }
        body.push_str(&section("Units", &self.units()));
        let notes: String = analysis.notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect();
        body.push_str(&section("Method", &[format!("<p>{}.</p>{notes}", escape(&analysis.method))]));
        body.push_str(&self.provenance.section());
        document(self.name, "", &script(), &body)
    }

    fn verdict(&self) -> String {
        let sigma = &self.analysis.headline.path_entropy_production;
        match sigma.value {
            Some(0.0) => "It is in equilibrium: its matrices are tied.".to_owned(),
            _ => format!("It is out of equilibrium: its path produces {sigma} nats per step."),
        }
    }

    fn images(&self) -> Vec<String> {
        let analysis = self.analysis;
        let drawn = PackedImages::pack(&analysis.generated);
        let samples = png::of_bytes(&super::grid::samples(&drawn, self.size));
        let means = png::of_bytes(&Grid::new(self.size).png(&of_means(&analysis.mean_images), ACROSS));
        let strips = (0..analysis.walk[0].images.len()).map(|chain| {
            let images: Vec<_> = analysis.walk.iter().map(|moment| moment.images.select(&[chain]).unpack()).collect();
            concatenate(Axis(0), &images.iter().map(|image| image.view()).collect::<Vec<_>>()).unwrap_or_default()
        });
        let strips: Vec<_> = strips.collect();
        let frames = concatenate(Axis(0), &strips.iter().map(|strip| strip.view()).collect::<Vec<_>>()).unwrap_or_default();
        let walk = png::of_bytes(&Grid::new(self.size).png(&of_bits(&frames), analysis.walk.len()));
        let data = (analysis.lit_pixels_of_data).map_or(String::new(), |data| format!(", in the data {data:.1}"));
        vec![
            figure(
                "samples",
                &format!(r#"<h3>Samples</h3><img class="samples pixels" src="{samples}" alt="images drawn by the chain">"#),
                &format!(
                    "Images of chains, each of a chain of its own that began at noise. Lit pixels: {}{data}.",
                    analysis.lit_pixels
                ),
            ),
            figure(
                "mean-images",
                &format!(r#"<h3>Mean images</h3><img class="samples pixels" src="{means}" alt="mean images of the words drawn">"#),
                "E[x|h] of the words h that the samples were drawn from: the same without the noise of single pixels, which are independent given h.",
            ),
            wide(
                "walk",
                &format!(r#"<h3>Walks</h3><img class="samples pixels" src="{walk}" alt="walks of some chains">"#),
                &format!(
                    "Each row is one chain, a step from image to image. In a step {} of {} units change.",
                    analysis.flips, analysis.binary_units
                ),
            ),
        ]
    }

    fn classes(&self, classes: &Classes) -> Vec<String> {
        let names: Vec<String> = classes.labels.iter().map(u8::to_string).collect();
        let of_unit: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let resolved = Array2::from_shape_fn(classes.currents.dim(), |pair| {
            if classes.currents[pair].abs() > 4.0 * classes.currents_error[pair] {
                classes.currents[pair]
            } else {
                0.0
            }
        });
        vec![
            figure(
                "classes",
                &tables::shares(&classes.labels, &[("data", &classes.data), ("drawn", &classes.generated)]),
                &format!(
                    "Does it draw each class as often as the data have it? Judged by a logistic regression that is right on {:.1}% of the test images. Divergence: KL = Σ d ln(d/m) = {} nats.",
                    100.0 * classes.judge_accuracy,
                    self.analysis.headline.class_kl
                ),
            ),
            figure(
                "class-fluxes",
                &format!(
                    "<h3>One after the other</h3>{}",
                    map(&classes.fluxes, &names, &of_unit, ["class", "class a step later"], "per step")
                ),
                "How often an image of one class is followed by one of another. Rows that are all alike are those of a chain that draws each image anew.",
            ),
            figure(
                "class-currents",
                &format!(
                    "<h3>Currents</h3>{}",
                    map(&resolved, &names, &of_unit, ["class", "class a step later"], "net events per step")
                ),
                &format!(
                    "J = F − F<sup>T</sup>, of the pairs whose current is more than four standard errors from zero. Who sees only classes sees an entropy production of {} nats per step.",
                    classes.entropy_production
                ),
            ),
        ]
    }

    fn units(&self) -> Vec<String> {
        let mut shown = self.analysis.by_path_entropy_production();
        shown.truncate(MOST_CARDS);
        let mut html = String::from(r#"<div class="cards pairs">"#);
        for unit in &shown {
            html.push_str(&self.card(unit));
        }
        html.push_str("</div>");
        let left_out = match self.analysis.binary_units {
            count if count > MOST_CARDS => format!(" The {MOST_CARDS} that carry most of {count} are shown."),
            _ => String::new(),
        };
        let information = &self.analysis.information;
        vec![
            wide(
                "units-weights",
                &html,
                &format!(
                    "Left, a unit's column of W: the pixels that make it fire (red) or keep it off (blue). Right, its row of A: the pixels that it lights or darkens. In equilibrium both are \
                     the same; the angle between them is beneath, with how often the unit is on, how often it changes, and what it carries of the path entropy production.{left_out}"
                ),
            ),
            format!(
                "<p>Mutual information of an image and the word after it: between {} and {} nats; of a word and the next one: between {} and {} nats.</p>",
                information.image_and_word.low, information.image_and_word.high, information.words.low, information.words.high
            ),
        ]
    }

    fn card(&self, figures: &UnitFigures) -> String {
        let unit = figures.unit;
        let rows = [
            ("W", self.parameters.forward.column(unit).mapv(f64::from)),
            ("A", self.parameters.backward.row(unit).mapv(f64::from)),
        ];
        let mut html = String::from(r#"<div class="card"><div>"#);
        for (name, weights) in &rows {
            let picture = png::data_uri(picture(weights.view(), self.size));
            let _ = write!(html, r#"<img class="pixels" src="{picture}" alt="{name} of unit {unit}">"#);
        }
        let angle = figures
            .angle
            .map_or(String::new(), |angle| format!("<span>{angle:.0}° apart</span>"));
        let _ = write!(
            html,
            "</div><b>{unit}</b><span>on {:.2}</span><span>changes {:.2}</span><span>σ {:.2}</span>{angle}</div>",
            figures.on,
            figures.flip_rate,
            figures.path_entropy_production.value.unwrap_or(0.0)
        );
        html
    }
}
