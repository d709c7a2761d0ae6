//! The kernel of a model: by enumeration, by plain means and by importance sampling, each against the truth.

use latent_cycles::conditionals::Conditionals;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::estimate::exact::enumerate;
use latent_cycles::estimate::importance::{Sampled, sample};
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::estimate::plain::PlainEstimate;
use latent_cycles::estimate::reversible::closed_form;
use latent_cycles::estimate::sampling::Sampling;
use latent_cycles::estimate::tilt::{Untilted, best_tilt};
use latent_cycles::estimate::{Estimate, EstimateError, Kernel, Settings};
use latent_cycles::latent::SteadyState;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use latent_cycles::watch::Stopped;
use ndarray::Array2;

use crate::common::{Impatient, Plain, image, random_model};

fn exact(parameters: &Parameters) -> Kernel {
    enumerate(&Conditionals::new(parameters), &()).unwrap()
}

fn plainly(parameters: &Parameters, samples: usize, seed: u64) -> PlainEstimate<()> {
    let observe = |images: &PackedImages| vec![(); images.len()];
    PlainEstimate::draw(&Conditionals::new(parameters), samples, Seed(seed), 0, observe, &()).unwrap()
}

fn sampled(parameters: &Parameters, samples: usize, seed: u64) -> Sampled<()> {
    let sampling = Sampling::new(samples, Seed(seed));
    let observe = |images: &PackedImages| vec![(); images.len()];
    sample(&Conditionals::new(parameters), None, sampling, observe, &()).unwrap()
}

/// Images of a state lead to the next one: a cycle with noise.
fn cycling(seed: u64, visible: usize, latent: usize, scale: f64) -> Parameters {
    let mut parameters = random_model(seed, visible, latent, scale);
    let next = Array2::from_shape_fn((visible, latent), |(i, k)| parameters.backward[[(k + latent - 1) % latent, i]]);
    parameters.forward = &parameters.forward * 0.5 + next;
    parameters
}

/// W_ik = A_ki + c_i.
fn reversible(seed: u64, visible: usize, latent: usize, scale: f64) -> Parameters {
    let mut parameters = random_model(seed, visible, latent, scale);
    let shift = random_model(seed + 1, visible, 1, 1.0).forward;
    parameters.forward = Array2::from_shape_fn((visible, latent), |(i, k)| parameters.backward[[k, i]] + shift[[i, 0]]);
    parameters
}

/// sigma over all paths z -> x -> z'.
fn path_truth(plain: &Plain, steady: &SteadyState) -> f64 {
    let mut sum = 0.0;
    for code in 0..1 << plain.visible() {
        let x = image(code, plain.visible());
        for z in 0..plain.latent() {
            for after in 0..plain.latent() {
                let forward = plain.log_q(&x, z) + plain.log_p(&x, after);
                let back = plain.log_q(&x, after) + plain.log_p(&x, z);
                sum += (steady.log_pi()[z] + forward).exp() * (forward - back);
            }
        }
    }
    sum
}

#[test]
fn enumeration_agrees_with_plain_loops() {
    for (seed, scale) in [(170, 0.5), (171, 2.0), (172, 6.0)] {
        let parameters = cycling(seed, 11, 3, scale);
        let plain = Plain::new(&parameters);
        let kernel = exact(&parameters);
        for (found, expected) in kernel.steady.log_transition().iter().zip(&plain.kernel()) {
            assert!((found - expected.ln()).abs() < 1e-11, "{found} {}", expected.ln());
        }
        let truth = path_truth(&plain, &kernel.steady);
        assert!((kernel.path_entropy_production() - truth).abs() < 1e-11 * (1.0 + truth));
        assert!(truth >= kernel.steady.entropy_production());
    }
}

/// Two states: the latent chain is always reversible, the path need not be. One state: nothing moves.
#[test]
fn one_and_two_states() {
    let two = exact(&random_model(173, 7, 2, 1.0));
    assert!(two.steady.entropy_production() < 1e-15 && two.path_entropy_production() > 0.1);
    let one = exact(&random_model(174, 7, 1, 1.0));
    assert_eq!((one.steady.entropy_production(), one.steady.self_transition()), (0.0, 1.0));
    assert!(one.path_entropy_production().abs() < 1e-14);
    let one = sampled(&random_model(174, 7, 1, 1.0), 64, 1).estimate;
    assert_eq!(one.figure(|kernel| kernel.steady.self_transition()).value, Some(1.0));
}

