//! Images as people have them: .npy, .npz, folders of PNGs, bytes of 0 and 1; each the same data as its IDX file.

use std::io::Write;
use std::path::Path;

use image::{GrayImage, ImageFormat, Rgb, RgbImage};
use latent_cycles::config::{Binarize, Classes, DataConfig, Files, Source};
use latent_cycles::data::Dataset;
use latent_cycles::random::Seed;

use crate::command::run;
use crate::common::program;
use crate::data::{idx_bytes, of_files};

/// Images, rows, columns.
const SIZE: (usize, usize, usize) = (7, 3, 5);

/// Grey values of all images, dark and lit ones among them.
fn grey() -> Vec<u8> {
    (0..SIZE.0 * SIZE.1 * SIZE.2).map(|n| (n * 89 % 256) as u8).collect()
}

const LABELS: [u8; 7] = [3, 1, 4, 1, 5, 3, 2];

/// A .npy file, as numpy writes it.
pub fn npy(kind: &str, shape: &str, fortran: bool, numbers: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers);
    bytes
}

fn load(files: Files) -> Result<Dataset, String> {
    Dataset::load(&of_files(files)).map_err(|error| error.to_string())
}

fn load_images(path: &Path) -> Result<Dataset, String> {
    load(Files {
        images: path.to_owned(),
        ..Files::default()
    })
}

/// The images and labels as an IDX pair, to compare with.
fn reference(folder: &Path) -> Dataset {
    let (count, rows, columns) = SIZE;
    let sizes = [count, rows, columns].map(|size| size as u32);
    std::fs::write(folder.join("images.idx"), idx_bytes(&sizes, &grey())).unwrap();
    std::fs::write(folder.join("labels.idx"), idx_bytes(&[7], &LABELS)).unwrap();
    load(Files {
        images: folder.join("images.idx"),
        labels: Some(folder.join("labels.idx")),
        ..Files::default()
    })
    .unwrap()
}

fn same(found: &Dataset, expected: &Dataset, what: &str) {
    assert_eq!(found.checksum(), expected.checksum(), "{what}");
    assert_eq!((found.rows, found.columns), (expected.rows, expected.columns), "{what}");
    assert_eq!(found.train.labels(), expected.train.labels(), "{what}");
    let binary = |data: &Dataset| data.train.evaluation_images(Seed(1), 0);
    assert_eq!(binary(found), binary(expected), "{what}");
}

#[test]
fn arrays_of_every_type_and_order_are_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let expected = reference(path);
    let bytes = grey();
    let each = |number: &dyn Fn(u8) -> Vec<u8>| bytes.iter().flat_map(|&byte| number(byte)).collect::<Vec<u8>>();
    let (count, rows, columns) = SIZE;
    let fortran: Vec<u8> = (0..columns)
        .flat_map(|column| (0..rows).flat_map(move |row| (0..count).map(move |image| (image * rows + row) * columns + column)))
        .map(|place| bytes[place])
        .collect();
    let shape = "(7, 3, 5)";
    let cases = [
        ("u1", npy("|u1", shape, false, &bytes)),
        ("one channel", npy("|u1", "(7, 3, 5, 1)", false, &bytes)),
        ("channel first", npy("|u1", "(7, 1, 3, 5)", false, &bytes)),
        ("fortran", npy("|u1", shape, true, &fortran)),
        ("i8", npy("<i8", shape, false, &each(&|byte| i64::from(byte).to_le_bytes().into()))),
        (
            "big-endian i2",
            npy(">i2", shape, false, &each(&|byte| i16::from(byte).to_be_bytes().into())),
        ),
        (
            "f4 to 255",
            npy("<f4", shape, false, &each(&|byte| f32::from(byte).to_le_bytes().into())),
        ),
        (
            "f4 to 1",
            npy("<f4", shape, false, &each(&|byte| (f32::from(byte) / 255.0).to_le_bytes().into())),
        ),
        (
            "f8 to 1",
            npy(">f8", shape, false, &each(&|byte| (f64::from(byte) / 255.0).to_be_bytes().into())),
        ),
    ];
    std::fs::write(
        path.join("labels.npy"),
        npy(
            "<i4",
            "(7,)",
            false,
            &LABELS.iter().flat_map(|&label| i32::from(label).to_le_bytes()).collect::<Vec<_>>(),
        ),
    )
    .unwrap();
    for (what, content) in &cases {
        std::fs::write(path.join("images.npy"), content).unwrap();
        let found = load(Files {
            images: path.join("images.npy"),
            labels: Some(path.join("labels.npy")),
            ..Files::default()
        });
        same(&found.unwrap(), &expected, what);
    }
    // Rows of pixels: the size is guessed.
    std::fs::write(path.join("images.npy"), npy("|u1", "(7, 15)", false, &bytes)).unwrap();
    let found = load_images(&path.join("images.npy")).unwrap();
    assert_eq!((found.rows, found.columns, found.train.len()), (1, 15, 7));
    // True is lit, False is dark.
    let bits: Vec<u8> = bytes.iter().map(|&byte| u8::from(byte > 127)).collect();
    std::fs::write(path.join("images.npy"), npy("|b1", shape, false, &bits)).unwrap();
    let found = load_images(&path.join("images.npy")).unwrap();
    assert_eq!(
        found.train.evaluation_images(Seed(1), 0),
        expected.train.evaluation_images(Seed(1), 0)
    );
}

