//! Back-pressure by policy: recording waits while a monitor that must not miss records is too far behind.
//!
//! Invariant: only monitors whose settings say `block` hold recording up, each for no longer than its wait; what still cannot
//! be taken is refused as OVERLOADED, never dropped. Without such a monitor the gate costs one comparison.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use telemetry_core::limits;
use telemetry_store::Store;

/// How far behind one monitor may fall before recording waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogPolicy {
    /// The monitor.
    pub monitor: String,
    /// Records that may wait for it.
    pub records: u64,
    /// How long a call waits for it.
    pub wait: Duration,
}

/// What the gate did for one monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BacklogStatus {
    /// The monitor.
    pub monitor: String,
    /// Whether recording waits for it now.
    pub holding: bool,
    /// Calls that waited for it.
    pub waited: u64,
    /// Calls that were refused because it did not catch up in time.
    pub refused: u64,
}

/// The gate before recording.
#[derive(Debug, Default)]
pub struct BacklogGate {
    entries: Vec<Entry>,
    lock: Mutex<()>,
    moved: Condvar,
}

#[derive(Debug)]
struct Entry {
    policy: BacklogPolicy,
    /// The first record that its durable checkpoint does not cover; the greatest number while it does not run.
    cursor: AtomicU64,
    /// The last record when the bytes of its backlog were counted, and whether they were too many.
    counted_at: AtomicU64,
    too_large: AtomicBool,
    waited: AtomicU64,
    refused: AtomicU64,
}

impl BacklogGate {
    /// A gate for these monitors.
    pub fn new(policies: Vec<BacklogPolicy>) -> Self {
        let entry = |policy| Entry {
            policy,
            cursor: AtomicU64::new(u64::MAX),
            counted_at: AtomicU64::new(0),
            too_large: AtomicBool::new(false),
            waited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        Self { entries: policies.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// A monitor is at `next` now; `None`: it does not run any more.
    pub(crate) fn moved(&self, monitor: &str, next: Option<u64>) {
        let Some(entry) = self.entries.iter().find(|entry| entry.policy.monitor == monitor) else { return };
        entry.cursor.store(next.unwrap_or(u64::MAX), Ordering::Release);
        entry.counted_at.store(0, Ordering::Release);
        let _lock = self.lock.lock();
        self.moved.notify_all();
    }

    /// Whether recording may have to wait for a monitor.
    pub(crate) fn holds_up_for(&self, monitor: &str) -> bool {
        self.entries.iter().any(|entry| entry.policy.monitor == monitor)
    }

    /// Whether it knows where a monitor is, and would wait for it.
    #[cfg(test)]
    pub(crate) fn minds(&self, monitor: &str) -> bool {
        let entry = self.entries.iter().find(|entry| entry.policy.monitor == monitor);
        entry.is_some_and(|entry| entry.cursor.load(Ordering::Acquire) != u64::MAX)
    }

    /// Waits until no monitor is too far behind; `false` when one does not catch up in time.
    pub(crate) fn pass(&self, store: &Store) -> bool {
        self.entries.iter().all(|entry| !entry.is_behind(store) || self.wait_for(entry, store))
    }

    fn wait_for(&self, entry: &Entry, store: &Store) -> bool {
        entry.waited.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + entry.policy.wait;
        let mut lock = self.lock.lock();
        while entry.is_behind(store) {
            if self.moved.wait_until(&mut lock, deadline).timed_out() {
                let caught_up = !entry.is_behind(store);
                entry.refused.fetch_add(u64::from(!caught_up), Ordering::Relaxed);
                return caught_up;
            }
        }
        true
    }

    /// What the gate did and does.
    pub(crate) fn status(&self, store: &Store) -> Vec<BacklogStatus> {
        let status = |entry: &Entry| BacklogStatus {
            monitor: entry.policy.monitor.clone(),
            holding: entry.is_behind(store),
            waited: entry.waited.load(Ordering::Relaxed),
            refused: entry.refused.load(Ordering::Relaxed),
        };
        self.entries.iter().map(status).collect()
    }
}

impl Entry {
    fn is_behind(&self, store: &Store) -> bool {
        let (last, next) = (store.last_sequence(), self.cursor.load(Ordering::Acquire));
        let lag = last.saturating_add(1).saturating_sub(next);
        lag > self.policy.records
            || (lag >= limits::BACKLOG_CHECK_RECORDS && self.is_too_large(store, last, next))
    }

    /// Whether its backlog takes so much of the log that the log's limit would soon cut it.
    fn is_too_large(&self, store: &Store, last: u64, next: u64) -> bool {
        let counted_at = self.counted_at.load(Ordering::Acquire);
        if last < counted_at.saturating_add(limits::BACKLOG_CHECK_RECORDS) {
            return self.too_large.load(Ordering::Acquire);
        }
        let too_large = store.log_bytes_after(next.saturating_sub(1)) > store.log_limit() / 2;
        self.too_large.store(too_large, Ordering::Release);
        self.counted_at.store(last, Ordering::Release);
        too_large
    }
}
