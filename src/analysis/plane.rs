//! A chain whose states are points of a line or a plane: what moves it, where the probability flows, and whether the grid is wide enough.

use std::fmt;

use ndarray::{Array1, Array2, Axis};
use serde::Serialize;

use crate::codes::Codes;
use crate::conditionals::Conditionals;
use crate::estimate::jackknife::{Figure, standard_errors};
use crate::estimate::{Estimate, Kernel};
use crate::evaluation::Reference;
use crate::latent::plane::{Field, Flow, extrema, points};
use crate::logs::log_softmax_rows;
use crate::model::Parameters;
use crate::watch::{Stopped, Watch};

/// The most images of the data that are placed in it.
const MOST_PLACED: usize = 1500;

/// The plane or line of a model's states; the field itself is in latent.npz.
#[derive(Clone, Debug, Serialize)]
pub struct Plane {
    /// Points along each axis.
    pub points: Vec<usize>,
    /// The largest coordinate.
    pub range: f64,
    /// `sqrt( E |b(z)|^2 )`, the root mean square of the drift, in units of z per step.
    pub drift: Figure,
    /// `E tr D(z)`, half the mean square by which a step strays from the drift, in units of z squared per step.
    pub diffusion: Figure,
    /// The vortices of the current through the plane that the draws can tell from noise, the strongest first.
    pub vortices: Vec<Vortex>,
    /// Extrema of the stream function that they cannot, each of them none or weaker than `unresolved_current`.
    pub unresolved: usize,
    /// The largest current around one of those, per step.
    pub unresolved_current: f64,
    /// The largest part of the current that is lost or made at a point, per step: what rounding leaves.
    pub largest_divergence: f64,
    /// What lies on the outermost points.
    pub edge: Edge,
    /// The points along each axis.
    #[serde(skip)]
    pub axes: Vec<Vec<f64>>,
    /// Drift, diffusion and current.
    #[serde(skip)]
    pub field: Field,
    /// Standard errors of the field.
    #[serde(skip)]
    pub errors: FieldErrors,
    /// Images of the data.
    #[serde(skip)]
    pub data: Vec<Placed>,
}

/// A vortex.
#[derive(Clone, Debug, Serialize)]
pub struct Vortex {
    /// Where the stream function has its maximum or minimum.
    pub centre: [Figure; 2],
    /// Does it turn as from the first axis to the second?
    pub is_counterclockwise: bool,
    /// The current along closed lines around the centre, per step.
    pub current: Figure,
}

/// How much of the steady state lies on the outermost points.
#[derive(Clone, Debug, Serialize)]
pub struct Edge {
    /// The weight of the outermost points.
    pub share: Figure,
    /// The most that a density that decays toward the edge would have there: as much on each point as the points next to them have on average.
    pub decaying: f64,
    /// Does pi pile up there: more than 1% of it, and more than a density that decays? A wider range need not help. Of configs/grid.toml trained at ranges of 3, 4.5, 6 and 8
    /// some 33, 31, 35 and 30% of pi lie on the edge: for as many of the images drawn, x W + b is beyond it, mostly by ten standard
    /// deviations and more. At the edge the noise of p(z|x) is cut off: a machine that drives images against it, here seven of ten ones, gains sharp states.
    pub is_piled: bool,
}

/// Standard errors of a [`Field`]; zero where the kernel is exact.
#[derive(Clone, Debug)]
pub struct FieldErrors {
    /// Of b, `[L, H]`.
    pub drift: Array2<f64>,
    /// Of D, `[L, H^2]`.
    pub diffusion: Array2<f64>,
    /// Of psi, `[n_1 + 1, n_2 + 1]`; empty on a line.
    pub stream: Array2<f64>,
}

/// An image of the data at its posterior mean `sum_k r_k c_k`, `r_k ~ pi_k q(x|k)`.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The mean, `[H]`.
    pub at: Array1<f64>,
    /// Its class, where there are labels.
    pub class: Option<usize>,
}

