//! The hand-built gradient against burn's autodiff, finite differences and closed cases, on every backend.

use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::{NdArray, NdArrayDevice};
use latent_cycles::data::BinaryImages;
use latent_cycles::model::Parameters;
use ndarray::Array2;

use crate::common::{Plain, all_images, flat, on_every_backend, random_images, random_model, relative_distance};

pub type Oracle = Autodiff<NdArray<f64>>;

/// `ln y`, with the derivative 1/y by a division. burn's own derivative takes a reciprocal, which burn-ndarray gets right to four digits
/// only: in f32 on every CPU, in f64 on one with AVX-512.
pub fn ln(y: Tensor<Oracle, 2>) -> Tensor<Oracle, 2> {
    let here = y.clone().detach();
    let slope = here.ones_like() / here.clone();
    here.clone().log() + (y - here) * slope
}

/// `ln sum exp(t)` along a dimension.
pub fn logsumexp(t: Tensor<Oracle, 2>, dim: usize) -> Tensor<Oracle, 2> {
    let largest = t.clone().max_dim(dim).detach();
    ln((t - largest.clone()).exp().sum_dim(dim)) + largest
}

/// A matrix in f64: burn would give it the type of floats that the first backend asked its device for, whichever test came first.
pub fn oracle(values: &Array2<f64>) -> Tensor<Oracle, 2> {
    let shape = [values.nrows(), values.ncols()];
    let data = TensorData::new(values.iter().copied().collect(), shape);
    Tensor::from_data(data, (&NdArrayDevice::Cpu, DType::F64))
}

/// Models with small prime dimensions (D, L, B, N), mild to steep, some with states of tiny probability.
fn cases() -> Vec<(Parameters, BinaryImages, BinaryImages)> {
    let mut cases = Vec::new();
    for (seed, visible, latent, images, chains, scale) in [
        (1, 7, 3, 13, 17, 1.0),
        (2, 11, 5, 19, 23, 0.1),
        (3, 5, 2, 29, 31, 3.0),
        (4, 13, 7, 11, 37, 1.5),
        (5, 3, 11, 41, 5, 1.0),
        // Wide enough for the other products of the CPU's kernels and of wgpu.
        (6, 5, 37, 43, 7, 1.0),
    ] {
        let parameters = random_model(seed, visible, latent, scale);
        let data = random_images(seed, images, visible);
        let walkers = random_images(seed + 100, chains, visible);
        for tiny in [0.0, -30.0, -60.0, -300.0] {
            let mut parameters = parameters.clone();
            parameters.forward_bias[latent - 1] += tiny;
            cases.push((parameters, data.clone(), walkers.clone()));
        }
    }
    cases
}

