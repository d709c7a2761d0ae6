//! From what a run uses to what is written: config.toml holds the keys that the machine uses.

use super::super::{
    Binarize, Config, DataConfig, EvaluationConfig, Files, GradientKind, Init, Method, ModelConfig, ModelKind, Optimizer, PathEntropy,
    Source, TrainingConfig,
};
use super::{
    Adam, BinarizeWord, Data, Em, Evaluation, GradientWord, InitWord, Model, OptimizerWord, PosteriorWord, RmsProp, SamplingWord,
    SourceWord, Training, WrittenConfig,
};

impl From<&Config> for WrittenConfig {
    fn from(config: &Config) -> Self {
        let Config {
            data,
            model,
            training,
            evaluation,
            checkpoint,
        } = config;
        let mut written = Training::from(training);
        if matches!(model.init, Init::Record(_)) {
            // One start, whatever is written.
            written.em.restarts = None;
        }
        Self {
            data: data.into(),
            model: Model::new(model, training.method.machine()),
            training: written,
            evaluation: (*evaluation).into(),
            checkpoint: checkpoint.clone(),
        }
    }
}

impl From<&DataConfig> for Data {
    fn from(data: &DataConfig) -> Self {
        let files = match &data.source {
            Source::File(files) => Some(files.clone()),
            Source::Bundled | Source::Mnist | Source::None => None,
        };
        let Files {
            labels,
            test_images,
            test_labels,
            ..
        } = files.clone().unwrap_or_default();
        Self {
            source: match data.source {
                Source::Bundled => SourceWord::Bundled,
                Source::Mnist => SourceWord::Mnist,
                Source::None => SourceWord::None,
                Source::File(_) => SourceWord::File,
            },
            images: files.map(|files| files.images),
            labels,
            test_images,
            test_labels,
            classes: Some(data.classes.clone()),
            max_images: data.max_images,
            max_test_images: data.max_test_images,
            binarize: match data.binarize {
                Binarize::Threshold(_) => BinarizeWord::Threshold,
                Binarize::Stochastic => BinarizeWord::Stochastic,
            },
            threshold: match data.binarize {
                Binarize::Threshold(threshold) => Some(threshold),
                Binarize::Stochastic => None,
            },
        }
    }
}

impl Model {
    pub(super) fn new(model: &ModelConfig, kind: ModelKind) -> Self {
        let equilibrium = kind != ModelKind::Nonequilibrium;
        let (init, scale, record) = match &model.init {
            Init::Random { scale } => (InitWord::Random, Some(*scale), None),
            Init::Reversible { scale } => (InitWord::Reversible, Some(*scale), None),
            Init::Cyclic { scale } => (InitWord::Cyclic, Some(*scale), None),
            Init::Images { scale } => (InitWord::Images, (!equilibrium).then_some(*scale), None),
            Init::Record(path) => (InitWord::Record, None, Some(path.clone())),
        };
        Self {
            kind,
            latent: (&model.latent).into(),
            init,
            scale,
            record,
            tanh: (kind == ModelKind::Nonequilibrium && !model.latent.are_listed()).then_some(model.tanh),
        }
    }
}

impl From<EvaluationConfig> for Evaluation {
    fn from(EvaluationConfig { every, samples }: EvaluationConfig) -> Self {
        Self {
            every: Some(every),
            samples: Some(samples),
        }
    }
}

impl From<&TrainingConfig> for Training {
    fn from(training: &TrainingConfig) -> Self {
        let method = &training.method;
        let (gradient, sampling, entropy_weight, path_entropy) = match method {
            Method::Sampled(sampled) => (
                GradientWord::TwoStep,
                None,
                None,
                (!sampled.directed).then_some(sampled.path_entropy),
            ),
            Method::Gradient { kind, .. } => match kind {
                GradientKind::TwoStep { stale, path_entropy, .. } => {
                    let sampling = if *stale { SamplingWord::Stale } else { SamplingWord::Persistent };
                    (GradientWord::TwoStep, Some(sampling), Some(0.0), Some(*path_entropy))
                }
                GradientKind::Stratified {
                    complete,
                    entropy_weight,
                    path_entropy_weight,
                    ..
                } => {
                    let gradient = if *complete { GradientWord::Complete } else { GradientWord::TwoStep };
                    (
                        gradient,
                        Some(SamplingWord::Stratified),
                        Some(*entropy_weight),
                        Some(PathEntropy::Weight(*path_entropy_weight)),
                    )
                }
                GradientKind::Exact { .. } | GradientKind::Directed => (GradientWord::Exact, None, None, None),
                GradientKind::Pcd { .. } => (GradientWord::Pcd, None, None, None),
                GradientKind::Mixture => (GradientWord::Em, None, None, None),
            },
            Method::Em(_) => (GradientWord::Em, None, None, None),
        };
        let (chains, ascent) = (method.chains(), method.ascent());
        let sampled = match method {
            Method::Sampled(sampled) => Some(sampled),
            _ => None,
        };
        let adam = match sampled.map(|sampled| sampled.optimizer) {
            Some(Optimizer::Adam(adam)) => Some(adam),
            _ => None,
        };
        let em = match method {
            Method::Em(em) => Some(em),
            _ => None,
        };
        Self {
            steps: training.steps,
            batch_size: ascent.and_then(|ascent| ascent.batch_size),
            chains: match method {
                Method::Gradient {
                    kind: GradientKind::Stratified { images, .. },
                    ..
                } => Some(*images),
                _ => chains.map(|chains| chains.count),
            },
            chain_steps: chains.map(|chains| chains.steps),
            learning_rate: ascent.map(|ascent| ascent.learning_rate),
            schedule: ascent.map(|ascent| ascent.schedule),
            seed: training.seed,
            gradient: Some(gradient),
            sampling,
            centered: match method {
                Method::Gradient {
                    kind: GradientKind::Exact { centered } | GradientKind::Pcd { centered, .. },
                    ..
                } => Some(*centered),
                _ => None,
            },
            posterior: sampled.map(|_| PosteriorWord::Recognition),
            candidates: sampled.map(|sampled| sampled.candidates),
            optimizer: sampled.map(|sampled| match sampled.optimizer {
                Optimizer::RmsProp => OptimizerWord::RmsProp,
                Optimizer::Adam(_) => OptimizerWord::Adam,
            }),
            entropy_weight,
            path_entropy_weight: match path_entropy {
                Some(PathEntropy::Weight(weight)) => Some(weight),
                _ => None,
            },
            path_entropy_target: match path_entropy {
                Some(PathEntropy::Target(target)) => Some(target),
                _ => None,
            },
            probability_floor: training.probability_floor,
            rmsprop: RmsProp {
                decay: ascent.filter(|_| adam.is_none()).map(|ascent| ascent.decay),
                epsilon: ascent.filter(|_| adam.is_none()).map(|ascent| ascent.epsilon),
            },
            adam: Adam {
                decay: adam.map(|adam| adam.decay),
                square_decay: adam.map(|adam| adam.square_decay),
                epsilon: adam.map(|adam| adam.epsilon),
            },
            em: Em {
                pseudo_count: em.map(|em| em.pseudo_count),
                restarts: em.map(|em| em.restarts),
            },
        }
    }
}
