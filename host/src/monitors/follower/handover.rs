//! Another monitor takes the place of this one, between two records.
//!
//! Invariant: the two never work at the same time. The one before stops at a durable checkpoint, the one after starts from
//! that very state at the next record; if it does not start, the one before goes on as if nothing had been tried.

use std::time::{Duration, Instant};

use telemetry_core::extension::{Monitor, PluginFailure, SavedState};
use telemetry_core::limits;

use super::{Follower, guarded};
use crate::monitors::poison::PoisonHunt;
use crate::monitors::status::MonitorState;
use crate::monitors::ticks;

/// A monitor that is ready to take another's place.
pub struct Successor {
    /// The monitor, started.
    pub monitor: Box<dyn Monitor>,
    /// What it started from.
    pub from: StartedFrom,
    /// Whether it has to prove itself: for the time of a probation no record is set aside as poison because of it.
    pub on_probation: bool,
}

/// What a successor started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartedFrom {
    /// The state that was handed over.
    Handed,
    /// This state, or none at all; it takes the place of the one that was handed over.
    Other(Option<SavedState>),
}

/// Starts a successor from the state of the last durable checkpoint.
pub type StartSuccessor = Box<dyn FnOnce(Option<SavedState>) -> Result<Successor, PluginFailure> + Send>;

/// A monitor was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The first record that the new one sees.
    pub next_sequence: u64,
    /// The state that was handed over.
    pub state: Option<SavedState>,
    /// For how long no record was looked at.
    pub pause: Duration,
}

/// A monitor could not be replaced; it goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// No such monitor runs.
    #[error("monitor \"{monitor}\" does not run")]
    NotRunning {
        /// The monitor.
        monitor: String,
    },
    /// It did not come to the end of what it is at.
    #[error("monitor \"{monitor}\" was busy for {waited:?}")]
    Busy {
        /// The monitor.
        monitor: String,
        /// For how long it was waited.
        waited: Duration,
    },
    /// Its checkpoint cannot be stored now.
    #[error("the checkpoint of monitor \"{monitor}\" cannot be stored: {reason}")]
    Checkpoint {
        /// The monitor.
        monitor: String,
        /// Why not.
        reason: String,
    },
    /// The new one does not start from the state of the old one.
    #[error("the new version does not start from the state of the one before")]
    Refused(#[source] PluginFailure),
}

impl Follower {
    /// Brings everything to a durable checkpoint and lets another monitor go on from there.
    pub(in crate::monitors) fn hand_over(
        &mut self,
        start: StartSuccessor,
    ) -> Result<Handover, HandoverError> {
        let began = Instant::now();
        // One that failed is back at its checkpoint already, and its successor may be what mends it.
        if !self.broken && self.is_dirty() && self.pause_left().is_none() {
            self.checkpoint();
        }
        if self.is_dirty() && !self.broken {
            let reason = self.status.lock().last_error.clone().unwrap_or_default();
            return Err(HandoverError::Checkpoint { monitor: self.name.clone(), reason });
        }
        let state = self.durable.state.clone();
        let handed = state.clone();
        let Successor { monitor, from, on_probation } =
            guarded(&self.name, || start(handed)).map_err(HandoverError::Refused)?;
        self.tick = ticks::interval(monitor.subscription());
        self.monitor = monitor;
        self.begin_anew();
        let probation = if on_probation { limits::RELOAD_PROBATION } else { Duration::ZERO };
        self.proven_at = self.ports.clock.monotonic().saturating_add(probation);
        if let StartedFrom::Other(state) = from {
            // Where this fails the next checkpoint stores it.
            self.durable.state = state;
            self.checkpoint();
        }
        Ok(Handover { next_sequence: self.next, state, pause: began.elapsed() })
    }

    /// Forgets what is known of the failures of the monitor before.
    fn begin_anew(&mut self) {
        self.broken = false;
        self.called = false;
        self.skip = None;
        self.setbacks = 0;
        self.resume_at = Duration::ZERO;
        self.hunt = PoisonHunt::default();
        self.status.lock().state = MonitorState::Running;
    }
}
