//! One call's events on their way: known ids → admission → loop check → validators → one append → subscribers.
//!
//! Given ids stay locked from the probe to the append, so that racing calls with one id store one event.

use std::collections::HashMap;
use std::sync::Arc;

use telemetry_core::admission::{self, AcceptedTimes, AdmissionError};
use telemetry_core::{AdmittedEvent, EventDraft, RecordId, Timestamp};
use telemetry_store::{RecordBatch, StoreError};
use uuid::Uuid;

use super::counters::Counters;
use super::error::RecordError;
use super::receipt::Receipt;
use super::recorder::Recorder;
use super::validation::Candidate;

type Outcome = Result<Receipt, RecordError>;

/// The state of one call.
pub(super) struct EventRound<'a> {
    recorder: &'a Recorder,
    times: AcceptedTimes,
    drafts: Vec<EventDraft>,
    outcomes: Vec<Option<Outcome>>,
    /// The places in `outcomes` of the candidates.
    places: Vec<usize>,
    candidates: Vec<Candidate<AdmittedEvent>>,
}

impl<'a> EventRound<'a> {
    pub(super) fn new(recorder: &'a Recorder, drafts: Vec<EventDraft>) -> Self {
        let times = recorder.accepted_times(recorder.parts.events_retention);
        let outcomes = vec![None; drafts.len()];
        Self { recorder, times, outcomes, places: Vec::new(), candidates: Vec::new(), drafts }
    }

    pub(super) fn run(mut self) -> Vec<Outcome> {
        let given: Vec<Uuid> = self.drafts.iter().filter_map(|draft| draft.event_id).collect();
        let drafts = std::mem::take(&mut self.drafts);
        let stored = if given.is_empty() {
            self.admit(drafts, |_| None);
            self.judge_and_store()
        } else {
            match self.recorder.parts.store.claim(&given) {
                Ok(claim) => {
                    self.admit(drafts, |id| claim.known(id));
                    self.judge_and_store()
                }
                Err(error) => {
                    let error = RecordError::Storage(Arc::new(error));
                    self.outcomes.iter_mut().for_each(|outcome| *outcome = Some(Err(error.clone())));
                    Vec::new()
                }
            }
        };
        // After the claim is released: a subscriber may record the same id.
        self.recorder.subscribers.tell_events(&stored);
        let missing = || Err(RecordError::lost());
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
    }

    /// Known ids are answered; the rest become candidates or are refused.
    fn admit(&mut self, drafts: Vec<EventDraft>, known: impl Fn(Uuid) -> Option<Timestamp>) {
        let mut met = std::collections::HashSet::new();
        for (place, draft) in drafts.into_iter().enumerate() {
            if let Some(id) = draft.event_id
                && let Some(first) = known(id)
            {
                self.answer_duplicate(place, id, first);
                continue;
            }
            let repeats = draft.event_id.is_some_and(|id| !met.insert(id));
            let event = match admission::admit_event(draft, &self.times, self.recorder.parts.store.event_ids()) {
                Ok(event) => event,
                Err(refused) => {
                    self.refuse_draft(place, &refused);
                    continue;
                }
            };
            let mut candidate = Candidate::new(event);
            if !repeats {
                candidate.refusal = self.loop_refusal(&candidate.record);
            }
            self.places.push(place);
            self.candidates.push(candidate);
        }
    }

    fn loop_refusal(&self, event: &AdmittedEvent) -> Option<RecordError> {
        let guard = &self.recorder.parts.loop_guard;
        let trip = guard.check(event.event_type(), event.source(), event.data().as_str()).err()?;
        Some(RecordError::Loop { repeats: trip.repeats, window: trip.window })
    }

    fn refuse_draft(&mut self, place: usize, refused: &admission::RefusedEvent) {
        let error = match &refused.error {
            AdmissionError::Shape { issues } => {
                RecordError::Invalid { issues: issues.clone(), received: refused.draft.to_json() }
            }
            other => other.clone().into(),
        };
        self.recorder.note_refusal(&error, || refused.draft.to_json());
        self.set(place, Err(error));
    }

