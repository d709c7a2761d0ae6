//! Errors of figures that are functions of an estimated kernel: the delete-one-group jackknife.

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Estimate, Kernel};

/// A figure with its 95% interval; an exact one has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The best value; null where it is infinite or cannot be had, which `note` explains.
    pub value: Option<f64>,
    /// The interval's ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The interval's ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The value's standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Of a mean over images: its standard error if they are a sample of all such images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error_over_images: Option<f64>,
    /// What else is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Figure {
    /// A figure without error.
    pub fn exact(value: f64) -> Self {
        Self {
            value: value.is_finite().then_some(value),
            low: None,
            high: None,
            standard_error: None,
            standard_error_over_images: None,
            note: (!value.is_finite()).then(|| "infinite".to_owned()),
        }
    }

    /// A figure that cannot be had.
    pub fn missing(why: &str) -> Self {
        Self {
            value: None,
            ..Self::exact(0.0)
        }
        .because(why)
    }

    /// With a note.
    pub fn because(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }

    /// Uses what is known beforehand: that the figure cannot be smaller.
    pub fn at_least(self, least: f64) -> Self {
        self.within(least, f64::INFINITY)
    }

    /// Uses what is known beforehand: that the figure cannot be smaller or larger.
    pub fn within(mut self, least: f64, most: f64) -> Self {
        for part in [&mut self.value, &mut self.low, &mut self.high].into_iter().flatten() {
            *part = part.clamp(least, most);
        }
        self
    }

    /// A value with its standard error, which so many degrees of freedom tell.
    pub fn with_error(value: f64, error: f64, freedom: usize) -> Self {
        let reach = student_95(freedom) * error;
        Self {
            low: Some(value - reach),
            high: Some(value + reach),
            standard_error: Some(error),
            ..Self::exact(value)
        }
    }

    /// From a function of all draws and the same function without each of G groups.
    ///
    /// ```text
    /// bias = (G - 1) (mean f_g - f),     value = f - bias,     error^2 = (G - 1)/G sum_g ( f_g - mean f_g )^2
    /// interval: value -+ t sqrt( error^2 + 2 bias^2 )
    /// ```
    ///
    /// (B. Efron and C. Stein, Ann. Stat. 9, 586 (1981)), t being Student's for G - 1 degrees of freedom. The second term counts where
    /// the first vanishes: at the entropy production of a chain in balance, say, which is a quadratic form `sum lambda_i z_i^2` of the
    /// errors, with mean `sum lambda_i`, the bias, and variance `2 sum lambda_i^2`, at most twice its square.
    pub fn jackknife(whole: f64, without: &[f64]) -> Self {
        let groups = without.len() as f64;
        if without.is_empty() || !whole.is_finite() {
            return Self::exact(whole);
        }
        if without.iter().any(|figure| !figure.is_finite()) {
            return Self::exact(whole).because("without an interval: it is infinite without some of the draws");
        }
        let mean = without.iter().sum::<f64>() / groups;
        let bias = (groups - 1.0) * (mean - whole);
        let square = (groups - 1.0) / groups * without.iter().map(|f| (f - mean).powi(2)).sum::<f64>();
        let value = whole - bias;
        Self::with_error(value, (square + 2.0 * bias * bias).sqrt(), without.len() - 1)
    }
}

impl fmt::Display for Figure {
    /// `value ± half width`, to two digits of the half width; both ends, to the same digit, where what is known beforehand cuts the interval.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Some(value), low, high) = (self.value, self.low, self.high) else {
            return f.pad("-");
        };
        let half = low.zip(high).map_or(0.0, |(low, high)| 0.5 * (high - low));
        let Some((low, high)) = low.zip(high).filter(|_| half > 1e-12 * value.abs()) else {
            let small = value != 0.0 && value.abs() < 1e-4;
            return f.pad(&if small { format!("{value:.2e}") } else { format!("{value:.6}") });
        };
        // Small ones share the power of ten of the largest of them, and all their last digit.
        let size = value.abs().max(half);
        let power = if size < 1e-4 { size.log10().floor() as i32 } else { 0 };
        let digits = (1 - half.log10().floor() as i32 + power).clamp(0, 12) as usize;
        let shown = |value: f64| {
            let digits = format!("{:.digits$}", value / 10.0_f64.powi(power));
            // Nothing is a negative zero.
            let digits = if digits.trim_matches(['-', '0', '.']).is_empty() {
                digits.replace('-', "")
            } else {
                digits
            };
            if power < 0 { format!("{digits}e{power}") } else { digits }
        };
        f.pad(&match ((high - value) - (value - low)).abs() < 0.01 * half {
            true => format!("{} ± {}", shown(value), shown(half)),
            false => format!("{} ({} to {})", shown(value), shown(low), shown(high)),
        })
    }
}

impl Estimate {
    /// A figure of the kernel with its error.
    pub fn figure(&self, function: impl Fn(&Kernel) -> f64) -> Figure {
        let without: Vec<f64> = self.without.iter().map(&function).collect();
        Figure::jackknife(function(&self.kernel), &without)
    }

    /// Standard errors of a table of figures of the kernel; zero where it is exact.
    pub fn standard_errors(&self, table: impl Fn(&Kernel) -> Array2<f64>) -> Array2<f64> {
        standard_errors(table(&self.kernel), self.without.iter().map(table))
    }
}

/// Standard errors of a table, from that of all draws and those without each of some groups; zero without groups.
pub(crate) fn standard_errors(whole: Array2<f64>, without: impl ExactSizeIterator<Item = Array2<f64>>) -> Array2<f64> {
    let groups = without.len() as f64;
    let (mut sum, mut squares) = (Array2::zeros(whole.dim()), Array2::zeros(whole.dim()));
    if without.len() == 0 {
        return sum;
    }
    for table in without {
        // About all draws' own, so that squares of small differences keep their digits.
        let deviation = table - &whole;
        squares += &deviation.mapv(|d| d * d);
        sum += &deviation;
    }
    let variance = (squares - sum.mapv(|sum| sum * sum / groups)) * ((groups - 1.0) / groups);
    variance.mapv(|variance| variance.max(0.0).sqrt())
}

/// The standard error of the mean of independent values, 0 of a single one.
pub(crate) fn error_of_mean(values: impl Iterator<Item = f64>, mean: f64) -> f64 {
    let (mut squares, mut count) = (0.0, 0.0);
    for value in values {
        squares += (value - mean).powi(2);
        count += 1.0;
    }
    (squares / (count * f64::max(count - 1.0, 1.0))).sqrt()
}

/// The 97.5% point of Student's distribution, by the expansion of Cornish and Fisher; right to 1e-2 from seven degrees of freedom on, to 1e-3 from ten.
pub(crate) fn student_95(freedom: usize) -> f64 {
    let (z, n) = (1.959_963_985_f64, freedom as f64);
    let (z3, z5) = (z.powi(3), z.powi(5));
    z + (z3 + z) / (4.0 * n) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n)
}
