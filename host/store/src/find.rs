//! Looking a record up by its id, and claiming ids before their records are stored.

use std::collections::HashMap;
use std::sync::Arc;

use telemetry_core::id::{SampleLocation, sample_location};
use telemetry_core::{SeriesKey, StoredEvent, StoredSample, Timestamp};
use uuid::Uuid;

use crate::chunks::{FIRST_CHUNK_KEY, LAST_CHUNK_KEY, sealed_sample};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::events::{IdClaim, known};
use crate::families::{Class, Partition};

/// A record as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredRecord {
    /// An event.
    Event(StoredEvent),
    /// A sample.
    Sample(StoredSample),
}

impl Engine {
    /// Claims ids: until the answer is dropped, nobody else's claim of one of them returns.
    pub(crate) fn claim(&self, ids: &[Uuid]) -> Result<IdClaim<'_>, StoreError> {
        self.claims.claim(&self.events, &self.database, || self.catalogue.all(Class::Events), ids)
    }

    /// Which of these ids are those of events, and when those happened.
    pub(crate) fn known_events(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Timestamp>, StoreError> {
        known(&self.events, &self.database, &self.catalogue.all(Class::Events), ids)
    }

    /// The record with this id.
    pub(crate) fn find(&self, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
        if let Some(location) = sample_location(id, self.tag())
            && let Some(sample) = self.find_sample(id, location)?
        {
            return Ok(Some(StoredRecord::Sample(sample)));
        }
        let found = self.events.find(&self.database, &self.catalogue.all(Class::Events), id)?;
        Ok(found.map(StoredRecord::Event))
    }

    fn find_sample(&self, id: Uuid, location: SampleLocation) -> Result<Option<StoredSample>, StoreError> {
        let nanos = location.timestamp.nanos();
        let Some(partition) = self.catalogue.find(Class::Metrics, nanos) else { return Ok(None) };
        let Some(family) = self.database.find_family(&partition.family) else { return Ok(None) };
        let ordinal = usize::from(location.ordinal);
        let (mut rows, buffered) = {
            // Before the view, as appending takes them.
            let active = self.registry.read();
            let _view = self.view.read();
            // An iterator shows its family as of when it was made.
            let rows = self.database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
            let series = active.by_id(location.series);
            (rows, series.map(|series| series.head().copy_visible(&self.ledger).0))
        };
        let value =
            match sealed_sample(&self.database, &mut rows, &partition, location.series, nanos, ordinal)? {
                Ok(value) => value,
                Err(before) => {
                    let buffered = buffered.unwrap_or_default();
                    let places = buffered.times.iter().enumerate().filter(|(_, time)| **time == nanos);
                    let place = places.map(|(place, _)| place).nth(ordinal.saturating_sub(before));
                    match place.and_then(|place| buffered.values.get(place)) {
                        Some(value) => value,
                        None => return Ok(None),
                    }
                }
            };
        let Some((series, context_dropped)) = self.series_key(location.series, &partition)? else {
            return Ok(None);
        };
        Ok(Some(StoredSample { event_id: id, series, timestamp: location.timestamp, value, context_dropped }))
    }

    fn series_key(
        &self,
        id: u32,
        partition: &Arc<Partition>,
    ) -> Result<Option<(SeriesKey, bool)>, StoreError> {
        let active = self.registry.read().by_id(id).map(Arc::clone);
        if let Some(series) = active {
            return Ok(Some((series.key.clone(), series.overflow)));
        }
        let defined = self.index.lookup(&self.database, partition, id)?;
        Ok(defined.map(|definition| (definition.key.clone(), definition.overflow)))
    }
}
