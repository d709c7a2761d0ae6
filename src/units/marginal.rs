//! pi of any word, from the images of N chains.

use ndarray::{Array1, Array2, Axis, s};

use super::UnitConditionals;
use super::conditionals::{affine, log_silent};
use crate::data::packed::PackedImages;
use crate::kernels::logspace;
use crate::logs::{logaddexp, logsumexp};

/// Groups of chains, which say how well pi is known.
pub const GROUPS: usize = 16;
/// Words and chains taken at a time, so many that their products stay in a core's own cache.
const BLOCK: (usize, usize) = (256, 512);

/// What N chains know of pi: `pi(h) = 1/N sum_n p(h|x'_n)`, with `ln p(h|x') = h . l(x') - sum_j ln(1 + e^{l_j(x')})` and `l(x') = x' W + b`.
pub struct Marginal {
    /// For each group, some chains at a time.
    groups: Vec<Vec<Chains>>,
    /// N.
    count: usize,
}

/// Some chains.
struct Chains {
    /// l, transposed, `[H, N]`.
    logits: Array2<f32>,
    /// `ln p(0|x'_n)`, `[N]`.
    log_silent: Array1<f32>,
}

impl Marginal {
    /// From the images of N chains, N being a multiple of [`GROUPS`].
    pub fn of(model: &UnitConditionals, images: &PackedImages) -> Self {
        let logits = model.forward_logits(images);
        let log_silent = log_silent(&logits);
        let chains = |first: usize, end: usize| Chains {
            logits: logits.slice(s![first..end, ..]).t().as_standard_layout().into_owned(),
            log_silent: log_silent.slice(s![first..end]).to_owned(),
        };
        let count = images.len();
        let (each, most) = (count / GROUPS, BLOCK.1);
        let of_group = |group: usize| {
            let (first, end) = (group * each, (group + 1) * each);
            (first..end)
                .step_by(most)
                .map(|first| chains(first, end.min(first + most)))
                .collect()
        };
        Self {
            groups: (0..GROUPS).map(of_group).collect(),
            count,
        }
    }

    /// N.
    pub fn chains(&self) -> usize {
        self.count
    }

    /// `ln sum_n p(h|x'_n)` over the chains of each group, `[M, G]`, of M words; nats.
    pub fn log_sums(&self, words: &PackedImages) -> Array2<f64> {
        let mut sums = Array2::from_elem((words.len(), GROUPS), f64::NEG_INFINITY);
        let all: Vec<usize> = (0..words.len()).collect();
        for (numbers, mut sums) in all.chunks(BLOCK.0).zip(sums.axis_chunks_iter_mut(Axis(0), BLOCK.0)) {
            let words = words.select(numbers);
            for (group, mut sums) in self.groups.iter().zip(sums.columns_mut()) {
                for chains in group {
                    let log_p = affine(&words, &chains.logits, &chains.log_silent); //         [M, N]
                    let nothing = vec![0.0; chains.log_silent.len()];
                    let of_chains = logspace::logsumexp(log_p.as_slice().unwrap_or_default(), &nothing);
                    for (sum, of_chains) in sums.iter_mut().zip(of_chains) {
                        *sum = logaddexp(*sum, f64::from(of_chains));
                    }
                }
            }
        }
        sums
    }

    /// `ln pi(h)`, `[M]`, of M words; nats.
    pub fn log_pi(&self, words: &PackedImages) -> Array1<f64> {
        self.log_sums(words).map_axis(Axis(1), logsumexp) - (self.count as f64).ln()
    }
}
