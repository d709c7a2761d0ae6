//! `sample`: images from a trained chain.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use ndarray::{Array1, Array3, Axis, concatenate};
use ndarray_npy::NpzWriter;

use super::{Stopped, Usage, run_or_latest, say, shell};
use crate::analysis::MOST_STATES;
use crate::backend::BackendName;
use crate::conditionals::Conditionals;
use crate::estimate::EstimateError;
use crate::files;
use crate::generation::{Frame, MOST_CHAINS, TrainedChains, steady_state};
use crate::model::Parameters;
use crate::random::Seed;
use crate::report::grid::Grid;
use crate::trained::{self, Trained};
use crate::watch::Watch;

/// Draw images from a trained chain
///
/// Every image comes from a chain of its own, so many steps after its start; with --film all come from one chain, so many steps apart.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles sample artifacts/runs/default-ndarray-1 --count 64 --out samples.png
  latent-cycles sample artifacts/runs/default-ndarray-1 --film --count 20 --steps 1 --start 3,5 --out film.png
  latent-cycles sample artifacts/runs/default-ndarray-1 --film --count 60 --out film.gif")]
pub struct Sample {
    /// A run's folder, or a record file [default: the latest run in artifacts/runs]
    #[arg(value_name = "RUN-or-RECORD")]
    record: Option<PathBuf>,
    /// What moves the chains
    #[arg(long, value_enum, ignore_case = true, default_value = "ndarray")]
    backend: BackendName,
    /// Images; with --film, frames of each strip
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=MOST_CHAINS as i64))]
    count: u32,
    /// Full steps x -> z -> x of a chain before its image, or between two frames
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    steps: u32,
    /// Latent states that emit the first images, as in 3,5 [default: drawn from the steady state]
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    start: Vec<u32>,
    /// Follow one chain, or one from each state of --start
    #[arg(long)]
    film: bool,
    /// The seed of all draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write, a picture (.png), with --film an animation (.gif), or numpy's arrays `images`, `states` (z of each) and `start` (.npz); an existing one is replaced
    #[arg(long, value_name = "F.png|F.gif|F.npz", default_value = "samples.png")]
    out: PathBuf,
}

/// The most bytes of images, one a pixel: 1 GiB.
const MOST_BYTES: u64 = 1 << 30;

impl Sample {
    pub fn run(self) -> anyhow::Result<()> {
        let format = match self.out.extension().and_then(|extension| extension.to_str()) {
            Some("png") => Format::Picture,
            Some("npz") => Format::Arrays,
            Some("gif") if self.film => Format::Animation,
            Some("gif") => return Err(Usage(format!("--out is {}, an animation, which needs --film", shell(&self.out))).into()),
            _ => return Err(Usage(format!("--out is {}; its name must end in .png, .gif or .npz", shell(&self.out))).into()),
        };
        let record = run_or_latest(self.record.clone())?;
        let run = trained::run_of(&record)?;
        let trained = Trained::load(&record, run.as_ref())?;
        if let Some(run) = &run {
            crate::record::expect_shape(&record, &trained.parameters, trained.parameters.visible(), &run.config.model.latent)?;
        }
        let size = trained::image_size(run.as_ref(), trained.parameters.visible())?;
        let across = self.across(format, size)?;
        let stop = super::stop_on_ctrl_c("")?;
        let parameters = &trained.parameters;
        let model = Conditionals::new(parameters);
        let numerics = self.backend.open()?;
        let trained = TrainedChains::new(&*numerics, parameters, &model, Seed(self.seed))?;

        let states = match self.start_states(&trained, parameters, &model, &*stop) {
            Err(error) if matches!(error.downcast_ref(), Some(EstimateError::Stopped(_))) => return Err(stopped()),
            states => states?,
        };
        let start = trained.start(states.clone());
        let (count, steps) = (self.count as usize, self.steps as usize);
        let frames = match self.film {
            true => trained.film(start, count, steps),
            false => vec![trained.walk(&start, steps, 0)],
        };
        let content = match format {
            Format::Picture => Grid::new(size).png(&by_chain(&frames).images, across),
            Format::Animation => Grid::of_film(size).gif(frames.iter().map(|frame| &frame.images))?,
            Format::Arrays => npz(by_chain(&frames), &states, size)?,
        };
        if stop.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        files::write(&self.out, &content)?;
        say(format_args!("{}: {}", shell(&self.out), self.what(states.len())));
        Ok(())
    }

