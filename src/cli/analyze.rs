//! `analyze`: the thermodynamics of a record.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::analysis_files::{Content, FIGURES, tables, write_all};
use super::{Stopped, Usage, findings, run_or_latest, say, shell};
use crate::analysis::{Analysis, AnalysisError, Headline, MOST_STATES, NamedPartition, Settings, Subject, analyze};
use crate::backend::BackendName;
use crate::data::Dataset;
use crate::estimate::exact::MOST_PIXELS;
use crate::estimate::sampling::Sampling;
use crate::evaluation::Reference;
use crate::files::{self, JsonLines};
use crate::numerics::Numerics;
use crate::random::Seed;
use crate::record;
use crate::report::emergence::Still;
use crate::report::provenance::Provenance;
use crate::report::{drawings, page, plane};
use crate::trained::{self, RunOf, Trained};
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
    /// Images drawn along each proposal of each state, rounded up to a multiple of 32 [default: 20,480 for 10 states, fewer for many]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    samples: Option<u32>,
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

/// The most latent states whose analysis takes no longer than a few seconds, so that nothing is said meanwhile.
const SILENT_STATES: usize = 30;

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
        let seed = Seed(self.seed.unwrap_or_else(|| run.as_ref().map_or(1, |run| run.config.training.seed)));
        let settings: Vec<Settings> = tasks
            .iter()
            .map(|task| self.settings(&task.trained, seed))
            .collect::<Result<_, Usage>>()?;
        let data = run.as_ref().map(RunOf::data).transpose()?.flatten();
        let compared = match (&run, data) {
            (Some(run), Some(data)) => {
                for task in &tasks {
                    record::expect_shape(&self.record, &task.trained.parameters, data.visible(), &run.config.model.latent)?;
                }
                let reference = Reference::new(&data, Seed(run.config.training.seed));
                Some(Compared { data, reference })
            }
            _ => None,
        };
        // All checkpoints of a run have its states.
        let read = |file: &PathBuf| NamedPartition::read(file, tasks[0].trained.parameters.latent());
        let partition = self.partition.as_ref().map(read).transpose()?;
        let numerics = self.backend.open()?;

        let (last, latent) = (tasks.len() - 1, tasks[0].trained.parameters.latent());
        self.warn_of_fewer_draws(&tasks[last]);
        let bar = self.bar()?;
        if bar.is_hidden() && !self.quiet && latent > SILENT_STATES {
            say(format_args!(
                "{}: images of {latent} latent states are drawn, and all figures found from them; this takes a while",
                shell(&self.record)
            ));
        }
        let watch = Watched { bar: &bar, stop: &stop };
        let (mut headlines, mut stills) = (Vec::new(), Vec::new());
        for (index, (task, settings)) in tasks.into_iter().zip(settings).enumerate() {
            if last > 0 {
                bar.set_prefix(format!("model {} of {}: ", index + 1, last + 1));
            }
            let analysis = match one(&task, compared.as_ref(), partition.as_ref(), settings, &*numerics, &watch) {
                Ok(analysis) => analysis,
                Err(AnalysisError::Stopped(_)) => {
                    bar.finish_and_clear();
                    return Err(stopped(index, last, &task.folder));
                }
                Err(error) => anyhow::bail!("{}: {error}", shell(&self.record)),
            };
            let size = trained::image_size(run.as_ref(), task.trained.parameters.visible())?;
            let mut contents = tables(&analysis, size, index == last)?;
            if self.all_checkpoints
                && (index < last || headlines.last().is_none_or(|shown: &Headline| shown.step != analysis.headline.step))
            {
                stills.extend(Still::of(&analysis));
            }
            if index < last {
                write_all(&task.folder, contents)?;
                if !self.quiet {
                    bar.suspend(|| findings::checkpoint(&analysis.headline));
                }
                headlines.push(analysis.headline);
                continue;
            }
            bar.finish_and_clear();
            // Everything is made before anything is written: no new figures stand beside an old page.
            contents.extend(self.page(&task, &analysis, (&mut headlines, &stills), run.as_ref(), size, settings.seed)?);
            let picture = plane::picture(&analysis, &task.trained.parameters, size);
            let beside = if picture.is_some() { ", plane.svg" } else { "" };
            contents.extend(picture.map(|picture| ("plane.svg".to_owned(), picture.into_bytes())));
            write_all(&task.folder, contents)?;
            if !self.quiet {
                findings::all(&analysis);
                say(format_args!(
                    "{} holds analysis.json, latent.npz, currents.dot{beside}, report.html and its figures as SVG in figures/",
                    shell(&task.folder)
                ));
            }
        }
        Ok(())
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

    fn settings(&self, trained: &Trained, seed: Seed) -> Result<Settings, Usage> {
        let (visible, latent) = (trained.parameters.visible(), trained.parameters.latent());
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
            super::warn(format_args!(
                "{}, if it was made with the usual {usual} images instead of {samples}, is better than what will replace it; --out DIR keeps it",
                shell(&there)
            ));
        }
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

    /// The page, with what it needs of the run, and the figures of all checkpoints where they were asked for.
    fn page(
        &self,
        task: &Task,
        analysis: &Analysis,
        (headlines, stills): (&mut Vec<Headline>, &[Still]),
        run: Option<&RunOf>,
        size: (usize, usize),
        seed: Seed,
    ) -> anyhow::Result<Vec<Content>> {
        let mut contents = Vec::new();
        if self.all_checkpoints {
            let lines: Result<Vec<String>, _> = headlines.iter().map(serde_json::to_string).collect();
            contents.push(("checkpoints.jsonl".to_owned(), (lines?.join("\n") + "\n").into_bytes()));
        } else {
            // Those of an earlier --all-checkpoints, if there was one.
            let earlier = task.folder.join("checkpoints.jsonl");
            if earlier.is_file() {
                *headlines = all_but_unread(files::read_json_lines(&earlier)?);
            }
        }
        let metrics = run.map(|run| run.folder.join("metrics.jsonl")).filter(|path| path.exists());
        let evaluations = metrics.map(|path| files::read_json_lines(&path)).transpose()?;
        let evaluations = evaluations.map(all_but_unread).unwrap_or_default();
        let name = run.map_or(&self.record, |run| &run.folder).file_name().unwrap_or_default();
        let config = run
            .map(|run| files::read_at_most(&run.folder.join("config.toml"), 1 << 20))
            .transpose()?;
        let config = config.map(|config| String::from_utf8_lossy(&config).into_owned());
        let page = page::Page {
            name: &name.to_string_lossy(),
            analysis,
            size,
            parameters: &task.trained.parameters,
            seed,
            checkpoints: headlines,
            stills,
            provenance: Provenance {
                manifest: run.and_then(|run| run.manifest.as_ref()),
                config: config.as_deref(),
                seed: Some(seed.0),
            },
            evaluations: &evaluations,
        };
        let html = page.html();
        let figures = drawings::of_page(&html).into_iter();
        contents.extend(figures.map(|(name, svg)| (format!("{FIGURES}/{name}.svg"), svg.into_bytes())));
        contents.push(("report.html".to_owned(), html.into_bytes()));
        Ok(contents)
    }
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