#[test]
fn arrays_that_are_no_images_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.npy");
    let floats = |values: [f32; 4]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let whole = npy("|u1", "(2, 2)", false, &[0, 255, 1, 2]);
    let cases = [
        (
            npy("<f4", "(2, 2)", false, &floats([0.0, 1.0, f32::NAN, 0.0])),
            "holds the value NaN",
        ),
        (
            npy("<f4", "(2, 2)", false, &floats([0.0, -1.0, 1.0, 0.0])),
            "holds values from -1 to 1",
        ),
        (
            npy("<f4", "(2, 2)", false, &floats([0.0, 256.0, 1.0, 0.0])),
            "holds values from 0 to 256",
        ),
        (npy("<i2", "(1, 2)", false, &[0, 1, 0, 0]), "holds the value 256"),
        (npy("|i1", "(2, 2)", false, &[0, 255, 0, 0]), "holds the value -1"),
        (
            npy("|u1", "(4,)", false, &[0, 255, 1, 2]),
            "has the sizes [4], which are not [N, D] or [N, H, W]",
        ),
        (npy("|u1", "(1, 2, 2, 3)", false, &[9; 12]), "images of 3 colours"),
        (npy("|u1", "(0, 2)", false, &[]), "hold nothing"),
        (
            npy("|u1", "(99999999999, 99999999999)", false, &[0]),
            "more than the 2147483648 pixels",
        ),
        (npy("|u1", "(99999, 999)", false, &[0]), "longer or shorter"),
        (npy("<U5", "(2, 2)", false, &[0; 80]), "of type \"<U5\""),
        (npy("|O", "(2, 2)", false, &[0; 80]), "of type \"|O\""),
        (npy("[('a', '<f4')]", "(2, 2)", false, &[0; 16]), "records of several fields"),
        (whole[..whole.len() - 1].to_vec(), "longer or shorter"),
        ([&whole[..], &[0]].concat(), "longer or shorter"),
        (whole[..20].to_vec(), "no header"),
    ];
    for (content, words) in cases {
        std::fs::write(&path, content).unwrap();
        let error = load_images(&path).unwrap_err();
        assert!(
            error.contains(words) && error.starts_with("data.images: /"),
            "{error:?} should contain {words:?}"
        );
    }
}

