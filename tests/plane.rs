//! Chains on points of a line or a plane: drift, diffusion, current, vortices, and what an analysis says of them.

use latent_cycles::analysis::Plane;
use latent_cycles::codes::{Layer, Layers};
use latent_cycles::conditionals::Conditionals;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::estimate::{Estimate, Settings};
use latent_cycles::evaluation::Reference;
use latent_cycles::latent::SteadyState;
use latent_cycles::latent::plane::{Field, Flow, extrema, points};
use latent_cycles::model::Parameters;
use latent_cycles::random::{Seed, Stream, uniform_f64};
use ndarray::{Array1, Array2, Axis};
use ndarray_npy::NpzReader;

use crate::analyze::analysis;
use crate::command::SMALL;
use crate::common::random_images;
use crate::known::succeeds;
use crate::layered::{Layered, log_softmax, random_layers};

fn axis(points: usize, range: f64) -> Vec<f64> {
    (0..points).map(|n| -range + 2.0 * range * n as f64 / (points - 1) as f64).collect()
}

/// Steps normal around a mean that depends on the point, with standard deviation 0.7.
fn stepping(axes: &[Vec<f64>], mean: impl Fn([f64; 2]) -> [f64; 2]) -> SteadyState {
    let z = points(axes);
    let logits = Array2::from_shape_fn((z.nrows(), z.nrows()), |(from, to)| {
        let m = mean([z[[from, 0]], z[[from, 1]]]);
        -((z[[to, 0]] - m[0]).powi(2) + (z[[to, 1]] - m[1]).powi(2)) / (2.0 * 0.49)
    });
    SteadyState::from_logs(log_softmax(logits)).unwrap()
}

/// A chain that turns around (0.4, -0.3) and is drawn to it.
fn ring(axes: &[Vec<f64>], turn: f64) -> SteadyState {
    stepping(axes, |[x, y]| {
        let (x, y) = (x - 0.4, y + 0.3);
        [0.4 + 0.8 * x - turn * y, -0.3 + 0.8 * y + turn * x]
    })
}

fn random_chain(seed: u64, states: usize) -> SteadyState {
    let mut generator = Seed(seed).generator(Stream::Parameters, 91, 0);
    SteadyState::from_logs(log_softmax(Array2::from_shape_simple_fn((states, states), || {
        4.0 * uniform_f64(&mut generator)
    })))
    .unwrap()
}

fn flow(steady: &SteadyState, axes: &[Vec<f64>]) -> Flow {
    Field::of(steady, axes).flow.unwrap()
}

#[test]
fn a_chain_that_turns_has_one_vortex_of_its_sense_where_it_turns() {
    let axes = [axis(13, 3.0), axis(11, 2.5)];
    for (turn, is_counterclockwise) in [(0.3, true), (-0.3, false)] {
        let steady = ring(&axes, turn);
        let stream = flow(&steady, &axes).stream();
        let all: Vec<_> = extrema(&stream).into_iter().filter(|found| found.current(&stream) > 1e-3).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].is_maximum, is_counterclockwise);
        let [i, j] = all[0].centre(&stream);
        let (x, y) = (-3.0 + (i - 0.5) * 0.5, -2.5 + (j - 0.5) * 0.5);
        assert!((x - 0.4).abs() < 0.1 && (y + 0.3).abs() < 0.1, "({x}, {y})");
        // The curl at the centre has the sign of the turn.
        let curl = flow(&steady, &axes).curl();
        let (i, j) = all[0].cell;
        assert_eq!(curl[[i - 1, j - 1]] > 0.0, is_counterclockwise);
    }
}

#[test]
fn backward_in_time_the_current_is_the_opposite() {
    let axes = [axis(7, 2.0), axis(5, 1.0)];
    let steady = ring(&axes, 0.4);
    let (pi, transition) = (steady.pi(), steady.transition());
    let reversed = Array2::from_shape_fn(transition.dim(), |(j, k)| pi[k] * transition[[k, j]] / pi[j]);
    let [there, back] = [steady, SteadyState::new(&reversed).unwrap()].map(|steady| flow(&steady, &axes).stream());
    assert!(there.iter().any(|psi| psi.abs() > 1e-2));
    assert!((&there + &back).iter().all(|sum| sum.abs() < 1e-14));
}

#[test]
fn a_reversible_chain_has_no_vortex() {
    let axes = [axis(7, 2.0), axis(5, 1.0)];
    let steady = random_chain(3, 35);
    let log_flux = Array2::from_shape_fn((35, 35), |(i, j)| (steady.flux()[[i, j]] + steady.flux()[[j, i]]).ln());
    let stream = flow(&SteadyState::of_fluxes(log_flux), &axes).stream();
    assert!(stream.iter().all(|psi| psi.abs() < 1e-15), "{stream}");
    let driven = flow(&steady, &axes).stream();
    assert!(driven.iter().any(|psi| psi.abs() > 1e-3), "{driven}");
}

