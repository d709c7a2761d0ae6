//! `analyze`: the thermodynamics of a record.

mod states;
mod units;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::analysis_files::{Content, FIGURES, write_all};
use super::{Stopped, Usage, findings, run_or_latest, shell};
use crate::analysis::{AnalysisError, Headline};
use crate::backend::BackendName;
use crate::data::Dataset;
use crate::evaluation::Reference;
use crate::files::{self, JsonLines};
use crate::random::Seed;
use crate::record;
use crate::report::drawings;
use crate::trained::{self, RunOf, Trained};
use crate::training::metrics::Metrics;
use crate::watch::Watch;

/// Analyze a trained model: entropy production, currents, cycles, likelihood, classes
///
/// Reads a run's model, one of its checkpoints, or a record file, and writes analysis.json, latent.npz, currents.dot and report.html, whose drawings stand in figures/ as SVG; of a model on a plane, plane.svg.
/// Figures are computed in f64 and have 95% intervals; the backend moves the chains whose images are shown and judged.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles analyze artifacts/runs/default-ndarray-1
  latent-cycles analyze artifacts/runs/default-ndarray-1 --all-checkpoints
  latent-cycles analyze model.mpk --out analysis")]
pub struct Analyze {
    /// A run's folder, or a record file [default: the latest run in artifacts/runs]
    #[arg(value_name = "RUN-or-RECORD")]
    given: Option<PathBuf>,
    /// The same, once it is known.
    #[arg(skip)]
    record: PathBuf,
    /// What moves the chains
    #[arg(long, value_enum, ignore_case = true, default_value = "ndarray")]
    backend: BackendName,
    /// The checkpoint of this step instead of the final model
    #[arg(long, value_name = "STEP", conflicts_with = "all_checkpoints")]
    checkpoint: Option<u64>,
    /// Every checkpoint, each in a folder of its own, and the final model with curves over training
    #[arg(long)]
    all_checkpoints: bool,
    /// Enumerate all images; the default for at most 20 pixels, and possible for no more
    #[arg(long, conflicts_with = "samples")]
    exact: bool,
    /// Images drawn along each proposal of each state, rounded up to a multiple of 32, of more than 40 states fewer along those of rare transitions [default: 20,480 for 10 states, fewer for many]; of units whose states are not listed, chains that pi is taken from at first, rounded up to a multiple of 16 [default: 4,096]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    samples: Option<u32>,
    /// Of units whose states are not listed: the most candidates for an image's posterior, whose number is doubled until the bound of the likelihood hardly moves [default: 1,600]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=102_400))]
    candidates: Option<u32>,
    /// Macrostates: a text file with a label a line for each latent state, or a .npy of integers [default: the classes of the states' images]
    #[arg(long, value_name = "FILE")]
    partition: Option<PathBuf>,
    /// The seed of the analysis's draws [default: the run's]
    #[arg(long)]
    seed: Option<u64>,
    /// The folder for the files [default: analysis in the run's folder; beside a lone record, its name with -analysis]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

/// The run's data, ready to be compared with.
struct Compared {
    data: Dataset,
    reference: Reference,
}

/// One record to analyze, and where its files go.
struct Task {
    trained: Trained,
    folder: PathBuf,
}

impl Analyze {
    pub fn run(mut self) -> anyhow::Result<()> {
        self.record = run_or_latest(self.given.take())?;
        let stop = super::stop_on_ctrl_c("")?;
        if let Some(out) = self.out.as_ref().filter(|out| out.exists() && !out.is_dir()) {
            return Err(Usage(format!("--out is {}, which is not a folder", shell(out))).into());
        }
        let run = trained::run_of(&self.record)?;
        let tasks = self.tasks(run.as_ref())?;
        let work = Work {
            seed: Seed(self.seed.unwrap_or_else(|| run.as_ref().map_or(1, |run| run.config.training.seed))),
            asked: &self,
            run: run.as_ref(),
            stop: &stop,
        };
        // All checkpoints of a run have its layers.
        if tasks[0].trained.parameters.layers.are_listed() {
            work.of_states(tasks)
        } else {
            work.of_units(tasks)
        }
    }

