//! What was recorded and refused since the host started.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use telemetry_core::ErrorCode;

/// Counts since the host started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordingCounters {
    /// Events stored.
    pub events_recorded: u64,
    /// Samples stored.
    pub metrics_recorded: u64,
    /// Calls that gave an id that was known already.
    pub duplicate_events: u64,
    /// Objections that did not refuse their record.
    pub validation_warnings: u64,
    /// Records that a failed validator let pass, as configured.
    pub unvalidated_records: u64,
    /// Refused records by code.
    pub refused: BTreeMap<&'static str, u64>,
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events: AtomicU64,
    pub(crate) metrics: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) warnings: AtomicU64,
    pub(crate) unvalidated: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, code: ErrorCode, count: u64) {
        let mut refused = self.refused.lock();
        let entry = refused.entry(code.as_str()).or_default();
        *entry = entry.saturating_add(count);
    }

    pub(crate) fn snapshot(&self) -> RecordingCounters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RecordingCounters {
            events_recorded: get(&self.events),
            metrics_recorded: get(&self.metrics),
            duplicate_events: get(&self.duplicates),
            validation_warnings: get(&self.warnings),
            unvalidated_records: get(&self.unvalidated),
            refused: self.refused.lock().clone(),
        }
    }
}
