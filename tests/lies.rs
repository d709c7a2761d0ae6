//! Records that are sealed as they should be and lie: refused in one sentence, or read for what they say.

use std::path::Path;

use burn::module::Module;
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use latent_cycles::data::packed::PackedImages;
use latent_cycles::files;
use latent_cycles::model::{Model, ModelRecord, Parameters};
use latent_cycles::ops::cpu::NdArrayBackend;
use latent_cycles::random::{Seed, Stream, uniform_f64};
use latent_cycles::record::{self, Recorded, TrainingState};
use rayon::prelude::*;

use crate::command::run;
use crate::common::{program, random_images, random_mean_squares, random_model};
use crate::data::idx_bytes;
use crate::messagepack::Value::{self, Bytes, Flag, Fraction, List, Negative, Nil, Raw, Whole};
use crate::messagepack::{chain_pixels, checkpoint, map, model, old_checkpoint, sizes, tensor, text};

const VISIBLE: usize = 7;
const LATENT: usize = 3;
const CHAINS: usize = 5;

fn state() -> TrainingState {
    TrainingState {
        parameters: random_model(85, VISIBLE, LATENT, 1.0),
        mean_squares: random_mean_squares(86, VISIBLE, LATENT, 1.0),
        chains: Some(PackedImages::pack(&random_images(85, CHAINS, VISIBLE))),
        step: 6,
    }
}

/// What burn itself makes of a checkpoint's record.
#[derive(Record)]
struct BurnCheckpoint<B: Backend> {
    model: ModelRecord<B>,
    forward_mean_square: Tensor<B, 2>,
    forward_bias_mean_square: Tensor<B, 1>,
    backward_mean_square: Tensor<B, 2>,
    chain_words: Option<Tensor<B, 2, Int>>,
    chains: Option<Tensor<B, 2>>,
    step: u64,
}

fn by_burn<R: Record<NdArrayBackend>>(content: &[u8]) -> R {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<NdArrayBackend>::load(&recorder, content.to_vec(), &Default::default()).unwrap()
}

fn bits<const R: usize>(tensor: Tensor<NdArrayBackend, R>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

fn bits_of(parameters: &Parameters) -> [Vec<u32>; 3] {
    let bits = |numbers: &mut dyn Iterator<Item = &f32>| numbers.map(|number| number.to_bits()).collect();
    [
        bits(&mut parameters.forward.iter()),
        bits(&mut parameters.forward_bias.iter()),
        bits(&mut parameters.backward.iter()),
    ]
}

fn bits_of_model(record: ModelRecord<NdArrayBackend>) -> [Vec<u32>; 3] {
    [
        bits(record.forward.val()),
        bits(record.forward_bias.val()),
        bits(record.backward.val()),
    ]
}

/// A record that was read must hold what burn finds in the same bytes.
fn expect_as_by_burn(content: &[u8], recorded: &Recorded) {
    match recorded {
        Recorded::Model(parameters) => {
            let record: ModelRecord<NdArrayBackend> = by_burn(content);
            assert_eq!(record.forward.dims(), [parameters.visible(), parameters.latent()]);
            assert_eq!(bits_of_model(record), bits_of(parameters));
        }
        Recorded::Checkpoint(state) => {
            let record: BurnCheckpoint<NdArrayBackend> = by_burn(content);
            assert_eq!(
                record.forward_mean_square.dims(),
                [state.parameters.visible(), state.parameters.latent()]
            );
            assert_eq!(bits_of_model(record.model), bits_of(&state.parameters));
            let squares = [
                bits(record.forward_mean_square),
                bits(record.forward_bias_mean_square),
                bits(record.backward_mean_square),
            ];
            assert_eq!(squares, bits_of(&state.mean_squares));
            let words = record
                .chain_words
                .map(|words| words.into_data().iter::<i32>().map(i32::cast_unsigned).collect());
            let words = words.or(record.chains.map(|chains| {
                let pixels = chains.into_data().iter::<f32>().map(|pixel| pixel as u8).collect();
                let shape = (state.chains.as_ref().unwrap().len(), state.parameters.visible());
                PackedImages::pack(&ndarray::Array2::from_shape_vec(shape, pixels).unwrap())
                    .words()
                    .to_vec()
            }));
            assert_eq!(words, state.chains.as_ref().map(|chains| chains.words().to_vec()));
            assert_eq!(record.step, state.step);
        }
    }
}

/// A record with one lie, and what must be said of it.
struct Lie {
    name: String,
    content: Vec<u8>,
    says: &'static str,
}

/// Records that are wrong in one place each.
fn lies() -> Vec<Lie> {
    let mut lies = Vec::new();
    let state = state();
    let mut add = |base: &str, name: &str, says: &'static str, spoil: &dyn Fn(&mut Value)| {
        let mut record = match base {
            "model" => model(&state.parameters),
            "checkpoint" => checkpoint(&state),
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
    lies
}

fn short(value: &Value) -> String {
    format!("{value:?}").chars().take(60).collect()
}

fn is_one_sentence(problem: &str) -> bool {
    let internal = [
        "Unknown(",
        "Syntax",
        "TensorData",
        "TypeMismatch",
        "panicked",
        "report this as a bug",
    ];
    problem.chars().all(|c| !c.is_control()) && problem.len() < 500 && !internal.iter().any(|word| problem.contains(word))
}

#[test]
fn a_record_is_written_as_the_lies_below_are_but_for_the_lie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.mpk");
    let state = state();
    record::save_model(&path, &state.parameters).unwrap();
    assert_eq!(files::read_sealed(&path).unwrap(), model(&state.parameters).encode());
    record::save_checkpoint(&path, &state).unwrap();
    assert_eq!(files::read_sealed(&path).unwrap(), checkpoint(&state).encode());
    let old = files::read_sealed(Path::new("tests/fixtures/checkpoint-of-pixels.mpk")).unwrap();
    let Ok(Recorded::Checkpoint(of_old)) = Recorded::from_bytes(&old) else {
        panic!()
    };
    assert_eq!(old, old_checkpoint(&of_old).encode());
}

#[test]
fn every_lie_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie.mpk");
    let lies = lies();
    assert!(lies.len() > 200);
    for Lie { name, content, says } in lies {
        files::write_sealed(&path, &content).unwrap();
        let by_model = record::load_model(&path).unwrap_err().to_string();
        let by_checkpoint = record::load_checkpoint(&path).unwrap_err().to_string();
        assert_eq!(by_model, by_checkpoint, "{name}");
        assert!(by_model.contains("lie.mpk: holds no model or checkpoint: "), "{name}: {by_model}");
        assert!(by_model.contains(says), "{name}: {by_model:?} should contain {says:?}");
        assert!(is_one_sentence(&by_model), "{name}: {by_model:?}");
    }
}

