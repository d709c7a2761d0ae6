//! Fixtures: backends, random models whose dimensions are distinct primes, and the model written out plainly in f64.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use latent_cycles::backend::{BackendError, BackendName};
use latent_cycles::codes::Layers;
use latent_cycles::config::{Config, ConfigError, Method};
use latent_cycles::data::BinaryImages;
use latent_cycles::model::Parameters;
use latent_cycles::numerics::Inspect;
use latent_cycles::random::{Seed, Stream, normal, uniform_f64};
use latent_cycles::training::step::{Recipe, Update};
use latent_cycles::watch::Watch;
use ndarray::{Array1, Array2};

/// Runs a check on every backend. Where there is no graphics adapter, wgpu is skipped and named, past the capture of output, unless
/// the variable REQUIRE_WGPU is set; likewise cuda where there is no driver, unless REQUIRE_CUDA is; a backend that this build lacks
/// is skipped and named too.
pub fn on_every_backend(test: &str, check: impl Fn(&dyn Inspect)) {
    for name in [BackendName::Ndarray, BackendName::Flex, BackendName::Wgpu, BackendName::Cuda] {
        match name.inspect() {
            Ok(numerics) => check(&*numerics),
            Err(error) if may_be_missing(name, &error) => {
                let _ = writeln!(std::io::stderr(), "skipped: {test} on {}: {error}", name.name());
            }
            Err(error) => panic!("{test} on {}: {error}", name.name()),
        }
    }
}

fn may_be_missing(name: BackendName, error: &BackendError) -> bool {
    match name {
        BackendName::Wgpu => std::env::var_os("REQUIRE_WGPU").is_none(),
        BackendName::Cuda if std::env::var_os("REQUIRE_CUDA").is_none() => true,
        _ => matches!(error, BackendError::NotBuilt(_)),
    }
}

/// The configuration of some settings, as `--set` takes them.
pub fn configured(settings: &[&str]) -> Config {
    try_configured(settings).unwrap_or_else(|error| panic!("{settings:?}: {error}"))
}

/// The same where it may be refused.
pub fn try_configured(settings: &[&str]) -> Result<Config, ConfigError> {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Config::load(None, &settings)
}

/// What a step does under these settings of a machine with a gradient. The learning rate does not change.
pub fn recipe(settings: &[&str]) -> Recipe {
    let training = configured(&[settings, &["training.schedule=constant"]].concat()).training;
    let Method::Gradient { kind, ascent } = training.method.clone() else {
        panic!("{settings:?}: no gradient");
    };
    Recipe::new(&training, Update::Gradient { kind, ascent })
}

/// A model with normal parameters.
pub fn random_model(seed: u64, visible: usize, latent: usize, scale: f64) -> Parameters {
    let mut generator = Seed(seed).generator(Stream::Parameters, 77, 0);
    let mut draw = || (scale * normal(&mut generator)) as f32;
    Parameters::one_hot(
        Array2::from_shape_simple_fn((visible, latent), &mut draw),
        Array1::from_shape_simple_fn(latent, &mut draw),
        Array2::from_shape_simple_fn((latent, visible), &mut draw),
    )
}

/// A model of any latent layers, with normal parameters.
pub fn random_parameters(seed: u64, visible: usize, layers: &Layers, scale: f64) -> Parameters {
    let mut generator = Seed(seed).generator(Stream::Parameters, 77, 1);
    let mut parameters = Parameters::of_zeros(visible, layers);
    let mut draw = |_| (scale * normal(&mut generator)) as f32;
    parameters.forward.mapv_inplace(&mut draw);
    parameters.forward_bias.mapv_inplace(&mut draw);
    for between in &mut parameters.between {
        between.matrix.mapv_inplace(&mut draw);
        between.bias.mapv_inplace(&mut draw);
    }
    parameters.backward.mapv_inplace(&mut draw);
    parameters.visible_bias.iter_mut().for_each(|bias| bias.mapv_inplace(&mut draw));
    parameters
}

/// Numbers that the mean squares of gradients can be.
pub fn random_mean_squares(seed: u64, visible: usize, latent: usize, scale: f64) -> Parameters {
    let model = random_model(seed, visible, latent, scale);
    Parameters::one_hot(model.forward.abs(), model.forward_bias.abs(), model.backward.abs())
}

/// Images of independent fair pixels.
pub fn random_images(seed: u64, count: usize, visible: usize) -> BinaryImages {
    let mut generator = Seed(seed).generator(Stream::ChainStart, 77, 0);
    BinaryImages::from_shape_simple_fn((count, visible), || u8::from(uniform_f64(&mut generator) < 0.5))
}

