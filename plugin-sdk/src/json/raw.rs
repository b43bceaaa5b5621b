//! A value that is handed on as it stands.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// The name by which the reader knows the one type that takes a value's text for the value.
pub(super) const NAME: &str = "$bridge_telemetry_plugin::json::Raw";

/// Any JSON value as the text that it is: for what a plugin hands on and does not look at, such as a JSON Schema in its configuration.
/// No number loses a digit, and nothing comes into the component that a tree of values would need.
///
/// Only the reader of this module knows it, which reads configurations and parameters; with serde_json it is an error.
///
/// ```
/// use bridge_telemetry_plugin::json::{self, Raw};
///
/// #[derive(serde::Deserialize)]
/// struct Config { schema: Raw }
///
/// let config: Config = json::from_str(r#"{ "schema": {"maximum": 1.50} }"#)?;
/// assert_eq!(config.schema.as_str(), r#"{"maximum": 1.50}"#);
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(String);

impl Raw {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, RawVisitor)
    }
}

struct RawVisitor;

impl Visitor<'_> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that bridge_telemetry_plugin::json reads")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw(text.to_owned()))
    }
}

impl JsonSchema for Raw {
    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}
