//! The model on a device, behind traits that do not name the backend: host arrays in, host arrays out.
//!
//! The model, the chain, the gradient and the step are generic over burn's backends, and every backend compiles them anew. The rest
//! of the program uses these two traits: it is compiled once, and a backend is a value.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;

use crate::bench::floor::{Floor, FloorOn};
use crate::bench::unit_floor::UnitFloorOn;
use crate::chain::walk_with_states;
use crate::data::BinaryImages;
use crate::data::packed::PackedImages;
use crate::gradient::chain_path::ChainPath;
use crate::gradient::sampled::sampled;
use crate::gradient::{StateImages, two_step};
use crate::model::recognition::{Recognition, RecognitionParameters};
use crate::model::tanh::{TanhGradient, UpwardGradient};
use crate::model::units::Pairs;
use crate::model::{Model, Parameters, matrix, to_matrix, to_vector};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::{Draws, Seed};
use crate::record::TrainingState;
use crate::training::step::{Recipe, Trainer, trainer};

/// A device, as manifests and messages describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The backend's name, as in `--backend`.
    pub backend: &'static str,
    /// The device in words.
    pub name: String,
    /// The largest array that it takes, in bytes.
    pub largest_array: u64,
    /// Do its arrays lie in this process's memory?
    pub host: bool,
    /// Is it a software renderer, which runs on the CPU?
    pub software: bool,
}

/// The model's operations on one device.
pub trait Numerics {
    /// The device that the operations run on.
    fn device(&self) -> &DeviceInfo;

    /// Moves chains `[N, D]` by `steps` full steps; see [`crate::chain`].
    fn walk(&self, parameters: &Parameters, chains: &BinaryImages, steps: usize, seed: Seed, time: u64) -> BinaryImages {
        self.walk_with_states(parameters, chains, steps, seed, time).1
    }

    /// The same with the latent states that the images were drawn from; none where no step is made.
    fn walk_with_states(
        &self,
        parameters: &Parameters,
        chains: &BinaryImages,
        steps: usize,
        seed: Seed,
        time: u64,
    ) -> (Option<Vec<i32>>, BinaryImages);

    /// The parts of the lower bound on a step's time with these chains and images, and of units whose states are not listed so many candidates for each image; see [`crate::bench`].
    fn floor(&self, parameters: &Parameters, chains: &PackedImages, images: &PackedImages, candidates: usize) -> Box<dyn Floor>;

    /// Puts a training state on the device, to be trained there.
    fn trainer(&self, state: &TrainingState, recipe: Recipe) -> Box<dyn Trainer>;
}

/// The model's operations one by one: what the tests compare between backends.
pub trait Inspect: Numerics {
    /// `ln p(z|x)` and `ln q(x|z)`, `[N, L]` each, of images `[N, D]`; nats.
    fn conditionals(&self, parameters: &Parameters, images: &BinaryImages) -> (Array2<f32>, Array2<f32>);

    /// The two-step gradient, in the shapes of the parameters; see [`crate::gradient`].
    fn gradient(&self, parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Parameters;

    /// The same by K candidates of each image, for chains that are pairs of words h `[N, H]` and images, and uphill for the recognition distribution; see
    /// [`crate::gradient::sampled`].
    fn sampled_gradient(
        &self,
        machine: (&Parameters, &RecognitionParameters),
        images: &BinaryImages,
        chains: (&BinaryImages, &BinaryImages),
        count: usize,
        draws: Draws,
    ) -> (Parameters, RecognitionParameters);

    /// The path entropy production of chains that are pairs of words h `[N, H]` and images, nats per step, and its gradient; see [`crate::gradient::unit_path`].
    fn unit_path(&self, parameters: &Parameters, chains: (&BinaryImages, &BinaryImages)) -> (f64, Parameters);

    /// Draws `z ~ p(.|x)` for every image, through all latent layers.
    fn draw_states(&self, parameters: &Parameters, images: &BinaryImages, draws: Draws) -> Vec<i32>;

    /// Draws `z ~ softmax(logits)` for every row of `[N, L]`; see [`crate::kernels::latent`].
    fn draw_latent(&self, logits: &Array2<f32>, draws: Draws) -> Vec<i32>;

    /// Draws images from `q(.|z)` of logits A `[L, D]` and states z; see [`crate::kernels::visible`].
    fn draw_visible(&self, logits: &Array2<f32>, latent: &[i32], draws: Draws) -> PackedImages;
}

/// The one implementation: a device of backend B.
pub(crate) struct On<B: Backend> {
    pub(crate) device: B::Device,
    pub(crate) info: DeviceInfo,
}

impl<B: ChainBackend> On<B> {
    fn model(&self, parameters: &Parameters) -> Model<B> {
        Model::new(parameters, &self.device)
    }

