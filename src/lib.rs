//! Generative Markov chains that learn images and drift into nonequilibrium cycles.
//!
//! This program implements the model of M. Baiesi and A. Rosso, "Emergence of Nonequilibrium Latent Cycles in Unsupervised Generative
//! Modeling", [arXiv:2512.11415](https://arxiv.org/abs/2512.11415). Its formulas were derived from the paper's abstract and from
//! summaries of its method, and checked by finite differences and enumeration; where the paper's own equations differ in detail, what
//! stands here is what is computed.
//!
//! # The model
//!
//! Binary images x of D pixels and a latent state z, one of L, follow each other in one chain `... x -> z -> x' -> z' ...`:
//!
//! ```text
//! forward    p(z=k | x) = softmax_k( sum_i x_i W_ik + b_k )                  W [D, L],  b [L]
//! backward   q(x | z=k) = prod_i s(A_ki)^x_i (1 - s(A_ki))^(1 - x_i)         A [L, D],  s(a) = 1 / (1 + exp(-a))
//! ```
//!
//! In a Boltzmann machine the two conditionals belong to one joint distribution and the chain is reversible. Here W and A are
//! independent. The latent states alone form a chain with the kernel
//!
//! ```text
//! T_jk = sum_x q(x|j) p(k|x),          pi = pi T,          P(x) = sum_k pi_k q(x|k)
//! ```
//!
//! Its steady state pi makes the distribution of images a mixture of L Bernoulli products, whose weights are set by the dynamics: the
//! likelihood is exact once pi is known, with no partition function. It is reversible if `W_ik = A_ki + c_i`; then p is the posterior of
//! q in a Boltzmann machine with a one-hot hidden layer, and all currents vanish. Otherwise currents circulate among the latent states,
//! and their entropy production says how far from equilibrium the machine is.
//!
//! # Latent layers with structure
//!
//! With one-hot states pi is free whatever the dynamics: b alone can set it, so that a reversible machine reaches the likelihood of any other. Let both
//! matrices act on *codes* instead, fixed vectors c_k in R^H, the rows of C `[L, H]`, with fixed log-weights g_k:
//!
//! ```text
//! p(k|x) = softmax_k( (x W + b) . c_k + g_k )        W [D, H],  b [H]
//! q(x|k) = prod_i Bernoulli( s(A~_ki) )              A~ = a + C A,  A [H, D],  a [D]
//! ```
//!
//! C = 1 is the model above. With all words of H bits the latent layer is H binary units; with several unit vectors, categorical ones; with the points of a
//! grid, a Gaussian latent space. Everything that sums over states stays as it is; a gradient is that of the tables `W~ = W C^T` and `A~`, contracted with C. Now the
//! two conditionals belong to one joint distribution only if `W = A^T`, but for what adds the same to all states, and then pi is tied to A: reversibility costs
//! likelihood. [`codes`] has the layers, [`guide::figures`] the figures. In a deeper chain `x -> z_1 -> z_2 -> x'` a matrix acts on the codes of each two layers that
//! follow each other, pi and u belong to the last, and u goes back through the transitions between them, `u_1 = M u`.
//!
//! A single layer of more than twelve binary units has too many states to list. The posterior of the data is then sampled with a third, recognition distribution, and
//! pi of a word is a mean over chains: [`guide::units`].
//!
//! # The gradient
//!
//! The log-likelihood of data is `l = mean_n ln sum_k pi_k q(x_n|k)`. It depends on A through q, and on everything through pi, which
//! solves `pi_k = E_{x'~P}[ p(k|x') ]` with P made of pi again. Differentiating through that fixed point needs a matrix inverse. The
//! two-step gradient keeps the parameters of the last two steps `x' -> z -> x` explicit and holds the distribution of x', which fed
//! them, fixed. For the step `z -> x`, with the responsibilities `r_nk = pi_k q(x_n|k) / P(x_n)`,
//!
//! ```text
//! dl/dA_ki = mean_n r_nk d ln q(x_n|k) / dA_ki = mean_n r_nk ( x_ni - s(A_ki) )
//! ```
//!
//! For the step `x' -> z`, first `dl/dpi_k = mean_n q(x_n|k) / P(x_n) = u_k`; then a softmax has `dp_j/da_k = p_j (1[j=k] - p_k)`, so that
//!
//! ```text
//! dl/dW_ik = E_{x'} sum_j u_j dp(j|x')/dW_ik = E_{x'} [ x'_i p(k|x') ( u_k - sum_j p(j|x') u_j ) ]
//! dl/db_k  = E_{x'} [ p(k|x') ( u_k - sum_j p(j|x') u_j ) ]
//! ```
//!
//! `u_k = rho_k / pi_k` compares the share rho of the data that state k answers for with its weight in the chain: the forward matrix
//! turns the chain toward states that the data want more, and rests where `rho = pi`. E over x' is a mean over persistent chains.
//!
//! # The order of a step
//!
//! A training step moves the chains with the parameters that the last update left, takes the gradient at the images they arrive at, with
//! those same parameters, and updates. This order is part of the method. With learning rates of 5e-3 an update changes a logit by order
//! one, and a gradient taken at images that were drawn before it (`training.sampling = "stale"`) ends in a machine that is slower and nearer
//! to equilibrium, at the same likelihood: self-transition 0.4 instead of 0.001, entropy production 2 instead of 9 (artifacts/paper). A
//! test pins it.
//!
//! # Use as a library
//!
//! A trained model, from a run's folder or a record file, and its figures with 95% intervals:
//!
//! ```no_run
//! let parameters = latent_cycles::load("artifacts/runs/default-ndarray-1")?;
//! let estimate = latent_cycles::Estimate::of(&parameters)?;
//! println!("entropy production {} nats per step", estimate.entropy_production());
//! println!("self-transition {} per step", estimate.self_transition());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`analyze`] also compares with the run's data, as the command does. [`train`] trains from a [`Config`] in a new folder; a [`Session`] does it step
//! by step, can be watched and stopped, and goes on where a run was left. [`latent`] is the thermodynamics of any finite Markov chain,
//! given as a matrix. [`model`] is the burn module, for programs that use burn.
//!
//! # Where everything is
//!
//! Data flow one way: images, conditionals, chain, gradient, step, record, latent kernel, thermodynamics, analysis, report. Modules that are no
//! part of the interface are documented in their source.
//!
//! | module | its equation or purpose |
//! |---|---|
//! | [`guide`] | how to use the program, topic by topic |
//! | [`config`] | what can be configured, and the defaults |
//! | [`data`] | images from files (IDX, .npy, .npz, PNG), the bundled images, MNIST; binarization; minibatches |
//! | [`codes`] | what a latent layer is: the codes of its states, which both matrices act on |
//! | [`model`] | p(z\|x) and q(x\|z) as a burn module on any backend, in f32 |
//! | `src/random.rs` | every draw as a function of seed, stream and position |
//! | `src/chain.rs` | `z ~ p(.\|x)`, `x ~ q(.\|z)`: the persistent chains |
//! | `src/gradient` | dl/dW, dl/db, dl/dA by hand, without autodiff: two-step and complete, at a sampled posterior; of the entropy productions; of RBMs, mixtures and directed models |
//! | [`training`] | the step (RMSprop or Adam uphill, the floor on probabilities; EM for mixtures), schedules, starts, the loop, a run's folder |
//! | `src/record`, `src/exchange.rs` | burn records with a checksum, checked before they are believed; safetensors |
//! | `src/ops` | the operations of the model that burn's backends lack: generic, for CPUs, for GPUs |
//! | `src/kernels` | those of the CPU: products of bits, draws by planes of bits, sums in log space, RMSprop |
//! | `src/backend`, `src/numerics.rs` | from a backend's name to its type; the model on a device behind a trait |
//! | `src/conditionals.rs` | p(z\|x) and q(x\|z) again in f64, for figures that are reported |
//! | [`estimate`] | the latent kernel T: by enumeration, by plain means, by importance sampling along tilts; errors by the jackknife, bounds on the entropy production of many states |
//! | `src/units` | machines of more binary units than have their states listed: pi of a word from chains, the lower bound of the likelihood, annealing, the path entropy production |
//! | [`latent`] | any Markov chain: pi by GTH elimination, in blocks where states are many; currents, entropy production, its fluctuations, how precise currents are, cycles, reversibility, spectrum, macrostates, first passages, stays |
//! | `src/evaluation` | log-likelihood, the classifier of generated images: the figures of metrics.jsonl |
//! | `src/generation.rs` | images from a trained chain |
//! | `src/analysis`, `src/trained.rs` | everything asked of a trained model, with intervals: analysis.json, latent.npz, currents.dot |
//! | `src/report` | the pictures, and the pages of an analysis and of a sweep |
//! | `src/sweep` | many runs from one file, side by side, and their comparison |
//! | `src/bench` | the time of a step beside a lower bound on it |
//! | `src/cli` | the commands |
//!
//! # Units and precision
//!
//! Entropies and log-likelihoods are in nats: log-likelihoods per image, entropy productions per step (`x -> z -> x` is one). Training is
//! in f32, evaluation in f64. At D = 784 the f32 gradient agrees with f64 to 2.6e-6 of its norm on all backends (test
//! `the_error_of_f32_at_784_pixels_is_as_stated`, which prints it). The class divergence `class_kl` judges images that the model draws in
//! its steady state, by a logistic regression trained on the labelled training images, whose accuracy is in manifest.json.
//
#![warn(missing_docs)]

