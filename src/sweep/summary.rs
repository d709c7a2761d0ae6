//! The figures of every run of a sweep, summary.csv and times.csv.

use std::fmt;
use std::path::Path;

use super::folder::{RunProgress, SweepFolder};
use super::plan::Plan;
use super::pool::Failure;
use super::run::PlannedRun;
use crate::analysis::Headline;
use crate::analysis::measures::Measure;
use crate::files::{self, FileError, JsonLines, UnreadLine};
use crate::training::metrics::Metrics;

/// How a run of a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It has its figures.
    Finished,
    /// One of its commands failed.
    Failed,
    /// Not yet done: the sweep was stopped before.
    Missing,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Missing => "missing",
        })
    }
}

/// A run with what came of it.
#[derive(Clone, Debug)]
pub struct RunRecord<'a> {
    /// As planned.
    pub run: &'a PlannedRun,
    /// How it stands.
    pub status: RunStatus,
    /// Training steps done.
    pub steps: Option<u64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// The figures of a finished run: of its analysis, or without one the last of its training, which have no intervals.
    pub figures: Option<Headline>,
    /// Why it failed.
    pub error: Option<String>,
    /// Lines of its metrics.jsonl that could not be read.
    pub unread: Vec<UnreadLine>,
}

impl<'a> RunRecord<'a> {
    /// What has come of a run: from its folder, and how its commands ended where they were run.
    pub fn read(folder: &SweepFolder, run: &'a PlannedRun, analyze: bool, ended: Result<(), Failure>) -> Self {
        let path = folder.run(&run.name);
        let lines: JsonLines<Metrics> = files::read_json_lines(&path.join("metrics.jsonl")).unwrap_or_default();
        let last = lines.values.last();
        let mut record = Self {
            run,
            status: RunStatus::Missing,
            steps: last.map(|line| line.step),
            seconds: last.map(|line| line.seconds),
            figures: None,
            error: None,
            unread: lines.unread,
        };
        let needed = if analyze { RunProgress::Analyzed } else { RunProgress::Trained };
        let found = match (ended, folder.progress(run)) {
            (Err(Failure::Stopped), _) => return record,
            (Err(Failure::Failed(error)), _) => Err(error),
            (_, Err(error)) => Err(error.to_string()),
            (_, Ok((progress, _))) if progress < needed => match files::read_at_most(&folder.error(&run.name), 1 << 20) {
                Ok(error) => Err(String::from_utf8_lossy(&error).trim().to_owned()),
                Err(_) => return record,
            },
            _ if analyze => figures_of_analysis(&path.join("analysis/analysis.json")),
            _ => last
                .map(|line| Headline::noted(line.step, &line.figures))
                .ok_or_else(|| format!("{}: metrics.jsonl has no line that can be read", path.display())),
        };
        match found {
            Ok(figures) => (record.status, record.figures) = (RunStatus::Finished, Some(figures)),
            Err(error) => (record.status, record.error) = (RunStatus::Failed, Some(error)),
        }
        record
    }
}

/// How many runs stand so.
pub fn count(records: &[RunRecord], status: RunStatus) -> usize {
    records.iter().filter(|record| record.status == status).count()
}

fn figures_of_analysis(path: &Path) -> Result<Headline, String> {
    let content = files::read_at_most(path, 1 << 32).map_err(|error| error.to_string())?;
    serde_json::from_slice(&content).map_err(|error| format!("{}: {error}; analyze the run again", path.display()))
}

/// Writes summary.csv: one row a run, in the order of the sweep; a cell without a value is empty. The same runs give the same bytes, wherever
/// and however they were computed.
///
/// # Errors
/// When the file cannot be written.
pub fn write_csv(folder: &SweepFolder, plan: &Plan, records: &[RunRecord]) -> Result<(), FileError> {
    let (measures, has_variants) = (plan.measures(), plan.runs.iter().any(|run| run.variant.is_some()));
    let rows = records.iter().map(|record| row(record, &measures, has_variants));
    write_rows(
        &folder.file("summary.csv"),
        std::iter::once(header(plan, &measures, has_variants)).chain(rows),
    )
}

/// Writes times.csv: the seconds that each run was in training.
///
/// # Errors
/// When the file cannot be written.
pub fn write_times(folder: &SweepFolder, records: &[RunRecord]) -> Result<(), FileError> {
    let row = |record: &RunRecord| {
        let seconds = record.seconds.map_or(String::new(), |seconds| format!("{seconds:.3}"));
        vec![record.run.name.clone(), seconds]
    };
    let header = ["run", "seconds"].map(str::to_owned).to_vec();
    write_rows(&folder.file("times.csv"), std::iter::once(header).chain(records.iter().map(row)))
}

fn write_rows(path: &Path, rows: impl Iterator<Item = Vec<String>>) -> Result<(), FileError> {
    let error = |source: csv::Error| FileError::Write {
        path: path.to_owned(),
        source: source.into(),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(error)?;
    }
    let content = writer.into_inner().map_err(|error| FileError::Write {
        path: path.to_owned(),
        source: error.into_error(),
    })?;
    files::write(path, &content)
}

fn header(plan: &Plan, measures: &[&Measure], has_variants: bool) -> Vec<String> {
    let mut names = vec!["run".to_owned()];
    names.extend(has_variants.then(|| "variant".to_owned()));
    names.extend(plan.keys.iter().cloned());
    names.extend(["status", "steps"].map(str::to_owned));
    for Measure { key, .. } in measures {
        names.extend([(*key).to_owned(), format!("{key}_low"), format!("{key}_high")]);
    }
    names.push("error".to_owned());
    names
}

fn row(record: &RunRecord, measures: &[&Measure], has_variants: bool) -> Vec<String> {
    let run = record.run;
    let mut cells = vec![run.name.clone()];
    cells.extend(has_variants.then(|| run.variant.clone().unwrap_or_default()));
    cells.extend(run.values.iter().cloned());
    cells.push(record.status.to_string());
    cells.push(record.steps.map_or(String::new(), |steps| steps.to_string()));
    for measure in measures {
        let figure = record.figures.as_ref().map(measure.of);
        let parts = figure.map_or([None; 3], |figure| [figure.value, figure.low, figure.high]);
        cells.extend(parts.map(|part| part.map_or(String::new(), |part| part.to_string())));
    }
    cells.push(record.error.clone().unwrap_or_default());
    cells
}
