//! `export`: a run's model as a safetensors file.

use std::path::PathBuf;

use clap::Args;

use super::{Usage, expect_extension, run_or_latest, say, shell};
use crate::exchange;
use crate::model::recognition::RecognitionParameters;
use crate::record;
use crate::trained::{self, RunOf, Trained};

/// Write a trained model as a safetensors file
///
/// The file holds forward [D, L], forward_bias [L] and backward [L, D] in f32, with the run's configuration in its metadata; of latent layers with
/// structure also the codes of their states, and in its metadata what is to be computed; where the posterior was sampled, recognition [D, H] and recognition_bias [H] besides.
#[derive(Args)]
#[command(after_help = "Examples:
  latent-cycles export --out model.safetensors
  latent-cycles export artifacts/runs/default-ndarray-1 --checkpoint 1000 --out step-1000.safetensors")]
pub struct Export {
    /// The run's folder [default: the latest run in artifacts/runs]
    run: Option<PathBuf>,
    /// The checkpoint of this step instead of the final model
    #[arg(long, value_name = "STEP")]
    checkpoint: Option<u64>,
    /// The file to write; an existing one is replaced
    #[arg(long, value_name = "F.safetensors")]
    out: PathBuf,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        expect_extension("--out", &self.out, "safetensors")?;
        let run = RunOf::open(&run_or_latest(self.run)?)?;
        let record = match self.checkpoint {
            Some(step) => run.checkpoint(step)?,
            None => run.final_model().ok_or_else(|| {
                let run = shell(&run.folder);
                Usage(format!(
                    "{run} has no final model yet: the run has not ended; go on with train --resume --run {run}, or name a checkpoint with --checkpoint STEP"
                ))
            })?,
        };
        let Trained {
            parameters, recognition, ..
        } = Trained::record(&record)?;
        let visible = run.manifest.as_ref().map_or(parameters.visible(), |manifest| manifest.visible);
        record::expect_shape(&record, &parameters, visible, &run.config.model.latent)?;
        let size = trained::image_size(Some(&run), parameters.visible())?;
        exchange::write(&self.out, &parameters, recognition.as_ref(), &run.config, size)?;
        let arrays: Vec<String> = parameters
            .arrays()
            .into_iter()
            .chain(recognition.iter().flat_map(RecognitionParameters::arrays))
            .map(|array| format!("{} {:?}", array.name, array.shape))
            .collect();
        say(format_args!("{}: {}, f32", self.out.display(), arrays.join(", ")));
        Ok(())
    }
}
