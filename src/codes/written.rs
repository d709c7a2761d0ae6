//! Layers as configurations write them: a number of states, `{ kind = "binary", units = 10 }`, or a list of these.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Layer, Layers, LayersError};

/// The keys of a layer that is written as a table.
pub(crate) const TABLE_KEYS: [&str; 6] = ["kind", "units", "sizes", "dimensions", "points", "range"];

/// Layers as they are written. What a table lacks or has too much of shows when it is resolved: settings are given one by one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum WrittenLayers {
    One(WrittenLayer),
    List(Vec<WrittenLayer>),
}

/// A layer as it is written: the number of states of a one-hot layer, or a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum WrittenLayer {
    Number(usize),
    Table(WrittenTable),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WrittenTable {
    kind: Option<Kind>,
    units: Option<usize>,
    sizes: Option<Vec<usize>>,
    dimensions: Option<usize>,
    points: Option<usize>,
    range: Option<f64>,
}

/// The layers that are written as tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Binary,
    Groups,
    Grid,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Binary, Self::Groups, Self::Grid];

    fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Groups => "groups",
            Self::Grid => "grid",
        }
    }

    /// The keys beside `kind`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Binary => &["units"],
            Self::Groups => &["sizes"],
            Self::Grid => &["dimensions", "points", "range"],
        }
    }
}

/// The keys that a table of this kind has beside `kind`, if there is such a kind.
pub(crate) fn keys_of_kind(kind: &str) -> Option<&'static [&'static str]> {
    Kind::ALL.into_iter().find(|known| known.name() == kind).map(Kind::keys)
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            D::Error::custom(format!(
                "{name:?} is no kind of latent layer; there are \"binary\", \"groups\" and \"grid\", and a one-hot layer is written as its number of states"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for WrittenLayer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfLayer;
        impl<'de> Visitor<'de> for OfLayer {
            type Value = WrittenLayer;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number of states or a table as { kind = \"binary\", units = 10 }")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<WrittenLayer, E> {
                let states = usize::try_from(number);
                states
                    .map(WrittenLayer::Number)
                    .map_err(|_| E::custom(format!("{number} is no number of latent states")))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<WrittenLayer, A::Error> {
                WrittenTable::deserialize(MapAccessDeserializer::new(table)).map(WrittenLayer::Table)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<WrittenLayer, A::Error> {
                Err(A::Error::custom(
                    "a list within a list; latent layers stand in one list, each a number of states or a table",
                ))
            }
        }
        deserializer.deserialize_any(OfLayer)
    }
}

impl<'de> Deserialize<'de> for WrittenLayers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfLayers;
        impl<'de> Visitor<'de> for OfLayers {
            type Value = WrittenLayers;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number of states, a table as { kind = \"binary\", units = 10 }, or a list of these")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<WrittenLayers, E> {
                WrittenLayer::deserialize(serde::de::value::I64Deserializer::new(number)).map(WrittenLayers::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<WrittenLayers, A::Error> {
                WrittenLayer::deserialize(MapAccessDeserializer::new(table)).map(WrittenLayers::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<WrittenLayers, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(WrittenLayers::List)
            }
        }
        deserializer.deserialize_any(OfLayers)
    }
}

impl WrittenLayers {
    /// The layers that are written, checked.
    ///
    /// # Errors
    /// When a table lacks a key or has one of another kind, and as [`Layers::check`].
    pub fn resolve(&self) -> Result<Layers, LayersError> {
        let layers = match self {
            Self::One(layer) => vec![layer.resolve(None)?],
            Self::List(layers) => (layers.iter().zip(1..))
                .map(|(layer, number)| layer.resolve(Some(number)))
                .collect::<Result<_, _>>()?,
        };
        let layers = Layers::new(layers).ok_or_else(|| LayersError::of_all("[]".to_owned(), "a list of one layer or more"))?;
        layers.check()?;
        Ok(layers)
    }
}

impl WrittenLayer {
    /// `number` is that of the layer in a list.
    fn resolve(&self, number: Option<usize>) -> Result<Layer, LayersError> {
        match self {
            Self::Number(states) => Ok(Layer::OneHot { states: *states }),
            Self::Table(table) => table.resolve().map_err(|error| LayersError { layer: number, ..error }),
        }
    }
}

impl WrittenTable {
    fn resolve(&self) -> Result<Layer, LayersError> {
        let error = |key, value: &str, allowed: String| LayersError {
            layer: None,
            key,
            value: value.to_owned(),
            allowed,
        };
        let given = [
            ("units", self.units.map(|units| units.to_string())),
            ("sizes", self.sizes.as_ref().map(|sizes| format!("{sizes:?}"))),
            ("dimensions", self.dimensions.map(|dimensions| dimensions.to_string())),
            ("points", self.points.map(|points| points.to_string())),
            ("range", self.range.map(|range| format!("{range:?}"))),
        ];
        let Some(kind) = self.kind else {
            let first = given.iter().find_map(|(key, value)| value.is_some().then_some(*key));
            let of_key = first.and_then(|key| Some((key, Kind::ALL.into_iter().find(|kind| kind.keys().contains(&key))?)));
            let allowed = match of_key {
                Some((key, kind)) => format!("{:?}, as {key} is given", kind.name()),
                None => "\"binary\", \"groups\" or \"grid\"".to_owned(),
            };
            return Err(error("kind", "nothing", allowed));
        };
        let foreign = given.into_iter().find(|(key, value)| value.is_some() && !kind.keys().contains(key));
        if let Some((key, Some(value))) = foreign {
            return Err(error(key, &value, format!("left out, as kind is {:?}", kind.name())));
        }
        let missing = |key, what: &str| error(key, "nothing", format!("{what}, as kind is {:?}", kind.name()));
        Ok(match kind {
            Kind::Binary => Layer::Binary {
                units: self.units.ok_or_else(|| missing("units", "a whole number"))?,
            },
            Kind::Groups => Layer::Groups {
                sizes: self.sizes.clone().ok_or_else(|| missing("sizes", "a list of whole numbers"))?,
            },
            Kind::Grid => Layer::Grid {
                dimensions: self.dimensions.unwrap_or(2),
                points: self.points.ok_or_else(|| missing("points", "a whole number"))?,
                range: self.range.ok_or_else(|| missing("range", "a number"))?,
            },
        })
    }
}

impl From<&Layer> for WrittenLayer {
    fn from(layer: &Layer) -> Self {
        let table = WrittenTable::default();
        Self::Table(match layer.clone() {
            Layer::OneHot { states } => return Self::Number(states),
            Layer::Binary { units } => WrittenTable {
                kind: Some(Kind::Binary),
                units: Some(units),
                ..table
            },
            Layer::Groups { sizes } => WrittenTable {
                kind: Some(Kind::Groups),
                sizes: Some(sizes),
                ..table
            },
            Layer::Grid { dimensions, points, range } => WrittenTable {
                kind: Some(Kind::Grid),
                dimensions: Some(dimensions),
                points: Some(points),
                range: Some(range),
                ..table
            },
        })
    }
}

impl From<&Layers> for WrittenLayers {
    fn from(layers: &Layers) -> Self {
        match layers.all() {
            [layer] => Self::One(layer.into()),
            layers => Self::List(layers.iter().map(WrittenLayer::from).collect()),
        }
    }
}
