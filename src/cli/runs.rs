//! `runs`: the runs in a folder, or some of them side by side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use toml::{Table, Value};

use super::{named_run, say, shell, warn};
use crate::analysis::Headline;
use crate::analysis::measures::{ENTROPY_PRODUCTION, LOG_LIKELIHOOD_TEST, LOG_LIKELIHOOD_TRAIN, MEASURES, Measure};
use crate::config::{Classes, Config, ModelKind, Source};
use crate::files::{self, FileError};
use crate::sweep::names;
use crate::text::shortened_to;
use crate::training::folder::{RUNS, checkpoints, holds_run};
use crate::training::metrics::Metrics;
use crate::training::runs::{KnownRun, in_folder};

/// List runs, or compare some of them
///
/// Without arguments it lists the runs in artifacts/runs, of a folder those in it; of runs that are named it shows side by side the settings that differ and
/// the figures. Figures are those of analyze where the run was analyzed, otherwise those that training noted last.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles runs
  latent-cycles runs artifacts/sweeps/sweep-example/runs
  latent-cycles runs artifacts/runs/default-ndarray-1 artifacts/runs/default-ndarray-2")]
pub struct Runs {
    /// A folder of runs, or runs to compare [default: artifacts/runs]
    #[arg(value_name = "FOLDER-or-RUN")]
    paths: Vec<PathBuf>,
}

/// Marks a figure of training.
const NOTED: char = '~';
const NOTED_MEANS: &str = "~ as training noted it last: entropy productions rest on plain means there, which overstate them; `analyze` finds the figure with its interval";
/// The longest cell of a comparison, in characters.
const LONGEST_CELL: usize = 40;

impl Runs {
    pub fn run(self) -> anyhow::Result<()> {
        match &self.paths[..] {
            [] => list(Path::new(RUNS))?,
            [folder] if folder.is_dir() && !holds_run(folder) && !holds_run(&named_run(folder)) => list(folder)?,
            runs => {
                let known: Result<Vec<KnownRun>, _> = runs.iter().map(|run| KnownRun::of(&named_run(run))).collect();
                compare(&known?);
            }
        }
        Ok(())
    }
}

