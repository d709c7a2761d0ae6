//! The chain among macrostates: classes of images, or what a file names, with fluxes, times and its share of the entropy production.

use faer::Mat;
use ndarray::{Array1, Array2, Axis};
use serde::Serialize;

use super::partition::NamedPartition;
use super::residence::{self, Residence};
use crate::estimate::jackknife::Figure;
use crate::estimate::{Estimate, Kernel, Method};
use crate::latent::SteadyState;
use crate::latent::lumped::Partition;
use crate::latent::passage::{Passage, Passages};
use crate::watch::{Stopped, Watch};

/// The most states for which passages between all macrostates are computed: a solve of their cube for each macrostate, some 0.1 s at 1,024.
const MOST_SOLVED: usize = 1024;
/// The most macrostates of which all pairs have a committor: a solve for each pair.
const MOST_PAIRED: usize = 10;

/// A cycle of the net currents among macrostates.
#[derive(Clone, Debug, Serialize)]
pub struct MacroCycle {
    /// Macrostates in the order they are visited, by their places in `labels`; the last leads back to the first.
    pub macrostates: Vec<usize>,
    /// Net turns per step.
    pub weight: f64,
    /// Nats per turn.
    pub affinity: Figure,
    /// The part of the macrostates' entropy production that it carries.
    pub share: Option<f64>,
}

/// The way from one macrostate to another.
#[derive(Clone, Debug, Serialize)]
pub struct FirstPassage {
    /// Its place in `labels`.
    pub from: usize,
    /// Its place in `labels`.
    pub to: usize,
    /// Mean steps until the chain first comes to `to`, from the steady state within `from`.
    pub steps: Figure,
}

/// Which of two macrostates comes first.
#[derive(Clone, Debug, Serialize)]
pub struct Committor {
    /// Its place in `labels`.
    pub from: usize,
    /// Its place in `labels`.
    pub to: usize,
    /// The probability to come to `to` before `from`, from the steady state within each macrostate, in the order of `labels`.
    pub before: Vec<Figure>,
    /// How often the chain goes from the one to the other, per step; as often as back.
    pub transitions: Figure,
}

/// What is found of the chain among macrostates; lists and tables are in the order of `labels`.
#[derive(Clone, Debug, Serialize)]
pub struct Macrostates {
    /// What the partition was made by.
    pub source: String,
    /// The macrostates' names.
    pub labels: Vec<String>,
    /// The macrostate of each latent state, by its place in `labels`, `[L]`.
    pub of_states: Vec<usize>,
    /// How many states each has.
    pub states: Vec<usize>,
    /// Of a partition by classes: the share of images in the steady state that are of the class of their state.
    pub agreement: Option<f64>,
    /// The same within each macrostate.
    pub agreements: Option<Vec<f64>>,
    /// `sum_{k in a} pi_k`.
    pub stationary: Vec<Figure>,
    /// `F_ab = sum_{i in a, j in b} pi_i T_ij`, per step.
    pub fluxes: Vec<Vec<Figure>>,
    /// `J_ab = F_ab - F_ba`, per step.
    pub currents: Vec<Vec<Figure>>,
    /// `1/2 sum_ab J_ab ln( F_ab / F_ba )`, nats per step.
    pub entropy_production: Figure,
    /// Its part of the latent chain's, at most 1.
    pub share: Figure,
    /// Mean steps of a visit.
    pub residence_times: Vec<Figure>,
    /// How the lengths of visits are distributed.
    pub residences: Vec<Residence>,
    /// A decomposition of the currents, the largest weight first.
    pub cycles: Vec<MacroCycle>,
    /// Between all pairs, or the two most probable macrostates.
    pub first_passages: Vec<FirstPassage>,
    /// Of all pairs, each once, or the two most probable macrostates.
    pub committors: Vec<Committor>,
    /// What is left out, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The chain among them.
    #[serde(skip)]
    pub steady: SteadyState,
    /// Mean images, `[C, D]`.
    #[serde(skip)]
    pub mean_images: Array2<f64>,
}

