//! One call's records of one class on their way: those that are answered already, and those still to be stored.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use telemetry_core::{AdmittedEvent, AdmittedSample, RecordId, Timestamp, ValidationIssue};
use uuid::Uuid;

use super::counters::Counters;
use super::error::RecordError;
use super::receipt::Receipt;
use super::recorder::Recorder;
use crate::logging::Refused;

/// The answer to one record.
pub(super) type Outcome = Result<Receipt, RecordError>;

/// A record that was admitted.
pub(super) trait Admitted {
    /// What it is, for refusals.
    const KIND: Refused;
    fn timestamp(&self) -> Timestamp;
    /// The id that the caller gave it.
    fn given_id(&self) -> Option<Uuid>;
    /// As a caller would offer it, for refusals.
    fn echo(&self) -> Value;
}

impl Admitted for AdmittedEvent {
    const KIND: Refused = Refused::Event;
    fn given_id(&self) -> Option<Uuid> {
        match self.id() {
            RecordId::Given(id) => Some(id),
            RecordId::Made(_) => None,
        }
    }
    fn timestamp(&self) -> Timestamp {
        AdmittedEvent::timestamp(self)
    }
    fn echo(&self) -> Value {
        self.to_json()
    }
}

impl Admitted for AdmittedSample {
    const KIND: Refused = Refused::Metric;
    fn given_id(&self) -> Option<Uuid> {
        None
    }
    fn timestamp(&self) -> Timestamp {
        AdmittedSample::timestamp(self)
    }
    fn echo(&self) -> Value {
        json!({
            "metric_name": &*self.series().name,
            "metric_value": self.value(),
            "context": self.series().context,
            "timestamp": AdmittedSample::timestamp(self),
        })
    }
}

/// What is known of a record that is still on its way.
pub(super) struct Note {
    place: usize,
    /// Whether it was refused before any validator saw it.
    unseen: bool,
    pub(super) warnings: Vec<ValidationIssue>,
    pub(super) refusal: Option<RecordError>,
}

/// Records and their notes correspond by index; `outcomes` has a place for every record of the call.
pub(super) struct Round<T> {
    outcomes: Vec<Option<Outcome>>,
    pub(super) records: Vec<T>,
    pub(super) notes: Vec<Note>,
    /// Held back, because a record before them has the same given id: each of their ids is among `records`.
    repeats: Vec<(T, Note)>,
}

impl<T: Admitted> Round<T> {
    pub(super) fn of_size(size: usize) -> Self {
        let mut outcomes = Vec::with_capacity(size);
        outcomes.resize_with(size, || None);
        let (records, notes) = (Vec::with_capacity(size), Vec::with_capacity(size));
        Self { outcomes, records, notes, repeats: Vec::new() }
    }

