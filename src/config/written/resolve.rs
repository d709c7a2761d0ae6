//! From what is written to what a run uses.

use super::super::{
    Ascent, Binarize, Chains, Classes, Config, ConfigError, DataConfig, EmConfig, EvaluationConfig, Files, GradientKind, Init, Method,
    ModelConfig, ModelKind, PathEntropy, Source, TrainingConfig,
};
use crate::codes::Layers;

use super::unused::{Unused, UnusedKeys};
use super::{BinarizeWord, Data, Evaluation, GradientWord, InitWord, Model, SamplingWord, SourceWord, Training, WrittenConfig, word};

impl WrittenConfig {
    /// What a run uses, checked, and the keys that it does not.
    ///
    /// # Errors
    /// Names the first key that cannot be, its value, and what it can be.
    pub fn resolve(&self) -> Result<(Config, Vec<Unused>), ConfigError> {
        let mut unused = UnusedKeys::default();
        let data = self.data.resolve(&mut unused)?;
        let latent = self.model.latent.resolve()?;
        let method = self.training.method(self.model.kind, &latent, &mut unused)?;
        let model = self.model.resolve(latent, &method, &mut unused)?;
        let mut config = Config {
            evaluation: self.evaluation.resolve(&model.latent, &data.source),
            data,
            training: TrainingConfig {
                steps: self.training.steps,
                seed: self.training.seed,
                probability_floor: self.training.probability_floor,
                method,
            },
            model,
            checkpoint: self.checkpoint.clone(),
        };
        if let (Method::Em(em), Init::Record(_)) = (&mut config.training.method, &config.model.init) {
            let reason = "model.init is \"record\", which is one start";
            let default = EmConfig::default().restarts;
            unused.add("training.em.restarts", &self.training.em.restarts, default, reason);
            em.restarts = 1;
        }
        config.check()?;
        Ok((config, unused.0))
    }
}

impl Data {
    fn resolve(&self, unused: &mut UnusedKeys) -> Result<DataConfig, ConfigError> {
        let files = [
            ("data.images", &self.images),
            ("data.labels", &self.labels),
            ("data.test_images", &self.test_images),
            ("data.test_labels", &self.test_labels),
        ];
        if let Some((key, _)) = files
            .iter()
            .find(|(_, path)| path.as_ref().is_some_and(|path| path.as_os_str().is_empty()))
        {
            return Err(ConfigError::value(key, "empty", "the path of a file, or left out"));
        }
        let source = match (self.source, &self.images) {
            (SourceWord::File, None) => {
                let allowed = "the path of a file or folder of images, as data.source is \"file\"";
                return Err(ConfigError::value("data.images", "nothing", allowed));
            }
            (SourceWord::File, Some(_)) if self.test_labels.is_some() && self.test_images.is_none() => {
                let allowed = "the path of a file or folder of images, as data.test_labels is given";
                return Err(ConfigError::value("data.test_images", "nothing", allowed));
            }
            (SourceWord::File, Some(images)) => Source::File(Files {
                images: images.clone(),
                labels: self.labels.clone(),
                test_images: self.test_images.clone(),
                test_labels: self.test_labels.clone(),
            }),
            (SourceWord::Bundled | SourceWord::Mnist | SourceWord::None, _) => {
                if let Some((key, path)) = files.iter().find_map(|(key, path)| Some((key, path.as_ref()?))) {
                    return Err(ConfigError::value(
                        key,
                        path.display().to_string(),
                        "left out unless data.source is \"file\"",
                    ));
                }
                match self.source {
                    SourceWord::Mnist => Source::Mnist,
                    SourceWord::None => Source::None,
                    _ => Source::Bundled,
                }
            }
        };
        const THRESHOLD: f64 = 0.5;
        // Files of one's own are meant to be used.
        let classes = match source {
            Source::File(_) | Source::None => Classes::All,
            Source::Bundled | Source::Mnist => DataConfig::default().classes,
        };
        Ok(DataConfig {
            source,
            classes: self.classes.clone().unwrap_or(classes),
            max_images: self.max_images,
            max_test_images: self.max_test_images,
            binarize: match self.binarize {
                BinarizeWord::Threshold => Binarize::Threshold(self.threshold.unwrap_or(THRESHOLD)),
                BinarizeWord::Stochastic => {
                    unused.add("data.threshold", &self.threshold, THRESHOLD, "data.binarize is \"stochastic\"");
                    Binarize::Stochastic
                }
            },
        })
    }
}

