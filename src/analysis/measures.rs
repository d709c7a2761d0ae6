//! The table of measures: the name, title and unit of every single figure of a model, and where to find its value. The terminal, the
//! pages, the sweeps and analysis.json read it. A new measure is a constant here, a field of [`Headline`], and one of [`Figures`] if
//! training records it.

use std::collections::BTreeMap;

use super::Headline;
use super::headline::exact_likelihood;
use crate::estimate::jackknife::Figure;
use crate::evaluation::Figures;

/// A single figure of a model.
#[derive(Debug)]
pub struct Measure {
    /// Its name in analysis.json, checkpoints.jsonl, metrics.jsonl and summary.csv.
    pub key: &'static str,
    /// In words.
    pub title: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// How the page of an analysis heads it, among its neighbours in the table, and what it says beneath the value.
    pub card: (&'static str, &'static str),
    /// The chart over training that it is drawn in, if there is one.
    pub chart: Option<&'static Chart>,
    /// Is it compared between the runs of a sweep?
    pub in_sweeps: bool,
    /// Where it stands in an analysis.
    pub of: fn(&Headline) -> &Figure,
    /// Where it stands in a line of metrics.jsonl.
    pub noted: fn(&Figures) -> Option<f64>,
}

/// A chart over training; measures of one unit may share it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chart {
    /// In words.
    pub title: &'static str,
    /// What the page says beneath it.
    pub caption: &'static str,
    /// What its lines show, where that is not just the measures' values; `None` for a chart of several measures, whose names are shown.
    pub rough: Option<&'static str>,
    /// Is its axis logarithmic?
    pub by_decades: bool,
}

const LIKELIHOOD: Chart = Chart {
    title: "Log-likelihood",
    caption: "Blue: training images; orange: test images. The likelihood fixes what the chain draws, not how it moves.",
    rough: None,
    by_decades: false,
};

/// Log-likelihood of the training images.
pub const LOG_LIKELIHOOD_TRAIN: Measure = Measure {
    key: "log_likelihood_train",
    title: "Log-likelihood, train",
    unit: "nats per image",
    card: ("Log-likelihood", "nats per image, training images"),
    chart: Some(&LIKELIHOOD),
    in_sweeps: true,
    of: |headline| &headline.log_likelihood_train,
    noted: |figures| figures.log_likelihood_train,
};

/// Log-likelihood of images not trained on.
pub const LOG_LIKELIHOOD_TEST: Measure = Measure {
    key: "log_likelihood_test",
    title: "Log-likelihood, test",
    unit: "nats per image",
    card: ("on test images", "nats per image"),
    chart: Some(&LIKELIHOOD),
    in_sweeps: true,
    of: |headline| &headline.log_likelihood_test,
    noted: |figures| figures.log_likelihood_test,
};

const BOUND: Chart = Chart {
    title: "Lower bound of the log-likelihood",
    caption: "Blue: training images; orange: test images. While training, by few draws and at 500 images of each, so that it lies some nats lower.",
    rough: None,
    by_decades: false,
};

/// A lower bound of the log-likelihood of the training images, where it is not known.
pub const LOG_LIKELIHOOD_BOUND_TRAIN: Measure = Measure {
    key: "log_likelihood_bound_train",
    title: "Log-likelihood bound, train",
    unit: "nats per image",
    card: ("Log-likelihood, at least", "nats per image, training images"),
    chart: Some(&BOUND),
    in_sweeps: true,
    of: |headline| &headline.log_likelihood_bound_train,
    noted: |figures| figures.log_likelihood_bound_train,
};

/// The same of images not trained on.
pub const LOG_LIKELIHOOD_BOUND_TEST: Measure = Measure {
    key: "log_likelihood_bound_test",
    title: "Log-likelihood bound, test",
    unit: "nats per image",
    card: ("on test images, at least", "nats per image"),
    chart: Some(&BOUND),
    in_sweeps: true,
    of: |headline| &headline.log_likelihood_bound_test,
    noted: |figures| figures.log_likelihood_bound_test,
};

