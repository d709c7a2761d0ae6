//! report.html: one page with every figure of an analysis and what it means; it needs no other file.

use std::fmt::Write;

use super::{curves, film, graph, grid, heatmap, laws, macrostates, plane, png, spectrum, tables, units};
use crate::analysis::measures::{MEASURES, charts};
use crate::analysis::{Analysis, Headline, MOST_TABLED, Macrostates};
use crate::codes::Codes;
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::model::Parameters;
use crate::random::Seed;
use crate::training::metrics::Metrics;

/// Cycles shown as strips.
const STRIPS: usize = 5;

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
    /// The figures noted while training.
    pub evaluations: &'a [Metrics],
}

impl Page<'_> {
    /// The page.
    ///
    /// # Errors
    /// When a chart cannot be drawn, in words.
    pub fn html(&self) -> anyhow::Result<String> {
        let analysis = self.analysis;
        let order = heatmap::order_by_cycles(&analysis.cycles, analysis.stationary.as_slice().unwrap_or_default());
        let mut body = String::new();
        let step = analysis
            .headline
            .step
            .map_or(String::new(), |step| format!(" after {step} training steps"));
        let _ = write!(
            body,
            "<header><h1>{}</h1><p>A generative Markov chain of {} latent states and {} pixels{step}. {}</p></header>",
            escape(self.name),
            analysis.latent,
            analysis.visible,
            self.verdict()
        );
        body.push_str(&self.headlines());
        body.push_str(&self.training()?);
        body.push_str(&plane::html(analysis, self.parameters, self.size));
        body.push_str(&self.currents(&order));
        body.push_str(&self.cycles());
        body.push_str(&macrostates::section(analysis));
        body.push_str(&units::sections(analysis, self.parameters, self.size));
        body.push_str(&laws::html(analysis.laws.as_ref()));
        body.push_str(&self.images());
        body.push_str(&self.method());
        Ok(document(self.name, "", &body))
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
        let states: Vec<String> = analysis.reversibility.strongest_loop.iter().map(usize::to_string).collect();
        format!(
            "Its latent chain is out of equilibrium: by Kolmogorov's criterion it is reversible only if every loop costs nothing to run \
             backwards, and the loop {} costs {cost} nats.",
            states.join(" → ")
        )
    }

    fn headlines(&self) -> String {
        let mut html = String::from(r#"<div class="headlines">"#);
        for measure in &MEASURES {
            let ((name, unit), figure) = (measure.card, (measure.of)(&self.analysis.headline));
            let over_images = figure.standard_error_over_images;
            let over_images = over_images.map_or(String::new(), |error| format!("<small>± {:.2} over images</small>", 1.96 * error));
            let note = figure
                .note
                .as_ref()
                .map_or(over_images, |note| format!("<small>{}</small>", escape(note)));
            let _ = write!(html, "<div><h3>{name}</h3><b>{figure}</b><span>{unit}</span>{note}</div>");
        }
        html.push_str("</div>");
        section(
            "Figures",
            &[figure(
                "headlines",
                &html,
                "Each figure is followed by the half width of its 95% interval, which says how well the latent kernel is known from draws; ± over images is \
                 that of a mean over all images of the kind. \
                 Entropy production: σ = ½ Σ J<sub>ij</sub> ln(F<sub>ij</sub>/F<sub>ji</sub>) with fluxes F<sub>ij</sub> = π<sub>i</sub>T<sub>ij</sub> and \
                 currents J<sub>ij</sub> = F<sub>ij</sub> − F<sub>ji</sub>; it is zero in equilibrium and at most that of the whole path, which sees the images \
                 too. Self-transition: Σ π<sub>k</sub>T<sub>kk</sub>. Relaxation time: −1/ln|λ<sub>2</sub>|; rotation period: 2π/arg λ of the slowest complex eigenvalue.",
            )],
        )
    }

    fn training(&self) -> anyhow::Result<String> {
        if self.evaluations.is_empty() && self.checkpoints.is_empty() {
            return Ok(section(
                "Over training",
                &["<p>No figures over training were found beside this record.</p>".to_owned()],
            ));
        }
        let points = if self.checkpoints.is_empty() {
            " <code>analyze --all-checkpoints</code> adds points with intervals."
        } else {
            " Points with bars: checkpoints, analyzed with 95% intervals."
        };
        let mut figures = Vec::new();
        for (index, (chart, measures)) in charts().into_iter().enumerate() {
            let svg = curves::svg(&measures, self.evaluations, self.checkpoints).map_err(anyhow::Error::msg)?;
            figures.push(figure(
                &format!("training-{index}"),
                &format!("<h3>{}, {}</h3>{svg}", chart.title, measures[0].unit),
                &format!("{}{points}", chart.caption),
            ));
        }
        Ok(section("Over training", &figures))
    }

    fn currents(&self, order: &[usize]) -> String {
        let analysis = self.analysis;
        let mut figures = vec![match self.shown_as_macrostates() {
            Some(found) => macrostates::graph(found, self.size),
            None => self.graph_of_states(order),
        }];
        if analysis.latent <= MOST_TABLED {
            figures.extend([
                figure(
                    "map-transitions",
                    &format!("<h3>Transitions</h3>{}", heatmap::transitions(&analysis.transition, order)),
                    if analysis.cycles.is_empty() {
                        "T<sub>jk</sub> = Σ<sub>x</sub> q(x|j) p(k|x), from the row's state to the column's, on a logarithmic scale. States stand in the order of their \
                         weight."
                    } else {
                        "T<sub>jk</sub> = Σ<sub>x</sub> q(x|j) p(k|x), from the row's state to the column's, on a logarithmic scale. States stand in the order of the \
                         strongest cycle, so that a chain that cycles is bright just above the diagonal, and dark on it."
                    },
                ),
                figure(
                    "map-currents",
                    &format!("<h3>Currents</h3>{}", heatmap::currents(&analysis.currents, order)),
                    "J<sub>ij</sub> = π<sub>i</sub>T<sub>ij</sub> − π<sub>j</sub>T<sub>ji</sub>, net steps per step: red where the row's state leads to the column's, blue \
                     where it is led to, the colour as strong as the square root of the current. The map is antisymmetric and its rows sum to zero; in equilibrium it is blank.",
                ),
            ]);
        }
        figures.push(
                figure(
                    "spectrum",
                    &format!("<h3>Spectrum</h3>{}", spectrum::svg(&analysis.eigenvalues)),
                    "The eigenvalues of T in the unit circle; 1 is the steady state. The nearer another is to the rim, the longer the chain remembers; off the real \
                     axis it rotates as it forgets, which no reversible chain can.",
                ));
        if !analysis.notes.is_empty() {
            figures.insert(0, format!("<p>{}</p>", escape(&analysis.notes.join(" "))));
        }
        section("Currents", &figures)
    }

    /// The macrostates, where the states are too many for one picture.
    fn shown_as_macrostates(&self) -> Option<&Macrostates> {
        self.analysis
            .macrostates
            .as_ref()
            .filter(|_| self.analysis.latent > graph::MOST_NODES)
    }

    fn graph_of_states(&self, order: &[usize]) -> String {
        let analysis = self.analysis;
        let shown = if analysis.latent > graph::MOST_NODES {
            format!(
                " The {} states with most current are shown, of {}.",
                graph::MOST_NODES,
                analysis.latent
            )
        } else {
            String::new()
        };
        let states = graph::Graph {
            weights: &analysis.stationary,
            stay: analysis.transition.diag().to_vec(),
            currents: &analysis.currents,
            mean_images: &analysis.mean_images,
            names: (0..analysis.latent).map(|state| state.to_string()).collect(),
            noun: "state",
        };
        wide(
            "graph",
            &graph::svg(&states, order, self.size),
            &format!(
                "Where probability flows. Each node is the mean image s(A<sub>k</sub>) of a state, its size the weight π<sub>k</sub>; each arrow is a net \
                         current J<sub>ij</sub>, as wide as it is strong (the faintest are left out). Follow the arrows: in equilibrium there would be none.{shown}"
            ),
        )
    }

    fn cycles(&self) -> String {
        let analysis = self.analysis;
        let model = Conditionals::new(self.parameters);
        let of_macrostates = self.shown_as_macrostates().map_or(String::new(), |found| {
            macrostates::cycles(found, &analysis.estimate.kernel.steady, &model, self.size, self.seed)
        });
        let mut strongest: Vec<_> = self.analysis.cycles.iter().collect();
        let carried = |cycle: &crate::analysis::CycleFigures| cycle.share.unwrap_or(0.0);
        strongest.sort_by(|a, b| carried(b).total_cmp(&carried(a)));
        let mut strips = String::new();
        for (number, cycle) in strongest.into_iter().take(STRIPS).enumerate() {
            let affinity = cycle
                .affinity
                .map_or("infinite".to_owned(), |affinity| format!("{affinity:.2} nats"));
            let share = cycle
                .share
                .map_or(String::new(), |share| format!(", {:.1}% of the entropy production", 100.0 * share));
            let _ = write!(
                strips,
                r#"{}<p class="under">{:.3e} turns per step, affinity {affinity}{share}</p>"#,
                film::strip(&model, &film::frames(&cycle.states), self.size, self.seed, number as u64),
                cycle.weight
            );
        }
        if analysis.cycles.is_empty() && !analysis.reversibility.reversible {
            // They were not looked for, as the notes say.
            return match of_macrostates.is_empty() {
                true => of_macrostates,
                false => section("Cycles", &[of_macrostates]),
            };
        }
        if strips.is_empty() {
            strips.push_str("<p>There are no currents, and so no cycles.</p>");
        }
        let null = self.analysis.shuffled_entropy_production.as_ref();
        let null = null.map_or(String::new(), |null| format!(" As a null model: {null}."));
        section(
            "Cycles",
            &[of_macrostates
                + &wide(
                    "cycles",
                    &strips,
                    &format!(
                        "What the chain dreams as it goes round: the {} of {} cycles that carry most of the entropy production. Each image was drawn from q(x|k) of the \
                     state beneath it, on its way to the next. The net currents are a sum of simple cycles with weights w<sub>C</sub>, found by removing the widest \
                     first; with the affinities A<sub>C</sub> = Σ ln(T<sub>ij</sub>/T<sub>ji</sub>) around them, Σ w<sub>C</sub>A<sub>C</sub> is the entropy production.{null}",
                        STRIPS.min(self.analysis.cycles.len()),
                        self.analysis.cycles.len()
                    ),
                )],
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
                "<p>{}. Of {} transition probabilities {} have a relative standard error above 10%, the worst {:.1}%; the entropy production's is {}, that of the path {}. \
                 Rows of T summed to 1 within {:.1e} before they were divided by their sums.</p>",
                escape(method),
                latent * latent,
                precision.transitions_above_10_percent,
                100.0 * precision.worst_transition,
                relative(precision.entropy_production),
                relative(precision.path_entropy_production),
                precision.worst_row_sum
            )],
        )
    }
}

/// A whole page with the style of all pages, and more of its own.
pub(super) fn document(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} - latent-cycles</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        escape(title),
        include_str!("page.css")
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
