//! Events as the host hands them over. Invariant: five strings per event.

use serde::Deserialize;

use super::{broken, text::TextArena};
use crate::bindings::imports::types;
use crate::error::{PluginError, Result};
use crate::{JsonObject, Timestamp};

const FIELDS_PER_EVENT: usize = 5;

/// Events in arrival order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    first_sequence: u64,
    timestamps: Vec<Timestamp>,
    fields: TextArena,
}

impl EventBatch {
    /// The number of events.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The events in arrival order.
    #[inline]
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> {
        self.timestamps.iter().enumerate().map(|(row, &timestamp)| Event { batch: self, row, timestamp })
    }

    /// The events' times.
    pub fn timestamps(&self) -> &[Timestamp] {
        &self.timestamps
    }
}

impl TryFrom<types::EventBatch> for EventBatch {
    type Error = PluginError;

    fn try_from(raw: types::EventBatch) -> Result<Self> {
        let fields = TextArena::checked(raw.fields.bytes, raw.fields.ends)?;
        if Some(fields.len()) != raw.timestamps.len().checked_mul(FIELDS_PER_EVENT) {
            return Err(broken("an event has not five strings"));
        }
        Ok(Self { first_sequence: raw.first_sequence, timestamps: raw.timestamps, fields })
    }
}

/// One event of a batch, borrowed from it. JSON is parsed only when asked for.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    batch: &'a EventBatch,
    row: usize,
    timestamp: Timestamp,
}

impl<'a> Event<'a> {
    /// Where in the batch, from 0.
    #[inline]
    pub fn row(&self) -> u32 {
        u32::try_from(self.row).unwrap_or(u32::MAX)
    }

    /// Its number in the host's log; of no meaning to validators, which see events before they are stored.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.batch.first_sequence.saturating_add(self.row as u64)
    }

    /// When it happened.
    #[inline]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Its id, a UUID.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.field(0)
    }

    /// Its type, such as `COMMAND_RECEIVED`.
    #[inline]
    pub fn event_type(&self) -> &'a str {
        self.field(1)
    }

    /// Who recorded it.
    #[inline]
    pub fn source(&self) -> &'a str {
        self.field(2)
    }

    /// `data` as JSON text: an object.
    #[inline]
    pub fn data_json(&self) -> &'a str {
        self.field(3)
    }

    /// The other top-level fields as JSON text: an object.
    #[inline]
    pub fn extra_json(&self) -> &'a str {
        self.field(4)
    }

    /// `data`, parsed.
    ///
    /// # Errors
    /// Only when the host breaks the contract; pass it on with `?`.
    pub fn data(&self) -> Result<JsonObject> {
        self.data_as()
    }

    /// `data`, parsed into the author's own type; strings may borrow from the batch.
    ///
    /// # Errors
    /// When `data` has not the form of `T`; a validator usually answers that with an issue.
    pub fn data_as<T: Deserialize<'a>>(&self) -> Result<T> {
        Ok(serde_json::from_str(self.data_json())?)
    }

    /// The other top-level fields, parsed.
    ///
    /// # Errors
    /// Only when the host breaks the contract; pass it on with `?`.
    pub fn extra(&self) -> Result<JsonObject> {
        Ok(serde_json::from_str(self.extra_json())?)
    }

    #[inline]
    fn field(&self, number: usize) -> &'a str {
        self.batch.fields.get(self.row * FIELDS_PER_EVENT + number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_batch_with_missing_strings() {
        let raw = types::EventBatch {
            first_sequence: 0,
            timestamps: vec![1],
            fields: types::TextColumn { bytes: b"abcd".to_vec(), ends: vec![1, 2, 3, 4] },
        };
        assert!(EventBatch::try_from(raw).unwrap_err().message().contains("five strings"));
    }
}
