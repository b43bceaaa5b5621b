//! Keeping postings within the budget of memory.
//!
//! Invariant: postings that tell of a series whose definition is not committed stay in memory. Loaded again meanwhile, they would
//! lack it, and so would the rows that are written of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{PostingRows, SeriesIndex, Slot};

/// A definition whose batch is not committed yet; dropped when it was committed or given up.
#[must_use = "the definition counts as committed when this is dropped"]
pub(crate) struct Uncommitted(Arc<Slot>);

impl Uncommitted {
    /// Of this slot, whose lock of definitions is held.
    pub(super) fn of(slot: &Arc<Slot>) -> Self {
        slot.uncommitted.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(slot))
    }
}

impl Drop for Uncommitted {
    fn drop(&mut self) {
        self.0.uncommitted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl SeriesIndex {
    /// Lets go of postings that can be loaded again, least recently used first, until they keep within the budget beside the rest
    /// of the index.
    pub(crate) fn make_room(&self) {
        let definitions = self.definition_bytes();
        let others = self.others.load(Ordering::Relaxed);
        let limit = self.budget.postings(others.saturating_add(definitions));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut bytes = self.bytes();
        if bytes > limit {
            self.let_go(&mut bytes, limit);
        }
        self.measured.store(definitions.saturating_add(bytes as u64), Ordering::Relaxed);
    }

    fn let_go(&self, bytes: &mut usize, limit: usize) {
        let mut slots: Vec<_> = self.slots.read().values().cloned().collect();
        slots.sort_by_key(|slot| slot.last_use.load(Ordering::Relaxed));
        for slot in slots {
            if *bytes <= limit {
                break;
            }
            let defining = slot.defining.lock();
            let is_told_by_rows = slot.uncommitted.load(Ordering::Acquire) == 0;
            if defining.rows != PostingRows::Incomplete && is_told_by_rows {
                *bytes = bytes.saturating_sub(slot.bytes());
                *slot.postings.write() = None;
            }
        }
    }
}
