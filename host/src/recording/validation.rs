//! Runs records through the validators in configured order, each seeing the rewrites of those before.

use std::sync::Arc;

use telemetry_core::batch::EventRow;
use telemetry_core::extension::{EventVerdict, PluginFailure, SampleVerdict, Validator};
use telemetry_core::limits::MAX_ISSUES;
use telemetry_core::{
    AdmittedEvent, AdmittedSample, ErrorCode, EventBatch, SampleBatch, ValidationIssue, admission,
};

use super::counters::Counters;
use super::error::RecordError;
use super::round::{Admitted, Round};
use crate::faults::Faults;

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

impl ValidatorChain {
    pub(crate) fn new(entries: Vec<ValidatorEntry>) -> Self {
        Self { entries }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn judge_events(
        &self,
        round: &mut Round<AdmittedEvent>,
        counters: &Counters,
        faults: &Faults,
    ) {
        let mut packed = PackedEvents::default();
        for entry in &self.entries {
            let subscription = entry.validator.subscription();
            let rows =
                rows_where(round, |event| subscription.wants_event(event.event_type(), event.source()));
            if rows.is_empty() {
                continue;
            }
            let verdict = entry.validator.validate_events(packed.of(rows, &round.records));
            let rows = packed.rows.as_slice();
            match verdict {
                Ok(verdict) => {
                    let rewritten = !verdict.rewrites.is_empty();
                    apply_to_events(entry.validator.name(), rows, verdict, round);
                    if rewritten {
                        packed = PackedEvents::default();
                    }
                }
                Err(failure) => entry.apply_failure(&failure, rows, round, counters, faults),
            }
        }
    }

    pub(super) fn judge_samples(
        &self,
        round: &mut Round<AdmittedSample>,
        counters: &Counters,
        faults: &Faults,
    ) {
        for entry in &self.entries {
            let subscription = entry.validator.subscription();
            let rows = rows_where(round, |sample| subscription.wants_metric(&sample.series().name));
            if rows.is_empty() {
                continue;
            }
            let batch = sample_batch(rows.iter().filter_map(|&row| round.records.get(row)));
            let verdict = entry.validator.validate_samples(&batch);
            match verdict {
                Ok(verdict) => apply_to_samples(entry.validator.name(), &rows, &batch, verdict, round),
                Err(failure) => entry.apply_failure(&failure, &rows, round, counters, faults),
            }
        }
    }
}

impl ValidatorEntry {
    fn apply_failure<T: Admitted>(
        &self,
        failure: &PluginFailure,
        rows: &[usize],
        round: &mut Round<T>,
        counters: &Counters,
        faults: &Faults,
    ) {
        if self.on_failure == OnFailure::Accept {
            Counters::add(&counters.unvalidated, rows.len());
            return;
        }
        faults.report(ErrorCode::PluginFailure, failure);
        for &row in rows {
            if let Some(note) = round.notes.get_mut(row) {
                note.refusal = Some(RecordError::Plugin(failure.clone()));
            }
        }
    }
}

/// The events that a validator saw: those after it share the batch, and what was found in it, unless they want others or some were
/// rewritten.
#[derive(Default)]
struct PackedEvents {
    rows: Vec<usize>,
    batch: EventBatch,
}

impl PackedEvents {
    fn of(&mut self, rows: Vec<usize>, records: &[AdmittedEvent]) -> &EventBatch {
        if self.rows != rows {
            self.batch = event_batch(rows.iter().filter_map(|&row| records.get(row)));
            self.rows = rows;
        }
        &self.batch
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

fn apply_to_events(validator: &str, rows: &[usize], verdict: EventVerdict, round: &mut Round<AdmittedEvent>) {
    for rewrite in verdict.rewrites {
        if let Some(event) = rows.get(rewrite.row as usize).and_then(|&row| round.records.get_mut(row)) {
            *event = event.clone().rewritten(rewrite.data, rewrite.extra);
        }
    }
    settle(grouped(rows, validator, verdict.issues), round);
}

fn apply_to_samples(
    validator: &str,
    rows: &[usize],
    batch: &SampleBatch,
    verdict: SampleVerdict,
    round: &mut Round<AdmittedSample>,
) {
    for rewrite in verdict.rewrites {
        let too_large = admission::check_context(&rewrite.context).err();
        for (&row, _) in
            rows.iter().zip(batch.series_indices()).filter(|(_, series)| **series == rewrite.series)
        {
            if let (Some(sample), Some(note)) = (round.records.get_mut(row), round.notes.get_mut(row)) {
                match &too_large {
                    Some(error) => note.refusal = Some(error.clone().into()),
                    None => *sample = sample.clone().rewritten(rewrite.context.clone()),
                }
            }
        }
    }
    settle(grouped(rows, validator, verdict.issues), round);
}

/// The records that are still on their way and wanted.
fn rows_where<T>(round: &Round<T>, wanted: impl Fn(&T) -> bool) -> Vec<usize> {
    (round.records.iter().zip(&round.notes).enumerate())
        .filter(|(_, (record, note))| note.refusal.is_none() && wanted(record))
        .map(|(row, _)| row)
        .collect()
}

/// All issues of one record.
struct RecordIssues {
    row: usize,
    reject: bool,
    issues: Vec<ValidationIssue>,
}

/// A record with any rejecting issue is refused with all of its issues; otherwise they are warnings.
fn settle<T: Admitted>(all: Vec<RecordIssues>, round: &mut Round<T>) {
    for RecordIssues { row, reject, issues } in all {
        let (Some(record), Some(note)) = (round.records.get(row), round.notes.get_mut(row)) else { continue };
        if reject {
            note.refusal = Some(RecordError::Invalid { issues, received: record.echo() });
        } else {
            note.warnings.extend(issues);
            note.warnings.truncate(MAX_ISSUES);
        }
    }
}

fn grouped(
    rows: &[usize],
    validator: &str,
    issues: Vec<telemetry_core::extension::RowIssue>,
) -> Vec<RecordIssues> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use telemetry_core::admission::{AcceptedTimes, admit_event};
    use telemetry_core::{EventDraft, EventIdGenerator, Timestamp};

    use super::*;

    #[test]
    fn validators_that_want_the_same_events_share_a_batch() {
        let now = Timestamp::from_millis(1_772_000_000_000);
        let (times, ids) = (AcceptedTimes::at(now, Duration::from_secs(60)), EventIdGenerator::new(1, 1));
        let event = |kind: &str| admit_event(EventDraft::new(kind, "s").at(now), &times, &ids).unwrap();
        let records = ["a", "b", "a"].map(event);
        let mut packed = PackedEvents::default();
        let first = packed.of(vec![0, 2], &records).texts();
        assert!(Arc::ptr_eq(&first, &packed.of(vec![0, 2], &records).texts()));
        let others = packed.of(vec![0, 1], &records);
        assert_eq!(others.rows().map(|row| row.event_type).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!Arc::ptr_eq(&first, &others.texts()));
    }
}
