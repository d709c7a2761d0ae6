//! `sample`: images from a trained chain.

mod stills;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use ndarray::{Array2, Array3};
use ndarray_npy::NpzWriter;

use self::stills::{Latent, Still, by_chain};
use super::{Stopped, Usage, counted, run_or_latest, say, shell};
use crate::backend::BackendName;
use crate::estimate::EstimateError;
use crate::files;
use crate::generation::MOST_CHAINS;
use crate::report::grid::{Grid, Levels, of_bits, of_means};
use crate::trained::{self, Trained};
use crate::watch::Stopped as WasStopped;

/// Draw images from a trained chain
///
/// Every image comes from a chain of its own, so many steps after its start; with --film all come from one chain, so many steps apart.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles sample artifacts/runs/default-ndarray-1 --count 64 --out samples.png
  latent-cycles sample artifacts/runs/default-ndarray-1 --film --count 20 --steps 1 --start 3,5 --out film.png
  latent-cycles sample artifacts/runs/default-ndarray-1 --film --count 60 --out film.gif
  latent-cycles sample artifacts/runs/default-ndarray-1 --count 64 --means --out means.png")]
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
    /// Latent states that emit the first images, as in 3,5 [default: drawn from the steady state; of units whose states are not listed, chains that began at noise]
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    start: Vec<u32>,
    /// Follow one chain, or one from each state of --start
    #[arg(long)]
    film: bool,
    /// Show each image's mean given its latent state, E[x|z], without the noise of single pixels; in a .npz, as `means` besides
    #[arg(long)]
    means: bool,
    /// The seed of all draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write, a picture (.png), with --film an animation (.gif), or numpy's arrays `images`, `states` (z of each; `words` of units that are not listed) and `start` (.npz); an existing one is replaced
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
        let film = match self.film_of(&trained, &stop) {
            Err(error) if was_stopped(&error) => return Err(stopped()),
            film => film?,
        };
        let content = match format {
            Format::Picture => {
                let levels: Vec<Levels> = film.iter().map(|still| self.levels(still)).collect();
                Grid::new(size).png(&by_chain(&levels), across)
            }
            Format::Animation => Grid::of_film(size).gif(film.iter().map(|still| self.levels(still)))?,
            Format::Arrays => npz(&film, size)?,
        };
        files::write(&self.out, &content)?;
        say(format_args!("{}: {}", shell(&self.out), self.what(film[0].images.nrows())));
        Ok(())
    }

    /// One moment of all chains after the other.
    fn film_of(&self, trained: &Trained, stop: &AtomicBool) -> anyhow::Result<Vec<Still>> {
        if trained.parameters.layers.are_listed() {
            self.through_states(&trained.parameters, stop)
        } else {
            self.through_units(&trained.parameters, stop)
        }
    }

    /// What a picture shows.
    fn levels(&self, still: &Still) -> Levels {
        still.means.as_ref().map_or_else(|| of_bits(&still.images), of_means)
    }

    /// Chains: those of --start, one, or one for each image.
    fn chains(&self) -> usize {
        match (self.film, self.start.len()) {
            (true, named) => named.max(1),
            (false, _) => self.count as usize,
        }
    }

    /// Images in a row of the picture, which must hold all.
    fn across(&self, format: Format, size: (usize, usize)) -> Result<usize, Usage> {
        let count = self.count as usize;
        let chains = if self.film { self.chains() } else { 1 };
        if count * chains > MOST_CHAINS {
            return Err(Usage(format!(
                "{count} frames of {chains} chains are more than {MOST_CHAINS} images; ask for fewer"
            )));
        }
        let bytes_of_pixel = if self.means { 1 + size_of::<f64>() } else { 1 };
        if (count * chains) as u64 * (size.0 * size.1 * bytes_of_pixel) as u64 > MOST_BYTES {
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

    fn what(&self, chains: usize) -> String {
        if self.film {
            let strips = if chains == 1 {
                "one chain".to_owned()
            } else {
                format!("{chains} chains, one a row")
            };
            format!(
                "{}, {} apart, of {strips}",
                counted(self.count as usize, "frame"),
                counted(self.steps as usize, "step")
            )
        } else {
            format!(
                "{}, each {} after its chain's start",
                counted(self.count as usize, "image"),
                counted(self.steps as usize, "step")
            )
        }
    }
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

fn was_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EstimateError::Stopped(_))) || error.downcast_ref::<WasStopped>().is_some()
}

/// The archive, all frames of the first chain, then of the second: `images` `[N, rows, columns]` of 0 and 1; `states`, z of each, and `start`, the state that each chain
/// began in, or of units that are not listed `words` `[N, H]`; `means` `[N, rows, columns]`, E[x|z], where they were asked for.
fn npz(film: &[Still], (rows, columns): (usize, usize)) -> anyhow::Result<Vec<u8>> {
    let gathered = |of: &dyn Fn(&Still) -> Array2<u8>| by_chain(&film.iter().map(of).collect::<Vec<_>>());
    let images = gathered(&|still| still.images.clone());
    let count = images.nrows();
    let images: Array3<u8> = images.into_shape_with_order((count, rows, columns))?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut bytes);
    archive.add_array("images", &images)?;
    let latent: Vec<&Latent> = film.iter().map(|still| &still.latent).collect();
    match latent[0] {
        Latent::States { start, .. } => {
            archive.add_array("states", &by_chain(&stills::states(&latent)).column(0))?;
            archive.add_array("start", start)?;
        }
        Latent::Words(_) => archive.add_array("words", &by_chain(&stills::words(&latent)))?,
    }
    if film[0].means.is_some() {
        let means: Vec<Array2<f64>> = film.iter().filter_map(|still| still.means.clone()).collect();
        archive.add_array("means", &by_chain(&means).into_shape_with_order((count, rows, columns))?)?;
    }
    archive.finish()?;
    Ok(bytes.into_inner())
}