/// The plain estimate against enumeration: every entry within 5.3 of its own standard errors, which a right program passes but once
/// in 10^6 seeds even with nine entries.
#[test]
fn plain_means_agree_with_enumeration() {
    let (visible, latent, samples) = (7, 3, 20_011);
    let parameters = random_model(71, visible, latent, 1.5);
    let plain = Plain::new(&parameters);
    let estimate = plainly(&parameters, samples, 71);
    for ((j, k), &expected) in plain.kernel().indexed_iter() {
        let second: f64 = (0..1 << visible)
            .map(|code| {
                let x = image(code, visible);
                (plain.log_q(&x, j) + 2.0 * plain.log_p(&x, k)).exp()
            })
            .sum();
        let error = ((second - expected * expected) / samples as f64).sqrt();
        let found = estimate.kernel.steady.log_transition()[[j, k]].exp();
        assert!(
            (found - expected).abs() < 5.3 * error,
            "T[{j}, {k}]: {found} against {expected} +- {error}"
        );
    }
    assert_eq!(estimate.observed.iter().map(Vec::len).sum::<usize>(), latent * samples);
}

/// Both entropy productions, from many independent plain estimates: their mean within 5 standard errors of the enumerated truth.
#[test]
fn both_entropy_productions_by_plain_means_agree_with_enumeration() {
    let parameters = cycling(72, 7, 3, 1.0);
    let truth = exact(&parameters);
    let truths = [truth.steady.entropy_production(), truth.path_entropy_production()];
    assert!(truths[1] > truths[0] && truths[0] > 1e-3, "{truths:?}");
    let estimates: Vec<Kernel> = (0..40).map(|seed| plainly(&parameters, 5003, seed).kernel).collect();
    let values = |figure: fn(&Kernel) -> f64| estimates.iter().map(figure).collect::<Vec<f64>>();
    for (truth, values) in truths.into_iter().zip([
        values(|kernel| kernel.steady.entropy_production()),
        values(Kernel::path_entropy_production),
    ]) {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt();
        assert!((mean - truth).abs() < 5.0 * error, "{mean} against {truth} +- {error}");
        assert!(error < 0.05 * truth, "an estimate worth the name: {truth} +- {error}");
    }
}