    /// Images in a row of the picture, which must hold all.
    fn across(&self, format: Format, size: (usize, usize)) -> Result<usize, Usage> {
        let count = self.count as usize;
        let chains = if self.film { self.start.len().max(1) } else { 1 };
        if count * chains > MOST_CHAINS {
            return Err(Usage(format!(
                "{count} frames of {chains} chains are more than {MOST_CHAINS} images; ask for fewer"
            )));
        }
        if (count * chains) as u64 * (size.0 * size.1) as u64 > MOST_BYTES {
            return Err(Usage(format!(
                "{} images of {} x {} pixels are more than {MOST_BYTES} bytes; ask for fewer",
                count * chains,
                size.0,
                size.1
            )));
        }
        // A frame of an animation is a picture of its own.
        let (grid, shown) = match format {
            Format::Animation => (Grid::of_film(size), chains),
            Format::Picture | Format::Arrays => (Grid::new(size), count * chains),
        };
        let (widest, tallest) = grid.room();
        let across = match (format, self.film) {
            (Format::Animation, _) => chains,
            (_, true) => count,
            (_, false) => ((count as f64).sqrt().ceil() as usize).min(widest),
        };
        let down = shown.div_ceil(across);
        if format != Format::Arrays && (across > widest || down > tallest) {
            return Err(Usage(format!(
                "{across} x {down} images are more than a picture holds, {widest} x {tallest}; write a file that ends in .npz"
            )));
        }
        Ok(across)
    }

    /// One state for each chain.
    fn start_states(
        &self,
        trained: &TrainedChains,
        parameters: &Parameters,
        model: &Conditionals,
        watch: &dyn Watch,
    ) -> anyhow::Result<Vec<i32>> {
        let latent = parameters.latent();
        if let Some(state) = self.start.iter().find(|state| **state as usize >= latent) {
            return Err(Usage(format!("--start names state {state}; the model's states are 0 to {}", latent - 1)).into());
        }
        let chains = match (self.film, self.start.len()) {
            (true, named) => named.max(1),
            (false, _) => self.count as usize,
        };
        if self.start.is_empty() && latent > MOST_STATES {
            return Err(Usage(format!(
                "the steady state of {latent} latent states, more than {MOST_STATES}, is not computed; name states to start in with --start"
            ))
            .into());
        }
        if self.start.is_empty() {
            let log_pi = steady_state(parameters, model, Seed(self.seed), watch)?;
            return Ok(trained.steady_states(&log_pi, chains));
        }
        Ok(self.start.iter().cycle().take(chains).map(|&state| state as i32).collect())
    }

    fn what(&self, chains: usize) -> String {
        if self.film {
            let strips = if chains == 1 {
                "one chain".to_owned()
            } else {
                format!("{chains} chains, one a row")
            };
            format!(
                "{}, {} apart, of {strips}",
                counted(self.count, "frame"),
                counted(self.steps, "step")
            )
        } else {
            format!(
                "{}, each {} after its chain's start",
                counted(self.count, "image"),
                counted(self.steps, "step")
            )
        }
    }
}

/// A number with its noun.
fn counted(number: u32, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Picture,
    /// One frame after the other.
    Animation,
    Arrays,
}

fn stopped() -> anyhow::Error {
    Stopped("stopped; nothing was written".into()).into()
}

/// Frames of a film as all frames of the first chain, then of the second: images `[chains x frames, D]` and their states.
fn by_chain(film: &[Frame]) -> Frame {
    let chains = film.first().map_or(0, |frame| frame.states.len());
    let places = || (0..chains).flat_map(|chain| film.iter().map(move |frame| (chain, frame)));
    let rows: Vec<_> = places()
        .map(|(chain, frame)| frame.images.slice(ndarray::s![chain..chain + 1, ..]))
        .collect();
    Frame {
        images: concatenate(Axis(0), &rows).unwrap_or_default(),
        states: places().map(|(chain, frame)| frame.states[chain]).collect(),
    }
}

/// The archive: `images` `[N, rows, columns]` of 0 and 1, `states`, z of each, and `start`, the state that each chain began in.
fn npz(frames: Frame, start: &[i32], (rows, columns): (usize, usize)) -> anyhow::Result<Vec<u8>> {
    let count = frames.images.nrows();
    let images: Array3<u8> = frames.images.into_shape_with_order((count, rows, columns))?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut bytes);
    archive.add_array("images", &images)?;
    archive.add_array("states", &Array1::from_vec(frames.states))?;
    archive.add_array("start", &Array1::from_vec(start.to_vec()))?;
    archive.finish()?;
    Ok(bytes.into_inner())
}
