//! The latent kernel of a model and its thermodynamics: enumerated, or estimated with an error for every figure.
//!
//! ```text
//! T_jk = sum_x q(x|j) p(k|x)                                  [L, L]
//! ```
//!
//! [`exact`] sums over all images where there are few. Otherwise [`importance`] draws images from each state along the [`tilt`]s that make
//! its rare transitions common, and [`jackknife`] turns groups of draws into errors and removes the bias of curved functions.
//! [`autocorrelation`] says how far apart independent images lie; [`path`] adds the images to the entropy production;
//! [`reversible`] knows the models whose steady state has a closed form. [`plain`] is the estimate by plain means, cheap enough for
//! training; [`stratified`] is the same in groups of draws, for states with structure, of which there may be thousands.
//!
//! [`Settings::method`] chooses among them, [`Estimate::of`] with the settings that suit the model, and knows the figures with their intervals:
//!
//! ```
//! use latent_cycles::estimate::Estimate;
//! use latent_cycles::model::Parameters;
//! use ndarray::Array2;
//!
//! // Each of three states lights two pixels, which the next state looks for.
//! let lights = |state: usize, pixel: usize| if pixel / 2 == state { 2.0 } else { -2.0 };
//! let mut parameters = Parameters::zeros(6, 3);
//! parameters.backward = Array2::from_shape_fn((3, 6), |(state, pixel)| lights(state, pixel));
//! parameters.forward = Array2::from_shape_fn((6, 3), |(pixel, state)| lights((state + 2) % 3, pixel));
//!
//! let estimate = Estimate::of(&parameters)?;
//! let produced = estimate.entropy_production();                        // exact: the 64 images are enumerated
//! assert!(produced.value.is_some_and(|nats_per_step| nats_per_step > 1.0));
//! println!("{produced} nats per step, self-transition {}", estimate.self_transition());
//! # Ok::<(), latent_cycles::estimate::EstimateError>(())
//! ```

pub mod autocorrelation;
mod bounds;
pub mod exact;
mod figures;
pub mod importance;
pub mod jackknife;
mod lumped;
pub mod path;
pub mod plain;
pub mod reversible;
pub mod sampling;
mod selection;
pub mod stratified;
pub mod tilt;

use ndarray::Array1;

use self::exact::{MOST_PIXELS, MOST_TERMS, enumerate};
pub use self::figures::Spectra;
use self::importance::{Sampled, sample};
use self::jackknife::Figure;
use self::reversible::{balanced, closed_form};
use self::sampling::Sampling;
pub(crate) use self::selection::{MOST_TIMES, SHARE as TILTED_SHARE, WANTED};
use self::stratified::{Kernels, Strata};
use crate::conditionals::Conditionals;
use crate::data::packed::PackedImages;
use crate::latent::{ChainError, SteadyState};
use crate::model::Parameters;
use crate::random::Seed;
use crate::watch::{Stopped, Watch};

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EstimateError {
    /// Whoever watched the work ended it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Parameters that are not finite, or whose products or exponentials are not.
    #[error("the model's transition probabilities cannot be computed in f64: its parameters are too large, or too far apart")]
    NoNumbers,
    /// The kernel is that of no chain with one steady state.
    #[error("the model's latent states are no Markov chain with one steady state, as far as f64 can tell: {0}")]
    NoChain(ChainError),
    /// Too many states for a kernel.
    #[error("a model of {0} has too many latent states for a table of their transitions")]
    NotListed(String),
    /// For enumeration.
    #[error("2^D images are enumerated, for at most {MOST_PIXELS} pixels; this model has {0}")]
    TooManyPixels(usize),
    /// More draws than there are random numbers for.
    #[error("{samples} images are to be drawn from each proposal; with {latent} latent states it can be at most {most}")]
    TooManySamples {
        /// Asked for.
        samples: usize,
        /// L.
        latent: usize,
        /// What can be.
        most: usize,
    },
}

impl From<ChainError> for EstimateError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Stopped(stopped) => Self::Stopped(stopped),
            ChainError::Apart(_) => Self::NoChain(error),
            // Rows of a kernel sum to 1 but for numbers that are none.
            ChainError::Shape(..) | ChainError::Entry(..) | ChainError::Row(..) => Self::NoNumbers,
        }
    }
}