    /// The records to analyze, the one that the page shows last.
    fn tasks(&self, run: Option<&RunOf>) -> anyhow::Result<Vec<Task>> {
        let Some(run) = run else {
            if self.checkpoint.is_some() || self.all_checkpoints {
                return Err(Usage(format!(
                    "{} is a record without its run; --checkpoint and --all-checkpoints need a run's folder",
                    shell(&self.record)
                ))
                .into());
            }
            let name = self.record.file_stem().unwrap_or_default().to_string_lossy();
            let beside = self.record.with_file_name(format!("{name}-analysis"));
            return Ok(vec![Task {
                trained: Trained::record(&self.record)?,
                folder: self.out.clone().unwrap_or(beside),
            }]);
        };
        let folder = self.out.clone().unwrap_or_else(|| run.folder.join("analysis"));
        let of_step = |step: u64| folder.join(format!("step-{step:07}"));
        if self.record.is_file() {
            if self.checkpoint.is_some() || self.all_checkpoints {
                return Err(Usage(format!(
                    "{} is one record; --checkpoint and --all-checkpoints need its run's folder, {}",
                    shell(&self.record),
                    shell(&run.folder)
                ))
                .into());
            }
            let trained = Trained::record(&self.record)?;
            let folder = match (&self.out, trained.step) {
                (None, Some(step)) => of_step(step),
                _ => folder,
            };
            return Ok(vec![Task { trained, folder }]);
        }
        if let Some(step) = self.checkpoint {
            let trained = Trained::record(&run.checkpoint(step)?)?;
            let folder = if self.out.is_some() { folder } else { of_step(step) };
            return Ok(vec![Task { trained, folder }]);
        }
        let mut tasks = Vec::new();
        if self.all_checkpoints {
            for (step, path) in crate::training::folder::checkpoints(&run.folder) {
                match Trained::record(&path) {
                    Ok(trained) => tasks.push(Task {
                        trained,
                        folder: of_step(step),
                    }),
                    Err(error) => {
                        super::warn(format_args!("passed over {error}"));
                    }
                }
            }
        }
        tasks.push(Task {
            trained: run.last()?,
            folder,
        });
        Ok(tasks)
    }

    /// A bar that starts anew with each kind of work, on a terminal.
    fn bar(&self) -> anyhow::Result<ProgressBar> {
        let shown = !self.quiet && std::io::stderr().is_terminal();
        if !shown {
            return Ok(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(1);
        bar.set_style(ProgressStyle::with_template("{bar:24} {prefix}{msg} {percent}%, {elapsed} so far")?);
        // The time goes on where work cannot be counted.
        bar.enable_steady_tick(Duration::from_secs(1));
        Ok(bar)
    }
}

/// An analysis that was asked for, and of what.
struct Work<'a> {
    asked: &'a Analyze,
    run: Option<&'a RunOf>,
    seed: Seed,
    stop: &'a AtomicBool,
}

impl Work<'_> {
    /// The run's data, which the models must fit.
    fn compared(&self, tasks: &[Task]) -> anyhow::Result<Option<Compared>> {
        let data = self.run.map(RunOf::data).transpose()?.flatten();
        let (Some(run), Some(data)) = (self.run, data) else {
            return Ok(None);
        };
        for task in tasks {
            record::expect_shape(
                &self.asked.record,
                &task.trained.parameters,
                data.visible(),
                &run.config.model.latent,
            )?;
        }
        let reference = Reference::new(&data, Seed(run.config.training.seed));
        Ok(Some(Compared { data, reference }))
    }

    /// Analyzes models one after the other. `tables` are the files of each but for the page; those of all but the last are written, and their headlines kept.
    fn one_after_the_other<A>(
        &self,
        tasks: Vec<Task>,
        bar: &ProgressBar,
        analyze: impl Fn(usize, &Task) -> Result<A, AnalysisError>,
        mut tables: impl FnMut(&A, (usize, usize), bool) -> anyhow::Result<Vec<Content>>,
        headline: fn(&A) -> &Headline,
    ) -> anyhow::Result<Last<A>> {
        let last = tasks.len() - 1;
        let mut headlines = Vec::new();
        for (index, task) in tasks.into_iter().enumerate() {
            if last > 0 {
                bar.set_prefix(format!("model {} of {}: ", index + 1, last + 1));
            }
            let analysis = match analyze(index, &task) {
                Ok(analysis) => analysis,
                Err(AnalysisError::Stopped(_)) => {
                    bar.finish_and_clear();
                    return Err(stopped(index, last, &task.folder));
                }
                Err(error) => anyhow::bail!("{}: {error}", shell(&self.asked.record)),
            };
            let size = trained::image_size(self.run, task.trained.parameters.visible())?;
            let contents = tables(&analysis, size, index == last)?;
            if index == last {
                bar.finish_and_clear();
                return Ok(Last {
                    task,
                    analysis,
                    size,
                    contents,
                    headlines,
                });
            }
            write_all(&task.folder, contents)?;
            if !self.asked.quiet {
                bar.suspend(|| findings::checkpoint(headline(&analysis)));
            }
            headlines.push(headline(&analysis).clone());
        }
        anyhow::bail!("{}: there is no model to analyze", shell(&self.asked.record))
    }

