//! JSON Schemas that a plugin wrote: for its configuration, for the parameters of its aggregates, or for events that it judges by them.

mod budget;
mod places;

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use telemetry_core::limits;

use crate::text::shown;

/// Most faults that are reported of one document which an operator wrote.
const MAX_FAULTS: usize = 8;
/// The keyword of a fault that is no fault of the document: judging it took too many steps.
const LIMIT: &str = "limit";

/// What a schema finds wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// Where, as a JSON Pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// The keyword of the schema that is not fitted, or `limit`.
    pub keyword: String,
    /// What, for a person.
    pub message: String,
}

impl SchemaFault {
    pub(crate) fn of_all(keyword: &str, message: String) -> Self {
        Self { pointer: String::new(), keyword: keyword.to_owned(), message }
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.pointer.is_empty() { "(top)" } else { &self.pointer };
        write!(f, "{path}: {}", self.message)
    }
}

/// A compiled schema.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
#[derive(Debug)]
pub struct Schema {
    pub(crate) text: Value,
    validator: jsonschema::Validator,
    /// Bytes that it is taken to need.
    memory: usize,
}

impl Schema {
    /// Compiles a schema; it may refer to nothing outside itself.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::MAX_PLUGIN_SCHEMA_BYTES {
            return Err(format!("it is longer than {} bytes", limits::MAX_PLUGIN_SCHEMA_BYTES));
        }
        let bytes = text.len();
        let text: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let (counted, patterns) = budget::counted(&text)?;
        let options = jsonschema::options()
            // Patterns match in linear time, whatever the plugin's author wrote.
            .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(limits::MAX_REGEX_BYTES));
        let validator = budget::counting(options)
            .build(&counted)
            .map_err(|error| shown(error.to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES))?;
        let memory = bytes * limits::SCHEMA_BYTES_PER_BYTE + patterns * limits::SCHEMA_PATTERN_BYTES;
        Ok(Self { text, validator, memory })
    }

    /// Bytes that it is taken to need.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// What is wrong with a document; that it takes too long to find out is a fault as well.
    pub(crate) fn faults(&self, document: &Value) -> Vec<SchemaFault> {
        self.judge(document, MAX_FAULTS, text_of)
    }

    /// The same of a document whose values may be secrets: no message repeats one. At most `most` faults.
    pub(crate) fn masked_faults(&self, document: &Value, most: usize) -> Vec<SchemaFault> {
        self.judge(document, most, masked_text_of)
    }

    fn judge(
        &self,
        document: &Value,
        most: usize,
        text: fn(&jsonschema::ValidationError<'_>) -> String,
    ) -> Vec<SchemaFault> {
        let limit = |message: String| vec![SchemaFault::of_all(LIMIT, message)];
        match budget::within(limits::MAX_SCHEMA_STEPS, || self.validator.is_valid(document)) {
            None => {
                limit(format!("its schema takes more than {} steps to judge it", limits::MAX_SCHEMA_STEPS))
            }
            Some(true) => Vec::new(),
            // All faults are collected before the first is handed out.
            Some(false) => {
                let first =
                    || self.validator.iter_errors(document).take(most).map(|error| fault(&error, text));
                budget::within(limits::MAX_SCHEMA_FAULT_STEPS, || first().collect()).unwrap_or_else(|| {
                    limit("it does not fit its schema, and it takes too long to say where".to_owned())
                })
            }
        }
    }
}

fn fault(
    error: &jsonschema::ValidationError<'_>,
    text: fn(&jsonschema::ValidationError<'_>) -> String,
) -> SchemaFault {
    SchemaFault {
        pointer: shown(error.instance_path().to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES),
        keyword: error.kind().keyword().to_owned(),
        message: shown(text(error), limits::MAX_PLUGIN_MESSAGE_BYTES),
    }
}

/// What an error says, without the counting keyword: only of `not` the schema is shown.
fn text_of(error: &jsonschema::ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Not { .. } => excluded(&error.instance().to_string()),
        _ => error.to_string(),
    }
}

fn masked_text_of(error: &jsonschema::ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Not { .. } => excluded("value"),
        _ => error.masked().to_string(),
    }
}

