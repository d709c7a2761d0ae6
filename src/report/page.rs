//! report.html: one page with every figure of an analysis and what it means; it needs no other file.

use std::fmt::Write;

use super::names::letters;
use super::provenance::Provenance;
use super::{currents, cycles, drawings, emergence, grid, headlines, heatmap, laws, macrostates, plane, png, tables, units};
use crate::analysis::{Analysis, Headline};
use crate::codes::Codes;
use crate::data::packed::PackedImages;
use crate::model::Parameters;
use crate::random::Seed;
use crate::training::metrics::Metrics;

/// What the page shows.
pub struct Page<'a> {
    /// The run or record, in words.
    pub name: &'a str,
    /// Its analysis.
    pub analysis: &'a Analysis,
    /// Height and width of an image.
    pub size: (usize, usize),
    /// The model.
    pub parameters: &'a Parameters,
    /// The seed of the images drawn for the page.
    pub seed: Seed,
    /// Analyses of the run's checkpoints.
    pub checkpoints: &'a [Headline],
    /// What is shown of each checkpoint that was analyzed just now.
    pub stills: &'a [emergence::Still],
    /// Where the model comes from.
    pub provenance: Provenance<'a>,
    /// The figures noted while training.
    pub evaluations: &'a [Metrics],
}

/// Beneath the single figures.
const CAPTION: &str = "Each figure has its 95% interval. Of a log-likelihood, a mean over images, it says how far the mean over as many other images of the kind could lie; \
                 what the draws behind the latent kernel add to it, for these very images, stands beneath. Of all other figures it says how well the kernel is known from draws. \
                 Entropy production: σ = ½ Σ J<sub>ij</sub> ln(F<sub>ij</sub>/F<sub>ji</sub>) with fluxes F<sub>ij</sub> = π<sub>i</sub>T<sub>ij</sub> and \
                 currents J<sub>ij</sub> = F<sub>ij</sub> − F<sub>ji</sub>; it is zero in equilibrium and at most that of the whole path, which sees the images \
                 too. Self-transition: Σ π<sub>k</sub>T<sub>kk</sub>. Relaxation time: −1/ln|λ<sub>2</sub>|; rotation period: 2π/arg λ of the slowest complex eigenvalue.";

