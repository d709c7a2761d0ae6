//! `import`: a safetensors file as a run's folder.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Usage, program, say, shell, tell};
use crate::backend::BackendName;
use crate::config::{Classes, Config, DataConfig, Method, SampledConfig, Source};
use crate::data::{Dataset, likely_size};
use crate::exchange::{self, Exchanged};
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::record;
use crate::training::folder::RunFolder;
use crate::training::manifest::{DataManifest, Manifest, Status};

/// Make a run's folder from a safetensors file
///
/// The configuration, which names the data, comes from --config, or from the file's metadata where the file was made by export. A model of any
/// shape can be imported without data.
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
        let Exchanged {
            parameters,
            recognition,
            config: own,
            size,
        } = exchange::read(&self.file)?;
        let (config, data) = match &self.config {
            Some(path) => self.named(path, &parameters)?,
            None => own_data(own, &parameters),
        };
        config.check()?;
        let data = data.unwrap_or_else(|| DataManifest::none(size.unwrap_or_else(|| likely_size(parameters.visible()))));
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let folder = RunFolder::create(self.run.as_deref(), &format!("imported-{stem}"), &config)?;
        let folder = fill(folder, &config, (&parameters, recognition.as_ref()), data, commit)?;
        let path = shell(folder.path());
        say(format_args!(
            "{path} holds model.mpk, config.toml and manifest.json; next: {} analyze {path}",
            program()
        ));
        Ok(())
    }

    /// The configuration in a file, whose data must be the model's.
    fn named(&self, path: &Path, parameters: &Parameters) -> anyhow::Result<(Config, Option<DataManifest>)> {
        let config = Config::load(Some(path), &[])?.with_absolute_paths();
        let data = Dataset::load(&config.data)?;
        if data.visible() != parameters.visible() || config.model.latent != parameters.layers {
            return Err(Usage(format!(
                "{} is a model of {} pixels and {}, and {} says {} pixels and {}; name the model's own configuration with --config, or leave \
                 --config out to import the model alone",
                shell(&self.file),
                parameters.visible(),
                parameters.layers.describe(),
                shell(path),
                data.visible(),
                config.model.latent.describe()
            ))
            .into());
        }
        Ok((config, Some(DataManifest::of(&data))))
    }
}

/// The configuration that a file brings, and its data where they are to be had and are the model's; otherwise the model goes without.
fn own_data(own: Option<Config>, parameters: &Parameters) -> (Config, Option<DataManifest>) {
    let mut config = own.clone().unwrap_or_default();
    config.model.latent = parameters.layers.clone();
    if own.is_none() && !parameters.layers.are_listed() {
        config.training.method = Method::Sampled(SampledConfig::default());
    }
    let found = match own {
        None => Err("the file does not say what it was trained on".to_owned()),
        Some(_) if config.data.source == Source::None => Err("the file says that it has none".to_owned()),
        Some(_) => match Dataset::load(&config.data) {
            Ok(data) if data.visible() == parameters.visible() => Ok(DataManifest::of(&data)),
            Ok(data) => Err(format!(
                "its images have {} pixels, and those of its data {}",
                parameters.visible(),
                data.visible()
            )),
            Err(error) => Err(error.to_string()),
        },
    };
    match found {
        Ok(data) => (config, Some(data)),
        Err(why) => {
            tell(format_args!(
                "the model comes without data, so that no likelihoods can be told ({why}); a configuration that names them can be given with --config"
            ));
            config.data = DataConfig {
                source: Source::None,
                classes: Classes::All,
                ..config.data
            };
            (config, None)
        }
    }
}

/// Puts the model into its folder; one that cannot be filled is removed again.
fn fill(
    folder: RunFolder,
    config: &Config,
    (parameters, recognition): (&Parameters, Option<&RecognitionParameters>),
    data: DataManifest,
    commit: Option<&str>,
) -> anyhow::Result<RunFolder> {
    let write = || -> anyhow::Result<()> {
        record::save_model(&folder.file("model.mpk"), parameters)?;
        if let Some(recognition) = recognition {
            record::save_recognition(&folder.file(record::RECOGNITION), recognition)?;
        }
        let numerics = BackendName::Ndarray.open()?;
        let mut manifest = Manifest::new(config, folder.config_checksum(), data.clone(), numerics.device(), commit);
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
