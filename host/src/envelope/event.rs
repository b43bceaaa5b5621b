//! An event from its JSON form.

use serde_json::{Map, Value};
use telemetry_core::{EventDraft, JsonObject, Timestamp, ValidationIssue, json};
use uuid::Uuid;

use super::payload::{self, MalformedPayload, kind};
use crate::recording::RecordError;

/// Reads an event as `record_event` takes it; top-level fields beyond the known ones are kept. Every fault is named at
/// once.
pub fn event_draft(text: &str) -> Result<EventDraft, RecordError> {
    // Twice through the text, so that an array element that is no object is told apart from a broken one.
    payload::fields(text)?;
    let object: Map<String, Value> = serde_json::from_str(text).map_err(MalformedPayload::from)?;
    let mut draft = EventDraft::default();
    let mut extra = Map::new();
    let mut issues = Vec::new();
    for (key, value) in &object {
        let fault = match (key.as_str(), value) {
            ("event_type", Value::String(text)) => {
                draft.event_type.clone_from(text);
                None
            }
            ("source", Value::String(text)) => {
                draft.source.clone_from(text);
                None
            }
            ("data", Value::Object(map)) => {
                draft.data = JsonObject::from(map);
                None
            }
            ("data" | "timestamp" | "event_id", Value::Null) => None,
            ("timestamp", Value::String(text)) => match Timestamp::parse(text) {
                Ok(timestamp) => {
                    draft.timestamp = Some(timestamp);
                    None
                }
                Err(error) => Some(error.to_string()),
            },
            ("event_id", Value::String(text)) => match Uuid::parse_str(text) {
                Ok(id) => {
                    draft.event_id = Some(id);
                    None
                }
                Err(error) => Some(format!("must be a UUID: {error}")),
            },
            ("data", other) => Some(format!("must be an object, it is {}", kind(other))),
            ("event_type" | "source" | "timestamp" | "event_id", other) => {
                Some(format!("must be a string, it is {}", kind(other)))
            }
            _ => {
                extra.insert(key.clone(), value.clone());
                None
            }
        };
        issues.extend(fault.map(|message| ValidationIssue::of_host(key, "invalid_type", message)));
    }
    if json::overlong_integer(text, &object).is_some() {
        issues.extend(overlong_integers(text, &object)?);
    }
    for field in ["event_type", "source"] {
        if !object.contains_key(field) {
            issues.push(ValidationIssue::of_host(field, "required", "is required"));
        }
    }
    if !issues.is_empty() {
        return Err(RecordError::Invalid { issues, received: payload::echo(text) });
    }
    draft.extra = JsonObject::from(&extra);
    Ok(draft)
}

/// The fields that hold an integer which does not fit 64 bits.
fn overlong_integers(
    text: &str,
    object: &Map<String, Value>,
) -> Result<Vec<ValidationIssue>, MalformedPayload> {
    let mut issues = Vec::new();
    for (key, raw) in payload::fields(text)? {
        if let Some(integer) = json::overlong_integer(raw.get(), object) {
            issues.push(ValidationIssue::of_host(&key, "integer_range", json::overlong(integer)));
        }
    }
    Ok(issues)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<EventDraft, RecordError> {
        event_draft(&value.to_string())
    }

    #[test]
    fn other_fields_are_kept() {
        let draft =
            read(json!({"event_type": "A", "trace": [1], "source": "s", "data": {"b": 1.0}})).unwrap();
        assert_eq!(draft.extra.as_str(), r#"{"trace":[1]}"#);
        assert_eq!(draft.data.as_str(), r#"{"b":1.0}"#);
    }

    #[test]
    fn integers_are_not_rounded() {
        let whole = r#"{"event_type":"A","source":"s","data":{"n":18446744073709551615,"f":1e20}}"#;
        assert_eq!(event_draft(whole).unwrap().data.as_str(), r#"{"n":18446744073709551615,"f":1e+20}"#);
        let error = event_draft(&whole.replace("615,", "616,")).unwrap_err();
        let RecordError::Invalid { issues, .. } = error else { panic!("{error:?}") };
        assert_eq!((issues.len(), issues[0].field.as_str()), (1, "data"));
        assert!(issues[0].message.contains("18446744073709551616"), "{}", issues[0].message);
        let other = r#"{"event_type":"A","source":"s","id":-99999999999999999999}"#;
        let RecordError::Invalid { issues, .. } = event_draft(other).unwrap_err() else { panic!() };
        assert_eq!(issues[0].field, "id");
    }

    #[test]
    fn every_fault_is_named() {
        let error =
            read(json!({"event_type": 1, "data": [], "timestamp": "x", "event_id": "y"})).unwrap_err();
        let RecordError::Invalid { issues, received } = error else { panic!("{error:?}") };
        let fields: Vec<_> = issues.iter().map(|issue| issue.field.as_str()).collect();
        assert_eq!(fields, ["event_type", "data", "timestamp", "event_id", "source"]);
        assert_eq!(received["event_type"], 1);
    }
}
