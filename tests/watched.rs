//! What an analysis tells whoever watches it: the kinds of work with their parts; and that it stops between any two of them.

use std::sync::Mutex;

use latent_cycles::analysis::{AnalysisError, NamedPartition, Settings, Subject, analyze};
use latent_cycles::backend::BackendName;
use latent_cycles::codes::{Layer, Layers};
use latent_cycles::latent::lumped::Partition;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use latent_cycles::watch::Watch;

use crate::layered::random_layers;

/// Notes what begins and how many parts of it are done, and stops the work where one of a name begins.
struct Noting {
    stop_at: Option<&'static str>,
    noted: Mutex<Vec<(&'static str, usize, usize)>>,
}

impl Watch for Noting {
    fn begins(&self, work: &'static str, parts: usize) {
        self.noted.lock().unwrap().push((work, parts, 0));
    }

    fn part_done(&self) {
        self.noted.lock().unwrap().last_mut().unwrap().2 += 1;
    }

    fn is_stopped(&self) -> bool {
        let noted = self.noted.lock().unwrap();
        noted.last().is_some_and(|(work, ..)| Some(*work) == self.stop_at)
    }
}

/// The kinds of work with their parts, those announced and those done.
fn noted(parameters: &Parameters, exact: bool, stop_at: Option<&'static str>) -> (bool, Vec<(&'static str, usize, usize)>) {
    let states = parameters.latent();
    let partition = NamedPartition {
        partition: Partition::new((0..states).map(|state| state % 3).collect()).unwrap(),
        labels: ["a", "b", "c"].map(str::to_owned).to_vec(),
        source: "remainders".to_owned(),
        agreement: None,
    };
    let subject = Subject {
        parameters,
        step: None,
        data: None,
        classes: &[],
        partition: Some(&partition),
    };
    let settings = Settings {
        exact,
        samples: 320,
        seed: Seed(3),
    };
    let watch = Noting {
        stop_at,
        noted: Mutex::new(Vec::new()),
    };
    let numerics = BackendName::Ndarray.open().unwrap();
    let found = analyze(&subject, settings, &*numerics, &watch);
    if let Err(error) = &found {
        assert!(matches!(error, AnalysisError::Stopped(_)), "{error}");
    }
    (found.is_ok(), watch.noted.into_inner().unwrap())
}

#[test]
fn all_work_is_announced_and_can_be_stopped_where_it_begins() {
    let layers = |layers: Vec<Layer>| Layers::new(layers).unwrap();
    let grid = Layer::Grid {
        dimensions: 2,
        points: 4,
        range: 2.0,
    };
    let binary = Layer::Binary { units: 3 };
    let kinds = [
        Layers::one_hot(5),
        layers(vec![binary.clone()]),
        layers(vec![binary, Layer::Groups { sizes: vec![2, 3] }]),
        layers(vec![grid]),
    ];
    for (kind, exact) in [(0, true), (0, false), (1, true), (1, false), (2, false), (3, true), (3, false)] {
        let parameters = random_layers(40 + kind as u64, 7, &kinds[kind], 0.7);
        let (_, all) = noted(&parameters, exact, None);
        let names: Vec<&str> = all.iter().map(|(work, ..)| *work).collect();
        let expected = [
            "draws",
            "classes",
            "log-likelihood",
            "plane",
            "spectrum",
            "autocorrelation times",
            "units",
            "cycles",
            "macrostates",
            "laws",
            "tables",
        ];
        let has = |name: &str| match name {
            "plane" => kind == 3,
            "units" => kind > 0,
            _ => true,
        };
        assert_eq!(names, expected.into_iter().filter(|name| has(name)).collect::<Vec<_>>());
        for &(work, parts, done) in &all {
            // Those that cannot be counted are one part each, which ends with them.
            let counted = ["draws", "plane", "autocorrelation times", "units", "macrostates", "laws"].contains(&work);
            assert_eq!(done, if counted { parts } else { 0 }, "{work} of {}", kinds[kind]);
            assert!(counted || parts == 1);
        }
        for (place, &name) in names.iter().enumerate() {
            let (finished, until) = noted(&parameters, exact, Some(name));
            assert!(!finished && until.len() == place + 1, "{name} of {}: {until:?}", kinds[kind]);
        }
    }
}