/// An archive as numpy.savez_compressed writes it.
fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, content) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn archives_hold_images_labels_and_test_images_by_their_usual_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.npz");
    let expected = reference(folder.path());
    let images = || npy("|u1", "(7, 3, 5)", false, &grey());
    let labels = || npy("|u1", "(7, 1)", false, &LABELS);
    for (x, y, x_test, y_test) in [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "y_train", "X_test", "Y_TEST"),
    ] {
        npz(&path, &[(x_test, images()), (x, images()), (y, labels()), (y_test, labels())]);
        let found = load_images(&path).unwrap();
        assert_eq!(found.train.labels(), expected.train.labels());
        assert_eq!(found.test.as_ref().unwrap().labels(), expected.train.labels());
        assert_eq!(found.test.as_ref().unwrap().len(), 7);
    }
    // Named for testing, it gives what is meant for that, and not what is trained on.
    let other = npy("|u1", "(2, 3, 5)", false, &grey()[15..45]);
    let [x, y] = ["x_train", "y_train"];
    npz(
        &path,
        &[
            (x, images()),
            (y, labels()),
            ("x_test", other),
            ("y_test", npy("|u1", "(2,)", false, &[4, 1])),
        ],
    );
    let both = load(Files {
        images: path.clone(),
        test_images: Some(path.clone()),
        ..Files::default()
    });
    let test = |data: &Dataset| (data.test.as_ref().unwrap().labels().unwrap().to_vec(), data.checksum());
    let expected_test = test(&load_images(&path).unwrap());
    assert_eq!(
        (both.as_ref().unwrap().classes.clone(), expected_test.0.clone()),
        (vec![1, 2, 3, 4, 5], vec![3, 0])
    );
    assert_eq!(test(&both.unwrap()), expected_test);
    let labels_alone = load(Files {
        images: path.clone(),
        test_images: Some(path.clone()),
        test_labels: Some(path.clone()),
        ..Files::default()
    });
    assert_eq!(test(&labels_alone.unwrap()), expected_test);
    npz(&path, &[("images", images()), ("labels", labels())]);
    same(&load_images(&path).unwrap(), &expected, "images and labels");
    npz(&path, &[("pictures", images())]);
    assert_eq!(load_images(&path).unwrap().train.labels(), None);
    npz(&path, &[("pictures", images()), ("kinds", labels()), ("more", labels())]);
    let named = |member: &str| folder.path().join(format!("digits.npz:{member}"));
    let found = load(Files {
        images: named("pictures"),
        labels: Some(named("kinds")),
        ..Files::default()
    });
    same(&found.unwrap(), &expected, "named arrays");
    let error = load_images(&path).unwrap_err();
    assert!(
        error.contains("holds the arrays pictures, kinds, more") && error.contains("digits.npz:images"),
        "{error}"
    );
    let error = load_images(&named("nothing")).unwrap_err();
    assert!(
        error.contains("holds no array of this name; it has pictures, kinds, more"),
        "{error}"
    );
    std::fs::write(&path, b"PK\x03\x04 and no more").unwrap();
    assert!(load_images(&path).unwrap_err().contains("cannot be read as a zip archive"));
}

fn write_png(path: &Path, image: usize) {
    let (_, rows, columns) = SIZE;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixels = grey()[image * rows * columns..][..rows * columns].to_vec();
    let picture = GrayImage::from_raw(columns as u32, rows as u32, pixels).unwrap();
    picture.save_with_format(path, ImageFormat::Png).unwrap();
}

#[test]
fn folders_of_pngs_are_images_and_their_subfolders_labels() {
    let folder = tempfile::tempdir().unwrap();
    let expected = reference(folder.path());
    let (labelled, plain) = (folder.path().join("labelled"), folder.path().join("plain"));
    for (image, label) in LABELS.iter().enumerate() {
        write_png(&labelled.join(label.to_string()).join(format!("{image}.PNG")), image);
        write_png(&plain.join(format!("{image}.png")), image);
    }
    std::fs::write(labelled.join(".hidden"), "").unwrap();
    std::fs::write(labelled.join("1/notes.txt"), "").unwrap();
    same(&load_images(&labelled).unwrap(), &expected, "labelled");
    let found = load_images(&plain).unwrap();
    assert_eq!((found.train.len(), found.train.labels()), (7, None));
    assert_eq!(
        found.train.evaluation_images(Seed(1), 0),
        expected.train.evaluation_images(Seed(1), 0)
    );

    // Names that are no numbers count in alphabetical order, and it is said.
    for (label, name) in [(1, "bee"), (2, "cat"), (3, "dog"), (4, "emu"), (5, "fox")] {
        std::fs::rename(labelled.join(label.to_string()), labelled.join(name)).unwrap();
    }
    let found = load_images(&labelled).unwrap();
    assert_eq!(found.classes, [0, 1, 2, 3, 4]);
    assert_eq!(found.train.labels(), expected.train.labels());
    assert_eq!(
        found.notes,
        ["labels by subfolder: 0 is bee, 1 is cat, 2 is dog, 3 is emu, 4 is fox"]
    );

    // Test images are numbered by the same names, and have no others.
    let test = folder.path().join("test");
    write_png(&test.join("fox/a.png"), 0);
    write_png(&test.join("cat/b.png"), 1);
    let with_test = || {
        load(Files {
            images: labelled.clone(),
            test_images: Some(test.clone()),
            ..Files::default()
        })
    };
    assert_eq!(with_test().unwrap().test.unwrap().labels(), Some(&[4, 1][..]));
    write_png(&test.join("gnu/c.png"), 2);
    assert!(
        with_test()
            .unwrap_err()
            .contains("the test images have the label gnu, and no training image has it")
    );
    std::fs::remove_dir_all(&test).unwrap();
    write_png(&test.join("1/a.png"), 0);
    assert!(with_test().unwrap_err().contains("name the subfolders alike"));

    // Colours become grey by their luminance, which is said.
    let colours = folder.path().join("colours");
    std::fs::create_dir(&colours).unwrap();
    let picture = RgbImage::from_fn(3, 1, |x, _| Rgb([[255, 0, 0], [0, 255, 0], [0, 0, 255]][x as usize]));
    picture.save(colours.join("a.png")).unwrap();
    let data = |threshold| {
        Dataset::load(&DataConfig {
            source: Source::File(Files {
                images: colours.clone(),
                ..Files::default()
            }),
            classes: Classes::All,
            binarize: Binarize::Threshold(threshold),
            ..DataConfig::default()
        })
        .unwrap()
    };
    let lit = |threshold| data(threshold).train.mean();
    assert_eq!((lit(0.15), lit(0.5)), (vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 0.0]));
    assert!(data(0.5).notes[0].contains("luminance"));

    for (spoil, words) in [
        (
            Box::new(|| write_png(&labelled.join("top.png"), 0)) as Box<dyn Fn()>,
            "holds images beside subfolders",
        ),
        (
            Box::new(|| std::fs::write(plain.join("3.png"), "no image").unwrap()),
            "3.png: cannot be decoded",
        ),
        (
            Box::new(|| GrayImage::new(2, 2).save(plain.join("3.png")).unwrap()),
            "3.png: is of 2 x 2 pixels, and the first image of 3 x 5",
        ),
    ] {
        spoil();
        let errors = [load_images(&labelled), load_images(&plain)].map(|found| found.err().unwrap_or_default());
        assert!(
            errors.iter().any(|error| error.contains(words)),
            "{errors:?} should contain {words:?}"
        );
    }
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    assert!(
        load_images(&folder.path().join("empty"))
            .unwrap_err()
            .contains("holds no file whose name ends in .png")
    );
    let error = load_images(&plain.join("0.png")).unwrap_err();
    assert!(error.contains("a single PNG image; name the folder"), "{error}");
}

