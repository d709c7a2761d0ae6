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
//! # Where everything is
//!
//! Data flow one way: images, conditionals, chain, gradient, step, record, latent kernel, thermodynamics, analysis, report.
//!
//! | module | its equation or purpose |
//! |---|---|
//! | [`data`] | IDX files, the bundled images, MNIST; binarization; minibatches |
//! | [`model`] | p(z\|x) and q(x\|z) as a burn module on any backend, in f32 |
//! | [`random`] | every draw as a function of seed, stream and position |
//! | [`chain`] | `z ~ p(.\|x)`, `x ~ q(.\|z)`: the persistent chains |
//! | [`gradient`] | dl/dW, dl/db, dl/dA by hand, without autodiff: over two steps, over all; of the entropy production; of an RBM |
//! | [`training`] | the step (RMSprop uphill, the floor on probabilities; EM for mixtures), schedules, starts, the loop, a run's folder |
//! | [`record`], [`exchange`] | burn records with a checksum; safetensors |
//! | [`ops`] | what the model asks of a backend beyond burn: generic, for CPUs, for GPUs |
//! | [`kernels`] | the CPU's: products of bits, draws by planes of bits, sums in log space, RMSprop |
//! | [`conditionals`] | p(z\|x) and q(x\|z) again in f64, for figures that are reported |
//! | [`estimate`] | the latent kernel T: by enumeration, by plain means, by importance sampling along tilts; errors by the jackknife |
//! | [`logs`] | sums of exponentials by their logarithms |
//! | [`latent`] | any Markov chain: pi by GTH elimination; currents, entropy production, cycles, reversibility, spectrum |
//! | [`evaluation`] | log-likelihood, the judge of generated images: the figures of metrics.jsonl |
//! | [`generation`] | images from a trained chain |
//! | [`analysis`] | everything asked of a trained model, with intervals: analysis.json, latent.npz, currents.dot |
//! | [`trained`] | a run's model or a record on the disk, and its analysis |
//! | [`report`] | the pictures: samples, and the page of an analysis |
//! | [`sweep`] | many runs from one file, side by side; what they say together |
//! | [`mod@bench`] | how long a step takes, beside the least that it has to |
//! | [`config`], [`backend`], [`numerics`], [`files`], [`cli`] | what can be configured; names to backends; a backend behind a trait; files that are whole or absent; the commands |
//! | [`watch`] | who looks on while long work is done, and may stop it |
//!
//! # Units and precision
//!
//! Entropies and log-likelihoods are in nats: log-likelihoods per image, entropy productions per step (`x -> z -> x` is one). Training is
//! in f32, evaluation in f64. At D = 784 the f32 gradient agrees with f64 to 2.6e-6 of its norm on all backends (test
//! `the_error_of_f32_at_784_pixels_is_as_stated`, which prints it). The class divergence `class_kl` judges images that the model draws in
//! its steady state, by a logistic regression trained on the labelled training images, whose accuracy is in manifest.json.
//!
//! # Use as a library
//!
//! ```no_run
//! use latent_cycles::estimate::Estimate;
//! use latent_cycles::record;
//!
//! let parameters = record::load_model("artifacts/runs/default-ndarray-1/model.mpk".as_ref())?;
//! let estimate = Estimate::of(&parameters)?;
//! println!("entropy production {} nats per step", estimate.entropy_production());
//! println!("self-transition {} per step", estimate.self_transition());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod analysis;
pub mod backend;
pub mod bench;
pub mod chain;
pub mod cli;
pub mod conditionals;
pub mod config;
pub mod data;
pub mod estimate;
pub mod evaluation;
pub mod exchange;
pub mod files;
pub mod generation;
pub mod gradient;
pub mod kernels;
pub mod latent;
mod lock;
pub mod logs;
pub mod model;
pub mod numerics;
pub mod ops;
#[cfg(any(feature = "wgpu", feature = "cuda", feature = "mnist"))]
mod panics;
pub mod random;
pub mod record;
pub mod report;
pub mod sweep;
mod text;
pub mod trained;
pub mod training;
pub mod watch;
