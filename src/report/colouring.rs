//! The colours of the points of a sweep's page: by the value of a key of its grids, which the reader chooses.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::lines::APART;
use super::page::escape;

/// Most entries of a legend.
const MOST_ENTRIES: usize = 12;
/// Ends and middle of the colours of a number, from small to large.
const RAMP: [(f64, f64, f64); 4] = [
    (48.0, 105.0, 214.0),
    (150.0, 80.0, 190.0),
    (216.0, 75.0, 105.0),
    (230.0, 150.0, 40.0),
];

/// A key that points can be coloured by.
pub struct Colouring {
    pub name: String,
    /// Its values in order, each with its colour.
    pub values: Vec<(String, String)>,
    /// Which value each finished run has.
    pub of_run: Vec<usize>,
}

impl Colouring {
    /// Numbers are put in order and coloured along a ramp, words in the order in which they appear.
    pub fn new(name: &str, of_run: Vec<String>) -> Self {
        let mut values: Vec<String> = Vec::new();
        let mut places = BTreeMap::new();
        for value in &of_run {
            if !places.contains_key(value) {
                places.insert(value.clone(), values.len());
                values.push(value.clone());
            }
        }
        let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
        let count = values.len();
        let colour = |place: usize| match numbers {
            Some(_) => ramp(place as f64 / (count - 1).max(1) as f64),
            None => APART[place % APART.len()].to_owned(),
        };
        if let Some(numbers) = &numbers {
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
            values = order.iter().map(|&place| values[place].clone()).collect();
            places = values.iter().cloned().zip(0..).collect();
        }
        Self {
            name: name.to_owned(),
            of_run: of_run.iter().map(|value| places[value]).collect(),
            values: values
                .into_iter()
                .enumerate()
                .map(|(place, value)| (value, colour(place)))
                .collect(),
        }
    }
}

/// A colour between the ends of the ramp, at a share of its length.
fn ramp(share: f64) -> String {
    let along = share * (RAMP.len() - 1) as f64;
    let part = (along as usize).min(RAMP.len() - 2);
    let ((r, g, b), (r2, g2, b2)) = (RAMP[part], RAMP[part + 1]);
    let mix = |a: f64, b: f64| (a + (along - part as f64) * (b - a)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(r, r2), mix(g, g2), mix(b, b2))
}

/// What the colours of a key mean; of many values, some evenly spaced.
pub fn legend(number: usize, colouring: &Colouring) -> String {
    let count = colouring.values.len();
    let shown = count.min(MOST_ENTRIES);
    let places = (0..shown).map(|entry| if shown < count { entry * (count - 1) / (shown - 1) } else { entry });
    let mut html = String::new();
    for place in places {
        let value = &colouring.values[place].0;
        let value = if value.is_empty() { "not set" } else { value };
        let _ = write!(html, r#"<span><i class="k{number}-{place}"></i>{}</span>"#, escape(value));
    }
    if shown < count {
        let _ = write!(html, "<span>{shown} of {count} values</span>");
    }
    html
}

/// Points and legends take the colours of the chosen key.
pub fn style(colourings: &[Colouring]) -> String {
    let mut css = String::new();
    for (number, colouring) in colourings.iter().enumerate() {
        let _ = writeln!(css, "#by-{number}:checked ~ #legend-{number} {{ display: flex; }}");
        for (place, (_, colour)) in colouring.values.iter().enumerate() {
            let _ = writeln!(
                css,
                "#by-{number}:checked ~ .figures .k{number}-{place} {{ fill: {colour}; }} i.k{number}-{place} {{ background: {colour}; }}"
            );
        }
    }
    css
}
