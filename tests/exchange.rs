//! safetensors: what is written is what is read, here and in Python.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use latent_cycles::codes::Layers;
use latent_cycles::conditionals::Conditionals;
use latent_cycles::config::Config;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::{Estimate, Settings};
use latent_cycles::evaluation::likelihood::log_likelihood;
use latent_cycles::exchange::{self, Exchanged};
use latent_cycles::model::Parameters;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::common::{configured, random_images, random_model, random_parameters};
use crate::layers::WRITTEN;

fn exchanged(parameters: Parameters, config: Config) -> Exchanged {
    Exchanged {
        parameters,
        recognition: None,
        config: Some(config),
        size: Some((1, 13)),
    }
}

#[test]
fn a_model_survives_export_and_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let parameters = random_model(91, 13, 5, 1.0);
    let mut config = Config::default();
    config.training.seed = 17;
    exchange::write(&path, &parameters, None, &config, (1, 13)).unwrap();
    assert_eq!(exchange::read(&path).unwrap(), exchanged(parameters, config));
}

#[test]
fn two_exports_of_one_model_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = random_model(93, 13, 5, 1.0);
    let export = |name: &str| {
        let path = folder.path().join(name);
        exchange::write(&path, &parameters, None, &Config::default(), (1, 13)).unwrap();
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

/// The file of one one-hot layer is what it was before there were others.
#[test]
fn an_export_of_states_has_three_tensors_and_says_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    exchange::write(&path, &random_model(93, 13, 5, 1.0), None, &Config::default(), (1, 13)).unwrap();
    let content = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&content).unwrap();
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(
        metadata["format"],
        "latent-cycles model: p(z|x) = softmax(x @ forward + forward_bias), q(x_i=1|z) = sigmoid(backward[z, i])"
    );
    let mut keys: Vec<_> = metadata.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["columns", "config", "format", "latent", "rows", "version", "visible"]);
    let mut names: Vec<_> = header.tensors().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(names, ["backward", "forward", "forward_bias"]);
}

/// Every kind of latent layer; what a file says of them is computed by CI's Python.
#[test]
fn models_of_all_latent_layers_survive_export_and_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (text, formula) in WRITTEN.iter().zip([
        "p(z|x) = softmax(x @ forward + forward_bias), q(x_i=1|z) = sigmoid(backward[z, i])",
        "p(z|x) = softmax(codes @ (x @ forward + forward_bias) + code_log_weights), \
         q(x_i=1|z) = sigmoid(codes[z] @ backward[:, i] + visible_bias[i])",
        "p(z|x) = softmax(codes @ (x @ forward + forward_bias) + code_log_weights), q(x_i=1|z) = sigmoid(codes[z] @ backward[:, i])",
        "p(z|x) = softmax(codes @ (x @ forward + forward_bias) + code_log_weights), \
         q(x_i=1|z) = sigmoid(codes[z] @ backward[:, i] + visible_bias[i])",
        "p(z|x) = softmax(codes @ (x @ forward + forward_bias) + code_log_weights), \
         q(x_i=1|z) = sigmoid(codes[z] @ backward[:, i] + visible_bias[i])",
        "p(z_1|x) = softmax(codes_1 @ (x @ forward + forward_bias) + code_log_weights_1), \
         p(z_2|z_1) = softmax(codes_2 @ (codes_1[z_1] @ between_1 + between_1_bias) + code_log_weights_2), \
         q(x_i=1|z_2) = sigmoid(codes_2[z_2] @ backward[:, i] + visible_bias[i])",
        "p(z_1|x) = softmax(x @ forward + forward_bias), \
         p(z_2|z_1) = softmax(codes_2 @ (between_1[z_1] + between_1_bias) + code_log_weights_2), \
         p(z_3|z_2) = softmax(codes_3 @ (codes_2[z_2] @ between_2 + between_2_bias) + code_log_weights_3), \
         p(z_4|z_3) = softmax(codes_3[z_3] @ between_3 + between_3_bias), q(x_i=1|z_4) = sigmoid(backward[z_4, i])",
    ]) {
        let layers = Layers::parse(text).unwrap();
        let config = configured(&[&format!("model.latent={text}"), "training.seed=17"]);
        let mut parameters = random_parameters(91, 13, &layers, 1.0);
        exchange::write(&path, &parameters, None, &config, (1, 13)).unwrap();
        let content = std::fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&content).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["format"], format!("latent-cycles model: {formula}"));
        assert_eq!(metadata["latent"], layers.states().to_string());
        assert_eq!(
            exchange::read(&path).unwrap(),
            exchanged(parameters.clone(), config.clone()),
            "{text}"
        );
        if layers.all().len() == 1 && !layers.is_one_hot() {
            parameters.log_weights = Some(ndarray::Array1::linspace(-1.0, 2.0, layers.states()));
            exchange::write(&path, &parameters, None, &config, (1, 13)).unwrap();
            assert_eq!(exchange::read(&path).unwrap(), exchanged(parameters, config), "{text}");
        }
    }
}

