//! record_metric and record_metrics.

use std::sync::Arc;

use telemetry_core::limits::MAX_BATCH_RECORDS;
use telemetry_core::{AdmittedSample, MetricDraft, Timestamp, admission};
use telemetry_store::{RecordBatch, StoreError};
use uuid::Uuid;

use super::counters::Counters;
use super::error::RecordError;
use super::receipt::Receipt;
use super::recorder::Recorder;
use super::validation::{Candidate, sample_json};

type Outcome = Result<Receipt, RecordError>;

impl Recorder {
    /// Records one sample.
    pub(crate) fn record_metric(&self, draft: MetricDraft) -> Outcome {
        let mut results = self.record_metrics(vec![draft]);
        results.pop().unwrap_or(Err(RecordError::lost()))
    }

    /// Records samples in order; one result per sample. What is good is stored in one write, whatever the others are.
    pub(crate) fn record_metrics(&self, drafts: Vec<MetricDraft>) -> Vec<Outcome> {
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
        let times = self.accepted_times(self.parts.metrics_retention);
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(size);
        let mut candidates = Vec::with_capacity(size);
        for draft in drafts {
            match admission::admit_sample(draft, &times) {
                Ok(sample) => {
                    candidates.push(Candidate::new(sample));
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(Err(self.refused(error.into(), None)))),
            }
        }
        let validators = self.validators.load();
        if !validators.is_empty() {
            validators.judge_samples(&mut candidates, &self.counters);
        }
        let mut judged = self.store_samples(candidates, times.newest).into_iter();
        let missing = || Err(RecordError::lost());
        outcomes.into_iter().map(|outcome| outcome.or_else(|| judged.next()).unwrap_or_else(missing)).collect()
    }

    /// Stores the candidates that were not refused; one outcome per candidate, in order.
    fn store_samples(&self, candidates: Vec<Candidate<AdmittedSample>>, newest: Timestamp) -> Vec<Outcome> {
        let mut batch = RecordBatch::default();
        let mut waiting = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match candidate.refusal {
                Some(error) => waiting.push(Err(self.refused(error, Some(&candidate.record)))),
                None => {
                    batch.samples.push(candidate.record);
                    waiting.push(Ok(candidate.warnings));
                }
            }
        }
        let mut stored = self.append_samples(batch, newest).into_iter();
        (waiting.into_iter())
            .map(|outcome| {
                let warnings = outcome?;
                let (event_id, timestamp) =
                    stored.next().unwrap_or(Err(RecordError::lost()))?;
                Counters::add(&self.counters.warnings, warnings.len());
                Ok(Receipt { event_id, timestamp, warnings })
            })
            .collect()
    }

    /// One outcome per sample of the batch, in order.
    fn append_samples(
        &self,
        mut batch: RecordBatch,
        newest: Timestamp,
    ) -> Vec<Result<(Uuid, Timestamp), RecordError>> {
        if batch.samples.is_empty() {
            return Vec::new();
        }
        let mut outcomes: Vec<Option<RecordError>> = vec![None; batch.samples.len()];
        let mut answer = self.append(&batch);
        if let Err(StoreError::Expired { oldest, .. }) = answer {
            for (sample, outcome) in batch.samples.iter().zip(&mut outcomes) {
                if sample.timestamp() < oldest {
                    let error = RecordError::too_old(sample.timestamp(), oldest, newest);
                    *outcome = Some(self.refused(error, Some(sample)));
                }
            }
            batch.samples.retain(|sample| sample.timestamp() >= oldest);
            answer = self.append(&batch);
        }
        let failure = match answer {
            Ok(appended) => {
                Counters::add(&self.counters.metrics, batch.samples.len());
                self.subscribers.tell_samples(&batch.samples, &appended.sample_ids);
                let mut stored = appended.sample_ids.into_iter().zip(batch.samples.iter().map(AdmittedSample::timestamp));
                                return (outcomes.into_iter())
                    .map(|refusal| refusal.map_or_else(|| stored.next().ok_or_else(RecordError::lost), Err))
                    .collect();
            }
            Err(error) => RecordError::Storage(Arc::new(error)),
        };
        (outcomes.into_iter())
            .map(|refusal| {
                Err(refusal.unwrap_or_else(|| {
                    self.counters.refuse(failure.code(), 1);
                    failure.clone()
                }))
            })
            .collect()
    }

    fn refused(&self, error: RecordError, sample: Option<&AdmittedSample>) -> RecordError {
        self.note_refusal(&error, || sample.map_or(serde_json::Value::Null, sample_json));
        error
    }
}
