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
use latent_cycles::record::{self, Recorded};
use rayon::prelude::*;

use crate::command::run;
use crate::common::{program, random_images};
use crate::data::idx_bytes;
use crate::lying_records::{LATENT, LAYERS, Lie, VISIBLE, lies, sampled_state, state, state_of, tanh_state};
use crate::messagepack::{checkpoint, model, old_checkpoint};

/// What burn itself makes of a checkpoint's record.
#[derive(Record)]
struct BurnCheckpoint<B: Backend> {
    model: ModelRecord<B>,
    forward_mean_square: Tensor<B, 2>,
    forward_bias_mean_square: Tensor<B, 1>,
    backward_mean_square: Tensor<B, 2>,
    chain_words: Option<Tensor<B, 2, Int>>,
    path_entropy_weight: Option<f64>,
    chains: Option<Tensor<B, 2>>,
    step: u64,
}

/// What burn itself makes of a checkpoint's record of latent layers with structure.
#[derive(Record)]
struct BurnLayersCheckpoint<B: Backend> {
    model: ModelRecord<B>,
    mean_squares: ModelRecord<B>,
    chain_words: Option<Tensor<B, 2, Int>>,
    path_entropy_weight: Option<f64>,
    step: u64,
}

fn by_burn<R: Record<NdArrayBackend>>(content: &[u8]) -> R {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<NdArrayBackend>::load(&recorder, content.to_vec(), &Default::default()).unwrap()
}

fn bits<const R: usize>(tensor: Tensor<NdArrayBackend, R>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

/// The bits of all arrays, in their order.
fn bits_of(parameters: &Parameters) -> Vec<Vec<u32>> {
    let arrays = parameters.arrays().into_iter();
    arrays.map(|array| array.numbers.map(|number| number.to_bits()).collect()).collect()
}

fn bits_of_model(record: ModelRecord<NdArrayBackend>) -> Vec<Vec<u32>> {
    let mut all = vec![bits(record.forward.val()), bits(record.forward_bias.val())];
    for between in record.between.into_iter().flatten() {
        all.extend([bits(between.matrix.val()), bits(between.bias.val())]);
    }
    all.push(bits(record.backward.val()));
    all.extend(record.visible_bias.map(|bias| bits(bias.val())));
    all.extend(record.log_weights.map(|log_weights| bits(log_weights.val())));
    if let Some(tanh) = record.tanh {
        all.extend([bits(tanh.inward.val()), bits(tanh.bias.val()), bits(tanh.outward.val())]);
    }
    all
}

fn words(tensor: Tensor<NdArrayBackend, 2, Int>) -> Vec<u32> {
    tensor.into_data().iter::<i32>().map(i32::cast_unsigned).collect()
}

/// A record that was read must hold what burn finds in the same bytes.
fn expect_as_by_burn(content: &[u8], recorded: &Recorded) {
    match recorded {
        Recorded::Model(parameters) => {
            let record: ModelRecord<NdArrayBackend> = by_burn(content);
            assert_eq!(record.forward.dims(), [parameters.visible(), parameters.layers.first().width()]);
            assert_eq!(bits_of_model(record), bits_of(parameters));
        }
        Recorded::Checkpoint(state) if !state.parameters.layers.is_one_hot() => {
            let record: BurnLayersCheckpoint<NdArrayBackend> = by_burn(content);
            assert_eq!(bits_of_model(record.model), bits_of(&state.parameters));
            assert_eq!(bits_of_model(record.mean_squares), bits_of(&state.mean_squares));
            let chains = state.chains.as_ref().map(|chains| chains.words().to_vec());
            assert_eq!(record.chain_words.map(words), chains);
            assert_eq!(record.step, state.step);
        }
        Recorded::Checkpoint(state) => {
            let record: BurnCheckpoint<NdArrayBackend> = by_burn(content);
            assert_eq!(
                record.forward_mean_square.dims(),
                [state.parameters.visible(), state.parameters.latent()]
            );
            assert_eq!(bits_of_model(record.model), bits_of(&state.parameters));
            let squares = vec![
                bits(record.forward_mean_square),
                bits(record.forward_bias_mean_square),
                bits(record.backward_mean_square),
            ];
            assert_eq!(squares, bits_of(&state.mean_squares));
            let words = record.chain_words.map(words);
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
    for state in LAYERS.map(state_of).into_iter().chain([sampled_state(), tanh_state()]) {
        record::save_model(&path, &state.parameters).unwrap();
        assert_eq!(files::read_sealed(&path).unwrap(), model(&state.parameters).encode());
        record::save_checkpoint(&path, &state).unwrap();
        assert_eq!(files::read_sealed(&path).unwrap(), checkpoint(&state).encode());
    }
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
    assert!(lies.len() > 320);
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
        &["export", "run", "--checkpoint", "2", "--out", "exported.safetensors"],
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
    let [layered, deeper] = LAYERS.map(state_of);
    let records = [
        model(&state.parameters),
        checkpoint(&state),
        old_checkpoint(&state),
        model(&layered.parameters),
        checkpoint(&layered),
        model(&deeper.parameters),
        checkpoint(&deeper),
    ];
    let bases = records.map(|record| record.encode());
    let mut draw = dice(88);
    let (mut read, mut changed) = (0, 0);
    let mutants = 60_000;
    for number in 0..mutants {
        let base = &bases[number % bases.len()];
        let mutant = mutate(base, &bases[draw(bases.len())], &mut draw);
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
            let (status, _, stderr) = run(program()
                .args(["export", "run", "--checkpoint", "2", "--out", "out.safetensors"])
                .current_dir(&own));
            match Recorded::from_bytes(mutant) {
                Ok(Recorded::Model(parameters)) if (parameters.visible(), parameters.latent()) == (VISIBLE, LATENT) => {
                    assert_eq!(status, 0, "{stderr}");
                    let exported = latent_cycles::exchange::read(&own.join("out.safetensors")).unwrap().parameters;
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
