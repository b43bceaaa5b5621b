//! An import batch from its JSON form, and its answer.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemetry_core::limits::MAX_BATCH_RECORDS;
use uuid::Uuid;

use super::failure::Envelope;
use super::payload::{self, MalformedPayload};
use super::{event_draft, metric_draft};
use crate::host::Host;
use crate::logging::Refused;
use crate::recording::{ImportBatch, ImportOutcome, RecordError};

/// Where the records of a batch come from, as text.
type Texts<'a> = Vec<&'a RawValue>;

pub(super) fn import_batch(host: &Host, body: &[u8]) -> Envelope {
    let read = read(host, body).inspect_err(|error| {
        let received = || String::from_utf8_lossy(body).into_owned();
        host.recorder.note_unseen(Refused::Event, error, [received]);
    });
    match read.and_then(|(batch, faults)| Ok((host.import(batch)?, faults))) {
        Err(error) => Envelope::of_error(&error),
        Ok((ImportOutcome::Known, _)) => Envelope::success(Map::from_iter([
            ("known".to_owned(), true.into()),
            ("stored".to_owned(), 0.into()),
        ])),
        Ok((ImportOutcome::Stored(outcomes), faults)) => answer(outcomes, faults),
    }
}

/// The batch, and for each record of the body why it could not be read, if so.
fn read(host: &Host, body: &[u8]) -> Result<(ImportBatch, Vec<Option<RecordError>>), RecordError> {
    let text = std::str::from_utf8(body).map_err(|_| MalformedPayload::Encoding)?;
    let mut batch = ImportBatch::default();
    let (mut events, mut metrics) = (Texts::new(), Texts::new());
    for (key, raw) in payload::fields(text)? {
        match key.as_str() {
            "batch_id" => batch.batch_id = from_text(raw)?,
            "name" => batch.name = from_text(raw)?,
            "events" => events = from_text(raw)?,
            "metrics" => metrics = from_text(raw)?,
            _ => {
                let message = "is not a field of an import";
                return Err(RecordError::invalid_field(&key, "unknown_field", message, Value::Null));
            }
        }
    }
    if batch.batch_id == Uuid::nil() {
        return Err(RecordError::invalid_field("batch_id", "required", "must be a UUID", Value::Null));
    }
    let size = events.len().saturating_add(metrics.len());
    if size > MAX_BATCH_RECORDS {
        return Err(RecordError::BatchTooLarge { size, limit: MAX_BATCH_RECORDS });
    }
    let mut faults = Vec::with_capacity(size);
    let event = |text: &RawValue| host.read_record(Refused::Event, text, event_draft);
    batch.events = sort_out(events, event, &mut faults);
    let metric = |text: &RawValue| host.read_record(Refused::Metric, text, metric_draft);
    batch.metrics = sort_out(metrics, metric, &mut faults);
    Ok((batch, faults))
}

fn from_text<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue) -> Result<T, MalformedPayload> {
    Ok(serde_json::from_str(raw.get())?)
}

fn sort_out<T>(
    texts: Texts<'_>,
    read: impl Fn(&RawValue) -> Result<T, RecordError>,
    faults: &mut Vec<Option<RecordError>>,
) -> Vec<T> {
    let mut drafts = Vec::with_capacity(texts.len());
    for text in texts {
        match read(text) {
            Ok(draft) => {
                drafts.push(draft);
                faults.push(None);
            }
            Err(error) => faults.push(Some(error)),
        }
    }
    drafts
}

/// `results` holds the refusals alone, each with its place in the batch: an import is large and mostly good.
fn answer(
    outcomes: Vec<Result<crate::recording::Receipt, RecordError>>,
    faults: Vec<Option<RecordError>>,
) -> Envelope {
    let mut outcomes = outcomes.into_iter();
    let (mut stored, mut refused) = (0_u64, Vec::new());
    for (place, fault) in faults.into_iter().enumerate() {
        let outcome = match fault {
            Some(error) => Err(error),
            None => outcomes.next().unwrap_or_else(|| Err(RecordError::lost())),
        };
        match outcome {
            Ok(_) => stored = stored.saturating_add(1),
            Err(error) => {
                let mut envelope = Envelope::of_error(&error).body;
                if let Some(object) = envelope.as_object_mut() {
                    object.insert("index".to_owned(), place.into());
                }
                refused.push(envelope);
            }
        }
    }
    let status = if refused.is_empty() { "success" } else { "partial" };
    let body = serde_json::json!({"status": status, "known": false, "stored": stored, "results": refused});
    Envelope { body, error: None }
}
