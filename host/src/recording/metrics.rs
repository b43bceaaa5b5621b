//! record_metric and record_metrics: admission → validators → one write → subscribers.

use telemetry_core::admission::{self, AcceptedTimes, RefusedMetric};
use telemetry_core::{AdmittedSample, MetricDraft};

use super::error::RecordError;
use super::recorder::Recorder;
use super::round::{Outcome, Round};
use crate::logging::Refused;

impl Recorder {
    /// Records one sample.
    pub(crate) fn record_metric(&self, draft: MetricDraft) -> Outcome {
        self.record_metrics(vec![draft]).pop().unwrap_or_else(|| Err(RecordError::lost()))
    }

    /// Records samples in order; one result per sample. What is good is stored in one write, whatever the others are.
    pub(crate) fn record_metrics(&self, drafts: Vec<MetricDraft>) -> Vec<Outcome> {
        let outcomes = self.try_metrics(drafts);
        self.parts.faults.settle();
        outcomes
    }

    fn try_metrics(&self, drafts: Vec<MetricDraft>) -> Vec<Outcome> {
        let size = drafts.len();
        let passage = match self.enter_in_turn(size) {
            Ok(passage) => passage,
            Err(error) => {
                let received = drafts.iter().map(|draft| || draft.to_json().to_string());
                self.note_unseen(Refused::Metric, &error, received);
                return vec![Err(error); size];
            }
        };
        let (mut no_events, mut round) = (Round::of_size(0), Round::of_size(size));
        self.admit_samples(drafts, &mut round);
        let stored = self.judge_and_store(&mut no_events, &mut round);
        self.tell(&stored);
        drop(passage);
        round.finish()
    }

    pub(super) fn admit_samples(&self, drafts: Vec<MetricDraft>, round: &mut Round<AdmittedSample>) {
        let times = AcceptedTimes::at(self.parts.clock.now(), self.parts.metrics_retention);
        for (place, draft) in drafts.into_iter().enumerate() {
            match admission::admit_sample(draft, &times) {
                Ok(sample) => round.send(place, sample, None),
                Err(refused) => {
                    let RefusedMetric { draft, error } = *refused;
                    let error = RecordError::from(error);
                    self.note_unseen(Refused::Metric, &error, [|| draft.to_json().to_string()]);
                    round.answer(place, Err(error));
                }
            }
        }
    }
}
