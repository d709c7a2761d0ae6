//! Macrostates of trained machines: intervals against enumeration, partitions in files, and what analysis.json and the page say of them.

use std::path::Path;

use latent_cycles::analysis::{Macrostates, NamedPartition};
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::estimate::{Estimate, Method, Settings};
use latent_cycles::latent::lumped::Partition;
use latent_cycles::random::Seed;
use ndarray::{Array1, Array2};
use ndarray_npy::write_npy;

use crate::analyze::{analysis, in_folder};
use crate::common::random_model;
use crate::known::{self, succeeds};
use crate::pages::{analyzed, page};
use crate::structured::{binary, exact, grid, groups, plainly, random};

/// Macrostates by the remainder of the state's number.
fn by_remainder(states: usize, count: usize) -> NamedPartition {
    NamedPartition {
        partition: Partition::new((0..states).map(|state| state % count).collect()).unwrap(),
        labels: (0..count).map(|number| number.to_string()).collect(),
        source: "remainders".to_owned(),
        agreement: None,
    }
}

fn macrostates(estimate: &Estimate, named: &NamedPartition) -> Macrostates {
    let images = Array2::zeros((estimate.kernel.steady.states(), 1));
    Macrostates::new(estimate, named, &estimate.entropy_production(), &images, &()).unwrap()
}

