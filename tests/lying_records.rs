//! A table of records that are wrong in one place each.

use latent_cycles::codes::Layers;
use latent_cycles::config::{AdamConfig, Optimizer};
use latent_cycles::data::packed::PackedImages;
use latent_cycles::model::tanh::TanhParameters;
use latent_cycles::record::{SampledState, TrainingState};

use crate::common::{random_images, random_mean_squares, random_model, random_parameters};
use crate::messagepack::Value::{self, Bytes, Flag, Fraction, List, Negative, Nil, Raw, Whole};
use crate::messagepack::{chain_pixels, checkpoint, map, model, old_checkpoint, parameter, sizes, tensor, text};

pub const VISIBLE: usize = 7;
pub const LATENT: usize = 3;
const CHAINS: usize = 5;

/// What the true record holds.
pub fn state() -> TrainingState {
    TrainingState {
        parameters: random_model(85, VISIBLE, LATENT, 1.0),
        mean_squares: random_mean_squares(86, VISIBLE, LATENT, 1.0),
        chains: Some(PackedImages::pack(&random_images(85, CHAINS, VISIBLE))),
        path_entropy_weight: None,
        sampled: None,
        step: 6,
    }
}

/// The layers of records with structure: the matrices of the first have as many numbers as those of [`state`].
pub const LAYERS: [&str; 2] = [
    "{ kind = \"binary\", units = 3 }",
    "[{ kind = \"groups\", sizes = [2, 3] }, { kind = \"binary\", units = 2 }]",
];

/// What the true record of such layers holds.
pub fn state_of(layers: &str) -> TrainingState {
    let layers = Layers::parse(layers).unwrap();
    let mut mean_squares = random_parameters(86, VISIBLE, &layers, 1.0);
    mean_squares.forward.mapv_inplace(f32::abs);
    mean_squares.forward_bias.mapv_inplace(f32::abs);
    for between in &mut mean_squares.between {
        between.matrix.mapv_inplace(f32::abs);
        between.bias.mapv_inplace(f32::abs);
    }
    mean_squares.backward.mapv_inplace(f32::abs);
    mean_squares.visible_bias = mean_squares.visible_bias.map(|bias| bias.mapv(f32::abs));
    TrainingState {
        parameters: random_parameters(85, VISIBLE, &layers, 1.0),
        mean_squares,
        ..state()
    }
}

/// What the true record of a machine whose posterior is sampled holds.
pub fn sampled_state() -> TrainingState {
    let state = state_of(LAYERS[0]);
    let mut sampled = SampledState::begin(&state.parameters, Optimizer::Adam(AdamConfig::default()));
    sampled.recognition_mean_squares.bias.fill(0.5);
    if let Some((model, recognition)) = &mut sampled.means {
        model.backward.fill(-0.25);
        recognition.matrix.fill(0.125);
    }
    TrainingState {
        sampled: Some(sampled),
        ..state
    }
}

/// The same of a machine with tanh units, whose states are not listed.
pub fn tanh_state() -> TrainingState {
    let mut state = state_of("{ kind = \"binary\", units = 13 }");
    let mut units = TanhParameters::zeros([VISIBLE, 2, 13]);
    units.inward.fill(0.75);
    units.bias.fill(-0.5);
    state.mean_squares.tanh = Some(units.zeros_like());
    state.parameters.tanh = Some(units);
    let mut sampled = SampledState::begin(&state.parameters, Optimizer::Adam(AdamConfig::default()));
    sampled.recognition.bias.fill(0.5);
    TrainingState {
        sampled: Some(sampled),
        ..state
    }
}

/// A record with one lie, and what must be said of it.
pub struct Lie {
    pub name: String,
    pub content: Vec<u8>,
    pub says: &'static str,
}

