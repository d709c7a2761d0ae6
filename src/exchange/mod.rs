//! safetensors files: a model for programs in other languages, and back.

mod read;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};

pub use self::read::{Exchanged, from_bytes, read};
use crate::codes::{Codes, Layer, Layers};
use crate::config::Config;
use crate::files::{self, FileError};
use crate::model::recognition::RecognitionParameters;
use crate::model::tanh;
use crate::model::{Parameters, between_name};

/// Why a safetensors file could not be written or used.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a safetensors file, or not of a model.
    #[error(
        "{path}: {problem}; a model's safetensors file holds forward [D, L], forward_bias [L] and backward [L, D] in f32 or f64, or what export writes of other latent layers"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// In words.
        problem: String,
    },
}

/// Writes a model with the configuration it came from; `rows` and `columns` are the images' size.
///
/// The file holds the arrays of [`Parameters::arrays`], in f32. Unless the model has one one-hot layer, its metadata `layers` says what the
/// latent layers are, as a configuration does, and `codes` `[L, H]` and `code_log_weights` `[L]`, in f64, hold their C and g. In a deeper chain these two
/// carry the number of their layer, `codes_1`, and one-hot layers have none. The metadata `format` says what is to be computed from all this.
///
/// Of units whose states are not listed there are no codes. A recognition distribution adds `recognition` `[D, H]` and `recognition_bias` `[H]`.
pub fn write(
    path: &Path,
    parameters: &Parameters,
    recognition: Option<&RecognitionParameters>,
    config: &Config,
    (rows, columns): (usize, usize),
) -> Result<(), ExchangeError> {
    let layers = &parameters.layers;
    let mut format = format_of(parameters);
    if let Some(recognition) = recognition {
        let [inward, bias, outward] = tanh::names("recognition_");
        let tanh = (recognition.tanh.as_ref()).map_or(String::new(), |_| format!(" + tanh(x @ {inward} + {bias}) @ {outward}"));
        format.push_str(&format!(", s(h_j=1|x) = sigmoid(x @ recognition + recognition_bias{tanh})"));
    }
    let mut metadata = HashMap::from(
        [
            ("format", format),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("visible", parameters.visible().to_string()),
            ("rows", rows.to_string()),
            ("columns", columns.to_string()),
            ("config", config.to_toml()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    if layers.are_listed() {
        metadata.insert("latent".to_owned(), parameters.latent().to_string());
    }
    if !layers.is_one_hot() {
        metadata.insert("layers".to_owned(), layers.to_string());
    }
    let mut contents: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let of_recognition = recognition.map(RecognitionParameters::arrays);
    for array in parameters.arrays().into_iter().chain(of_recognition.into_iter().flatten()) {
        let content = array.numbers.flat_map(|number| number.to_le_bytes()).collect();
        contents.push((array.name, Dtype::F32, array.shape, content));
    }
    for (name, shape, numbers) in code_arrays(layers) {
        let content = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        contents.push((name, Dtype::F64, shape, content));
    }
    let foreign = |error: safetensors::SafeTensorError| foreign(path, error.to_string());
    let mut tensors = Vec::new();
    for (name, dtype, shape, content) in &contents {
        tensors.push((name, TensorView::new(*dtype, shape.clone(), content).map_err(foreign)?));
    }
    let content = safetensors::serialize(tensors, Some(metadata)).map_err(foreign)?;
    Ok(files::write(path, &in_alphabetical_order(content))?)
}

/// What a name ends in that belongs to one layer of several.
fn ending(layers: &Layers, number: usize) -> String {
    if layers.all().len() == 1 {
        String::new()
    } else {
        format!("_{}", number + 1)
    }
}

/// The codes and the log-weights of all layers that are not one-hot, with names and shapes.
fn code_arrays(layers: &Layers) -> Vec<(String, Vec<usize>, Vec<f64>)> {
    let mut arrays = Vec::new();
    let listed = |(_, layer): &(usize, &Layer)| !layer.is_one_hot() && layer.is_listed();
    for (number, layer) in layers.all().iter().enumerate().filter(listed) {
        let (codes, ending) = (Codes::of(layer), ending(layers, number));
        let matrix = codes.matrix().iter().copied().collect();
        arrays.push((format!("codes{ending}"), vec![codes.states(), codes.width()], matrix));
        let log_weights = codes.log_weights().to_vec();
        arrays.push((format!("code_log_weights{ending}"), vec![codes.states()], log_weights));
    }
    arrays
}

/// What a file says that it is: the model's two conditionals, or more in a deeper chain, in numpy's words.
fn format_of(parameters: &Parameters) -> String {
    let layers = &parameters.layers;
    if !layers.are_listed() {
        let tanh = (parameters.tanh.as_ref()).map_or("", |_| " + tanh(x @ tanh_inward + tanh_bias) @ tanh_outward");
        return format!(
            "latent-cycles model: p(h_j=1|x) = sigmoid(x @ forward + forward_bias{tanh}), q(x_i=1|h) = sigmoid(h @ backward + visible_bias)"
        );
    }
    let state = |number| format!("z{}", ending(layers, number));
    let from_state = |number: usize, matrix: &str, column: Option<&str>| {
        let (ending, state) = (ending(layers, number), state(number));
        let columns = |rows: &str| column.map_or(String::new(), |column| format!("[{rows}, {column}]"));
        match (layers.all()[number].is_one_hot(), column) {
            (true, None) => format!("{matrix}[{state}]"),
            (true, Some(_)) => format!("{matrix}{}", columns(&state)),
            (false, _) => format!("codes{ending}[{state}] @ {matrix}{}", columns(":")),
        }
    };
    let to_states = |number: usize, logits: String| {
        let ending = ending(layers, number);
        let weights = match &parameters.log_weights {
            Some(_) => " + log_weights".to_owned(),
            None if layers.all()[number].is_one_hot() => String::new(),
            None => format!(" + code_log_weights{ending}"),
        };
        if layers.all()[number].is_one_hot() {
            format!("softmax({logits}{weights})")
        } else {
            format!("softmax(codes{ending} @ ({logits}){weights})")
        }
    };
    let last = layers.all().len() - 1;
    let mut conditionals = vec![format!(
        "p({}|x) = {}",
        state(0),
        to_states(0, "x @ forward + forward_bias".to_owned())
    )];
    for number in 0..last {
        let matrix = between_name(number);
        let logits = format!("{} + {matrix}_bias", from_state(number, &matrix, None));
        conditionals.push(format!(
            "p({}|{}) = {}",
            state(number + 1),
            state(number),
            to_states(number + 1, logits)
        ));
    }
    let bias = parameters.visible_bias.as_ref().map_or("", |_| " + visible_bias[i]");
    let logit = from_state(last, "backward", Some("i"));
    conditionals.push(format!("q(x_i=1|{}) = sigmoid({logit}{bias})", state(last)));
    format!("latent-cycles model: {}", conditionals.join(", "))
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

fn foreign(path: &Path, problem: String) -> ExchangeError {
    ExchangeError::Foreign {
        path: path.to_owned(),
        problem,
    }
}