/// Of the latent chain; the measure that others are plotted against.
pub const ENTROPY_PRODUCTION: Measure = Measure {
    key: "entropy_production",
    title: "Entropy production",
    unit: "nats per step",
    card: ("Entropy production", "nats per step, latent chain"),
    chart: Some(&Chart {
        title: "Entropy production",
        caption: "Does the chain leave equilibrium as it learns? The dashed line, noted while training, is rough: plain means over the images drawn in each state, too high \
                  where transitions are rare.",
        rough: Some("while training (rough)"),
        by_decades: false,
    }),
    in_sweeps: true,
    of: |headline| &headline.entropy_production,
    noted: |figures| figures.entropy_production,
};

/// Of the whole chain, images included.
pub const PATH_ENTROPY_PRODUCTION: Measure = Measure {
    key: "path_entropy_production",
    title: "Path entropy production",
    unit: "nats per step",
    card: ("of the whole path", "nats per step, images included"),
    chart: None,
    in_sweeps: true,
    of: |headline| &headline.path_entropy_production,
    noted: |figures| Some(figures.path_entropy_production),
};

/// Probability that the latent state stays.
pub const SELF_TRANSITION: Measure = Measure {
    key: "self_transition",
    title: "Self-transition",
    unit: "per step",
    card: ("Self-transition", "probability per step"),
    chart: Some(&Chart {
        title: "Self-transition",
        caption: "The mean probability that the latent state stays, on a logarithmic axis. A chain that cycles hardly ever does.",
        rough: None,
        by_decades: true,
    }),
    in_sweeps: true,
    of: |headline| &headline.self_transition,
    noted: |figures| Some(figures.self_transition),
};

/// Between the class shares of data and model.
pub const CLASS_KL: Measure = Measure {
    key: "class_kl",
    title: "Class divergence",
    unit: "nats",
    card: ("Class divergence", "nats, data from model"),
    chart: None,
    in_sweeps: true,
    of: |headline| &headline.class_kl,
    noted: |figures| figures.class_kl,
};

/// Relaxation time of the latent chain.
pub const RELAXATION_TIME: Measure = Measure {
    key: "relaxation_time",
    title: "Relaxation time",
    unit: "steps",
    card: ("Relaxation time", "steps"),
    chart: None,
    in_sweeps: true,
    of: |headline| &headline.relaxation_time,
    noted: |_| None,
};

/// Integrated, of the pixels: independent images are twice as many steps apart.
pub const AUTOCORRELATION_TIME: Measure = Measure {
    key: "autocorrelation_time",
    title: "Autocorrelation time, pixels",
    unit: "steps",
    card: ("Autocorrelation time", "steps, of the pixels; 0.5 if each image is drawn anew"),
    chart: None,
    in_sweeps: true,
    of: |headline| &headline.autocorrelation_time,
    noted: |_| None,
};

/// Integrated, of the classes.
pub const CLASS_AUTOCORRELATION_TIME: Measure = Measure {
    key: "class_autocorrelation_time",
    title: "Autocorrelation time, class",
    unit: "steps",
    card: ("of the class", "steps"),
    chart: None,
    in_sweeps: true,
    of: |headline| &headline.class_autocorrelation_time,
    noted: |_| None,
};

/// Of the slowest coherent rotation.
pub const ROTATION_PERIOD: Measure = Measure {
    key: "rotation_period",
    title: "Rotation period",
    unit: "steps",
    card: ("Rotation period", "steps"),
    chart: None,
    // A reversible chain has none.
    in_sweeps: false,
    of: |headline| &headline.rotation_period,
    noted: |_| None,
};

/// All of them, in the order in which they are shown.
pub const MEASURES: [Measure; 12] = [
    LOG_LIKELIHOOD_TRAIN,
    LOG_LIKELIHOOD_TEST,
    LOG_LIKELIHOOD_BOUND_TRAIN,
    LOG_LIKELIHOOD_BOUND_TEST,
    ENTROPY_PRODUCTION,
    PATH_ENTROPY_PRODUCTION,
    SELF_TRANSITION,
    CLASS_KL,
    RELAXATION_TIME,
    AUTOCORRELATION_TIME,
    CLASS_AUTOCORRELATION_TIME,
    ROTATION_PERIOD,
];

