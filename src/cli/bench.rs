//! `bench`: how long a training step takes, beside what it has to take at least.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Usage, expect_extension, say};
use crate::backend::BackendName;
use crate::bench::plot::{scan, svg};
use crate::bench::{Row, Sizes, measure};
use crate::codes::Layers;
use crate::config::SampledConfig;
use crate::files;
use crate::numerics::Numerics;

/// Measure the training step on every backend, beside a floor measured in the same run
///
/// The floor is the sum of a step's products (five, or eleven of units whose states are not listed) as dense matrix products (each by the fastest backend on the same device), the draws
/// of N images, and one copy of every array; sums over latent states are not in it. A list of several values measures every combination.
#[derive(Args)]
#[command(after_help = "Example: latent-cycles bench --backend ndarray --latent 10 --latent 100 --out bench.json")]
pub struct Bench {
    /// The backends; all that run here if none is named, but wgpu only on a GPU
    #[arg(long, value_enum)]
    backend: Vec<BackendName>,
    /// L, latent states, or latent layers as in a configuration, such as '{ kind = "binary", units = 10 }' [default: 10 and 100]
    #[arg(long, value_name = "L", value_parser = layers)]
    latent: Vec<Layers>,
    /// D, pixels [default: 784]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    visible: Vec<u32>,
    /// B, images in a minibatch [default: 500]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Vec<u32>,
    /// N, persistent chains [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    chains: Vec<u32>,
    /// K, candidates for each image's posterior, of units whose states are not listed [default: 5]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=65_536))]
    candidates: Vec<u32>,
    /// Seconds to measure each backend at each size
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Instead of combinations, vary each size over two decades around these sizes and draw the times
    #[arg(long, value_name = "F.svg")]
    scaling: Option<PathBuf>,
    /// A file for the figures as JSON; an existing one is replaced
    #[arg(long, value_name = "F.json")]
    out: Option<PathBuf>,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<()> {
        for (flag, path, extension) in [("--out", &self.out, "json"), ("--scaling", &self.scaling, "svg")] {
            if let Some(path) = path {
                expect_extension(flag, path, extension)?;
            }
        }
        if !self.candidates.is_empty() && self.latent.iter().all(Layers::are_listed) {
            return Err(Usage(
                "--candidates is of units whose states are not listed, as '{ kind = \"binary\", units = 100 }'; leave it out".into(),
            )
            .into());
        }
        let (backends, missing) = self.open()?;
        let rows = match &self.scaling {
            Some(picture) => self.scaling(&backends, picture)?,
            None => self.combinations(&backends, &missing)?,
        };
        if let Some(out) = &self.out {
            files::write(out, &serde_json::to_vec_pretty(&rows)?)?;
        }
        Ok(())
    }

    /// The backends that run here, and why the others do not.
    fn open(&self) -> anyhow::Result<(Vec<Box<dyn Numerics>>, Missing)> {
        let mut backends = Vec::new();
        let mut missing = Vec::new();
        if !self.backend.is_empty() {
            for name in &self.backend {
                backends.push(name.open()?);
            }
            return Ok((backends, missing));
        }
        for name in <BackendName as clap::ValueEnum>::value_variants() {
            match name.open() {
                Ok(numerics) if numerics.device().software => {
                    missing.push((
                        name.name(),
                        format!("{} is no GPU; ask for it with --backend", numerics.device().name),
                    ));
                }
                Ok(numerics) => backends.push(numerics),
                Err(error) => missing.push((name.name(), error.to_string())),
            }
        }
        Ok((backends, missing))
    }