/// burn's autodiff of the two-step objective in f64, with the images that fed the two steps held fixed.
fn autodiff(parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Vec<f64> {
    let w = oracle(&parameters.forward.mapv(f64::from)).require_grad();
    let b = oracle(&parameters.forward_bias.mapv(f64::from).insert_axis(ndarray::Axis(0))).require_grad();
    let a = oracle(&parameters.backward.mapv(f64::from)).require_grad();
    let x = oracle(&images.mapv(f64::from));
    let chains = oracle(&chains.mapv(f64::from));

    let logits = chains.matmul(w.clone()) + b.clone();
    let log_p = logits.clone() - logsumexp(logits, 1);
    let log_pi = logsumexp(log_p, 0);
    let log_q = x.matmul(a.clone().transpose()) - ln(a.clone().exp() + 1.0).sum_dim(1).transpose();
    let objective = logsumexp(log_q + log_pi, 1).mean();
    let gradients = objective.backward();
    [w.grad(&gradients), b.grad(&gradients), a.grad(&gradients)]
        .into_iter()
        .flat_map(|gradient| gradient.unwrap().into_data().iter::<f64>().collect::<Vec<_>>())
        .collect()
}

#[test]
fn equals_burns_autodiff_on_every_backend() {
    on_every_backend("gradient against autodiff", |numerics| {
        for (case, (parameters, images, chains)) in cases().into_iter().enumerate() {
            let found = flat(&numerics.gradient(&parameters, &images, &chains));
            let distance = relative_distance(&found, &autodiff(&parameters, &images, &chains));
            assert!(distance <= 1e-5, "{}, case {case}: {distance:e}", numerics.device().backend);
        }
    });
}

/// Sizes at which GPUs sum columns block by block, and take several columns of a product in each thread.
#[test]
fn equals_burns_autodiff_at_large_sizes_on_every_backend() {
    let (visible, latent) = (61, 131);
    let parameters = random_model(7, visible, latent, 0.5);
    let images = random_images(7, 4021, visible);
    let chains = random_images(107, 4027, visible);
    let expected = autodiff(&parameters, &images, &chains);
    on_every_backend("gradient at large sizes", |numerics| {
        let found = flat(&numerics.gradient(&parameters, &images, &chains));
        let distance = relative_distance(&found, &expected);
        assert!(distance <= 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

/// Central differences of the objective, over images and chains that stand for distributions over all 2^D images.
#[test]
fn equals_finite_differences_under_full_enumeration_on_every_backend() {
    let (visible, latent) = (5, 3);
    for (seed, scale) in [(11, 1.0), (12, 2.0), (13, 0.3)] {
        let parameters = random_model(seed, visible, latent, scale);
        let plain = Plain::new(&parameters);
        // Every image as often as its share of the steady state says, of 251; a target that differs from it.
        let chains = population(&plain.image_distribution(), visible, 251);
        let target = Plain::new(&random_model(seed + 50, visible, latent, 1.0)).image_distribution();
        let images = population(&target, visible, 241);
        let step = 1e-3;
        let count = visible * latent * 2 + latent;
        let differences: Vec<f64> = (0..count)
            .map(|index| {
                let shifted = |shift: f64| {
                    let mut plain = plain.clone();
                    *plain.parameters_mut()[index] += shift;
                    plain.objective(&images, &chains)
                };
                // Fourth order: the error is of order step^4 and rounding / step, both 1e-12.
                (8.0 * (shifted(step) - shifted(-step)) - (shifted(2.0 * step) - shifted(-2.0 * step))) / (12.0 * step)
            })
            .collect();
        // The f64 formula first, then f32 on every backend.
        let formula = relative_distance(&plain.gradient(&images, &chains), &differences);
        assert!(formula < 1e-9, "f64 formula: {formula:e}");
        on_every_backend("gradient against finite differences", |numerics| {
            let found = flat(&numerics.gradient(&parameters, &images, &chains));
            let distance = relative_distance(&found, &differences);
            assert!(distance <= 1e-5, "{}: {distance:e}", numerics.device().backend);
        });
    }
}

/// About `count` images, each as often as its probability says.
fn population(distribution: &[f64], visible: usize, count: usize) -> BinaryImages {
    let all = all_images(visible);
    let rows: Vec<_> = distribution
        .iter()
        .enumerate()
        .flat_map(|(code, share)| std::iter::repeat_n(all.row(code), (share * count as f64).round() as usize))
        .collect();
    ndarray::stack(ndarray::Axis(0), &rows).unwrap()
}

/// Where the chain's shares pi already are the data's shares rho, nothing pulls on the forward matrix.
#[test]
fn the_forward_part_vanishes_where_rho_is_pi_on_every_backend() {
    let (visible, latent) = (7, 3);
    let mut parameters = random_model(21, visible, latent, 2.0);
    let images = draw_images(&Plain::new(&parameters), 53, 21);
    let chains = random_images(22, 47, visible);
    // The shares that EM finds for fixed q are their own responsibilities' mean.
    let mut plain = Plain::new(&parameters);
    let mut pi = vec![1.0 / latent as f64; latent];
    let rows = |images: &BinaryImages| images.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
    for _ in 0..100_000 {
        let mut rho = vec![0.0; latent];
        for x in rows(&images) {
            let joint: Vec<f64> = (0..latent).map(|k| pi[k] * plain.log_q(&x, k).exp()).collect();
            let total: f64 = joint.iter().sum();
            (0..latent).for_each(|k| rho[k] += joint[k] / total / 53.0);
        }
        let moved: f64 = pi.iter().zip(&rho).map(|(pi, rho)| (pi - rho).abs()).sum();
        pi = rho;
        if moved < 1e-14 {
            break;
        }
    }
    // The bias that gives the chains these shares, by iterative scaling.
    for _ in 0..100_000 {
        let shares: Vec<f64> = (0..latent)
            .map(|k| rows(&chains).iter().map(|x| plain.log_p(x, k).exp()).sum::<f64>() / 47.0)
            .collect();
        (0..latent).for_each(|k| plain.b[k] += (pi[k] / shares[k]).ln());
        if shares.iter().zip(&pi).all(|(share, pi)| (share / pi - 1.0).abs() < 1e-13) {
            break;
        }
    }
    assert!(pi.iter().all(|&pi| pi > 1e-3), "a fixture with every state in use: {pi:?}");
    parameters.forward_bias = plain.b.mapv(|b| b as f32);
    on_every_backend("gradient at rho = pi", |numerics| {
        let gradient = numerics.gradient(&parameters, &images, &chains);
        let other = numerics.gradient(&random_model(23, visible, latent, 1.0), &images, &chains);
        let size = |g: &Parameters| {
            g.forward
                .iter()
                .chain(&g.forward_bias)
                .map(|g| f64::from(g.abs()))
                .fold(0.0, f64::max)
        };
        // Rounding of u = 1 in f32, against gradients of order one.
        assert!(size(&gradient) < 1e-6, "{}: {:e}", numerics.device().backend, size(&gradient));
        assert!(size(&other) > 1e-2);
        assert!(gradient.backward.iter().any(|g| g.abs() > 1e-3), "the data part does not vanish");
    });
}

/// The size of the images that matter: the error of f32 there is what the docs state.
#[test]
fn the_error_of_f32_at_784_pixels_is_as_stated() {
    let (visible, latent) = (784, 10);
    let mut parameters = random_model(31, visible, latent, 0.5);
    // Steep as after training: a fifth of the pixels lit, the rest near the floor.
    for (index, logit) in parameters.backward.iter_mut().enumerate() {
        *logit = if index % 5 == 0 { 3.0 * *logit } else { -6.0 + *logit };
    }
    let plain = Plain::new(&parameters);
    let images = draw_images(&plain, 101, 31);
    let chains = draw_images(&plain, 103, 32);
    let reference = plain.gradient(&images, &chains);
    on_every_backend("gradient at D = 784", |numerics| {
        let found = flat(&numerics.gradient(&parameters, &images, &chains));
        let distance = relative_distance(&found, &reference);
        println!(
            "relative error of the gradient at D = 784 on {}: {distance:.1e}",
            numerics.device().backend
        );
        assert!(distance <= 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

/// More images than are taken at a time, and not a multiple of that.
#[test]
fn a_large_minibatch_taken_in_parts_has_the_gradient_of_the_formula() {
    let parameters = random_model(33, 11, 5, 1.0);
    let plain = Plain::new(&parameters);
    let (images, chains) = (draw_images(&plain, 9001, 33), draw_images(&plain, 103, 34));
    let reference = plain.gradient(&images, &chains);
    on_every_backend("gradient at B = 9001", |numerics| {
        let found = flat(&numerics.gradient(&parameters, &images, &chains));
        let distance = relative_distance(&found, &reference);
        println!("{distance:.1e} on {}", numerics.device().backend);
        assert!(distance <= 1e-5, "{}: {distance:e}", numerics.device().backend);
    });
}

/// Images of the model's states, in turn.
fn draw_images(plain: &Plain, count: usize, seed: u64) -> BinaryImages {
    use latent_cycles::random::{Seed, Stream, uniform_f64};
    let mut generator = Seed(seed).generator(Stream::ChainStart, 3, 0);
    BinaryImages::from_shape_fn((count, plain.visible()), |(n, i)| {
        let mean = 1.0 / (1.0 + (-plain.a[[n % plain.latent(), i]]).exp());
        u8::from(uniform_f64(&mut generator) < mean)
    })
}

/// A state that no chain visits, far below what f32 holds: finite, and pulled back where the data want it.
#[test]
fn an_unvisited_state_gives_finite_pulls_on_every_backend() {
    on_every_backend("gradient of an unvisited state", |numerics| {
        for bias in [-50.0, -100.0, -200.0, -1000.0] {
            let mut parameters = random_model(41, 11, 5, 1.0);
            parameters.forward_bias[0] = bias;
            let images = random_images(41, 13, 11);
            let chains = random_images(42, 17, 11);
            let gradient = numerics.gradient(&parameters, &images, &chains);
            assert!(gradient.is_finite(), "{} at {bias}", numerics.device().backend);

            // The same state, alone in explaining the data by 2,000 nats.
            parameters.backward.fill(-9.0);
            parameters.backward.row_mut(0).fill(9.0);
            parameters.backward *= 20.0;
            let images = BinaryImages::ones((13, 11));
            let gradient = numerics.gradient(&parameters, &images, &chains);
            assert!(gradient.is_finite(), "{} at {bias}", numerics.device().backend);
            if f64::from(-bias) < 1500.0 {
                let pull = gradient.forward_bias[0];
                assert!((pull - 1.0).abs() < 1e-3, "{} at {bias}: {pull}", numerics.device().backend);
            }
        }
    });
}