/// psi is integrated along one axis; that it gives the current along the other is Kirchhoff's law.
#[test]
fn the_current_of_a_steady_state_has_no_sources_and_follows_the_stream_function() {
    for seed in 0..5 {
        let axes = [axis(7, 2.0), axis(5, 1.0)];
        let flow = flow(&random_chain(seed, 35), &axes);
        assert!(flow.first.iter().any(|current| current.abs() > 1e-3));
        assert!(flow.divergence().iter().all(|out| out.abs() < 1e-15), "{}", flow.divergence());
        let stream = flow.stream();
        for ((i, j), current) in flow.first.indexed_iter() {
            assert!((current - (stream[[i + 1, j + 1]] - stream[[i + 1, j]])).abs() < 1e-15);
        }
        for ((i, j), current) in flow.second.indexed_iter() {
            assert!((current - (stream[[i, j + 1]] - stream[[i + 1, j + 1]])).abs() < 1e-15);
        }
        let curl = flow.curl();
        for ((i, j), curl) in curl.indexed_iter() {
            let around = stream[[i, j + 1]] + stream[[i + 2, j + 1]] + stream[[i + 1, j]] + stream[[i + 1, j + 2]];
            assert!((curl - (4.0 * stream[[i + 1, j + 1]] - around)).abs() < 1e-14);
        }
    }
}

/// Of one net current alone: what leaves its start enters its end, along edges next to the straight line between them.
#[test]
fn a_jump_runs_along_its_line() {
    let (rows, columns) = (7, 5);
    let currents = |from: usize, to: usize| {
        let mut currents = Array2::zeros((35, 35));
        (currents[[from, to]], currents[[to, from]]) = (1.0, -1.0);
        currents
    };
    let place = |state: usize| ((state / columns) as f64, (state % columns) as f64);
    for from in 0..35 {
        for to in (0..35).filter(|to| *to != from) {
            let flow = Flow::of(&currents(from, to), (rows, columns));
            let mut out = flow.divergence();
            out[[from / columns, from % columns]] -= 1.0;
            out[[to / columns, to % columns]] += 1.0;
            assert!(out.iter().all(|out| out.abs() < 1e-15), "{from} {to}: {out}");
            let ((x0, y0), (x1, y1)) = (place(from), place(to));
            let length = (x1 - x0).hypot(y1 - y0);
            let distance = |x: f64, y: f64| ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)).abs() / length;
            assert_eq!((flow.first.sum(), flow.second.sum()), (x1 - x0, y1 - y0));
            let first = flow
                .first
                .indexed_iter()
                .map(|((i, j), current)| (*current, i as f64 + 0.5, j as f64));
            let second = flow
                .second
                .indexed_iter()
                .map(|((i, j), current)| (*current, i as f64, j as f64 + 0.5));
            for (_, x, y) in first.chain(second).filter(|(current, ..)| *current != 0.0) {
                assert!(distance(x, y) < 0.5, "{from} {to}: ({x}, {y}) is {} away", distance(x, y));
            }
        }
    }
}

#[test]
fn drift_and_diffusion_are_moments_of_the_step() {
    for axes in [vec![axis(5, 2.0), axis(3, 1.0)], vec![axis(7, 3.0)]] {
        let z = points(&axes);
        let steady = random_chain(11, z.nrows());
        let Field { drift, diffusion, flow } = Field::of(&steady, &axes);
        assert_eq!(flow.is_some(), axes.len() == 2);
        let transition = steady.transition();
        for (state, row) in transition.rows().into_iter().enumerate() {
            let step = |to: usize, h: usize| z[[to, h]] - z[[state, h]];
            for g in 0..axes.len() {
                let mean: f64 = row.iter().enumerate().map(|(to, p)| p * step(to, g)).sum();
                assert!((drift[[state, g]] - mean).abs() < 1e-14);
                for h in 0..axes.len() {
                    let other: f64 = row.iter().enumerate().map(|(to, p)| p * step(to, h)).sum();
                    let product: f64 = row
                        .iter()
                        .enumerate()
                        .map(|(to, p)| p * (step(to, g) - mean) * (step(to, h) - other))
                        .sum();
                    assert!((diffusion[[state, g * axes.len() + h]] - 0.5 * product).abs() < 1e-14);
                }
            }
        }
    }
}