/// Image number `code` of all 2^visible.
pub fn image(code: usize, visible: usize) -> Vec<u8> {
    (0..visible).map(|pixel| (code >> pixel & 1) as u8).collect()
}

/// All 2^visible images.
pub fn all_images(visible: usize) -> BinaryImages {
    BinaryImages::from_shape_fn((1 << visible, visible), |(code, pixel)| (code >> pixel & 1) as u8)
}

/// The model in plain f64 loops: what everything else is held against.
#[derive(Clone)]
pub struct Plain {
    pub w: Array2<f64>,
    pub b: Array1<f64>,
    pub a: Array2<f64>,
}

impl Plain {
    pub fn new(parameters: &Parameters) -> Self {
        Self {
            w: parameters.forward.mapv(f64::from),
            b: parameters.forward_bias.mapv(f64::from),
            a: parameters.backward.mapv(f64::from),
        }
    }

    pub fn visible(&self) -> usize {
        self.w.nrows()
    }

    pub fn latent(&self) -> usize {
        self.w.ncols()
    }

    /// ln p(k|x)
    pub fn log_p(&self, x: &[u8], k: usize) -> f64 {
        let logit = |k: usize| self.b[k] + (0..self.visible()).map(|i| f64::from(x[i]) * self.w[[i, k]]).sum::<f64>();
        let largest = (0..self.latent()).map(logit).fold(f64::MIN, f64::max);
        logit(k) - largest - (0..self.latent()).map(|j| (logit(j) - largest).exp()).sum::<f64>().ln()
    }

    /// ln q(x|k)
    pub fn log_q(&self, x: &[u8], k: usize) -> f64 {
        let log_sigmoid = |a: f64| if a > 0.0 { -(-a).exp().ln_1p() } else { a - a.exp().ln_1p() };
        (0..self.visible())
            .map(|i| log_sigmoid(if x[i] == 1 { self.a[[k, i]] } else { -self.a[[k, i]] }))
            .sum()
    }

    /// T by enumeration of all images.
    pub fn kernel(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.latent(), self.latent()), |(j, k)| {
            (0..1 << self.visible())
                .map(|code| {
                    let x = image(code, self.visible());
                    (self.log_q(&x, j) + self.log_p(&x, k)).exp()
                })
                .sum()
        })
    }

    /// P(x) of all 2^D images: the image chain x -> z -> x' iterated until it stands still.
    pub fn image_distribution(&self) -> Vec<f64> {
        let images: Vec<Vec<u8>> = (0..1 << self.visible()).map(|code| image(code, self.visible())).collect();
        let p: Vec<Vec<f64>> = images
            .iter()
            .map(|x| (0..self.latent()).map(|k| self.log_p(x, k).exp()).collect())
            .collect();
        let q: Vec<Vec<f64>> = images
            .iter()
            .map(|x| (0..self.latent()).map(|k| self.log_q(x, k).exp()).collect())
            .collect();
        let mut distribution = vec![1.0 / images.len() as f64; images.len()];
        for _ in 0..20_000 {
            let shares: Vec<f64> = (0..self.latent())
                .map(|k| distribution.iter().zip(&p).map(|(d, p)| d * p[k]).sum())
                .collect();
            distribution = q.iter().map(|q| q.iter().zip(&shares).map(|(q, share)| q * share).sum()).collect();
        }
        distribution
    }

    /// The two-step objective: mean_n ln sum_k pi_k q(x_n|k) with pi_k = mean over the chains of p(k|x').
    pub fn objective(&self, images: &BinaryImages, chains: &BinaryImages) -> f64 {
        let rows = |images: &BinaryImages| images.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        let (images, chains) = (rows(images), rows(chains));
        let pi: Vec<f64> = (0..self.latent())
            .map(|k| chains.iter().map(|x| self.log_p(x, k).exp()).sum::<f64>() / chains.len() as f64)
            .collect();
        let log_density = |x: &Vec<u8>| {
            let terms: Vec<f64> = (0..self.latent()).map(|k| pi[k].ln() + self.log_q(x, k)).collect();
            let largest = terms.iter().copied().fold(f64::MIN, f64::max);
            largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
        };
        images.iter().map(log_density).sum::<f64>() / images.len() as f64
    }

    /// The gradient formula of MATH section 2 in plain f64, as (W, b, A) flattened.
    pub fn gradient(&self, images: &BinaryImages, chains: &BinaryImages) -> Vec<f64> {
        let (visible, latent) = (self.visible(), self.latent());
        let (count, chain_count) = (images.nrows() as f64, chains.nrows() as f64);
        let chains: Vec<Vec<u8>> = chains.rows().into_iter().map(|row| row.to_vec()).collect();
        let images: Vec<Vec<u8>> = images.rows().into_iter().map(|row| row.to_vec()).collect();
        let p: Vec<Vec<f64>> = chains.iter().map(|x| (0..latent).map(|k| self.log_p(x, k)).collect()).collect();
        let log_sum = |terms: &[f64]| {
            let largest = terms.iter().copied().fold(f64::MIN, f64::max);
            largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
        };
        let log_pi: Vec<f64> = (0..latent)
            .map(|k| log_sum(&p.iter().map(|p| p[k]).collect::<Vec<_>>()) - chain_count.ln())
            .collect();
        let mut u = vec![0.0; latent];
        let mut a = Array2::<f64>::zeros((latent, visible));
        for x in &images {
            let log_q: Vec<f64> = (0..latent).map(|k| self.log_q(x, k)).collect();
            let log_density = log_sum(&(0..latent).map(|k| log_pi[k] + log_q[k]).collect::<Vec<_>>());
            for k in 0..latent {
                u[k] += (log_q[k] - log_density).exp() / count;
                let r = (log_pi[k] + log_q[k] - log_density).exp();
                for i in 0..visible {
                    a[[k, i]] += r * (f64::from(x[i]) - 1.0 / (1.0 + (-self.a[[k, i]]).exp())) / count;
                }
            }
        }
        let mut w = Array2::<f64>::zeros((visible, latent));
        let mut b = Array1::<f64>::zeros(latent);
        for (x, p) in chains.iter().zip(&p) {
            let common: f64 = (0..latent).map(|j| p[j].exp() * u[j]).sum();
            for k in 0..latent {
                let excess = p[k].exp() * (u[k] - common) / chain_count;
                b[k] += excess;
                for i in 0..visible {
                    w[[i, k]] += f64::from(x[i]) * excess;
                }
            }
        }
        w.iter().chain(&b).chain(&a).copied().collect()
    }

    /// All parameters as (W, b, A) flattened, to be varied one by one.
    pub fn parameters_mut(&mut self) -> Vec<&mut f64> {
        self.w.iter_mut().chain(&mut self.b).chain(&mut self.a).collect()
    }
}