fn list(folder: &Path) -> Result<(), FileError> {
    if let Err(source) = std::fs::read_dir(folder)
        && source.kind() != std::io::ErrorKind::NotFound
    {
        let path = folder.to_owned();
        return Err(FileError::Read { path, source });
    }
    let (runs, errors) = in_folder(folder);
    errors.iter().for_each(warn);
    if runs.is_empty() {
        say(format_args!("{} holds no runs", shell(folder)));
        return Ok(());
    }
    let head = [
        "run",
        "began (UTC)",
        "data",
        "model",
        "steps",
        "status",
        "log-likelihood",
        "test",
        "entropy production",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for run in &runs {
        let found = Found::of(run);
        let name = run.folder.file_name().unwrap_or_default();
        let mut row = vec![
            shell(Path::new(name)),
            began(run),
            data(&run.config),
            model(&run.config),
            steps(run),
            run.standing.to_string(),
        ];
        row.extend([&LOG_LIKELIHOOD_TRAIN, &LOG_LIKELIHOOD_TEST, &ENTROPY_PRODUCTION].map(|measure| found.text(measure)));
        rows.push(row);
    }
    print(&rows);
    Ok(())
}

/// A column a run: what differs, and the figures.
fn compare(runs: &[KnownRun]) {
    let column = |name: &str, cell: &dyn Fn(&KnownRun) -> String| {
        let cells = runs.iter().map(|run| shortened_to(LONGEST_CELL, &cell(run)));
        std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let mut rows = vec![
        column("", &|run| shell(Path::new(run.folder.file_name().unwrap_or_default()))),
        column("began (UTC)", &began),
        column("status", &|run| run.standing.to_string()),
        column("steps", &steps),
        column("backend", &|run| {
            run.manifest.as_ref().map_or("-".to_owned(), |manifest| manifest.backend.clone())
        }),
    ];
    let settings: Vec<Vec<(String, String)>> = runs.iter().map(|run| settings(&run.config)).collect();
    let keys: BTreeSet<&String> = settings.iter().flatten().map(|(key, _)| key).collect();
    for key in keys {
        let value = |settings: &Vec<(String, String)>| settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        let values: Vec<Option<String>> = settings.iter().map(value).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            let cells = values
                .into_iter()
                .map(|value| shortened_to(LONGEST_CELL, &value.unwrap_or("-".to_owned())));
            rows.push(std::iter::once(key.clone()).chain(cells).collect());
        }
    }
    let found: Vec<Found> = runs.iter().map(Found::of).collect();
    let figures: Vec<&Headline> = found.iter().filter_map(|found| found.figures.as_ref()).collect();
    for measure in &MEASURES {
        if measure.is_bound() && figures.iter().all(|figures| (measure.of)(figures).value.is_none()) {
            continue;
        }
        let cells = found.iter().map(|found| found.text(measure));
        let name = format!("{}, {}", measure.title.to_lowercase(), measure.unit);
        rows.push(std::iter::once(name).chain(cells).collect());
    }
    print(&rows);
    let checksum = |run: &KnownRun| run.manifest.as_ref().map(|manifest| manifest.data.checksum.clone());
    if runs.iter().map(checksum).collect::<BTreeSet<_>>().len() > 1 {
        say("these runs saw different images: their likelihoods do not compare");
    }
}

/// The figures of a run.
struct Found {
    figures: Option<Headline>,
    /// Are they of analyze?
    analyzed: bool,
}

impl Found {
    fn of(run: &KnownRun) -> Self {
        let last: Option<Metrics> = files::read_json_lines(&run.folder.join("metrics.jsonl"))
            .ok()
            .and_then(|lines| lines.values.last().copied());
        let analysis = files::read_at_most(&run.folder.join("analysis/analysis.json"), 1 << 32).ok();
        let analysis: Option<Headline> = analysis.and_then(|content| serde_json::from_slice(&content).ok());
        // An analysis of an earlier model says nothing of this one.
        let steps = run.manifest.as_ref().map(|manifest| manifest.step);
        let analysis = analysis.filter(|headline| headline.step == steps || last.is_none());
        Self {
            analyzed: analysis.is_some(),
            figures: analysis.or_else(|| last.map(|line| Headline::noted(line.step, &line.figures))),
        }
    }

    fn text(&self, measure: &Measure) -> String {
        match self.figures.as_ref().map(|figures| (measure.of)(figures)) {
            Some(figure) if self.analyzed => figure.to_string(),
            Some(figure) => figure.value.map_or("-".to_owned(), |value| format!("{NOTED}{value:.4}")),
            None => "-".to_owned(),
        }
    }
}

/// Rows of cells, each column as wide as its widest cell, and what the mark of a figure means.
fn print(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        say(cells.join("  ").trim_end());
    }
    if rows.iter().flatten().any(|cell| cell.starts_with(NOTED)) {
        say(NOTED_MEANS);
    }
}

/// To the minute.
fn began(run: &KnownRun) -> String {
    let start = run.start().replace('T', " ");
    start.get(..16).unwrap_or("-").to_owned()
}

fn steps(run: &KnownRun) -> String {
    // A run that was killed left no word in its manifest.
    let kept = checkpoints(&run.folder).last().map_or(0, |(step, _)| *step);
    let done = run.manifest.as_ref().map_or(0, |manifest| manifest.step).max(kept);
    let all = run.config.training.steps;
    if done == all { all.to_string() } else { format!("{done} of {all}") }
}

fn data(config: &Config) -> String {
    let source = match &config.data.source {
        Source::Bundled => "bundled".to_owned(),
        Source::Mnist => "mnist".to_owned(),
        Source::None => return "none".to_owned(),
        Source::File(files) => files.images.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    match &config.data.classes {
        Classes::All => source,
        Classes::Some(classes) => {
            let classes: Vec<String> = classes.iter().map(u8::to_string).collect();
            format!("{source} {}", classes.join(" "))
        }
    }
}

fn model(config: &Config) -> String {
    let latent = config.model.latent.describe();
    match config.training.method.machine() {
        ModelKind::Nonequilibrium => latent,
        ModelKind::Rbm => format!("rbm, {latent}"),
        ModelKind::Mixture => format!("mixture, {latent}"),
        ModelKind::Directed => format!("directed, {latent}"),
    }
}

/// The keys of a configuration with their values.
fn settings(config: &Config) -> Vec<(String, String)> {
    fn collect(value: &Value, path: &str, settings: &mut Vec<(String, String)>) {
        match value {
            Value::Table(table) if !table.contains_key("kind") || path == "model" => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    collect(value, &path, settings);
                }
            }
            value => settings.push((path.to_owned(), names::text(value))),
        }
    }
    let mut found = Vec::new();
    let table: Table = toml::from_str(&config.to_toml()).unwrap_or_default();
    collect(&Value::Table(table), "", &mut found);
    found
}
