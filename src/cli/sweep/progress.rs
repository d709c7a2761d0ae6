//! How a sweep goes, for eyes: a bar over runs on a terminal, a line for each run in a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{counted, say};
use crate::analysis::Headline;
use crate::sweep::summary::{RunRecord, RunStatus};

/// Shows the progress of a sweep.
pub struct SweepProgress {
    display: Display,
    total: usize,
    ended: usize,
    failed: usize,
    running: Vec<String>,
}

enum Display {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl SweepProgress {
    /// With so many of all runs finished before.
    pub fn new(finished: usize, total: usize, jobs: usize, threads: usize, quiet: bool) -> Self {
        let display = if quiet {
            Display::Nothing
        } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
            let bar = ProgressBar::new(total as u64).with_position(finished as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} runs{prefix}, {eta} left  {wide_msg}") {
                bar.set_style(style);
            }
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_secs(1));
            Display::Bar(bar)
        } else {
            Display::Lines
        };
        if !matches!(display, Display::Nothing) {
            let earlier = if finished > 0 {
                format!(", {finished} of them finished before")
            } else {
                String::new()
            };
            say(format_args!(
                "{}{earlier}; {} at a time, with {} each",
                counted(total, "run"),
                jobs,
                counted(threads, "thread")
            ));
        }
        Self {
            display,
            total,
            ended: finished,
            failed: 0,
            running: Vec::new(),
        }
    }

    /// A run begins.
    pub fn started(&mut self, name: &str) {
        self.running.push(name.to_owned());
        self.show();
    }

    /// A run ended, one way or the other.
    pub fn ended(&mut self, record: &RunRecord) {
        let name = &record.run.name;
        self.running.retain(|running| running != name);
        let said = match (record.status, &record.figures, &record.error) {
            (RunStatus::Finished, Some(figures), _) => main_figures(figures),
            (RunStatus::Failed, _, Some(error)) => {
                self.failed += 1;
                format!("failed: {error}")
            }
            _ => {
                self.show();
                return;
            }
        };
        self.ended += 1;
        let line = format!("{name}: {said}");
        match &self.display {
            Display::Bar(bar) if record.status == RunStatus::Failed => bar.suspend(|| say(line)),
            Display::Lines => say(format_args!("{}/{}  {line}", self.ended, self.total)),
            _ => (),
        }
        self.show();
    }

    fn show(&self) {
        if let Display::Bar(bar) = &self.display {
            if self.failed > 0 {
                bar.set_prefix(format!(", {} failed", self.failed));
            }
            bar.set_position(self.ended as u64);
            bar.set_message(self.running.join("  "));
        }
    }

    /// Leaves the bar as it is.
    pub fn close(self) {
        if let Display::Bar(bar) = self.display {
            bar.abandon();
        }
    }
}

fn main_figures(figures: &Headline) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    if figures.log_likelihood_bound_train.value.is_some() {
        return format!(
            "log-likelihood above {} (test {})  path entropy production {}  class divergence {}",
            number(figures.log_likelihood_bound_train.value, 3),
            number(figures.log_likelihood_bound_test.value, 3),
            number(figures.path_entropy_production.value, 1),
            number(figures.class_kl.value, 4)
        );
    }
    format!(
        "log-likelihood {} (test {})  entropy production {}  self-transition {}",
        number(figures.log_likelihood_train.value, 3),
        number(figures.log_likelihood_test.value, 3),
        number(figures.entropy_production.value, 3),
        number(figures.self_transition.value, 4)
    )
}
