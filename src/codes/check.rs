//! Sizes that a latent layer can have.

use super::{Layer, Layers, MOST_LAYERS, MOST_ONE_HOT, MOST_STATES, MOST_UNITS};

/// What is wrong with some layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayersError {
    /// The number of the layer in a list, from 1.
    pub(super) layer: Option<usize>,
    /// The key of its table; empty for all of it.
    pub(super) key: &'static str,
    /// What it is.
    pub value: String,
    /// What it must be.
    pub allowed: String,
}

impl LayersError {
    /// What is wrong, where the layers as a whole have this name.
    pub fn name(&self, whole: &str) -> String {
        match (self.layer, self.key) {
            (None, "") => whole.to_owned(),
            (None, key) => format!("{whole}.{key}"),
            (Some(layer), "") => format!("layer {layer} of {whole}"),
            (Some(layer), key) => format!("{key} of layer {layer} of {whole}"),
        }
    }

    /// Of all of them.
    pub(super) fn of_all(value: String, allowed: impl Into<String>) -> Self {
        Self {
            layer: None,
            key: "",
            value,
            allowed: allowed.into(),
        }
    }
}

impl Layers {
    /// Checks the sizes.
    ///
    /// # Errors
    /// When there are too many layers, or one has a size that cannot be or too many states.
    pub fn check(&self) -> Result<(), LayersError> {
        let layers = self.all();
        if layers.len() > MOST_LAYERS {
            let count = format!("a list of {} layers", layers.len());
            return Err(LayersError::of_all(count, format!("one of at most {MOST_LAYERS}")));
        }
        for (layer, number) in layers.iter().zip(1..) {
            layer.check(layers.len() == 1).map_err(|allowed| LayersError {
                layer: (layers.len() > 1).then_some(number),
                ..LayersError::of_all(layer.to_string(), allowed)
            })?;
        }
        Ok(())
    }
}

impl Layer {
    /// What is wrong with the sizes, in words: what it must be.
    fn check(&self, alone: bool) -> Result<(), String> {
        let (factors, arithmetic) = match self {
            Self::OneHot { states } if (1..=MOST_ONE_HOT).contains(states) => return Ok(()),
            Self::OneHot { .. } => return Err(format!("a whole number from 1 to {MOST_ONE_HOT}")),
            Self::Binary { units: 0 } => return Err("of one unit or more".to_owned()),
            Self::Binary { units } if alone && *units <= MOST_UNITS => return Ok(()),
            Self::Binary { units } if alone => return Err(format!("of at most {MOST_UNITS} units; {units} are too many")),
            Self::Binary { units } => (vec![2; (*units).min(64)], format!("2^{units}")),
            Self::Groups { sizes } if sizes.is_empty() || sizes.iter().any(|&size| size < 2) => {
                return Err("of one group or more, each of two values or more".to_owned());
            }
            Self::Groups { sizes } => (sizes.clone(), sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")),
            Self::Grid { dimensions, .. } if !(1..=2).contains(dimensions) => return Err("of 1 or 2 dimensions".to_owned()),
            Self::Grid { points: ..2, .. } => return Err("of two points or more along each axis".to_owned()),
            Self::Grid { range, .. } if !(*range > 0.0 && *range <= 100.0) => return Err("of a range above 0 and up to 100".to_owned()),
            Self::Grid { dimensions, points, .. } => (vec![*points; *dimensions], format!("{points}^{dimensions}")),
        };
        let states = factors.iter().try_fold(1_usize, |states, &values| states.checked_mul(values));
        match states {
            Some(states) if states <= MOST_STATES => Ok(()),
            Some(states) => Err(format!("of at most {MOST_STATES} states; {arithmetic} is {states}")),
            None => Err(format!("of at most {MOST_STATES} states; {arithmetic} is more than can be counted")),
        }
    }
}
