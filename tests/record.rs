//! Records: whole or refused, of the right shape, loadable by burn itself on any backend.

use burn::module::Module;
use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder};
use burn_ndarray::NdArray;
use latent_cycles::codes::Layers;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::files;
use latent_cycles::model::{Model, Parameters};
use latent_cycles::record::{self, TrainingState};

use crate::common::{random_images, random_mean_squares, random_model, random_parameters};
use crate::layers::WRITTEN;
use crate::lying_records::sampled_state;

fn state() -> TrainingState {
    TrainingState {
        parameters: random_model(81, 13, 5, 1.0),
        mean_squares: random_mean_squares(82, 13, 5, 1e-20),
        chains: Some(PackedImages::pack(&random_images(81, 7, 13))),
        path_entropy_weight: None,
        sampled: None,
        step: 1234,
    }
}

#[test]
fn models_and_checkpoints_return_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    // burn's recorders would cut this name at its last dot.
    let (model, checkpoint) = (folder.path().join("run-lr0.01"), folder.path().join("run-lr0.001.mpk"));
    let state = state();
    record::save_model(&model, &state.parameters).unwrap();
    record::save_checkpoint(&checkpoint, &state).unwrap();
    assert_eq!(record::load_model(&model).unwrap(), state.parameters);
    assert_eq!(record::load_checkpoint(&checkpoint).unwrap(), state);
    let steered = TrainingState {
        path_entropy_weight: Some(-1.0 / 3.0),
        ..state.clone()
    };
    record::save_checkpoint(&checkpoint, &steered).unwrap();
    assert_eq!(record::load_checkpoint(&checkpoint).unwrap(), steered);
    let sampled = sampled_state();
    record::save_checkpoint(&checkpoint, &sampled).unwrap();
    assert_eq!(record::load_checkpoint(&checkpoint).unwrap(), sampled);
    record::save_checkpoint(&checkpoint, &state).unwrap();
    let without_chains = TrainingState {
        chains: None,
        ..state.clone()
    };
    record::save_checkpoint(&checkpoint, &without_chains).unwrap();
    assert_eq!(record::load_checkpoint(&checkpoint).unwrap(), without_chains);
    assert_eq!(
        record::load_model(&checkpoint).unwrap(),
        state.parameters,
        "a checkpoint holds a model"
    );
    assert!(
        record::load_checkpoint(&model)
            .unwrap_err()
            .to_string()
            .contains("holds no checkpoint")
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn burns_own_recorder_loads_a_model_on_any_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.mpk");
    let parameters = random_model(83, 13, 5, 1.0);
    record::save_model(&path, &parameters).unwrap();
    let recorder = NamedMpkFileRecorder::<FullPrecisionSettings>::new();
    let device = Default::default();
    let model = Model::<NdArray>::new(&Parameters::zeros(13, 5), &device)
        .load_file(&path, &recorder, &device)
        .unwrap();
    assert_eq!(model.parameters(), parameters);
    #[cfg(feature = "flex")]
    {
        let device = burn_flex::FlexDevice;
        let model = Model::<burn_flex::Flex>::new(&Parameters::zeros(13, 5), &device)
            .load_file(&path, &recorder, &device)
            .unwrap();
        assert_eq!(model.parameters(), parameters);
    }
}

