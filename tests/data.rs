//! Images: the IDX format and its abuses, sources, classes, binarization, minibatches.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use latent_cycles::config::{Binarize, Classes, DataConfig, Files, Source};
use latent_cycles::data::Dataset;
use latent_cycles::data::batches::Batches;
use latent_cycles::data::formats::idx::{self, Idx};
use latent_cycles::data::packed::PackedImages;
use latent_cycles::ops::DeviceImages;
use latent_cycles::ops::cpu::NdArrayBackend;
use latent_cycles::random::Seed;

/// An IDX file of unsigned bytes.
pub fn idx_bytes(sizes: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(content);
    bytes
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// All images of some files.
pub fn of_files(files: Files) -> DataConfig {
    DataConfig {
        source: Source::File(files),
        classes: Classes::All,
        ..DataConfig::default()
    }
}

/// All images of a file without labels.
fn of_images(path: &Path) -> DataConfig {
    of_files(Files {
        images: path.to_owned(),
        ..Files::default()
    })
}

/// Images of 3 x 2 pixels with labels, as files.
fn write_small(folder: &Path) -> DataConfig {
    let grey: Vec<u8> = (0..5 * 6).map(|n| (n * 37 % 256) as u8).collect();
    std::fs::write(folder.join("images"), idx_bytes(&[5, 3, 2], &grey)).unwrap();
    std::fs::write(folder.join("labels.gz"), gzip(&idx_bytes(&[5], &[7, 3, 7, 9, 3]))).unwrap();
    of_files(Files {
        images: folder.join("images"),
        labels: Some(folder.join("labels.gz")),
        ..Files::default()
    })
}

#[test]
fn idx_is_read_plain_and_gzipped_with_two_or_three_sizes() {
    let content: Vec<u8> = (0..30).collect();
    for sizes in [vec![5, 3, 2], vec![5, 6]] {
        let bytes = idx_bytes(&sizes, &content);
        let expected = Idx {
            sizes: sizes.iter().map(|&size| size as usize).collect(),
            bytes: content.clone(),
        };
        assert_eq!(idx::parse(&bytes[..], &[2, 3], usize::MAX), Ok(expected.clone()));
        assert_eq!(idx::parse(&gzip(&bytes)[..], &[2, 3], usize::MAX), Ok(expected));
    }
}

#[test]
fn idx_that_lies_is_refused_in_words() {
    let good = idx_bytes(&[5, 3, 2], &[1; 30]);
    let mut floats = good.clone();
    floats[2] = 0x0d;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "its first bytes"),
        (vec![0, 0, 8], "magic number"),
        (b"PNG image".to_vec(), "IDX magic number"),
        (floats, "type 0x0d"),
        (idx_bytes(&[5], &[1; 5]), "1 dimensions where 3 are needed"),
        (good[..11].to_vec(), "before the sizes"),
        (good[..40].to_vec(), "truncated"),
        ([good.clone(), vec![1]].concat(), "goes on after"),
        (idx_bytes(&[0, 3, 2], &[]), "hold nothing"),
        (idx_bytes(&[u32::MAX, u32::MAX, u32::MAX], &[1; 30]), "more than"),
        (idx_bytes(&[1 << 30, 28, 28], &[1; 30]), "more than"),
        // Two GiB claimed, thirty bytes there: the claim takes no memory.
        (idx_bytes(&[1 << 21, 32, 32], &[1; 30]), "truncated"),
        (gzip(&good)[..20].to_vec(), "corrupt"),
        // A gzip bomb: 64 MiB of zeros behind a header that promises 30 bytes.
        (gzip(&[idx_bytes(&[5, 3, 2], &[]), vec![0; 1 << 26]].concat()), "goes on after"),
    ];
    for (bytes, expected) in cases {
        let problem = idx::parse(&bytes[..], &[3], usize::MAX).unwrap_err();
        assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
        let mut flipped = gzip(&good);
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        assert!(idx::parse(&flipped[..], &[3], usize::MAX).is_err(), "gzip's own checksum");
    }
}

