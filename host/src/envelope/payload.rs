//! Request bodies: one JSON object or an array of objects.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use telemetry_core::json::elided;
use telemetry_core::{ErrorCode, limits};

use super::failure::EnvelopeError;

/// A body that was parsed.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// One record; it is answered with one envelope.
    One(&'a RawValue),
    /// Several; each is answered with an envelope of its own.
    Many(Vec<&'a RawValue>),
}

/// A body that is not what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPayload {
    /// Not JSON.
    #[error("the payload is not JSON")]
    Json(#[from] serde_json::Error),
    /// Not UTF-8.
    #[error("the payload is not UTF-8")]
    Encoding,
    /// JSON, but not an object, or an element of the array is not one.
    #[error("the payload must be {expected}, it is {found}")]
    Shape {
        /// What was asked for.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// Larger than a limit.
    #[error("the payload has {size} {unit}, the limit is {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
        /// The unit of both.
        unit: &'static str,
    },
}

impl EnvelopeError for MalformedPayload {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            _ => ErrorCode::MalformedPayload,
        }
    }

    fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Json(error) => json!({"line": error.line(), "column": error.column()}),
            Self::Encoding => Value::Null,
            Self::Shape { expected, found } => json!({"expected": expected, "found": found}),
            Self::TooLarge { size, limit, unit } => json!({"size": size, "limit": limit, "unit": unit}),
        };
        details.as_object().cloned().unwrap_or_default()
    }
}

/// Splits a body into its records, each still text: what a record lacks is then told for that record alone. Invalid
/// UTF-8 is not JSON.
pub fn parse_payload(body: &[u8]) -> Result<Payload<'_>, MalformedPayload> {
    let whole: &RawValue = serde_json::from_slice(body)?;
    match whole.get().as_bytes().first() {
        Some(b'{') => Ok(Payload::One(whole)),
        Some(b'[') => {
            let records: Vec<&RawValue> = serde_json::from_str(whole.get())?;
            if records.len() > limits::MAX_BATCH_RECORDS {
                let (size, limit) = (records.len(), limits::MAX_BATCH_RECORDS);
                return Err(MalformedPayload::TooLarge { size, limit, unit: "records" });
            }
            Ok(Payload::Many(records))
        }
        _ => Err(wrong_shape("an object or an array of objects", whole.get())),
    }
}

/// The object in `text`, its values still text.
pub(super) fn fields(text: &str) -> Result<indexmap::IndexMap<String, &RawValue>, MalformedPayload> {
    if text.starts_with('{') { Ok(serde_json::from_str(text)?) } else { Err(wrong_shape("an object", text)) }
}

/// What was received, as a refusal shows it: not so deep that the answer around it could not be parsed.
pub(super) fn echo(text: &str) -> Value {
    serde_json::from_str(&elided(text, limits::MAX_JSON_DEPTH)).unwrap_or(Value::Null)
}

fn wrong_shape(expected: &'static str, text: &str) -> MalformedPayload {
    MalformedPayload::Shape {
        expected,
        found: serde_json::from_str(text).map_or("not JSON", |value| kind(&value)),
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
