//! What a file says that it holds, checked part against part before an array is made of it.

use burn::module::ParamId;
use ndarray::{Array1, Array2};

use super::fields::Fields;
use super::messagepack::{Value, quoted};
use super::{MOST_CHAINS, MOST_PIXELS, MOST_STATES, MOST_STEPS, Recorded, TrainingState, recognition};
use crate::codes::Layers;
use crate::data::packed::PackedImages;
use crate::kernels::bits::WORD;
use crate::model::{BetweenParameters, Parameters, shapes};

/// A tensor of R dimensions whose data are as many as its shape takes, 4 bytes each.
pub(super) struct Written<'a, const R: usize> {
    pub(super) path: String,
    pub(super) shape: [usize; R],
    data: &'a [[u8; 4]],
}

/// Reads a whole record; the error says in words what is wrong, and in which field.
pub fn read(content: &[u8]) -> Result<Recorded, String> {
    let item = item(content)?;
    if item.has("model") {
        checkpoint(item).map(|state| Recorded::Checkpoint(Box::new(state)))
    } else {
        model(item).map(|parameters| Recorded::Model(Box::new(parameters)))
    }
}

/// What a record is about.
pub(super) fn item(content: &[u8]) -> Result<Fields<'_>, String> {
    let mut record = Fields::of(Value::parse(content)?, "")?;
    check_metadata(record.take("metadata")?)?;
    // A phantom of the backend's type.
    match record.take("_b")? {
        Value::List(nothing) if nothing.is_empty() => (),
        other => return Err(format!("the field `_b` is {}, not []", other.describe())),
    }
    let item = Fields::of(record.take("item")?, "item")?;
    record.end()?;
    Ok(item)
}

/// The names of the types are burn's and rustc's, and say nothing that the tensors do not say themselves, but for the precision.
fn check_metadata(value: Value) -> Result<(), String> {
    let mut metadata = Fields::of(value, "metadata")?;
    for (name, expected) in [
        ("float", Some("f32")),
        ("int", Some("i32")),
        ("format", None),
        ("version", None),
        ("settings", None),
    ] {
        let text = metadata.take_text(name)?;
        if expected.is_some_and(|expected| expected != text) {
            let expected = expected.unwrap_or_default();
            return Err(format!("the field `metadata.{name}` is {}, not {expected:?}", quoted(text)));
        }
    }
    metadata.end()
}

pub(super) fn model(item: Fields) -> Result<Parameters, String> {
    if item.has("layers") {
        return model_with_layers(item);
    }
    let mut item = item;
    let forward = parameter(item.take_map("forward")?)?;
    let forward_bias = parameter(item.take_map("forward_bias")?)?;
    let backward = parameter(item.take_map("backward")?)?;
    item.end()?;
    parameters(&forward, &forward_bias, &backward)
}

/// A model whose latent layers are not one one-hot layer.
fn model_with_layers(mut item: Fields) -> Result<Parameters, String> {
    let text = item.take_text("layers")?;
    let layers =
        Layers::from_record(text).map_err(|problem| format!("the field `{}` is {}: {problem}", item.path_of("layers"), quoted(text)))?;
    if layers.is_one_hot() {
        return Err(format!("the field `{}` is that of a model without it", item.path_of("layers")));
    }
    let forward: Written<2> = parameter(item.take_map("forward")?)?;
    let forward_bias: Written<1> = parameter(item.take_map("forward_bias")?)?;
    let backward: Written<2> = parameter(item.take_map("backward")?)?;
    let [visible_bias, log_weights] = ["visible_bias", "log_weights"].map(|name| -> Result<_, String> {
        let bias = item.take_optional_map(name)?;
        bias.map(parameter).transpose()
    });
    let (visible_bias, log_weights): (Option<Written<1>>, Option<Written<1>>) = (visible_bias?, log_weights?);
    let mut between = Vec::new();
    for (number, value) in item.take_list("between")?.into_iter().enumerate() {
        let mut fields = Fields::of(value, format!("{}[{number}]", item.path_of("between")))?;
        let matrix: Written<2> = parameter(fields.take_map("matrix")?)?;
        let bias: Written<1> = parameter(fields.take_map("bias")?)?;
        fields.end()?;
        between.push((matrix, bias));
    }
    let tanh = recognition::tanh(&mut item)?;
    item.end()?;

    let [visible, _] = forward.shape;
    if visible == 0 || visible > MOST_PIXELS {
        return Err(format!(
            "the matrix `{}` is of {visible} pixels, and models have 1 to {MOST_PIXELS}",
            forward.path
        ));
    }
    let expected: Vec<Vec<usize>> = shapes(visible, &layers, log_weights.is_some(), 0)
        .into_iter()
        .map(|(_, shape)| shape)
        .collect();
    let mut found = vec![forward.shape.to_vec(), forward_bias.shape.to_vec()];
    found.extend(
        between
            .iter()
            .flat_map(|(matrix, bias)| [matrix.shape.to_vec(), bias.shape.to_vec()]),
    );
    found.push(backward.shape.to_vec());
    found.extend(visible_bias.iter().chain(&log_weights).map(|bias| bias.shape.to_vec()));
    if found != expected || log_weights.is_some() && !between.is_empty() {
        return Err(format!(
            "its arrays have the shapes {found:?}, and those of {visible} pixels and {} are {expected:?}",
            layers.describe()
        ));
    }
    let parameters = Parameters {
        forward: forward.matrix()?,
        forward_bias: forward_bias.vector()?,
        between: between
            .iter()
            .map(|(matrix, bias)| {
                Ok(BetweenParameters {
                    matrix: matrix.matrix()?,
                    bias: bias.vector()?,
                })
            })
            .collect::<Result<_, String>>()?,
        backward: backward.matrix()?,
        visible_bias: visible_bias.map(|bias| bias.vector()).transpose()?,
        log_weights: log_weights.map(|log_weights| log_weights.vector()).transpose()?,
        tanh,
        layers,
    };
    if let Some(tanh) = &parameters.tanh
        && (parameters.layers.are_listed() || !recognition::fits(tanh, &parameters))
    {
        return Err(format!(
            "the field `item.tanh` is not that of {visible} pixels and {}",
            parameters.layers.describe()
        ));
    }
    Ok(parameters)
}

