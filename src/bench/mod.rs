//! The time of a training step beside a lower bound on it, measured in turns.

pub mod floor;
pub mod plot;
pub mod unit_floor;

use std::time::Instant;

use serde::Serialize;

use self::floor::{Floor, host_memory};
use crate::codes::Layers;
use crate::config::{Ascent, Chains, Config, GradientKind, Init, Method, PathEntropy, SampledConfig, Schedule};
use crate::data::batches::Batches;
use crate::data::{DataError, Dataset};
use crate::numerics::Numerics;
use crate::random::Seed;
use crate::training::start::{initial_chains, initial_state};
use crate::training::step::{Recipe, Update};

/// D, L, B and N of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// D, pixels.
    pub visible: usize,
    /// The latent layers, which L follows from.
    pub layers: Layers,
    /// B, images in a minibatch.
    pub batch: usize,
    /// N, persistent chains.
    pub chains: usize,
    /// K, candidates for each image's posterior, of units whose states are not listed.
    pub candidates: usize,
}

/// What was measured of one backend at one size; milliseconds are medians, null where nothing was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The backend's name.
    pub backend: &'static str,
    /// The device in words; why nothing was measured, if nothing was.
    pub device: String,
    /// D.
    pub visible: usize,
    /// L; of units whose states are not listed H.
    pub latent: usize,
    /// The latent layers as in a configuration, if they are not one one-hot layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<String>,
    /// B.
    pub batch: usize,
    /// N.
    pub chains: usize,
    /// K, of units whose states are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<usize>,
    /// One training step, its minibatch included.
    pub step_ms: Option<f64>,
    /// The sum of the three below.
    pub floor_ms: Option<f64>,
    /// The products of a step, five where states are listed and eleven where they are not, as dense matrix products, each by the fastest of the backends on the same device.
    pub products_ms: Option<f64>,
    /// The draws of N images.
    pub sampler_ms: Option<f64>,
    /// Reading and writing once every array that a step changes or reads.
    pub memory_ms: Option<f64>,
}

impl Row {
    /// A row without figures.
    pub fn not_measured(backend: &'static str, why: String, sizes: &Sizes) -> Self {
        Self {
            backend,
            device: why,
            visible: sizes.visible,
            latent: match sizes.layers.are_listed() {
                true => sizes.layers.states(),
                false => sizes.layers.first().width(),
            },
            candidates: (!sizes.layers.are_listed()).then_some(sizes.candidates),
            layers: (!sizes.layers.is_one_hot()).then(|| sizes.layers.to_string()),
            batch: sizes.batch,
            chains: sizes.chains,
            step_ms: None,
            floor_ms: None,
            products_ms: None,
            sampler_ms: None,
            memory_ms: None,
        }
    }
}