/// Images of which nothing is lit, or all, teach nothing: the error names the setting that mends it, and with it they are read.
#[test]
fn images_that_are_all_dark_or_all_lit_are_refused_with_the_setting_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, values: &[u8]| std::fs::write(path.join(name), idx_bytes(&[2, 1, 2], values)).unwrap();
    write("bits", &[0, 1, 1, 0]);
    write("sixteenths", &[0, 16, 7, 12]);
    write("bright", &[200, 255, 255, 220]);
    write("dark", &[0; 4]);
    let config = |name: &str, threshold: f64| DataConfig {
        binarize: Binarize::Threshold(threshold),
        ..of_files(Files {
            images: path.join(name),
            ..Files::default()
        })
    };
    for (name, words, lit) in [
        (
            "bits",
            "values, 0 to 1, are at most data.threshold = 0.5, which is 127.5 of 255; set data.threshold=0",
            0.5,
        ),
        ("sixteenths", "set data.threshold=0.031, so that what is above 7 is lit", 0.5),
        (
            "bright",
            "every pixel of the training images is lit: their values, 200 to 255, are above data.threshold",
            0.5,
        ),
    ] {
        let error = Dataset::load(&config(name, 0.5)).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} should contain {words:?}");
        let setting = error.rsplit("data.threshold=").next().unwrap().split(',').next().unwrap();
        let setting: f64 = setting.parse().unwrap();
        assert_eq!(Dataset::load(&config(name, setting)).unwrap().train.lit(), lit, "{name}");
    }
    let error = Dataset::load(&config("dark", 0.5)).unwrap_err().to_string();
    assert!(error.contains("all have the value 0"), "{error}");
    // Of test images too.
    let test = of_files(Files {
        images: path.join("bits"),
        test_images: Some(path.join("dark")),
        ..Files::default()
    });
    let test = DataConfig {
        binarize: Binarize::Threshold(0.0),
        ..test
    };
    let error = Dataset::load(&test).unwrap_err().to_string();
    assert!(error.contains("every pixel of the test images is dark"), "{error}");
    // Probabilities that small may be meant.
    let stochastic = DataConfig {
        binarize: Binarize::Stochastic,
        ..config("sixteenths", 0.5)
    };
    let notes = Dataset::load(&stochastic).unwrap().notes;
    assert!(
        notes.len() == 1 && notes[0].contains("16 of 255") && notes[0].contains("data.threshold=0.031"),
        "{notes:?}"
    );
}

