//! A training session in a program of one's own: what the command `train` does, without its command line.

use std::sync::atomic::{AtomicBool, Ordering};

use latent_cycles::backend::BackendName;
use latent_cycles::training::metrics::Metrics;
use latent_cycles::training::session::{Asked, Place, Resumed, Session};
use latent_cycles::training::{Observer, Outcome};

use crate::command::{SMALL, run};
use crate::common::{configured, program};

/// Asks to stop at a step, and keeps what it is told.
struct Watch<'a> {
    stop: &'a AtomicBool,
    stop_at: u64,
    pseudo_counts: Vec<f64>,
    steps: Vec<u64>,
    evaluated: Vec<u64>,
}

impl Observer for Watch<'_> {
    fn pseudo_count(&mut self, pseudo_count: f64) {
        self.pseudo_counts.push(pseudo_count);
    }

    fn stepped(&mut self, step: u64) {
        self.steps.push(step);
        self.stop.store(step == self.stop_at, Ordering::Relaxed);
    }

    fn evaluated(&mut self, metrics: &Metrics) {
        self.evaluated.push(metrics.step);
    }
}

/// Begun, stopped, found again and trained to its end: the model of the command. A mixture chooses its start and its pseudo-count before.
#[test]
fn a_session_is_the_run_of_the_command() {
    for more in [
        &["training.steps=20"][..],
        &["training.steps=20", "model.kind=mixture", "training.em.restarts=2"],
    ] {
        let unused = ["training.batch_size", "training.chains"];
        let of_machine = |setting: &&str| more.len() == 1 || !unused.iter().any(|key| setting.starts_with(key));
        let settings: Vec<&str> = SMALL
            .iter()
            .copied()
            .filter(|&word| word != "--set")
            .chain(more.iter().copied())
            .filter(of_machine)
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        let place = Place {
            folder: Some(&path),
            base: "",
        };
        let stop = AtomicBool::new(false);
        let mut watch = Watch {
            stop: &stop,
            stop_at: 7,
            pseudo_counts: Vec::new(),
            steps: Vec::new(),
            evaluated: Vec::new(),
        };
        let session = Session::begin(configured(&settings), BackendName::Ndarray, place).unwrap();
        assert_eq!((session.step(), session.folder()), (0, path.as_path()));
        assert_eq!(session.train(&mut watch, &stop).unwrap(), Outcome::Interrupted(7));
        stop.store(false, Ordering::Relaxed);
        let Resumed::Session(session) = Session::resume(&path, Asked::default()).unwrap() else {
            panic!("it is not finished")
        };
        assert_eq!(session.step(), 7);
        assert_eq!(session.train(&mut watch, &stop).unwrap(), Outcome::Finished);
        assert_eq!(watch.steps, (1..=20).collect::<Vec<_>>());
        assert_eq!(watch.evaluated, [0, 20]);
        match watch.pseudo_counts[..] {
            [] => assert_eq!(more.len(), 1),
            [first, second] => assert!(first == second && more.len() > 1),
            _ => panic!("{:?}", watch.pseudo_counts),
        }
        assert!(matches!(
            Session::resume(&path, Asked::default()).unwrap(),
            Resumed::Finished { steps: 20, .. }
        ));

        let arguments = settings.iter().flat_map(|&setting| ["--set", setting]);
        let (status, _, stderr) = run(program()
            .args(["train", "--quiet", "--run", "command"])
            .args(arguments)
            .current_dir(&folder));
        assert_eq!((status, stderr.as_str()), (0, ""));
        for name in ["model.mpk", "checkpoints/step-0000020.mpk", "config.toml", "samples.png"] {
            let bytes = |run: &str| std::fs::read(folder.path().join(run).join(name)).unwrap();
            assert!(bytes("session") == bytes("command"), "{more:?}: {name}");
        }
    }
}
