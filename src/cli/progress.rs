//! How training goes, for eyes: a bar on a terminal, plain lines in a pipe.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{say, warn};
use crate::files::UnreadLine;
use crate::training::Observer;
use crate::training::metrics::Metrics;

/// Shows the progress of one training run.
pub struct Progress {
    display: Display,
    run: String,
    steps: u64,
    /// The step of the line printed last.
    printed: Option<u64>,
}

enum Display {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    /// Of the run in a folder, from a step to the last one.
    pub fn new(run: &str, step: u64, steps: u64, quiet: bool) -> Self {
        let display = if quiet {
            Display::Nothing
        } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
            let bar = ProgressBar::new(steps).with_position(step);
            let template = "{bar:24} {pos}/{len}  {rate}  {eta} left  {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = write!(out, "{:.0} steps/s", state.per_sec());
                }));
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
            printed: None,
        }
    }

    /// Leaves the bar as it is.
    pub fn close(self) {
        if let Display::Bar(bar) = self.display {
            bar.abandon();
        }
    }
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
        match &self.display {
            Display::Bar(bar) => bar.set_message(format!(
                "log-likelihood {:.2}  entropy production {:.2}  self-transition {:.4}",
                figures.log_likelihood_train, figures.entropy_production, figures.self_transition
            )),
            // A log is read later: about twenty lines are enough, metrics.jsonl has them all.
            Display::Lines => {
                let due = self.printed.is_none_or(|printed| metrics.step - printed >= self.steps / 20);
                if due || metrics.step == self.steps {
                    self.printed = Some(metrics.step);
                    let test = figures.log_likelihood_test.map_or("-".to_owned(), |test| format!("{test:.3}"));
                    say(format_args!(
                        "step {:>7}  {:>7.1} s  log-likelihood {:.3} (test {test})  entropy production {:.3}  self-transition {:.4}",
                        metrics.step, metrics.seconds, figures.log_likelihood_train, figures.entropy_production, figures.self_transition
                    ));
                }
            }
            Display::Nothing => (),
        }
    }
}