/// What `train` makes of files: their first line, the batch that gives way, paths that stay where they are.
#[test]
fn training_on_files_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let expected = reference(path);
    npz(
        &path.join("digits.npz"),
        &[
            ("images", npy("|u1", "(7, 3, 5)", false, &grey())),
            ("labels", npy("|u1", "(7,)", false, &LABELS)),
        ],
    );
    let arguments = [
        "train",
        "--run",
        "run",
        "--set",
        "data.source=file",
        "--set",
        "data.images=digits.npz",
    ];
    let small = [
        "--set",
        "training.steps=20",
        "--set",
        "model.latent=3",
        "--set",
        "training.chains=11",
    ];
    let (status, _, stderr) = run(program()
        .args(arguments)
        .args(small)
        .args(["--set", "training.batch_size=8"])
        .current_dir(path));
    assert!(
        status == 2 && stderr.contains("training.batch_size is 8; it must be at most the number of training images, 7"),
        "{stderr}"
    );
    let (status, stdout, stderr) = run(program().args(arguments).args(small).current_dir(path));
    assert_eq!((status, stderr.as_str()), (0, ""));
    let lit = 100.0 * expected.train.lit();
    let first = format!("run: 7 training images of 3 x 5 ({lit:.1}% of pixels lit, classes 1 2 3 4 5), 3 latent states, 20 steps");
    assert!(stdout.starts_with(&first), "{stdout:?} should start with {first:?}");
    assert!(
        stdout.contains("training.batch_size is 7, all training images, as there are fewer than 500"),
        "{stdout}"
    );
    let config = std::fs::read_to_string(path.join("run/config.toml")).unwrap();
    let absolute = std::fs::canonicalize(path).unwrap().join("digits.npz");
    assert!(config.contains(&format!("images = {:?}", absolute.to_str().unwrap())), "{config}");
    assert!(
        config.contains("batch_size = 7") && config.contains("source = \"file\""),
        "{config}"
    );
    // From another folder it is the same run.
    let elsewhere = tempfile::tempdir().unwrap();
    let (status, _, stderr) = run(program().arg("analyze").arg(path.join("run")).current_dir(&elsewhere));
    assert_eq!((status, stderr.as_str()), (0, ""));
    std::fs::rename(path.join("digits.npz"), path.join("moved.npz")).unwrap();
    let (status, _, stderr) = run(program().arg("analyze").arg("run").current_dir(path));
    assert_eq!(status, 1);
    assert!(
        stderr.contains("run/config.toml: data.images: ") && stderr.contains("digits.npz: cannot be read"),
        "{stderr}"
    );
}

/// Files with bytes changed, cut out or doubled are refused or read; none brings the program down.
#[test]
fn mutants_of_files_are_refused_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let array = npy("|u1", "(7, 3, 5)", false, &grey());
    npz(
        &path.join("whole.npz"),
        &[("images", array.clone()), ("labels", npy("|u1", "(7,)", false, &LABELS))],
    );
    write_png(&path.join("pngs/a.png"), 0);
    let archive = std::fs::read(path.join("whole.npz")).unwrap();
    let picture = std::fs::read(path.join("pngs/a.png")).unwrap();
    let mut generator = Seed(61).generator(latent_cycles::random::Stream::Parameters, 79, 0);
    let mut draw = |below: usize| (latent_cycles::random::uniform_f64(&mut generator) * below as f64) as usize;
    let mut read = [0; 3];
    for (kind, (whole, file, images)) in [
        (&array, "mutant.npy", "mutant.npy"),
        (&archive, "mutant.npz", "mutant.npz"),
        (&picture, "pngs/a.png", "pngs"),
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..1500 {
            let mut mutant = whole.clone();
            for _ in 0..=draw(3) {
                let place = draw(mutant.len());
                match draw(4) {
                    0 => mutant[place] ^= 1 << draw(8),
                    1 => mutant[place] = draw(256) as u8,
                    2 => drop(mutant.remove(place)),
                    _ => mutant.insert(place, draw(256) as u8),
                }
            }
            std::fs::write(path.join(file), mutant).unwrap();
            let found = load_images(&path.join(images));
            read[kind] += usize::from(found.is_ok());
            if let Err(error) = found {
                assert!(!error.is_empty() && !error.contains('\n'), "{error}");
            }
        }
    }
    // An array has no checksum: what is changed within it is read. In archives and pictures little is left unguarded.
    assert!(read[0] > 100 && read[1] > 0 && read[2] < 500, "{read:?}");
}
