//! What follows a failure: back to the last durable checkpoint, a pause, a new start, and records that are set aside.

use std::time::Duration;

use telemetry_core::extension::{FailureReason, MonitorCheckpoint, PluginFailure};
use telemetry_core::limits;
use telemetry_store::{LogEntry, StoreError};

use super::{Follower, guarded};
use crate::alerts::Backoff;
use crate::envelope::EnvelopeError;
use crate::monitors::fault::MonitorFault;
use crate::monitors::incidents::Incident;
use crate::monitors::poison::Finding;
use crate::monitors::status::MonitorState;

const BACKOFF: Backoff = Backoff { min: limits::MIN_MONITOR_BACKOFF, max: limits::MAX_MONITOR_BACKOFF };

impl Follower {
    /// The monitor failed on records `first..end`: everything goes back to the last durable checkpoint.
    pub(super) fn fail(&mut self, failure: PluginFailure, first: u64, end: u64) {
        let finding = match failure.reason {
            // These say nothing about the records.
            FailureReason::Quarantined { .. } | FailureReason::Busy(_) | FailureReason::Transient(_) => {
                Finding::Again
            }
            _ => self.hunt.failed(first, end),
        };
        self.go_back(failure, first, end, finding);
    }

    /// Everything goes back to the last durable checkpoint, and what was found of the records is acted upon.
    pub(super) fn go_back(&mut self, failure: PluginFailure, first: u64, end: u64, finding: Finding) {
        tracing::warn!(monitor = self.name, first, end, %failure, "a monitor failed and starts again from its checkpoint");
        self.book.rollback();
        self.next = self.durable.next_sequence;
        self.called = false;
        self.broken = true;
        match finding {
            Finding::Narrowed => self.setbacks = 0,
            Finding::Poison(sequence) if sequence == self.next && self.is_proven() => {
                self.setbacks = 0;
                self.skip = Some(sequence);
            }
            Finding::Poison(_) | Finding::Again | Finding::Broken => {
                self.setbacks = self.setbacks.saturating_add(1)
            }
        }
        self.note_failure(&failure);
    }

    /// Whether records can be to blame for its failures.
    fn is_proven(&self) -> bool {
        self.ports.clock.monotonic() >= self.proven_at
    }

    /// Counts a failure and pauses for as long as it asks for.
    fn note_failure(&mut self, failure: &PluginFailure) {
        let backoff = if self.setbacks == 0 { Duration::ZERO } else { BACKOFF.pause(self.setbacks) };
        let (state, pause) = match failure.reason {
            FailureReason::Quarantined { retry_in } => (MonitorState::Quarantined, backoff.max(retry_in)),
            _ => (MonitorState::Failing, backoff),
        };
        self.pause(pause);
        let mut status = self.status.lock();
        status.state = state;
        status.failures += 1;
        status.last_error = Some(failure.to_string());
    }

    /// Starts the monitor anew from the last durable checkpoint, if it failed. `false` when it fails again.
    pub(super) fn revive(&mut self) -> bool {
        if !self.broken {
            return true;
        }
        let (monitor, state) = (&mut self.monitor, self.durable.state.clone());
        let hunting = self.hunt.is_on();
        let revived = guarded(&self.name, || {
            monitor.restart(state)?;
            // A monitor that cannot even save the state it started with: no record is to blame for that.
            if hunting { monitor.checkpoint().map(drop) } else { Ok(()) }
        });
        match revived {
            Ok(()) => {
                self.broken = false;
                self.status.lock().state = MonitorState::Running;
                true
            }
            Err(failure) => {
                self.setbacks = self.setbacks.saturating_add(1);
                tracing::warn!(monitor = self.name, %failure, "a monitor cannot be restarted");
                self.note_failure(&failure);
                false
            }
        }
    }

    /// Passes over the poison record that was found, if one was. `false` when that cannot be stored.
    pub(super) fn set_aside(&mut self) -> bool {
        let Some(sequence) = self.skip else { return true };
        let reason = self.status.lock().last_error.clone().unwrap_or_default();
        let summary = format!(
            "monitor \"{}\" goes on without record {sequence}, on which it failed {} times: {reason}",
            self.name,
            limits::MONITOR_KILLS_BEFORE_HUNT
        );
        if !self.report(Incident::PoisonRecord, summary, 1) {
            return false;
        }
        self.next = sequence.saturating_add(1);
        let state = self.durable.state.clone();
        if !self.commit(MonitorCheckpoint { state, writes: Vec::new() }) {
            self.next = sequence;
            return false;
        }
        self.skip = None;
        self.hunt.skipped(sequence);
        self.status.lock().poison_records += 1;
        true
    }

    pub(super) fn note_gap(&mut self, gap: &LogEntry) -> bool {
        let records = gap.next_sequence.saturating_sub(gap.first_sequence);
        let summary = format!(
            "the log lost {records} records (from {}) before monitor \"{}\" read them",
            gap.first_sequence, self.name
        );
        let reported = self.report(Incident::LogGap, summary, records);
        if reported {
            self.status.lock().gap_records += records;
        }
        reported
    }

    pub(super) fn report(&mut self, incident: Incident, summary: String, count: u64) -> bool {
        match self.incidents.raise(incident, summary, count) {
            Ok(()) => true,
            Err(error) => {
                self.store_failed(error);
                false
            }
        }
    }

    /// Resolves incidents that are over. `false` when that cannot be stored.
    pub(super) fn settle_incidents(&mut self) -> bool {
        let settled = self.incidents.settle();
        settled.map_err(|error| self.store_failed(error)).is_ok()
    }

    pub(super) fn store_failed(&mut self, source: StoreError) {
        self.status.lock().last_error = Some(source.to_string());
        let code = source.code();
        let fault = MonitorFault::Waits { monitor: self.name.clone(), source };
        self.ports.faults.report(code, &fault);
        self.pause(limits::STORE_RETRY_PAUSE);
    }
}