impl Model {
    fn resolve(&self, latent: Layers, method: &Method, unused: &mut UnusedKeys) -> Result<ModelConfig, ConfigError> {
        let sampled = method.samples_posterior();
        let tanh = self
            .tanh
            .filter(|_| sampled && !latent.are_listed() && self.kind == ModelKind::Nonequilibrium);
        if tanh.is_none() {
            let reason = if latent.are_listed() {
                "model.latent is not one of more binary units than have their states listed"
            } else {
                "model.kind is not \"nonequilibrium\""
            };
            unused.add("model.tanh", &self.tanh, 0, reason);
        }
        let default = if sampled { Init::SAMPLED_SCALE } else { Init::SCALE };
        let scale = self.scale.unwrap_or(default);
        let equilibrium = self.kind != ModelKind::Nonequilibrium;
        if self.init != InitWord::Record
            && let Some(path) = &self.record
        {
            return Err(ConfigError::value(
                "model.record",
                path.display().to_string(),
                "left out unless model.init is \"record\"",
            ));
        }
        let init = match self.init {
            InitWord::Reversible | InitWord::Cyclic if equilibrium => {
                return Err(ConfigError::value(
                    "model.init",
                    word(&self.init),
                    "\"random\", \"images\" or \"record\", as the machine is in equilibrium",
                ));
            }
            InitWord::Random => Init::Random { scale },
            InitWord::Reversible => Init::Reversible { scale },
            InitWord::Cyclic => Init::Cyclic { scale },
            InitWord::Images => {
                if equilibrium {
                    let reason = "a machine in equilibrium that starts at images has nothing random";
                    unused.add("model.scale", &self.scale, Init::SCALE, reason);
                }
                Init::Images {
                    scale: if equilibrium { Init::SCALE } else { scale },
                }
            }
            InitWord::Record => {
                unused.add("model.scale", &self.scale, Init::SCALE, "model.init is \"record\"");
                let Some(path) = self.record.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
                    let allowed = "the path of a record, as model.init is \"record\"";
                    return Err(ConfigError::value("model.record", "nothing", allowed));
                };
                Init::Record(path.clone())
            }
        };
        Ok(ModelConfig {
            latent,
            init,
            tanh: tanh.unwrap_or(0),
        })
    }
}

impl Evaluation {
    fn resolve(&self, layers: &Layers, source: &Source) -> EvaluationConfig {
        let default = EvaluationConfig::of(layers, source);
        EvaluationConfig {
            every: self.every.unwrap_or(default.every),
            samples: self.samples.unwrap_or(default.samples),
        }
    }
}

impl Training {
    /// A kind of machine has a gradient of its own by default, and what needs the latent kernel needs images from every state.
    fn method(&self, kind: ModelKind, layers: &Layers, unused: &mut UnusedKeys) -> Result<Method, ConfigError> {
        let of_kind = format!("model.kind is \"{}\"", word(&kind));
        if self.samples_posterior(kind, layers)? {
            let method = self.sampled(kind)?;
            self.find_unused(&method, "training.posterior is \"recognition\"", unused);
            return Ok(method);
        }
        let gradient = |kind| Method::Gradient {
            kind,
            ascent: self.ascent(Ascent::default()),
        };
        let centered = self.centered.unwrap_or(false);
        let method = match (kind, self.gradient) {
            (ModelKind::Nonequilibrium, None | Some(GradientWord::TwoStep | GradientWord::Complete)) => {
                gradient(self.nonequilibrium(layers)?)
            }
            (ModelKind::Rbm, None | Some(GradientWord::Exact)) if layers.are_listed() => gradient(GradientKind::Exact { centered }),
            (ModelKind::Rbm, None | Some(GradientWord::Pcd)) => gradient(GradientKind::Pcd {
                chains: self.chains(),
                centered,
            }),
            (ModelKind::Directed, None | Some(GradientWord::Exact)) => gradient(GradientKind::Directed),
            (ModelKind::Mixture, None | Some(GradientWord::Em)) if !layers.is_one_hot() => gradient(GradientKind::Mixture),
            (ModelKind::Mixture, None | Some(GradientWord::Em)) => Method::Em(EmConfig {
                pseudo_count: self.em.pseudo_count.unwrap_or(EmConfig::default().pseudo_count),
                restarts: self.em.restarts.unwrap_or(EmConfig::default().restarts),
            }),
            (kind, Some(gradient)) => {
                let allowed = match kind {
                    ModelKind::Nonequilibrium => "\"two-step\" or \"complete\"",
                    ModelKind::Rbm if !layers.are_listed() => "\"pcd\"",
                    ModelKind::Rbm => "\"exact\" or \"pcd\"",
                    ModelKind::Mixture => "\"em\"",
                    ModelKind::Directed => "\"exact\"",
                };
                return Err(ConfigError::value(
                    "training.gradient",
                    word(&gradient),
                    format!("{allowed}, as {of_kind}"),
                ));
            }
        };
        self.find_unused(&method, &of_kind, unused);
        Ok(method)
    }

