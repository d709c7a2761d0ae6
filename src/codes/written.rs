//! A layer as configurations and records write it: a number, `{ kind = "binary", units = 10 }`, or a list of these.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Layer, Layers, MOST_LAYERS, MOST_STATES};

/// The most states of a one-hot layer.
const MOST_ONE_HOT: usize = 10_000;

/// How a layer is written: the number of states of a one-hot layer, or a table.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of states, { kind = \"binary\", units = 10 }, { kind = \"groups\", sizes = [16, 16] }, \
    { kind = \"grid\", dimensions = 2, points = 24, range = 4.5 }, or a list of these"
)]
enum LayerText {
    Number(usize),
    Table(LayerTable),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum LayerTable {
    Binary {
        units: usize,
    },
    Groups {
        sizes: Vec<usize>,
    },
    Grid {
        #[serde(default = "two")]
        dimensions: usize,
        points: usize,
        range: f64,
    },
}

/// How layers are written: one, or a list.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of states, { kind = \"binary\", units = 10 }, { kind = \"groups\", sizes = [16, 16] }, \
    { kind = \"grid\", dimensions = 2, points = 24, range = 4.5 }, or a list of these"
)]
enum LayersText {
    One(LayerText),
    List(Vec<LayerText>),
}

fn two() -> usize {
    2
}

impl From<&Layer> for LayerText {
    fn from(layer: &Layer) -> Self {
        match layer.clone() {
            Layer::OneHot { states } => Self::Number(states),
            Layer::Binary { units } => Self::Table(LayerTable::Binary { units }),
            Layer::Groups { sizes } => Self::Table(LayerTable::Groups { sizes }),
            Layer::Grid { dimensions, points, range } => Self::Table(LayerTable::Grid { dimensions, points, range }),
        }
    }
}

impl From<LayerText> for Layer {
    fn from(text: LayerText) -> Self {
        match text {
            LayerText::Number(states) => Self::OneHot { states },
            LayerText::Table(LayerTable::Binary { units }) => Self::Binary { units },
            LayerText::Table(LayerTable::Groups { sizes }) => Self::Groups { sizes },
            LayerText::Table(LayerTable::Grid { dimensions, points, range }) => Self::Grid { dimensions, points, range },
        }
    }
}

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.all() {
            [layer] => LayersText::One(layer.into()),
            layers => LayersText::List(layers.iter().map(LayerText::from).collect()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let layers = match LayersText::deserialize(deserializer)? {
            LayersText::One(layer) => vec![layer.into()],
            LayersText::List(layers) => layers.into_iter().map(Layer::from).collect(),
        };
        Self::new(layers).ok_or_else(|| serde::de::Error::custom("a list of no latent layers; one is needed"))
    }
}

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
        struct Latent {
            latent: Layers,
        }
        let Latent { latent } = toml::from_str(&format!("latent = {text}")).map_err(|error| error.message().to_owned())?;
        latent.check()?;
        Ok(latent)
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
        let layers: Vec<String> = self.all().iter().map(Layer::describe).collect();
        format!("{} ({})", states(self.states()), layers.join(", then "))
    }

    /// What is wrong with the sizes, in words: what it must be.
    ///
    /// # Errors
    /// When there are too many layers, or one has a size that cannot be or too many states.
    pub fn check(&self) -> Result<(), String> {
        if self.all().len() > MOST_LAYERS {
            return Err(format!("at most {MOST_LAYERS} layers; these are {}", self.all().len()));
        }
        self.all().iter().try_for_each(Layer::check)
    }
}

impl Layer {
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

    fn check(&self) -> Result<(), String> {
        match self {
            Self::OneHot { states } if (1..=MOST_ONE_HOT).contains(states) => return Ok(()),
            Self::OneHot { .. } => return Err(format!("a whole number from 1 to {MOST_ONE_HOT}")),
            Self::Binary { units: 0 } => return Err("of one unit or more".to_owned()),
            Self::Groups { sizes } if sizes.is_empty() || sizes.iter().any(|&size| size < 2) => {
                return Err("of one group or more, each of two values or more".to_owned());
            }
            Self::Grid { dimensions, points, range } => {
                if !(1..=2).contains(dimensions) {
                    return Err("of 1 or 2 dimensions".to_owned());
                }
                if *points < 2 {
                    return Err("of two points or more along each axis".to_owned());
                }
                if !(*range > 0.0 && *range <= 100.0) {
                    return Err("of a range above 0 and up to 100".to_owned());
                }
            }
            Self::Binary { .. } | Self::Groups { .. } => (),
        }
        let (factors, arithmetic) = match self {
            Self::OneHot { states } => (vec![*states], String::new()),
            Self::Binary { units } => (vec![2; (*units).min(64)], format!("2^{units}")),
            Self::Groups { sizes } => (sizes.clone(), sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")),
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