    fn combinations(&self, backends: &[Box<dyn Numerics>], missing: &[(&'static str, String)]) -> anyhow::Result<Vec<Row>> {
        let or = |values: &[u32], default: &[u32]| -> Vec<usize> {
            let values = if values.is_empty() { default } else { values };
            values.iter().map(|&value| value as usize).collect()
        };
        let latent = match &self.latent[..] {
            [] => vec![Layers::one_hot(10), Layers::one_hot(100)],
            given => given.to_vec(),
        };
        let mut all = Vec::new();
        for &visible in &or(&self.visible, &[784]) {
            for layers in &latent {
                for &batch in &or(&self.batch, &[500]) {
                    for &chains in &or(&self.chains, &[500]) {
                        // Where states are listed there are no candidates.
                        let of_units = or(&self.candidates, &[SampledConfig::CANDIDATES as u32]);
                        let candidates = if layers.are_listed() { &of_units[..1] } else { &of_units };
                        all.extend(candidates.iter().map(|&candidates| Sizes {
                            visible,
                            layers: layers.clone(),
                            batch,
                            chains,
                            candidates,
                        }));
                    }
                }
            }
        }
        say(HEADER);
        let mut rows = Vec::new();
        for sizes in all {
            let missing = missing.iter().map(|(name, why)| Row::not_measured(name, why.clone(), &sizes));
            for row in measure(backends, &sizes, self.seconds)?.into_iter().chain(missing) {
                say(line(&row));
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn scaling(&self, backends: &[Box<dyn Numerics>], picture: &std::path::Path) -> anyhow::Result<Vec<Row>> {
        let [backend] = backends else {
            return Err(Usage("--scaling draws one backend; name it with --backend".into()).into());
        };
        let one = |name: &str, values: &[u32], default: u32| match values {
            [] => Ok(default as usize),
            [value] => Ok(*value as usize),
            _ => Err(give_once(name)),
        };
        let layers = match &self.latent[..] {
            [] => Layers::one_hot(30),
            [layers] if layers.is_one_hot() || layers.binary_units().is_some() => layers.clone(),
            [_] => {
                return Err(Usage(
                    "--scaling varies the number of latent states; give --latent a number or one layer of binary units".into(),
                )
                .into());
            }
            _ => return Err(give_once("--latent").into()),
        };
        let center = Sizes {
            visible: one("--visible", &self.visible, 784)?,
            layers,
            batch: one("--batch", &self.batch, 500)?,
            chains: one("--chains", &self.chains, 500)?,
            candidates: one("--candidates", &self.candidates, SampledConfig::CANDIDATES as u32)?,
        };
        let panels = scan(&center);
        let bar = ProgressBar::new(panels.iter().map(|(_, sizes)| sizes.len() as u64).sum());
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} sizes, {eta} left")?);
        say(HEADER);
        let mut drawn = Vec::new();
        for (name, sizes) in panels {
            let mut points = Vec::new();
            for (value, sizes) in sizes {
                for row in measure(std::slice::from_ref(backend), &sizes, self.seconds)? {
                    bar.suspend(|| say(line(&row)));
                    points.push((value, row));
                }
                bar.inc(1);
            }
            drawn.push((name, points));
        }
        bar.finish_and_clear();
        let text = svg(&drawn).map_err(anyhow::Error::msg)?;
        files::write(picture, text.as_bytes())?;
        Ok(drawn.into_iter().flat_map(|(_, points)| points).map(|(_, row)| row).collect())
    }
}

/// Backends that were not measured, and why.
type Missing = Vec<(&'static str, String)>;

const HEADER: &str = "backend        D      L      B      N    ms/step    steps/s   floor ms  floor/step";

fn line(row: &Row) -> String {
    let sizes = format!(
        "{:8}  {:6} {:6} {:6} {:6}",
        row.backend, row.visible, row.latent, row.batch, row.chains
    );
    let measured = match (row.step_ms, row.floor_ms) {
        (Some(step), Some(floor)) => format!("{step:9.4}  {:9.0}  {floor:9.4}  {:10.2}", 1e3 / step, floor / step),
        _ => format!("not measured: {}", row.device),
    };
    let layers = row.layers.as_ref().map_or(String::new(), |layers| format!("  {layers}"));
    let candidates = row.candidates.map_or(String::new(), |candidates| format!("  K = {candidates}"));
    format!("{sizes}  {measured}{layers}{candidates}")
}

fn give_once(name: &str) -> Usage {
    Usage(format!("--scaling varies every size around one value; give {name} once"))
}

fn layers(text: &str) -> Result<Layers, String> {
    if text.starts_with(['{', '[']) || text.parse::<i64>().is_ok() {
        Layers::parse(text)
    } else {
        Err("expected a number of states, a table as { kind = \"binary\", units = 10 }, or a list of these".into())
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("must be a number of seconds above 0, at most 3600".into()),
    }
}
