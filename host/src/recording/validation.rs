//! Runs records through the validators in configured order, each seeing the rewrites of those before.

use std::sync::Arc;

use telemetry_core::batch::EventRow;
use telemetry_core::extension::{EventVerdict, PluginFailure, SampleVerdict, Validator};
use telemetry_core::limits::MAX_ISSUES;
use telemetry_core::{AdmittedEvent, AdmittedSample, EventBatch, SampleBatch, ValidationIssue, admission};

use super::counters::Counters;
use super::error::RecordError;

/// What happens to records that a validator could not judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// They are refused with PLUGIN_FAILURE.
    #[default]
    Reject,
    /// They pass, counted.
    Accept,
}

/// A validator with its policy.
#[derive(Clone)]
pub(crate) struct ValidatorEntry {
    pub(crate) validator: Arc<dyn Validator>,
    pub(crate) on_failure: OnFailure,
}

/// All validators in configured order.
#[derive(Clone, Default)]
pub(crate) struct ValidatorChain {
    entries: Vec<ValidatorEntry>,
}

/// A record on its way through the chain: refused at some point, or still alive with warnings.
pub(crate) struct Candidate<T> {
    pub(crate) record: T,
    pub(crate) warnings: Vec<ValidationIssue>,
    pub(crate) refusal: Option<RecordError>,
}

impl<T> Candidate<T> {
    pub(crate) fn new(record: T) -> Self {
        Self { record, warnings: Vec::new(), refusal: None }
    }
}

impl ValidatorChain {
    pub(crate) fn new(entries: Vec<ValidatorEntry>) -> Self {
        Self { entries }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn judge_events(&self, candidates: &mut [Candidate<AdmittedEvent>], counters: &Counters) {
        for entry in &self.entries {
            let subscription = entry.validator.subscription();
            let rows: Vec<usize> = (candidates.iter().enumerate())
                .filter(|(_, candidate)| {
                    let event = &candidate.record;
                    candidate.refusal.is_none() && subscription.wants_event(event.event_type(), event.source())
                })
                .map(|(index, _)| index)
                .collect();
            if rows.is_empty() {
                continue;
            }
            let batch = event_batch(rows.iter().filter_map(|&row| candidates.get(row)).map(|c| &c.record));
            let verdict = entry.validator.validate_events(&batch);
            match verdict {
                Ok(verdict) => apply_to_events(entry.validator.name(), &rows, verdict, candidates),
                Err(failure) => entry.apply_failure(&failure, &rows, candidates, counters),
            }
        }
    }

    pub(crate) fn judge_samples(&self, candidates: &mut [Candidate<AdmittedSample>], counters: &Counters) {
        for entry in &self.entries {
            let subscription = entry.validator.subscription();
            let rows: Vec<usize> = (candidates.iter().enumerate())
                .filter(|(_, candidate)| {
                    candidate.refusal.is_none() && subscription.wants_metric(&candidate.record.series().name)
                })
                .map(|(index, _)| index)
                .collect();
            if rows.is_empty() {
                continue;
            }
            let batch = sample_batch(rows.iter().filter_map(|&row| candidates.get(row)).map(|c| &c.record));
            let verdict = entry.validator.validate_samples(&batch);
            match verdict {
                Ok(verdict) => apply_to_samples(entry.validator.name(), &rows, &batch, verdict, candidates),
                Err(failure) => entry.apply_failure(&failure, &rows, candidates, counters),
            }
        }
    }
}

impl ValidatorEntry {
    fn apply_failure<T>(
        &self,
        failure: &PluginFailure,
        rows: &[usize],
        candidates: &mut [Candidate<T>],
        counters: &Counters,
    ) {
        if self.on_failure == OnFailure::Accept {
            Counters::add(&counters.unvalidated, rows.len());
            return;
        }
        for &row in rows {
            if let Some(candidate) = candidates.get_mut(row) {
                candidate.refusal = Some(RecordError::Plugin(failure.clone()));
            }
        }
    }
}

fn event_batch<'a>(events: impl Iterator<Item = &'a AdmittedEvent>) -> EventBatch {
    let mut batch = EventBatch::default();
    let mut buffer = uuid::Uuid::encode_buffer();
    for event in events {
        batch.push(EventRow {
            timestamp: event.timestamp().nanos(),
            id: event.id().uuid().hyphenated().encode_lower(&mut buffer),
            event_type: event.event_type(),
            source: event.source(),
            data: event.data().as_str(),
            extra: event.extra().as_str(),
        });
    }
    batch
}

