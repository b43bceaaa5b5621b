//! RocksDB's write batches, as its write-ahead logs hold them: written anew into families that are found by name.
//!
//! The layout is that of RocksDB's `db/write_batch.cc`: sequence number, count, and records of a kind each.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;

use super::flushed::Flushed;
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::wire::Reader;

/// The sequence number of the first change, then how many there are.
const SEQUENCE_BYTES: usize = 8;
const COUNT_BYTES: usize = 4;

/// One change of a batch.
enum Change<'a> {
    Put(u32, &'a [u8], &'a [u8]),
    Delete(u32, &'a [u8]),
    DeleteRange(u32, &'a [u8], &'a [u8]),
    Nothing,
}

impl Change<'_> {
    /// The number of its family. What has none takes no sequence number.
    fn family(&self) -> Option<u32> {
        match self {
            Self::Put(number, ..) | Self::Delete(number, _) | Self::DeleteRange(number, ..) => Some(*number),
            Self::Nothing => None,
        }
    }
}

/// The families of a log by number.
pub(super) struct Replay<'a> {
    database: &'a Database,
    names: &'a BTreeMap<u32, String>,
    dropped: &'a BTreeSet<u32>,
    flushed: &'a Flushed,
    families: BTreeMap<u32, Option<Family<'a>>>,
    /// Rows of families whose name is not known, by number.
    pub(super) nameless: BTreeMap<u32, u64>,
}

impl<'a> Replay<'a> {
    /// Logs whose families have `names`; rows of `dropped` ones are left out, and changes that tables have already.
    pub(super) fn new(
        database: &'a Database,
        names: &'a BTreeMap<u32, String>,
        dropped: &'a BTreeSet<u32>,
        flushed: &'a Flushed,
    ) -> Self {
        Self { database, names, dropped, flushed, families: BTreeMap::new(), nameless: BTreeMap::new() }
    }

    /// Writes a batch of the log with this number. Batches come in the order of the logs.
    pub(super) fn write(&mut self, log: u64, record: &[u8]) -> Result<(), StoreError> {
        let mut reader = Reader::new("write-ahead log", record);
        let mut sequence = u64::from_le_bytes(reader.array()?);
        reader.take(COUNT_BYTES)?;
        let mut batch = WriteBatch::new();
        while !reader.is_done() {
            let change = change(&mut reader)?;
            let Some(number) = change.family() else { continue };
            let known = self.flushed.has(number, log, sequence);
            sequence = sequence.saturating_add(1);
            let Some(family) = (if known { None } else { self.family(number)? }) else { continue };
            match change {
                Change::Put(_, key, value) => batch.put_cf(&family, key, value),
                Change::Delete(_, key) => batch.delete_cf(&family, key),
                Change::DeleteRange(_, from, to) => batch.delete_range_cf(&family, from, to),
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
    reader.take(SEQUENCE_BYTES.saturating_add(COUNT_BYTES))?;
    while !reader.is_done() {
        found.extend(change(&mut reader)?.family());
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
