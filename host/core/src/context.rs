//! A metric's context in canonical form: the identity of a series beside its name.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json;
use crate::limits;

/// Key-values on a metric (elsewhere called labels), as compact JSON with keys sorted at every depth.
/// Two contexts with the same keys and values are the same series. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Context(Arc<str>);

impl Context {
    /// Parses a JSON object, no deeper than [`limits::MAX_JSON_DEPTH`] and with integers of 64 bits, and sorts its keys.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Self::from(json::parse_object(text)?).within(limits::MAX_JSON_DEPTH)
    }

    /// The same of a program that has no other numbers than floats: integers that do not fit 64 bits become floats.
    pub fn parse_rounding(text: &str) -> Result<Self, serde_json::Error> {
        Self::from(serde_json::from_str::<Map<String, Value>>(text)?).within(limits::MAX_JSON_DEPTH)
    }

    fn within(self, depth: usize) -> Result<Self, serde_json::Error> {
        if self.is_deeper_than(depth) { Err(json::too_deep(depth)) } else { Ok(self) }
    }

    /// Text that this program itself wrote as a canonical context, such as a stored row whose checksum was verified.
    pub fn from_trusted(text: &str) -> Result<Self, json::NotAnObject> {
        if text.starts_with('{') && text.ends_with('}') {
            Ok(Self(text.into()))
        } else {
            Err(json::NotAnObject)
        }
    }

    /// A context of string labels.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        labels
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Value::String(value.to_owned())))
            .collect::<Map<_, _>>()
            .into()
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parsed object. Where an embedding program made it too deep to be parsed, the deepest parts are
    /// [`json::ELIDED`].
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(&json::elided(&self.0, limits::MAX_PARSED_JSON_DEPTH)).unwrap_or_default()
    }

    /// Whether it nests deeper than `depth`.
    pub(crate) fn is_deeper_than(&self, depth: usize) -> bool {
        json::is_deeper(&self.0, depth)
    }

    /// Top-level keys with the text that filters and group_by compare: strings bare, others as compact JSON.
    pub fn labels(&self) -> Vec<(String, String)> {
        self.to_map().into_iter().map(|(key, value)| (key, label_text(value))).collect()
    }

    /// The text of one top-level key.
    pub fn label(&self, key: &str) -> Option<String> {
        serde_json::Deserializer::from_str(&self.0).deserialize_map(LabelOf(key)).ok().flatten()
    }

    /// Whether the context has no keys.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 2
    }
}

/// Looks for one key without keeping the others: grouping asks every series of a query.
struct LabelOf<'k>(&'k str);

#[derive(Deserialize)]
struct BorrowedKey<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for LabelOf<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(BorrowedKey(key)) = map.next_key()? {
            if key == self.0 {
                found = Some(label_text(map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

fn label_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn sort_keys(value: &mut Value) {
    match value {
        Value::Object(map) => sort_map(map),
        Value::Array(values) => values.iter_mut().for_each(sort_keys),
        _ => {}
    }
}

fn sort_map(map: &mut Map<String, Value>) {
    map.values_mut().for_each(sort_keys);
    map.sort_keys();
}

impl Default for Context {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl From<Map<String, Value>> for Context {
    fn from(mut map: Map<String, Value>) -> Self {
        sort_map(&mut map);
        Self(serde_json::to_string(&map).unwrap_or_else(|_| "{}".to_owned()).into())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A context that was refused is shown as well, and what it is shown in parses it once more.
        let text = json::elided(&self.0, limits::MAX_PARSED_JSON_DEPTH);
        serde_json::from_str::<&RawValue>(&text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::<String, Value>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_ignores_key_order_at_every_depth() {
        let one = Context::parse(r#"{"b":{"y":1,"x":2},"a":"t"}"#).unwrap();
        let two = Context::parse(r#"{"a":"t","b":{"x":2,"y":1}}"#).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.as_str(), r#"{"a":"t","b":{"x":2,"y":1}}"#);
    }

    #[test]
    fn labels_compare_as_text() {
        let context = Context::parse(r#"{"s":"x","n":1,"f":1.0,"o":{"k":true}}"#).unwrap();
        assert_eq!(context.label("s").unwrap(), "x");
        assert_eq!(context.label("n").unwrap(), "1");
        assert_eq!(context.label("f").unwrap(), "1.0");
        assert_eq!(context.label("o").unwrap(), r#"{"k":true}"#);
        assert_eq!(context.label("absent"), None);
    }

    #[test]
    fn a_context_that_is_too_deep_does_not_come_in_and_is_shown_in_part() {
        let nested = |depth: usize| "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1);
        assert!(Context::parse(&nested(limits::MAX_JSON_DEPTH)).is_ok());
        assert!(Context::parse(&nested(limits::MAX_JSON_DEPTH + 1)).is_err());
        let stored = Context::from_trusted(&nested(200)).unwrap();
        assert!(serde_json::json!(stored).to_string().contains(json::ELIDED));
        assert_eq!(stored.labels().len(), 1);
    }
}