/// Measures steps and their floor on some backends at one size, in turns, for so many seconds each.
///
/// The steps are those of the default configuration on the bundled digits 0, 1 and 2, seen at another number of pixels if D is not 784.
///
/// # Errors
/// When an array of these sizes is larger than a device takes.
pub fn measure(backends: &[Box<dyn Numerics>], sizes: &Sizes, seconds: f64) -> Result<Vec<Row>, DataError> {
    let ascent = Ascent {
        batch_size: Some(sizes.batch),
        // A linear schedule would end.
        schedule: Schedule::Constant,
        ..Ascent::default()
    };
    let mut config = Config::default();
    config.model.latent = sizes.layers.clone();
    let chains = Chains {
        count: sizes.chains,
        ..Chains::default()
    };
    let (method, update) = if sizes.layers.are_listed() {
        let kind = GradientKind::TwoStep {
            chains,
            stale: false,
            path_entropy: PathEntropy::NONE,
        };
        let update = Update::Gradient {
            kind,
            ascent: ascent.clone(),
        };
        (Method::Gradient { kind, ascent }, update)
    } else {
        let sampled = SampledConfig {
            chains,
            candidates: sizes.candidates,
            ascent: Ascent {
                learning_rate: Ascent::sampled().learning_rate,
                ..ascent
            },
            ..SampledConfig::default()
        };
        (Method::Sampled(sampled.clone()), Update::Sampled(sampled))
    };
    config.training.method = method;
    if !sizes.layers.are_listed() {
        config.model.init = Init::Random {
            scale: Init::SAMPLED_SCALE,
        };
    }
    for numerics in backends {
        // Batches go on from epoch to epoch, so that there are as many images as are asked for.
        config.check_against(sizes.batch, sizes.visible, numerics.device().largest_array)?;
    }
    let data = Dataset::load_resampled(&config.data, sizes.visible)?;
    let state = initial_state(&config, &data.train, sizes.visible).expect("a random start reads no file");
    let chains = initial_chains(&state.parameters, sizes.chains, Seed(0));
    let recipe = Recipe::new(&config.training, update);
    let images = Batches::new(&data.train, sizes.batch, Seed(0)).at(0);

    let mut steps: Vec<_> = backends
        .iter()
        .map(|numerics| {
            let mut trainer = numerics.trainer(&state, recipe.clone());
            let mut batches = Batches::new(&data.train, sizes.batch, Seed(0));
            let mut step = 0;
            move |count: u64| {
                let start = Instant::now();
                for _ in 0..count {
                    trainer.step(&batches.at(step));
                    step += 1;
                }
                trainer.wait();
                1e3 * start.elapsed().as_secs_f64() / count as f64
            }
        })
        .collect();
    let mut floors: Vec<Box<dyn Floor>> = backends
        .iter()
        .map(|numerics| numerics.floor(&state.parameters, &chains, &images, sizes.candidates))
        .collect();
    let counts: Vec<u64> = steps.iter_mut().map(calibrate).collect();

    let mut found = vec![Samples::default(); backends.len()];
    let start = Instant::now();
    while found[0].steps.len() < 5 || start.elapsed().as_secs_f64() < seconds * backends.len() as f64 {
        for (index, numerics) in backends.iter().enumerate() {
            found[index].steps.push(steps[index](counts[index]));
            floors[index].wait();
            let products = (0..floors[index].products())
                .map(|product| floors[index].product(product))
                .collect();
            found[index].products.push(products);
            found[index].sampler.push(floors[index].sampler());
            found[index].memory.push(match numerics.device().host {
                true => host_memory(&state.parameters, &chains, &images),
                false => floors[index].memory(),
            });
        }
    }

    let product = |index: usize, product: usize| median(found[index].products.iter().map(|products| products[product]));
    let rows = backends.iter().enumerate().map(|(index, numerics)| {
        let rivals = |other: &usize| *other == index || (numerics.device().host && backends[*other].device().host);
        let products: f64 = (0..floors[index].products())
            .map(|which| {
                (0..backends.len())
                    .filter(rivals)
                    .map(|other| product(other, which))
                    .fold(f64::INFINITY, f64::min)
            })
            .sum();
        let sampler = median(found[index].sampler.iter().copied());
        let memory = median(found[index].memory.iter().copied());
        Row {
            step_ms: Some(median(found[index].steps.iter().copied())),
            floor_ms: Some(products + sampler + memory),
            products_ms: Some(products),
            sampler_ms: Some(sampler),
            memory_ms: Some(memory),
            ..Row::not_measured(numerics.device().backend, numerics.device().name.clone(), sizes)
        }
    });
    Ok(rows.collect())
}

/// Measurements taken in turns, in milliseconds.
#[derive(Clone, Default)]
struct Samples {
    steps: Vec<f64>,
    products: Vec<Vec<f64>>,
    sampler: Vec<f64>,
    memory: Vec<f64>,
}

/// Warms up and finds how many steps make a sample of some 20 ms.
fn calibrate(run: &mut impl FnMut(u64) -> f64) -> u64 {
    let first = run(1);
    if first > 20.0 {
        // Kernels are compiled at the first step.
        return (20.0 / run(1)).clamp(1.0, 1e3) as u64;
    }
    run(20);
    (20.0 / run(20)).clamp(1.0, 1e3) as u64
}

/// The median.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
