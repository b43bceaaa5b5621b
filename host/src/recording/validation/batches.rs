//! The batches in which validators are given records: no more than a limit of rows and of bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use telemetry_core::batch::EventRow;
use telemetry_core::limits::{MAX_VALIDATOR_BYTES, MAX_VALIDATOR_ROWS};
use telemetry_core::{AdmittedEvent, AdmittedSample, EventBatch, SampleBatch};
use uuid::fmt::Hyphenated;

/// The events that a validator saw: those after it share the batch, and what was found in it, unless they want others or some were
/// rewritten.
#[derive(Default)]
pub(super) struct PackedEvents {
    rows: Vec<usize>,
    batch: EventBatch,
}

impl PackedEvents {
    pub(super) fn of(&mut self, rows: &[usize], records: &[AdmittedEvent]) -> &EventBatch {
        if self.rows != rows {
            self.batch = event_batch(rows.iter().filter_map(|&row| records.get(row)));
            self.rows = rows.to_vec();
        }
        &self.batch
    }
}

/// Those of `rows` that make up the first batch, and those after them. An event that is larger than a batch has one of its own.
pub(super) fn first_batch<'r>(rows: &'r [usize], records: &[AdmittedEvent]) -> (&'r [usize], &'r [usize]) {
    let mut room = MAX_VALIDATOR_BYTES;
    let fitting = rows.iter().take(MAX_VALIDATOR_ROWS).take_while(|&&row| {
        let left = room.checked_sub(records.get(row).map_or(0, text_bytes));
        room = left.unwrap_or_default();
        left.is_some()
    });
    let count = fitting.count().max(1);
    rows.split_at_checked(count).unwrap_or((rows, &[]))
}

fn text_bytes(event: &AdmittedEvent) -> usize {
    [event.event_type(), event.source(), event.data().as_str(), event.extra().as_str()]
        .into_iter()
        .map(str::len)
        .fold(Hyphenated::LENGTH, usize::saturating_add)
}

fn event_batch<'a>(events: impl Iterator<Item = &'a AdmittedEvent>) -> EventBatch {
    let mut batch = EventBatch::default();
    let mut buffer = uuid::Uuid::encode_buffer();
    for event in events {
        batch.push(EventRow {
            timestamp: event.timestamp().nanos(),
            id: event.id().uuid().hyphenated().encode_lower(&mut buffer),
            event_type: event.event_type(),
            source: event.source(),
            data: event.data().as_str(),
            extra: event.extra().as_str(),
        });
    }
    batch
}

/// The first batch of `rows`, those of them that are in it, and those after them.
pub(super) fn sample_batch<'r>(
    rows: &'r [usize],
    records: &[AdmittedSample],
) -> (SampleBatch, &'r [usize], &'r [usize]) {
    let mut batch = SampleBatch::default();
    let mut numbers = HashMap::new();
    let mut room = MAX_VALIDATOR_BYTES;
    for &row in rows.iter().take(MAX_VALIDATOR_ROWS) {
        let Some(sample) = records.get(row) else { break };
        let series = sample.series();
        let number = match numbers.entry(series) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                // The text of a series stands in a batch once.
                let left = room.checked_sub(series.name.len().saturating_add(series.context.as_str().len()));
                if left.is_none() && !batch.is_empty() {
                    break;
                }
                room = left.unwrap_or_default();
                *new.insert(batch.add_series(&series.name, series.context.as_str()))
            }
        };
        // Text has no number to judge, but its context must meet the validators all the same.
        batch.push(number, sample.timestamp().nanos(), sample.value().as_f64().unwrap_or(f64::NAN));
    }
    // A row without a record, which there is not, would be passed over, so that there is an end.
    let (within, after) = rows.split_at_checked(batch.len().max(1)).unwrap_or((rows, &[]));
    (batch, within, after)
}
