//! safetensors files: a model for programs in other languages, and back.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::config::Config;
use crate::files::{self, FileError};
use crate::model::Parameters;
use crate::record::{MOST_PIXELS, MOST_STATES};

/// What the file says it is, under the metadata key `format`.
const FORMAT: &str = "latent-cycles model: p(z|x) = softmax(x @ forward + forward_bias), q(x_i=1|z) = sigmoid(backward[z, i])";
/// The names of the three tensors.
const NAMES: [&str; 3] = ["forward", "forward_bias", "backward"];
/// The largest file that is read: 8 GiB.
const LARGEST: u64 = 1 << 33;

/// Why a safetensors file could not be written or used.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a safetensors file, or not of a model.
    #[error("{path}: {problem}; a model's safetensors file holds forward [D, L], forward_bias [L] and backward [L, D] in f32")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
}

/// Writes a model with the configuration it came from; `rows` and `columns` are the images' size.
pub fn write(path: &Path, parameters: &Parameters, config: &Config, (rows, columns): (usize, usize)) -> Result<(), ExchangeError> {
    let (visible, latent) = (parameters.visible(), parameters.latent());
    let metadata = HashMap::from(
        [
            ("format", FORMAT.to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("visible", visible.to_string()),
            ("latent", latent.to_string()),
            ("rows", rows.to_string()),
            ("columns", columns.to_string()),
            ("config", config.to_toml()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let contents = [
        bytes(parameters.forward.iter()),
        bytes(parameters.forward_bias.iter()),
        bytes(parameters.backward.iter()),
    ];
    let shapes = [vec![visible, latent], vec![latent], vec![latent, visible]];
    let foreign = |error: safetensors::SafeTensorError| foreign(path, error.to_string());
    let mut tensors = Vec::new();
    for ((name, shape), content) in NAMES.into_iter().zip(shapes).zip(&contents) {
        tensors.push((name, TensorView::new(Dtype::F32, shape, content).map_err(foreign)?));
    }
    let content = safetensors::serialize(tensors, Some(metadata)).map_err(foreign)?;
    Ok(files::write(path, &in_alphabetical_order(content))?)
}

/// A safetensors file with the entries of its header in one order: safetensors writes its metadata in a random one.
fn in_alphabetical_order(mut content: Vec<u8>) -> Vec<u8> {
    let (length, rest) = content
        .split_first_chunk_mut()
        .expect("safetensors begins with its header's length");
    let header = &mut rest[..u64::from_le_bytes(*length) as usize];
    let entries: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_slice(header).expect("its header is JSON");
    let mut ordered = serde_json::to_vec(&entries).expect("JSON has been read");
    // The same entries take as much space in any order; the header ends in spaces.
    ordered.resize(header.len(), b' ');
    header.copy_from_slice(&ordered);
    content
}

/// Reads a model and, where the file has one, its configuration.
pub fn read(path: &Path) -> Result<(Parameters, Option<Config>), ExchangeError> {
    let content = files::read_at_most(path, LARGEST)?;
    from_bytes(&content).map_err(|problem| foreign(path, problem))
}

/// The model and the configuration in the bytes of a safetensors file.
///
/// # Errors
/// In words: what is not safetensors, or has not the three tensors of a model, finite and of shapes that fit together.
pub fn from_bytes(content: &[u8]) -> Result<(Parameters, Option<Config>), String> {
    let file = SafeTensors::deserialize(content).map_err(|error| format!("is not a safetensors file ({error})"))?;
    let tensor = |name: &str, rank: usize| {
        let view = file.tensor(name).map_err(|_| format!("has no tensor `{name}`"))?;
        if view.dtype() != Dtype::F32 || view.shape().len() != rank {
            return Err(format!("its tensor `{name}` is {:?} of shape {:?}", view.dtype(), view.shape()));
        }
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        Ok((view.shape().to_vec(), values))
    };
    let matrix = |name: &str| {
        let (shape, values) = tensor(name, 2)?;
        Array2::from_shape_vec((shape[0], shape[1]), values).map_err(|error| format!("its tensor `{name}`: {error}"))
    };
    let parameters = Parameters::one_hot(
        matrix("forward")?,
        Array1::from_vec(tensor("forward_bias", 1)?.1),
        matrix("backward")?,
    );
    if !parameters.is_consistent() || parameters.visible() == 0 || parameters.latent() == 0 {
        return Err(format!(
            "its tensors have the shapes {:?}, [{}] and {:?}, which do not fit together",
            parameters.forward.shape(),
            parameters.forward_bias.len(),
            parameters.backward.shape()
        ));
    }
    if parameters.visible() > MOST_PIXELS || parameters.latent() > MOST_STATES {
        return Err(format!(
            "its model has {} pixels and {} latent states, and models have at most {MOST_PIXELS} and {MOST_STATES}",
            parameters.visible(),
            parameters.latent()
        ));
    }
    if !parameters.is_finite() {
        return Err("its numbers are not all finite".to_owned());
    }
    let config = SafeTensors::read_metadata(content)
        .ok()
        .and_then(|(_, header)| header.metadata().as_ref()?.get("config").cloned())
        .map(|text| Config::from_toml(&text, "its metadata `config`"))
        .transpose()
        .map_err(|error| error.to_string())?;
    Ok((parameters, config))
}

fn bytes<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    values.flat_map(|value| value.to_le_bytes()).collect()
}

fn foreign(path: &Path, problem: String) -> ExchangeError {
    ExchangeError::Foreign {
        path: path.to_owned(),
        problem,
    }
}
