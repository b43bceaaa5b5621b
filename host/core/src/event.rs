//! Events, as offered, as admitted and as stored.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::id::RecordId;
use crate::json::JsonObject;
use crate::limits;
use crate::time::Timestamp;

/// An event as a caller offers it; nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventDraft {
    /// Any non-empty name, such as `COMMAND`.
    pub event_type: String,
    /// Who records it; non-empty.
    pub source: String,
    /// Event-specific content.
    pub data: JsonObject,
    /// When it happened; now if absent.
    pub timestamp: Option<Timestamp>,
    /// Makes the call idempotent; made by the host if absent.
    pub event_id: Option<Uuid>,
    /// Other top-level fields, kept and returned as they came.
    pub extra: JsonObject,
}

impl EventDraft {
    /// A draft with the two required fields.
    pub fn new(event_type: impl Into<String>, source: impl Into<String>) -> Self {
        Self { event_type: event_type.into(), source: source.into(), ..Self::default() }
    }

    /// The same draft with `data`.
    pub fn with_data(mut self, data: JsonObject) -> Self {
        self.data = data;
        self
    }

    /// The same draft at `timestamp`.
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The draft as the contract shows it; fields that were not given are left out. What nests deeper than
    /// [`limits::MAX_JSON_DEPTH`] in a field is [`crate::json::ELIDED`]: whoever was refused for it must be able to read why.
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("event_type".to_owned(), self.event_type.as_str().into());
        object.insert("source".to_owned(), self.source.as_str().into());
        if let Some(id) = self.event_id {
            object.insert("event_id".to_owned(), id.to_string().into());
        }
        if let Some(timestamp) = self.timestamp {
            object.insert("timestamp".to_owned(), timestamp.to_string().into());
        }
        object.insert("data".to_owned(), Value::Object(self.data.to_map_within(limits::MAX_JSON_DEPTH)));
        // The object of the other fields is the event's own, which counts for none of them.
        for (key, value) in self.extra.to_map_within(limits::MAX_JSON_DEPTH + 1) {
            object.entry(key).or_insert(value);
        }
        Value::Object(object)
    }

    /// The same draft with the caller's id.
    pub fn with_id(mut self, event_id: Uuid) -> Self {
        self.event_id = Some(event_id);
        self
    }
}

/// An event that passed the shape checks; made by [`crate::admission`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmittedEvent {
    pub(crate) id: RecordId,
    pub(crate) timestamp: Timestamp,
    pub(crate) event_type: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) data: JsonObject,
    pub(crate) extra: JsonObject,
}

impl AdmittedEvent {
    /// The event's id and who made it.
    pub fn id(&self) -> RecordId {
        self.id
    }
    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
    /// Its type.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }
    /// Who recorded it.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Its content.
    pub fn data(&self) -> &JsonObject {
        &self.data
    }
    /// Other top-level fields.
    pub fn extra(&self) -> &JsonObject {
        &self.extra
    }

    /// The event with content that a validator rewrote.
    pub fn rewritten(mut self, data: Option<JsonObject>, extra: Option<JsonObject>) -> Self {
        self.data = data.unwrap_or(self.data);
        self.extra = extra.unwrap_or(self.extra);
        self
    }

    /// The event as the contract shows it.
    pub fn to_json(&self) -> Value {
        event_json(self.id.uuid(), self.timestamp, &self.event_type, &self.source, &self.data, &self.extra)
    }
}

/// An event as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the log: records are numbered from 1 in the order in which they were stored.
    pub sequence: u64,
    /// Its id.
    pub event_id: Uuid,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Its type.
    pub event_type: Arc<str>,
    /// Who recorded it.
    pub source: Arc<str>,
    /// Its content.
    pub data: JsonObject,
    /// Other top-level fields.
    pub extra: JsonObject,
}

impl StoredEvent {
    /// The event as the contract shows it.
    pub fn to_json(&self) -> Value {
        event_json(self.event_id, self.timestamp, &self.event_type, &self.source, &self.data, &self.extra)
    }
}

impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn event_json(
    id: Uuid,
    timestamp: Timestamp,
    event_type: &str,
    source: &str,
    data: &JsonObject,
    extra: &JsonObject,
) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("event_type".to_owned(), event_type.into());
    object.insert("source".to_owned(), source.into());
    object.insert("event_id".to_owned(), id.to_string().into());
    object.insert("timestamp".to_owned(), timestamp.to_string().into());
    object.insert("data".to_owned(), Value::Object(data.to_map()));
    for (key, value) in extra.to_map() {
        object.entry(key).or_insert(value);
    }
    Value::Object(object)
}