/// The ways to a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// All images are summed over.
    Enumeration,
    /// Importance sampling along the tilts of every transition: each, however rare, has its own relative error.
    Tilts,
    /// Plain means over the images of every state: transitions rarer than one draw in all are known badly.
    Plain,
}

impl Method {
    /// What suits a model that is not enumerated. Tilts need logits that are linear in x, and time that grows as the cube of L.
    pub fn of(parameters: &Parameters) -> Self {
        let most = if parameters.layers.is_one_hot() {
            MOST_TILTED_ONE_HOT
        } else {
            MOST_TILTED
        };
        if parameters.between.is_empty() && parameters.latent() <= most {
            Self::Tilts
        } else {
            Self::Plain
        }
    }
}

/// The most one-hot states whose transitions have tilts of their own: tables `[L, L]` for each of 32 groups take 1.1 GB.
const MOST_TILTED_ONE_HOT: usize = 2000;
/// The most states with structure: some 20 seconds on 2 cores, which grow as the cube, or more where shared weights make many states compete.
const MOST_TILTED: usize = 32;

/// How a kernel is found.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Enumerate all images instead of drawing some; for at most [`MOST_PIXELS`] pixels.
    pub exact: bool,
    /// Images from each proposal; rounded up to a multiple of [`sampling::GROUPS`].
    pub samples: usize,
    /// The seed of all draws.
    pub seed: Seed,
}

impl Settings {
    /// What suits a model: enumeration where that takes no more than a minute, else as many draws as [`Sampling::default_samples`] says, or of plain
    /// means [`Sampling::default_plain_samples`]; with seed 1.
    pub fn of(parameters: &Parameters) -> Self {
        let latent = parameters.latent();
        let kernel = latent.saturating_mul(latent);
        Self {
            exact: parameters.visible() <= MOST_PIXELS && kernel <= MOST_TERMS >> parameters.visible(),
            samples: match Method::of(parameters) {
                Method::Plain => Sampling::default_plain_samples(latent),
                Method::Enumeration | Method::Tilts => Sampling::default_samples(latent),
            },
            seed: Seed(1),
        }
    }

    /// The way to the kernel of a model: the one place where it is chosen.
    pub fn method(self, parameters: &Parameters) -> Method {
        if self.exact { Method::Enumeration } else { Method::of(parameters) }
    }

    /// How images are drawn for a model.
    pub fn sampling(self, parameters: &Parameters) -> Sampling {
        match self.method(parameters) {
            Method::Plain => Sampling::in_groups(Sampling::groups_of(parameters.latent()), self.samples, self.seed),
            Method::Enumeration | Method::Tilts => Sampling::new(self.samples, self.seed),
        }
    }
}

/// The latent chain of a model, with what its images add to the entropy production.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// T and pi.
    pub steady: SteadyState,
    /// What the steps from each state z add to the path's entropy production, given z, `[L]`, nats. How the whole is divided between a
    /// step and its reverse differs between methods.
    pub path: Array1<f64>,
}

impl Kernel {
    /// Path entropy production, nats per step of the whole chain, images included:
    ///
    /// ```text
    /// sigma = E [ ln q(x|z) p(z'|x) - ln q(x|z') p(z|x) ],      z ~ pi,  x ~ q(.|z),  z' ~ p(.|x)
    /// ```
    ///
    /// It is at least the latent entropy production, which sees less of the path.
    pub fn path_entropy_production(&self) -> f64 {
        self.steady.mean(&self.path)
    }

    /// The kernel of a model that is known to be in balance with this `ln pi`: no step produces entropy.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn in_balance(&self, log_pi: &Array1<f64>, watch: &dyn Watch) -> Result<Self, Stopped> {
        Ok(Self {
            steady: balanced(&self.steady, log_pi, watch)?,
            path: Array1::zeros(log_pi.len()),
        })
    }

    /// Are all its numbers numbers?
    fn is_finite(&self) -> bool {
        self.path.iter().chain(self.steady.log_pi()).all(|number| number.is_finite())
    }
}

