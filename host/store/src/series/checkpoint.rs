//! Writing postings as rows, so that a partition at rest is read without its definitions.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::index::{Defining, PostingRows, SeriesIndex};
use super::partition_index::PartitionIndex;
use super::posting::Postings;
use super::rows;
use crate::database::{Database, Family, Promise};
use crate::error::StoreError;
use crate::families::Partition;

/// Bytes of posting rows written at a time.
const BATCH_BYTES: usize = 4 << 20;

impl SeriesIndex {
    /// Completes the posting rows of the partitions in which nothing was defined since the last call; with `force`, of all.
    /// Answers how many partitions it wrote.
    pub(crate) fn checkpoint(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
        force: bool,
    ) -> Result<usize, StoreError> {
        let mut written = 0_usize;
        for partition in partitions {
            let Some(family) = database.find_family(&partition.family) else { continue };
            let slot = self.slot(partition);
            if !is_due(database, &family, &mut slot.defining.lock(), force)? {
                continue;
            }
            // Loads them.
            self.with_postings(database, partition, |_| ())?;
            // From here on definitions wait: what is written must be complete when it is marked so.
            let mut defining = slot.defining.lock();
            if let Some(postings) = &*slot.postings.read() {
                save(database, &family, postings)?;
                defining.rows = PostingRows::Complete;
                written = written.saturating_add(1);
            }
            if let Some(postings) = &mut *slot.postings.write() {
                postings.unsaved.clear();
            }
        }
        Ok(written)
    }
}

fn is_due(
    database: &Database,
    family: &Family<'_>,
    defining: &mut Defining,
    force: bool,
) -> Result<bool, StoreError> {
    if defining.rows == PostingRows::Untouched {
        // A process that ended unexpectedly left them as they were.
        let complete = database.get(family, &rows::COMPLETE_KEY)?.is_some();
        defining.rows = if complete { PostingRows::Complete } else { PostingRows::Incomplete };
    }
    let busy = std::mem::take(&mut defining.busy);
    Ok(defining.rows == PostingRows::Incomplete && (force || !busy))
}

fn save(database: &Database, family: &Family<'_>, postings: &PartitionIndex) -> Result<(), StoreError> {
    let mut batch = WriteBatch::new();
    let mut put = |key: Vec<u8>, list: &Postings| -> Result<(), StoreError> {
        if list.meets(&postings.unsaved) {
            batch.put_cf(family, key, list.encode());
        }
        if batch.size_in_bytes() > BATCH_BYTES {
            database.commit(std::mem::take(&mut batch), Promise::Derived)?;
        }
        Ok(())
    };
    for (name, list) in &postings.names {
        put(rows::name_key(name), list)?;
    }
    for (label, values) in &postings.labels {
        for (value, list) in values {
            put(rows::label_key(label, value), list)?;
        }
    }
    // Last: it says that all others are there.
    batch.put_cf(family, rows::COMPLETE_KEY, Postings::from(&postings.all).encode());
    database.commit(batch, Promise::Derived)
}
