//! Columns of a row by name, in the order of the record. Values are JSON texts that are copied and never computed
//! with: that is what keeps them exact.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Columns by name, in order. Equal when names, order and the texts of the values are.
#[derive(Clone, Debug, Default)]
pub struct Row {
    columns: Vec<(String, Box<RawValue>)>,
}

impl Row {
    /// The text of a column's JSON value: `1`, `"a"`, `null`.
    pub fn raw(&self, column: &str) -> Option<&str> {
        self.find(column).map(RawValue::get)
    }

    /// A column as plain text: strings without quotes and escapes, everything else as its JSON text. `None` where
    /// there is no such column, or its value is null.
    pub fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        match self.raw(column)? {
            "null" => None,
            raw if raw.starts_with('"') => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
            raw => Some(Cow::Borrowed(raw)),
        }
    }

    /// Names and JSON texts, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The values as plain text with a sign between them: an id for a document or a key. `None` where one is null.
    ///
    /// With several columns, a separator or backslash within a value gets a backslash in front, so that two keys never
    /// make one id.
    pub fn id(&self, separator: char) -> Option<String> {
        let mut id = String::new();
        for (index, (name, _)) in self.columns().enumerate() {
            if index > 0 {
                id.push(separator);
            }
            let text = self.text(name)?;
            if self.len() == 1 {
                return Some(text.into_owned());
            }
            for char in text.chars() {
                if char == separator || char == '\\' {
                    id.push('\\');
                }
                id.push(char);
            }
        }
        (!self.is_empty()).then_some(id)
    }

    /// Removes a column, and says whether it was there.
    pub fn remove(&mut self, column: &str) -> bool {
        let before = self.len();
        self.columns.retain(|(name, _)| name != column);
        self.len() < before
    }

    /// The row with the columns of another laid over it.
    pub fn overlaid(&self, over: &Self) -> Self {
        let mut row = self.clone();
        for (name, value) in &over.columns {
            match row.columns.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value.clone(),
                None => row.columns.push((name.clone(), value.clone())),
            }
        }
        row
    }

    pub(crate) fn take(&self, column: &str) -> Option<(String, Box<RawValue>)> {
        self.columns.iter().find(|(name, _)| name == column).cloned()
    }

    pub(crate) fn find(&self, column: &str) -> Option<&RawValue> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, value)| &**value)
    }

    pub(crate) fn into_columns(self) -> Vec<(String, Box<RawValue>)> {
        self.columns
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.columns().eq(other.columns())
    }
}

impl Eq for Row {}

impl FromIterator<(String, Box<RawValue>)> for Row {
    fn from_iter<I: IntoIterator<Item = (String, Box<RawValue>)>>(columns: I) -> Self {
        Self { columns: columns.into_iter().collect() }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in &self.columns {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the columns of a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry::<String, Box<RawValue>>()? {
                    columns.push(column);
                }
                Ok(Row { columns })
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// A JSON string.
pub(crate) fn string(text: &str) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(text).ok()
}

/// A JSON text, if it is one.
pub(crate) fn json(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}
