//! Records put together value by value, to be wrong in one place.

use burn::module::ParamId;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::model::Parameters;
use latent_cycles::model::recognition::RecognitionParameters;
use latent_cycles::model::tanh::TanhParameters;
use latent_cycles::record::{SampledState, TrainingState};
use ndarray::{Array1, Array2};

/// A value of MessagePack.
#[derive(Clone, Debug)]
pub enum Value {
    Nil,
    Flag(bool),
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    /// Whatever these bytes are.
    Raw(Vec<u8>),
}

use Value::{Bytes, List, Map, Nil, Text, Whole};

impl Value {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        use rmp::encode;
        match self {
            Nil => encode::write_nil(out).unwrap(),
            Self::Flag(flag) => encode::write_bool(out, *flag).unwrap(),
            Whole(number) => drop(encode::write_uint(out, *number).unwrap()),
            Self::Negative(number) => drop(encode::write_sint(out, *number).unwrap()),
            Self::Fraction(number) => encode::write_f64(out, *number).unwrap(),
            Text(text) => encode::write_str(out, text).unwrap(),
            Bytes(bytes) => encode::write_bin(out, bytes).unwrap(),
            List(values) => {
                encode::write_array_len(out, values.len() as u32).unwrap();
                values.iter().for_each(|value| value.write(out));
            }
            Map(fields) => {
                encode::write_map_len(out, fields.len() as u32).unwrap();
                for (name, value) in fields {
                    encode::write_str(out, name).unwrap();
                    value.write(out);
                }
            }
            Self::Raw(bytes) => out.extend(bytes),
        }
    }

    /// The field at a dotted path; of a list, the value with a number.
    pub fn at(&mut self, path: &str) -> &mut Self {
        path.split('.')
            .filter(|name| !name.is_empty())
            .fold(self, |value, name| match value {
                List(values) => &mut values[name.parse::<usize>().unwrap()],
                _ => &mut value.fields().iter_mut().find(|(found, _)| found == name).unwrap().1,
            })
    }

    /// The fields of a map.
    pub fn fields(&mut self) -> &mut Vec<(String, Value)> {
        let Map(fields) = self else { panic!("no map") };
        fields
    }
}

pub fn text(text: &str) -> Value {
    Text(text.to_owned())
}

pub fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

pub fn sizes(sizes: &[u64]) -> Value {
    List(sizes.iter().map(|&size| Whole(size)).collect())
}

/// A burn `Tensor` of 4-byte numbers.
pub fn tensor(shape: &[u64], dtype: &str, bytes: Vec<u8>) -> Value {
    map([("bytes", Bytes(bytes)), ("shape", sizes(shape)), ("dtype", text(dtype))])
}

pub fn floats<'a>(numbers: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn tensors(parameters: &Parameters) -> [Value; 3] {
    let (visible, latent) = (parameters.visible() as u64, parameters.latent() as u64);
    [
        tensor(&[visible, latent], "F32", floats(&parameters.forward)),
        tensor(&[latent], "F32", floats(&parameters.forward_bias)),
        tensor(&[latent, visible], "F32", floats(&parameters.backward)),
    ]
}

fn model_item(parameters: &Parameters) -> Value {
    let mut id = 0;
    let [forward, forward_bias, backward] = tensors(parameters).map(|tensor| {
        id += 1;
        map([("id", text(&ParamId::from(id).serialize())), ("param", tensor)])
    });
    map([("forward", forward), ("forward_bias", forward_bias), ("backward", backward)])
}

/// A burn `Param`.
pub fn parameter(id: u64, tensor: Value) -> Value {
    map([("id", text(&ParamId::from(id).serialize())), ("param", tensor)])
}

/// A model whose latent layers are not one one-hot layer.
fn layers_item(parameters: &Parameters) -> Value {
    let matrix = |id, matrix: &Array2<f32>| {
        let shape = [matrix.nrows() as u64, matrix.ncols() as u64];
        parameter(id, tensor(&shape, "F32", floats(matrix)))
    };
    let vector = |id, vector: &Array1<f32>| parameter(id, tensor(&[vector.len() as u64], "F32", floats(vector)));
    let optional = |id, values: &Option<Array1<f32>>| values.as_ref().map_or(Nil, |values| vector(id, values));
    let between = parameters
        .between
        .iter()
        .zip((6..).step_by(2))
        .map(|(between, id)| map([("matrix", matrix(id, &between.matrix)), ("bias", vector(id + 1, &between.bias))]));
    map([
        ("forward", matrix(1, &parameters.forward)),
        ("forward_bias", vector(2, &parameters.forward_bias)),
        ("between", List(between.collect())),
        ("backward", matrix(3, &parameters.backward)),
        ("visible_bias", optional(4, &parameters.visible_bias)),
        ("log_weights", optional(5, &parameters.log_weights)),
        ("tanh", parameters.tanh.as_ref().map_or(Nil, |units| tanh(101, units))),
        ("layers", text(&parameters.layers.to_string())),
    ])
}