fn checkpoint(mut item: Fields) -> Result<TrainingState, String> {
    let model = model(item.take_map("model")?)?;
    let visible = model.visible();
    let mean_squares = if item.has("mean_squares") {
        self::model(item.take_map("mean_squares")?)?
    } else {
        parameters(
            &tensor(item.take_map("forward_mean_square")?, "F32")?,
            &tensor(item.take_map("forward_bias_mean_square")?, "F32")?,
            &tensor(item.take_map("backward_mean_square")?, "F32")?,
        )?
    };
    if !recognition::is_of_shape(&mean_squares, &model) {
        return Err(format!(
            "its mean squares are those of {} pixels and {}, and its model has {visible} and {}",
            mean_squares.visible(),
            mean_squares.layers.describe(),
            model.layers.describe()
        ));
    }
    if mean_squares.log_weights.is_some() && model.log_weights.is_none() {
        return Err("its mean squares have log_weights, and its model has none".to_owned());
    }
    if let Some(negative) = mean_squares.numbers().find(|&&square| square < 0.0) {
        return Err(format!("its mean squares are not all 0 or more: one is {negative}"));
    }
    let chains = if item.has("chains") {
        let chains = item.take_optional_map("chains")?;
        chains.map(|chains| chains_of_pixels(tensor(chains, "F32")?, visible)).transpose()?
    } else {
        let words = item.take_optional_map("chain_words")?;
        words.map(|words| chains_of_words(tensor(words, "I32")?, visible)).transpose()?
    };
    let path_entropy_weight = if item.has("path_entropy_weight") {
        match item.take("path_entropy_weight")? {
            Value::Nothing => None,
            Value::Fraction(weight) if weight.is_finite() => Some(weight),
            other => {
                return Err(format!(
                    "the field `item.path_entropy_weight` is {}, not a finite number",
                    other.describe()
                ));
            }
        }
    } else {
        None
    };
    let sampled = if item.has("sampled") {
        let sampled = item.take_optional_map("sampled")?;
        sampled.map(|sampled| recognition::sampled(sampled, &model)).transpose()?
    } else {
        None
    };
    let step = match item.take("step")? {
        Value::Whole(step) if step <= MOST_STEPS => step,
        other => {
            return Err(format!(
                "the field `item.step` is {}, not a number of steps up to {MOST_STEPS}",
                other.describe()
            ));
        }
    };
    item.end()?;
    Ok(TrainingState {
        parameters: model,
        mean_squares,
        chains,
        path_entropy_weight,
        sampled,
        step,
    })
}

/// A burn `Param`: a tensor with an identity, which has no use here.
pub(super) fn parameter<const R: usize>(mut fields: Fields) -> Result<Written<R>, String> {
    let id = fields.take_text("id")?;
    // burn panics over some longer ones that it takes for its own.
    if id.len() != 13 || ParamId::try_deserialize(id).is_none() {
        return Err(format!(
            "the field `{}.id` is {}, not a parameter's identity",
            fields.path,
            quoted(id)
        ));
    }
    let tensor = tensor(fields.take_map("param")?, "F32")?;
    fields.end()?;
    Ok(tensor)
}