/// (W, b, A) flattened.
pub fn flat(parameters: &Parameters) -> Vec<f64> {
    parameters.numbers().map(|&value| f64::from(value)).collect()
}

/// |a - b| / |b|
pub fn relative_distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// The program, to be run in a folder of its own.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latent-cycles"));
    command.env("RUST_BACKTRACE", "0").env_remove("RUST_LOG");
    command
}

/// Central differences of fourth order by each of so many numbers, of a function that tells its value when one of them is shifted.
pub fn differences(count: usize, shifted: impl Fn(usize, f64) -> f64, step: f64) -> Vec<f64> {
    (0..count)
        .map(|index| {
            let [near, far] = [step, 2.0 * step].map(|step| shifted(index, step) - shifted(index, -step));
            (8.0 * near - far) / (12.0 * step)
        })
        .collect()
}

/// Ctrl-C for a program that runs.
pub fn interrupt(child: &Child) {
    signal(child, "INT");
}

/// A signal for a program that runs.
pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

/// Waits for a condition.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The processes that a program started and that have not ended.
#[cfg(target_os = "linux")]
pub fn children(parent: &Child) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = format!("PPid:\t{}", parent.id());
    numbers
        .filter(|&number| is_running(number) && status_lines(number).contains(&parent))
        .collect()
}

/// Does a process still run? One that has ended and that nobody asked for its status does not.
#[cfg(target_os = "linux")]
pub fn is_running(process: u32) -> bool {
    status_lines(process)
        .iter()
        .any(|line| line.starts_with("State:") && !line.starts_with("State:\tZ"))
}

#[cfg(target_os = "linux")]
fn status_lines(process: u32) -> Vec<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().map(str::to_owned).collect()
}

/// Lets work go on until it has been asked so many times.
pub struct Impatient {
    asked: AtomicUsize,
    patience: usize,
}

impl Impatient {
    pub fn after(patience: usize) -> Self {
        let asked = AtomicUsize::new(0);
        Self { asked, patience }
    }

    /// How many times it has been asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Watch for Impatient {
    fn is_stopped(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) >= self.patience
    }
}
