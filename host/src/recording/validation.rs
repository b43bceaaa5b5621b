//! Runs records through the validators in configured order, each seeing the rewrites of those before, in batches of limited size.
//! Each batch is judged whatever becomes of the others.

mod batches;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use telemetry_core::extension::{EventVerdict, PluginFailure, SampleVerdict, Validator};
use telemetry_core::limits::MAX_ISSUES;
use telemetry_core::{AdmittedEvent, AdmittedSample, ErrorCode, SampleBatch, ValidationIssue, admission};

use self::batches::{PackedEvents, first_batch, sample_batch};
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
        let mut failures: Vec<_> = self.entries.iter().map(|_| Failures::new(counters, faults)).collect();
        let all = rows_where(round, 0..round.records.len(), |_| true);
        let mut rest = all.as_slice();
        // All validators judge some of the events before any judges the others, so that those are packed for all of them.
        while !rest.is_empty() {
            let (rows, after) = first_batch(rest, &round.records);
            for (entry, failures) in self.entries.iter().zip(&mut failures) {
                entry.judge_events(rows, &mut packed, round, failures);
            }
            rest = after;
        }
    }

    pub(super) fn judge_samples(
        &self,
        round: &mut Round<AdmittedSample>,
        counters: &Counters,
        faults: &Faults,
    ) {
        for entry in &self.entries {
            entry.judge_samples(round, &mut Failures::new(counters, faults));
        }
    }
}

impl ValidatorEntry {
    /// Judges those of `rows` that it wants.
    fn judge_events(
        &self,
        rows: &[usize],
        packed: &mut PackedEvents,
        round: &mut Round<AdmittedEvent>,
        failures: &mut Failures<'_>,
    ) {
        let subscription = self.validator.subscription();
        let wanted = rows_where(round, rows.iter().copied(), |event| {
            subscription.wants_event(event.event_type(), event.source())
        });
        let mut rest = wanted.as_slice();
        // One batch, unless validators before it made the events larger.
        while !rest.is_empty() {
            let (rows, after) = first_batch(rest, &round.records);
            let verdict = self.validator.validate_events(packed.of(rows, &round.records));
            match verdict {
                Ok(verdict) => {
                    let rewritten = !verdict.rewrites.is_empty();
                    apply_to_events(self.validator.name(), rows, verdict, round);
                    if rewritten {
                        *packed = PackedEvents::default();
                    }
                }
                Err(failure) => self.apply_failure(&failure, rows, round, failures),
            }
            rest = after;
        }
    }

    fn judge_samples(&self, round: &mut Round<AdmittedSample>, failures: &mut Failures<'_>) {
        let subscription = self.validator.subscription();
        let wanted = rows_where(round, 0..round.records.len(), |sample| {
            subscription.wants_metric(&sample.series().name)
        });
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let (batch, rows, after) = sample_batch(rest, &round.records);
            match self.validator.validate_samples(&batch) {
                Ok(verdict) => apply_to_samples(self.validator.name(), rows, &batch, verdict, round),
                Err(failure) => self.apply_failure(&failure, rows, round, failures),
            }
            rest = after;
        }
    }

    fn apply_failure<T: Admitted>(
        &self,
        failure: &PluginFailure,
        rows: &[usize],
        round: &mut Round<T>,
        failures: &mut Failures<'_>,
    ) {
        if self.on_failure == OnFailure::Accept {
            Counters::add(&failures.counters.unvalidated, rows.len());
            return;
        }
        failures.report(failure);
        for &row in rows {
            if let Some(note) = round.notes.get_mut(row) {
                note.refusal = Some(RecordError::Plugin(failure.clone()));
            }
        }
    }
}

/// What one validator failed at in one call: one fault, in however many batches its records are judged.
struct Failures<'a> {
    counters: &'a Counters,
    faults: &'a Faults,
    reported: bool,
}

impl<'a> Failures<'a> {
    fn new(counters: &'a Counters, faults: &'a Faults) -> Self {
        Self { counters, faults, reported: false }
    }

    fn report(&mut self, failure: &PluginFailure) {
        if !std::mem::replace(&mut self.reported, true) {
            self.faults.report(ErrorCode::PluginFailure, failure);
        }
    }
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

/// Those of `rows` whose records are still on their way and wanted.
fn rows_where<T>(
    round: &Round<T>,
    rows: impl Iterator<Item = usize>,
    wanted: impl Fn(&T) -> bool,
) -> Vec<usize> {
    let is_wanted = |&row: &usize| {
        let on_its_way = round.notes.get(row).is_some_and(|note| note.refusal.is_none());
        on_its_way && round.records.get(row).is_some_and(&wanted)
    };
    rows.filter(is_wanted).collect()
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