    /// Answers the record at `place` of the call.
    pub(super) fn answer(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    /// Sends the record at `place` of the call on its way.
    pub(super) fn send(&mut self, place: usize, record: T, refusal: Option<RecordError>) {
        self.records.push(record);
        self.notes.push(Note { place, unseen: refusal.is_some(), warnings: Vec::new(), refusal });
    }

    /// Answers every record for which `answer` has an outcome; the others stay on their way.
    pub(super) fn answer_where(&mut self, mut answer: impl FnMut(&T, &mut Note) -> Option<Outcome>) {
        let (records, notes) = (std::mem::take(&mut self.records), std::mem::take(&mut self.notes));
        for (record, mut note) in records.into_iter().zip(notes) {
            if let Some(outcome) = answer(&record, &mut note) {
                self.answer(note.place, outcome);
            } else {
                self.records.push(record);
                self.notes.push(note);
            }
        }
    }

    /// Of several records with one given id lets only the first that nobody refuses stay on its way: whether those after it are
    /// repeats shows when it is stored.
    pub(super) fn hold_back_repeats(&mut self) {
        let mut winners: HashSet<Uuid> = self.records.iter().filter_map(T::given_id).collect();
        if winners.len() == self.records.iter().filter(|record| record.given_id().is_some()).count() {
            return;
        }
        winners.clear();
        let (records, notes) = (std::mem::take(&mut self.records), std::mem::take(&mut self.notes));
        for (record, note) in records.into_iter().zip(notes) {
            match record.given_id() {
                Some(id) if winners.contains(&id) => self.repeats.push((record, note)),
                Some(id) if note.refusal.is_none() => {
                    winners.insert(id);
                    self.put(record, note);
                }
                _ => self.put(record, note),
            }
        }
    }

    /// Sends those repeats on their way whose first is not on it any more.
    pub(super) fn release_repeats(&mut self, recorder: &Recorder) {
        let mut winners: HashSet<Uuid> = self.records.iter().filter_map(T::given_id).collect();
        for (record, note) in std::mem::take(&mut self.repeats) {
            match record.given_id() {
                Some(id) if winners.contains(&id) => self.repeats.push((record, note)),
                id => {
                    winners.extend(id.filter(|_| note.refusal.is_none()));
                    self.put(record, note);
                }
            }
        }
        self.settle_refusals(recorder);
    }

    fn put(&mut self, record: T, note: Note) {
        self.records.push(record);
        self.notes.push(note);
    }

    /// Refuses every record for which `refusal` has an error; counted and logged.
    pub(super) fn refuse_where(
        &mut self,
        recorder: &Recorder,
        mut refusal: impl FnMut(&T, &mut Note) -> Option<RecordError>,
    ) {
        self.answer_where(|record, note| {
            let error = refusal(record, note)?;
            let received = || record.echo().to_string();
            if note.unseen {
                recorder.note_unseen(T::KIND, &error, [received]);
            } else {
                recorder.note_refusal(T::KIND, &error, received);
            }
            Some(Err(error))
        });
    }

    /// The host's own fault that refuses a record, if one does.
    pub(super) fn host_fault(&self) -> Option<RecordError> {
        let mut refusals = self.notes.iter().filter_map(|note| note.refusal.as_ref());
        refusals.find(|refusal| refusal.code().is_host_fault()).cloned()
    }

    /// Refuses what the validators or the loop guard objected to.
    pub(super) fn settle_refusals(&mut self, recorder: &Recorder) {
        if self.notes.iter().any(|note| note.refusal.is_some()) {
            self.refuse_where(recorder, |_, note| note.refusal.take());
        }
    }

    /// Refuses what is older than the oldest partition that is left.
    pub(super) fn refuse_expired(&mut self, recorder: &Recorder, oldest: Timestamp, newest: Timestamp) {
        self.refuse_where(recorder, |record, _| {
            let timestamp = record.timestamp();
            (timestamp < oldest).then(|| RecordError::too_old(timestamp, oldest, newest))
        });
    }

    /// Refuses all that is left because the store failed.
    pub(super) fn refuse_all(&mut self, recorder: &Recorder, error: &RecordError) {
        for (record, note) in std::mem::take(&mut self.repeats) {
            self.put(record, note);
        }
        self.refuse_where(recorder, |_, _| Some(error.clone()));
    }

    /// Answers all that is left with success; `stored` are id and time of each record, in order. Repeats get the time of
    /// the first.
    pub(super) fn answer_stored(
        &mut self,
        recorder: &Recorder,
        stored: impl Iterator<Item = (Uuid, Timestamp)> + Clone,
    ) {
        if !self.repeats.is_empty() {
            let firsts: HashMap<Uuid, Timestamp> = stored.clone().collect();
            for (record, note) in std::mem::take(&mut self.repeats) {
                let first = record.given_id().and_then(|id| Some((id, *firsts.get(&id)?)));
                let outcome = first.map(|(id, time)| recorder.duplicate(id, time));
                self.answer(note.place, outcome.ok_or_else(RecordError::lost));
            }
        }
        for (note, (event_id, timestamp)) in std::mem::take(&mut self.notes).into_iter().zip(stored) {
            Counters::add(&recorder.counters.warnings, note.warnings.len());
            self.answer(note.place, Ok(Receipt { event_id, timestamp, warnings: note.warnings }));
        }
    }

    /// All outcomes, in the order of the call.
    pub(super) fn finish(self) -> Vec<Outcome> {
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(RecordError::lost()))).collect()
    }
}