#[test]
fn of_an_idx_file_the_first_items_are_kept_and_all_are_checked() {
    let content: Vec<u8> = (0..30).collect();
    let bytes = idx_bytes(&[5, 3, 2], &content);
    for most in 0..7 {
        let kept = idx::parse(&gzip(&bytes)[..], &[3], most).unwrap();
        assert_eq!((kept.sizes, &kept.bytes[..]), (vec![5, 3, 2], &content[..6 * most.min(5)]));
    }
    let problem = |bytes: &[u8]| idx::parse(bytes, &[3], 2).unwrap_err();
    assert!(problem(&bytes[..40]).contains("need 30 bytes and 24 are there"));
    assert!(problem(&[&bytes[..], &[1]].concat()).contains("goes on after"));
    assert!(problem(&gzip(&bytes)[..25]).contains("corrupt"));
    // A large file takes no more memory than its content.
    let large = idx_bytes(&[3, 1 << 10, 1234], &vec![7; 3 * 1234 * 1024]);
    let large = idx::parse(&large[..], &[3], usize::MAX).unwrap();
    assert!(large.bytes.capacity() < large.bytes.len() + (1 << 16), "{}", large.bytes.capacity());
    // Without a choice of classes, and with a limit, the rest of a file takes no memory; it is the same data.
    let folder = tempfile::tempdir().unwrap();
    let all = write_small(folder.path());
    for (max_images, classes) in [(3, Classes::All), (4, Classes::Some(vec![3, 7, 9]))] {
        let limited = DataConfig {
            max_images: Some(max_images),
            classes,
            ..all.clone()
        };
        let data = Dataset::load(&limited).unwrap();
        assert_eq!(data.train.labels(), Some(&[1, 0, 1, 2, 0][..max_images]));
        let images = Dataset::load(&all).unwrap().train.evaluation_images(Seed(1), 0);
        let first: Vec<usize> = (0..max_images).collect();
        assert_eq!(data.train.evaluation_images(Seed(1), 0), images.select(&first));
    }
}

#[test]
fn no_images_are_no_images() {
    for pixels in [0, 5, 32, 33] {
        let none = PackedImages::pack(&ndarray::Array2::zeros((0, pixels)));
        assert_eq!((none.len(), none.is_empty(), none.pixels()), (0, true, pixels));
        assert_eq!(none.unpack().dim(), (0, pixels));
    }
    let none = PackedImages::pack(&ndarray::Array2::zeros((0, 5)));
    let device = DeviceImages::<NdArrayBackend>::new(&none, &Default::default());
    assert_eq!((device.len(), device.is_empty(), device.to_host()), (0, true, none));
}

#[test]
fn the_bundled_images_are_the_first_of_mnist() {
    let data = Dataset::load(&DataConfig::default()).unwrap();
    assert_eq!((data.rows, data.columns, data.visible()), (28, 28, 784));
    assert_eq!(data.classes, [0, 1, 2]);
    // The count of zeros, ones and twos among the first 10,000, as published with the reference run.
    assert_eq!(data.train.len(), 3119);
    let all = Dataset::load(&DataConfig {
        classes: Classes::All,
        ..DataConfig::default()
    })
    .unwrap();
    assert_eq!((all.train.len(), all.test.as_ref().unwrap().len()), (10_000, 2_000));
    assert_eq!(all.classes, (0..10).collect::<Vec<u8>>());
    // The first training image is a 5.
    assert_eq!(all.train.labels().unwrap()[..5], [5, 0, 4, 1, 9]);
}

#[test]
fn classes_and_limits_select_images() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_small(folder.path());
    let all = Dataset::load(&config).unwrap();
    assert_eq!((all.train.len(), all.classes.clone()), (5, vec![3, 7, 9]));
    assert_eq!(all.train.labels(), Some(&[1, 0, 1, 2, 0][..]));
    assert!(all.test.is_none());
    let two = Dataset::load(&DataConfig {
        classes: Classes::Some(vec![7, 3]),
        max_images: Some(3),
        ..config.clone()
    })
    .unwrap();
    assert_eq!(two.train.labels(), Some(&[1, 0, 1][..]), "the first three with one of these labels");
    assert_ne!(two.checksum(), all.checksum());
    let bare = of_images(&folder.path().join("images"));
    let unlabelled = Dataset::load(&bare).unwrap();
    assert_eq!((unlabelled.train.len(), unlabelled.train.labels()), (5, None));
    for (config, wrong, words) in [
        (config, 1, "among the labels of the training images, [3, 7, 9]"),
        (bare, 3, "no labels to choose by"),
    ] {
        let error = Dataset::load(&DataConfig {
            classes: Classes::Some(vec![wrong]),
            ..config
        });
        assert!(error.unwrap_err().to_string().contains(words));
    }
}

