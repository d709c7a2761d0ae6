//! report.html of a sweep: scatter plots whose points lead to the runs, and what the runs say together; it needs no script.

use std::fmt::Write;
use std::path::Path;

use super::colouring::{Colouring, legend, style};
use super::drawings;
use super::lines;
use super::page::{document, escape, figure, section, wide};
use super::provenance::Provenance;
use super::scatter::{self, ScatterPoint};
use super::sweep_tables as tables;
use crate::analysis::Headline;
use crate::analysis::measures::{CLASS_KL, ENTROPY_PRODUCTION, LOG_LIKELIHOOD_TEST, LOG_LIKELIHOOD_TRAIN, Measure, SELF_TRANSITION};
use crate::sweep::effects::Effects;
use crate::sweep::plan::Plan;
use crate::sweep::statistics::{FEWEST_SEEDS, replicates};
use crate::sweep::summary::{RunRecord, RunStatus, count};
use crate::training::manifest::Manifest;

/// Before the name of a figure that the file asks for, in its id.
const FIGURE: &str = "figure-";
/// Most runs, or settings, that are shown one by one: a page must open.
const MOST_RUNS: usize = 2000;
/// Most failures that are told one by one.
const MOST_FAILURES: usize = 100;

/// What the page shows.
pub struct SweepPage<'a> {
    /// Of the sweep's file.
    pub name: &'a str,
    /// How it was made.
    pub command: &'a str,
    /// What was asked for.
    pub plan: &'a Plan,
    /// What came of it, run by run.
    pub records: &'a [RunRecord<'a>],
    /// What the runs say together.
    pub effects: &'a Effects,
    /// Its folder: the page links to what is there.
    pub folder: &'a Path,
    /// The manifest of one of its runs.
    pub manifest: Option<&'a Manifest>,
}