/// Two hills of heights 5 and 3 with a pass at 2, and a hollow of depth 4 in a plain of depth 1 that ends at the rim.
#[test]
fn extrema_stand_out_from_their_saddles() {
    let mut heights = Array2::zeros((13, 11));
    heights.slice_mut(ndarray::s![1..5, 1..10]).fill(2.0);
    (heights[[2, 2]], heights[[3, 7]]) = (5.0, 3.0);
    heights.slice_mut(ndarray::s![7..12, 1..10]).fill(-1.0);
    heights[[9, 5]] = -4.0;
    let found = extrema(&heights);
    let told: Vec<_> = found
        .iter()
        .map(|found| (found.cell, found.is_maximum, found.current(&heights)))
        .filter(|(.., current)| *current > 0.0)
        .collect();
    assert_eq!(told, [((2, 2), true, 5.0), ((9, 5), false, 4.0), ((3, 7), true, 1.0)]);
}

fn grid(dimensions: usize, points: usize, range: f64) -> Layers {
    Layers::new(vec![Layer::Grid { dimensions, points, range }]).unwrap()
}

fn plane(parameters: &Parameters, settings: Settings, data: Option<&Reference>) -> Plane {
    let estimate = Estimate::with(parameters, settings, &()).unwrap();
    let model = Conditionals::new(parameters);
    Plane::of(parameters, &model, &estimate, data, &()).unwrap().unwrap()
}

/// Over 60 models with seeds 1 to 60: intervals of the drift, the diffusion, the outermost points and the strongest vortex contain what enumeration gives.
#[test]
fn intervals_from_draws_contain_the_truth() {
    let (mut held, mut all) = (0, 0);
    let (mut vortices, mut vortices_held) = (0, 0);
    for seed in 1..=60 {
        let parameters = random_layers(seed, 7, &grid(2, 6, 2.5), 1.5);
        let exact = Settings {
            exact: true,
            ..Settings::of(&parameters)
        };
        let truth = plane(&parameters, exact, None);
        let drawn = Settings {
            exact: false,
            samples: 1600,
            seed: Seed(seed),
        };
        let found = plane(&parameters, drawn, None);
        let holds = |truth: &Figure, found: &Figure| {
            let (truth, low, high) = (truth.value.unwrap(), found.low.unwrap(), found.high.unwrap());
            assert!(low < high);
            u32::from(low <= truth && truth <= high)
        };
        held += holds(&truth.drift, &found.drift) + holds(&truth.diffusion, &found.diffusion) + holds(&truth.edge.share, &found.edge.share);
        all += 3;
        assert!(found.largest_divergence < 1e-14 && truth.unresolved == 0);
        let Some(strongest) = found.vortices.first() else { continue };
        let same = truth.vortices.iter().find(|other| {
            let apart = |h: usize| (other.centre[h].value.unwrap() - strongest.centre[h].value.unwrap()).abs();
            other.is_counterclockwise == strongest.is_counterclockwise && apart(0) < 1.5 && apart(1) < 1.5
        });
        vortices += 1;
        vortices_held += same.map_or(0, |same| holds(&same.current, &strongest.current));
    }
    let share = |held: u32, all: u32| f64::from(held) / f64::from(all);
    // 95% of 180, less four standard errors; of the vortices less, since draws may place the saddle that ends one elsewhere.
    assert!(share(held, all) > 0.885, "{held} of {all}");
    assert!(
        vortices > 20 && share(vortices_held, vortices) > 0.75,
        "{vortices_held} of {vortices} vortices"
    );
}

#[test]
fn draws_of_a_reversible_model_show_no_vortex() {
    for seed in 1..=10 {
        let mut parameters = random_layers(seed, 7, &grid(2, 6, 2.5), 1.0);
        parameters.forward = parameters.backward.t().to_owned();
        // Not to the last bit, so that nothing is known beforehand.
        parameters.forward[[0, 0]] += 1e-4;
        let drawn = Settings {
            exact: false,
            samples: 320,
            seed: Seed(seed),
        };
        let found = plane(&parameters, drawn, None);
        assert!(found.vortices.is_empty() && found.unresolved > 0, "{seed}: {:?}", found.vortices);
    }
}

