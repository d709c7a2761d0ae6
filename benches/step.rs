//! The sampler, the gradient and the whole step, at N = B = 500 and D = 784; on one of burn's backends each.
//!
//! `cargo bench`, or `cargo bench -- gradient` for some. `latent-cycles bench` sets the step beside its floor.

use criterion::{BenchmarkId, Criterion, criterion_group};
use latent_cycles::backend::BackendName;
use latent_cycles::codes::Layers;
use latent_cycles::config::{Ascent, Config, Method, Schedule};
use latent_cycles::data::Dataset;
use latent_cycles::data::batches::Batches;
use latent_cycles::gradient::two_step;
use latent_cycles::model::Model;
use latent_cycles::ops::cpu::NdArrayBackend;
use latent_cycles::ops::{ChainBackend, DeviceImages};
use latent_cycles::random::{Seed, Stream};
use latent_cycles::record::TrainingState;
use latent_cycles::training::start::initial_state;
use latent_cycles::training::step::{Recipe, Update};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LATENT: [usize; 2] = [10, 100];

fn start(latent: usize) -> (Config, Dataset, TrainingState) {
    let mut config = Config::default();
    config.model.latent = Layers::one_hot(latent);
    let data = Dataset::load(&config.data).expect("the bundled images");
    let state = initial_state(&config, &data.train, data.visible()).expect("a random start");
    (config, data, state)
}

fn batches<'a>(config: &Config, data: &'a Dataset) -> Batches<'a> {
    Batches::new(&data.train, config.training.method.batch_of(data.train.len()), Seed(1))
}

/// What a step does; the learning rate does not change, as a linear schedule would end.
fn recipe(config: &Config) -> Recipe {
    let Method::Gradient { kind, ascent } = config.training.method.clone() else {
        unreachable!("the default machine follows a gradient");
    };
    let schedule = Schedule::Constant;
    Recipe::new(
        &config.training,
        Update::Gradient {
            kind,
            ascent: Ascent { schedule, ..ascent },
        },
    )
}

/// The model and the chains of a state, on burn's ndarray backend.
fn on_ndarray(state: &TrainingState) -> (Model<NdArrayBackend>, DeviceImages<NdArrayBackend>) {
    let chains = state.chains.as_ref().expect("the default machine has chains");
    (
        Model::new(&state.parameters, &Default::default()),
        DeviceImages::new(chains, &Default::default()),
    )
}

fn sampler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sampler");
    for latent in LATENT {
        let (_, _, state) = start(latent);
        let (model, chains) = on_ndarray(&state);
        let mut time = 0;
        group.bench_function(BenchmarkId::new("z from x", latent), |bencher| {
            bencher.iter(|| {
                time += 1;
                NdArrayBackend::draw_latent(model.forward_logits(&chains), Seed(1).draws(Stream::Latent, time, 0))
            });
        });
        let states = NdArrayBackend::draw_latent(model.forward_logits(&chains), Seed(1).draws(Stream::Latent, 0, 0));
        group.bench_function(BenchmarkId::new("x from z", latent), |bencher| {
            bencher.iter(|| {
                time += 1;
                NdArrayBackend::draw_visible(model.backward.val(), states.clone(), Seed(1).draws(Stream::Visible, time, 0))
            });
        });
    }
}

fn gradient(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gradient");
    for latent in LATENT {
        let (config, data, state) = start(latent);
        let (model, chains) = on_ndarray(&state);
        let images = DeviceImages::new(&batches(&config, &data).at(0), &Default::default());
        group.bench_function(BenchmarkId::from_parameter(latent), |bencher| {
            bencher.iter(|| two_step(&model, &images, &chains))
        });
    }
}

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for backend in [BackendName::Ndarray, BackendName::Flex] {
        // Flex is not in every build.
        let Ok(numerics) = backend.open() else { continue };
        for latent in LATENT {
            let (config, data, state) = start(latent);
            let mut trainer = numerics.trainer(&state, recipe(&config));
            let mut batches = batches(&config, &data);
            let mut time = 0;
            group.bench_function(BenchmarkId::new(backend.name(), latent), |bencher| {
                bencher.iter(|| {
                    trainer.step(&batches.at(time));
                    time += 1;
                });
            });
        }
    }
}

criterion_group!(benches, sampler, gradient, step);

/// What `criterion_main!` would be, on a thread of the pool as the program itself runs: see [`latent_cycles::cli::main`].
fn main() {
    rayon::scope(|_| {
        benches();
        Criterion::default().configure_from_args().final_summary();
    });
}