/// Of every kind of latent layer, models and checkpoints return, and burn's own recorder loads them into a model of these layers.
#[test]
fn records_of_latent_layers_return_bit_for_bit_and_are_burns() {
    let folder = tempfile::tempdir().unwrap();
    let (path, checkpoint) = (folder.path().join("model.mpk"), folder.path().join("checkpoint.mpk"));
    let recorder = NamedMpkFileRecorder::<FullPrecisionSettings>::new();
    let device = Default::default();
    for text in WRITTEN {
        let layers = Layers::parse(text).unwrap();
        let mut parameters = random_parameters(85, 13, &layers, 1.0);
        for free in [false, true] {
            if free && (layers.is_one_hot() || layers.all().len() > 1) {
                continue;
            }
            parameters.log_weights = free.then(|| ndarray::Array1::linspace(-1.0, 2.0, layers.states()));
            let state = TrainingState {
                parameters: parameters.clone(),
                mean_squares: Parameters::of_zeros(13, &layers),
                ..state()
            };
            record::save_model(&path, &parameters).unwrap();
            record::save_checkpoint(&checkpoint, &state).unwrap();
            assert_eq!(record::load_model(&path).unwrap(), parameters, "{text}");
            assert_eq!(record::load_checkpoint(&checkpoint).unwrap(), state, "{text}");
            record::expect_shape(&path, &parameters, 13, &layers).unwrap();
            let empty = Parameters {
                log_weights: free.then(|| ndarray::Array1::zeros(layers.states())),
                ..Parameters::of_zeros(13, &layers)
            };
            let model = Model::<NdArray>::new(&empty, &device).load_file(&path, &recorder, &device).unwrap();
            assert_eq!(model.parameters(), parameters, "{text}");
        }
    }
}

/// Layers of the same shapes are still not the same.
#[test]
fn records_of_other_layers_are_refused() {
    let path = std::path::Path::new("model.mpk");
    let of = |text: &str| Layers::parse(text).unwrap();
    let groups = of("{ kind = \"groups\", sizes = [2, 3] }");
    let parameters = random_parameters(86, 13, &groups, 1.0);
    let other = record::expect_shape(path, &parameters, 13, &of("{ kind = \"groups\", sizes = [3, 2] }"));
    let problem = other.unwrap_err().to_string();
    assert!(
        problem.contains("13 pixels and 6 latent states (groups of 2, 3)") && problem.contains("13 and 6 latent states (groups of 3, 2)"),
        "{problem}"
    );
    assert!(record::expect_shape(path, &parameters, 13, &Layers::one_hot(5)).is_err());
}

#[test]
fn every_flipped_byte_and_every_truncation_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.mpk");
    record::save_checkpoint(&path, &state()).unwrap();
    let good = std::fs::read(&path).unwrap();
    for position in (0..good.len()).step_by(7).chain(good.len() - 90..good.len()) {
        let mut bad = good.clone();
        bad[position] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        assert!(record::load_checkpoint(&path).is_err(), "flipped byte {position}");
        std::fs::write(&path, &good[..position]).unwrap();
        assert!(record::load_checkpoint(&path).is_err(), "cut at {position}");
    }
    std::fs::write(&path, &good).unwrap();
    assert!(record::load_checkpoint(&path).is_ok());
}

#[test]
fn records_of_another_shape_or_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.mpk");
    let parameters = random_model(84, 13, 5, 1.0);
    record::save_model(&path, &parameters).unwrap();
    let problem = record::expect_shape(&path, &parameters, 13, &Layers::one_hot(7))
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains("13 pixels and 5 latent states") && problem.contains("13 and 7"),
        "{problem}"
    );

    let mut wrong = parameters.clone();
    wrong.forward_bias = ndarray::Array1::zeros(3);
    record::save_model(&path, &wrong).unwrap();
    assert!(record::load_model(&path).unwrap_err().to_string().contains("do not fit"));
    wrong = parameters;
    wrong.backward[[0, 0]] = f32::NAN;
    record::save_model(&path, &wrong).unwrap();
    assert!(record::load_model(&path).unwrap_err().to_string().contains("not all finite"));

    for foreign in [&b""[..], b"hello", &[0x93, 1, 2, 3], &[0xff; 4096]] {
        std::fs::write(&path, foreign).unwrap();
        assert!(record::load_model(&path).unwrap_err().to_string().contains("not a complete record"));
        files::write_sealed(&path, foreign).unwrap();
        assert!(record::load_model(&path).unwrap_err().to_string().contains("holds no model"));
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("here");
    files::write(&path, b"old").unwrap();
    let missing = folder.path().join("no such folder").join("file");
    assert!(
        files::write(&missing, b"new")
            .unwrap_err()
            .to_string()
            .contains("cannot be written")
    );
    files::write(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
}