#[test]
fn what_piles_up_at_the_edge_is_reported() {
    for dimensions in [1, 2] {
        let mut parameters = random_layers(5, 7, &grid(dimensions, 9, 3.5), 0.1);
        let settings = Settings {
            exact: true,
            ..Settings::of(&parameters)
        };
        let calm = plane(&parameters, settings, None).edge;
        assert!(!calm.is_piled, "{calm:?}");
        // By hand: as much on each outermost point as on those next to them.
        let pi = Estimate::with(&parameters, settings, &()).unwrap().kernel.steady.pi();
        let depth = |state: usize| match dimensions {
            1 => state.min(8 - state),
            _ => [state / 9, 8 - state / 9, state % 9, 8 - state % 9].into_iter().min().unwrap(),
        };
        let [(outermost, edge), (next, inside)] = [0, 1].map(|ring: usize| {
            let there = (0..pi.len()).filter(|&state| depth(state) == ring);
            (there.clone().count() as f64, there.map(|state| pi[state]).sum::<f64>())
        });
        assert!((calm.decaying - inside / next * outermost).abs() < 1e-12 && (calm.share.value.unwrap() - edge).abs() < 1e-12);
        let share = calm.share.value.unwrap();
        assert!(share > 0.0 && share < 0.3 * calm.decaying, "{calm:?}");
        parameters.forward.fill(0.0);
        parameters.forward_bias.fill(4.0);
        let piled = plane(&parameters, settings, None).edge;
        assert!(piled.is_piled && piled.share.value.unwrap() > 0.3, "{piled:?}");
        assert!(
            piled
                .to_string()
                .contains("piles up at the edge. A wider model.latent.range need not help"),
            "{piled}"
        );
        assert!(!calm.to_string().contains("piles"), "{calm}");
    }
}

#[test]
fn data_stand_at_their_posterior_means() {
    let layers = grid(2, 5, 2.0);
    let parameters = random_layers(7, 11, &layers, 0.8);
    let images = random_images(3, 23, 11);
    let data = Reference {
        train: PackedImages::pack(&images),
        train_classes: Some((0..23).map(|image| image % 3).collect()),
        test: None,
        judge: None,
    };
    let settings = Settings {
        exact: true,
        ..Settings::of(&parameters)
    };
    let found = plane(&parameters, settings, Some(&data));
    let plain = Layered::new(&parameters);
    let log_pi = Estimate::of(&parameters).unwrap().kernel.steady.log_pi().clone();
    let posterior = log_softmax(plain.log_q(&images.mapv(f64::from)) + log_pi).mapv(f64::exp);
    let means: Array2<f64> = posterior.dot(&plain.codes[0].0);
    assert_eq!(found.data.len(), 23);
    for (n, (placed, mean)) in found.data.iter().zip(means.axis_iter(Axis(0))).enumerate() {
        assert_eq!(placed.class, Some(n % 3));
        assert!((&placed.at - &mean).iter().all(|difference| difference.abs() < 1e-12));
    }
}

/// From a training run to the files: a plane, a line, and no plane.
#[test]
fn analyze_writes_the_plane() {
    let folder = tempfile::tempdir().unwrap();
    for (name, latent, shown) in [
        (
            "plane",
            "{kind=\"grid\",dimensions=2,points=7,range=3.0}",
            vec!["plane-field", "plane-motion"],
        ),
        (
            "line",
            "{kind=\"grid\",dimensions=1,points=7,range=3.0}",
            vec!["plane-pi", "plane-drift", "plane-diffusion", "plane-images"],
        ),
        ("bits", "{kind=\"binary\",units=3}", vec![]),
    ] {
        let small = SMALL.join(" ");
        succeeds(
            folder.path(),
            &format!("train --quiet --run {name} {small} --set training.steps=20 --set model.latent={latent}"),
        );
        let said = succeeds(folder.path(), &format!("analyze {name} --samples 320"));
        let out = folder.path().join(name).join("analysis");
        assert_eq!(said.contains("plane: "), name == "plane", "{said}");
        assert_eq!(said.contains("outermost points"), name != "bits", "{said}");
        assert_eq!(out.join("plane.svg").exists(), name == "plane");
        assert_eq!(said.contains("plane.svg"), name == "plane", "{said}");
        let page = crate::pages::page(&out);
        for id in &shown {
            assert!(!page.by_id(id).all("figcaption").is_empty());
        }
        let found = analysis(&out);
        assert_eq!(found["plane"].is_object(), name != "bits");
        let mut npz = NpzReader::new(std::fs::File::open(out.join("latent.npz")).unwrap()).unwrap();
        let names = npz.names().unwrap();
        assert_eq!(names.iter().any(|array| array.contains("plane_stream")), name == "plane");
        assert_eq!(names.iter().any(|array| array.contains("plane_drift")), name != "bits");
        if name == "plane" {
            let stream: Array2<f64> = npz.by_name("plane_stream").unwrap();
            let classes: Array1<i64> = npz.by_name("plane_data_class").unwrap();
            assert_eq!((stream.dim(), classes.len()), ((8, 8), 307));
            assert!(classes.iter().all(|class| (0..3).contains(class)));
            assert_eq!(page.by_id("plane-motion").all("circle").len(), 307 + 3);
            assert!(found["plane"]["edge"]["share"]["low"].as_f64().is_some());
            let picture = std::fs::read_to_string(out.join("plane.svg")).unwrap();
            assert!(picture.starts_with("<svg xmlns") && picture.ends_with("</svg>\n"));
        }
    }
}
