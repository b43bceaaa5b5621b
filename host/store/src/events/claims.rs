//! Claiming ids that callers gave, so that of racing calls with one id exactly one stores an event.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use telemetry_core::Timestamp;
use uuid::Uuid;

use super::index::EventIndex;
use crate::database::Database;
use crate::error::StoreError;
use crate::families::Partition;

/// Ids share this many locks: enough that callers with different ids rarely meet.
const STRIPES: usize = 1024;

/// The locks of all ids.
pub(crate) struct Claims {
    stripes: Box<[Mutex<()>]>,
}

/// As long as it lives, no other claim of the same ids succeeds. Drop it after the events were stored.
#[must_use = "the ids are free again when the claim is dropped"]
pub struct IdClaim<'a> {
    _guards: Vec<MutexGuard<'a, ()>>,
    known: HashMap<Uuid, Timestamp>,
}

impl Claims {
    /// No id is claimed.
    pub(crate) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }

    /// Waits until nobody else claims any of `ids`, then finds out which of them are known. Claims must not be nested.
    pub(crate) fn claim(
        &self,
        events: &EventIndex,
        database: &Database,
        partitions: impl FnOnce() -> Vec<Arc<Partition>>,
        ids: &[Uuid],
    ) -> Result<IdClaim<'_>, StoreError> {
        let mut stripes: Vec<usize> = ids.iter().map(|id| stripe(*id)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        // In one order everywhere, so that claims wait for each other but never in a circle.
        let guards = stripes.iter().filter_map(|stripe| self.stripes.get(*stripe)).map(Mutex::lock).collect();
        // Only now: the claim before this one may have opened a partition.
        let known = known(events, database, &partitions(), ids)?;
        Ok(IdClaim { _guards: guards, known })
    }
}

/// When the events with these ids happened, of those that the store has.
pub(crate) fn known(
    events: &EventIndex,
    database: &Database,
    partitions: &[Arc<Partition>],
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Timestamp>, StoreError> {
    let mut known = HashMap::new();
    for id in ids {
        if let Some((_, key)) = events.locate(database, partitions, *id)? {
            known.insert(*id, key.timestamp);
        }
    }
    Ok(known)
}

impl IdClaim<'_> {
    /// When the event with this id happened, if the store had it as the claim was made.
    pub fn known(&self, id: Uuid) -> Option<Timestamp> {
        self.known.get(&id).copied()
    }
}

fn stripe(id: Uuid) -> usize {
    let (high, low) = id.as_u64_pair();
    // Fibonacci hashing; the upper bits are the good ones.
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as usize % STRIPES
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for IdClaim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdClaim").field("known", &self.known).finish_non_exhaustive()
    }
}