fn sample_batch<'a>(samples: impl Iterator<Item = &'a AdmittedSample>) -> SampleBatch {
    let mut batch = SampleBatch::default();
    let mut numbers = std::collections::HashMap::new();
    for sample in samples {
        let series = sample.series();
        let number =
            *numbers.entry(series).or_insert_with(|| batch.add_series(&series.name, series.context.as_str()));
        // Text has no number to judge, but its context must meet the validators all the same.
        batch.push(number, sample.timestamp().nanos(), sample.value().as_f64().unwrap_or(f64::NAN));
    }
    batch
}

fn apply_to_events(
    validator: &str,
    rows: &[usize],
    verdict: EventVerdict,
    candidates: &mut [Candidate<AdmittedEvent>],
) {
    let candidate_of = |row: u32| rows.get(row as usize).copied();
    for rewrite in verdict.rewrites {
        if let Some(candidate) = candidate_of(rewrite.row).and_then(|row| candidates.get_mut(row)) {
            candidate.record = candidate.record.clone().rewritten(rewrite.data, rewrite.extra);
        }
    }
    for issues in grouped(rows, validator, verdict.issues) {
        if let Some(candidate) = candidates.get_mut(issues.row) {
            let received = candidate.record.to_json();
            issues.settle(candidate, received);
        }
    }
}

fn apply_to_samples(
    validator: &str,
    rows: &[usize],
    batch: &SampleBatch,
    verdict: SampleVerdict,
    candidates: &mut [Candidate<AdmittedSample>],
) {
    for rewrite in verdict.rewrites {
        let too_large = admission::check_context(&rewrite.context).err();
        for (&row, _) in rows.iter().zip(batch.series_indices()).filter(|(_, series)| **series == rewrite.series) {
            if let Some(candidate) = candidates.get_mut(row) {
                match &too_large {
                    Some(error) => candidate.refusal = Some(error.clone().into()),
                    None => candidate.record = candidate.record.clone().rewritten(rewrite.context.clone()),
                }
            }
        }
    }
    for issues in grouped(rows, validator, verdict.issues) {
        if let Some(candidate) = candidates.get_mut(issues.row) {
            let received = sample_json(&candidate.record);
            issues.settle(candidate, received);
        }
    }
}

/// A sample as a caller offers it.
pub(super) fn sample_json(sample: &AdmittedSample) -> serde_json::Value {
    serde_json::json!({
        "metric_name": &*sample.series().name,
        "metric_value": sample.value(),
        "context": sample.series().context,
        "timestamp": sample.timestamp(),
    })
}

/// All issues of one record.
struct RecordIssues {
    row: usize,
    reject: bool,
    issues: Vec<ValidationIssue>,
}

impl RecordIssues {
    fn settle<T>(self, candidate: &mut Candidate<T>, received: serde_json::Value) {
        if self.reject {
            candidate.refusal = Some(RecordError::Invalid { issues: self.issues, received });
        } else {
            candidate.warnings.extend(self.issues);
            candidate.warnings.truncate(MAX_ISSUES);
        }
    }
}

fn grouped(rows: &[usize], validator: &str, issues: Vec<telemetry_core::extension::RowIssue>) -> Vec<RecordIssues> {
    let mut groups = std::collections::BTreeMap::<usize, RecordIssues>::new();
    for issue in issues {
        let Some(&row) = rows.get(issue.row as usize) else { continue };
        let group = groups.entry(row).or_insert(RecordIssues { row, reject: false, issues: Vec::new() });
        group.reject |= issue.reject;
        if group.issues.len() < MAX_ISSUES {
            group.issues.push(ValidationIssue {
                field: issue.path,
                code: issue.code,
                message: issue.message,
                validator: validator.to_owned(),
            });
        }
    }
    groups.into_values().collect()
}