impl SweepPage<'_> {
    /// The page.
    ///
    /// # Errors
    /// When a plot cannot be drawn, in words.
    pub fn html(&self) -> Result<String, String> {
        let title = self.plan.title.as_deref().unwrap_or(self.name);
        let colourings = self.colourings();
        let mut body = self.header(title);
        body.push_str(&self.failures());
        body.push_str(&self.figures());
        body.push_str(&self.scatters(&colourings)?);
        body.push_str(&self.statistics());
        body.push_str(&section(
            "Runs",
            &[wide(
                "runs",
                &tables::runs(self.shown(), &self.plan.measures(), |record| self.link(record)),
                &format!(
                    "Each figure with the half width of its own 95% interval, where it has one. {}{}",
                    self.source(),
                    self.not_shown()
                ),
            )],
        ));
        body.push_str(&section(
            "The sweep's file",
            &[format!(r#"<pre class="wide">{}</pre>"#, escape(self.plan.source.trim_end()))],
        ));
        let provenance = Provenance {
            manifest: self.manifest,
            ..Provenance::default()
        };
        body.push_str(&provenance.section());
        Ok(document(
            title,
            &(include_str!("sweep.css").to_owned() + &style(&colourings)),
            "",
            &body,
        ))
    }

    fn header(&self, title: &str) -> String {
        let mut html = format!("<header><h1>{}</h1>", escape(title));
        let text = self.plan.text.as_deref().unwrap_or_default();
        for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            let _ = write!(html, "<p>{}</p>", escape(paragraph));
        }
        let count = |status: RunStatus| count(self.records, status);
        let (total, settings) = (self.records.len(), self.effects.settings.len());
        let seconds: f64 = self.records.iter().filter_map(|record| record.seconds).sum();
        let _ = write!(
            html,
            "<p>{total} run{} in {settings} setting{}: {} finished, {} failed, {} missing; {seconds:.0} s of training in all. Made by latent-cycles {} with \
             <code>{}</code></p></header>",
            if total == 1 { "" } else { "s" },
            if settings == 1 { "" } else { "s" },
            count(RunStatus::Finished),
            count(RunStatus::Failed),
            count(RunStatus::Missing),
            env!("CARGO_PKG_VERSION"),
            escape(self.command)
        );
        html
    }

    fn failures(&self) -> String {
        let failed = self.records.iter().filter(|record| record.status == RunStatus::Failed);
        let more = failed.clone().count().saturating_sub(MOST_FAILURES);
        let mut lines: String = failed
            .take(MOST_FAILURES)
            .map(|record| {
                let name = escape(&record.run.name);
                let error = escape(record.error.as_deref().unwrap_or_default());
                let name = match self.if_there(format!("runs/{}.log", record.run.name)) {
                    Some(address) => format!(r#"<a href="{}">{name}</a>"#, escape(&address)),
                    None => name,
                };
                format!("<li>{name}: {error}</li>")
            })
            .collect();
        if lines.is_empty() {
            return String::new();
        }
        if more > 0 {
            let _ = write!(lines, "<li>and {more} more, which summary.csv names</li>");
        }
        section(
            "Failed runs",
            &[wide(
                "failures",
                &format!("<ul>{lines}</ul>"),
                "These are in none of the figures below. Each links to what its commands said.",
            )],
        )
    }

    /// The page of a run, where it has one.
    fn link(&self, record: &RunRecord) -> Option<String> {
        self.if_there(format!("runs/{}/analysis/report.html", record.run.name))
    }

    /// An address, if there is a file.
    fn if_there(&self, address: String) -> Option<String> {
        self.folder.join(&address).is_file().then_some(address)
    }

    /// Where figures come from.
    fn source(&self) -> &'static str {
        if self.plan.analyze {
            "All figures are those of the runs' analyses."
        } else {
            "Runs were not analyzed: all figures are the last of their training, which overstate the entropy production where transitions are rare."
        }
    }

    /// The figures that the sweep's file asks for, each also a file.
    fn figures(&self) -> String {
        let figures: Vec<String> = (self.plan.figures.iter())
            .map(|plan| {
                let drawing = lines::svg(plan, &plan.lines(&self.effects.settings));
                let drawing = drawing.unwrap_or_else(|| "<p>No setting has both figures.</p>".to_owned());
                wide(
                    &format!("{FIGURE}{}", plan.name),
                    &format!("<h3>{}</h3>{drawing}", escape(&plan.title)),
                    format!(
                        "{} Points are means over seeds, bars their 95% intervals; along an axis in decades, medians and ranges. Settings of which a run lacks a figure are left out.",
                        escape(plan.text.trim())
                    )
                    .trim_start(),
                )
            })
            .collect();
        if figures.is_empty() {
            return String::new();
        }
        section("Figures", &figures)
    }

    /// The figures that the file asks for as SVG files of their own, by their names, off the page.
    pub fn drawings(html: &str) -> impl Iterator<Item = (String, String)> {
        let of_page = drawings::of_page(html).into_iter();
        of_page.filter_map(|(id, drawing)| Some((id.strip_prefix(FIGURE)?.to_owned(), drawing)))
    }

    fn scatters(&self, colourings: &[Colouring]) -> Result<String, String> {
        let mut figures = String::new();
        for measure in [LOG_LIKELIHOOD_TRAIN, LOG_LIKELIHOOD_TEST, SELF_TRANSITION, CLASS_KL] {
            let plot = scatter::svg(
                &self.points(&measure, colourings),
                &format!("{}, {}", ENTROPY_PRODUCTION.title.to_lowercase(), ENTROPY_PRODUCTION.unit),
                measure.unit,
            )?;
            let plot = plot.unwrap_or_else(|| "<p>No finished run has this figure.</p>".to_owned());
            figures.push_str(&figure(
                &format!("scatter-{}", measure.key),
                &format!("<h3>{}</h3>{plot}", measure.title),
                &if self.shown().any(|record| self.link(record).is_some()) {
                    format!("Each point is a run, and leads to its report.{}", self.not_shown())
                } else {
                    format!("Each point is a run.{}", self.not_shown())
                },
            ));
        }
        let mut choice = String::new();
        for (number, colouring) in colourings.iter().enumerate() {
            let checked = if number == 0 { " checked" } else { "" };
            let _ = write!(
                choice,
                r#"<input type="radio" name="colour" id="by-{number}"{checked}><label for="by-{number}">{}</label>"#,
                escape(&colouring.name)
            );
        }
        for (number, colouring) in colourings.iter().enumerate() {
            let _ = write!(
                choice,
                r#"<p class="legend" id="legend-{number}">{}</p>"#,
                legend(number, colouring)
            );
        }
        let label = if choice.is_empty() {
            ""
        } else {
            r#"<span class="choose">Coloured by</span>"#
        };
        Ok(format!(
            r#"<section id="scatters"><h2>Against entropy production</h2>{label}{choice}<div class="figures">{figures}</div></section>"#
        ))
    }

    fn points(&self, measure: &Measure, colourings: &[Colouring]) -> Vec<ScatterPoint> {
        let measures = self.plan.measures();
        let point = |(place, (record, figures)): (usize, (&RunRecord, &Headline))| {
            let classes = colourings.iter().enumerate();
            let classes: Vec<String> = classes
                .map(|(number, colouring)| format!("k{number}-{}", colouring.of_run[place]))
                .collect();
            let lines = measures
                .iter()
                .map(|measure| format!("\n{}: {}", measure.title, (measure.of)(figures)));
            Some(ScatterPoint {
                x: ENTROPY_PRODUCTION.value(figures)?,
                y: measure.value(figures)?,
                classes: classes.join(" "),
                link: self.link(record),
                tooltip: record.run.name.clone() + &lines.collect::<String>(),
            })
        };
        self.finished().enumerate().filter_map(point).collect()
    }

    /// The runs that are shown one by one: all, or every so many of more than a page holds.
    fn shown(&self) -> impl Iterator<Item = &RunRecord<'_>> {
        self.records.iter().step_by(step(self.records.len()))
    }

    fn not_shown(&self) -> String {
        left_out(self.records.len(), "run", "summary.csv")
    }

    /// Those of them that have figures.
    fn finished(&self) -> impl Iterator<Item = (&RunRecord<'_>, &Headline)> {
        self.shown().filter_map(|record| Some((record, record.figures.as_ref()?)))
    }

    /// The variant and the keys that have more than one value among the finished runs; the seed is last.
    fn colourings(&self) -> Vec<Colouring> {
        let of_variant = self.finished().map(|(record, _)| record.run.variant.clone().unwrap_or_default());
        let mut all = vec![Colouring::new("variant", of_variant.collect())];
        for (place, key) in self.plan.keys.iter().enumerate() {
            let values = self.finished().map(|(record, _)| record.run.values[place].clone());
            all.push(Colouring::new(key, values.collect()));
        }
        all.retain(|colouring| colouring.values.len() > 1);
        all
    }

    fn statistics(&self) -> String {
        let settings = &self.effects.settings;
        let mut figures = vec![
            wide(
                "settings",
                &tables::settings(settings.iter().step_by(step(settings.len())), &self.plan.measures()),
                &format!(
                    "Runs that differ in their seed alone. Each mean is followed by the half width of its 95% interval by Student's distribution, t s/√n over the n \
                     finished runs; s is their standard deviation. {}{}",
                    self.source(),
                    left_out(settings.len(), "setting", "summary.json")
                ),
            ),
            wide(
                "correlations",
                &format!(
                    "<h3>Rank correlation with entropy production</h3>{}",
                    tables::correlations(&self.effects.correlations)
                ),
                &format!(
                    "Spearman's. Within settings: ranks are taken in each setting and counted from their mean, then pooled, so that only seeds differ. Across \
                     settings: of the settings' means. Overall: of all runs alike. Intervals are 95%, by percentiles over {} bootstrap samples of the seeds, a \
                     seed bringing its runs of all settings along; they say how far other seeds would have moved the coefficient in these settings, and need {FEWEST_SEEDS} \
                     seeds.",
                    replicates(self.effects.correlations.iter().map(|found| found.runs).max().unwrap_or(0))
                ),
            ),
        ];
        if let Some(baseline) = &self.plan.baseline {
            figures.push(wide(
                "differences",
                &format!(
                    "<h3>Differences from {}</h3>{}",
                    escape(baseline),
                    tables::differences(&self.effects.differences, &self.plan.measures())
                ),
                "The variant less the baseline, seed by seed, between settings with the same values of the keys that both take from the sweep's grid; the mean with the \
                 half width of its 95% interval by Student's distribution. More is better for log-likelihoods and worse for the class divergence.",
            ));
        }
        section("Over seeds", &figures)
    }
}

/// Of so many runs or settings, one in how many is shown.
fn step(count: usize) -> usize {
    count.div_ceil(MOST_RUNS).max(1)
}

/// What is to be said of the others, and which file has them.
fn left_out(count: usize, noun: &str, file: &str) -> String {
    match step(count) {
        1 => String::new(),
        step => format!(" One {noun} in {step} is shown; {file} has all."),
    }
}
