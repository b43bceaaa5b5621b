//! Finding an event by its id.

use std::sync::Arc;

use telemetry_core::StoredEvent;
use telemetry_core::id::{EventLocation, event_location};
use uuid::Uuid;

use super::event_row::{EventRow, RowId};
use super::index::EventIndex;
use super::rows::{self, EventKey};
use crate::database::Database;
use crate::error::StoreError;
use crate::families::Partition;
use crate::wire::{after_prefix, ordered};

impl EventIndex {
    /// Where the event with this id is. A host-made id tells where to look; any other, and one that only looks host-made, is
    /// asked of every partition's index, newest first.
    pub(crate) fn locate(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
        id: Uuid,
    ) -> Result<Option<(Arc<Partition>, EventKey)>, StoreError> {
        if let Some(location) = event_location(id, self.tag())
            && let Some(partition) =
                partitions.iter().find(|partition| partition.holds(location.timestamp.nanos()))
            && let Some(key) = locate_made(database, partition, location)?
        {
            return Ok(Some((Arc::clone(partition), key)));
        }
        for partition in partitions.iter().rev() {
            let Some(family) = database.find_family(&partition.family) else { continue };
            if let Some(value) = database.get(&family, &rows::id_key(id))? {
                return Ok(Some((Arc::clone(partition), rows::read_id_value(&value)?)));
            }
        }
        Ok(None)
    }

    /// The event with this id.
    pub(crate) fn find(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
        id: Uuid,
    ) -> Result<Option<StoredEvent>, StoreError> {
        match self.locate(database, partitions, id)? {
            Some((partition, key)) => self.read(database, &partition, key),
            None => Ok(None),
        }
    }
}

fn locate_made(
    database: &Database,
    partition: &Partition,
    location: EventLocation,
) -> Result<Option<EventKey>, StoreError> {
    let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
    let prefix = rows::key(&rows::event_prefix(), &ordered(location.timestamp.nanos()));
    let mut found = database.rows(&family, prefix.clone(), after_prefix(&prefix));
    found.first();
    while let Some((key, value)) = found.row() {
        // Many events share a millisecond: their checksums are looked at only where the counter fits.
        if EventRow::may_have_counter(value, location.counter)
            && let Some(place) = key.last_chunk()
            && EventRow::decode(value)?.id == RowId::Made(location.counter)
        {
            return Ok(Some(EventKey::at(*place)));
        }
        found.forward();
    }
    found.check("events of one instant")?;
    Ok(None)
}
