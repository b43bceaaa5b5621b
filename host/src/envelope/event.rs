//! An event from its JSON form.

use serde_json::{Map, Value};
use telemetry_core::{EventDraft, JsonObject, Timestamp, ValidationIssue};
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
    for field in ["event_type", "source"] {
        if !object.contains_key(field) {
            issues.push(ValidationIssue::of_host(field, "required", "is required"));
        }
    }
    if !issues.is_empty() {
        return Err(RecordError::Invalid { issues, received: Value::Object(object) });
    }
    draft.extra = JsonObject::from(&extra);
    Ok(draft)
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
    fn every_fault_is_named() {
        let error =
            read(json!({"event_type": 1, "data": [], "timestamp": "x", "event_id": "y"})).unwrap_err();
        let RecordError::Invalid { issues, received } = error else { panic!("{error:?}") };
        let fields: Vec<_> = issues.iter().map(|issue| issue.field.as_str()).collect();
        assert_eq!(fields, ["event_type", "data", "timestamp", "event_id", "source"]);
        assert_eq!(received["event_type"], 1);
    }
}