    fn images(&self, images: &BinaryImages) -> DeviceImages<B> {
        DeviceImages::new(&PackedImages::pack(images), &self.device)
    }
}

impl<B: ChainBackend> Numerics for On<B> {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn walk_with_states(
        &self,
        parameters: &Parameters,
        chains: &BinaryImages,
        steps: usize,
        seed: Seed,
        time: u64,
    ) -> (Option<Vec<i32>>, BinaryImages) {
        let (states, images) = walk_with_states(&self.model(parameters), self.images(chains), steps, seed, time);
        let states = states.map(|states| states.into_data().iter::<i32>().collect());
        (states, images.to_host().unpack())
    }

    fn floor(&self, parameters: &Parameters, chains: &PackedImages, images: &PackedImages, candidates: usize) -> Box<dyn Floor> {
        if !parameters.layers.are_listed() {
            return Box::new(UnitFloorOn::<B>::new(parameters, [chains, images], candidates, &self.device));
        }
        Box::new(FloorOn::<B>::new(parameters, chains, images, &self.device))
    }

    fn trainer(&self, state: &TrainingState, recipe: Recipe) -> Box<dyn Trainer> {
        trainer::<B>(state, recipe, &self.device)
    }
}

impl<B: ChainBackend> Inspect for On<B> {
    fn conditionals(&self, parameters: &Parameters, images: &BinaryImages) -> (Array2<f32>, Array2<f32>) {
        let model = self.model(parameters);
        let images = self.images(images);
        let log_dark = StateImages::of(&model).log_dark();
        (
            to_matrix(model.log_forward(&images)),
            to_matrix(model.log_backward(&images, log_dark)),
        )
    }

    fn gradient(&self, parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Parameters {
        two_step(&self.model(parameters), &self.images(images), &self.images(chains)).to_host(&parameters.layers)
    }

    fn sampled_gradient(
        &self,
        (parameters, recognition): (&Parameters, &RecognitionParameters),
        images: &BinaryImages,
        (words, chains): (&BinaryImages, &BinaryImages),
        count: usize,
        draws: Draws,
    ) -> (Parameters, RecognitionParameters) {
        let chains = Pairs {
            units: self.images(words),
            images: self.images(chains),
        };
        let recognition = Recognition::new(recognition, &self.device);
        let sampled = sampled(&self.model(parameters), &recognition, &self.images(images), &chains, count, draws);
        let UpwardGradient { matrix, bias, tanh } = sampled.recognition;
        (
            sampled.gradient.to_host(&parameters.layers),
            RecognitionParameters {
                matrix: to_matrix(matrix),
                bias: to_vector(bias),
                tanh: tanh.as_ref().map(TanhGradient::to_host),
            },
        )
    }

    fn unit_path(&self, parameters: &Parameters, (words, chains): (&BinaryImages, &BinaryImages)) -> (f64, Parameters) {
        let chains = Pairs {
            units: self.images(words),
            images: self.images(chains),
        };
        let ChainPath { produced, gradient } = ChainPath::of_units(&self.model(parameters), &chains);
        (produced, gradient.to_host(&parameters.layers))
    }

    fn draw_states(&self, parameters: &Parameters, images: &BinaryImages, draws: Draws) -> Vec<i32> {
        let states = self.model(parameters).draw_latent(&self.images(images), draws);
        states.into_data().iter::<i32>().collect()
    }

    fn draw_latent(&self, logits: &Array2<f32>, draws: Draws) -> Vec<i32> {
        let states = B::draw_latent(matrix(logits, &self.device), draws);
        states.into_data().iter::<i32>().collect()
    }

    fn draw_visible(&self, logits: &Array2<f32>, latent: &[i32], draws: Draws) -> PackedImages {
        let states = Tensor::from_data(TensorData::new(latent.to_vec(), [latent.len()]), &self.device);
        B::draw_visible(matrix(logits, &self.device), states, draws).to_host()
    }
}
