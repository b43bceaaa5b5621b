//! Imports: a batch with an id of its own is stored once, however often it is sent.
//!
//! The id stands in the store as a given event id, written together with the batch's records. An interrupted import can
//! thus be sent again from its start.

use serde_json::Map;
use telemetry_core::admission::{self, AcceptedTimes};
use telemetry_core::{AdmittedEvent, EventDraft, JsonObject, MetricDraft};
use uuid::Uuid;

use super::error::RecordError;
use super::events::LoopCheck;
use super::given_ids::GivenIds;
use super::recorder::Recorder;
use super::round::{Outcome, Round};
use crate::logging::Refused;

/// The event that stands for a stored batch.
pub const IMPORT_EVENT_TYPE: &str = "IMPORT_BATCH";

/// Records that are stored together, once.
#[derive(Clone, Debug, Default)]
pub struct ImportBatch {
    /// Names the batch; made from its content by the importer.
    pub batch_id: Uuid,
    /// Where the batch comes from, for people.
    pub name: String,
    /// Events.
    pub events: Vec<EventDraft>,
    /// Samples.
    pub metrics: Vec<MetricDraft>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum ImportOutcome {
    /// It was stored before; nothing was stored now.
    Known,
    /// It was stored now: one outcome per event, then one per sample. What was refused stays refused.
    Stored(Vec<Outcome>),
}

impl Recorder {
    /// Stores a batch in one write, unless it was stored before. What is wrong with a record refuses that record for good;
    /// where the host is at fault nothing is stored, and the batch may be sent again.
    pub(crate) fn import(&self, batch: ImportBatch) -> Result<ImportOutcome, RecordError> {
        let outcome = self.try_import(batch);
        self.parts.faults.settle();
        outcome
    }

    fn try_import(&self, batch: ImportBatch) -> Result<ImportOutcome, RecordError> {
        let ImportBatch { batch_id, name, events, metrics } = batch;
        let count = events.len().saturating_add(metrics.len());
        let _passage = self.enter_in_turn(count).inspect_err(|error| {
            let each = events.iter().map(|draft| || draft.to_json().to_string());
            self.note_unseen(Refused::Event, error, each);
            let each = metrics.iter().map(|draft| || draft.to_json().to_string());
            self.note_unseen(Refused::Metric, error, each);
        })?;
        let mut ids: Vec<Uuid> = events.iter().filter_map(|event| event.event_id).collect();
        ids.push(batch_id);
        let mut given = GivenIds::look_up(self, ids).map_err(|error| self.storage_error(error))?;
        if given.known(batch_id).is_some() {
            return Ok(ImportOutcome::Known);
        }
        let marker_place = events.len();
        let (mut event_round, mut sample_round) =
            (Round::of_size(marker_place.saturating_add(1)), Round::of_size(metrics.len()));
        self.admit_events(events, &mut event_round, LoopCheck::Skip, Some(&given));
        self.admit_samples(metrics, &mut sample_round);
        self.judge(&mut event_round, &mut sample_round);
        // A validator that fails now may judge them when they come again; with the marker they never would.
        if let Some(error) = event_round.host_fault().or_else(|| sample_round.host_fault()) {
            event_round.refuse_all(self, &error);
            sample_round.refuse_all(self, &error);
            return Err(error);
        }
        // After the validators: no plugin decides whether the batch is known next time.
        event_round.send(marker_place, self.import_marker(batch_id, name, count)?, None);
        given.claim(&mut event_round).map_err(|error| self.storage_error(error))?;
        if given.known(batch_id).is_some() {
            return Ok(ImportOutcome::Known);
        }
        let stored = self.store(&mut event_round, &mut sample_round);
        drop(given);
        self.tell(&stored);
        let mut outcomes = event_round.finish();
        // Without its marker the batch cannot be told from one that was never sent.
        outcomes.pop().unwrap_or_else(|| Err(RecordError::lost()))?;
        outcomes.extend(sample_round.finish());
        Ok(ImportOutcome::Stored(outcomes))
    }

    /// The event that stands for the batch.
    fn import_marker(
        &self,
        batch_id: Uuid,
        name: String,
        count: usize,
    ) -> Result<AdmittedEvent, RecordError> {
        let data = Map::from_iter([("name".to_owned(), name.into()), ("records".to_owned(), count.into())]);
        let marker = EventDraft::new(IMPORT_EVENT_TYPE, "Bridge_Telemetry")
            .with_id(batch_id)
            .with_data(JsonObject::from(&data));
        let times = AcceptedTimes::at(self.parts.clock.now(), self.parts.events_retention);
        admission::admit_event(marker, &times, self.parts.store.event_ids())
            .map_err(|refused| self.refused_draft(&refused))
    }
}
