//! Checkpoints: the cursor, the state, the writes and the alerts of one monitor become durable as one.

use telemetry_core::extension::{FailureReason, MonitorCheckpoint, PluginFailure};
use telemetry_store::{Checkpoint, SavedCursor, StoreError};

use super::{Follower, guarded};
use crate::monitors::incidents::Incident;
use crate::monitors::poison::Finding;

impl Follower {
    /// Makes durable how far it came and what it raised, and releases that. `false` when it could not.
    pub(super) fn checkpoint(&mut self) -> bool {
        let monitor = &mut self.monitor;
        let saved = if self.called {
            guarded(&self.name, || monitor.checkpoint())
        } else {
            Ok(MonitorCheckpoint { state: self.durable.state.clone(), writes: Vec::new() })
        };
        match saved {
            Ok(saved) => self.commit(saved),
            Err(failure) => {
                let (first, end) = (self.durable.next_sequence, self.next);
                self.fail(failure, first, end);
                false
            }
        }
    }

    /// A checkpoint beyond the monitor's quota is the monitor's failure, but no record's: it is not looked for.
    fn refused(&mut self, error: StoreError) {
        let StoreError::PluginQuota { plugin, limit, .. } = error else {
            return self.store_failed(error);
        };
        let reason = FailureReason::Limit { what: "bytes of key-value space", limit };
        let (first, end) = (self.durable.next_sequence, self.next);
        self.go_back(PluginFailure { plugin, reason }, first, end, Finding::Again);
    }

    pub(super) fn commit(&mut self, saved: MonitorCheckpoint) -> bool {
        let mut changes = self.book.changes(self.ports.clock.now());
        self.ports.dispatcher.admit(&mut changes);
        let checkpoint = Checkpoint {
            monitor: self.name.clone(),
            next_sequence: self.next,
            state: saved.state,
            writes: saved.writes,
            changes,
        };
        if let Err(error) = self.ports.log.commit_checkpoint(&checkpoint) {
            self.refused(error);
            return false;
        }
        if self.called {
            self.monitor.committed();
        }
        let left_out = self.book.left_out();
        self.book.commit(&checkpoint.changes);
        self.ports.dispatcher.stored(&checkpoint.changes);
        self.durable = SavedCursor { next_sequence: self.next, state: checkpoint.state };
        self.ports.backlog.moved(&self.name, Some(self.next));
        self.hunt.passed(self.next, self.called);
        self.called = false;
        self.checkpointed_at = self.ports.clock.monotonic();
        self.setbacks = 0;
        {
            let mut status = self.status.lock();
            status.cursor = self.durable.next_sequence;
            status.firing = self.book.firing();
            status.checkpoints += 1;
            status.left_out_signals += left_out;
        }
        if left_out > 0 {
            let summary = format!(
                "monitor \"{}\" has {} alerts firing, the most it may have; {left_out} signals were left out",
                self.name,
                self.book.firing()
            );
            self.report(Incident::AlertOverflow, summary, left_out);
        }
        true
    }
}