    fn answer_duplicate(&mut self, place: usize, event_id: Uuid, timestamp: Timestamp) {
        Counters::add(&self.recorder.counters.duplicates, 1);
        self.set(place, Ok(Receipt { event_id, timestamp, warnings: Vec::new() }));
    }

    fn judge_and_store(&mut self) -> Vec<AdmittedEvent> {
        let validators = self.recorder.validators.load();
        if !validators.is_empty() {
            validators.judge_events(&mut self.candidates, &self.recorder.counters);
        }
        self.answer_repeats();
        self.settle_refusals();
        // A partition can be dropped between admission and append; once the records that lost theirs are out, the
        // rest is tried once more.
        for _ in 0..2 {
            let events: Vec<_> = self.candidates.iter().map(|candidate| candidate.record.clone()).collect();
            if events.is_empty() {
                return events;
            }
            let batch = RecordBatch { events, samples: Vec::new() };
            match self.recorder.append(&batch) {
                Ok(_) => {
                    self.answer_stored();
                    return batch.events;
                }
                Err(StoreError::Expired { oldest, .. }) => self.refuse_expired(oldest),
                Err(error) => {
                    self.refuse_all(&RecordError::Storage(Arc::new(error)));
                    return Vec::new();
                }
            }
        }
        self.refuse_all(&RecordError::too_old(self.times.oldest, self.times.oldest, self.times.newest));
        Vec::new()
    }

    /// Of several events with one given id in this call the first that survived is stored; those after it are repeats.
    fn answer_repeats(&mut self) {
        let mut winners = HashMap::<Uuid, Timestamp>::new();
        let (places, candidates) = (std::mem::take(&mut self.places), std::mem::take(&mut self.candidates));
        for (place, candidate) in places.into_iter().zip(candidates) {
            let event = &candidate.record;
            if let RecordId::Given(id) = event.id() {
                if let Some(first) = winners.get(&id) {
                    self.answer_duplicate(place, id, *first);
                    continue;
                }
                if candidate.refusal.is_none() {
                    winners.insert(id, event.timestamp());
                }
            }
            self.places.push(place);
            self.candidates.push(candidate);
        }
    }

    fn settle_refusals(&mut self) {
        self.refuse_where(|candidate| candidate.refusal.take());
    }

    fn refuse_expired(&mut self, oldest: Timestamp) {
        let newest = self.times.newest;
        self.refuse_where(|candidate| {
            let timestamp = candidate.record.timestamp();
            (timestamp < oldest).then(|| RecordError::too_old(timestamp, oldest, newest))
        });
    }

    fn refuse_all(&mut self, error: &RecordError) {
        self.refuse_where(|_| Some(error.clone()));
    }

    fn refuse_where(&mut self, mut refusal: impl FnMut(&mut Candidate<AdmittedEvent>) -> Option<RecordError>) {
        let (places, candidates) = (std::mem::take(&mut self.places), std::mem::take(&mut self.candidates));
        for (place, mut candidate) in places.into_iter().zip(candidates) {
            if let Some(error) = refusal(&mut candidate) {
                self.recorder.note_refusal(&error, || candidate.record.to_json());
                self.set(place, Err(error));
            } else {
                self.places.push(place);
                self.candidates.push(candidate);
            }
        }
    }

    fn answer_stored(&mut self) {
        let (places, candidates) = (std::mem::take(&mut self.places), std::mem::take(&mut self.candidates));
        let counters = &self.recorder.counters;
        Counters::add(&counters.events, candidates.len());
        for (place, candidate) in places.into_iter().zip(candidates) {
            Counters::add(&self.recorder.counters.warnings, candidate.warnings.len());
            let event = candidate.record;
            let receipt = Receipt {
                event_id: event.id().uuid(),
                timestamp: event.timestamp(),
                warnings: candidate.warnings,
            };
            self.set(place, Ok(receipt));
        }
    }

    fn set(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }
}
