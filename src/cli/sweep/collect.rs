//! What the runs of a sweep say together, as files, and how the command ends.

use anyhow::Context;

use super::{Stopped, Sweep, say, shell, warn};
use crate::files;
use crate::report::sweep_page::SweepPage;
use crate::sweep::effects::Effects;
use crate::sweep::folder::SweepFolder;
use crate::sweep::plan::Plan;
use crate::sweep::summary::{RunRecord, RunStatus, count, write_csv, write_times};
use crate::training::folder::read_manifest;

/// Failed runs named in the last line.
const NAMED: usize = 5;

impl Sweep {
    /// Writes summary.csv, times.csv, summary.json, the figures and the page.
    pub(super) fn summarize(&self, plan: &Plan, folder: &SweepFolder, records: &[RunRecord]) -> anyhow::Result<()> {
        write_csv(folder, plan, records)?;
        write_times(folder, records)?;
        let effects = Effects::new(plan, records);
        files::write(&folder.file("summary.json"), &serde_json::to_vec_pretty(&effects)?)?;
        // All runs are of one program, and most of one data set; those that are not say so in their settings.
        let manifest = plan
            .runs
            .iter()
            .find_map(|run| read_manifest(&folder.run(&run.name)).ok().flatten());
        let page = SweepPage {
            name: &self.name(folder),
            command: &self.command(false),
            plan,
            records,
            effects: &effects,
            folder: folder.path(),
            manifest: manifest.as_ref(),
        };
        let html = page.html().map_err(anyhow::Error::msg)?;
        let figures = folder.file("figures");
        for (name, drawing) in SweepPage::drawings(&html) {
            std::fs::create_dir_all(&figures).with_context(|| format!("{}: cannot be made", figures.display()))?;
            files::write(&figures.join(format!("{name}.svg")), drawing.as_bytes())?;
        }
        files::write(&folder.file("report.html"), html.as_bytes())?;
        Ok(())
    }

    /// The name of the sweep's file, of which a task has a copy in the folder.
    pub(super) fn name(&self, folder: &SweepFolder) -> String {
        let named = if self.config == folder.file("sweep.toml") {
            folder.path().file_name()
        } else {
            self.config.file_stem()
        };
        named.unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn conclude(&self, folder: &SweepFolder, records: &[RunRecord], stopped: bool) -> anyhow::Result<()> {
        records.iter().flat_map(|record| &record.unread).for_each(warn);
        let path = shell(folder.path());
        let missing = count(records, RunStatus::Missing);
        let failures = failures(folder, records, &format!("{path}/report.html and "));
        if stopped && missing > 0 {
            let failures = failures.map_or(String::new(), |failures| format!("; {failures}"));
            return Err(Stopped(format!(
                "stopped with {missing} of {} runs left{failures}; go on with: {}",
                records.len(),
                self.command(true)
            ))
            .into());
        }
        if let Some(failures) = failures {
            anyhow::bail!("{failures}; after mending the cause: {}", self.command(true));
        }
        if !self.quiet {
            say(format_args!("{path} holds report.html, summary.csv, summary.json and runs/"));
        }
        Ok(())
    }
}

/// The failed runs in words, if there are any, and where to see more of them.
pub(super) fn failures(folder: &SweepFolder, records: &[RunRecord], page: &str) -> Option<String> {
    let failed: Vec<&str> = records
        .iter()
        .filter(|record| record.status == RunStatus::Failed)
        .map(|record| record.run.name.as_str())
        .collect();
    let mut names: Vec<&str> = failed.iter().take(NAMED).copied().collect();
    if failed.len() > NAMED {
        names.push("and others");
    }
    let log = |name: &&str| shell(&folder.log(name));
    Some(format!(
        "{} of {} runs failed: {}; see {page}{}",
        failed.len(),
        records.len(),
        names.join(", "),
        failed.first().map(log)?
    ))
}
