//! Making the rows of a partition again that follow from its events.

use std::collections::BTreeSet;

use rocksdb::WriteBatch;

use super::event_row::{EventRow, RowId, RowName};
use super::names::{Names, UNNUMBERED, name_row};
use super::rows::{self, EventKey, Kind};
use crate::database::{Database, Family, Promise};
use crate::error::StoreError;
use crate::wire::after_prefix;

/// Bytes of rows written at a time.
const BATCH_BYTES: usize = 4 << 20;

/// Shows the keys of all events of a partition, oldest first.
pub(crate) fn each_key(
    database: &Database,
    family: &Family<'_>,
    mut see: impl FnMut(EventKey),
) -> Result<(), StoreError> {
    each(database, family, |key, _| {
        see(key);
        Ok(())
    })
}

fn each(
    database: &Database,
    family: &Family<'_>,
    mut see: impl FnMut(EventKey, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let prefix = rows::event_prefix();
    let mut found = database.rows(family, prefix.clone(), after_prefix(&prefix));
    found.first();
    while let Some((key, value)) = found.row() {
        if let Some(place) = key.get(1..).and_then(<[u8]>::first_chunk) {
            see(EventKey::at(*place), value)?;
        }
        found.forward();
    }
    found.check("events")
}

/// Writes the index rows of all events of a partition, and a name of their own for types and sources whose name is lost. Answers
/// those names.
pub(crate) fn mend(database: &Database, family: &Family<'_>) -> Result<Vec<String>, StoreError> {
    let names = Names::load(database, family)?;
    let mut lost = BTreeSet::new();
    let mut batch = WriteBatch::new();
    each(database, family, |key, value| {
        let row = EventRow::decode(value)?;
        let place = key.place();
        for (kind, name) in [(Kind::Type, row.event_type), (Kind::Source, row.source)] {
            let number = match name {
                RowName::Number(number) => number,
                RowName::Text(_) => UNNUMBERED,
            };
            if number != UNNUMBERED && names.text(kind, number).is_none() {
                lost.insert((kind == Kind::Source, number));
            }
            batch.put_cf(family, rows::key(&rows::index_prefix(kind, number), &place), b"");
        }
        if let RowId::Given(id) = row.id {
            batch.put_cf(family, rows::id_key(id), rows::id_value(key));
        }
        if batch.size_in_bytes() > BATCH_BYTES {
            database.commit(std::mem::take(&mut batch), Promise::Derived)?;
        }
        Ok(())
    })?;
    let mut given = Vec::new();
    for (is_source, number) in lost {
        let (kind, text) = match is_source {
            false => (Kind::Type, format!("RECOVERED_TYPE_{number}")),
            true => (Kind::Source, format!("recovered_source_{number}")),
        };
        let (key, value) = name_row(kind, number, &text);
        batch.put_cf(family, key, value);
        given.push(text);
    }
    database.commit(batch, Promise::Derived)?;
    Ok(given)
}
