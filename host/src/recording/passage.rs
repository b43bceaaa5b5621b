//! Back-pressure: records on their way into the store are counted, and refused beyond a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use telemetry_core::limits::MAX_RECORDS_IN_FLIGHT;

use crate::guards::Nested;

/// Records of all calls under way.
#[derive(Debug, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

/// One call under way; its records and its depth count until it is dropped.
#[derive(Debug)]
pub(super) struct Passage {
    in_flight: Arc<AtomicUsize>,
    size: usize,
    _depth: Nested,
}

impl InFlight {
    /// Lets a call of `size` records pass; `None` when too many are under way. A single call of any allowed size passes
    /// when nothing else is under way.
    pub(super) fn enter(&self, size: usize, depth: Nested) -> Option<Passage> {
        let before = self.0.fetch_add(size, Ordering::AcqRel);
        let passage = Passage { in_flight: Arc::clone(&self.0), size, _depth: depth };
        (before.saturating_add(size) <= MAX_RECORDS_IN_FLIGHT).then_some(passage)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.size, Ordering::AcqRel);
    }
}
