//! What monitors need of the store. The trait lets tests put a model, and failures, in the store's place.

use std::time::Duration;

use telemetry_core::Timestamp;
use telemetry_store::{AlertChanges, Checkpoint, LogEntry, SavedCursor, Store, StoreError};

use crate::alerts::AlertStore;

/// The durable log and the monitors' places in it.
pub trait LogStore: AlertStore {
    /// The sequence number of the last record.
    fn last_sequence(&self) -> u64;
    /// Waits until the record with this number is there; `false` when the time is over.
    fn wait_for(&self, sequence: u64, timeout: Duration) -> bool;
    /// Appends a tick; answers its sequence number.
    fn append_tick(&self, at: Timestamp) -> Result<u64, StoreError>;
    /// Up to `max_records` records from exactly `from_sequence` on; nothing at the end of the log.
    fn read_log(&self, from_sequence: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError>;
    /// Where a monitor is, and its state there; `None` for a new one.
    fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError>;
    /// The names of all monitors that have a place in the log.
    fn monitors(&self) -> Result<Vec<String>, StoreError>;
    /// Makes a checkpoint durable as one.
    fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError>;
    /// Forgets a monitor's cursor and state, and makes `changes`, as one.
    fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError>;
}

impl LogStore for Store {
    fn last_sequence(&self) -> u64 {
        Self::last_sequence(self)
    }

    fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        Self::wait_for(self, sequence, timeout)
    }

    fn append_tick(&self, at: Timestamp) -> Result<u64, StoreError> {
        Self::append_tick(self, at)
    }

    fn read_log(&self, from_sequence: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError> {
        Self::read_log(self, from_sequence, max_records)
    }

    fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError> {
        Self::load_cursor(self, monitor)
    }

    fn monitors(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.cursors()?.into_iter().map(|(name, _)| name).collect())
    }

    fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        Self::commit_checkpoint(self, checkpoint)
    }

    fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError> {
        Self::remove_monitor(self, monitor, changes)
    }
}