#[test]
fn a_threshold_lights_what_is_above_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("images"), idx_bytes(&[1, 1, 5], &[0, 1, 127, 128, 255])).unwrap();
    for (threshold, expected) in [(0.5, [0, 0, 0, 1, 1]), (0.0, [0, 1, 1, 1, 1]), (0.999, [0, 0, 0, 0, 1])] {
        let data = Dataset::load(&DataConfig {
            binarize: Binarize::Threshold(threshold),
            ..of_images(&folder.path().join("images"))
        })
        .unwrap();
        let binary = data.train.evaluation_images(Seed(1), 0);
        assert_eq!(binary.unpack().as_slice().unwrap(), expected, "{threshold}");
        let mean: Vec<f64> = expected.iter().map(|&lit| f64::from(lit)).collect();
        assert_eq!(data.train.mean(), mean);
    }
}

#[test]
fn every_epoch_shows_every_image_once_in_an_order_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    // Image n is n in binary, so that an image tells its index.
    let grey: Vec<u8> = (0..23_u8).flat_map(|n| (0..5).map(move |bit| 255 * (n >> bit & 1))).collect();
    std::fs::write(folder.path().join("images"), idx_bytes(&[23, 5], &grey)).unwrap();
    let data = Dataset::load(&of_images(&folder.path().join("images"))).unwrap();
    let index = |images: &PackedImages| -> Vec<usize> {
        images
            .unpack()
            .rows()
            .into_iter()
            .map(|row| row.iter().enumerate().map(|(bit, &lit)| usize::from(lit) << bit).sum())
            .collect()
    };
    let mut batches = Batches::new(&data.train, 7, Seed(3));
    let seen: Vec<usize> = (0..23).flat_map(|step| index(&batches.at(step))).collect();
    let epochs: Vec<Vec<usize>> = seen.chunks(23).map(<[usize]>::to_vec).collect();
    for epoch in &epochs {
        let mut sorted = epoch.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..23).collect::<Vec<_>>());
    }
    assert!(epochs.windows(2).all(|pair| pair[0] != pair[1]));
    // A batch depends on the step alone, not on the batches before it.
    for step in [17, 3, 0, 22] {
        assert_eq!(
            index(&Batches::new(&data.train, 7, Seed(3)).at(step)),
            seen[step as usize * 7..][..7]
        );
    }
}

#[test]
fn stochastic_pixels_are_drawn_anew_each_epoch_with_the_grey_value_as_probability() {
    let folder = tempfile::tempdir().unwrap();
    let grey = [0, 13, 64, 128, 200, 255, 31];
    std::fs::write(folder.path().join("images"), idx_bytes(&[1, 7], &grey)).unwrap();
    let data = Dataset::load(&DataConfig {
        binarize: Binarize::Stochastic,
        ..of_images(&folder.path().join("images"))
    })
    .unwrap();
    let epochs = 10_007;
    let mut batches = Batches::new(&data.train, 1, Seed(4));
    let mut lit = [0.0; 7];
    for epoch in 0..epochs {
        batches
            .at(epoch)
            .unpack()
            .iter()
            .zip(&mut lit)
            .for_each(|(&pixel, lit)| *lit += f64::from(pixel));
    }
    for (lit, grey) in lit.iter().zip(grey) {
        let probability = f64::from(grey) / 255.0;
        // 5 standard deviations: passed by chance once in 2 million.
        let spread = (probability * (1.0 - probability) * epochs as f64).sqrt();
        assert!((lit - probability * epochs as f64).abs() <= 5.0 * spread, "{grey}: {lit}");
    }
    assert_eq!(data.train.evaluation_images(Seed(4), 0), data.train.evaluation_images(Seed(4), 0));
}
