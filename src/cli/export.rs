//! `export`: a run's model as a safetensors file.

use std::path::PathBuf;

use clap::Args;

use super::{Usage, expect_extension, say, shell};
use crate::exchange;
use crate::record;
use crate::training::folder::{read_config, read_manifest};

/// Write a trained model as a safetensors file
///
/// The file holds forward [D, L], forward_bias [L] and backward [L, D] in f32, with the run's configuration in its metadata; of latent layers with
/// structure also the codes of their states, and in its metadata what is to be computed.
#[derive(Args)]
#[command(after_help = "Example: latent-cycles export artifacts/runs/default-ndarray-1 --out model.safetensors")]
pub struct Export {
    /// The run's folder
    run: PathBuf,
    /// The file to write; an existing one is replaced
    #[arg(long, value_name = "F.safetensors")]
    out: PathBuf,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        expect_extension("--out", &self.out, "safetensors")?;
        let config = read_config(&self.run)?;
        let manifest = read_manifest(&self.run)?;
        let model = self.run.join("model.mpk");
        if !model.is_file() {
            let run = shell(&self.run);
            return Err(Usage(format!(
                "{run} has no model.mpk yet: the run has not ended; go on with train --resume --run {run}"
            ))
            .into());
        }
        let parameters = record::load_model(&model)?;
        let visible = manifest.as_ref().map_or(parameters.visible(), |manifest| manifest.visible);
        record::expect_shape(&model, &parameters, visible, &config.model.latent)?;
        let size = manifest.map_or((1, visible), |manifest| (manifest.data.rows, manifest.data.columns));
        exchange::write(&self.out, &parameters, &config, size)?;
        let arrays: Vec<String> = parameters
            .arrays()
            .iter()
            .map(|array| format!("{} {:?}", array.name, array.shape))
            .collect();
        say(format_args!("{}: {}, f32", self.out.display(), arrays.join(", ")));
        Ok(())
    }
}
