//! What the recording calls share: the store, the guards before it and the counters after it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use telemetry_core::limits::{MAX_BATCH_RECORDS, OVERLOAD_RETRY};
use telemetry_core::{Clock, ErrorCode};
use telemetry_store::Store;

use super::counters::Counters;
use super::error::RecordError;
use super::passage::{InFlight, Passage};
use super::subscribers::Subscribers;
use super::validation::ValidatorChain;
use crate::faults::Faults;
use crate::guards::{LoopGuard, RecursionDepth};
use crate::logging::RefusalLog;

/// What a [`Recorder`] is made of.
pub(crate) struct RecorderParts {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) loop_guard: LoopGuard,
    pub(crate) recursion: RecursionDepth,
    pub(crate) refusals: RefusalLog,
    pub(crate) faults: Arc<Faults>,
    pub(crate) events_retention: Duration,
    pub(crate) metrics_retention: Duration,
}

/// Records events and samples; shared by all threads.
pub(crate) struct Recorder {
    pub(super) parts: RecorderParts,
    pub(super) counters: Counters,
    pub(super) validators: ArcSwap<ValidatorChain>,
    in_flight: InFlight,
    pub(crate) subscribers: Subscribers,
}

impl Recorder {
    pub(crate) fn new(parts: RecorderParts, validators: ValidatorChain) -> Self {
        Self {
            parts,
            counters: Counters::default(),
            validators: ArcSwap::from_pointee(validators),
            in_flight: InFlight::default(),
            subscribers: Subscribers::default(),
        }
    }

    pub(crate) fn counters(&self) -> super::RecordingCounters {
        self.counters.snapshot()
    }

    /// Opens a call of `size` records; the depth is held until it is dropped.
    pub(super) fn enter(&self, size: usize) -> Result<Passage, RecordError> {
        let refused = if size > MAX_BATCH_RECORDS {
            RecordError::BatchTooLarge { size, limit: MAX_BATCH_RECORDS }
        } else {
            match self.parts.recursion.enter() {
                Ok(depth) => match self.in_flight.enter(size, depth) {
                    Some(passage) => return Ok(passage),
                    None => RecordError::Overloaded { retry_after: OVERLOAD_RETRY },
                },
                Err(trip) => RecordError::Recursion { depth: trip.depth, limit: trip.limit },
            }
        };
        self.counters.refuse(refused.code(), size as u64);
        Err(refused)
    }

    /// Logs how many refusals were left out of the log lately.
    pub(crate) fn tell_left_out(&self) {
        self.parts.refusals.tell_left_out();
    }

    /// Counts and logs a refusal.
    pub(super) fn note_refusal(&self, error: &RecordError, received: impl FnOnce() -> serde_json::Value) {
        self.counters.refuse(error.code(), 1);
        match error {
            RecordError::Plugin(failure) => self.parts.faults.report(ErrorCode::PluginFailure, failure),
            RecordError::Storage(_) => {}
            _ => self.parts.refusals.log(error.code(), &error.to_string(), received),
        }
    }
}
