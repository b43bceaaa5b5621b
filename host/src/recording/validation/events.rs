//! The batches in which validators are given events: no more than a limit of rows and of bytes.

use telemetry_core::batch::EventRow;
use telemetry_core::limits::{MAX_VALIDATOR_BYTES, MAX_VALIDATOR_ROWS};
use telemetry_core::{AdmittedEvent, EventBatch};
use uuid::fmt::Hyphenated;

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

/// The events of `rows`, packed.
pub(super) fn event_batch(rows: &[usize], records: &[AdmittedEvent]) -> EventBatch {
    let mut batch = EventBatch::default();
    let mut buffer = uuid::Uuid::encode_buffer();
    for event in rows.iter().filter_map(|&row| records.get(row)) {
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
