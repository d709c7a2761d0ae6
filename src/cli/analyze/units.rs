//! `analyze` of a machine of so many binary units that its states are not listed.

use super::super::analysis_files::{Content, write_all};
use super::super::{Usage, findings, say, shell};
use super::{Analyze, Compared, Last, Task, Watched, Work, page_files};
use crate::analysis::Headline;
use crate::analysis::sampled::{UnitAnalysis, UnitSubject, analyze, json, npz};
use crate::backend::BackendName;
use crate::report::provenance::Provenance;
use crate::report::unit_page::UnitPage;

/// N, chains that the bound begins with.
const CHAINS: usize = 4096;
/// The most K.
const CANDIDATES: usize = 1600;
/// The most chains.
const MOST_CHAINS: u32 = 1 << 16;

impl Work<'_> {
    /// Analyzes machines one after the other, and writes their files.
    pub(super) fn of_units(&self, tasks: Vec<Task>) -> anyhow::Result<()> {
        let asked = self.asked;
        asked.check_for_units()?;
        let compared = self.compared(&tasks)?;
        let bar = asked.bar()?;
        if bar.is_hidden() && !asked.quiet {
            say(format_args!(
                "{}: chains are walked, and the likelihood is bounded with their help; this takes a while",
                shell(&asked.record)
            ));
        }
        let watch = Watched {
            bar: &bar,
            stop: self.stop,
        };
        let of_task = |_, task: &Task| analyze(&self.unit_subject(task, compared.as_ref()), &watch);
        let tables = |analysis: &UnitAnalysis, size, _| {
            Ok(vec![
                ("analysis.json".to_owned(), json(analysis)?),
                ("latent.npz".to_owned(), npz(analysis, size)?),
            ])
        };
        let found = self.one_after_the_other(tasks, &bar, of_task, tables, |analysis| &analysis.headline)?;
        let Last {
            task,
            analysis,
            size,
            mut contents,
            mut headlines,
        } = found;
        contents.extend(self.unit_page(&task, &analysis, &mut headlines, size)?);
        write_all(&task.folder, contents)?;
        if !asked.quiet {
            findings::of_units(&analysis);
            say(format_args!(
                "{} holds analysis.json, latent.npz, report.html and its figures as SVG in figures/",
                shell(&task.folder)
            ));
        }
        Ok(())
    }

    fn unit_subject<'a>(&self, task: &'a Task, compared: Option<&'a Compared>) -> UnitSubject<'a> {
        UnitSubject {
            parameters: &task.trained.parameters,
            recognition: task.trained.recognition.as_ref(),
            step: task.trained.step,
            data: compared.map(|compared| &compared.reference),
            classes: compared.map_or(&[], |compared| &compared.data.classes),
            seed: self.seed,
            chains: self.asked.samples.map_or(CHAINS, |chains| chains as usize),
            most_candidates: self.asked.candidates.map_or(CANDIDATES, |candidates| candidates as usize),
        }
    }

    fn unit_page(
        &self,
        task: &Task,
        analysis: &UnitAnalysis,
        headlines: &mut Vec<Headline>,
        size: (usize, usize),
    ) -> anyhow::Result<Vec<Content>> {
        let mut contents: Vec<Content> = self.checkpoints(task, headlines)?.into_iter().collect();
        let config = self.config()?;
        let page = UnitPage {
            name: &self.name(),
            analysis,
            size,
            parameters: &task.trained.parameters,
            checkpoints: headlines,
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
    /// Refuses what needs latent states that are listed.
    fn check_for_units(&self) -> Result<(), Usage> {
        let refused = if self.exact {
            Some("--exact, which enumerates transitions between latent states")
        } else if self.partition.is_some() {
            Some("--partition, which names each latent state")
        } else if self.backend != BackendName::Ndarray {
            Some("--backend, since its chains are walked on the CPU")
        } else {
            None
        };
        if let Some(refused) = refused {
            return Err(Usage(format!(
                "a machine of so many units has too many latent states to list, and its analysis has no {refused}; leave it out"
            )));
        }
        if let Some(chains) = self.samples.filter(|chains| *chains > MOST_CHAINS) {
            return Err(Usage(format!(
                "--samples is {chains}; of a machine of units it is the number of chains that pi is taken from, at most {MOST_CHAINS}"
            )));
        }
        Ok(())
    }
}
