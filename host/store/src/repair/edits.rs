//! What RocksDB's manifests tell, as far as they can be read: families by number, and tables that are no longer in use.
//!
//! A manifest is a list of edits, each a list of fields with a number; the numbers are those of RocksDB's
//! `db/version_edit.h`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;

use super::framed::{Frame, FrameReader};
use crate::error::Damage;
use crate::wire::Reader;

/// What is known from the records that can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// The families that were created, by number; the dropped ones are not among them.
    pub(super) families: BTreeMap<u32, String>,
    /// Each table that was ever in use.
    pub(super) tables: BTreeMap<u64, Table>,
    /// The first log with changes that are in no table of a family, by its number.
    pub(super) logs: BTreeMap<u32, u64>,
    /// The numbers of families that were dropped.
    pub(super) dropped: BTreeSet<u32>,
    /// Tables that are no longer in use: what was deleted must not come back.
    pub(super) dead: BTreeSet<u64>,
    /// Places that could not be read.
    pub(super) broken: u64,
}

/// What is told of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The number of its family.
    pub(super) family: u32,
    /// The sequence number of its newest change; 0 where compaction took them away.
    pub(super) newest: u64,
}

/// The fields of one edit that matter.
#[derive(Default)]
struct Edit {
    family: u32,
    log: Option<u64>,
    added: Option<String>,
    dropped: bool,
    deleted: Vec<u64>,
    /// Tables by number, with the sequence numbers of their newest changes.
    created: Vec<(u64, u64)>,
}

impl Edits {
    /// Adds what a manifest tells.
    pub(super) fn read(&mut self, manifest: &Path) -> io::Result<()> {
        let mut frames = FrameReader::new(File::open(manifest)?);
        while let Some(frame) = frames.next()? {
            match frame {
                Frame::Record(record) => match Edit::read(&record) {
                    Ok(edit) => self.add(edit),
                    Err(_) => self.broken = self.broken.saturating_add(1),
                },
                Frame::Broken(_) => self.broken = self.broken.saturating_add(1),
            }
        }
        Ok(())
    }

    fn add(&mut self, edit: Edit) {
        if let Some(name) = edit.added {
            self.families.insert(edit.family, name);
        }
        if edit.dropped {
            self.families.remove(&edit.family);
            self.dropped.insert(edit.family);
            let of_it = self.tables.iter().filter(|(_, table)| table.family == edit.family);
            self.dead.extend(of_it.map(|(table, _)| *table));
        }
        self.dead.extend(edit.deleted);
        for (table, newest) in edit.created {
            // A table that only changes its level is deleted and created in one edit.
            self.dead.remove(&table);
            self.tables.insert(table, Table { family: edit.family, newest });
        }
        if let Some(log) = edit.log {
            let known = self.logs.entry(edit.family).or_default();
            *known = log.max(*known);
        }
    }

    /// The number of a table's family, where the table is known.
    pub(super) fn number_of_family(&self, table: u64) -> Option<u32> {
        self.tables.get(&table).map(|table| table.family)
    }

    /// The family of a table, where both are known.
    pub(super) fn family_of(&self, table: u64) -> Option<&str> {
        self.families.get(&self.number_of_family(table)?).map(String::as_str)
    }
}

/// Fields with this bit are a length and bytes, whatever they mean.
const IGNORABLE: u32 = 1 << 13;

impl Edit {
    fn read(record: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("manifest", record);
        let mut edit = Self::default();
        while !reader.is_done() {
            match reader.varint32()? {
                1 => skip(&mut reader)?,
                2 => edit.log = Some(reader.varint()?),
                3 | 4 | 9 | 10 | 203 | 300 => {
                    reader.varint()?;
                }
                5 => {
                    reader.varint()?;
                    skip(&mut reader)?;
                }
                6 => {
                    reader.varint()?;
                    edit.deleted.push(reader.varint()?);
                }
                103 => edit.created.push(new_file(&mut reader)?),
                200 => edit.family = reader.varint32()?,
                201 => edit.added = Some(reader.text()?.to_owned()),
                202 => edit.dropped = true,
                tag if tag & IGNORABLE != 0 => skip(&mut reader)?,
                _ => return Err(reader.damage("a field is not known")),
            }
        }
        Ok(edit)
    }
}

/// A table: level, number, bytes, bounds of keys and of sequence numbers, and further fields until field 1. Its number and the
/// upper bound of its sequence numbers.
fn new_file(reader: &mut Reader<'_>) -> Result<(u64, u64), Damage> {
    reader.varint()?;
    let number = reader.varint()?;
    reader.varint()?;
    skip(reader)?;
    skip(reader)?;
    reader.varint()?;
    let newest = reader.varint()?;
    while reader.varint()? != 1 {
        skip(reader)?;
    }
    Ok((number, newest))
}

fn skip(reader: &mut Reader<'_>) -> Result<(), Damage> {
    reader.bytes().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn families_and_dead_tables_are_told() {
        let mut edits = Edits::default();
        let create = [&[200, 1, 5][..], &[201, 1, 3], b"m.x"].concat();
        // Tags above 127 take two bytes.
        assert_eq!(Edit::read(&create).unwrap().added.as_deref(), Some("m.x"));
        edits.add(Edit::read(&create).unwrap());
        let add = [&[103, 0, 9, 7, 1, 7, 1, 8, 3, 4, 1][..], &[200, 1, 5, 2, 6]].concat();
        edits.add(Edit::read(&add).unwrap());
        assert_eq!(edits.tables[&9], Table { family: 5, newest: 4 });
        assert_eq!(edits.logs[&5], 6);
        assert_eq!(edits.family_of(9), Some("m.x"));
        edits.add(Edit::read(&[6, 0, 9]).unwrap());
        assert!(edits.dead.contains(&9));
        let moved = [&[6, 0, 9][..], &add].concat();
        edits.add(Edit::read(&moved).unwrap());
        assert!(edits.dead.is_empty());
        edits.add(Edit::read(&[200, 1, 5, 202, 1]).unwrap());
        assert_eq!((edits.families.len(), edits.dead.len()), (0, 1));
    }

    proptest! {
        #[test]
        fn any_record_is_damage_at_worst(record in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Edit::read(&record);
        }
    }
}