/// 200 models of several kinds and steepnesses, half by tilts and half by plain means. Each count lies between 180 and 200: of 200 intervals that each
/// hold with probability 0.95, 180 or fewer do once in 500 times.
#[test]
fn intervals_of_macrostates_contain_the_truth() {
    type Quantity = (&'static str, fn(&Macrostates) -> &Figure);
    let figures: [Quantity; 11] = [
        ("entropy production", |found| &found.entropy_production),
        ("share", |found| &found.share),
        ("flux", |found| &found.fluxes[1][2]),
        ("current", |found| &found.currents[0][1]),
        ("residence time", |found| &found.residence_times[2]),
        ("first passage", |found| &found.first_passages[1].steps),
        ("committor", |found| &found.committors[0].before[2]),
        ("transitions", |found| &found.committors[2].transitions),
        ("stays longer than a step", |found| &found.residences[1].survival[0].probability),
        ("stays longer than two steps", |found| {
            let survival = &found.residences[0].survival;
            &survival[1.min(survival.len() - 1)].probability
        }),
        ("nine of ten stays", |found| &found.residences[2].quantiles[3].steps),
    ];
    let (mut inside, mut known) = ([0; 11], [0; 11]);
    for seed in 0..200 {
        let scale = [0.2, 0.5, 1.0, 2.0][seed as usize / 2 % 4];
        let layers = match seed % 5 {
            0 => vec![binary(4)],
            1 => vec![groups(&[2, 3])],
            2 => vec![grid(2, 3)],
            3 => vec![binary(2), binary(3)],
            _ => vec![binary(3)],
        };
        let parameters = random(3000 + seed, 7, layers, scale);
        let truth = exact(&parameters);
        let estimate = if seed % 2 == 0 || seed % 5 == 3 {
            plainly(&parameters, 1280, 32, seed)
        } else {
            let settings = Settings {
                exact: false,
                samples: 640,
                seed: Seed(seed),
            };
            Estimate::with(&parameters, settings, &()).unwrap()
        };
        let named = by_remainder(truth.steady.states(), 3);
        let truth = Estimate {
            kernel: truth,
            without: Vec::new(),
            method: Method::Enumeration,
            ..estimate.clone()
        };
        let (found, whole) = (macrostates(&estimate, &named), estimate.entropy_production());
        let truth = macrostates(&truth, &named);
        for (number, (name, figure)) in figures.into_iter().enumerate() {
            let (figure, expected) = (figure(&found), figure(&truth).value.unwrap());
            let Some((low, high)) = figure.low.zip(figure.high) else {
                // The share of nothing; a passage that takes longer than f64 resolves.
                assert!(name == "share" || figure.value.is_none(), "{name}");
                continue;
            };
            known[number] += 1;
            inside[number] += i32::from(low <= expected + 1e-12 && expected - 1e-12 <= high);
        }
        // The log-sum inequality, for values and for the ends of intervals.
        let ends = |figure: &Figure| [figure.low, figure.value, figure.high].map(Option::unwrap);
        for (part, whole) in ends(&found.entropy_production).into_iter().zip(ends(&whole)) {
            assert!(part <= whole, "{part} of {whole}");
        }
        assert!(found.share.high.is_none_or(|share| share <= 1.0) && found.share.low.is_none_or(|share| share >= 0.0));
    }
    for ((name, _), (inside, known)) in figures.iter().zip(inside.iter().zip(&known)) {
        println!("{name}: {inside} of {known}");
        assert!(
            *known > 120 && f64::from(*inside) >= 0.9 * f64::from(*known),
            "{name}: {inside} of {known}"
        );
    }
    // Intervals that are too wide would never miss. Those of the first two are between bounds, and that of a whole number of steps is wider than it needs to be.
    let misses = |number: usize| known[number] - inside[number];
    assert!((2..10).all(|number| (1..=19).contains(&misses(number))), "{inside:?} of {known:?}");
}

/// Where the kernel is exact, so is everything; single states wait for each other as often as their commute takes: k_ab = 1 / ( m_ab + m_ba ).
#[test]
fn of_an_enumerated_machine_all_is_exact() {
    let parameters = random_model(17, 7, 5, 1.5);
    let estimate = Estimate::of(&parameters).unwrap();
    let found = macrostates(&estimate, &by_remainder(5, 5));
    let value = |figure: &Figure| {
        assert!(figure.low.is_none() && figure.standard_error.is_none());
        figure.value.unwrap()
    };
    assert!((value(&found.entropy_production) - estimate.kernel.steady.entropy_production()).abs() < 1e-12);
    assert!((value(&found.share) - 1.0).abs() < 1e-12);
    let time = |a: usize, b: usize| {
        let passage = found.first_passages.iter().find(|passage| (passage.from, passage.to) == (a, b));
        value(&passage.unwrap().steps)
    };
    assert_eq!((found.first_passages.len(), found.committors.len()), (20, 10));
    for pair in &found.committors {
        let commute = time(pair.from, pair.to) + time(pair.to, pair.from);
        assert!((value(&pair.transitions) * commute - 1.0).abs() < 1e-9);
    }
    // Kac: the mean return to a state takes 1 / pi_a.
    for a in 0..5 {
        let transition = estimate.kernel.steady.transition();
        let back: f64 = (0..5).filter(|&b| b != a).map(|b| transition[[a, b]] * time(b, a)).sum();
        assert!(((1.0 + back) * value(&found.stationary[a]) - 1.0).abs() < 1e-9);
    }
    let cycles: f64 = found.cycles.iter().map(|cycle| cycle.share.unwrap()).sum();
    assert!((cycles - 1.0).abs() < 1e-9);
    let two = macrostates(&estimate, &by_remainder(5, 2));
    assert_eq!((value(&two.entropy_production), value(&two.share), two.cycles.len()), (0.0, 0.0, 0));
}

fn read(folder: &Path, content: &[u8], latent: usize) -> Result<NamedPartition, String> {
    let path = folder.join("labels.txt");
    std::fs::write(&path, content).unwrap();
    NamedPartition::read(&path, latent).map_err(|error| error.to_string())
}

#[test]
fn partitions_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let found = read(folder, b"10\n9\n9\n10\n-1\n", 5).unwrap();
    assert_eq!(
        (found.labels, found.partition.of()),
        (vec!["-1".into(), "9".into(), "10".into()], &[2, 1, 1, 2, 0][..])
    );
    let found = read(folder, "b\r\n a b \r\nb".as_bytes(), 3).unwrap();
    assert_eq!(
        (found.labels, found.partition.of()),
        (vec!["a b".into(), "b".into()], &[1, 0, 1][..])
    );
    for (content, latent, says) in [
        (&b"1\n2\n3\n"[..], 4, "has 3 labels, and the model 4 latent states"),
        (b"", 4, "has 0 labels"),
        (b"1\n\n2\n", 3, "line 2: is empty"),
        (b"1\n1\n1\n", 3, "has 1 different labels; give 2 to 32"),
        (b"1\n\xff\n2\n", 3, "is not text in UTF-8"),
        (&[b'x'; 41], 1, "line 1: the label"),
        (
            (0..33).map(|n| format!("{n}\n")).collect::<String>().as_bytes(),
            33,
            "has 33 different labels",
        ),
    ] {
        let error = read(folder, content, latent).err().unwrap();
        assert!(error.contains("labels.txt") && error.contains(says), "{error}");
    }
    assert!(
        NamedPartition::read(&folder.join("none"), 3)
            .err()
            .unwrap()
            .to_string()
            .contains("cannot be read")
    );

    let path = folder.join("labels.npy");
    let of = |path: &Path| NamedPartition::read(path, 3).map_err(|error| error.to_string());
    write_npy(&path, &Array1::from(vec![-300_i64, 7, -300])).unwrap();
    assert_eq!(of(&path).unwrap().labels, ["-300", "7"]);
    assert_eq!(of(&path).unwrap().partition.of(), [0, 1, 0]);
    write_npy(&path, &Array1::from(vec![255_u8, 7, 7])).unwrap();
    assert_eq!(of(&path).unwrap().labels, ["7", "255"]);
    write_npy(&path, &Array1::from(vec![-1_i32, 7, 7])).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // Cut anywhere, it is refused and nothing worse.
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(of(&path).err().unwrap().contains("is not a .npy file"));
    }
    // A header that promises what the file does not hold.
    let lie = String::from_utf8_lossy(&whole[..128]).replace("(3,)", "(99999999999999999999,)");
    std::fs::write(&path, lie).unwrap();
    assert!(of(&path).is_err());
    write_npy(&path, &Array1::from(vec![1.0, 2.0, 3.0])).unwrap();
    assert!(of(&path).err().unwrap().contains("its numbers are not integers"));
    write_npy(&path, &Array2::<i32>::zeros((3, 2))).unwrap();
    assert!(of(&path).err().unwrap().contains("it has the sizes [3, 2], not one dimension"));
}

