//! `analyze` of a model whose latent states are listed.

use std::path::PathBuf;

use super::super::analysis_files::{Content, tables, write_all};
use super::super::{Usage, findings, say, shell, warn};
use super::{Analyze, Compared, Last, Task, Watched, Work, page_files};
use crate::analysis::{Analysis, AnalysisError, Headline, MOST_STATES, NamedPartition, Settings, Subject, analyze};
use crate::estimate::exact::MOST_PIXELS;
use crate::estimate::sampling::Sampling;
use crate::numerics::Numerics;
use crate::random::Seed;
use crate::report::emergence::Still;
use crate::report::provenance::Provenance;
use crate::report::{page, plane};
use crate::trained::Trained;
use crate::watch::Watch;

/// The most latent states whose analysis takes no longer than a few seconds, so that nothing is said meanwhile.
const SILENT_STATES: usize = 30;

impl Work<'_> {
    /// Analyzes models one after the other, and writes their files.
    pub(super) fn of_states(&self, tasks: Vec<Task>) -> anyhow::Result<()> {
        let asked = self.asked;
        let settings: Vec<Settings> = tasks
            .iter()
            .map(|task| asked.settings(&task.trained, self.seed))
            .collect::<Result<_, Usage>>()?;
        let compared = self.compared(&tasks)?;
        // All checkpoints of a run have its states.
        let read = |file: &PathBuf| NamedPartition::read(file, tasks[0].trained.parameters.latent());
        let partition = asked.partition.as_ref().map(read).transpose()?;
        let numerics = asked.backend.open()?;

        let (last, latent) = (tasks.len() - 1, tasks[0].trained.parameters.latent());
        asked.warn_of_fewer_draws(&tasks[last]);
        let bar = asked.bar()?;
        if bar.is_hidden() && !asked.quiet && latent > SILENT_STATES {
            say(format_args!(
                "{}: images of {latent} latent states are drawn, and all figures found from them; this takes a while",
                shell(&asked.record)
            ));
        }
        let watch = Watched {
            bar: &bar,
            stop: self.stop,
        };
        // The last model is shown among the checkpoints unless the last of them is the same.
        let (mut stills, mut shown) = (Vec::new(), None);
        let of_task = |index: usize, task: &Task| one(task, compared.as_ref(), partition.as_ref(), settings[index], &*numerics, &watch);
        let tables_of = |analysis: &Analysis, size: (usize, usize), is_last: bool| {
            let step = analysis.headline.step;
            if asked.all_checkpoints && (!is_last || shown != Some(step)) {
                stills.extend(Still::of(analysis));
            }
            shown = Some(step);
            tables(analysis, size, is_last)
        };
        let found = self.one_after_the_other(tasks, &bar, of_task, tables_of, |analysis| &analysis.headline)?;
        let Last {
            task,
            analysis,
            size,
            mut contents,
            mut headlines,
        } = found;
        // Everything is made before anything is written: no new figures stand beside an old page.
        contents.extend(self.page(&task, &analysis, (&mut headlines, &stills), size)?);
        let picture = plane::picture(&analysis, &task.trained.parameters, size);
        let beside = if picture.is_some() { ", plane.svg" } else { "" };
        contents.extend(picture.map(|picture| ("plane.svg".to_owned(), picture.into_bytes())));
        write_all(&task.folder, contents)?;
        if !asked.quiet {
            findings::all(&analysis);
            say(format_args!(
                "{} holds analysis.json, latent.npz, currents.dot{beside}, report.html and its figures as SVG in figures/",
                shell(&task.folder)
            ));
        }
        Ok(())
    }

    /// The page, with what it needs of the run, and the figures of all checkpoints where they were asked for.
    fn page(
        &self,
        task: &Task,
        analysis: &Analysis,
        (headlines, stills): (&mut Vec<Headline>, &[Still]),
        size: (usize, usize),
    ) -> anyhow::Result<Vec<Content>> {
        let mut contents: Vec<Content> = self.checkpoints(task, headlines)?.into_iter().collect();
        let config = self.config()?;
        let page = page::Page {
            name: &self.name(),
            analysis,
            size,
            parameters: &task.trained.parameters,
            seed: self.seed,
            checkpoints: headlines,
            stills,
            provenance: Provenance {
                manifest: self.run.and_then(|run| run.manifest.as_ref()),
                config: config.as_deref(),
                seed: Some(self.seed.0),
            },
            evaluations: &self.evaluations()?,
        };
        contents.extend(page_files(page.html()));
        Ok(contents)
    }
}

impl Analyze {
    fn settings(&self, trained: &Trained, seed: Seed) -> Result<Settings, Usage> {
        let (visible, latent) = (trained.parameters.visible(), trained.parameters.latent());
        if self.candidates.is_some() {
            return Err(Usage(
                "--candidates has no effect on a model whose latent states are listed, as its likelihood is exact; leave it out".into(),
            ));
        }
        if self.exact && visible > MOST_PIXELS {
            return Err(Usage(format!(
                "--exact enumerates 2^D images, for at most {MOST_PIXELS} pixels; this model has {visible}: leave it out"
            )));
        }
        if latent > MOST_STATES {
            return Err(Usage(AnalysisError::TooManyStates(latent).to_string()));
        }
        let suited = Settings::of(&trained.parameters);
        let samples = match self.samples {
            Some(samples) => Sampling::new(samples as usize, seed).samples(),
            None => suited.samples,
        };
        let most = Sampling::most_samples(latent);
        if samples > most {
            return Err(Usage(format!(
                "--samples is {samples}; with {latent} latent states it must be at most {most}"
            )));
        }
        Ok(Settings {
            exact: self.exact || (self.samples.is_none() && suited.exact),
            samples,
            seed,
        })
    }

    /// An analysis with fewer images than usual is a quick look, and would take the place of a better one.
    fn warn_of_fewer_draws(&self, task: &Task) {
        let usual = Settings::of(&task.trained.parameters).samples;
        let there = task.folder.join("analysis.json");
        if let Some(samples) = self.samples.map(|samples| samples as usize).filter(|&samples| samples < usual)
            && there.is_file()
            && !self.quiet
        {
            warn(format_args!(
                "{}, if it was made with the usual {usual} images instead of {samples}, is better than what will replace it; --out DIR keeps it",
                shell(&there)
            ));
        }
    }
}

/// Analyzes one record.
fn one(
    task: &Task,
    compared: Option<&Compared>,
    partition: Option<&NamedPartition>,
    settings: Settings,
    numerics: &dyn Numerics,
    watch: &dyn Watch,
) -> Result<Analysis, AnalysisError> {
    let subject = Subject {
        parameters: &task.trained.parameters,
        step: task.trained.step,
        data: compared.map(|compared| &compared.reference),
        classes: compared.map_or(&[], |compared| &compared.data.classes),
        partition,
    };
    let analysis = analyze(&subject, settings, numerics, watch)?;
    watch.go_on()?;
    Ok(analysis)
}
