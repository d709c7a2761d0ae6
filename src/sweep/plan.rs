//! A sweep as its file asks for it: every configuration resolved and checked before anything starts.

use std::path::Path;

use super::error::{PlanError, invalid};
use super::expand::expand;
use super::figures::{FigurePlan, WrittenFigure};
use super::grid::MOST_RUNS;
use super::run::PlannedRun;
use super::variants::{Variant, parse, variants};
use crate::analysis::MOST_STATES;
use crate::analysis::measures::{Measure, swept};
use crate::estimate::sampling::{GROUPS, Sampling};
use crate::files;
use crate::text::shortened;

/// A sweep: what its file asks for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file's text as given.
    pub source: String,
    /// Heading of the page.
    pub title: Option<String>,
    /// Paragraphs below it.
    pub text: Option<String>,
    /// The variant that the others are compared with.
    pub baseline: Option<String>,
    /// Is every run analyzed at its end?
    pub analyze: bool,
    /// `--samples` of these analyses.
    pub samples: Option<u32>,
    /// The keys that vary, of grids and of variants, by their dotted paths; the seed is last.
    pub keys: Vec<String>,
    /// Figures over seeds.
    pub figures: Vec<FigurePlan>,
    /// In order: by variant, then by the keys of the grid, the seed running fastest.
    pub runs: Vec<PlannedRun>,
}

impl Plan {
    /// Reads a sweep's file.
    ///
    /// # Errors
    /// Names the file, the part of it and the key, and what to write instead.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let source = files::read_at_most(path, 1 << 20)?;
        Self::from_toml(&String::from_utf8_lossy(&source), &path.display().to_string())
    }

    /// The sweep in a text that stands in `place`.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn from_toml(source: &str, place: &str) -> Result<Self, PlanError> {
        let written = parse(source, place)?;
        let variants = variants(&written, place)?;
        let count = |variant: &Variant| {
            let lengths = variant.axes.iter().map(|axis| axis.values.len());
            lengths.fold(1, usize::saturating_mul)
        };
        let total = variants.iter().map(count).fold(0, usize::saturating_add);
        if total > MOST_RUNS {
            return Err(invalid(place, format!("asks for {total} runs; a sweep has at most {MOST_RUNS}")));
        }
        if let Some(baseline) = &written.baseline
            && !variants.iter().any(|variant| variant.name.as_ref() == Some(baseline))
        {
            let names: Vec<&str> = variants.iter().filter_map(|variant| variant.name.as_deref()).collect();
            let there = if names.is_empty() {
                "there are no [[variants]]".to_owned()
            } else {
                format!("these are {}", names.join(", "))
            };
            return Err(invalid(
                place,
                format!("baseline is {}; it must be the name of a variant, and {there}", shortened(baseline)),
            ));
        }
        let (keys, runs) = expand(&variants, place)?;
        let figures = check_figures(&written.figures, &runs, place)?;
        let plan = Self {
            source: source.to_owned(),
            title: written.title,
            text: written.text,
            baseline: written.baseline,
            analyze: written.analyze,
            samples: written.samples,
            keys,
            figures,
            runs,
        };
        plan.check_analysis(place)?;
        Ok(plan)
    }

    /// The measures that its machines have: those of sweeps, but bounds only where latent states are not listed.
    pub fn measures(&self) -> Vec<&'static Measure> {
        let listed = self.runs.iter().all(|run| run.config.model.latent.are_listed());
        swept().filter(|measure| !(listed && measure.is_bound())).collect()
    }

    /// Refuses what `analyze` would refuse after the training.
    fn check_analysis(&self, place: &str) -> Result<(), PlanError> {
        if !self.analyze {
            return match self.samples {
                Some(_) => Err(invalid(place, "samples has no effect with analyze = false; leave one out".into())),
                None => Ok(()),
            };
        }
        if self.samples.is_some_and(|samples| !(1..=10_000_000).contains(&samples)) {
            return Err(invalid(place, "samples must be a whole number from 1 to 10000000".into()));
        }
        for PlannedRun { name, config, .. } in &self.runs {
            let layers = &config.model.latent;
            let latent = layers.states();
            let model = || {
                if layers.is_one_hot() {
                    format!("model.latent = {latent}")
                } else {
                    layers.describe()
                }
            };
            if !layers.are_listed() {
                continue;
            }
            if latent > MOST_STATES {
                let problem = format!(
                    "run {name} has {}, and an analysis takes at most {MOST_STATES}; set analyze = false",
                    model()
                );
                return Err(invalid(place, problem));
            }
            let most = Sampling::most_samples(latent);
            if let Some(samples) = self.samples.filter(|&samples| (samples as usize).next_multiple_of(GROUPS) > most) {
                let problem = format!(
                    "samples is {samples}; with {}, as in run {name}, it must be at most {most}",
                    model()
                );
                return Err(invalid(place, problem));
            }
        }
        Ok(())
    }
}

/// The figures that are asked for, each with a name of its own.
fn check_figures(written: &[WrittenFigure], runs: &[PlannedRun], place: &str) -> Result<Vec<FigurePlan>, PlanError> {
    let mut keys: Vec<String> = runs.iter().flat_map(|run| &run.setting).map(|choice| choice.key.clone()).collect();
    keys.sort();
    keys.dedup();
    let has_variants = runs.iter().any(|run| run.variant.is_some());
    let mut figures: Vec<FigurePlan> = Vec::new();
    for figure in written {
        let figure = figure.check(&keys, has_variants, place)?;
        if figures.iter().any(|other| other.name.eq_ignore_ascii_case(&figure.name)) {
            let place = format!("{place}, figure {}", figure.name);
            return Err(invalid(&place, "two figures have this name; give each its own".into()));
        }
        figures.push(figure);
    }
    Ok(figures)
}
