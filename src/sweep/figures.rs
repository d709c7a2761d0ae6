//! The figures that a sweep's file asks for: means over seeds of one measure against another, or against a key of the grid.

use serde::Deserialize;

use super::effects::Setting;
use super::error::{PlanError, invalid};
use super::names::is_safe;
use super::statistics::SampleStatistics;
use crate::analysis::measures::{Measure, swept};
use crate::text::shortened;

/// The word for the variant where a key is asked for.
const VARIANT: &str = "variant";

/// An entry of `[[figures]]`, as it is written.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct WrittenFigure {
    name: String,
    title: Option<String>,
    text: Option<String>,
    x: String,
    y: String,
    along: Option<String>,
}

/// A figure as asked for, checked.
#[derive(Clone, Debug)]
pub struct FigurePlan {
    /// Of its file.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// What stands beneath it.
    pub text: String,
    /// What its points are plotted against.
    pub x: Abscissa,
    /// What is plotted.
    pub y: &'static Measure,
    /// The key whose values follow one another along a line, or the variant; without one, there are points and no lines.
    along: Option<String>,
}

/// What points are plotted against.
#[derive(Clone, Debug)]
pub enum Abscissa {
    /// A measure.
    Measure(&'static Measure),
    /// A key of the grid whose values are numbers, by its short name.
    Key(String),
}

/// Points that belong together, in the order of the sweep; of a key of the grid, in that of its values.
#[derive(Clone, Debug)]
pub struct Line {
    /// What they share.
    pub name: String,
    /// One for each setting.
    pub points: Vec<Point>,
}

/// A setting in a figure.
#[derive(Clone, Debug)]
pub struct Point {
    /// The setting in words.
    pub setting: String,
    /// Across.
    pub x: Spread,
    /// Up.
    pub y: Spread,
}

/// A figure over seeds: what is marked, between the ends of a bar.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Low end of the 95% interval of the mean, mean, high end.
    pub mean: [f64; 3],
    /// Smallest, median and largest value, for an axis in decades: there one seed can outweigh all others in a mean. The range of five seeds covers the
    /// median of all seeds in 15 cases of 16, that of more in more.
    pub median: [f64; 3],
}

impl WrittenFigure {
    /// The figure, of a sweep with these keys in its grids, by their short names.
    pub(super) fn check(&self, keys: &[String], has_variants: bool, place: &str) -> Result<FigurePlan, PlanError> {
        let place = format!("{place}, figure {}", shortened(&self.name));
        let keys_in_words = || {
            let variant = has_variants.then_some(VARIANT);
            variant
                .into_iter()
                .chain(keys.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let measures = || swept().map(|measure| measure.key).collect::<Vec<_>>().join(", ");
        if self.name.is_empty() || self.name.len() > 60 || !self.name.chars().all(is_safe) || self.name.starts_with('.') {
            let problem =
                "the name becomes that of a file; it must have 1 to 60 letters (a to z), digits, and . _ + -, and not begin with a dot";
            return Err(invalid(&place, problem.into()));
        }
        let measure = |name: &str| swept().find(|measure| measure.key == name);
        let key = |name: &str| {
            let short = keys.iter().find(|key| *key == name || name.ends_with(&format!(".{key}")));
            short.cloned().or((has_variants && name == VARIANT).then(|| VARIANT.to_owned()))
        };
        let Some(y) = measure(&self.y) else {
            let problem = format!("y is {}; it must be one of {}", shortened(&self.y), measures());
            return Err(invalid(&place, problem));
        };
        let x = match (measure(&self.x), key(&self.x)) {
            (Some(measure), _) => Abscissa::Measure(measure),
            (None, Some(key)) if key != VARIANT => Abscissa::Key(key),
            _ => {
                let problem = format!(
                    "x is {}; it must be a key of the grid whose values are numbers, or one of {}",
                    shortened(&self.x),
                    measures()
                );
                return Err(invalid(&place, problem));
            }
        };
        let along = match (&self.along, &x) {
            (None, Abscissa::Measure(_)) => None,
            (None, Abscissa::Key(x)) => Some(x.clone()),
            (Some(along), _) => match key(along) {
                Some(along) => Some(along),
                None => {
                    let problem = format!("along is {}; it must be one of {}", shortened(along), keys_in_words());
                    return Err(invalid(&place, problem));
                }
            },
        };
        Ok(FigurePlan {
            title: self.title.clone().unwrap_or_else(|| y.title.to_owned()),
            text: self.text.clone().unwrap_or_default(),
            name: self.name.clone(),
            x,
            y,
            along,
        })
    }
}

impl FigurePlan {
    /// What is written along the axis.
    pub fn x_title(&self) -> String {
        match &self.x {
            Abscissa::Measure(measure) => titled(measure),
            Abscissa::Key(key) => key.replace('_', " "),
        }
    }

    /// What is written up the axis.
    pub fn y_title(&self) -> String {
        titled(self.y)
    }

    /// The points of the settings that have both figures, line by line.
    pub fn lines(&self, settings: &[Setting]) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for setting in settings {
            let Some(point) = self.point(setting) else { continue };
            let name = self.line_of(setting);
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name, points: vec![point] }),
            }
        }
        if matches!(self.x, Abscissa::Key(_)) {
            for line in &mut lines {
                line.points.sort_by(|a, b| a.x.mean[1].total_cmp(&b.x.mean[1]));
            }
        }
        lines
    }

    /// Are points of a line joined?
    pub fn is_joined(&self) -> bool {
        self.along.is_some()
    }

    /// The setting's place; none where a run lacks one of the figures, such as the relaxation time of a frozen chain: a mean of the others would
    /// mislead.
    fn point(&self, setting: &Setting) -> Option<Point> {
        let runs = setting.figures.values().map(|statistics| statistics.n).max()?;
        let of = |measure: &Measure| {
            setting
                .figures
                .get(measure.key)
                .filter(|statistics| statistics.n == runs)
                .map(spread)
        };
        let x = match &self.x {
            Abscissa::Measure(measure) => of(measure)?,
            Abscissa::Key(key) => {
                let choice = setting.choices.iter().find(|choice| choice.key == *key)?;
                let value = [choice.value.parse().ok()?; 3];
                Spread {
                    mean: value,
                    median: value,
                }
            }
        };
        Some(Point {
            setting: setting.name.clone(),
            x,
            y: of(self.y)?,
        })
    }

    /// What a setting shares with the others of its line.
    fn line_of(&self, setting: &Setting) -> String {
        let along = self.along.as_deref();
        let variant = setting.variant.clone().filter(|_| along != Some(VARIANT));
        let choices = setting.choices.iter().filter(|choice| Some(choice.key.as_str()) != along);
        let words: Vec<String> = variant
            .into_iter()
            .chain(choices.map(|choice| format!("{} {}", choice.key.replace('_', " "), choice.value)))
            .collect();
        if words.is_empty() { "all".to_owned() } else { words.join(", ") }
    }
}

fn spread(statistics: &SampleStatistics) -> Spread {
    let (low, high) = statistics.interval.unwrap_or((statistics.mean, statistics.mean));
    Spread {
        mean: [low, statistics.mean, high],
        median: [statistics.min, statistics.median, statistics.max],
    }
}

fn titled(measure: &Measure) -> String {
    format!("{}, {}", measure.title.to_lowercase(), measure.unit)
}