/// The known machine: its classes by the judge, then its states in a file; the section of the page, and the program's refusals.
#[test]
fn the_known_machine_has_the_macrostates_of_its_transitions() {
    let folder = analyzed();
    let (t, pi) = (known::transition(), known::stationary(&known::transition()));
    let lumped = |of: &[usize], count: usize| {
        let mut flux = Array2::<f64>::zeros((count, count));
        for ((i, j), p) in t.indexed_iter() {
            flux[[of[i], of[j]]] += pi[i] * p;
        }
        flux
    };
    let compare = |name: &str, of: &[usize], labels: &[&str]| {
        let found = &analysis(&folder.path().join(name))["macrostates"];
        let flux = lumped(of, labels.len());
        assert_eq!(found["labels"], serde_json::json!(labels));
        assert_eq!(found["of_states"], serde_json::json!(of));
        let close = |value: &serde_json::Value, expected: f64| {
            let value = value["value"].as_f64().unwrap();
            assert!(
                (value - expected).abs() < 1e-5 * expected.abs().max(0.1),
                "{value} instead of {expected}"
            );
        };
        let mut produced = 0.0;
        for ((a, b), &f) in flux.indexed_iter() {
            close(&found["fluxes"][a][b], f);
            close(&found["currents"][a][b], f - flux[[b, a]]);
            produced += f * (f / flux[[b, a]]).ln();
        }
        for a in 0..labels.len() {
            let stays = flux[[a, a]] / flux.row(a).sum();
            close(&found["residence_times"][a], 1.0 / (1.0 - stays));
        }
        close(&found["entropy_production"], produced);
        close(&found["share"], produced / known::entropy_production(&t));
    };
    let most = |state: usize| {
        let shares = known::classes_of(state);
        (0..3).max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap()
    };
    let of: Vec<usize> = (0..known::STATES).map(most).collect();
    compare("known", &of, &["4", "8", "9"]);
    let section = page(&folder.path().join("known"));
    for id in ["macrostates", "macro-fluxes", "macro-currents", "macro-passages", "macro-committor"] {
        assert!(!section.by_id(id).text().is_empty());
    }

    std::fs::write(folder.path().join("four.txt"), "low\nhigh\nmid\nlow\nup & out\nmid\nhigh\n").unwrap();
    succeeds(folder.path(), "analyze run --quiet --checkpoint 0 --out four --partition four.txt");
    compare("four", &[1, 0, 2, 1, 3, 2, 0], &["high", "low", "mid", "up & out"]);
    let rows = page(&folder.path().join("four")).by_id("macrostates").all("tr").len();
    assert_eq!(rows, 5);
    std::fs::write(folder.path().join("four.txt"), "1\n2\n").unwrap();
    let (status, _, error) = in_folder(folder.path(), "analyze run --partition four.txt");
    assert_eq!(status, 2);
    assert!(error.contains("four.txt: has 2 labels, and the model 7 latent states"), "{error}");
}
