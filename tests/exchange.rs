//! safetensors: what is written is what is read, here and in Python.

use std::path::Path;

use latent_cycles::conditionals::Conditionals;
use latent_cycles::config::Config;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::exchange;

use crate::common::{random_images, random_model};

#[test]
fn a_model_survives_export_and_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let parameters = random_model(91, 13, 5, 1.0);
    let mut config = Config::default();
    config.training.seed = 17;
    exchange::write(&path, &parameters, &config, (1, 13)).unwrap();
    assert_eq!(exchange::read(&path).unwrap(), (parameters, Some(config)));
}

#[test]
fn two_exports_of_one_model_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = random_model(93, 13, 5, 1.0);
    let export = |name: &str| {
        let path = folder.path().join(name);
        exchange::write(&path, &parameters, &Config::default(), (1, 13)).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = export("0");
    for number in 1..20 {
        assert_eq!(export(&number.to_string()), first);
    }
    // Its names are in the order of the alphabet.
    let header = String::from_utf8_lossy(&first[8..]).into_owned();
    let names = [
        "__metadata__",
        "\"columns\"",
        "\"config\"",
        "\"format\"",
        "\"version\"",
        "\"visible\"",
        "\"backward\"",
        "\"forward\"",
    ];
    let places: Vec<usize> = names.iter().map(|name| header.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// Leaves a model with some p(z|x) of its own for CI's Python, which reads the one with the safetensors package and computes the other
/// again with numpy.
#[test]
fn an_exported_model_is_left_for_python() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export-for-python");
    std::fs::create_dir_all(&folder).unwrap();
    let parameters = random_model(92, 13, 5, 1.5);
    exchange::write(&folder.join("model.safetensors"), &parameters, &Config::default(), (1, 13)).unwrap();
    let images = random_images(92, 11, 13);
    let model = Conditionals::new(&parameters);
    let log_forward = model.log_forward(&PackedImages::pack(&images));
    let rows: Vec<_> = images
        .rows()
        .into_iter()
        .zip(log_forward.rows())
        .map(|(image, log_p)| {
            let forward: Vec<f64> = log_p.iter().map(|log_p| log_p.exp()).collect();
            serde_json::json!({ "image": image.to_vec(), "forward": forward })
        })
        .collect();
    std::fs::write(folder.join("forward.json"), serde_json::to_string(&rows).unwrap()).unwrap();
}

#[test]
fn foreign_files_are_refused_in_one_sentence() {
    use safetensors::tensor::{Dtype, TensorView};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    const TOO_MANY: usize = (1 << 16) + 1;
    let zeros = [0_u8; 4 * TOO_MANY];
    let nan = f32::NAN.to_le_bytes().repeat(64);
    let view = |dtype, shape: &[usize], data: &'static [u8]| {
        let size = shape.iter().product::<usize>() * if dtype == Dtype::F64 { 8 } else { 4 };
        TensorView::new(dtype, shape.to_vec(), &data[..size]).unwrap()
    };
    let zeros: &'static [u8] = Vec::leak(zeros.to_vec());
    let nan: &'static [u8] = Vec::leak(nan);
    let cases = [
        (vec![("forward", view(Dtype::F32, &[3, 2], zeros))], "no tensor"),
        (
            vec![
                ("forward", view(Dtype::F64, &[3, 2], zeros)),
                ("forward_bias", view(Dtype::F32, &[2], zeros)),
                ("backward", view(Dtype::F32, &[2, 3], zeros)),
            ],
            "F64",
        ),
        (
            vec![
                ("forward", view(Dtype::F32, &[3, 2], zeros)),
                ("forward_bias", view(Dtype::F32, &[2], zeros)),
                ("backward", view(Dtype::F32, &[3, 2], zeros)),
            ],
            "do not fit together",
        ),
        (
            vec![
                ("forward", view(Dtype::F32, &[0, 2], zeros)),
                ("forward_bias", view(Dtype::F32, &[2], zeros)),
                ("backward", view(Dtype::F32, &[2, 0], zeros)),
            ],
            "do not fit together",
        ),
        (
            vec![
                ("forward", view(Dtype::F32, &[3, 2], nan)),
                ("forward_bias", view(Dtype::F32, &[2], zeros)),
                ("backward", view(Dtype::F32, &[2, 3], zeros)),
            ],
            "not all finite",
        ),
        (
            vec![
                ("forward", view(Dtype::F32, &[TOO_MANY, 1], zeros)),
                ("forward_bias", view(Dtype::F32, &[1], zeros)),
                ("backward", view(Dtype::F32, &[1, TOO_MANY], zeros)),
            ],
            "at most 65536",
        ),
    ];
    for (tensors, expected) in cases {
        std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let error = exchange::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for bytes in [&b""[..], b"{}", &[255; 64]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(exchange::read(&path).unwrap_err().to_string().contains("not a safetensors file"));
    }
}