    /// The name of the run or the record.
    fn name(&self) -> String {
        let path = self.run.map_or(&self.asked.record, |run| &run.folder);
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The figures noted while training.
    fn evaluations(&self) -> anyhow::Result<Vec<Metrics>> {
        let metrics = self.run.map(|run| run.folder.join("metrics.jsonl")).filter(|path| path.exists());
        let evaluations = metrics.map(|path| files::read_json_lines(&path)).transpose()?;
        Ok(evaluations.map(all_but_unread).unwrap_or_default())
    }

    /// The run's configuration as it is written.
    fn config(&self) -> anyhow::Result<Option<String>> {
        let config = self
            .run
            .map(|run| files::read_at_most(&run.folder.join("config.toml"), 1 << 20))
            .transpose()?;
        Ok(config.map(|config| String::from_utf8_lossy(&config).into_owned()))
    }

    /// With the figures of all checkpoints just found, their file; otherwise those of an earlier --all-checkpoints, if there was one.
    fn checkpoints(&self, task: &Task, headlines: &mut Vec<Headline>) -> anyhow::Result<Option<Content>> {
        if self.asked.all_checkpoints {
            let lines: Result<Vec<String>, _> = headlines.iter().map(serde_json::to_string).collect();
            return Ok(Some(("checkpoints.jsonl".to_owned(), (lines?.join("\n") + "\n").into_bytes())));
        }
        let earlier = task.folder.join("checkpoints.jsonl");
        if earlier.is_file() {
            *headlines = all_but_unread(files::read_json_lines(&earlier)?);
        }
        Ok(None)
    }
}

/// The last of several models, with its files but for the page, and the headlines of those before it.
struct Last<A> {
    task: Task,
    analysis: A,
    size: (usize, usize),
    contents: Vec<Content>,
    headlines: Vec<Headline>,
}

/// A page and its drawings as files of their own.
fn page_files(html: String) -> Vec<Content> {
    let figures = drawings::of_page(&html).into_iter();
    let mut contents: Vec<Content> = figures
        .map(|(name, svg)| (format!("{FIGURES}/{name}.svg"), svg.into_bytes()))
        .collect();
    contents.push(("report.html".to_owned(), html.into_bytes()));
    contents
}

/// The values of a file of lines, with a warning of each line that holds none.
fn all_but_unread<T>(lines: JsonLines<T>) -> Vec<T> {
    lines.unread.iter().for_each(super::warn);
    lines.values
}

/// Shows what is done and how far it is, and looks at the flag that Ctrl-C sets.
struct Watched<'a> {
    bar: &'a ProgressBar,
    stop: &'a AtomicBool,
}

impl Watch for Watched<'_> {
    fn begins(&self, work: &'static str, parts: usize) {
        self.bar.set_position(0);
        self.bar.set_length(parts as u64);
        self.bar.set_message(work);
    }

    fn part_done(&self) {
        self.bar.inc(1);
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }
}

/// What was stopped, after so many of `last` checkpoints and before the files in `folder`, and what stands.
fn stopped(done: usize, last: usize, folder: &Path) -> anyhow::Error {
    if done == 0 {
        return Stopped("stopped; no file of this analysis was written, and none is half".into()).into();
    }
    let beside = if done == last { folder } else { folder.parent().unwrap_or(folder) };
    Stopped(format!(
        "stopped after {done} of {last} checkpoints, whose files are in folders of their own in {}; no other file was written, and none is half",
        shell(beside)
    ))
    .into()
}