/// What analysis.json holds besides.
const TABLES: &[(&str, &str)] = &[
    ("shuffled_entropy_production", "nats per step"),
    ("transition", "probability per step"),
    ("currents, cycles.weight", "net events per step"),
    ("cycles.affinity, reversibility.affinity", "nats per turn"),
    (
        "macrostates.fluxes, macrostates.currents, macrostates.cycles.weight, macrostates.committors.transitions",
        "events per step",
    ),
    ("macrostates.entropy_production", "nats per step"),
    ("macrostates.cycles.affinity", "nats per turn"),
    (
        "macrostates.residence_times, macrostates.residences: steps and memoryless of quantiles; macrostates.first_passages.steps",
        "steps",
    ),
    ("plane.drift", "z per step"),
    ("plane.diffusion", "z squared per step"),
    (
        "plane.vortices.current, plane.unresolved_current, plane.largest_divergence",
        "net events per step",
    ),
    ("plane.vortices.centre, plane.range", "z"),
    (
        "layer_units.units.path_entropy_production, layers.steps.path_entropy_production, layers.hidden",
        "nats per step",
    ),
    ("layer_units.units.flip_rate", "per step"),
    ("layer_units.units.components.correlation_time", "steps"),
    ("layer_units.units.components.angle", "degrees"),
    ("layer_units.current, layer_units.after", "net events per step"),
    (
        "laws: mean, fano and histogram.s of the step; expected, mean, fano and histogram.s of paths",
        "nats",
    ),
    (
        "laws: mean and variance of uncertainty.currents",
        "events per step (entropy: nats), and their square",
    ),
    ("laws: time_series exact, mean, spread, bias", "nats per step"),
];

impl Measure {
    /// Is it a bound, which machines of latent states that are listed do without?
    pub fn is_bound(&self) -> bool {
        self.chart == Some(&BOUND)
    }

    /// Its value in an analysis, where it is finite.
    pub fn value(&self, figures: &Headline) -> Option<f64> {
        (self.of)(figures).value.filter(|value| value.is_finite())
    }
}

/// The measures that are compared between the runs of a sweep, in order.
pub fn swept() -> impl Iterator<Item = &'static Measure> {
    all().filter(|measure| measure.in_sweeps)
}

/// All measures but bounds of a likelihood that is known.
pub fn shown(headline: &Headline) -> impl Iterator<Item = &'static Measure> {
    let known = headline.log_likelihood_bound_train == exact_likelihood();
    all().filter(move |measure| !(known && measure.is_bound()))
}

fn all() -> impl Iterator<Item = &'static Measure> {
    const ALL: &[Measure] = &MEASURES;
    ALL.iter()
}

/// The charts over training, each with its measures, in order.
pub fn charts() -> Vec<(&'static Chart, Vec<&'static Measure>)> {
    let mut charts: Vec<(&Chart, Vec<&Measure>)> = Vec::new();
    for measure in all() {
        let Some(chart) = measure.chart else { continue };
        match charts.iter_mut().find(|(found, _)| *found == chart) {
            Some((_, measures)) => measures.push(measure),
            None => charts.push((chart, vec![measure])),
        }
    }
    charts
}

/// The units of all figures and tables of analysis.json, by their names; measures of one unit share an entry.
pub(super) fn units() -> BTreeMap<String, &'static str> {
    let of_unit = |unit: &str| {
        let keys = MEASURES.iter().filter(|measure| measure.unit == unit).map(|measure| measure.key);
        keys.collect::<Vec<_>>().join(", ")
    };
    let of_measures = MEASURES.iter().map(|measure| (of_unit(measure.unit), measure.unit));
    of_measures
        .chain(TABLES.iter().map(|&(names, unit)| (names.to_owned(), unit)))
        .collect()
}
