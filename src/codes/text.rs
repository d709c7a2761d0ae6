//! Layers in words, and as a text that can be read again.

use std::fmt;

use serde::Deserialize;

use super::written::WrittenLayers;
use super::{Layer, Layers};

/// The longest text of layers in a record, in bytes.
const LONGEST: usize = 2_000;

/// As in a configuration.
impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::OneHot { states } => write!(formatter, "{states}"),
            Self::Binary { units } => write!(formatter, "{{ kind = \"binary\", units = {units} }}"),
            Self::Groups { sizes } => write!(formatter, "{{ kind = \"groups\", sizes = {sizes:?} }}"),
            Self::Grid { dimensions, points, range } => write!(
                formatter,
                "{{ kind = \"grid\", dimensions = {dimensions}, points = {points}, range = {range:?} }}"
            ),
        }
    }
}

/// As in a configuration.
impl fmt::Display for Layers {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self.all() {
            [layer] => layer.fmt(formatter),
            layers => {
                let texts: Vec<String> = layers.iter().map(Layer::to_string).collect();
                write!(formatter, "[{}]", texts.join(", "))
            }
        }
    }
}

impl Layers {
    /// From how a configuration writes them, checked.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Latent {
            latent: WrittenLayers,
        }
        let Latent { latent } = toml::from_str(&format!("latent = {text}")).map_err(|error| error.message().replace('\n', "; "))?;
        latent
            .resolve()
            .map_err(|error| format!("{} is {}; it must be {}", error.name("latent"), error.value, error.allowed))
    }

    /// From how a record writes them: exactly as [`fmt::Display`] does.
    ///
    /// # Errors
    /// In words.
    pub fn from_record(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!(
                "it is {} bytes long, and that of no layers has more than {LONGEST}",
                text.len()
            ));
        }
        let layers = Self::parse(text)?;
        let written = layers.to_string();
        if written != text {
            return Err(format!("records write these layers as {written:?}"));
        }
        Ok(layers)
    }

    /// In words, with the number of states.
    pub fn describe(&self) -> String {
        let states = |count: usize| {
            if count == 1 {
                "1 latent state".to_owned()
            } else {
                format!("{count} latent states")
            }
        };
        if self.is_one_hot() {
            return states(self.states());
        }
        if let (Some(units), false) = (self.binary_units(), self.are_listed()) {
            return format!("{units} binary units");
        }
        let layers: Vec<String> = self.all().iter().map(Layer::describe).collect();
        format!("{} ({})", states(self.states()), layers.join(", then "))
    }
}

impl Layer {
    /// In words.
    fn describe(&self) -> String {
        match self {
            Self::OneHot { states } => format!("{states} one-hot"),
            Self::Binary { units: 1 } => "1 binary unit".to_owned(),
            Self::Binary { units } => format!("{units} binary units"),
            Self::Groups { sizes } => {
                let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
                format!("groups of {}", sizes.join(", "))
            }
            Self::Grid { dimensions, points, range } => {
                let sizes = vec![points.to_string(); *dimensions];
                format!("a grid of {} points up to {range}", sizes.join(" x "))
            }
        }
    }
}