/// Records that are wrong in one place each.
pub fn lies() -> Vec<Lie> {
    let mut lies = Vec::new();
    let state = state();
    let [layered, deeper] = LAYERS.map(state_of);
    let (sampled, of_tanh) = (sampled_state(), tanh_state());
    let mut add = |base: &str, name: &str, says: &'static str, spoil: &dyn Fn(&mut Value)| {
        let mut record = match base {
            "model" => model(&state.parameters),
            "checkpoint" => checkpoint(&state),
            "layers" => model(&layered.parameters),
            "checkpoint of layers" => checkpoint(&layered),
            "deeper chain" => model(&deeper.parameters),
            "checkpoint of a deeper chain" => checkpoint(&deeper),
            "sampled" => checkpoint(&sampled),
            "tanh units" => checkpoint(&of_tanh),
            _ => old_checkpoint(&state),
        };
        spoil(&mut record);
        lies.push(Lie {
            name: format!("{base}: {name}"),
            content: record.encode(),
            says,
        });
    };
    // What a tensor says of its data, in each place where there is a tensor.
    for (base, path) in [
        ("model", "item.forward.param"),
        ("model", "item.backward.param"),
        ("checkpoint", "item.model.forward.param"),
        ("checkpoint", "item.forward_mean_square"),
        ("old checkpoint", "item.backward_mean_square"),
        ("layers", "item.forward.param"),
        ("checkpoint of layers", "item.mean_squares.backward.param"),
        ("sampled", "item.sampled.recognition.matrix.param"),
    ] {
        let field = |name: &str| format!("{path}.{name}");
        let mut set = |name: &str, value: Value, says| {
            let shown = format!("{path}.{name} = {}", short(&value));
            add(base, &shown, says, &|record| *record.at(&field(name)) = value.clone());
        };
        set("bytes", Bytes(Vec::new()), ".bytes` has 0 bytes, and the shape [");
        set("bytes", Bytes(vec![0; 4]), ".bytes` has 4 bytes, and the shape [");
        set("bytes", Bytes(vec![0; 88]), "of F32 numbers needs 84;");
        set("bytes", text("data"), ".bytes` is \"data\", not data");
        set("bytes", List(vec![Whole(0); 4]), ".bytes` is [0, 0, 0, 0], not data");
        set(
            "bytes",
            Raw(vec![0xc6, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
            "breaks off in the middle of a value",
        );
        set("shape", sizes(&[3]), ".shape` is [3], not the sizes of a tensor of rank 2");
        set("shape", sizes(&[]), ".shape` is [], not");
        set("shape", sizes(&[7, 3, 1]), ".shape` is [7, 3, 1], not");
        set("shape", sizes(&[1 << 40, 1 << 40]), "needs more than any file has");
        set("shape", sizes(&[u64::MAX, 1]), "needs more than any file has");
        set("shape", sizes(&[1 << 62, 4]), "needs more than any file has");
        set("shape", sizes(&[5, 5]), "needs 100;");
        set(
            "shape",
            List(vec![Negative(-7), Negative(-3)]),
            ".shape` is [a negative number, a negative number]",
        );
        set("shape", List(vec![Fraction(7.0), Whole(3)]), ".shape` is [a fraction, 3]");
        set("shape", text("7 x 3"), ".shape` is \"7 x 3\"");
        set("shape", Raw(vec![0xdd, 0xff, 0xff, 0xff, 0xff]), "a list of 4294967295 entries");
        set("dtype", text("F64"), ".dtype` is \"F64\", not \"F32\"");
        set("dtype", text("I32"), ".dtype` is \"I32\", not \"F32\"");
        set("dtype", map([("Bool", text("Native"))]), ".dtype` is a map, not \"F32\"");
        set("dtype", Nil, ".dtype` is empty, not \"F32\"");
        for name in ["bytes", "shape", "dtype"] {
            add(base, &format!("no {path}.{name}"), "it has no field `", &|record| {
                record.at(path).fields().retain(|(found, _)| found != name);
            });
            add(base, &format!("{path}.{name} twice"), "or has it twice", &|record| {
                let again = record.at(&field(name)).clone();
                record.at(path).fields().push((name.to_owned(), again));
            });
        }
        add(base, &format!("{path}.more"), "has a part \"more\" that no record has", &|record| {
            record.at(path).fields().push(("more".to_owned(), Whole(1)));
        });
        for (value, says) in [
            (f32::NAN, "not all finite: number 5 is NaN"),
            (f32::INFINITY, "not all finite: number 5 is inf"),
            (f32::NEG_INFINITY, "not all finite: number 5 is -inf"),
        ] {
            add(base, &format!("{path} with {value}"), says, &|record| {
                let Bytes(bytes) = record.at(&field("bytes")) else { panic!() };
                bytes[20..24].copy_from_slice(&value.to_le_bytes());
            });
        }
    }

    let mut set = |base: &str, path: &str, value: Value, says| {
        let shown = format!("{path} = {}", short(&value));
        add(base, &shown, says, &|record| *record.at(path) = value.clone());
    };
    let id = "item.forward.id";
    set("model", id, text("xxx"), "`item.forward.id` is \"xxx\", not a parameter's identity");
    set("model", id, text("040000000000!"), "not a parameter's identity");
    // burn takes these for some bytes, more than it has room for.
    set("model", id, text("0123456789abcdef0123456789abcdef"), "not a parameter's identity");
    set("model", id, text(&"\x1b[31m".repeat(1000)), "\"...");
    set("model", id, Whole(1), "`item.forward.id` is 1, not a text");
    set("model", "metadata.float", text("f16"), "`metadata.float` is \"f16\", not \"f32\"");
    set("model", "metadata.int", text("i64"), "`metadata.int` is \"i64\", not \"i32\"");
    set("model", "metadata", Nil, "`metadata` is empty, not a map of fields");
    set("model", "item", List(Vec::new()), "`item` is [], not a map of fields");
    set("model", "item.forward", text("W"), "`item.forward` is \"W\", not a map of fields");
    set("model", "item.forward.param", Flag(true), "`item.forward.param` is a truth value");
    set("model", "_b", Whole(0), "the field `_b` is 0, not []");
    set("model", "_b", sizes(&[1]), "the field `_b` is [1], not []");
    set(
        "model",
        "item.forward.id",
        Raw(vec![0xd9, 2, 0xff, 0xfe]),
        "a text that is not UTF-8",
    );
    set(
        "model",
        "item.forward.id",
        Raw(vec![0xd4, 1, 2]),
        "a value of a kind that no record has",
    );
    set("model", "item.forward.id", Raw(vec![0xc1]), "a value of a kind that no record has");
    set(
        "model",
        "item",
        Raw(vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        "a map of 4294967295 entries",
    );
    set(
        "model",
        "item",
        Raw(vec![0xdb, 0xff, 0xff, 0xff, 0xff]),
        "breaks off in the middle of a value",
    );
    set("model", "item", Raw(vec![0x91; 100_000]), "values in one another more than 12 deep");
    set("model", "item", Raw(vec![0x81; 100_000]), "values in one another more than 12 deep");
    set("model", "", Nil, "it is empty, not a map of fields");
    set("model", "", Raw(Vec::new()), "breaks off in the middle of a value");
    // Arrays that do not fit together, or no model.
    let floats = |count: usize| vec![0; 4 * count];
    set("model", "item.forward.param.shape", sizes(&[3, 7]), "do not fit together");
    set(
        "model",
        "item.forward_bias.param",
        tensor(&[4], "F32", floats(4)),
        "do not fit together",
    );
    set(
        "model",
        "item.forward_bias.param.shape",
        sizes(&[3, 1]),
        "not the size of a tensor of rank 1",
    );
    let of_size = |visible: usize, latent: usize| {
        move |record: &mut Value| {
            let (d, l) = (visible as u64, latent as u64);
            *record.at("item.forward.param") = tensor(&[d, l], "F32", floats(visible * latent));
            *record.at("item.forward_bias.param") = tensor(&[l], "F32", floats(latent));
            *record.at("item.backward.param") = tensor(&[l, d], "F32", floats(visible * latent));
        }
    };
    add("model", "of no pixels", "the matrix `item.forward.param` is empty", &of_size(0, 3));
    add("model", "of no states", "the matrix `item.forward.param` is empty", &of_size(7, 0));
    add("model", "of too many pixels", "at most 65536 and 10000", &of_size(65_537, 1));
    add("model", "of too many states", "at most 65536 and 10000", &of_size(1, 10_001));
    for (path, name) in [
        ("", "metadata"),
        ("", "item"),
        ("", "_b"),
        ("metadata", "version"),
        ("item", "backward"),
        ("item.forward", "id"),
        ("item.forward", "param"),
    ] {
        add("model", &format!("no {path}.{name}"), "it has no field `", &|record| {
            record.at(path).fields().retain(|(found, _)| found != name);
        });
        add("model", &format!("{path}.{name} twice"), "or has it twice", &|record| {
            let fields = record.at(path).fields();
            let again = fields.iter().find(|(found, _)| found == name).unwrap().clone();
            fields.push(again);
        });
    }
    for path in ["", "metadata", "item", "item.forward"] {
        add("model", &format!("{path}.more"), "\"more\" that no record has", &|record| {
            record.at(path).fields().push(("more".to_owned(), Nil));
        });
    }
    add("model", "a number as a name", "whose name is 3", &|record| {
        *record = Raw(vec![0x81, 3, 3]);
    });
    add("model", "a byte more", "it goes on after its end at byte", &|record| {
        *record = Raw([record.encode(), vec![0]].concat());
    });
    add("model", "a byte less", "breaks off in the middle of a value", &|record| {
        let content = record.encode();
        *record = Raw(content[..content.len() - 1].to_vec());
    });

    // What only checkpoints have.
    let mut set = |base: &str, path: &str, value: Value, says| {
        let shown = format!("{path} = {}", short(&value));
        add(base, &shown, says, &|record| *record.at(path) = value.clone());
    };
    for (step, says) in [
        (Negative(-1), "`item.step` is a negative number, not a number of steps"),
        (Fraction(1.5), "`item.step` is a fraction"),
        (text("6"), "`item.step` is \"6\""),
        (Nil, "`item.step` is empty"),
        (
            Whole(1_000_000_001),
            "`item.step` is 1000000001, not a number of steps up to 1000000000",
        ),
        (Whole(u64::MAX), "`item.step` is 18446744073709551615"),
    ] {
        set("checkpoint", "item.step", step, says);
    }
    for (weight, says) in [
        (Fraction(f64::NAN), "`item.path_entropy_weight` is a fraction, not a finite number"),
        (
            Fraction(f64::INFINITY),
            "`item.path_entropy_weight` is a fraction, not a finite number",
        ),
        (Whole(3), "`item.path_entropy_weight` is 3, not a finite number"),
        (text("none"), "`item.path_entropy_weight` is \"none\""),
    ] {
        set("checkpoint", "item.path_entropy_weight", weight, says);
    }
    let words = |shape: &[u64], words: &[u32]| tensor(shape, "I32", words.iter().flat_map(|word| word.to_le_bytes()).collect());
    let chains = "item.chain_words";
    set(
        "checkpoint",
        chains,
        words(&[5, 1], &[1, 2, 0x80, 4, 5]),
        "chain 2 of `item.chain_words` has lit pixels beyond the 7",
    );
    set(
        "checkpoint",
        chains,
        words(&[5, 1], &[1, 2, 3, 4, 1 << 31]),
        "chain 4 of `item.chain_words` has lit pixels beyond the 7",
    );
    set(
        "checkpoint",
        chains,
        words(&[5, 2], &[0; 10]),
        "`item.chain_words.shape` is [5, 2], not a number of chains",
    );
    set(
        "checkpoint",
        chains,
        words(&[5, 0], &[]),
        "`item.chain_words.shape` is [5, 0], not a number of chains",
    );
    set(
        "checkpoint",
        chains,
        words(&[0, 1], &[]),
        "`item.chain_words.shape` is [0, 1], not a number of chains",
    );
    set(
        "checkpoint",
        chains,
        words(&[65_537, 1], &[0; 65_537]),
        "not a number of chains up to 65536",
    );
    set(
        "checkpoint",
        chains,
        words(&[5, 1], &[0; 4]),
        "`item.chain_words.bytes` has 16 bytes",
    );
    set(
        "checkpoint",
        "item.chain_words.dtype",
        text("F32"),
        "`item.chain_words.dtype` is \"F32\", not \"I32\"",
    );
    set(
        "checkpoint",
        chains,
        text("none"),
        "`item.chain_words` is \"none\", not a map of fields",
    );
    let pixels = |shape: &[u64], other: f32| {
        let mut pixels = vec![0.0_f32; shape.iter().product::<u64>() as usize];
        pixels[17] = other;
        tensor(shape, "F32", crate::messagepack::floats(&pixels))
    };
    let chains = "item.chains";
    set(
        "old checkpoint",
        chains,
        pixels(&[5, 7], 0.5),
        "the pixels of `item.chains` are not all 0 or 1: one is 0.5",
    );
    set("old checkpoint", chains, pixels(&[5, 7], 2.0), "not all 0 or 1: one is 2");
    set("old checkpoint", chains, pixels(&[5, 7], -0.0), "not all 0 or 1: one is -0");
    set(
        "old checkpoint",
        chains,
        pixels(&[5, 7], f32::NAN),
        "not all finite: number 17 is NaN",
    );
    set(
        "old checkpoint",
        chains,
        pixels(&[7, 5], 1.0),
        "`item.chains.shape` is [7, 5], not a number of chains up to 65536 and 7",
    );
    add(
        "checkpoint",
        "chains in both forms",
        "\"chain_words\" that no record has",
        &|record| {
            let chains = chain_pixels(&PackedImages::pack(&random_images(85, CHAINS, VISIBLE)));
            record.at("item").fields().push(("chains".to_owned(), chains));
        },
    );
    for name in [
        "model",
        "forward_mean_square",
        "forward_bias_mean_square",
        "backward_mean_square",
        "chain_words",
        "step",
    ] {
        add("checkpoint", &format!("no {name}"), "it has no field `item.", &|record| {
            record.at("item").fields().retain(|(found, _)| found != name);
        });
    }
    add(
        "checkpoint",
        "a negative mean square",
        "its mean squares are not all 0 or more: one is -0.25",
        &|record| {
            let Bytes(bytes) = record.at("item.forward_bias_mean_square.bytes") else {
                panic!()
            };
            bytes[4..8].copy_from_slice(&(-0.25_f32).to_le_bytes());
        },
    );
    add(
        "checkpoint",
        "mean squares of another shape",
        "its mean squares are those of 2 pixels and 5 latent states",
        &|record| {
            *record.at("item.forward_mean_square") = tensor(&[2, 5], "F32", floats(10));
            *record.at("item.forward_bias_mean_square") = tensor(&[5], "F32", floats(5));
            *record.at("item.backward_mean_square") = tensor(&[5, 2], "F32", floats(10));
        },
    );
    lies_about_layers(&mut add, &layered);
    lies_about_sampling(&mut add, &sampled, &deeper);
    lies
}

/// Takes a lie: the record that it is about, its name, what must be said of it, and what it does to the record.
type Add<'a> = dyn FnMut(&str, &str, &'static str, &dyn Fn(&mut Value)) + 'a;

/// What records of latent layers with structure can be wrong in beside that.
fn lies_about_layers(add: &mut Add, layered: &TrainingState) {
    let mut set = |base: &str, path: &str, value: Value, says| {
        let shown = format!("{path} = {}", short(&value));
        add(base, &shown, says, &|record| *record.at(path) = value.clone());
    };
    let floats = |count: usize| vec![0; 4 * count];
    let vector = |size: usize| parameter(4, tensor(&[size as u64], "F32", floats(size)));
    for (layers, says) in [
        ("8", "`item.layers` is that of a model without it"),
        ("[8]", "records write these layers as \"8\""),
        ("{ kind = \"binary\", units = 4 }", "its arrays have the shapes"),
        ("{ kind = \"groups\", sizes = [3] }", "its arrays have the shapes"),
        (
            "{ kind = \"grid\", dimensions = 2, points = 3, range = 1.0 }",
            "its arrays have the shapes",
        ),
        (
            "[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 3 }]",
            "its arrays have the shapes",
        ),
        ("{ kind = \"binary\", units = 3}", "records write these layers as"),
        ("{ kind = \"groups\", sizes = [64, 65] }", "64 x 65 is 4160"),
        ("{ kind = \"binary\", units = 9223372036854775807 }", "of at most 4096 units"),
        ("{ kind = \"groups\", sizes = [1, 8] }", "each of two values or more"),
        (
            "{ kind = \"grid\", dimensions = 3, points = 2, range = 1.0 }",
            "of 1 or 2 dimensions",
        ),
        ("{ kind = \"grid\", dimensions = 1, points = 2, range = nan }", "of a range above 0"),
        ("{ kind = \"ring\" }", "is no kind of latent layer"),
        ("{ kind = \"binary\" }", "latent.units is nothing"),
        ("[]", "a list of one layer or more"),
        ("", "the field `item.layers` is \"\": "),
        ("3\nmore = 4", "the field `item.layers` is \"3\\nmore = 4\": "),
        ("\u{1b}[31m", "the field `item.layers` is \"\\u{1b}[31m\": "),
    ] {
        set("layers", "item.layers", text(layers), says);
    }
    set("layers", "item.layers", text(&"[".repeat(100_000)), "it is 100000 bytes long");
    set(
        "layers",
        "item.layers",
        text(&"[".repeat(1000)),
        "the field `item.layers` is \"[[[[",
    );
    set("layers", "item.layers", Whole(8), "`item.layers` is 8, not a text");
    set("layers", "item.visible_bias", Nil, "its arrays have the shapes");
    set("layers", "item.visible_bias", vector(3), "its arrays have the shapes");
    set("layers", "item.log_weights", vector(7), "its arrays have the shapes");
    set(
        "layers",
        "item.log_weights",
        Whole(7),
        "`item.log_weights` is 7, not a map of fields",
    );
    set("layers", "item.between", Nil, "`item.between` is empty, not a list");
    set("layers", "item.between", map([]), "`item.between` is a map, not a list");
    set("layers", "item.between", sizes(&[1]), "`item.between[0]` is 1, not a map of fields");
    set("layers", "item.between", List(vec![Nil; 13]), "has a list of 13 entries");
    set(
        "layers",
        "item.forward.param",
        tensor(&[0, 3], "F32", Vec::new()),
        "of 0 pixels, and models have 1 to 65536",
    );
    set(
        "layers",
        "item.forward.param",
        tensor(&[65_537, 1], "F32", floats(65_537)),
        "of 65537 pixels, and models have 1 to 65536",
    );
    set("layers", "item.backward.param.shape", sizes(&[7, 3]), "its arrays have the shapes");
    set("deeper chain", "item.between", List(Vec::new()), "its arrays have the shapes");
    set(
        "deeper chain",
        "item.between.0.matrix.param.shape",
        sizes(&[2, 5]),
        "its arrays have the shapes",
    );
    set(
        "deeper chain",
        "item.between.0.bias.param.shape",
        sizes(&[1, 2]),
        "`item.between[0].bias.param.shape` is [1, 2], not the size of a tensor of rank 1",
    );
    set("deeper chain", "item.log_weights", vector(4), "its arrays have the shapes");
    set(
        "deeper chain",
        "item.layers",
        text("[{ kind = \"binary\", units = 2 }, { kind = \"groups\", sizes = [2, 3] }]"),
        "its arrays have the shapes",
    );
    set(
        "checkpoint of layers",
        "item.mean_squares",
        Nil,
        "`item.mean_squares` is empty, not a map of fields",
    );
    set(
        "checkpoint of layers",
        "item.mean_squares.log_weights",
        vector(8),
        "its mean squares have log_weights, and its model has none",
    );
    for (base, path) in [
        ("layers", "item.visible_bias.param"),
        ("deeper chain", "item.between.0.matrix.param"),
        ("checkpoint of a deeper chain", "item.mean_squares.between.0.bias.param"),
    ] {
        add(base, &format!("{path} with NaN"), "not all finite: number 1 is NaN", &|record| {
            let Bytes(bytes) = record.at(&format!("{path}.bytes")) else {
                panic!()
            };
            bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        });
    }
    for (base, path, name, says) in [
        ("layers", "item", "layers", "the field `item` has a part"),
        ("layers", "item", "between", "it has no field `item.between`"),
        ("layers", "item", "backward", "it has no field `item.backward`"),
        ("layers", "item", "visible_bias", "it has no field `item.visible_bias`"),
        ("layers", "item", "log_weights", "it has no field `item.log_weights`"),
        ("deeper chain", "item.between.0", "bias", "it has no field `item.between[0].bias`"),
        (
            "deeper chain",
            "item.between.0",
            "matrix",
            "it has no field `item.between[0].matrix`",
        ),
        (
            "checkpoint of layers",
            "item",
            "mean_squares",
            "it has no field `item.forward_mean_square`",
        ),
        ("checkpoint of layers", "item.model", "layers", "the field `item.model` has a part"),
        (
            "checkpoint of layers",
            "item.mean_squares",
            "layers",
            "the field `item.mean_squares` has a part",
        ),
        ("checkpoint of layers", "item", "chain_words", "it has no field `item.chain_words`"),
    ] {
        add(base, &format!("no {path}.{name}"), says, &|record| {
            record.at(path).fields().retain(|(found, _)| found != name);
        });
    }
    for (base, path, name) in [
        ("layers", "item", "layers"),
        ("layers", "item", "between"),
        ("deeper chain", "item.between.0", "bias"),
        ("checkpoint of layers", "item", "mean_squares"),
    ] {
        add(base, &format!("{path}.{name} twice"), "or has it twice", &|record| {
            let fields = record.at(path).fields();
            let again = fields.iter().find(|(found, _)| found == name).unwrap().clone();
            fields.push(again);
        });
    }
    for (base, path) in [
        ("layers", "item"),
        ("deeper chain", "item.between.0"),
        ("checkpoint of layers", "item.mean_squares"),
    ] {
        add(base, &format!("{path}.more"), "\"more\" that no record has", &|record| {
            record.at(path).fields().push(("more".to_owned(), Nil));
        });
    }
    add(
        "deeper chain",
        "a matrix between layers more",
        "its arrays have the shapes",
        &|record| {
            let List(between) = record.at("item.between") else { panic!() };
            between.push(between[0].clone());
        },
    );
    // Mean squares of another model.
    let of_others = "its mean squares are those of 7 pixels and ";
    let own = checkpoint(layered).at("item.mean_squares").clone();
    add(
        "checkpoint of a deeper chain",
        "mean squares of other layers",
        of_others,
        &|record| {
            *record.at("item.mean_squares") = own.clone();
        },
    );
    add("checkpoint", "mean squares of layers", of_others, &|record| {
        record.at("item").fields().retain(|(name, _)| !name.starts_with("forward"));
        record.at("item").fields().push(("mean_squares".to_owned(), own.clone()));
    });
    let one_hot = checkpoint(&state()).at("item.model").clone();
    add("checkpoint of layers", "a model of states", of_others, &|record| {
        *record.at("item.model") = one_hot.clone();
    });
    add("checkpoint of layers", "a negative mean square", "one is -0.25", &|record| {
        let Bytes(bytes) = record.at("item.mean_squares.visible_bias.param.bytes") else {
            panic!()
        };
        bytes[4..8].copy_from_slice(&(-0.25_f32).to_le_bytes());
    });
}

/// What a checkpoint has where the posterior is sampled.
fn lies_about_sampling(add: &mut Add, sampled: &TrainingState, deeper: &TrainingState) {
    let mut set = |path: &str, value: Value, says| {
        let shown = format!("{path} = {}", short(&value));
        add("sampled", &shown, says, &|record| *record.at(path) = value.clone());
    };
    let zeros = |shape: &[u64]| tensor(shape, "F32", vec![0; 4 * shape.iter().product::<u64>() as usize]);
    let recognition = |units: u64| {
        map([
            ("matrix", parameter(1, zeros(&[7, units]))),
            ("bias", parameter(2, zeros(&[units]))),
        ])
    };
    set("item.sampled", text("no"), "`item.sampled` is \"no\", not a map of fields");
    set("item.sampled.recognition", recognition(2), "are not those of 7 pixels and 3 units");
    set(
        "item.sampled.means",
        Nil,
        "`item.sampled` has means of one part and not of the other",
    );
    set(
        "item.sampled.recognition_means",
        recognition(2),
        "are not those of 7 pixels and 3 units",
    );
    let other = checkpoint(deeper).at("item.model").clone();
    set("item.sampled.means", other.clone(), "its means are not of the shape of its model");
    set("item.model", other, "its mean squares are those of 7 pixels and");
    let of_sampled = checkpoint(sampled).at("item.sampled").clone();
    add(
        "checkpoint of a deeper chain",
        "sampled",
        "is that of a layer of binary units, and its model has",
        &|record| {
            *record.at("item.sampled") = of_sampled.clone();
        },
    );
    let tanh = |pixels: u64, count: u64, units: u64| {
        map([
            ("inward", parameter(101, zeros(&[pixels, count]))),
            ("bias", parameter(102, zeros(&[count]))),
            ("outward", parameter(103, zeros(&[count, units]))),
        ])
    };
    for (path, value, says) in [
        ("item.model.tanh", tanh(7, 3, 13), "its mean squares are those of 7 pixels and"),
        ("item.model.tanh", tanh(11, 2, 13), "is not that of 7 pixels and 13 binary units"),
        ("item.model.tanh", tanh(7, 0, 13), "is not that of 7 pixels and 13 binary units"),
        ("item.model.tanh", text("no"), "is \"no\", not a map of fields"),
        ("item.model.tanh.bias", parameter(102, zeros(&[5])), "do not fit together"),
        ("item.model.tanh.outward", Nil, "not a map of fields"),
        ("item.sampled.recognition.tanh", tanh(7, 3, 13), "are not those of its model"),
        ("item.sampled.recognition.tanh", Nil, "are not those of its model"),
    ] {
        let shown = format!("{path} = {}", short(&value));
        add("tanh units", &shown, says, &|record| *record.at(path) = value.clone());
    }
    let of_listed = tanh(7, 2, 3);
    add("layers", "tanh units of listed states", "is not that of 7 pixels", &|record| {
        *record.at("item.tanh") = of_listed.clone();
    });
    add("sampled", "a negative mean square", "one is -1", &|record| {
        let Bytes(bytes) = record.at("item.sampled.recognition_mean_squares.bias.param.bytes") else {
            panic!()
        };
        bytes[4..8].copy_from_slice(&(-1.0_f32).to_le_bytes());
    });
}

fn short(value: &Value) -> String {
    format!("{value:?}").chars().take(60).collect()
}
