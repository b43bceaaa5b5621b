//! JSON objects as checked compact text: parsed once at the edge, then only copied.

mod integers;
mod nesting;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::limits;

pub use integers::overlong_integer;
pub use nesting::{ELIDED, elided, is_deeper};

/// A JSON object kept as compact text, in the key order it came with. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(Arc<str>);

impl JsonObject {
    /// Parses text that must be one JSON object, no deeper than [`limits::MAX_JSON_DEPTH`], whose integers fit 64 bits.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Self::from(&parse_object(text)?).within(limits::MAX_JSON_DEPTH)
    }

    /// Parses one JSON object that a program wrote which has no other numbers than floats, no deeper than `depth`: integers that do
    /// not fit 64 bits become floats.
    pub fn parse_rounding(text: &str, depth: usize) -> Result<Self, serde_json::Error> {
        Self::from(&serde_json::from_str::<Map<String, Value>>(text)?).within(depth)
    }

    fn within(self, depth: usize) -> Result<Self, serde_json::Error> {
        if self.is_deeper_than(depth) { Err(too_deep(depth)) } else { Ok(self) }
    }

    /// Text that this program itself wrote as a compact object, such as a stored row whose checksum was verified.
    /// Anything that does not look like an object becomes an error.
    pub fn from_trusted(text: &str) -> Result<Self, NotAnObject> {
        if text.starts_with('{') && text.ends_with('}') { Ok(Self(text.into())) } else { Err(NotAnObject) }
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parsed object; empty if the text was not an object after all. Where an embedding program made it too deep to be
    /// parsed, the deepest parts are [`ELIDED`].
    pub fn to_map(&self) -> Map<String, Value> {
        self.to_map_within(limits::MAX_PARSED_JSON_DEPTH)
    }

    /// The parsed object with [`ELIDED`] in place of what nests deeper than `depth`.
    pub(crate) fn to_map_within(&self, depth: usize) -> Map<String, Value> {
        serde_json::from_str(&elided(&self.0, depth)).unwrap_or_default()
    }

    /// Whether it nests deeper than `depth`.
    pub(crate) fn is_deeper_than(&self, depth: usize) -> bool {
        is_deeper(&self.0, depth)
    }

    /// Whether the object has no keys.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 2
    }
}

/// Parses one JSON object whose integers fit 64 bits.
pub(crate) fn parse_object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    let map = serde_json::from_str(text)?;
    match overlong_integer(text, &map) {
        Some(integer) => Err(serde::de::Error::custom(overlong(integer))),
        None => Ok(map),
    }
}

/// What is wrong with an integer that does not fit 64 bits.
pub fn overlong(integer: &str) -> String {
    let shown: String = integer.chars().take(limits::MAX_SHOWN_DIGITS).collect();
    let more = if shown.len() < integer.len() { "…" } else { "" };
    format!("the integer {shown}{more} does not fit 64 bits; send it as a string")
}

/// The error of JSON that nests deeper than `depth`.
pub(crate) fn too_deep(depth: usize) -> serde_json::Error {
    serde::de::Error::custom(format!("it is nested deeper than {depth} levels"))
}

/// The text is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object")]
pub struct NotAnObject;

impl Default for JsonObject {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl From<&Map<String, Value>> for JsonObject {
    fn from(map: &Map<String, Value>) -> Self {
        // Maps with string keys of plain values always serialise.
        Self(serde_json::to_string(map).unwrap_or_else(|_| "{}".to_owned()).into())
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::<String, Value>::deserialize(deserializer).map(|map| Self::from(&map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_number_forms() {
        let object = JsonObject::parse(r#" {"b": 42, "a": 42.0, "n": null} "#).unwrap();
        assert_eq!(object.as_str(), r#"{"b":42,"a":42.0,"n":null}"#);
        assert_eq!(serde_json::to_string(&object).unwrap(), object.as_str());
        assert!(JsonObject::parse("[]").is_err());
        assert!(JsonObject::default().is_empty());
    }

    #[test]
    fn what_is_too_deep_does_not_come_in_and_can_be_read_all_the_same() {
        let nested = |depth: usize| "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1);
        assert!(JsonObject::parse(&nested(limits::MAX_JSON_DEPTH)).is_ok());
        let refused = JsonObject::parse(&nested(limits::MAX_JSON_DEPTH + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "it is nested deeper than 100 levels");
        // Stored before there was the limit.
        let stored = |depth: usize| Value::Object(JsonObject::from_trusted(&nested(depth)).unwrap().to_map());
        assert_eq!(stored(limits::MAX_PARSED_JSON_DEPTH).to_string(), nested(limits::MAX_PARSED_JSON_DEPTH));
        assert!(stored(200).to_string().contains(ELIDED));
    }
}