fn tanh(id: u64, units: &TanhParameters) -> Value {
    let matrix = |matrix: &Array2<f32>| tensor(&[matrix.nrows() as u64, matrix.ncols() as u64], "F32", floats(matrix));
    map([
        ("inward", parameter(id, matrix(&units.inward))),
        (
            "bias",
            parameter(id + 1, tensor(&[units.bias.len() as u64], "F32", floats(&units.bias))),
        ),
        ("outward", parameter(id + 2, matrix(&units.outward))),
    ])
}

fn sampled_item(state: &SampledState) -> Value {
    let recognition = |parameters: &RecognitionParameters| {
        let (visible, units) = parameters.matrix.dim();
        let matrix = tensor(&[visible as u64, units as u64], "F32", floats(&parameters.matrix));
        let bias = tensor(&[units as u64], "F32", floats(&parameters.bias));
        map([
            ("matrix", parameter(1, matrix)),
            ("bias", parameter(2, bias)),
            ("tanh", parameters.tanh.as_ref().map_or(Nil, |units| tanh(3, units))),
        ])
    };
    let means = state.means.as_ref();
    map([
        ("recognition", recognition(&state.recognition)),
        ("recognition_mean_squares", recognition(&state.recognition_mean_squares)),
        ("means", means.map_or(Nil, |(model, _)| layers_item(model))),
        ("recognition_means", means.map_or(Nil, |(_, means)| recognition(means))),
    ])
}

fn record(item: Value) -> Value {
    const FORMAT: &str = "burn_core::record::memory::NamedMpkBytesRecorder<burn_core::record::settings::FullPrecisionSettings>";
    let metadata = map([
        ("float", text("f32")),
        ("int", text("i32")),
        ("format", text(FORMAT)),
        ("version", text("0.21.0")),
        ("settings", text("FullPrecisionSettings")),
    ]);
    map([("metadata", metadata), ("item", item), ("_b", List(Vec::new()))])
}

/// The record of a model.
pub fn model(parameters: &Parameters) -> Value {
    record(if parameters.layers.is_one_hot() {
        model_item(parameters)
    } else {
        layers_item(parameters)
    })
}

/// The chains as they are written.
pub fn chain_words(chains: &PackedImages) -> Value {
    let shape = [chains.len() as u64, chains.pixels().div_ceil(32) as u64];
    tensor(&shape, "I32", chains.words().iter().flat_map(|word| word.to_le_bytes()).collect())
}

/// The chains as earlier versions wrote them.
pub fn chain_pixels(chains: &PackedImages) -> Value {
    let pixels = chains.unpack().mapv(f32::from);
    tensor(&[chains.len() as u64, chains.pixels() as u64], "F32", floats(&pixels))
}

/// The record of a checkpoint.
pub fn checkpoint(state: &TrainingState) -> Value {
    let chains = state.chains.as_ref().map_or(Nil, chain_words);
    let path_entropy_weight = state.path_entropy_weight.map_or(Nil, Value::Fraction);
    if !state.parameters.layers.is_one_hot() {
        return record(map([
            ("model", layers_item(&state.parameters)),
            ("mean_squares", layers_item(&state.mean_squares)),
            ("chain_words", chains),
            ("path_entropy_weight", path_entropy_weight),
            ("sampled", state.sampled.as_ref().map_or(Nil, sampled_item)),
            ("step", Whole(state.step)),
        ]));
    }
    let [forward, forward_bias, backward] = tensors(&state.mean_squares);
    record(map([
        ("model", model_item(&state.parameters)),
        ("forward_mean_square", forward),
        ("forward_bias_mean_square", forward_bias),
        ("backward_mean_square", backward),
        ("chain_words", chains),
        ("path_entropy_weight", path_entropy_weight),
        ("step", Whole(state.step)),
    ]))
}

/// The record of a checkpoint as earlier versions wrote it.
pub fn old_checkpoint(state: &TrainingState) -> Value {
    let mut record = checkpoint(state);
    let fields = record.at("item").fields();
    let chains = fields.iter_mut().find(|(name, _)| name == "chain_words").unwrap();
    *chains = ("chains".to_owned(), state.chains.as_ref().map_or(Nil, chain_pixels));
    fields.retain(|(name, _)| name != "path_entropy_weight");
    record
}
