//! Reading a partition's postings from its rows: the posting rows where they are complete, else the definitions.

use roaring::RoaringBitmap;

use super::believed::Believed;
use super::definition::Definition;
use super::partition_index::PartitionIndex;
use super::posting::Postings;
use super::rows::{COMPLETE_KEY, PostingKey, definition_bounds, id_of_definition, posting_bounds};
use crate::database::{Database, Family, Snapshot};
use crate::error::{Damage, StoreError};
use crate::families::Partition;

/// The partition's postings. `seen` is told every definition that is read on the way.
pub(super) fn load(
    database: &Database,
    partition: &Partition,
    family: &Family<'_>,
    mut seen: impl FnMut(u32, Definition),
) -> Result<PartitionIndex, StoreError> {
    let snapshot = database.snapshot();
    match from_postings(database, &snapshot, family) {
        Ok(Some(index)) => return Ok(index),
        Ok(None) => {}
        Err(StoreError::Damaged(damage)) => {
            database
                .reports()
                .add(format!("partition {}: {damage}; made again from definitions", partition.family));
        }
        Err(error) => return Err(error),
    }
    from_definitions(database, &snapshot, partition, family, &mut seen)
}

/// How many series a partition has: by the row that lists them all where it is there, else by their definitions.
pub(crate) fn count(database: &Database, family: &Family<'_>) -> Result<u64, StoreError> {
    if let Some(value) = database.get(family, &COMPLETE_KEY)?
        && let Ok(postings) = Postings::decode(&value)
    {
        let mut all = RoaringBitmap::new();
        postings.add_to(&mut all);
        if Believed::of(database, family)?.check(&all).is_ok() {
            return Ok(all.len());
        }
    }
    let (first, after) = definition_bounds();
    let mut count = 0_u64;
    database.each_row(family, &first, &after, &mut |_, _| count = count.saturating_add(1))?;
    Ok(count)
}

/// The greatest series number that a partition defines.
pub(super) fn greatest_defined(database: &Database, family: &Family<'_>) -> Result<Option<u32>, StoreError> {
    let (lower, upper) = definition_bounds();
    let mut found = database.rows(family, lower, upper);
    found.last();
    let id = found.row().map(|(key, _)| id_of_definition(key)).transpose()?;
    found.check("series definitions")?;
    Ok(id)
}

fn from_postings(
    database: &Database,
    snapshot: &Snapshot<'_>,
    family: &Family<'_>,
) -> Result<Option<PartitionIndex>, StoreError> {
    let (lower, upper) = posting_bounds();
    let mut rows = database.rows_at(snapshot, family, lower, upper);
    rows.first();
    let mut index = PartitionIndex::default();
    let mut complete = false;
    while let Some((key, value)) = rows.row() {
        let key = PostingKey::read(key)?;
        // The mark that the rows are complete stands before all others.
        if !complete && !matches!(key, PostingKey::All) {
            return Ok(None);
        }
        let postings = Postings::decode(value)?;
        if complete && !postings.fits(&index.all) {
            return Err(Damage::new("posting list", "it names series that are not the partition's").into());
        }
        match key {
            PostingKey::All => {
                complete = true;
                postings.add_to(&mut index.all);
                Believed::of(database, family)?.check(&index.all)?;
            }
            PostingKey::Name(name) => {
                index.names.insert(name.into(), postings);
            }
            PostingKey::Label(label, value) => {
                index.labels.entry(label.into()).or_default().insert(value.into(), postings);
            }
        }
        rows.forward();
    }
    rows.check("posting lists")?;
    drop(rows);
    if !complete {
        return Ok(None);
    }
    check(&index)?;
    index.measure();
    Ok(Some(index))
}

/// Every series has exactly one name.
fn check(index: &PartitionIndex) -> Result<(), Damage> {
    let mut named = RoaringBitmap::new();
    let names = index.names.values().map(Postings::len).fold(0, u64::saturating_add);
    if names == index.all.len() {
        index.names.values().for_each(|postings| postings.add_to(&mut named));
    }
    if named == index.all {
        Ok(())
    } else {
        Err(Damage::new("posting list", "the lists do not fit together"))
    }
}

fn from_definitions(
    database: &Database,
    snapshot: &Snapshot<'_>,
    partition: &Partition,
    family: &Family<'_>,
    seen: &mut impl FnMut(u32, Definition),
) -> Result<PartitionIndex, StoreError> {
    let (lower, upper) = definition_bounds();
    let mut rows = database.rows_at(snapshot, family, lower, upper);
    rows.first();
    let mut index = PartitionIndex::default();
    while let Some((key, value)) = rows.row() {
        match id_of_definition(key).and_then(|id| Ok((id, Definition::decode(value)?))) {
            Ok((id, definition)) => {
                index.insert(id, &definition.key);
                seen(id, definition);
            }
            Err(damage) => database.reports().add(format!("partition {}: {damage}", partition.family)),
        }
        rows.forward();
    }
    rows.check("series definitions")?;
    Ok(index)
}
