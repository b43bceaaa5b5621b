//! What the recording calls share: the store, the guards before it and the counters after it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use telemetry_core::limits::{MAX_BATCH_RECORDS, OVERLOAD_RETRY};
use telemetry_core::{Clock, ErrorCode, EventDraft, MetricDraft};
use telemetry_store::{Store, StoreError};

use super::counters::Counters;
use super::error::RecordError;
use super::events::LoopCheck;
use super::given_ids::IdsUnderWay;
use super::passage::{InFlight, Passage};
use super::round::{Outcome, Round};
use super::subscribers::Subscribers;
use super::validation::{ValidatorChain, ValidatorEntry};
use super::withheld;
use crate::faults::Faults;
use crate::guards::{LoopGuard, RecursionDepth};
use crate::logging::{RefusalLog, Refused};
use crate::monitors::BacklogGate;

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
    pub(crate) backlog: Arc<BacklogGate>,
}

/// Records events and samples; shared by all threads.
pub(crate) struct Recorder {
    pub(super) parts: RecorderParts,
    pub(super) counters: Counters,
    pub(super) validators: ArcSwap<ValidatorChain>,
    pub(super) ids_under_way: IdsUnderWay,
    in_flight: InFlight,
    pub(crate) subscribers: Subscribers,
}

impl Recorder {
    pub(crate) fn new(parts: RecorderParts, validators: ValidatorChain) -> Self {
        Self {
            parts,
            counters: Counters::default(),
            validators: ArcSwap::from_pointee(validators),
            ids_under_way: IdsUnderWay::default(),
            in_flight: InFlight::default(),
            subscribers: Subscribers::default(),
        }
    }

    pub(crate) fn counters(&self) -> super::RecordingCounters {
        self.counters.snapshot()
    }

    /// From now on records are judged by these validators, in this order; calls that are under way finish with the one before.
    pub(crate) fn set_validators(&self, validators: Vec<ValidatorEntry>) {
        self.validators.store(Arc::new(ValidatorChain::new(validators)));
    }

    /// Opens a caller's call of `size` records, once no monitor that must not miss records is too far behind.
    pub(super) fn enter_in_turn(&self, size: usize) -> Result<Passage, RecordError> {
        if self.parts.backlog.pass(&self.parts.store) {
            self.enter(size)
        } else {
            Err(RecordError::Overloaded { retry_after: OVERLOAD_RETRY })
        }
    }

    /// Opens a call of `size` records; the depth is held until it is dropped.
    pub(super) fn enter(&self, size: usize) -> Result<Passage, RecordError> {
        if size > MAX_BATCH_RECORDS {
            return Err(RecordError::BatchTooLarge { size, limit: MAX_BATCH_RECORDS });
        }
        match self.parts.recursion.enter() {
            Ok(depth) => self
                .in_flight
                .enter(size, depth)
                .ok_or(RecordError::Overloaded { retry_after: OVERLOAD_RETRY }),
            Err(trip) => Err(RecordError::Recursion { depth: trip.depth, limit: trip.limit }),
        }
    }

    /// Logs how many refusals were left out of the log lately.
    pub(crate) fn tell_left_out(&self) {
        self.parts.refusals.tell_left_out();
    }

    /// Counts and logs the refusal of one record; `received` is the record as text, with what validators rewrote.
    pub(super) fn note_refusal(
        &self,
        refused: Refused,
        error: &RecordError,
        received: impl FnOnce() -> String,
    ) {
        self.note_refusals(refused, error.code(), &error.reason(), [received]);
    }

    /// Counts and logs, in the same way, the refusal of records that no validator has seen: where there are any, they might have masked
    /// something, and only what identifies a record is logged.
    pub(crate) fn note_unseen(
        &self,
        refused: Refused,
        error: &RecordError,
        received: impl IntoIterator<Item = impl FnOnce() -> String>,
    ) {
        if self.validators.load().is_empty() {
            self.note_refusals(refused, error.code(), &error.reason(), received);
        } else {
            let identities = received.into_iter().map(|received| move || withheld::identity(&received()));
            self.note_refusals(refused, error.code(), &withheld::reason(error), identities);
        }
    }

    /// Counts and logs the refusal of several records for one reason. The host's own faults are counted only: they are
    /// reported where they happen, once, however many records they cost.
    fn note_refusals(
        &self,
        refused: Refused,
        code: ErrorCode,
        reason: &str,
        received: impl IntoIterator<Item = impl FnOnce() -> String>,
    ) {
        let mut count = 0;
        for received in received {
            count += 1;
            if !code.is_host_fault() {
                self.parts.refusals.log(refused, code, reason, received);
            }
        }
        self.counters.refuse(code, count);
    }

    /// Records an event of the host itself, which no validator and no loop guard refuses.
    pub(crate) fn record_own_event(&self, draft: EventDraft) -> Outcome {
        let _passage = self.enter(1)?;
        let (mut round, mut no_samples) = (Round::of_size(1), Round::of_size(0));
        self.admit_events(vec![draft], &mut round, LoopCheck::Skip, None);
        let stored = self.store(&mut round, &mut no_samples);
        self.tell(&stored);
        round.finish().pop().unwrap_or_else(|| Err(RecordError::lost()))
    }

    /// Records samples of the host itself, which no validator sees: what they cost would be recorded again.
    pub(crate) fn record_own_metrics(&self, drafts: Vec<MetricDraft>) -> Vec<Outcome> {
        let size = drafts.len();
        let passage = match self.enter(size) {
            Ok(passage) => passage,
            Err(error) => return vec![Err(error); size],
        };
        let (mut no_events, mut round) = (Round::of_size(0), Round::of_size(size));
        self.admit_samples(drafts, &mut round);
        let stored = self.store(&mut no_events, &mut round);
        self.tell(&stored);
        drop(passage);
        round.finish()
    }

    /// The refusal of what the store could not store; its own failures are reported.
    pub(super) fn storage_error(&self, error: StoreError) -> RecordError {
        let error = Arc::new(error);
        let refusal = RecordError::Storage(Arc::clone(&error));
        self.parts.faults.report(refusal.code(), error.as_ref());
        refusal
    }
}