/// Lays out a run whose records are all `content`.
fn run_of(trained: &Path, folder: &Path, content: &[u8]) {
    std::fs::create_dir_all(folder.join("checkpoints")).unwrap();
    for name in ["config.toml", "manifest.json", "metrics.jsonl"] {
        // A run that has ended would not go on.
        let text = std::fs::read_to_string(trained.join(name)).unwrap();
        std::fs::write(folder.join(name), text.replace("\"finished\"", "\"interrupted\"")).unwrap();
    }
    files::write_sealed(&folder.join("checkpoints/step-0000002.mpk"), content).unwrap();
    files::write_sealed(&folder.join("model.mpk"), content).unwrap();
}

const DATA: [&str; 16] = [
    "--set",
    "data.source=idx",
    "--set",
    "data.images=../images",
    "--set",
    "data.classes=all",
    "--set",
    "model.latent=3",
    "--set",
    "training.chains=5",
    "--set",
    "training.batch_size=5",
    "--set",
    "training.steps=4",
    "--set",
    "evaluation.samples=8",
];

#[test]
fn every_command_that_reads_a_record_refuses_a_lie() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train_in(folder);
    let commands: [&[&str]; 5] = [
        &["analyze", "model.mpk"],
        &["sample", "model.mpk", "--count", "1", "--out", "picture.png"],
        &["export", "run", "--out", "exported.safetensors"],
        &[
            "train",
            "--quiet",
            "--run",
            "new",
            "--set",
            "model.init=record",
            "--set",
            "model.record=run/model.mpk",
        ],
        &["train", "--quiet", "--resume", "--run", "run"],
    ];
    lies().par_iter().enumerate().for_each(|(number, Lie { name, content, says })| {
        let own = folder.join(number.to_string());
        run_of(&folder.join("here/trained"), &own.join("run"), content);
        std::fs::copy(own.join("run/model.mpk"), own.join("model.mpk")).unwrap();
        for command in commands {
            let data: &[&str] = if command[0] == "train" && command[2] != "--resume" {
                &DATA
            } else {
                &[]
            };
            let (status, stdout, stderr) = run(program().args(command).args(data).current_dir(&own));
            let context = format!("{name}: {}: {stdout}{stderr}", command.join(" "));
            assert_eq!(status, 1, "{context}");
            assert!(
                stdout.is_empty() && stderr.starts_with("error: ") && stderr.contains(says),
                "{context}"
            );
            assert!(is_one_sentence(stderr.trim_end_matches('\n')), "{context}");
        }
        for left in ["picture.png", "exported.safetensors", "new", "model-analysis"] {
            assert!(!own.join(left).exists(), "{name}: {left}");
        }
    });
}

/// Trains 4 steps, into `here/trained`.
fn train_in(folder: &Path) {
    let pixels: Vec<u8> = random_images(87, 11, VISIBLE).iter().map(|pixel| 255 * pixel).collect();
    std::fs::write(folder.join("images"), idx_bytes(&[11, VISIBLE as u32], &pixels)).unwrap();
    let here = folder.join("here");
    std::fs::create_dir(&here).unwrap();
    let (status, _, stderr) = run(program()
        .args(["train", "--quiet", "--run", "trained"])
        .args(DATA)
        .current_dir(here));
    assert_eq!(status, 0, "{stderr}");
}

