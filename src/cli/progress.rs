//! How training goes, for eyes: a bar on a terminal, and lines that stay.

use std::fmt::Write;
use std::io::IsTerminal;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::{say, warn};
use crate::evaluation::Figures;
use crate::files::UnreadLine;
use crate::training::Observer;
use crate::training::kept_steps::is_kept;
use crate::training::metrics::Metrics;

/// What stands before an entropy production that rests on plain means.
pub const ROUGH: char = '~';

/// Shows the progress of one training run.
pub struct Progress {
    display: Display,
    run: String,
    steps: u64,
    per_decade: u32,
    /// The step of the line printed last.
    printed: Option<u64>,
}

enum Display {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    /// Of the run in a folder, from a step to the last one; a line stays for each of the kept checkpoints.
    pub fn new(run: &str, step: u64, steps: u64, per_decade: u32, quiet: bool) -> Self {
        let display = if quiet {
            Display::Nothing
        } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
            let bar = ProgressBar::new(steps).with_position(step);
            if let Ok(style) = ProgressStyle::with_template("{bar:12} {pos}/{len}{rate}{left}  {wide_msg}") {
                // Nothing is known before a second of training.
                let is_known = |state: &ProgressState| state.elapsed().as_secs() >= 1 && state.per_sec() > 0.0;
                bar.set_style(
                    style
                        .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
                            let _ = is_known(state).then(|| write!(out, "  {:.0} steps/s", state.per_sec()));
                        })
                        .with_key("left", move |state: &ProgressState, out: &mut dyn Write| {
                            let _ = is_known(state).then(|| write!(out, "  {} left", HumanDuration(state.eta())));
                        }),
                );
            }
            bar.reset_eta();
            Display::Bar(bar)
        } else {
            Display::Lines
        };
        Self {
            display,
            run: run.to_owned(),
            steps,
            per_decade,
            printed: None,
        }
    }

    /// Clears the bar; the lines stay.
    pub fn close(self) {
        if let Display::Bar(bar) = self.display {
            bar.finish_and_clear();
        }
    }

    /// Was a checkpoint kept since the last line, or is it the first or the last one?
    fn is_due(&self, step: u64) -> bool {
        let since = self.printed.map_or(step, |printed| printed + 1);
        step == self.steps || self.printed.is_none() || (since..=step).any(|step| is_kept(step, self.per_decade))
    }
}

/// The first of some texts, as many as the terminal has room for beside the bar.
fn that_fit(texts: &[String]) -> String {
    /// What stands before them, at its longest.
    const BEFORE: usize = 56;
    let (_, width) = console::Term::stderr().size();
    let joined = |count: usize| texts[..count].join(", ");
    let fits = |count: &usize| BEFORE + joined(*count).chars().count() <= usize::from(width);
    (1..=texts.len()).rev().find(fits).map(joined).unwrap_or_default()
}

/// What stands beside the bar.
fn main_figures(figures: &Figures) -> Vec<String> {
    let mut texts = Vec::new();
    texts.extend(figures.log_likelihood_train.map(|train| format!("log-likelihood {train:.2}")));
    texts.extend(
        figures
            .log_likelihood_bound_train
            .map(|train| format!("log-likelihood above {train:.2}")),
    );
    texts.extend(
        figures
            .entropy_production
            .map(|sigma| format!("entropy production {ROUGH}{sigma:.2}")),
    );
    texts.extend(figures.lit_pixels.map(|lit| format!("lit pixels {lit:.1}")));
    texts
}

/// A line that stays.
fn in_words(metrics: &Metrics) -> String {
    let figures = &metrics.figures;
    let or_none = |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"));
    let Some(train) = figures.log_likelihood_train else {
        let above = match figures.log_likelihood_bound_train {
            Some(train) => format!(
                "log-likelihood above {train:.3} (test {})  ",
                or_none(figures.log_likelihood_bound_test, 3)
            ),
            None => String::new(),
        };
        let at_chains = metrics.path_entropy_production_chains;
        return format!(
            "{above}path entropy production {:.1}{}  class divergence {}  lit pixels {}",
            figures.path_entropy_production,
            at_chains.map_or(String::new(), |produced| format!(" (persistent chains {produced:.1})")),
            or_none(figures.class_kl, 4),
            or_none(figures.lit_pixels, 1)
        );
    };
    format!(
        "log-likelihood {train:.3} (test {})  entropy production {ROUGH}{}  self-transition {:.4}",
        or_none(figures.log_likelihood_test, 3),
        or_none(figures.entropy_production, 3),
        figures.self_transition
    )
}

impl Observer for Progress {
    fn pseudo_count(&mut self, pseudo_count: f64) {
        let line = format!("{}: pseudo-count {pseudo_count}", self.run);
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| say(line)),
            Display::Lines => say(line),
            Display::Nothing => (),
        }
    }

    fn passed_over(&mut self, line: &UnreadLine) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| warn(line)),
            Display::Lines | Display::Nothing => warn(line),
        }
    }

    fn stepped(&mut self, step: u64) {
        if let Display::Bar(bar) = &self.display {
            bar.set_position(step);
        }
    }

    fn evaluated(&mut self, metrics: &Metrics) {
        let figures = &metrics.figures;
        if let Display::Bar(bar) = &self.display {
            bar.set_message(that_fit(&main_figures(figures)));
        }
        if !self.is_due(metrics.step) {
            return;
        }
        self.printed = Some(metrics.step);
        let line = format!("step {:>7}  {:>7.1} s  {}", metrics.step, metrics.seconds, in_words(metrics));
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| say(line)),
            Display::Lines => say(line),
            Display::Nothing => (),
        }
    }
}
