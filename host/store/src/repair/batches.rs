//! RocksDB's write batches, as its write-ahead logs hold them: written anew into families that are found by name.
//!
//! The layout is that of RocksDB's `db/write_batch.cc`: sequence number, count, and records of a kind each.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;

use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::wire::Reader;

const HEADER_BYTES: usize = 12;

/// One change of a batch.
enum Change<'a> {
    Put(u32, &'a [u8], &'a [u8]),
    Delete(u32, &'a [u8]),
    DeleteRange(u32, &'a [u8], &'a [u8]),
    Nothing,
}

/// The families of a log by number.
pub(super) struct Replay<'a> {
    database: &'a Database,
    names: &'a BTreeMap<u32, String>,
    dropped: &'a BTreeSet<u32>,
    families: BTreeMap<u32, Option<Family<'a>>>,
    /// Rows of families whose name is not known, by number.
    pub(super) nameless: BTreeMap<u32, u64>,
}

impl<'a> Replay<'a> {
    /// A log whose families have `names`; rows of `dropped` ones are left out.
    pub(super) fn new(
        database: &'a Database,
        names: &'a BTreeMap<u32, String>,
        dropped: &'a BTreeSet<u32>,
    ) -> Self {
        Self { database, names, dropped, families: BTreeMap::new(), nameless: BTreeMap::new() }
    }

    /// Writes a batch of the log. Batches come in the order of the log.
    pub(super) fn write(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let mut reader = Reader::new("write-ahead log", record);
        reader.take(HEADER_BYTES)?;
        let mut batch = WriteBatch::new();
        while !reader.is_done() {
            match change(&mut reader)? {
                Change::Put(number, key, value) => {
                    if let Some(family) = self.family(number)? {
                        batch.put_cf(&family, key, value);
                    }
                }
                Change::Delete(number, key) => {
                    if let Some(family) = self.family(number)? {
                        batch.delete_cf(&family, key);
                    }
                }
                Change::DeleteRange(number, from, to) => {
                    if let Some(family) = self.family(number)? {
                        batch.delete_range_cf(&family, from, to);
                    }
                }
                Change::Nothing => {}
            }
        }
        self.database.commit_unlogged(batch)
    }

    fn family(&mut self, number: u32) -> Result<Option<Family<'a>>, StoreError> {
        if let Some(known) = self.families.get(&number) {
            if known.is_none() && !self.dropped.contains(&number) {
                let rows = self.nameless.entry(number).or_default();
                *rows = rows.saturating_add(1);
            }
            return Ok(known.clone());
        }
        let found = match self.names.get(&number) {
            Some(name) => {
                if self.database.find_family(name).is_none() {
                    self.database.create_family(name)?;
                }
                self.database.find_family(name)
            }
            None => None,
        };
        self.families.insert(number, found);
        self.family(number)
    }
}

/// Adds the numbers of the families that a batch writes to.
pub(super) fn numbers(record: &[u8], found: &mut BTreeSet<u32>) -> Result<(), Damage> {
    let mut reader = Reader::new("write-ahead log", record);
    reader.take(HEADER_BYTES)?;
    while !reader.is_done() {
        match change(&mut reader)? {
            Change::Put(number, ..) | Change::Delete(number, _) | Change::DeleteRange(number, ..) => {
                found.insert(number);
            }
            Change::Nothing => {}
        }
    }
    Ok(())
}

fn change<'a>(reader: &mut Reader<'a>) -> Result<Change<'a>, Damage> {
    let kind = reader.byte()?;
    let number = match kind {
        0x04..=0x06 | 0x08 | 0x0E => reader.varint32()?,
        _ => 0,
    };
    Ok(match kind {
        0x00 | 0x04 | 0x07 | 0x08 => Change::Delete(number, reader.bytes()?),
        0x01 | 0x05 => Change::Put(number, reader.bytes()?, reader.bytes()?),
        0x0E | 0x0F => Change::DeleteRange(number, reader.bytes()?, reader.bytes()?),
        0x03 => {
            reader.bytes()?;
            Change::Nothing
        }
        0x0D => Change::Nothing,
        _ => return Err(reader.damage("a change in it is not known")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_batch_is_damage_at_worst(record in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new("write-ahead log", &record);
            while !reader.is_done() && change(&mut reader).is_ok() {}
        }
    }
}