/// A reversible model: no entropy production, and the steady state of the closed form.
#[test]
fn a_reversible_model_produces_no_entropy() {
    for scale in [0.5, 3.0] {
        let parameters = reversible(73, 7, 5, scale);
        let kernel = exact(&parameters);
        assert!(kernel.steady.entropy_production() < 1e-10);
        assert!(
            kernel.path_entropy_production().abs() < 1e-5,
            "{}",
            kernel.path_entropy_production()
        );
        let log_pi = closed_form(&parameters).expect("W - A is the same in all columns");
        for (found, expected) in kernel.steady.log_pi().iter().zip(&log_pi) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        // The library finds the closed form by itself.
        let settings = Settings {
            exact: false,
            samples: 640,
            seed: Seed(1),
        };
        let estimate = Estimate::with(&parameters, settings, &()).unwrap();
        assert_eq!(
            estimate.entropy_production(),
            Figure::exact(0.0).because("reversible by construction")
        );
        assert_eq!(estimate.path_entropy_production().value, Some(0.0));
        let balanced = estimate.kernel;
        assert!(balanced.steady.entropy_production() < 1e-25);
        assert!(balanced.steady.cycles().is_empty());
        for (found, expected) in balanced.steady.log_pi().iter().zip(&log_pi) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
    let mut parameters = reversible(73, 7, 5, 1.0);
    parameters.forward[[3, 2]] += 1e-5;
    assert_eq!(closed_form(&parameters), None);
}

/// The bound of the tilt holds, is not far above what it bounds, and is the best: no other tilt between source and target is lower.
#[test]
fn tilts_bound_what_they_make_common() {
    for scale in [1.0, 4.0, 12.0] {
        let parameters = cycling(175, 13, 5, scale);
        let model = Conditionals::new(&parameters);
        let truth = exact(&parameters);
        for source in 0..5 {
            let untilted = Untilted::new(&model, source);
            for target in 0..5 {
                let tilt = best_tilt(&model, source, target, &untilted);
                let log_t = truth.steady.log_transition()[[source, target]];
                assert!(
                    log_t <= tilt.log_bound + 1e-12 && tilt.log_bound <= 0.0,
                    "{log_t} {}",
                    tilt.log_bound
                );
                // In the steepest models a few images carry a transition, and no product of pixels is as narrow as that.
                assert!(tilt.log_bound - log_t < 9.0, "{log_t} {}", tilt.log_bound);
                // Competitors tie for the largest mean logit.
                let pixels = tilt.logits(&model, source).mapv(|logit| 1.0 / (1.0 + (-logit).exp()));
                let means = pixels.dot(model.forward()) + model.forward_bias();
                let largest = means.iter().copied().fold(f64::MIN, f64::max);
                assert!(tilt.competitors.iter().all(|&(m, _)| largest - means[m] < 0.06), "{means} {tilt:?}");
                let untilted_share = 1.0 - tilt.competitors.iter().map(|(_, lambda)| lambda).sum::<f64>();
                assert!(untilted_share > -1e-9 && (untilted_share < 1e-9 || largest - means[target] < 0.06));
            }
        }
    }
}

/// Importance sampling against enumeration for models from mild to very steep: every transition, however rare, within 5.5 of its
/// standard errors (of 600, each with 31 degrees of freedom: a right program fails one time in 300), and the errors are small.
#[test]
fn importance_sampling_finds_the_rarest_transitions() {
    let mut rarest: f64 = 0.0;
    for seed in 0..24 {
        let parameters = cycling(180 + seed, 13, 5, [0.5, 2.0, 5.0, 12.0][seed as usize % 4]);
        let truth = exact(&parameters);
        let found = sampled(&parameters, 3200, seed);
        let errors = found.estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
        let log_t = found.estimate.kernel.steady.log_transition();
        for ((edge, expected), error) in truth.steady.log_transition().indexed_iter().zip(&errors) {
            rarest = rarest.min(*expected);
            assert!(
                (log_t[edge] - expected).abs() < 5.5 * error + 1e-9,
                "seed {seed}, {edge:?}: {} {expected} +- {error}",
                log_t[edge]
            );
            assert!(*error < 0.2, "seed {seed}, {edge:?}: {expected} +- {error}");
        }
        assert!(found.row_sums.iter().all(|sum| (sum - 1.0).abs() < 0.2));
    }
    assert!(rarest < -100.0, "steep enough to matter: {rarest}");
}

/// The intervals contain the truth as often as they say.
///
/// Over 200 models, of which every sixth is reversible (estimated without its closed form), for four figures: 90 to 99% each.
#[test]
fn intervals_contain_the_truth() {
    type Quantity = (&'static str, fn(&Kernel) -> f64, bool);
    let figures: [Quantity; 4] = [
        ("entropy production", |kernel| kernel.steady.entropy_production(), true),
        ("path entropy production", Kernel::path_entropy_production, true),
        ("self-transition", |kernel| kernel.steady.self_transition(), false),
        ("weight of a state", |kernel| kernel.steady.log_pi()[1], false),
    ];
    let mut inside = [0; 4];
    let mut by_kind = [[0; 2]; 2];
    for seed in 0..200 {
        let scale = [0.3, 1.0, 2.0, 4.0, 8.0][seed as usize % 5];
        let balanced = seed % 6 == 0;
        let parameters = match balanced {
            true => reversible(1000 + 2 * seed, 7, 5, scale),
            false => cycling(1000 + 2 * seed, 7, 5, scale),
        };
        let truth = exact(&parameters);
        let estimate = sampled(&parameters, 1280, seed).estimate;
        // The path sees all that the latent chain does; five standard errors, for 200 models.
        assert!(truth.path_entropy_production() >= truth.steady.entropy_production() - 1e-12);
        let more = estimate.figure(|kernel| kernel.path_entropy_production() - kernel.steady.entropy_production());
        assert!(more.value.unwrap() >= -5.0 * more.standard_error.unwrap(), "seed {seed}: {more}");
        for (count, (name, function, nonnegative)) in inside.iter_mut().zip(figures) {
            let mut figure: Figure = estimate.figure(function);
            if nonnegative {
                figure = figure.at_least(0.0);
            }
            let expected = function(&truth);
            let contained = figure.low.unwrap() <= expected + 1e-12 && expected - 1e-12 <= figure.high.unwrap();
            *count += usize::from(contained);
            if name == "entropy production" {
                by_kind[usize::from(balanced)][usize::from(contained)] += 1;
            }
        }
    }
    println!("inside of 200: {inside:?}; entropy production, [driven, reversible] x [outside, inside]: {by_kind:?}");
    assert!(inside.iter().all(|inside| (180..=198).contains(inside)), "{inside:?}");
}

/// The same of models with more states than have all of their transitions drawn along tilts: 200 of them, a quarter of them so steep that they hardly move.
#[test]
fn intervals_of_large_models_contain_the_truth() {
    const LATENT: usize = 47;
    let mut inside = [0; 3];
    let mut tilted = 0;
    let mut badly_known = [0.0; 4];
    for seed in 0..200 {
        let scale = [0.5, 1.5, 3.0, 6.0][seed as usize % 4];
        let parameters = cycling(5000 + 2 * seed, 11, LATENT, scale);
        let truth = exact(&parameters);
        let estimate = sampled(&parameters, 64, seed).estimate;
        tilted += estimate.tilted;
        let errors = estimate.standard_errors(|kernel| kernel.steady.log_transition().clone());
        let flux = truth.steady.flux();
        let between = |is_counted: &dyn Fn(f64) -> bool| -> f64 {
            let steps = flux
                .indexed_iter()
                .zip(&errors)
                .filter(|(((j, k), _), error)| j != k && is_counted(**error));
            steps.map(|((_, flux), _)| flux).sum()
        };
        badly_known[seed as usize % 4] += between(&|error| error > 0.1) / between(&|_| true) / 50.0;
        let figures: [fn(&Kernel) -> f64; 3] = [
            |kernel| kernel.steady.entropy_production(),
            Kernel::path_entropy_production,
            |kernel| kernel.steady.self_transition(),
        ];
        for (count, function) in inside.iter_mut().zip(figures) {
            let figure = estimate.figure(function);
            let expected = function(&truth);
            *count += usize::from(figure.low.unwrap() <= expected && expected <= figure.high.unwrap());
        }
    }
    let share = tilted as f64 / (200 * LATENT * LATENT) as f64;
    println!(
        "inside of 200: {inside:?}; {share} of the transitions along tilts; shares of the steps known worse than to a tenth {badly_known:?}"
    );
    // Of the steepest, which hardly move, a pilot of sixteen images does not see all of the spread.
    assert!(badly_known[..3].iter().all(|share| *share < 0.01), "{badly_known:?}");
    assert!((0.05..0.9).contains(&share), "{share}");
    assert!(inside.iter().all(|inside| (180..=198).contains(inside)), "{inside:?}");
}

/// The same for the path, near equilibrium, where its slope in pi vanishes and only the curvature is left.
#[test]
fn the_paths_bias_near_equilibrium_is_removed() {
    let mut parameters = reversible(90, 7, 5, 1.0);
    parameters.forward += &(random_model(92, 7, 5, 0.03).forward);
    let truth = exact(&parameters).path_entropy_production();
    let values: Vec<f64> = (0..100)
        .map(|seed| {
            sampled(&parameters, 640, seed)
                .estimate
                .figure(Kernel::path_entropy_production)
                .value
                .unwrap()
        })
        .collect();
    let mean = values.iter().sum::<f64>() / 100.0;
    let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 99.0 / 100.0).sqrt();
    println!("path: truth {truth:e}, mean {mean:e} +- {error:e}");
    assert!((mean - truth).abs() < 4.0 * error, "{truth:e}, {mean:e} +- {error:e}");
}

/// Errors of the rows feed a bias into the entropy production, most visibly where there is none. It is removed.
#[test]
fn the_bias_of_few_draws_is_removed() {
    let parameters = reversible(72, 7, 5, 1.5);
    let (mut raw, mut corrected) = (Vec::new(), Vec::new());
    for seed in 0..200 {
        let estimate = sampled(&parameters, 64, seed).estimate;
        raw.push(estimate.kernel.steady.entropy_production());
        corrected.push(estimate.figure(|kernel| kernel.steady.entropy_production()).value.unwrap());
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let error = |values: &[f64]| {
        let center = mean(values);
        (values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / (values.len() * (values.len() - 1)) as f64).sqrt()
    };
    println!(
        "raw {} +- {}, corrected {} +- {}",
        mean(&raw),
        error(&raw),
        mean(&corrected),
        error(&corrected)
    );
    assert!(mean(&raw) > 10.0 * error(&raw), "there is a bias to remove");
    assert!(mean(&corrected).abs() < 3.0 * error(&corrected));
}

#[test]
fn an_estimate_depends_on_seed_time_and_samples_alone() {
    let parameters = cycling(72, 7, 3, 1.0);
    let log_t = |seed, time| {
        let sampling = Sampling::new(64, Seed(seed)).at(time);
        let sampled = sample(&Conditionals::new(&parameters), None, sampling, |_| Vec::<()>::new(), &());
        sampled.unwrap().estimate.kernel.steady.log_transition().clone()
    };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(log_t(1, 7), one.install(|| log_t(1, 7)));
    assert_ne!(log_t(1, 7), log_t(2, 7));
    assert_ne!(log_t(1, 7), log_t(1, 8));
}

/// Whoever asks for fewer images than there are groups gets one in each.
#[test]
fn every_group_of_draws_has_images() {
    let parameters = cycling(73, 7, 3, 1.0);
    for (asked, drawn) in [(0, 32), (16, 32), (32, 32), (33, 64), (1000, 1024)] {
        assert_eq!(Sampling::new(asked, Seed(1)).samples(), drawn);
    }
    let found = sampled(&parameters, 16, 1);
    assert!(found.observed.iter().all(|of_state| of_state.len() == 32));
    let settings = |samples| Settings {
        exact: false,
        samples,
        seed: Seed(1),
    };
    let sigma = Estimate::with(&parameters, settings(16), &()).unwrap().entropy_production();
    assert!(sigma.low < sigma.high, "{sigma}");
    let error = Estimate::with(&parameters, settings(1 << 40), &()).unwrap_err();
    assert!(matches!(error, EstimateError::TooManySamples { most, .. } if most == Sampling::most_samples(3)));
}

/// Each kind of work ends with what happened: stopped, at whatever moment, or numbers that are none.
#[test]
fn what_ends_an_estimate_is_told() {
    let parameters = cycling(74, 7, 3, 1.0);
    let balanced = reversible(75, 7, 3, 1.0);
    let exact = Settings::of(&parameters);
    let drawn = Settings {
        exact: false,
        samples: 64,
        ..exact
    };
    assert!(exact.exact);
    for (parameters, settings) in [(&parameters, exact), (&parameters, drawn), (&balanced, exact), (&balanced, drawn)] {
        let patient = Impatient::after(usize::MAX);
        assert!(Estimate::with(parameters, settings, &patient).is_ok());
        let asked = patient.asked();
        assert!(asked > 32, "{asked}");
        for patience in (0..asked).step_by(asked.div_ceil(50)).chain([asked - 1]) {
            let stopped = Estimate::with(parameters, settings, &Impatient::after(patience)).unwrap_err();
            assert_eq!(stopped, EstimateError::Stopped(Stopped), "{patience} of {asked}");
        }
        let mut broken = parameters.clone();
        broken.forward[[0, 1]] = f32::NAN;
        assert_eq!(Estimate::with(&broken, settings, &()).unwrap_err(), EstimateError::NoNumbers);
        assert_eq!(closed_form(&broken), None);
    }
    assert_eq!(
        Estimate::with(&random_model(76, 21, 2, 1.0), exact, &()).unwrap_err(),
        EstimateError::TooManyPixels(21)
    );
}

#[test]
fn figures_are_written_to_the_digits_that_are_known() {
    let figure = |value, low, high| Figure {
        low: Some(low),
        high: Some(high),
        ..Figure::exact(value)
    };
    for (figure, text) in [
        (figure(10.614, 10.598, 10.63), "10.614 ± 0.016"),
        (figure(-134.8, -135.9, -133.7), "-134.8 ± 1.1"),
        (figure(1234.0, 1000.0, 1468.0), "1234 ± 234"),
        (figure(0.0002, 0.0, 0.0009), "0.00020 (0.00000 to 0.00090)"),
        (figure(1.87e-6, 1.8e-6, 1.94e-6), "1.870e-6 ± 0.070e-6"),
        (figure(1.1e-5, 8e-6, 1.45e-5), "1.10e-5 (0.80e-5 to 1.45e-5)"),
        (figure(0.3e-6, 0.0, 2e-5), "0.0e-5 (0.0e-5 to 2.0e-5)"),
        (figure(-0.0004, -0.0104, 0.0096), "0.000 ± 0.010"),
        (Figure::exact(0.0), "0.000000"),
        (Figure::exact(0.3), "0.300000"),
        (Figure::exact(3e-7), "3.00e-7"),
        (Figure::exact(f64::INFINITY), "-"),
        (Figure::missing("no data"), "-"),
    ] {
        assert_eq!(figure.to_string(), text);
    }
    assert_eq!(Figure::exact(f64::INFINITY).note.as_deref(), Some("infinite"));
}