impl Page<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let analysis = self.analysis;
        let resolved: Vec<_> = analysis.cycles.iter().filter(|cycle| cycle.resolved).collect();
        let order = heatmap::order_by_cycles(&resolved, analysis.stationary.as_slice().unwrap_or_default());
        let mut body = String::new();
        let step = analysis
            .headline
            .step
            .map_or(String::new(), |step| format!(" after {step} training steps"));
        let _ = write!(
            body,
            "<header><h1>{}</h1><p>A generative Markov chain of {} latent states and {} pixels{step}. {}</p><p>States are named by letters: A is state 0 of analysis.json and latent.npz, \
             B state 1, and so on{}.</p></header>",
            escape(self.name),
            analysis.latent,
            analysis.visible,
            self.verdict(),
            if analysis.latent > 26 { "; AA follows Z" } else { "" }
        );
        body.push_str(&headlines::figures(&analysis.headline, CAPTION));
        body.push_str(&headlines::over_training(self.evaluations, self.checkpoints));
        body.push_str(&plane::html(analysis, self.parameters, self.size));
        body.push_str(&currents::section(self, &order));
        if let Some(emergence) = emergence::figure(self.stills, &order, self.size) {
            // On paper it would say again what stands above.
            body.push_str(&format!(r#"<div class="on-screen">{}</div>"#, section("Emergence", &[emergence])));
        }
        body.push_str(&cycles::section(self));
        body.push_str(&macrostates::section(analysis));
        body.push_str(&units::sections(analysis, self.parameters, self.size));
        body.push_str(&laws::html(analysis.laws.as_ref()));
        body.push_str(&self.images());
        body.push_str(&self.method());
        body.push_str(&self.provenance.section());
        document(self.name, "", &script(), &body)
    }

    fn verdict(&self) -> String {
        let analysis = self.analysis;
        if analysis.reversibility.reversible {
            let why = analysis.reversibility.affinity.note.as_deref();
            let why = why.unwrap_or("no loop runs one way more often than the other, as far as the draws can tell");
            return format!("Its latent chain is in equilibrium: {why}.");
        }
        let affinity = &analysis.reversibility.affinity;
        if analysis.reversibility.strongest_loop.is_empty() {
            let least = analysis.headline.entropy_production.low.unwrap_or(0.0);
            return format!("Its latent chain is out of equilibrium: it produces at least {least:.2} nats per step.");
        }
        let cost = affinity.value.map_or("infinitely many".to_owned(), |_| affinity.to_string());
        let states: Vec<String> = analysis.reversibility.strongest_loop.iter().map(|&state| letters(state)).collect();
        format!(
            "Its latent chain is out of equilibrium: by Kolmogorov's criterion it is reversible only if every loop costs nothing to run \
             backwards, and the loop {} costs {cost} nats.",
            states.join(" → ")
        )
    }

    fn images(&self) -> String {
        let analysis = self.analysis;
        let samples = png::of_bytes(&grid::samples(&PackedImages::pack(&analysis.generated), self.size));
        let mut figures = Vec::new();
        if let Some(classes) = &analysis.classes {
            figures.push(figure(
                "classes",
                &format!("<h3>Classes</h3>{}", tables::classes(classes)),
                &format!(
                    "Does it draw each class as often as the data have it? Drawn: {} images of chains that walked ten steps in the steady state, judged by a logistic \
                     regression that is right on {:.1}% of the test images. From π: the steady state's weights times the shares of each state's images, which must \
                     agree. By state: the weights of the states that are mostly of the class. Divergence: KL = Σ d ln(d/m) = {} nats.",
                    analysis.generated.nrows(),
                    100.0 * classes.judge_accuracy,
                    analysis.headline.class_kl
                ),
            ));
        }
        figures.push(figure(
            "samples",
            &format!(r#"<h3>Samples</h3><img class="samples pixels" src="{samples}" alt="images drawn by the chain">"#),
            "Images of 100 chains, ten steps after they started in the steady state.",
        ));
        let shown = if analysis.latent > tables::MOST_CARDS {
            format!(" The {} heaviest of {} are shown.", tables::MOST_CARDS, analysis.latent)
        } else {
            String::new()
        };
        figures.push(wide(
            "states",
            &format!("<h3>States</h3>{}", tables::states(analysis, &Codes::of(self.parameters.layers.last()), self.size)),
            &format!(
                "The mean image of every state, heaviest first, with its weight π<sub>k</sub>, its self-transition T<sub>kk</sub> and the classes of the images drawn \
                 from it.{shown}"
            ),
        ));
        section("Images", &figures)
    }

    fn method(&self) -> String {
        let Analysis {
            precision, method, latent, ..
        } = self.analysis;
        let relative = |error: Option<f64>| error.map_or("none".to_owned(), |error| format!("{:.2}%", 100.0 * error));
        section(
            "Method",
            &[format!(
                "<p>{}. Of {} transition probabilities {} have a relative standard error above 10%, which carry {:.2}% of the steps between states, the worst {:.1}%; the entropy production's is {}, that of the path {}. \
                 Rows of T summed to 1 within {:.1e} before they were divided by their sums.</p>",
                escape(method),
                latent * latent,
                precision.transitions_above_10_percent,
                100.0 * precision.traffic_above_10_percent,
                100.0 * precision.worst_transition,
                relative(precision.entropy_production),
                relative(precision.path_entropy_production),
                precision.worst_row_sum
            )],
        )
    }
}

/// What the pages of analyses run.
pub(super) fn script() -> String {
    format!(
        "<script type=\"application/json\" id=\"palette\">{}</script>\n<script type=\"module\">\n{}</script>\n",
        drawings::palette(),
        include_str!("page.js")
    )
}

/// A whole page with the style of all pages, and more of its own; `script` comes before the body and runs after it.
pub(super) fn document(title: &str, style: &str, script: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} - latent-cycles</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}{style}</style>\n\
         <style id=\"figures-style\">\n{}</style>\n{script}</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        escape(title),
        include_str!("page.css"),
        include_str!("figures.css")
    )
}

pub(super) fn section(title: &str, figures: &[String]) -> String {
    format!(
        "<section><h2>{title}</h2><div class=\"figures\">{}</div></section>",
        figures.concat()
    )
}

pub(super) fn figure(id: &str, content: &str, caption: &str) -> String {
    format!("<figure id=\"{id}\">{content}<figcaption>{caption}</figcaption></figure>")
}

/// A figure over the whole width.
pub(super) fn wide(id: &str, content: &str, caption: &str) -> String {
    format!("<figure id=\"{id}\" class=\"wide\">{content}<figcaption>{caption}</figcaption></figure>")
}

/// Text as HTML shows it.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
