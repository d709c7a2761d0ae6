//! The fields of a map in a record, taken one by one, with errors that name their dotted path.

use super::messagepack::{Value, quoted};

/// A map of the record, at a dotted path, with the fields that have not been taken yet.
pub struct Fields<'a> {
    /// Empty for the whole record.
    pub path: String,
    fields: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// The fields of a map.
    pub fn of(value: Value<'a>, path: impl Into<String>) -> Result<Self, String> {
        let path = path.into();
        match value {
            Value::Map(fields) => Ok(Self { path, fields }),
            other if path.is_empty() => Err(format!("it is {}, not a map of fields", other.describe())),
            other => Err(format!("the field `{path}` is {}, not a map of fields", other.describe())),
        }
    }

    /// Is there a field of this name?
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(found, _)| *found == name)
    }

    /// The dotted path of a field.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Takes a field.
    pub fn take(&mut self, name: &str) -> Result<Value<'a>, String> {
        let place = self.fields.iter().position(|(found, _)| *found == name);
        let place = place.ok_or_else(|| format!("it has no field `{}`", self.path_of(name)))?;
        Ok(self.fields.swap_remove(place).1)
    }

    /// Takes a text.
    pub fn take_text(&mut self, name: &str) -> Result<&'a str, String> {
        match self.take(name)? {
            Value::Text(text) => Ok(text),
            other => Err(format!("the field `{}` is {}, not a text", self.path_of(name), other.describe())),
        }
    }

    /// Takes a list.
    pub fn take_list(&mut self, name: &str) -> Result<Vec<Value<'a>>, String> {
        match self.take(name)? {
            Value::List(values) => Ok(values),
            other => Err(format!("the field `{}` is {}, not a list", self.path_of(name), other.describe())),
        }
    }

    /// Takes a map.
    pub fn take_map(&mut self, name: &str) -> Result<Self, String> {
        Self::of(self.take(name)?, self.path_of(name))
    }

    /// Takes a map, or nothing.
    pub fn take_optional_map(&mut self, name: &str) -> Result<Option<Self>, String> {
        match self.take(name)? {
            Value::Nothing => Ok(None),
            value => Self::of(value, self.path_of(name)).map(Some),
        }
    }

    /// Nothing may be left: what is not known here, or is there twice, would be passed over.
    pub fn end(self) -> Result<(), String> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) if self.path.is_empty() => Err(format!("it has a field {} that no record has, or has it twice", quoted(name))),
            Some((name, _)) => Err(format!(
                "the field `{}` has a part {} that no record has, or has it twice",
                self.path,
                quoted(name)
            )),
        }
    }
}
