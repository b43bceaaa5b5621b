//! Monitors' checkpoints: how far one has read, its state, its writes and the alerts they led to, in one commit.

use rocksdb::WriteBatch;
use telemetry_core::extension::{KeyValueWrite, SavedState};

use crate::alerts::AlertChanges;
use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{ALERTS, PLUGIN_STATE};
use crate::plugin_state::{SavedCursor, cursor_key};

/// Everything of a monitor that must be stored together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The monitor's name; also that of its key-value space.
    pub monitor: String,
    /// The next sequence number it reads.
    pub next_sequence: u64,
    /// Its state at that point.
    pub state: Option<SavedState>,
    /// Its writes since the last checkpoint.
    pub writes: Vec<KeyValueWrite>,
    /// What its signals since the last checkpoint changed.
    pub changes: AlertChanges,
}

impl Engine {
    /// Stores a checkpoint, whole or not at all.
    pub(crate) fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let cursor = SavedCursor { next_sequence: checkpoint.next_sequence, state: checkpoint.state.clone() };
        let mut batch = WriteBatch::new();
        let family = self.database.family(PLUGIN_STATE)?;
        batch.put_cf(&family, cursor_key(&checkpoint.monitor), cursor.encode());
        checkpoint.changes.write(&self.database.family(ALERTS)?, &mut batch)?;
        self.commit_plugin_writes(&checkpoint.monitor, &checkpoint.writes, batch)
    }

    /// Forgets a monitor's cursor and state, so that it no longer holds the log back; its alerts change with it. Its
    /// key-value space stays.
    pub(crate) fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError> {
        let mut batch = WriteBatch::new();
        batch.delete_cf(&self.database.family(PLUGIN_STATE)?, cursor_key(monitor));
        changes.write(&self.database.family(ALERTS)?, &mut batch)?;
        self.database.commit(batch, Promise::Acknowledged)
    }
}