/// Spoils some bytes: bits, whole bytes, markers of MessagePack, lengths, pieces cut out, doubled or moved.
fn mutate(content: &[u8], other: &[u8], draw: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut mutant = content.to_vec();
    for _ in 0..=draw(3) {
        if mutant.is_empty() {
            break;
        }
        let place = draw(mutant.len());
        let length = 1 + draw(24.min(mutant.len() - place));
        match draw(9) {
            0 => mutant[place] ^= 1 << draw(8),
            1 => mutant[place] = draw(256) as u8,
            2 => {
                mutant[place] = [
                    0x00, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc5, 0xc6, 0xca, 0xcf, 0xd9, 0xdb, 0xdd, 0xdf, 0xff,
                ][draw(16)]
            }
            3 => mutant[place] = mutant[place].wrapping_add(1).wrapping_sub(2 * draw(2) as u8),
            4 => drop(mutant.drain(place..place + length)),
            5 => {
                let piece = mutant[place..place + length].to_vec();
                let to = draw(mutant.len());
                mutant.splice(to..to, piece);
            }
            6 => {
                let from = draw(other.len());
                let piece = &other[from..(from + length).min(other.len())];
                mutant.splice(place..place, piece.iter().copied());
            }
            7 => {
                let from = draw(mutant.len() - length + 1);
                mutant.copy_within(from..from + length, place);
            }
            _ => mutant.truncate(place),
        }
    }
    mutant
}

/// Numbers from 0 to below the argument.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut generator = Seed(seed).generator(Stream::Parameters, 78, 0);
    move |below| (uniform_f64(&mut generator) * below as f64) as usize
}

#[test]
fn mutants_are_refused_or_read_for_what_they_say() {
    let state = state();
    let bases = [model(&state.parameters), checkpoint(&state), old_checkpoint(&state)].map(|record| record.encode());
    let mut draw = dice(88);
    let (mut read, mut changed) = (0, 0);
    let mutants = 60_000;
    for number in 0..mutants {
        let base = &bases[number % 3];
        let mutant = mutate(base, &bases[draw(3)], &mut draw);
        match Recorded::from_bytes(&mutant) {
            Ok(recorded) => {
                expect_as_by_burn(&mutant, &recorded);
                read += 1;
                changed += usize::from(mutant != *base);
            }
            Err(problem) => assert!(is_one_sentence(&problem), "{problem:?}"),
        }
    }
    // Both ends are met: most mutants are no records, and many only have other numbers.
    assert!(
        read > mutants / 50 && changed > mutants / 50 && read < mutants / 2,
        "{read} read, {changed} of them changed"
    );
}

#[test]
fn the_program_makes_of_a_mutant_what_the_library_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train_in(folder);
    let base = model(&state().parameters).encode();
    let mut draw = dice(89);
    let mutants: Vec<Vec<u8>> = (0..48).map(|_| mutate(&base, &base, &mut draw)).collect();
    let read: usize = mutants
        .par_iter()
        .enumerate()
        .map(|(number, mutant)| {
            let own = folder.join(number.to_string());
            run_of(&folder.join("here/trained"), &own.join("run"), mutant);
            let (status, _, stderr) = run(program().args(["export", "run", "--out", "out.safetensors"]).current_dir(&own));
            match Recorded::from_bytes(mutant) {
                Ok(Recorded::Model(parameters)) if (parameters.visible(), parameters.latent()) == (VISIBLE, LATENT) => {
                    assert_eq!(status, 0, "{stderr}");
                    let (exported, _) = latent_cycles::exchange::read(&own.join("out.safetensors")).unwrap();
                    assert_eq!(bits_of(&exported), bits_of(&parameters));
                    1
                }
                _ => {
                    assert!(status == 1 && is_one_sentence(stderr.trim_end()), "{status}: {stderr}");
                    0
                }
            }
        })
        .sum();
    assert!((2..40).contains(&read), "{read}");
}

#[test]
fn checkpoints_of_earlier_versions_load() {
    let state = record::load_checkpoint(Path::new("tests/fixtures/checkpoint-of-pixels.mpk")).unwrap();
    assert_eq!((state.parameters.visible(), state.parameters.latent(), state.step), (7, 3, 6));
    let chains = ndarray::array![
        [0_u8, 1, 0, 0, 0, 0, 1],
        [1, 0, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1, 1],
        [0, 1, 1, 0, 1, 0, 1],
        [0, 1, 0, 1, 0, 1, 1]
    ];
    assert_eq!(state.chains, Some(PackedImages::pack(&chains)));
    // Saved again it holds the same, in the present form.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.mpk");
    record::save_checkpoint(&path, &state).unwrap();
    assert_eq!(record::load_checkpoint(&path).unwrap(), state);
    let record: BurnCheckpoint<NdArrayBackend> = by_burn(&files::read_sealed(&path).unwrap());
    let model = Model::<NdArrayBackend>::new(&Parameters::zeros(7, 3), &Default::default()).load_record(record.model);
    assert_eq!(model.parameters(), state.parameters);
    assert!(record.chains.is_none() && record.chain_words.unwrap().dims() == [5, 1]);
}
