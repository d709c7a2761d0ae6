//! What a checkpoint holds: everything that a run needs to go on.

use crate::config::Optimizer;
use crate::data::packed::PackedImages;
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;

/// Everything that a run needs to go on: what a checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// W, b and A.
    pub parameters: Parameters,
    /// RMSprop's running mean of the squared gradient, of each parameter.
    pub mean_squares: Parameters,
    /// The persistent chains, N images of D pixels, of a method that has some.
    pub chains: Option<PackedImages>,
    /// The weight of the path entropy production in the objective, where it is steered.
    pub path_entropy_weight: Option<f64>,
    /// What is there besides where the posterior is sampled.
    pub sampled: Option<SampledState>,
    /// Steps taken.
    pub step: u64,
}

/// The recognition distribution of a machine whose posterior is sampled, and what the optimizer remembers of both.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledState {
    /// R and c.
    pub recognition: RecognitionParameters,
    /// The running mean of their squared gradient.
    pub recognition_mean_squares: RecognitionParameters,
    /// The running mean of the gradient, of the model and of R and c, which Adam has.
    pub means: Option<(Parameters, RecognitionParameters)>,
}

impl TrainingState {
    /// Is every number finite?
    pub fn is_finite(&self) -> bool {
        let models = [&self.parameters, &self.mean_squares].into_iter();
        let of_sampled = self.sampled.iter().flat_map(SampledState::numbers);
        models
            .flat_map(Parameters::numbers)
            .chain(of_sampled)
            .all(|number| number.is_finite())
    }
}

impl SampledState {
    /// Does it remember what an optimizer needs, and no more?
    pub fn is_of(&self, optimizer: Optimizer) -> bool {
        self.means.is_some() == matches!(optimizer, Optimizer::Adam(_))
    }

    fn numbers(&self) -> impl Iterator<Item = &f32> {
        let recognitions = [&self.recognition, &self.recognition_mean_squares].into_iter();
        let means = self.means.iter();
        let means = means.flat_map(|(model, recognition)| model.numbers().chain(recognition.numbers()));
        recognitions.flat_map(RecognitionParameters::numbers).chain(means)
    }

    /// At step 0: the recognition distribution is the forward transition, and nothing is remembered.
    pub fn begin(parameters: &Parameters, optimizer: Optimizer) -> Self {
        let adam = matches!(optimizer, Optimizer::Adam(_));
        let recognition = RecognitionParameters {
            matrix: parameters.forward.clone(),
            bias: parameters.forward_bias.clone(),
            tanh: parameters.tanh.clone(),
        };
        let zeros = recognition.zeros_like();
        Self {
            recognition,
            means: adam.then(|| (parameters.zeros_like(), zeros.clone())),
            recognition_mean_squares: zeros,
        }
    }
}
