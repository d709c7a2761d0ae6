//! A model from the bytes of a safetensors file, which may be of another program.

use std::path::Path;

use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors};

use super::{ExchangeError, code_arrays, foreign};
use crate::codes::Layers;
use crate::config::Config;
use crate::files;
use crate::model::recognition::RecognitionParameters;
use crate::model::tanh::{self, TanhParameters};
use crate::model::{BetweenParameters, Parameters, between_name};
use crate::record::{MOST_PIXELS, MOST_STATES};

/// The largest file that is read: 8 GiB.
const LARGEST: u64 = 1 << 33;

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