fn excluded(what: &str) -> String {
    format!("{what} is what the keyword \"not\" excludes")
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

    /// A schema of this many definitions, each of which refers to the next one twice: the last is met 2^`depth` times.
    fn doubling(depth: usize, applied: &str, last: &str) -> Schema {
        let twice = |place: usize| {
            let next = format!(r##"{{"$ref":"#/$defs/a{}"}}"##, place + 1);
            format!(r#""a{place}":{{"{applied}":[{next},{next}]}}"#)
        };
        let definitions: Vec<String> = (0..depth).map(twice).collect();
        let definitions = definitions.join(",");
        let text = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{definitions},"a{depth}":{last}}}}}"##);
        Schema::parse(&text).unwrap()
    }

    #[test]
    fn schemas_that_multiply_end() {
        for applied in ["allOf", "anyOf", "oneOf"] {
            for last in ["{}", "true", "false", r#"{"type":"string"}"#, r#"{"minProperties":1}"#] {
                let faults = doubling(60, applied, last).faults(&json!({}));
                let ends_early = matches!((applied, last), ("anyOf", "{}" | "true"));
                assert_eq!(faults.is_empty(), ends_early, "{applied} {last}: {faults:?}");
            }
        }
        assert!(doubling(3, "allOf", "{}").faults(&json!({})).is_empty());
        let faults = doubling(14, "allOf", "false").faults(&json!({}));
        assert!(faults[0].message.contains("too long to say where"), "{faults:?}");
        // One that is met again a level deeper, as often as the document is deep.
        let deeper = r##"{"$defs":{"a":{"type":"object","allOf":[{"properties":{"x":{"$ref":"#/$defs/a"}}},{"properties":{"x":{"$ref":"#/$defs/a"}}}]}},"$ref":"#/$defs/a"}"##;
        let schema = Schema::parse(deeper).unwrap();
        let nested = |depth: usize, last: Value| (0..depth).fold(last, |inner, _| json!({ "x": inner }));
        assert!(schema.faults(&nested(60, json!({}))).is_empty(), "what was judged is remembered");
        assert!(schema.faults(&nested(60, json!(1)))[0].message.contains("too long to say where"));
        let faults = schema.faults(&nested(2, json!(1)));
        assert_eq!(faults[0].pointer, "/x/x", "each document has a budget of its own: {faults:?}");
    }

    #[test]
    fn what_counts_changes_no_judgement() {
        let tree = r##"{
            "type": "object",
            "properties": {"all": {"type": "array", "items": {"$ref": "#"}}, "not": {"$ref": "#/properties/all/items"},
                "metric": {"$ref": "#/$defs/name"}, "limit": {"if": {"type": "string"}, "then": {"pattern": "^[0-9]+$"}}},
            "minProperties": 1, "unevaluatedProperties": false,
            "$defs": {"name": {"type": "string", "enum": ["cpu", "load"]}}
        }"##;
        let (ours, plain) = (
            Schema::parse(tree).unwrap(),
            jsonschema::validator_for(&serde_json::from_str(tree).unwrap()).unwrap(),
        );
        for document in [
            json!({"metric": "cpu"}),
            json!({"metric": "disk"}),
            json!({"all": [{"not": {"metric": "load", "limit": "7"}}, {"limit": 5}]}),
            json!({"all": [{"not": {"metric": "load", "limit": "x"}}, {}]}),
            json!({"other": 1}),
            json!([]),
        ] {
            let mut expected: Vec<_> = plain
                .iter_errors(&document)
                .map(|error| (error.instance_path().to_string(), error.to_string()))
                .collect();
            let mut faults: Vec<_> =
                ours.faults(&document).into_iter().map(|fault| (fault.pointer, fault.message)).collect();
            expected.sort();
            faults.sort();
            assert_eq!(faults, expected, "{document}");
        }
    }

    #[test]
    fn names_and_exclusions() {
        let text = r##"{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://a.example/s.json",
            "properties": {"a": {"$ref": "https://a.example/s.json#/definitions/b"}, "c": {"$ref": "#d"}},
            "definitions": {"b": {"not": {"type": "string"}}, "d": {"$id": "#d", "id": "about it", "type": "number"}}}"##;
        let schema = Schema::parse(text).unwrap();
        assert!(schema.faults(&json!({"a": 1, "c": 2})).is_empty());
        let faults: Vec<_> =
            schema.faults(&json!({"a": "x", "c": "y"})).iter().map(SchemaFault::to_string).collect();
        assert_eq!(
            faults,
            [r#"/a: "x" is what the keyword "not" excludes"#, r#"/c: "y" is not of type "number""#]
        );
    }

    #[test]
    fn masked_faults_repeat_no_value_and_name_their_keyword() {
        let schema = Schema::parse(
            r#"{"properties":{"a":{"maxLength":3},"b":{"not":{"type":"string"}},"c":{"enum":["x"]},"d":{"pattern":"^x$"}},"required":["e"]}"#,
        )
        .unwrap();
        let document = json!({"a": "hunter2", "b": "hunter2", "c": "hunter2", "d": "hunter2"});
        let faults = schema.masked_faults(&document, 16);
        let mut keywords: Vec<_> =
            faults.iter().map(|fault| (fault.pointer.as_str(), fault.keyword.as_str())).collect();
        keywords.sort_unstable();
        let expected =
            [("", "required"), ("/a", "maxLength"), ("/b", "not"), ("/c", "enum"), ("/d", "pattern")];
        assert_eq!(keywords, expected);
        assert!(faults.iter().all(|fault| !fault.message.contains("hunter2")), "{faults:?}");
        assert_eq!(schema.masked_faults(&document, 2).len(), 2);
    }

    #[test]
    fn patterns_are_few() {
        let with = |count: usize| {
            let each: Vec<Value> = (0..count).map(|place| json!({"pattern": format!("^{place}$")})).collect();
            Schema::parse(&json!({ "allOf": each }).to_string())
        };
        assert!(with(limits::MAX_SCHEMA_PATTERNS).is_ok());
        assert!(with(limits::MAX_SCHEMA_PATTERNS + 1).unwrap_err().contains("patterns"));
        // What only looks like a schema is none.
        let examples: Vec<Value> = (0..200).map(|_| json!({"pattern": "("})).collect();
        assert!(
            Schema::parse(&json!({ "examples": examples, "enum": [{"allOf": [{}]}] }).to_string()).is_ok()
        );
    }

    #[test]
    fn what_is_no_schema() {
        for text in [
            "",
            "[]",
            r#"{"type": 5}"#,
            r#"{"$ref": "https://example.com/other.json"}"#,
            r##"{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"id": "a.json"}}}"##,
            r##"{"properties": {"a": {"$id": "a.json", "$ref": "#/$defs/b", "$defs": {"b": {}}}}}"##,
            r#"{"pattern":"("}"#,
        ] {
            assert!(Schema::parse(text).is_err(), "{text}");
        }
        assert!(Schema::parse(&" ".repeat(limits::MAX_PLUGIN_SCHEMA_BYTES + 1)).is_err());
    }
}
