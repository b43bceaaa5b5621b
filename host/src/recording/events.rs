//! record_event and record_events.

use telemetry_core::EventDraft;
use telemetry_core::limits::MAX_BATCH_RECORDS;

use super::error::RecordError;
use super::event_round::EventRound;
use super::receipt::Receipt;
use super::recorder::Recorder;

impl Recorder {
    /// Records one event.
    pub(crate) fn record_event(&self, draft: EventDraft) -> Result<Receipt, RecordError> {
        let mut results = self.record_events(vec![draft]);
        results.pop().unwrap_or(Err(RecordError::lost()))
    }

    /// Records events in order; one result per event. What is good is stored in one write, whatever the others are.
    pub(crate) fn record_events(&self, drafts: Vec<EventDraft>) -> Vec<Result<Receipt, RecordError>> {
        let size = drafts.len();
        if size > MAX_BATCH_RECORDS {
            let error = RecordError::BatchTooLarge { size, limit: MAX_BATCH_RECORDS };
            self.counters.refuse(error.code(), size as u64);
            return vec![Err(error); size];
        }
        let _depth = match self.parts.recursion.enter() {
            Ok(depth) => depth,
            Err(trip) => {
                let error = RecordError::Recursion { depth: trip.depth, limit: trip.limit };
                self.counters.refuse(error.code(), size as u64);
                return vec![Err(error); size];
            }
        };
        EventRound::new(self, drafts).run()
    }
}
