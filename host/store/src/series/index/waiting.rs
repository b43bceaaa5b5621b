//! Definitions that wait for their partition's postings to be loaded: bounded, since loading takes them in.
//!
//! Loading reads all definitions of the partition, and other calls would wait for the one that does it. So it is left to
//! maintenance, unless that does not come.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use telemetry_core::SeriesKey;

use super::{SeriesIndex, Slot};
use crate::database::Database;
use crate::error::StoreError;
use crate::families::Partition;
use crate::series::definition::Definition;

/// So many may wait; then maintenance is to load the postings.
pub(in crate::series) const MAX_WAITING: usize = 4096;
/// So many times as many may wait before the call that defines the next one loads them itself.
pub(in crate::series) const FAR_TOO_MANY: usize = 16;
/// What one takes beside its text, about, in bytes.
const WAITING_BYTES: usize = 160;

/// Who is to load the postings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loading {
    /// Nobody, yet.
    Waits,
    /// Maintenance, when it comes by.
    Wanted,
    /// The call itself.
    Now,
}

/// Definitions of one partition with their series' numbers.
#[derive(Default)]
pub(super) struct Waiting(Vec<(u32, Arc<Definition>)>);

impl Waiting {
    /// Adds one; answers about how much memory it takes, in bytes.
    pub(super) fn push(&mut self, id: u32, definition: Arc<Definition>) -> usize {
        let SeriesKey { name, context } = &definition.key;
        let bytes = WAITING_BYTES.saturating_add(name.len()).saturating_add(context.as_str().len());
        self.0.push((id, definition));
        bytes
    }

    /// Whether it is time to load the postings. Where that failed, the next time comes when there are as many more.
    pub(super) fn loading(&self) -> Loading {
        if self.0.is_empty() || !self.0.len().is_multiple_of(MAX_WAITING) {
            Loading::Waits
        } else if self.0.len().is_multiple_of(MAX_WAITING.saturating_mul(FAR_TOO_MANY)) {
            Loading::Now
        } else {
            Loading::Wanted
        }
    }

    /// All of them; none is left.
    pub(super) fn take(&mut self) -> Vec<(u32, Arc<Definition>)> {
        std::mem::take(&mut self.0)
    }
}

impl SeriesIndex {
    /// Loads a partition's postings, or has them loaded, as `loading` says.
    pub(super) fn load_for(&self, loading: Loading, database: &Database, partition: &Partition, slot: &Slot) {
        match loading {
            Loading::Waits => {}
            Loading::Wanted => {
                // In this order: whoever takes the index's flag finds the slot's.
                slot.wanted.store(true, Ordering::Release);
                self.wanted.store(true, Ordering::Release);
            }
            // The definitions are none the worse if this fails.
            Loading::Now => {
                if let Err(error) = self.with_postings(database, partition, |_| ()) {
                    let words =
                        format!("the series of partition {} could not be loaded: {error}", partition.family);
                    database.reports().add(words);
                }
            }
        }
    }

    /// Whether so many definitions wait for some partition's postings that [`Self::load_wanted`] is to load them.
    pub(crate) fn wants_loading(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Loads the postings for which many definitions wait. An error is that of the first partition that failed; the others were
    /// loaded.
    pub(crate) fn load_wanted(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
    ) -> Result<(), StoreError> {
        if !self.wanted.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let mut result = Ok(());
        for partition in partitions {
            let slot = self.slots.read().get(&partition.start).cloned();
            if slot.is_some_and(|slot| slot.wanted.swap(false, Ordering::AcqRel)) {
                let loaded = self.with_postings(database, partition, |_| ()).map(drop);
                result = result.and(loaded.map_err(|error| error.in_partition(&partition.family)));
            }
        }
        result
    }
}