    fn nonequilibrium(&self, layers: &Layers) -> Result<GradientKind, ConfigError> {
        let complete = self.gradient == Some(GradientWord::Complete);
        let [entropy_weight, path_entropy_weight] = [self.entropy_weight, self.path_entropy_weight].map(|weight| weight.unwrap_or(0.0));
        let path_entropy = self.path_entropy()?;
        let steered = matches!(path_entropy, PathEntropy::Target(_));
        let deeper = layers.all().len() > 1;
        let needs_kernel = complete || entropy_weight != 0.0 || deeper && path_entropy_weight != 0.0;
        let refuse = |allowed: &str| {
            let sampling = self.sampling.unwrap_or(SamplingWord::Stratified);
            Err(ConfigError::value("training.sampling", word(&sampling), allowed))
        };
        match self.sampling {
            _ if steered && deeper => {
                let allowed = "left out, as model.latent is a list of layers";
                Err(ConfigError::value(
                    "training.path_entropy_target",
                    format!("{:?}", self.path_entropy_target.unwrap_or_default()),
                    allowed,
                ))
            }
            None | Some(SamplingWord::Stratified) if steered && (needs_kernel || self.sampling.is_some()) => {
                refuse("\"persistent\" with the two-step gradient and no entropy_weight, as path_entropy_target is given")
            }
            Some(SamplingWord::Stale) if path_entropy != PathEntropy::NONE && !needs_kernel => {
                refuse("\"persistent\" or \"stratified\", as stale images have lost the states that they were drawn from")
            }
            None | Some(SamplingWord::Persistent | SamplingWord::Stale) if !needs_kernel => Ok(GradientKind::TwoStep {
                chains: self.chains(),
                stale: self.sampling == Some(SamplingWord::Stale),
                path_entropy,
            }),
            None | Some(SamplingWord::Stratified) => Ok(GradientKind::Stratified {
                images: self.chains().count,
                complete,
                entropy_weight,
                path_entropy_weight,
            }),
            Some(_) => refuse("\"stratified\", as the complete gradient and the entropy production need the latent kernel"),
        }
    }

    pub(super) fn path_entropy(&self) -> Result<PathEntropy, ConfigError> {
        match (self.path_entropy_weight, self.path_entropy_target) {
            (Some(weight), Some(_)) if weight != 0.0 => Err(ConfigError::value(
                "training.path_entropy_weight",
                format!("{weight:?}"),
                "left out, as path_entropy_target sets the weight",
            )),
            (_, Some(target)) => Ok(PathEntropy::Target(target)),
            (weight, None) => Ok(PathEntropy::Weight(weight.unwrap_or(0.0))),
        }
    }

    /// The keys of other methods than this one.
    fn find_unused(&self, method: &Method, of_kind: &str, unused: &mut UnusedKeys) {
        let (chains, ascent) = (Chains::default(), Ascent::default());
        self.find_unused_of_sampling(method, unused);
        if method.machine() != ModelKind::Nonequilibrium {
            unused.add("training.sampling", &self.sampling, SamplingWord::Persistent, of_kind);
            unused.add("training.entropy_weight", &self.entropy_weight, 0.0, of_kind);
            unused.add("training.path_entropy_weight", &self.path_entropy_weight, 0.0, of_kind);
            unused.add("training.path_entropy_target", &self.path_entropy_target, f64::NAN, of_kind);
        }
        if method.machine() != ModelKind::Rbm {
            unused.add("training.centered", &self.centered, false, of_kind);
        }
        if method.chains().is_none() {
            let stratified = method.machine() == ModelKind::Nonequilibrium;
            let reason = match method.machine() {
                ModelKind::Nonequilibrium => "training.sampling is \"stratified\", which draws new images at each step",
                ModelKind::Rbm => "training.gradient is \"exact\", which needs no chains",
                ModelKind::Mixture | ModelKind::Directed => of_kind,
            };
            unused.add("training.chain_steps", &self.chain_steps, chains.steps, reason);
            if !stratified {
                unused.add("training.chains", &self.chains, chains.count, reason);
            }
        }
        if method.ascent().is_none() {
            let reason = format!("{of_kind}, which takes all images and no learning rate");
            unused.add("training.batch_size", &self.batch_size, Ascent::BATCH_SIZE, &reason);
            unused.add("training.learning_rate", &self.learning_rate, ascent.learning_rate, &reason);
            unused.add("training.schedule", &self.schedule, ascent.schedule, &reason);
            unused.add("training.rmsprop.decay", &self.rmsprop.decay, ascent.decay, &reason);
            unused.add("training.rmsprop.epsilon", &self.rmsprop.epsilon, ascent.epsilon, &reason);
        }
        if !matches!(method, Method::Em(_)) {
            let em = EmConfig::default();
            let reason = match method.machine() {
                ModelKind::Mixture => "model.latent is not one-hot and its codes are trained by a gradient, from one start",
                _ => of_kind,
            };
            unused.add("training.em.pseudo_count", &self.em.pseudo_count, em.pseudo_count, reason);
            unused.add("training.em.restarts", &self.em.restarts, em.restarts, reason);
        }
    }

    pub(super) fn chains(&self) -> Chains {
        let default = Chains::default();
        Chains {
            count: self.chains.unwrap_or(default.count),
            steps: self.chain_steps.unwrap_or(default.steps),
        }
    }

    pub(super) fn ascent(&self, default: Ascent) -> Ascent {
        Ascent {
            batch_size: self.batch_size,
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            schedule: self.schedule.unwrap_or(default.schedule),
            decay: self.rmsprop.decay.unwrap_or(default.decay),
            epsilon: self.rmsprop.epsilon.unwrap_or(default.epsilon),
        }
    }
}
