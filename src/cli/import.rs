//! `import`: a safetensors file as a run's folder.

use std::path::PathBuf;

use clap::Args;

use super::{program, say, shell};
use crate::backend::BackendName;
use crate::config::{Config, ConfigError};
use crate::data::Dataset;
use crate::exchange;
use crate::model::Parameters;
use crate::record;
use crate::training::folder::RunFolder;
use crate::training::manifest::{Manifest, Status};

/// Make a run's folder from a safetensors file
///
/// The configuration comes from --config, or from the file's metadata where the file was made by export, or is the default one.
#[derive(Args)]
#[command(after_help = "Example: latent-cycles import model.safetensors --run artifacts/runs/imported")]
pub struct Import {
    /// The file to read
    #[arg(value_name = "F.safetensors")]
    file: PathBuf,
    /// The folder to make; it must be new [default: artifacts/runs/imported-FILE, numbered]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// The configuration that names the model's data
    #[arg(long, value_name = "F.toml")]
    config: Option<PathBuf>,
}

impl Import {
    pub fn run(self, commit: Option<&'static str>) -> anyhow::Result<()> {
        if let Some(folder) = &self.run {
            RunFolder::refuse_taken(folder)?;
        }
        let (parameters, own) = exchange::read(&self.file)?;
        let mut config = match (&self.config, own) {
            (Some(path), _) => Config::load(Some(path), &[])?,
            (None, Some(own)) => own,
            (None, None) => Config::default(),
        };
        if self.config.is_none() {
            config.model.latent = parameters.layers.clone();
        }
        config.check()?;
        let data = Dataset::load(&config.data)?;
        if data.visible() != parameters.visible() || config.model.latent != parameters.layers {
            return Err(ConfigError::value(
                "the model",
                format!("of {} pixels and {}", parameters.visible(), parameters.layers.describe()),
                format!(
                    "of {} pixels and {}, as the data and the configuration say; name the model's own data with --config",
                    data.visible(),
                    config.model.latent.describe()
                ),
            )
            .into());
        }
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let folder = RunFolder::create(self.run.as_deref(), &format!("imported-{stem}"), &config)?;
        let folder = fill(folder, &config, &parameters, &data, commit)?;
        let path = shell(folder.path());
        say(format_args!(
            "{path} holds model.mpk, config.toml and manifest.json; next: {} train --config {path}/config.toml --set model.init=record --set model.record={path}/model.mpk",
            program()
        ));
        Ok(())
    }
}

/// Puts the model into its folder; one that cannot be filled is removed again.
fn fill(folder: RunFolder, config: &Config, parameters: &Parameters, data: &Dataset, commit: Option<&str>) -> anyhow::Result<RunFolder> {
    let write = || -> anyhow::Result<()> {
        record::save_model(&folder.file("model.mpk"), parameters)?;
        let numerics = BackendName::Ndarray.open()?;
        let mut manifest = Manifest::new(config, folder.config_checksum(), data, numerics.device(), commit);
        manifest.ended(Status::Imported, 0);
        Ok(folder.write_manifest(&manifest)?)
    };
    match write() {
        Ok(()) => Ok(folder),
        Err(error) => {
            folder.discard();
            Err(error)
        }
    }
}