/// Leaves models with the exact figures of each for CI's Python, which reads them with the safetensors package and computes all of it again with
/// numpy, by enumeration, from what the file says that it is.
#[test]
fn exported_models_are_left_for_python() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export-for-python");
    let _ = std::fs::remove_dir_all(&folder);
    for (number, text) in WRITTEN.iter().enumerate() {
        let layers = Layers::parse(text).unwrap();
        let (visible, folder) = (11, folder.join(number.to_string()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut parameters = random_parameters(92, visible, &layers, 0.7);
        if number == 3 {
            parameters.log_weights = Some(ndarray::Array1::linspace(-1.0, 2.0, layers.states()));
        }
        exchange::write(
            &folder.join("model.safetensors"),
            &parameters,
            None,
            &Config::default(),
            (1, visible),
        )
        .unwrap();
        let settings = Settings {
            exact: true,
            ..Settings::of(&parameters)
        };
        let kernel = Estimate::with(&parameters, settings, &()).unwrap().kernel;
        let images = random_images(92, 13, visible);
        let packed = PackedImages::pack(&images);
        let model = Conditionals::new(&parameters);
        let rows = |matrix: &ndarray::Array2<f64>| matrix.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        let figures = serde_json::json!({
            "images": images.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
            "forward": rows(&model.log_forward(&packed).mapv(f64::exp)),
            "log_likelihood": log_likelihood(&model, kernel.steady.log_pi(), &packed, &()).unwrap(),
            "transition": rows(&kernel.steady.transition()),
            "entropy_production": kernel.steady.entropy_production(),
            "path_entropy_production": kernel.path_entropy_production(),
        });
        std::fs::write(folder.join("figures.json"), figures.to_string()).unwrap();
    }
}

/// What a file of other latent layers can be wrong in.
#[test]
fn foreign_files_of_latent_layers_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    const DEEPER: &str = "[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]";
    const BINARY: &str = "{ kind = \"binary\", units = 3 }";
    const ONE: &[u8] = &1.0_f64.to_le_bytes();
    const NAN: &[u8] = &f32::NAN.to_le_bytes();
    type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;
    let spoiled = |text: &str, spoil: &dyn Fn(&mut Tensors, &mut HashMap<String, String>)| {
        let parameters = random_parameters(94, 13, &Layers::parse(text).unwrap(), 1.0);
        exchange::write(&path, &parameters, None, &Config::default(), (1, 13)).unwrap();
        let content = std::fs::read(&path).unwrap();
        let mut metadata = SafeTensors::read_metadata(&content).unwrap().1.metadata().clone().unwrap();
        let file = SafeTensors::deserialize(&content).unwrap();
        let mut tensors: Tensors = (file.tensors().into_iter())
            .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
            .collect();
        spoil(&mut tensors, &mut metadata);
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name.clone(), view)
        });
        safetensors::serialize(views.collect::<Vec<_>>(), Some(metadata)).unwrap()
    };
    let zeros = |shape: &[usize]| (Dtype::F32, shape.to_vec(), vec![0; 4 * shape.iter().product::<usize>()]);
    let set_layers = |text: &'static str| {
        move |_: &mut Tensors, metadata: &mut HashMap<String, String>| drop(metadata.insert("layers".to_owned(), text.to_owned()))
    };
    let remove = |name: &'static str| move |tensors: &mut Tensors, _: &mut HashMap<String, String>| drop(tensors.remove(name));
    let put = |name: &'static str, shape: &'static [usize]| {
        move |tensors: &mut Tensors, _: &mut HashMap<String, String>| drop(tensors.insert(name.to_owned(), zeros(shape)))
    };
    let first = |name: &'static str, bytes: &'static [u8]| {
        move |tensors: &mut Tensors, _: &mut HashMap<String, String>| {
            tensors.get_mut(name).unwrap().2[..bytes.len()].copy_from_slice(bytes);
        }
    };
    type Spoil<'a> = Box<dyn Fn(&mut Tensors, &mut HashMap<String, String>) + 'a>;
    let cases: Vec<(&str, Spoil, &str)> = vec![
        // Read as three matrices of a one-hot layer, it would be another model.
        (
            BINARY,
            Box::new(|_, metadata| drop(metadata.remove("layers"))),
            "is none of a model of 3 latent states",
        ),
        (BINARY, Box::new(set_layers("8")), "`layers` is that of a model without it"),
        (BINARY, Box::new(set_layers("eight")), "its metadata `layers` is \"eight\": "),
        (
            BINARY,
            Box::new(set_layers("{ kind = \"groups\", sizes = [64, 65] }")),
            "64 x 65 is 4160",
        ),
        (
            BINARY,
            Box::new(set_layers("{ kind = \"binary\", units = 4 }")),
            "are not those of 13 pixels and 16 latent states (4 binary units)",
        ),
        (BINARY, Box::new(set_layers(DEEPER)), "has no tensor `between_1`"),
        (DEEPER, Box::new(set_layers(BINARY)), "are not those of 13 pixels"),
        (BINARY, Box::new(remove("visible_bias")), "are not those of 13 pixels"),
        (BINARY, Box::new(remove("backward")), "has no tensor `backward`"),
        (DEEPER, Box::new(remove("between_1_bias")), "has no tensor `between_1_bias`"),
        (BINARY, Box::new(put("log_weights", &[7])), "log_weights [7] are not those of"),
        (DEEPER, Box::new(put("log_weights", &[4])), "log_weights [4] are not those of"),
        (
            BINARY,
            Box::new(put("between_1", &[3, 2])),
            "its tensor \"between_1\" is none of a model of",
        ),
        (BINARY, Box::new(put("forward", &[0, 3])), "has 0 pixels"),
        (
            BINARY,
            Box::new(put("forward", &[65_537, 3])),
            "has 65537 pixels, and models have 1 to 65536",
        ),
        (
            BINARY,
            Box::new(put("visible_bias", &[13, 1])),
            "its tensor `visible_bias` is of shape [13, 1]",
        ),
        (BINARY, Box::new(put("codes", &[8, 3])), "its tensor `codes` is F32 of shape [8, 3]"),
        (
            BINARY,
            Box::new(first("codes", ONE)),
            "its tensor `codes` is not that of 8 latent states (3 binary units)",
        ),
        (
            DEEPER,
            Box::new(first("code_log_weights_2", ONE)),
            "`code_log_weights_2` is not that of",
        ),
        (DEEPER, Box::new(first("between_1", NAN)), "not all finite"),
        (
            "5",
            Box::new(put("visible_bias", &[13])),
            "its tensor \"visible_bias\" is none of a model of 5 latent states",
        ),
    ];
    for (text, spoil, expected) in &cases {
        std::fs::write(&path, spoiled(text, spoil)).unwrap();
        let error = exchange::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
    // The codes follow from the layers and may be left out.
    std::fs::write(
        &path,
        spoiled(DEEPER, &|tensors, _| tensors.retain(|name, _| !name.starts_with("code"))),
    )
    .unwrap();
    assert_eq!(
        exchange::read(&path).unwrap().parameters,
        random_parameters(94, 13, &Layers::parse(DEEPER).unwrap(), 1.0)
    );
}

#[test]
fn foreign_files_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    const TOO_MANY: usize = (1 << 16) + 1;
    let zeros = [0_u8; 4 * TOO_MANY];
    let nan = f32::NAN.to_le_bytes().repeat(64);
    let view = |dtype, shape: &[usize], data: &'static [u8]| {
        let size = shape.iter().product::<usize>() * if dtype == Dtype::F16 { 2 } else { 4 };
        TensorView::new(dtype, shape.to_vec(), &data[..size]).unwrap()
    };
    let zeros: &'static [u8] = Vec::leak(zeros.to_vec());
    let nan: &'static [u8] = Vec::leak(nan);
    let cases = [
        (vec![("forward", view(Dtype::F32, &[3, 2], zeros))], "no tensor"),
        (
            vec![
                ("forward", view(Dtype::F16, &[3, 2], zeros)),
                ("forward_bias", view(Dtype::F32, &[2], zeros)),
                ("backward", view(Dtype::F32, &[2, 3], zeros)),
            ],
            "F16",
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