/// A kernel as well as it is known.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// From all draws.
    pub kernel: Kernel,
    /// From all draws but one group's, for each of [`sampling::GROUPS`] groups; empty where the kernel is exact.
    pub without: Vec<Kernel>,
    /// Is the model reversible by construction, so that its steady state is a closed form?
    pub reversible: bool,
    /// How it was found.
    pub method: Method,
    /// Images drawn from each state, or from each proposal; none for an exact kernel.
    pub samples: usize,
    /// Transitions along whose tilts images were drawn.
    pub tilted: usize,
}

impl Estimate {
    /// The kernel of a model, with the settings that suit it.
    ///
    /// # Errors
    /// When the model's numbers overflow.
    pub fn of(parameters: &Parameters) -> Result<Self, EstimateError> {
        Self::with(parameters, Settings::of(parameters), &())
    }

    /// The kernel of a model, found as the settings say. One that is reversible by construction has the steady state of its
    /// [closed form](closed_form), and produces no entropy.
    ///
    /// # Errors
    /// When the model's numbers overflow, when it has too many pixels to be enumerated or too many states for so many draws, or when it is
    /// stopped.
    pub fn with(parameters: &Parameters, settings: Settings, watch: &dyn Watch) -> Result<Self, EstimateError> {
        if !parameters.layers.are_listed() {
            return Err(EstimateError::NotListed(parameters.layers.describe()));
        }
        let model = Conditionals::new(parameters);
        if settings.exact {
            return Self::enumerated(parameters, &model, watch);
        }
        Ok(Self::sampled(parameters, &model, settings, 0, |_| Vec::<()>::new(), watch)?.estimate)
    }

    /// The kernel from draws, which a time keys; `observe` gives one observation for each image drawn from a state.
    ///
    /// # Errors
    /// As [`Estimate::with`].
    pub(crate) fn sampled<T: Send + Sync>(
        parameters: &Parameters,
        model: &Conditionals,
        settings: Settings,
        time: u64,
        observe: impl Fn(&PackedImages) -> Vec<T> + Sync,
        watch: &dyn Watch,
    ) -> Result<Sampled<T>, EstimateError> {
        let log_pi = closed_form(parameters);
        let sampling = settings.sampling(parameters).at(time);
        if settings.method(parameters) == Method::Tilts {
            return sample(model, log_pi.as_ref(), sampling, observe, watch);
        }
        sampling.check(model.latent())?;
        let Kernels {
            whole: mut kernel,
            mut without,
            observed,
        } = Strata::draw(model, sampling, observe, watch)?.kernels(watch)?;
        if let Some(log_pi) = &log_pi {
            for kernel in without.iter_mut().chain([&mut kernel]) {
                *kernel = kernel.in_balance(log_pi, watch)?;
            }
        }
        if !std::iter::once(&kernel).chain(&without).all(Kernel::is_finite) {
            return Err(EstimateError::NoNumbers);
        }
        Ok(Sampled {
            // Every row is a mean of distributions.
            row_sums: Array1::ones(model.latent()),
            estimate: Self {
                kernel,
                without,
                reversible: log_pi.is_some(),
                method: Method::Plain,
                samples: sampling.samples(),
                tilted: 0,
            },
            observed,
        })
    }

    /// The exact kernel; of a model in balance, the fluxes of both directions are made equal to the last bit, which changes T and pi by the
    /// rounding of the model's parameters to f32.
    pub(crate) fn enumerated(parameters: &Parameters, model: &Conditionals, watch: &dyn Watch) -> Result<Self, EstimateError> {
        let log_pi = closed_form(parameters);
        let mut kernel = enumerate(model, watch)?;
        if let Some(log_pi) = &log_pi {
            kernel.steady = balanced(&kernel.steady, log_pi, watch)?;
        }
        if !kernel.is_finite() {
            return Err(EstimateError::NoNumbers);
        }
        Ok(Self {
            kernel,
            without: Vec::new(),
            reversible: log_pi.is_some(),
            method: Method::Enumeration,
            samples: 0,
            tilted: 0,
        })
    }
}
