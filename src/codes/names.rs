//! States by what they are made of, in few characters.

use super::{Codes, Factor};

impl Codes {
    /// The code of a state as text: the word of binary units, as 0110; the values of groups, as 3.15; a point of a grid, as 1.5, -0.2. `None` where the
    /// state's number says as much, and where there is more than fits beneath a picture.
    pub fn name(&self, state: usize) -> Option<String> {
        /// Characters that fit.
        const ROOM: usize = 16;
        if self.is_one_hot() {
            return None;
        }
        let all_units = self.factors.iter().all(|factor| *factor == Factor::Unit);
        let of_factor = |(factor, value): (&Factor, usize)| match factor {
            Factor::OneHot(_) | Factor::Unit => value.to_string(),
            Factor::Axis { .. } => format!("{:.1}", factor.code(value, 0)),
        };
        let parts: Vec<String> = self.factors.iter().zip(self.values_of(state)).map(of_factor).collect();
        let on_axes = self.factors.iter().all(|factor| matches!(factor, Factor::Axis { .. }));
        let between = match (all_units, on_axes) {
            (true, _) => "",
            (_, true) => ", ",
            _ => ".",
        };
        Some(parts.join(between)).filter(|name| name.len() <= ROOM)
    }

    /// Has a state units: parts that can be told apart?
    pub fn has_units(&self) -> bool {
        !self.is_one_hot()
    }

    /// The names of a state's parts, and of the components of each part's code, counted from 0.
    pub fn unit_names(&self) -> Vec<(String, Vec<String>)> {
        let of_factor = |(number, factor): (usize, &Factor)| {
            let (name, width) = match factor {
                Factor::OneHot(values) => (format!("group {number}"), *values),
                Factor::Unit => (format!("unit {number}"), 1),
                Factor::Axis { .. } => (format!("axis {number}"), 1),
            };
            let components = match width {
                1 => vec![number.to_string()],
                _ => (0..width).map(|value| format!("{number}.{value}")).collect(),
            };
            (name, components)
        };
        self.factors.iter().enumerate().map(of_factor).collect()
    }
}
