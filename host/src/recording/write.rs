//! The one write of a call: what passed goes to the store together, and everyone is answered.

use telemetry_core::{AdmittedEvent, AdmittedSample};
use telemetry_store::{Class, RecordBatch, StoreError};
use uuid::Uuid;

use super::counters::Counters;
use super::recorder::Recorder;
use super::round::Round;
use super::validation::Judging;

/// What was stored, for the subscribers.
#[derive(Default)]
pub(super) struct Stored {
    batch: RecordBatch,
    sample_ids: Vec<Uuid>,
}

impl Recorder {
    /// Judges and stores what is left of both rounds in one write and answers it.
    ///
    /// A partition can be dropped between admission and append; once the records that lost theirs are refused, the rest
    /// is tried again.
    pub(super) fn judge_and_store(
        &self,
        events: &mut Round<AdmittedEvent>,
        samples: &mut Round<AdmittedSample>,
    ) -> Stored {
        self.judge(events, samples);
        self.store(events, samples)
    }

    /// Runs the validators; refusals stay in the notes.
    pub(super) fn judge(&self, events: &mut Round<AdmittedEvent>, samples: &mut Round<AdmittedSample>) {
        let validators = self.validators.load();
        if !validators.is_empty() {
            let (counters, faults) = (&self.counters, &*self.parts.faults);
            let judging = Judging { counters, faults, clock: &*self.parts.clock };
            validators.judge_events(events, &judging);
            validators.judge_samples(samples, &judging);
        }
    }

    /// Stores what is left of both rounds.
    pub(super) fn store(
        &self,
        events: &mut Round<AdmittedEvent>,
        samples: &mut Round<AdmittedSample>,
    ) -> Stored {
        events.settle_refusals(self);
        samples.settle_refusals(self);
        while !(events.records.is_empty() && samples.records.is_empty()) {
            let batch = RecordBatch {
                events: std::mem::take(&mut events.records),
                samples: std::mem::take(&mut samples.records),
            };
            let error = match self.parts.store.append(&batch) {
                Ok(appended) => {
                    let sample_ids = appended.sample_ids;
                    let stored = batch.events.iter().map(|event| (event.id().uuid(), event.timestamp()));
                    events.answer_stored(self, stored);
                    let stored =
                        sample_ids.iter().copied().zip(batch.samples.iter().map(AdmittedSample::timestamp));
                    samples.answer_stored(self, stored);
                    Counters::add(&self.counters.events, batch.events.len());
                    Counters::add(&self.counters.metrics, batch.samples.len());
                    return Stored { batch, sample_ids };
                }
                Err(error) => error,
            };
            let left = batch.events.len() + batch.samples.len();
            (events.records, samples.records) = (batch.events, batch.samples);
            if let StoreError::Expired { class, oldest, .. } = error {
                let newest = self.parts.clock.now().plus(telemetry_core::limits::MAX_AHEAD);
                // Events and metrics are kept for different times.
                match class {
                    Class::Events => events.refuse_expired(self, oldest, newest),
                    Class::Metrics => samples.refuse_expired(self, oldest, newest),
                }
                if events.records.len() + samples.records.len() < left {
                    events.release_repeats(self);
                    continue;
                }
            }
            let error = self.storage_error(error);
            events.refuse_all(self, &error);
            samples.refuse_all(self, &error);
        }
        Stored::default()
    }

    /// Tells native subscribers; no lock is held, as they may record.
    pub(super) fn tell(&self, stored: &Stored) {
        self.subscribers.tell_events(&stored.batch.events);
        self.subscribers.tell_samples(&stored.batch.samples, &stored.sample_ids);
    }
}
