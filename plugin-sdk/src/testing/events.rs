//! Builds batches of events.

use super::push;
use crate::Timestamp;
use crate::batch::EventBatch;
use crate::bindings::imports::types;

/// Builds a batch of events for a unit test.
///
/// ```
/// use bridge_telemetry_plugin::testing::EventBatchBuilder;
///
/// let batch = EventBatchBuilder::new()
///     .event("COMMAND_RECEIVED", "bridge_injector", r#"{"command_id":"c1"}"#)
///     .at(1_000).event("COMMAND_ERROR", "bridge_injector", "{}").extra(r#"{"host":"a"}"#)
///     .build();
/// let error = batch.events().nth(1).unwrap();
/// assert_eq!((error.event_type(), error.timestamp(), error.extra_json()), ("COMMAND_ERROR", 1_000, r#"{"host":"a"}"#));
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventBatchBuilder {
    first_sequence: u64,
    now: Timestamp,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    timestamp: Timestamp,
    texts: [String; 5],
}

impl EventBatchBuilder {
    /// No events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sequence number of the first event.
    #[must_use]
    pub fn first_sequence(mut self, sequence: u64) -> Self {
        self.first_sequence = sequence;
        self
    }

    /// The time of the events that are added from here on.
    #[must_use]
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.now = timestamp;
        self
    }

    /// Adds an event. `data_json` is an object; the id is made up from the row.
    #[must_use]
    pub fn event(mut self, event_type: &str, source: &str, data_json: &str) -> Self {
        let id = format!("00000000-0000-7000-8000-{:012x}", self.rows.len());
        let texts = [&id, event_type, source, data_json, "{}"].map(str::to_owned);
        self.rows.push(Row { timestamp: self.now, texts });
        self
    }

    /// Gives the last event an id.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.change_last(0, id)
    }

    /// Gives the last event other top-level fields, an object.
    #[must_use]
    pub fn extra(self, extra_json: &str) -> Self {
        self.change_last(4, extra_json)
    }

    /// The batch, as the host would hand it over.
    pub fn build(self) -> EventBatch {
        let mut fields = types::TextColumn { bytes: Vec::new(), ends: Vec::new() };
        let mut timestamps = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            timestamps.push(row.timestamp);
            row.texts.iter().for_each(|text| push(&mut fields, text));
        }
        let raw = types::EventBatch { first_sequence: self.first_sequence, timestamps, fields };
        EventBatch::try_from(raw).unwrap_or_default()
    }

    fn change_last(mut self, field: usize, text: &str) -> Self {
        if let Some(old) = self.rows.last_mut().and_then(|row| row.texts.get_mut(field)) {
            text.clone_into(old);
        }
        self
    }
}
