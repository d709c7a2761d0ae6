//! The numerics on some backend, seen without its type: host arrays in, host arrays out.
//!
//! The model, the chain, the gradient and the step are generic over burn's backends, and every backend compiles them anew. The rest
//! of the program needs none of those types: behind these two traits it is compiled once, and a backend is a value.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use ndarray::Array2;

use crate::chain::walk;
use crate::config::TrainingConfig;
use crate::data::BinaryImages;
use crate::gradient::two_step;
use crate::model::{Model, Parameters, matrix, to_matrix, to_vector};
use crate::random::Seed;
use crate::record::TrainingState;
use crate::training::step::Training;

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The backend's name, as in `--backend`.
    pub backend: &'static str,
    /// The device in words.
    pub name: String,
    /// The largest array that it takes, in bytes.
    pub largest_array: u64,
}

/// The model's operations on one device.
pub trait Numerics {
    /// What the operations run on.
    fn device(&self) -> &DeviceInfo;

    /// `ln p(z|x)` and `ln q(x|z)`, `[N, L]` each, of images `[N, D]`; nats.
    fn conditionals(&self, parameters: &Parameters, images: &BinaryImages) -> (Array2<f32>, Array2<f32>);

    /// The two-step gradient, in the shapes of the parameters; see [`crate::gradient`].
    fn gradient(&self, parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Parameters;

    /// Moves chains `[N, D]` by `steps` full steps; see [`crate::chain`].
    fn walk(&self, parameters: &Parameters, chains: &BinaryImages, steps: usize, seed: Seed, time: u64) -> BinaryImages;

    /// Puts a training state on the device, to be trained there.
    fn trainer(&self, state: &TrainingState, config: &TrainingConfig) -> Box<dyn Trainer>;
}

/// A model in training on one device.
pub trait Trainer {
    /// Takes one training step with a minibatch `[B, D]` and a learning rate.
    fn step(&mut self, images: &BinaryImages, learning_rate: f64);

    /// The present parameters.
    fn parameters(&self) -> Parameters;

    /// All that is needed to go on from here.
    fn state(&self) -> TrainingState;
}

/// The one implementation: a device of backend B.
pub(crate) struct On<B: Backend> {
    pub(crate) device: B::Device,
    pub(crate) info: DeviceInfo,
}

impl<B: Backend> On<B> {
    fn model(&self, parameters: &Parameters) -> Model<B> {
        Model::new(parameters, &self.device)
    }

    fn images(&self, images: &BinaryImages) -> Tensor<B, 2> {
        to_tensor(images, &self.device)
    }
}

impl<B: Backend> Numerics for On<B> {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn conditionals(&self, parameters: &Parameters, images: &BinaryImages) -> (Array2<f32>, Array2<f32>) {
        let model = self.model(parameters);
        let images = self.images(images);
        (to_matrix(model.log_forward(images.clone())), to_matrix(model.log_backward(images)))
    }

    fn gradient(&self, parameters: &Parameters, images: &BinaryImages, chains: &BinaryImages) -> Parameters {
        let gradient = two_step(&self.model(parameters), self.images(images), self.images(chains));
        Parameters {
            forward: to_matrix(gradient.forward),
            forward_bias: to_vector(gradient.forward_bias),
            backward: to_matrix(gradient.backward),
        }
    }

    fn walk(&self, parameters: &Parameters, chains: &BinaryImages, steps: usize, seed: Seed, time: u64) -> BinaryImages {
        from_tensor(walk(&self.model(parameters), self.images(chains), steps, seed, time))
    }

    fn trainer(&self, state: &TrainingState, config: &TrainingConfig) -> Box<dyn Trainer> {
        Box::new(Training::<B>::new(state, config, &self.device))
    }
}

/// Binary images on a device, as 0.0 and 1.0.
pub(crate) fn to_tensor<B: Backend>(images: &BinaryImages, device: &B::Device) -> Tensor<B, 2> {
    matrix(&images.mapv(f32::from), device)
}

/// Binary images, back on the host.
pub(crate) fn from_tensor<B: Backend>(images: Tensor<B, 2>) -> BinaryImages {
    to_matrix(images).mapv(|pixel| u8::from(pixel != 0.0))
}
