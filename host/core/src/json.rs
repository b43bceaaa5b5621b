//! JSON objects as checked compact text: parsed once at the edge, then only copied.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A JSON object kept as compact text, in the key order it came with. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(Arc<str>);

impl JsonObject {
    /// Parses text that must be one JSON object.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Map<String, Value>>(text).map(|map| Self::from(&map))
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

    /// The parsed object; empty if the text was not an object after all.
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// Whether the object has no keys.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 2
    }
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
}