/// A burn `Tensor`.
fn tensor<'a, const R: usize>(mut fields: Fields<'a>, dtype: &str) -> Result<Written<'a, R>, String> {
    let path = fields.path.clone();
    let (data, shape, found) = (fields.take("bytes")?, fields.take("shape")?, fields.take("dtype")?);
    fields.end()?;
    if !matches!(found, Value::Text(found) if found == dtype) {
        return Err(format!("the field `{path}.dtype` is {}, not {dtype:?}", found.describe()));
    }
    let sizes = match &shape {
        Value::List(values) => values.iter().map(size).collect(),
        _ => None,
    };
    let Some(shape) = sizes.and_then(|sizes: Vec<usize>| <[usize; R]>::try_from(sizes).ok()) else {
        return Err(format!(
            "the field `{path}.shape` is {}, not {} of a tensor of rank {R}",
            shape.describe(),
            if R == 1 { "the size" } else { "the sizes" }
        ));
    };
    let Value::Bytes(bytes) = data else {
        return Err(format!("the field `{path}.bytes` is {}, not data", data.describe()));
    };
    let needed = shape.iter().try_fold(4_usize, |product, &size| product.checked_mul(size));
    if needed != Some(bytes.len()) {
        let needed = needed.map_or("more than any file has".to_owned(), |needed| needed.to_string());
        return Err(format!(
            "the field `{path}.bytes` has {} bytes, and the shape {shape:?} of {dtype} numbers needs {needed}",
            bytes.len()
        ));
    }
    Ok(Written {
        path,
        shape,
        data: bytes.as_chunks().0,
    })
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Whole(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}

/// W, b and A, or what lies beside each.
fn parameters(forward: &Written<2>, forward_bias: &Written<1>, backward: &Written<2>) -> Result<Parameters, String> {
    let [visible, latent] = forward.shape;
    if forward_bias.shape != [latent] || backward.shape != [latent, visible] {
        return Err(format!(
            "the shapes {:?}, {:?} and {:?} of `{}`, `{}` and `{}` do not fit together",
            forward.shape, forward_bias.shape, backward.shape, forward.path, forward_bias.path, backward.path
        ));
    }
    if visible == 0 || latent == 0 {
        return Err(format!("the matrix `{}` is empty", forward.path));
    }
    if visible > MOST_PIXELS || latent > MOST_STATES {
        return Err(format!(
            "the matrix `{}` is of {visible} pixels and {latent} latent states, and models have at most {MOST_PIXELS} and {MOST_STATES}",
            forward.path
        ));
    }
    Ok(Parameters::one_hot(forward.matrix()?, forward_bias.vector()?, backward.matrix()?))
}

impl<const R: usize> Written<'_, R> {
    /// The numbers, which must be finite.
    fn floats(&self) -> Result<Vec<f32>, String> {
        let numbers: Vec<f32> = self.data.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        match numbers.iter().position(|number| !number.is_finite()) {
            None => Ok(numbers),
            Some(place) => Err(format!(
                "the numbers of `{}` are not all finite: number {place} is {}",
                self.path, numbers[place]
            )),
        }
    }
}

impl Written<'_, 1> {
    pub(super) fn vector(&self) -> Result<Array1<f32>, String> {
        Ok(Array1::from_vec(self.floats()?))
    }
}

impl Written<'_, 2> {
    pub(super) fn matrix(&self) -> Result<Array2<f32>, String> {
        Array2::from_shape_vec(self.shape, self.floats()?).map_err(|error| format!("the matrix `{}`: {error}", self.path))
    }

    /// Chains must be some, and of the model's pixels.
    fn check_chains(&self, columns: usize, visible: usize) -> Result<(), String> {
        let [count, found] = self.shape;
        if count == 0 || count > MOST_CHAINS || found != columns {
            return Err(format!(
                "the field `{}.shape` is {:?}, not a number of chains up to {MOST_CHAINS} and {columns}, as for {visible} pixels",
                self.path, self.shape
            ));
        }
        Ok(())
    }
}

/// Chains as they are written, 32 pixels to a word.
fn chains_of_words(written: Written<2>, visible: usize) -> Result<PackedImages, String> {
    let columns = visible.div_ceil(WORD);
    written.check_chains(columns, visible)?;
    let words: Vec<u32> = written.data.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
    let unused = columns * WORD - visible;
    let beyond = u32::MAX.checked_shl((WORD - unused) as u32).unwrap_or(0);
    let last_words = words.iter().skip(columns - 1).step_by(columns);
    if let Some(chain) = last_words.clone().position(|word| word & beyond != 0) {
        return Err(format!(
            "chain {chain} of `{}` has lit pixels beyond the {visible} of an image",
            written.path
        ));
    }
    Ok(PackedImages::from_words(words, visible))
}

/// Chains as earlier versions wrote them, one number to a pixel.
fn chains_of_pixels(written: Written<2>, visible: usize) -> Result<PackedImages, String> {
    written.check_chains(visible, visible)?;
    let pixels = written.matrix()?;
    if let Some(other) = pixels
        .iter()
        .find(|pixel| ![0.0_f32, 1.0].map(f32::to_bits).contains(&pixel.to_bits()))
    {
        return Err(format!("the pixels of `{}` are not all 0 or 1: one is {other}", written.path));
    }
    Ok(PackedImages::pack(&pixels.mapv(|pixel| u8::from(pixel != 0.0))))
}
