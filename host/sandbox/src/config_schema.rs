//! JSON Schemas that a plugin wrote, for its configuration and for the parameters of its aggregates.

use std::fmt;

use serde_json::Value;
use telemetry_core::limits;

use crate::text::shown;

/// Most faults that are reported of one document.
const MAX_FAULTS: usize = 8;

/// What a schema finds wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// Where, as a JSON Pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// What, for a person.
    pub message: String,
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.pointer.is_empty() { "(top)" } else { &self.pointer };
        write!(f, "{path}: {}", self.message)
    }
}

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) text: Value,
    validator: jsonschema::Validator,
}

impl Schema {
    /// Compiles a schema; it may refer to nothing outside itself.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::MAX_PLUGIN_SCHEMA_BYTES {
            return Err(format!("it is longer than {} bytes", limits::MAX_PLUGIN_SCHEMA_BYTES));
        }
        let text: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let validator = jsonschema::options()
            // Patterns match in linear time, whatever the plugin's author wrote.
            .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(limits::MAX_REGEX_BYTES))
            .build(&text)
            .map_err(|error| shown(error.to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES))?;
        Ok(Self { text, validator })
    }

    /// What is wrong with a document.
    pub(crate) fn faults(&self, document: &Value) -> Vec<SchemaFault> {
        self.validator
            .iter_errors(document)
            .take(MAX_FAULTS)
            .map(|error| SchemaFault {
                pointer: shown(error.instance_path().to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES),
                message: shown(error.to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_name_their_path() {
        let schema = Schema::parse(
            r#"{"type":"object","properties":{"a":{"type":"object","properties":{"limit":{"type":"number"}}}},"additionalProperties":false}"#,
        )
        .unwrap();
        assert!(schema.faults(&json!({"a": {"limit": 1}})).is_empty());
        let faults = schema.faults(&json!({"a": {"limit": "x"}, "b": 1}));
        let faults: Vec<String> = faults.iter().map(SchemaFault::to_string).collect();
        assert!(faults.iter().any(|fault| fault.starts_with("/a/limit: ")), "{faults:?}");
        assert!(
            faults.iter().any(|fault| fault.starts_with("(top): ") && fault.contains("'b'")),
            "{faults:?}"
        );
    }

    #[test]
    fn what_is_no_schema() {
        for text in [
            "",
            "[]",
            r#"{"type": 5}"#,
            r#"{"$ref": "https://example.com/other.json"}"#,
            r#"{"pattern":"("}"#,
        ] {
            assert!(Schema::parse(text).is_err(), "{text}");
        }
        assert!(Schema::parse(&" ".repeat(limits::MAX_PLUGIN_SCHEMA_BYTES + 1)).is_err());
    }
}
