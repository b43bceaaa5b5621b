//! One monitor ends while the others go on, and is forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use telemetry_core::limits;
use telemetry_store::StoreError;

use super::{Legs, MonitorRunner, Worker, is_current};
use crate::alerts::HOST_MONITOR;
use crate::monitors::follower::Follower;
use crate::monitors::incidents::Incidents;
use crate::monitors::status::MonitorState;

/// A monitor that does not run any more is not forgotten yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndMonitorError {
    /// It did not come to the end of what it is at; it leaves as soon as it does, and can be ended then.
    #[error("monitor \"{monitor}\" did not come to an end within {waited:?}")]
    Busy {
        /// The monitor.
        monitor: String,
        /// For how long it was waited.
        waited: Duration,
    },
    /// It does not run any more, and the store cannot forget it now.
    #[error("its alerts cannot be resolved")]
    Store(#[from] StoreError),
}

impl MonitorRunner {
    /// Ends a monitor, running or not: it comes to the end of the call that it is at and makes a last checkpoint; then its alerts
    /// are resolved, and its place in the log and its state are forgotten. After an error this can be called again.
    pub fn end_monitor(&self, name: &str) -> Result<(), EndMonitorError> {
        // Nobody waits any more for one that is to go.
        self.ports.backlog.moved(name, None);
        if !self.let_leave(name) {
            return Err(EndMonitorError::Busy { monitor: name.to_owned(), waited: self.handover_wait });
        }
        Ok(self.remove_monitor(name)?)
    }

    /// Removes a monitor that is not configured any more, running or not: its alerts are resolved, its place in the log and
    /// its state are forgotten.
    pub fn remove_monitor(&self, name: &str) -> Result<(), StoreError> {
        // Not under the lock: health must answer while the monitor comes to its end.
        let worker = self.workers.lock().remove(name);
        let status = worker.as_ref().map(|worker| Arc::clone(&worker.status));
        let follower = worker.and_then(|worker| self.join(name, worker));
        if let Some(status) = status {
            status.lock().state = MonitorState::Stopped;
            self.control.announce();
        }
        // Its last checkpoint told where it is.
        self.ports.backlog.moved(name, None);
        let mut book = match follower {
            Some(follower) => follower.retire()?,
            None => {
                Incidents::load(name, Arc::clone(&self.host), Arc::clone(&self.ports.clock)).close()?;
                self.load_book(name)?
            }
        };
        let now = self.ports.clock.now();
        book.resolve_all(now);
        let mut changes = book.changes(now);
        self.ports.dispatcher.admit(&mut changes);
        self.ports.log.remove_monitor(name, &changes)?;
        self.ports.dispatcher.stored(&changes);
        Ok(())
    }

    /// Removes every stored monitor that is not among the `configured` ones; answers their names.
    pub fn remove_absent(&self, configured: &BTreeSet<String>) -> Result<Vec<String>, StoreError> {
        let mut stored: BTreeSet<String> = self.ports.log.monitors()?.into_iter().collect();
        let alerts = self.ports.log.alerts()?;
        stored.extend(
            alerts
                .into_iter()
                .map(|stored| stored.alert)
                .filter(|alert| alert.resolved_at.is_none())
                .map(|alert| alert.monitor),
        );
        let absent: Vec<String> =
            stored.into_iter().filter(|name| name != HOST_MONITOR && !configured.contains(name)).collect();
        for name in &absent {
            self.remove_monitor(name)?;
        }
        Ok(absent)
    }

    /// Tells a monitor's thread to leave the log and waits for its end; whether it came. The thread itself cannot wait for it.
    fn let_leave(&self, name: &str) -> bool {
        let began = Instant::now();
        match self.workers.lock().get(name) {
            Some(worker) => worker.leaving.store(true, Ordering::Release),
            None => return true,
        }
        self.control.announce();
        loop {
            match self.workers.lock().get(name).map(|worker| &worker.legs) {
                None | Some(Legs::Drain(_)) => return true,
                Some(Legs::Thread(thread)) if thread.is_finished() => return true,
                Some(Legs::Thread(thread)) if is_current(thread) => return false,
                Some(Legs::Thread(_)) => {}
            }
            if began.elapsed() >= self.handover_wait {
                return false;
            }
            self.control.wait_for_change(limits::THREAD_END_LOOK);
        }
    }

    /// Waits for a worker's thread to leave the log.
    pub(super) fn join(&self, name: &str, worker: Worker) -> Option<Follower> {
        worker.leaving.store(true, Ordering::Release);
        self.control.announce();
        if let Some(interval) = worker.tick {
            self.grid.lock().remove(interval);
        }
        let follower = match worker.legs {
            Legs::Thread(thread) if is_current(&thread) => return None,
            Legs::Thread(thread) => thread.join().ok(),
            Legs::Drain(mut follower) => {
                follower.flush();
                Some(*follower)
            }
        };
        if follower.is_none() {
            tracing::error!(monitor = name, "a monitor's thread panicked");
        }
        follower
    }
}
