//! How long a chain stays in a macrostate: closed forms of two states, sums over all paths, and what analysis.json and the page say.

use latent_cycles::analysis::Residence;
use latent_cycles::latent::SteadyState;
use latent_cycles::latent::lumped::Partition;
use latent_cycles::latent::residence::Stay;
use latent_cycles::random::{Seed, Stream, uniform_f64};
use ndarray::{Array2, array};

use crate::analyze::analysis;
use crate::html::{close, numbers, rounded};
use crate::known;
use crate::pages::{analyzed, page};

fn chain(seed: u64, states: usize) -> Array2<f64> {
    let mut generator = Seed(seed).generator(Stream::Parameters, 92, 0);
    let mut t = Array2::from_shape_simple_fn((states, states), || (4.0 * uniform_f64(&mut generator)).exp());
    for mut row in t.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    t
}

/// P(stay > n) for n = 1, 2, ...
fn stays(t: &Array2<f64>, of: &[usize], macrostate: usize, count: usize) -> Vec<f64> {
    let steady = SteadyState::new(t).unwrap();
    let partition = Partition::new(of.to_vec()).unwrap();
    Stay::of(&steady, &partition, macrostate).unwrap().take(count).collect()
}

/// Two states in a macrostate, one after the other or side by side, and one outside.
#[test]
fn stays_in_two_states_have_their_closed_forms() {
    let (a, b, d) = (0.7, 0.2, 0.9_f64);
    // In turn: entered at the first, b of whose steps lead to the second.
    let in_turn = array![[a, b, 1.0 - a - b], [0.0, d, 1.0 - d], [0.4, 0.0, 0.6]];
    // Side by side: entered at either.
    let beside = array![[a, 0.0, 1.0 - a], [0.0, d, 1.0 - d], [0.3, 0.1, 0.6]];
    let found = [in_turn, beside].map(|t| stays(&t, &[0, 0, 1], 0, 20));
    for n in 1..=20 {
        let power = |p: f64| p.powi(n as i32);
        close(found[0][n - 1], power(a) + b * (power(d) - power(a)) / (d - a), 1e-14, "in turn");
        close(found[1][n - 1], 0.75 * power(a) + 0.25 * power(d), 1e-14, "side by side");
    }
    // One state remembers nothing.
    for (n, still) in stays(&chain(1, 5), &[0, 1, 1, 2, 2], 0, 9).into_iter().enumerate() {
        close(still, chain(1, 5)[[0, 0]].powi(n as i32 + 1), 1e-14, "one state");
    }
}

/// By summing all paths that come from outside and stay for so long.
#[test]
fn stays_are_those_of_all_paths() {
    let of = [0, 1, 0, 1, 0];
    for seed in 2..5 {
        let t = chain(seed, 5);
        let pi = known::stationary(&t);
        for macrostate in 0..2 {
            let found = stays(&t, &of, macrostate, 5);
            let is_in = |state: &usize| of[*state] == macrostate;
            // Of paths from outside: the last state and the probability.
            let mut paths: Vec<(usize, f64)> = (0..5).filter(|state| !is_in(state)).map(|state| (state, pi[state])).collect();
            let mut entered = 0.0;
            for n in 0..=5 {
                let onward = |&(from, p): &(usize, f64)| (0..5).filter(is_in).map(|to| (to, p * t[[from, to]])).collect::<Vec<_>>();
                paths = paths.iter().flat_map(onward).collect();
                let weight: f64 = paths.iter().map(|(_, p)| p).sum();
                match n {
                    0 => entered = weight,
                    _ => close(found[n - 1], weight / entered, 1e-12, "by all paths"),
                }
            }
        }
    }
}

/// The mean of the distribution is the residence time of the chain among macrostates, which comes from fluxes alone.
#[test]
fn stays_last_as_long_as_fluxes_say() {
    for seed in 10..20 {
        let (t, of) = (chain(seed, 7), [0, 1, 2, 0, 1, 2, 0]);
        let lumped = SteadyState::new(&t).unwrap().lumped(&Partition::new(of.to_vec()).unwrap()).unwrap();
        for macrostate in 0..3 {
            let mean = 1.0 + stays(&t, &of, macrostate, 20_000).iter().sum::<f64>();
            let expected = lumped.residence_time(macrostate);
            close(mean, expected, 1e-9 * expected, "mean stay");
        }
    }
    // A set that is never left, and so never entered.
    let t = array![[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]];
    let steady = SteadyState::new(&t).unwrap();
    assert!(Stay::of(&steady, &Partition::new(vec![0, 0, 1]).unwrap(), 0).is_none());
}