impl Plane {
    /// The plane of a model whose images are drawn from points of one; none of other models. The data, if there are any, are placed in it.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn of(
        parameters: &Parameters,
        model: &Conditionals,
        estimate: &Estimate,
        data: Option<&Reference>,
        watch: &dyn Watch,
    ) -> Result<Option<Self>, Stopped> {
        let codes = Codes::of(parameters.layers.last());
        let Some(axes) = codes.axes() else { return Ok(None) };
        watch.begins("plane", 1 + estimate.without.len());
        let field_of = |kernel: &Kernel| {
            watch.go_on()?;
            let field = Field::of(&kernel.steady, &axes);
            watch.part_done();
            Ok(field)
        };
        let field = field_of(&estimate.kernel)?;
        let without: Vec<Field> = estimate.without.iter().map(field_of).collect::<Result<_, Stopped>>()?;
        let figure = |of: &dyn Fn(&Kernel, &Field) -> f64| {
            let without = estimate.without.iter().zip(&without).map(|(kernel, field)| of(kernel, field));
            Figure::jackknife(of(&estimate.kernel, &field), &without.collect::<Vec<f64>>())
        };
        let streams: Vec<Array2<f64>> = std::iter::once(&field).chain(&without).map(Field::stream).collect();
        let (told, untold) = vortices(&streams, &axes);
        let errors_of = |of: fn(&Field) -> Array2<f64>| standard_errors(of(&field), without.iter().map(of));
        let mean_square = |drift: &Array2<f64>| drift.map_axis(Axis(1), |b| b.dot(&b));
        let out_of_points = field.flow.iter().flat_map(Flow::divergence);
        Ok(Some(Self {
            points: axes.iter().map(Vec::len).collect(),
            range: axes[0][axes[0].len() - 1],
            drift: figure(&|kernel, field| kernel.steady.mean(&mean_square(&field.drift)).sqrt()),
            diffusion: figure(&|kernel, field| kernel.steady.mean(&field.total_diffusion())),
            vortices: told,
            unresolved: untold.len(),
            unresolved_current: untold.into_iter().fold(0.0, f64::max),
            largest_divergence: out_of_points.fold(0.0, |most, out| most.max(out.abs())),
            edge: Edge::of(estimate, &axes),
            errors: FieldErrors {
                drift: errors_of(|field| field.drift.clone()),
                diffusion: errors_of(|field| field.diffusion.clone()),
                stream: errors_of(Field::stream),
            },
            data: match data {
                Some(data) => placed(data, &codes, model, estimate.kernel.steady.log_pi(), watch)?,
                None => Vec::new(),
            },
            axes,
            field,
        }))
    }
}

/// The vortices that can be told from noise, of the stream function from all draws and those without each group; and the largest current that each
/// of the others may have.
fn vortices(streams: &[Array2<f64>], axes: &[Vec<f64>]) -> (Vec<Vortex>, Vec<f64>) {
    /// What rounding makes of no current.
    const ROUNDING: f64 = 1e-12;
    /// In half widths of the interval, some 6 standard errors: reached by chance once in 10^5 extrema or so.
    const TOLD: f64 = 3.0;
    let (mut told, mut untold) = (Vec::new(), Vec::new());
    let [first, second] = axes else {
        return (told, untold);
    };
    for extremum in extrema(&streams[0]) {
        let sign = if extremum.is_maximum { 1.0 } else { -1.0 };
        let of_streams = |of: &dyn Fn(&Array2<f64>) -> f64| {
            let without: Vec<f64> = streams[1..].iter().map(of).collect();
            Figure::jackknife(of(&streams[0]), &without)
        };
        let current = of_streams(&|psi| sign * (psi[extremum.cell] - psi[extremum.saddle]));
        let (value, low) = (current.value.unwrap_or(0.0), current.low.or(current.value).unwrap_or(0.0));
        if extremum.current(&streams[0]) <= ROUNDING {
            continue;
        }
        if value <= TOLD * (value - low) {
            untold.extend(current.high);
            continue;
        }
        let centre = |axis: usize, points: &[f64]| {
            let spacing = points[1] - points[0];
            // Cell 0 lies half a spacing before the first point.
            of_streams(&|psi| points[0] + (extremum.centre(psi)[axis] - 0.5) * spacing)
        };
        told.push(Vortex {
            centre: [centre(0, first), centre(1, second)],
            is_counterclockwise: extremum.is_maximum,
            current,
        });
    }
    (told, untold)
}