impl Macrostates {
    /// Of an estimated chain, with the mean images of its states `[L, D]`. With many states it takes longest to solve for the passages.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn new(
        estimate: &Estimate,
        named: &NamedPartition,
        whole: &Figure,
        mean_images: &Array2<f64>,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let partition = &named.partition;
        let count = partition.count();
        let kernels = 1 + estimate.without.len();
        watch.begins("macrostates", (count + 1) * kernels);
        let lumped = estimate
            .lumped(partition)
            .expect("a partition of these states, all of which have weight");
        watch.go_on()?;
        let steady = lumped.kernel.steady.clone();
        let (pi, lumped_pi) = (estimate.kernel.steady.pi(), steady.pi());
        let within = |value: &dyn Fn(usize) -> f64, a: usize| partition.states(a).map(|k| pi[k] * value(k)).sum::<f64>() / lumped_pi[a];
        let agreements = named.agreement.as_ref();
        let agreements: Option<Vec<f64>> = agreements.map(|shares| (0..count).map(|a| within(&|k| shares[k], a)).collect());
        let table = |figure: &dyn Fn(usize, usize) -> Figure| (0..count).map(|a| (0..count).map(|b| figure(a, b)).collect()).collect();
        let entropy_production = at_most(lumped.entropy_production(), whole);
        let produced = steady.entropy_production();
        let cycles = if estimate.reversible || count <= 2 {
            Vec::new()
        } else {
            steady.cycles()
        };
        let cycles = cycles.into_iter().map(|cycle| MacroCycle {
            share: (produced.is_finite() && produced > 0.0).then(|| cycle.weight * cycle.affinity / produced),
            affinity: lumped.figure(|kernel| kernel.steady.affinity(&cycle.states)),
            weight: cycle.weight,
            macrostates: cycle.states,
        });
        let means: Vec<f64> = (0..count).map(|a| steady.residence_time(a)).collect();
        let residences = residence::of(estimate, partition, &means, watch)?;
        let (first_passages, committors, notes) = passages(estimate, named, &lumped_pi, watch)?;
        Ok(Self {
            source: named.source.clone(),
            labels: named.labels.clone(),
            of_states: partition.of().to_vec(),
            states: (0..count).map(|a| partition.states(a).count()).collect(),
            agreement: agreements
                .as_ref()
                .map(|agreements| agreements.iter().zip(&lumped_pi).map(|(share, pi)| share * pi).sum()),
            agreements,
            stationary: (0..count)
                .map(|a| lumped.figure(|kernel| kernel.steady.log_pi()[a].exp()).within(0.0, 1.0))
                .collect(),
            fluxes: table(&|a, b| lumped.figure(|kernel| kernel.steady.log_flux(a, b).exp()).within(0.0, 1.0)),
            currents: table(&|a, b| current(&lumped, a, b)),
            share: share(estimate, &lumped, whole, &entropy_production),
            entropy_production,
            residence_times: (0..count)
                .map(|a| lumped.figure(|kernel| kernel.steady.residence_time(a)).at_least(1.0))
                .collect(),
            residences,
            cycles: cycles.collect(),
            first_passages,
            committors,
            notes,
            mean_images: mean_of(partition, &pi, &lumped_pi, mean_images),
            steady,
        })
    }

    /// The most probable two, the first of equals first.
    pub fn most_probable(&self) -> [usize; 2] {
        most_probable(&self.steady.pi())
    }
}

fn most_probable(pi: &Array1<f64>) -> [usize; 2] {
    let mut order: Vec<usize> = (0..pi.len()).collect();
    order.sort_by(|&a, &b| pi[b].total_cmp(&pi[a]));
    [order[0], order[1]]
}

fn mean_of(partition: &Partition, pi: &Array1<f64>, lumped_pi: &Array1<f64>, images: &Array2<f64>) -> Array2<f64> {
    let mut means = Array2::zeros((partition.count(), images.ncols()));
    for ((image, &of), pi) in images.rows().into_iter().zip(partition.of()).zip(pi) {
        means.row_mut(of).scaled_add(*pi, &image);
    }
    means / lumped_pi.view().insert_axis(Axis(1))
}

/// A net current, with a note where it cannot be told from zero.
fn current(lumped: &Estimate, a: usize, b: usize) -> Figure {
    if lumped.reversible {
        return Figure::exact(0.0).because("reversible by construction");
    }
    if a == b || lumped.kernel.steady.states() == 2 {
        return Figure::exact(0.0);
    }
    let figure = lumped.figure(|kernel| kernel.steady.current(a, b));
    match (figure.low, figure.high) {
        (Some(low), Some(high)) if low <= 0.0 && high >= 0.0 => figure.because("the draws do not tell it from zero"),
        _ => figure,
    }
}

/// What is known of a part when the whole, which is at least as large, is known besides.
fn at_most(part: Figure, whole: &Figure) -> Figure {
    let least = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, _) => a,
    };
    // Of an exact whole, both ends are its value.
    Figure {
        value: least(part.value, whole.value),
        low: least(part.low, whole.low.or(whole.value)),
        high: least(part.high, whole.high.or(whole.value)),
        ..part
    }
}

/// The part of the latent entropy production that is seen among macrostates.
fn share(estimate: &Estimate, lumped: &Estimate, whole: &Figure, part: &Figure) -> Figure {
    let least = whole.low.or(whole.value).unwrap_or(0.0);
    match (whole.value, part.value) {
        _ if estimate.reversible => Figure::missing("reversible by construction: nothing is produced"),
        (Some(_), Some(_)) if least <= 0.0 => Figure::missing("the latent entropy production cannot be told from zero"),
        // Between two bounds each.
        (Some(all), Some(value)) if estimate.method == Method::Plain && lumped.kernel.steady.states() > 2 => {
            let [low, high] = [
                part.low.unwrap_or(value) / whole.high.unwrap_or(all),
                part.high.unwrap_or(value) / least,
            ];
            Figure {
                low: Some(low),
                high: Some(high),
                ..Figure::exact(value / all)
            }
            .within(0.0, 1.0)
            .because("between bounds, as the entropy productions themselves are")
        }
        (Some(_), Some(_)) if lumped.kernel.steady.states() == 2 => {
            Figure::exact(0.0).because("between two macrostates there is no net current")
        }
        (Some(_), Some(_)) => {
            let of = |all: &Kernel, part: &Kernel| part.steady.entropy_production() / all.steady.entropy_production();
            let without = estimate.without.iter().zip(&lumped.without);
            let without: Vec<f64> = without.map(|(all, part)| of(all, part)).collect();
            Figure::jackknife(of(&estimate.kernel, &lumped.kernel), &without).within(0.0, 1.0)
        }
        _ => Figure::missing("the latent entropy production is infinite"),
    }
}