/// Quantiles and probabilities in analysis.json and on the page are those of the known machine, whose macrostates are states and pairs of states.
#[test]
fn the_known_machine_stays_as_long_as_its_transitions_say() {
    let folder = analyzed();
    let found = &analysis(&folder.path().join("known"))["macrostates"];
    let t = known::transition();
    let of: Vec<usize> = found["of_states"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of.as_u64().unwrap() as usize)
        .collect();
    let section = page(&folder.path().join("known"));
    let rows = section.by_id("macrostates").all("tr");
    let (mut differing, mut shown) = (0, 0);
    for macrostate in 0..3 {
        let still = stays(&t, &of, macrostate, 4096);
        let mean = 1.0 + still.iter().sum::<f64>();
        let residence = &found["residences"][macrostate];
        let mut quantiles = Vec::new();
        for (quantile, share) in residence["quantiles"].as_array().unwrap().iter().zip([0.25, 0.5, 0.75, 0.9]) {
            assert_eq!(quantile["share"], share);
            let expected = 1 + still.iter().position(|still| *still <= 1.0 - share).unwrap();
            assert_eq!(quantile["steps"]["value"], expected as f64, "{share} of {macrostate}");
            assert!(quantile["steps"]["low"].is_null());
            let stays = 1.0 - 1.0 / mean;
            let without = (1..).find(|n| stays.powi(*n) <= 1.0 - share + 1e-9).unwrap();
            assert_eq!(quantile["memoryless"], without, "{share} of {macrostate}");
            quantiles.push(expected.to_string());
        }
        for point in residence["survival"].as_array().unwrap() {
            let n = point["steps"].as_u64().unwrap() as usize;
            close(point["probability"]["value"].as_f64().unwrap(), still[n - 1], 1e-5, "P(stay > n)");
            let without = (1.0 - 1.0 / mean).powi(n as i32);
            close(point["memoryless"].as_f64().unwrap(), without, 1e-5, "without memory");
            differing += usize::from((still[n - 1] - without).abs() > 1e-3);
            shown += usize::from(still[n - 1] >= 0.01);
        }
        let cells: Vec<String> = rows[1 + macrostate].all("td").iter().map(|td| td.text()).collect();
        assert_eq!(cells[3..5], [quantiles[1].clone(), quantiles[3].clone()]);
    }
    assert!(differing > 2, "a macrostate of several states remembers: {differing}");

    // The chart: each point at its place, each dashed line through P = 1 at n = 0 and the memoryless share.
    let chart = section.by_id("macro-stays");
    let texts = chart.all("text");
    let x_labels: Vec<(f64, f64)> = (texts.iter())
        .filter(|text| text.is("mid") && text.text().parse::<f64>().is_ok())
        .map(|text| (text.text().parse().unwrap(), text.number("x")))
        .collect();
    let y_of = |label: &str| {
        let text = texts.iter().find(|text| text.is("end") && text.text() == label);
        text.unwrap().number("y") - 4.0
    };
    let (first, last) = (x_labels[0], x_labels[x_labels.len() - 1]);
    let x = |n: f64| first.1 + (last.1 - first.1) * (n - first.0) / (last.0 - first.0);
    let y = |share: f64| y_of("1") + (y_of("10⁻²") - y_of("1")) * share.log10() / -2.0;
    let points = chart.of_class("stay");
    assert_eq!(points.len(), shown);
    let mut places = points.iter();
    for macrostate in 0..3 {
        for point in found["residences"][macrostate]["survival"].as_array().unwrap() {
            let share = point["probability"]["value"].as_f64().unwrap();
            if share >= 0.01 {
                let circle = places.next().unwrap();
                close(circle.number("cx"), x(point["steps"].as_f64().unwrap()), 0.11, "across");
                close(circle.number("cy"), y(share), 0.11, "up");
            }
        }
        let line = numbers(&chart.of_class("memoryless")[macrostate].attribute("d").replace(['M', 'L'], " "));
        let stays = found["residences"][macrostate]["survival"][0]["memoryless"].as_f64().unwrap();
        assert_eq!((line[0], line[1]), (first.1, y_of("1")));
        let end = (line[2] - x(0.0)) / (x(1.0) - x(0.0));
        close(line[3], y(stays.powf(end)), 0.5, "without memory");
    }
    rounded(&first.0.to_string(), 0.0, "the axis starts at no step");
}

/// From draws every quantile and every probability has an interval.
#[test]
fn drawn_stays_have_intervals() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    known::succeeds(folder.path(), "analyze run --quiet --checkpoint 0 --out drawn --samples 96");
    let found = analysis(&folder.path().join("drawn"));
    let residences: Vec<Residence> = (0..3)
        .map(|a| serde_json::from_value(found["macrostates"]["residences"][a].clone()).unwrap())
        .collect();
    let (mut inside, mut all) = (0, 0);
    let (t, of) = (known::transition(), &found["macrostates"]["of_states"]);
    let of: Vec<usize> = of.as_array().unwrap().iter().map(|of| of.as_u64().unwrap() as usize).collect();
    for (macrostate, residence) in residences.iter().enumerate() {
        let still = stays(&t, &of, macrostate, 4096);
        for quantile in &residence.quantiles {
            let (low, high) = (quantile.steps.low.unwrap(), quantile.steps.high.unwrap());
            let truth = 1.0 + still.iter().position(|still| *still <= 1.0 - quantile.share).unwrap() as f64;
            inside += usize::from((low..=high).contains(&truth));
            all += 1;
        }
        for point in &residence.survival {
            let (low, high) = (point.probability.low.unwrap(), point.probability.high.unwrap());
            inside += usize::from((low..=high).contains(&still[point.steps - 1]));
            all += 1;
        }
    }
    // Neighbouring probabilities are not independent; half of them missed would be a wrong interval.
    assert!(inside * 10 >= all * 8, "{inside} of {all}");
}
