//! safetensors files: a model for programs in other languages, and back.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::codes::{Codes, Layer, Layers};
use crate::config::Config;
use crate::files::{self, FileError};
use crate::model::recognition::RecognitionParameters;
use crate::model::tanh::{self, TanhParameters};
use crate::model::{BetweenParameters, Parameters, between_name};
use crate::record::{MOST_PIXELS, MOST_STATES};

/// The largest file that is read: 8 GiB.
const LARGEST: u64 = 1 << 33;

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

/// What a safetensors file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchanged {
    /// The model.
    pub parameters: Parameters,
    /// Its recognition distribution, where the file has it.
    pub recognition: Option<RecognitionParameters>,
    /// The configuration that it came from, where the file has it.
    pub config: Option<Config>,
    /// Height and width of an image, where the file says them.
    pub size: Option<(usize, usize)>,
}

/// Reads a model and what the file says of it.
///
/// # Errors
/// As [`from_bytes`], or when the file cannot be read.
pub fn read(path: &Path) -> Result<Exchanged, ExchangeError> {
    let content = files::read_at_most(path, LARGEST)?;
    from_bytes(&content).map_err(|problem| foreign(path, problem))
}

/// A model in the bytes of a safetensors file. Its numbers may be f64, and are rounded to f32.
///
/// # Errors
/// In words: what is not safetensors, or has not exactly the tensors of a model, finite and of shapes that fit together, or has codes that are not those
/// of its layers. The codes may be left out.
pub fn from_bytes(content: &[u8]) -> Result<Exchanged, String> {
    let file = SafeTensors::deserialize(content).map_err(|error| format!("is not a safetensors file ({error})"))?;
    let metadata = SafeTensors::read_metadata(content)
        .ok()
        .and_then(|(_, header)| header.metadata().clone());
    let text = |key: &str| metadata.as_ref()?.get(key).map(String::as_str);
    let parameters = match text("layers") {
        None => one_hot(&file)?,
        Some(layers) => with_layers(&file, layers)?,
    };
    let recognition = recognition(&file, &parameters)?;
    let of_recognition: Vec<String> = recognition
        .iter()
        .flat_map(|found| found.arrays())
        .map(|array| array.name)
        .collect();
    let codes = code_arrays(&parameters.layers);
    for name in file.names() {
        let of_codes = codes.iter().find(|(known, ..)| known == name);
        if let Some((_, shape, numbers)) = of_codes {
            let (found, values) = tensor(&file, name, Dtype::F64, f64::from_le_bytes)?;
            if found != *shape || values != *numbers {
                return Err(format!("its tensor `{name}` is not that of {}", parameters.layers.describe()));
            }
        } else if parameters.arrays().iter().all(|array| array.name != *name) && !of_recognition.iter().any(|known| known == name) {
            let shown: String = name.chars().take(40).collect();
            return Err(format!(
                "its tensor {shown:?} is none of a model of {}, as its metadata says",
                parameters.layers.describe()
            ));
        }
    }
    if !parameters.is_finite()
        || !recognition
            .iter()
            .flat_map(RecognitionParameters::numbers)
            .all(|number| number.is_finite())
    {
        return Err("its numbers are not all finite".to_owned());
    }
    let config = text("config").map(|text| Config::from_toml(text, "its metadata `config`"));
    let config = config.transpose().map_err(|error| error.to_string())?;
    let number = |key: &str| text(key)?.parse::<usize>().ok();
    let size = number("rows").zip(number("columns"));
    Ok(Exchanged {
        size: size.filter(|&(rows, columns)| rows.checked_mul(columns) == Some(parameters.visible())),
        parameters,
        recognition,
        config,
    })
}

/// The recognition distribution of a file that has one, which must be of the model's units.
fn recognition(file: &SafeTensors, parameters: &Parameters) -> Result<Option<RecognitionParameters>, String> {
    if parameters.layers.binary_units().is_none() || !file.names().contains(&"recognition") {
        return Ok(None);
    }
    let found = RecognitionParameters {
        matrix: matrix(file, "recognition")?,
        bias: vector(file, "recognition_bias")?,
        tanh: tanh(file, "recognition_")?,
    };
    let sizes = |tanh: &TanhParameters| (tanh.inward.dim(), tanh.count(), tanh.outward.dim());
    if found.tanh.as_ref().map(sizes) != parameters.tanh.as_ref().map(sizes) {
        return Err("its recognition distribution has not the tanh units of its model".to_owned());
    }
    let (visible, units) = parameters.forward.dim();
    if found.matrix.dim() != (visible, units) || found.bias.len() != units {
        return Err(format!(
            "its tensors recognition {:?} and recognition_bias [{}] are not those of {visible} pixels and {units} units",
            found.matrix.shape(),
            found.bias.len()
        ));
    }
    Ok(Some(found))
}

