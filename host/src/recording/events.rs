//! record_event and record_events: known ids → admission → loop check → validators → one write → subscribers.
//!
//! Of racing calls with one given id one stores an event: see [`GivenIds`].

use std::collections::HashSet;

use telemetry_core::admission::{self, AcceptedTimes, AdmissionError};
use telemetry_core::{AdmittedEvent, EventDraft, Timestamp};
use uuid::Uuid;

use super::counters::Counters;
use super::error::RecordError;
use super::given_ids::GivenIds;
use super::receipt::Receipt;
use super::recorder::Recorder;
use super::round::{Outcome, Round};
use crate::logging::Refused;

/// Whether events are looked at for loops. The records of a file are no loop, however alike they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopCheck {
    Run,
    Skip,
}

impl Recorder {
    /// Records one event.
    pub(crate) fn record_event(&self, draft: EventDraft) -> Outcome {
        self.record_events(vec![draft]).pop().unwrap_or_else(|| Err(RecordError::lost()))
    }

    /// Records events in order; one result per event. What is good is stored in one write, whatever the others are.
    pub(crate) fn record_events(&self, drafts: Vec<EventDraft>) -> Vec<Outcome> {
        let outcomes = self.try_events(drafts);
        self.parts.faults.settle();
        outcomes
    }

    fn try_events(&self, drafts: Vec<EventDraft>) -> Vec<Outcome> {
        let size = drafts.len();
        let passage = match self.enter_in_turn(size) {
            Ok(passage) => passage,
            Err(error) => {
                let received = drafts.iter().map(|draft| || draft.to_json().to_string());
                self.note_unseen(Refused::Event, &error, received);
                return vec![Err(error); size];
            }
        };
        let (mut round, mut no_samples) = (Round::of_size(size), Round::of_size(0));
        let given: Vec<Uuid> = drafts.iter().filter_map(|draft| draft.event_id).collect();
        let mut given = match GivenIds::look_up(self, given) {
            Ok(given) => given,
            Err(error) => {
                let error = self.storage_error(error);
                self.note_unseen(Refused::Event, &error, vec![String::new; size]);
                return vec![Err(error); size];
            }
        };
        self.admit_events(drafts, &mut round, LoopCheck::Run, Some(&given));
        self.judge(&mut round, &mut no_samples);
        if let Err(error) = given.claim(&mut round) {
            let error = self.storage_error(error);
            round.refuse_all(self, &error);
        }
        let stored = self.store(&mut round, &mut no_samples);
        drop(given);
        self.tell(&stored);
        drop(passage);
        round.finish()
    }

    /// Known ids are answered; the rest is sent on its way or refused.
    pub(super) fn admit_events(
        &self,
        drafts: Vec<EventDraft>,
        round: &mut Round<AdmittedEvent>,
        loops: LoopCheck,
        given: Option<&GivenIds<'_>>,
    ) {
        let times = AcceptedTimes::at(self.parts.clock.now(), self.parts.events_retention);
        let mut met = HashSet::new();
        for (place, draft) in drafts.into_iter().enumerate() {
            if let Some(id) = draft.event_id
                && let Some(first) = given.and_then(|given| given.known(id))
            {
                round.answer(place, Ok(self.duplicate(id, first)));
                continue;
            }
            let is_under_way = |id| given.is_some_and(|given| given.is_under_way(id));
            let repeats = draft.event_id.is_some_and(|id| !met.insert(id) || is_under_way(id));
            match admission::admit_event(draft, &times, self.parts.store.event_ids()) {
                Ok(event) => {
                    let checked = loops == LoopCheck::Run && !repeats;
                    let refusal = if checked { self.loop_refusal(&event) } else { None };
                    round.send(place, event, refusal);
                }
                Err(refused) => round.answer(place, Err(self.refused_draft(&refused))),
            }
        }
    }

    fn loop_refusal(&self, event: &AdmittedEvent) -> Option<RecordError> {
        let trip =
            self.parts.loop_guard.check(event.event_type(), event.source(), event.data().as_str()).err()?;
        Some(RecordError::Loop { repeats: trip.repeats, window: trip.window })
    }

    pub(super) fn refused_draft(&self, refused: &admission::RefusedEvent) -> RecordError {
        let error = match &refused.error {
            AdmissionError::Shape { issues } => {
                RecordError::Invalid { issues: issues.clone(), received: refused.draft.to_json() }
            }
            other => other.clone().into(),
        };
        self.note_unseen(Refused::Event, &error, [|| refused.draft.to_json().to_string()]);
        error
    }

    /// The answer to an event whose id is stored already.
    pub(super) fn duplicate(&self, event_id: Uuid, timestamp: Timestamp) -> Receipt {
        Counters::add(&self.counters.duplicates, 1);
        Receipt { event_id, timestamp, warnings: Vec::new() }
    }
}