pub mod codes;
pub mod config;
pub mod data;
pub mod estimate;
pub mod guide;
pub mod latent;
pub mod model;
pub mod training;

#[doc(inline)]
pub use self::analysis::{Analysis, Headline};
#[doc(inline)]
pub use self::backend::BackendName;
#[doc(inline)]
pub use self::config::Config;
#[doc(inline)]
pub use self::estimate::Estimate;
#[doc(inline)]
pub use self::estimate::jackknife::Figure;
#[doc(inline)]
pub use self::latent::SteadyState;
#[doc(inline)]
pub use self::model::Parameters;
#[doc(inline)]
pub use self::random::Seed;
#[doc(inline)]
pub use self::trained::{analyze, load};
#[doc(inline)]
pub use self::training::Outcome;
#[doc(inline)]
pub use self::training::session::{Session, train};
#[doc(inline)]
pub use self::watch::{Stopped, Watch};

mod lock;
#[cfg(any(feature = "wgpu", feature = "cuda", feature = "mnist"))]
mod panics;
mod text;

// Reached by the program, its tests and its benches. No part of the interface: these change without notice.
#[doc(hidden)]
pub mod analysis;
#[doc(hidden)]
pub mod backend;
#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod chain;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod conditionals;
#[doc(hidden)]
pub mod evaluation;
#[doc(hidden)]
pub mod exchange;
#[doc(hidden)]
pub mod files;
#[doc(hidden)]
pub mod generation;
#[doc(hidden)]
pub mod gradient;
#[doc(hidden)]
pub mod kernels;
#[doc(hidden)]
pub mod logs;
#[doc(hidden)]
pub mod numerics;
#[doc(hidden)]
pub mod ops;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod sweep;
#[doc(hidden)]
pub mod trained;
#[doc(hidden)]
pub mod units;
#[doc(hidden)]
pub mod watch;