/// tanh units, where a file has some.
fn tanh(file: &SafeTensors, of: &str) -> Result<Option<TanhParameters>, String> {
    let [inward, bias, outward] = tanh::names(of);
    if !file.names().contains(&inward.as_str()) {
        return Ok(None);
    }
    Ok(Some(TanhParameters {
        inward: matrix(file, &inward)?,
        bias: vector(file, &bias)?,
        outward: matrix(file, &outward)?,
    }))
}

/// The model of a file that says nothing of its latent layers: one one-hot layer.
fn one_hot(file: &SafeTensors) -> Result<Parameters, String> {
    let parameters = Parameters::one_hot(matrix(file, "forward")?, vector(file, "forward_bias")?, matrix(file, "backward")?);
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
    Ok(parameters)
}

/// The model of a file whose metadata `layers` has this text.
fn with_layers(file: &SafeTensors, text: &str) -> Result<Parameters, String> {
    let shown: String = text.chars().take(100).collect();
    let layers = Layers::from_record(text).map_err(|problem| format!("its metadata `layers` is {shown:?}: {problem}"))?;
    if layers.is_one_hot() {
        return Err("its metadata `layers` is that of a model without it".to_owned());
    }
    let optional = |name: &str| -> Result<Option<Array1<f32>>, String> {
        let there = file.names().contains(&name);
        there.then(|| vector(file, name)).transpose()
    };
    let mut between = Vec::new();
    for number in 0..layers.all().len() - 1 {
        let name = between_name(number);
        between.push(BetweenParameters {
            matrix: matrix(file, &name)?,
            bias: vector(file, &format!("{name}_bias"))?,
        });
    }
    let parameters = Parameters {
        forward: matrix(file, "forward")?,
        forward_bias: vector(file, "forward_bias")?,
        between,
        backward: matrix(file, "backward")?,
        visible_bias: optional("visible_bias")?,
        log_weights: optional("log_weights")?,
        tanh: if layers.are_listed() { None } else { tanh(file, "")? },
        layers,
    };
    let visible = parameters.visible();
    if visible == 0 || visible > MOST_PIXELS {
        return Err(format!("its model has {visible} pixels, and models have 1 to {MOST_PIXELS}"));
    }
    if !parameters.is_consistent() || parameters.log_weights.is_some() && !parameters.between.is_empty() {
        let found: Vec<String> = (parameters.arrays().iter())
            .map(|array| format!("{} {:?}", array.name, array.shape))
            .collect();
        return Err(format!(
            "its tensors {} are not those of {visible} pixels and {}",
            found.join(", "),
            parameters.layers.describe()
        ));
    }
    Ok(parameters)
}

/// The shape and the numbers of a tensor.
fn tensor<T, const BYTES: usize>(
    file: &SafeTensors,
    name: &str,
    dtype: Dtype,
    number: fn([u8; BYTES]) -> T,
) -> Result<(Vec<usize>, Vec<T>), String> {
    let view = file.tensor(name).map_err(|_| format!("has no tensor `{name}`"))?;
    if view.dtype() != dtype {
        return Err(format!("its tensor `{name}` is {:?} of shape {:?}", view.dtype(), view.shape()));
    }
    let numbers = view.data().as_chunks().0.iter().map(|&bytes| number(bytes)).collect();
    Ok((view.shape().to_vec(), numbers))
}

/// The same of numbers of a model, in f32 or f64.
fn floats(file: &SafeTensors, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let is_double = file.tensor(name).is_ok_and(|view| view.dtype() == Dtype::F64);
    if is_double {
        tensor(file, name, Dtype::F64, |bytes| f64::from_le_bytes(bytes) as f32)
    } else {
        tensor(file, name, Dtype::F32, f32::from_le_bytes)
    }
}

fn matrix(file: &SafeTensors, name: &str) -> Result<Array2<f32>, String> {
    let (shape, numbers) = floats(file, name)?;
    let &[rows, columns] = &shape[..] else {
        return Err(format!("its tensor `{name}` is of shape {shape:?}"));
    };
    Array2::from_shape_vec((rows, columns), numbers).map_err(|error| format!("its tensor `{name}`: {error}"))
}

fn vector(file: &SafeTensors, name: &str) -> Result<Array1<f32>, String> {
    let (shape, numbers) = floats(file, name)?;
    if shape.len() != 1 {
        return Err(format!("its tensor `{name}` is of shape {shape:?}"));
    }
    Ok(Array1::from_vec(numbers))
}

fn foreign(path: &Path, problem: String) -> ExchangeError {
    ExchangeError::Foreign {
        path: path.to_owned(),
        problem,
    }
}
