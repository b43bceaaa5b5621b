//! The host's calls as JSON in and envelopes out: the same for the server, the command line and language bindings.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemetry_core::{ErrorCode, StoredEvent};
use telemetry_store::StoredRecord;
use uuid::Uuid;

use super::failure::{Envelope, error_envelope};
use super::payload::{Payload, parse_payload};
use super::{event_draft, metric_draft};
use crate::alerts::AlertFilter;
use crate::host::Host;
use crate::logging::Refused;
use crate::query::{event_query_from_pairs, metric_query_from_json};
use crate::recording::{Receipt, RecordError};

/// The JSON edge. Every call answers an envelope; none fails otherwise.
impl Host {
    /// record_event or record_events: one object or an array of objects.
    pub fn record_event_json(&self, body: &[u8]) -> Envelope {
        let (one, many) = (|draft| self.record_event(draft), |drafts| self.record_events(drafts));
        self.answered("record_event", || self.record_json(Refused::Event, body, event_draft, one, many))
    }

    /// record_metric or record_metrics: one object or an array of objects.
    pub fn record_metric_json(&self, body: &[u8]) -> Envelope {
        let (one, many) = (|draft| self.record_metric(draft), |drafts| self.record_metrics(drafts));
        self.answered("record_metric", || self.record_json(Refused::Metric, body, metric_draft, one, many))
    }

    /// import, from `{"batch_id", "name", "events", "metrics"}`.
    pub fn import_json(&self, body: &[u8]) -> Envelope {
        self.answered("import", || super::import::import_batch(self, body))
    }

    /// get_metrics, from the JSON form of its arguments.
    pub fn query_json(&self, body: &[u8]) -> Envelope {
        self.answered("get_metrics", || {
            match metric_query_from_json(body).and_then(|query| self.get_metrics(&query)) {
                Ok(answer) => Envelope { body: answer.to_json(), error: None },
                Err(error) => Envelope::of_error(&error),
            }
        })
    }

    /// One record by its id: an event, or a sample as a METRIC event.
    pub fn event_json(&self, id: &str) -> Envelope {
        let Ok(uuid) = Uuid::parse_str(id) else { return not_found(id) };
        self.answered("get_event", || match self.get_event(uuid) {
            Ok(Some(StoredRecord::Event(event))) => one("event", event.to_json()),
            Ok(Some(StoredRecord::Sample(sample))) => one("event", sample.to_json()),
            Ok(None) => not_found(id),
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// query_events, from query-string pairs.
    pub fn events_json<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Envelope {
        let query = event_query_from_pairs(pairs);
        self.answered("query_events", || match query.and_then(|query| self.query_events(&query)) {
            Ok(page) => {
                let events = page.events.iter().map(StoredEvent::to_json).collect();
                let mut fields = Map::from_iter([("events".to_owned(), Value::Array(events))]);
                fields.extend(page.next_cursor.map(|cursor| ("next_cursor".to_owned(), cursor.into())));
                Envelope::success(fields)
            }
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// health_check. Its `status` is the host's health, not the call's.
    pub fn health_json(&self) -> Envelope {
        self.answered("health_check", || Envelope {
            body: serde_json::to_value(self.health_check()).unwrap_or_default(),
            error: None,
        })
    }

    /// The alerts that are kept.
    pub fn alerts_json(&self, filter: AlertFilter) -> Envelope {
        self.answered("alerts", || match self.alerts(filter) {
            Ok(alerts) => one("alerts", serde_json::to_value(alerts).unwrap_or_default()),
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// Reads one or many drafts and records them; an element that cannot be read is refused in its place.
    fn record_json<T>(
        &self,
        refused: Refused,
        body: &[u8],
        read: impl Fn(&str) -> Result<T, RecordError>,
        record_one: impl FnOnce(T) -> Result<Receipt, RecordError>,
        record_many: impl FnOnce(Vec<T>) -> Vec<Result<Receipt, RecordError>>,
    ) -> Envelope {
        let texts = match parse_payload(body).map_err(RecordError::from) {
            Err(error) => {
                let received = || String::from_utf8_lossy(body).into_owned();
                self.recorder.note_unseen(refused, &error, [received]);
                return Envelope::of_error(&error);
            }
            Ok(Payload::One(text)) => {
                return Envelope::of_record(self.read_record(refused, text, &read).and_then(record_one));
            }
            Ok(Payload::Many(texts)) => texts,
        };
        let mut drafts = Vec::with_capacity(texts.len());
        let mut faults = Vec::with_capacity(texts.len());
        for text in texts {
            match self.read_record(refused, text, &read) {
                Ok(draft) => {
                    drafts.push(draft);
                    faults.push(None);
                }
                Err(error) => faults.push(Some(error)),
            }
        }
        let mut outcomes = record_many(drafts).into_iter();
        let outcomes = (faults.into_iter())
            .map(|fault| match fault {
                Some(error) => Err(error),
                None => outcomes.next().unwrap_or_else(|| Err(RecordError::lost())),
            })
            .map(Envelope::of_record);
        Envelope::of_batch(outcomes.collect())
    }

    /// Reads one record; one that cannot be read is counted and logged like any other refused one.
    pub(super) fn read_record<T>(
        &self,
        refused: Refused,
        text: &RawValue,
        read: impl Fn(&str) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        read(text.get()).inspect_err(|error| {
            self.recorder.note_unseen(refused, error, [|| text.get().to_owned()]);
        })
    }
}

/// A success with one field.
pub(super) fn one(name: &str, value: Value) -> Envelope {
    Envelope::success(Map::from_iter([(name.to_owned(), value)]))
}

fn not_found(id: &str) -> Envelope {
    let shown: String = id.chars().take(64).collect();
    let details = Map::from_iter([("event_id".to_owned(), shown.as_str().into())]);
    error_envelope(ErrorCode::NotFound, &format!("no record has the id \"{shown}\""), details)
}