type Found = (Vec<FirstPassage>, Vec<Committor>, Vec<String>);

/// Passages of one kernel.
struct Means {
    /// Of each question, over the steady state within each macrostate, `[C, P]`.
    within: Array2<f64>,
    /// How often each pair with a committor is passed, per step.
    passed: Vec<f64>,
}

/// Mean first-passage times and committors, by exact solves for the kernel and by iteration from these for each group of draws.
fn passages(estimate: &Estimate, named: &NamedPartition, lumped_pi: &Array1<f64>, watch: &dyn Watch) -> Result<Found, Stopped> {
    let partition = &named.partition;
    let (count, states) = (partition.count(), partition.of().len());
    let two = most_probable(lumped_pi);
    let (all, all_pairs) = (states <= MOST_SOLVED, states <= MOST_SOLVED && count <= MOST_PAIRED);
    let targets: Vec<usize> = if all { (0..count).collect() } else { two.to_vec() };
    let pairs: Vec<(usize, usize)> = match all_pairs {
        true => (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect(),
        false => vec![(two[0], two[1])],
    };
    let times = targets.iter().map(|&to| Passage::Time { to });
    let questions: Vec<Passage> = times
        .chain(pairs.iter().map(|&(from, to)| Passage::Committor { from, to }))
        .collect();
    let solved = Passages::new(&estimate.kernel.steady, partition, &questions, watch)?;
    let of_kernel = |kernel: &Kernel, answers: &Mat<f64>| {
        let pi = kernel.steady.pi();
        let (mut within, mut weights) = (Array2::<f64>::zeros((count, questions.len())), Array1::<f64>::zeros(count));
        for (state, &of) in partition.of().iter().enumerate() {
            weights[of] += pi[state];
            (0..questions.len()).for_each(|number| within[[of, number]] += pi[state] * answers[(state, number)]);
        }
        within /= &weights.insert_axis(Axis(1));
        let passed = pairs.iter().enumerate().map(|(pair, &(from, _))| {
            let from = partition.states(from);
            let onward = |i: usize| {
                (0..states)
                    .map(|j| kernel.steady.log_flux(i, j).exp() * answers[(j, targets.len() + pair)])
                    .sum::<f64>()
            };
            from.map(onward).sum()
        });
        let passed = passed.collect();
        Means { within, passed }
    };
    let whole = of_kernel(&estimate.kernel, solved.answers());
    watch.part_done();
    let mut without = Vec::new();
    for kernel in &estimate.without {
        without.push(of_kernel(kernel, &solved.near(&kernel.steady, partition, watch)?));
        watch.part_done();
    }
    let figure = |of: &dyn Fn(&Means) -> f64| {
        let (value, without) = (of(&whole), without.iter().map(of).collect::<Vec<f64>>());
        if value.is_nan() || without.iter().any(|value| value.is_nan()) {
            return Figure::missing("so rare that f64 does not resolve it");
        }
        Figure::jackknife(value, &without)
    };
    let mut first_passages = Vec::new();
    for (number, &to) in targets.iter().enumerate() {
        for from in (0..count).filter(|&from| from != to && (all || two.contains(&from))) {
            let steps = figure(&|means| means.within[[from, number]]).at_least(1.0);
            first_passages.push(FirstPassage { from, to, steps });
        }
    }
    first_passages.sort_by_key(|passage| (passage.from, passage.to));
    let committors = pairs.iter().enumerate().map(|(pair, &(from, to))| {
        let before = |of: usize| match of {
            _ if of == from => Figure::exact(0.0),
            _ if of == to => Figure::exact(1.0),
            _ => figure(&|means| means.within[[of, targets.len() + pair]]).within(0.0, 1.0),
        };
        Committor {
            from,
            to,
            before: (0..count).map(before).collect(),
            transitions: figure(&|means| means.passed[pair]).within(0.0, 1.0),
        }
    });
    let committors = committors.collect();
    let mut notes = Vec::new();
    if !all && count > 2 {
        notes.push(format!(
            "With {states} states first-passage times and the committor are those of the two most probable macrostates; each further macrostate would take a \
             linear solve of all states."
        ));
    } else if !all_pairs && count > 2 {
        notes.push(format!(
            "Of {count} macrostates the committor is that of the two most probable ones."
        ));
    }
    Ok((first_passages, committors, notes))
}
