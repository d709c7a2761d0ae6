//! An axis with round ticks, linear or by decades.

#[derive(Clone)]
pub struct Axis {
    /// By decades, with zero half a decade below the smallest other value.
    pub decades: bool,
    zero: f64,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
}

impl Axis {
    /// For some values: by decades where they are from zero up and span two or more.
    pub fn of(values: &[f64]) -> Self {
        let (least, most) = ends(values.iter().copied());
        let (smallest, _) = ends(values.iter().copied().filter(|value| *value > 0.0));
        if least >= 0.0 && most >= 100.0 * smallest {
            Self::by_decades(values)
        } else {
            Self::linear(values)
        }
    }

    /// For any values.
    pub fn linear(values: &[f64]) -> Self {
        let (low, high) = ends(values.iter().copied());
        // Values that are all alike have room for ticks about them.
        let room = match high - low {
            span if span > 1e-6 * high.abs() => 0.06 * span,
            _ if high == 0.0 => 0.5,
            _ => 0.05 * high.abs(),
        };
        Self::between(low - room, high + room)
    }

    /// From one end to the other.
    pub fn between(low: f64, high: f64) -> Self {
        Self {
            decades: false,
            zero: 0.0,
            low,
            high,
            ticks: ticks(low, high, false),
        }
    }

    /// For values from zero up, some of them above; within two decades ticks stand at 1, 2 and 5 times the powers of ten.
    pub fn by_decades(values: &[f64]) -> Self {
        let (least, most) = ends(values.iter().copied());
        let (smallest, _) = ends(values.iter().copied().filter(|value| *value > 0.0));
        let zero = smallest.log10().floor() - 0.5;
        let (low, high) = (if least > 0.0 { least.log10() } else { zero }, most.log10());
        let room = (0.06 * (high - low)).max(0.05);
        let (low, high) = (low - room, high + room);
        let mut ticks = if high - low < 2.0 {
            within_decades(low, high)
        } else {
            ticks(low, high, true)
        };
        if least <= 0.0 {
            ticks.retain(|tick| *tick > zero);
            ticks.insert(0, zero);
        }
        Self {
            decades: true,
            zero,
            low,
            high,
            ticks,
        }
    }

    /// Where a value stands, in the unit of the ticks.
    pub fn place(&self, value: f64) -> f64 {
        match self.decades {
            false => value,
            true if value > 0.0 => value.log10(),
            true => self.zero,
        }
    }

    /// Where a value stands, from 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        self.share_of_place(self.place(value))
    }

    /// Where a tick stands, from 0 to 1.
    pub fn share_of_place(&self, place: f64) -> f64 {
        (place - self.low) / (self.high - self.low)
    }

    /// What stands at a tick.
    pub fn label(&self, place: f64) -> String {
        if self.decades && place == self.zero {
            "0".to_owned()
        } else if self.decades && !(-4.0..5.0).contains(&place) {
            format!("{:.0e}", 10.0_f64.powf(place))
        } else if self.decades {
            let value = 10.0_f64.powf(place);
            let text = |digits: usize| format!("{value:.digits$}");
            let is_exact = |text: &String| text.parse().is_ok_and(|shown: f64| (shown - value).abs() < 1e-6 * value);
            (0..9).map(text).find(is_exact).unwrap_or_else(|| text(9))
        } else {
            let step = self.ticks.get(1).map_or(1.0, |second| second - self.ticks[0]);
            let digits = (-(step * 1.001).log10().floor()).clamp(0.0, 12.0) as usize;
            let value = if place.abs() < 1e-9 * step { 0.0 } else { place };
            if digits > 4 && value.abs() < 100.0 * step {
                format!("{value:.1e}")
            } else {
                format!("{value:.digits$}")
            }
        }
    }
}

/// Ticks of an axis that spans less than two decades: 1, 2 and 5 times the powers of ten, or where these are too few, round numbers evenly spaced.
fn within_decades(low: f64, high: f64) -> Vec<f64> {
    let decades = low.floor() as i32..=high.floor() as i32;
    let multiples = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|times: f64| f64::from(decade) + times.log10()));
    let found: Vec<f64> = multiples.filter(|tick| (low..=high).contains(tick)).collect();
    if found.len() >= 3 {
        return found;
    }
    let even = ticks(10.0_f64.powf(low), 10.0_f64.powf(high), false);
    even.into_iter()
        .map(f64::log10)
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

/// Is this a value that a chart can show? Files can be changed by hand, and an axis without end never ends.
pub fn shown(value: f64) -> bool {
    value.abs() < 1e12
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

/// Round numbers between two ends: four to eight, by 1, 2 or 5 times a power of ten; on an axis of decades whole ones.
pub fn ticks(low: f64, high: f64, decades: bool) -> Vec<f64> {
    let rough = (high - low) / 6.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let step = if decades { step.ceil().max(1.0) } else { step };
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}