impl Edge {
    fn of(estimate: &Estimate, axes: &[Vec<f64>]) -> Self {
        /// A share that does no harm, however it came there.
        const HARMLESS: f64 = 0.01;
        let points = points(axes);
        // How many points lie between each state's and the nearest end of an axis.
        let beyond = |axis: &[f64], z: f64| axis.iter().filter(|point| point.abs() > z.abs()).count() / 2;
        let depth = |state: usize| axes.iter().zip(points.row(state)).map(|(axis, &z)| beyond(axis, z)).min();
        let depths: Vec<Option<usize>> = (0..points.nrows()).map(depth).collect();
        let [outermost, next] = [0, 1].map(|ring| -> Array1<f64> {
            let is_there = depths.iter().map(|depth| f64::from(u8::from(*depth == Some(ring))));
            is_there.collect()
        });
        let pi = estimate.kernel.steady.pi();
        // Two or three points have no ring inside.
        let decaying = if next.sum() > 0.0 {
            pi.dot(&next) * outermost.sum() / next.sum()
        } else {
            1.0
        };
        let share = estimate.figure(|kernel| kernel.steady.mean(&outermost)).within(0.0, 1.0);
        let is_piled = share.low.or(share.value).is_some_and(|least| least > HARMLESS.max(decaying));
        Self { share, decaying, is_piled }
    }
}

/// Some images of the data, evenly spread among them.
fn placed(data: &Reference, codes: &Codes, model: &Conditionals, log_pi: &Array1<f64>, watch: &dyn Watch) -> Result<Vec<Placed>, Stopped> {
    /// Images held at a time.
    const BLOCK: usize = 256;
    let every = data.train.len().div_ceil(MOST_PLACED).max(1);
    let chosen: Vec<usize> = (0..data.train.len()).step_by(every).collect();
    let mut placed = Vec::with_capacity(chosen.len());
    for block in chosen.chunks(BLOCK) {
        watch.go_on()?;
        let responsibilities = log_softmax_rows(model.log_backward(&data.train.select(block)) + log_pi).mapv_into(f64::exp);
        for (&image, weights) in block.iter().zip(responsibilities.rows()) {
            placed.push(Placed {
                at: codes.gather(weights),
                class: data.train_classes.as_ref().map(|classes| classes[image]),
            });
        }
    }
    Ok(placed)
}

impl fmt::Display for Plane {
    /// The vortices, in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [found, hidden] = [self.vortices.len(), self.unresolved];
        match found {
            0 => write!(f, "no vortex")?,
            1 => write!(f, "one vortex")?,
            _ => write!(f, "{found} vortices")?,
        }
        for (vortex, before) in self.vortices.iter().zip(std::iter::once(": ").chain(std::iter::repeat("; "))) {
            write!(f, "{before}{vortex}")?;
        }
        match hidden {
            0 => Ok(()),
            _ => write!(
                f,
                " ({hidden} more, with currents of {:.1e} per step at most, cannot be told from noise)",
                self.unresolved_current
            ),
        }
    }
}

impl fmt::Display for Vortex {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [x, y] = [&self.centre[0], &self.centre[1]].map(|z| z.value.unwrap_or(f64::NAN));
        let sense = if self.is_counterclockwise {
            "counterclockwise"
        } else {
            "clockwise"
        };
        write!(f, "{sense} around ({x:.2}, {y:.2}), {} per step", self.current)
    }
}

impl fmt::Display for Edge {
    /// In a sentence.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (share, decaying) = (100.0 * self.share.value.unwrap_or(f64::NAN), 100.0 * self.decaying);
        write!(
            f,
            "{share:.2}% of pi lies on the outermost points, where a density that decays has at most {decaying:.2}%"
        )?;
        if self.is_piled {
            f.write_str(
                ": it piles up at the edge. A wider model.latent.range need not help: training may drive images against the edge wherever it is, as it does with \
                 configs/grid.toml at ranges from 3 to 8",
            )?;
        }
        Ok(())
    }
}
