//! Writing events and reading them by key. Types and sources are numbered per partition.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rocksdb::WriteBatch;
use telemetry_core::batch;
use telemetry_core::id::{EventLocation, event_counter, event_id};
use telemetry_core::{AdmittedEvent, EventBatch, RecordId, StoredEvent};

use super::event_row::{EventRow, RowId, RowName};
use super::names::{Names, UNNUMBERED};
use super::rows::{self, EventKey, Kind};
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::families::Partition;

/// The events of all events partitions.
pub(crate) struct EventIndex {
    tag: u16,
    names: RwLock<HashMap<i64, Arc<RwLock<Option<Names>>>>>,
}

impl EventIndex {
    /// An index of a store whose ids have `tag`.
    pub(crate) fn new(tag: u16) -> Self {
        Self { tag, names: RwLock::default() }
    }

    /// The store's tag.
    pub(super) fn tag(&self) -> u16 {
        self.tag
    }

    /// Adds an event and its index rows to `batch`.
    pub(crate) fn put(
        &self,
        database: &Database,
        batch: &mut WriteBatch,
        partition: &Partition,
        sequence: u64,
        event: &AdmittedEvent,
    ) -> Result<(), StoreError> {
        let family = database
            .find_family(&partition.family)
            .ok_or_else(|| Damage::new("column family", format!("\"{}\" is missing", partition.family)))?;
        let key = EventKey { timestamp: event.timestamp(), sequence };
        let (event_type, source) = (
            self.number(database, partition, &family, Kind::Type, event.event_type())?,
            self.number(database, partition, &family, Kind::Source, event.source())?,
        );
        let row = EventRow {
            id: self.row_id(event),
            event_type: event_type.map_or(RowName::Text(event.event_type()), RowName::Number),
            source: source.map_or(RowName::Text(event.source()), RowName::Number),
            data: event.data().as_str(),
            extra: event.extra().as_str(),
        };
        let place = key.place();
        let mut value = Vec::new();
        row.encode(&mut value);
        batch.put_cf(&family, rows::key(&rows::event_prefix(), &place), value);
        for (kind, number) in [(Kind::Type, event_type), (Kind::Source, source)] {
            let prefix = rows::index_prefix(kind, number.unwrap_or(UNNUMBERED));
            batch.put_cf(&family, rows::key(&prefix, &place), b"");
        }
        if let RowId::Given(id) = row.id {
            batch.put_cf(&family, rows::id_key(id), rows::id_value(key));
        }
        Ok(())
    }

    /// The event at `key`; `None` when it is not, or no longer, there.
    pub(crate) fn read(
        &self,
        database: &Database,
        partition: &Partition,
        key: EventKey,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        match database.get(&family, &rows::key(&rows::event_prefix(), &key.place()))? {
            Some(value) => self.restore(database, partition, &family, key, &value).map(Some),
            None => Ok(None),
        }
    }

    /// Lets go of what memory holds of a partition that is being dropped.
    pub(crate) fn forget(&self, partition: &Partition) {
        self.names.write().remove(&partition.start);
    }

    /// The event of a row's value.
    pub(super) fn restore(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        key: EventKey,
        value: &[u8],
    ) -> Result<StoredEvent, StoreError> {
        let row = EventRow::decode(value)?;
        let (data, extra) = row.objects()?;
        let (event_type, source) = self.with_names(database, partition, family, |names| {
            let text = |kind, name| match name {
                RowName::Text(text) => Ok(Arc::from(text)),
                RowName::Number(number) => names.text(kind, number).map(Arc::clone).ok_or_else(|| {
                    Damage::new("event", format!("its type or source, number {number}, is not known"))
                }),
            };
            Ok::<_, Damage>((text(Kind::Type, row.event_type)?, text(Kind::Source, row.source)?))
        })??;
        let event_id = match row.id {
            RowId::Given(id) => id,
            RowId::Made(counter) => event_id(EventLocation { timestamp: key.timestamp, counter }, self.tag),
        };
        let EventKey { timestamp, sequence } = key;
        Ok(StoredEvent { sequence, event_id, timestamp, event_type, source, data, extra })
    }

    /// Answers from the names of a partition.
    pub(super) fn with_names<T>(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        answer: impl FnOnce(&Names) -> T,
    ) -> Result<T, StoreError> {
        let slot = self.slot(partition);
        if let Some(names) = &*slot.read() {
            return Ok(answer(names));
        }
        let mut names = slot.write();
        Ok(answer(loaded(database, family, &mut names)?))
    }

    /// The number of a type or source, a new one if need be; `None` when no further name gets one.
    fn number(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        kind: Kind,
        text: &str,
    ) -> Result<Option<u32>, StoreError> {
        let slot = self.slot(partition);
        if let Some(names) = &*slot.read() {
            match names.number(kind, text) {
                None if !names.is_full(kind) => {}
                number => return Ok(number),
            }
        }
        let mut names = slot.write();
        loaded(database, family, &mut names)?.add(database, family, kind, text)
    }

    fn slot(&self, partition: &Partition) -> Arc<RwLock<Option<Names>>> {
        if let Some(slot) = self.names.read().get(&partition.start) {
            return Arc::clone(slot);
        }
        Arc::clone(self.names.write().entry(partition.start).or_default())
    }

    /// How the row keeps the event's id: only the counter where the rest can be told from the key.
    fn row_id(&self, event: &AdmittedEvent) -> RowId {
        match event.id() {
            RecordId::Given(id) => RowId::Given(id),
            RecordId::Made(id) => {
                let location = EventLocation { timestamp: event.timestamp(), counter: event_counter(id) };
                if event_id(location, self.tag) == id {
                    RowId::Made(location.counter)
                } else {
                    // Made by another store, or for another time: as good as given.
                    RowId::Given(id)
                }
            }
        }
    }
}

fn loaded<'n>(
    database: &Database,
    family: &Family<'_>,
    names: &'n mut Option<Names>,
) -> Result<&'n mut Names, StoreError> {
    match names {
        Some(names) => Ok(names),
        None => Ok(names.insert(Names::load(database, family)?)),
    }
}

impl std::fmt::Debug for EventIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventIndex").field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// Adds a stored event to a batch for monitors.
pub(crate) fn push_row(event: &StoredEvent, batch: &mut EventBatch) {
    let mut id = uuid::Uuid::encode_buffer();
    batch.push(batch::EventRow {
        timestamp: event.timestamp.nanos(),
        id: event.event_id.hyphenated().encode_lower(&mut id),
        event_type: &event.event_type,
        source: &event.source,
        data: event.data.as_str(),
        extra: event.extra.as_str(),
    });
}
