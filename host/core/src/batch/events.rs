//! Batches of events.

use std::sync::{Arc, Mutex, PoisonError};

use super::{EventValues, Places, TextColumn, ValuesError};
use crate::limits::MAX_VALUES_BYTES;

/// The number of strings per event in [`EventBatch::fields`].
pub const FIELDS_PER_EVENT: usize = 5;
/// The place of `data` among them.
const DATA_FIELD: usize = 3;

/// Events in arrival order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    /// The sequence number of event 0; 0 before the events are stored.
    pub first_sequence: u64,
    timestamps: Vec<i64>,
    texts: Arc<EventTexts>,
}

/// The strings of a batch's events, which outlive the batch for whoever shares them, and what was found in them.
#[derive(Debug, Default)]
pub struct EventTexts {
    fields: TextColumn,
    /// What was asked for so far, so that it is found once for all plugins that share the batch and ask for the same.
    found: Mutex<Vec<(Arc<Places>, Arc<EventValues>)>>,
}

impl EventTexts {
    /// What stands at `places` in the `data` of each event. Now and then `is_over` is asked whether the time for it is over.
    ///
    /// # Errors
    /// When it is too much, or takes too long: see [`EventValues::read`].
    pub fn values(
        &self,
        places: &Arc<Places>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Arc<EventValues>, ValuesError> {
        // Nothing is ever half written there.
        let lock = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().iter().find(|(known, _)| known == places).map(|(_, values)| Arc::clone(values));
        if let Some(values) = known {
            return Ok(values);
        }
        let values = Arc::new(EventValues::read(self.data(), places, is_over)?);
        let mut found = lock();
        let kept: usize = found.iter().map(|(_, values)| values.bytes()).sum();
        if kept.saturating_add(values.bytes()) <= MAX_VALUES_BYTES {
            found.push((Arc::clone(places), Arc::clone(&values)));
        }
        Ok(values)
    }

    /// Forgets what was found, so that it is found anew: for whoever measures a batch more than once.
    pub fn forget(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The `data` of the event in this row, as JSON; `None` beyond the end.
    pub fn data_of(&self, row: usize) -> Option<&str> {
        self.fields.get(row.checked_mul(FIELDS_PER_EVENT)?.checked_add(DATA_FIELD)?)
    }

    fn data(&self) -> impl ExactSizeIterator<Item = &str> {
        let events = self.fields.len() / FIELDS_PER_EVENT;
        (0..events).map(|event| self.data_of(event).unwrap_or_default())
    }
}

impl Clone for EventTexts {
    /// The strings alone: what was found in them is found again.
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone(), found: Mutex::default() }
    }
}

impl PartialEq for EventTexts {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Eq for EventTexts {}

/// One event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow<'a> {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// The event's id.
    pub id: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Who recorded it.
    pub source: &'a str,
    /// `data` as JSON.
    pub data: &'a str,
    /// Other top-level fields as a JSON object.
    pub extra: &'a str,
}

impl EventBatch {
    /// An empty batch whose first event has `first_sequence`.
    pub fn starting_at(first_sequence: u64) -> Self {
        Self { first_sequence, ..Self::default() }
    }

    /// Adds an event.
    pub fn push(&mut self, row: EventRow<'_>) {
        self.timestamps.push(row.timestamp);
        let texts = Arc::make_mut(&mut self.texts);
        for text in [row.id, row.event_type, row.source, row.data, row.extra] {
            texts.fields.push(text);
        }
        // What was found is of fewer events.
        texts.found.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Event `index`; `None` beyond the end.
    pub fn row(&self, index: usize) -> Option<EventRow<'_>> {
        let field = |n: usize| self.texts.fields.get(index.checked_mul(FIELDS_PER_EVENT)?.checked_add(n)?);
        Some(EventRow {
            timestamp: *self.timestamps.get(index)?,
            id: field(0)?,
            event_type: field(1)?,
            source: field(2)?,
            data: field(3)?,
            extra: field(4)?,
        })
    }

    /// All events in order.
    pub fn rows(&self) -> impl Iterator<Item = EventRow<'_>> {
        (0..self.len()).filter_map(|index| self.row(index))
    }

    /// The number of events.
    #[inline]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no event.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The events' times, nanoseconds since the epoch.
    #[inline]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Five strings per event: id, type, source, data, extra.
    #[inline]
    pub fn fields(&self) -> &TextColumn {
        &self.texts.fields
    }

    /// The strings, shared: they stay when the batch goes.
    #[inline]
    pub fn texts(&self) -> Arc<EventTexts> {
        Arc::clone(&self.texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut batch = EventBatch::starting_at(7);
        let row =
            EventRow { timestamp: 5, id: "i", event_type: "é", source: "", data: "{}", extra: "{\"a\":1}" };
        batch.push(row);
        batch.push(EventRow { timestamp: 6, ..row });
        assert_eq!(batch.row(0), Some(row));
        assert_eq!(batch.row(1).map(|row| row.timestamp), Some(6));
        assert_eq!(batch.row(2), None);
        assert_eq!(batch.fields().len(), 10);
    }

    #[test]
    fn values_are_found_once_and_again_after_an_event_came() {
        let mut batch = EventBatch::default();
        let row =
            EventRow { timestamp: 5, id: "i", event_type: "t", source: "s", data: r#"{"a":1}"#, extra: "{}" };
        batch.push(row);
        let shared = batch.texts();
        let places = |pointer: &str| Arc::new(Places::new(vec![pointer.to_owned()]).unwrap());
        let values = |texts: &EventTexts, pointer: &str| texts.values(&places(pointer), &|| false).unwrap();
        let first = values(&shared, "/a");
        assert!(Arc::ptr_eq(&first, &values(&shared, "/a")));
        assert!(!Arc::ptr_eq(&first, &values(&shared, "/b")));
        shared.forget();
        assert!(!Arc::ptr_eq(&first, &values(&shared, "/a")));
        batch.push(EventRow { data: r#"{"a":2}"#, ..row });
        assert_eq!(values(&batch.texts(), "/a").numbers(), [1.0, 2.0]);
        assert_eq!(values(&shared, "/a").numbers(), [1.0]);
    }
}
