//! Runs records through the validators in configured order, each seeing the rewrites of those before, in batches of limited size,
//! which validators that see the same rows share. Each batch is judged whatever becomes of the others.

mod events;
mod packed;
mod samples;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use telemetry_core::extension::{EventVerdict, PluginFailure, SampleVerdict, SeriesRewrite, Validator};
use telemetry_core::limits::MAX_ISSUES;
use telemetry_core::{
    AdmittedEvent, AdmittedSample, ErrorCode, EventBatch, SampleBatch, ValidationIssue, admission,
};

use self::events::{event_batch, first_batch};
use self::packed::PackedBatches;
use self::samples::SamplePart;
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
        let mut failures = Failures::new(counters, faults);
        let all = rows_where(round, 0..round.records.len(), |_| true);
        let mut rest = all.as_slice();
        // All validators judge some of the events before any judges the others, so that those are packed for all of them.
        while !rest.is_empty() {
            let (rows, after) = first_batch(rest, &round.records);
            let mut packed = PackedBatches::default();
            for entry in &self.entries {
                entry.judge_events(rows, &mut packed, round, &mut failures);
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
        let subscriptions = || self.entries.iter().map(|entry| entry.validator.subscription());
        let wanting = subscriptions().filter(|subscription| subscription.wants_samples()).count();
        if wanting == 0 {
            return;
        }
        let wanted = rows_where(round, 0..round.records.len(), |sample| {
            subscriptions().any(|subscription| subscription.wants_metric(&sample.series().name))
        });
        let mut packed = PackedBatches::default();
        let mut failures = Failures::new(counters, faults);
        judge_samples_in_parts(&self.entries, &wanted, wanting == 1, &mut packed, round, &mut failures);
    }
}

/// Has validators judge samples that one of them wants: all judge the first part before any judges the second. `sole` says that only
/// one validator wants any samples, and these are just what it wants.
fn judge_samples_in_parts(
    entries: &[ValidatorEntry],
    rows: &[usize],
    sole: bool,
    packed: &mut PackedBatches<SampleBatch>,
    round: &mut Round<AdmittedSample>,
    failures: &mut Failures<'_>,
) {
    let mut rest = rows;
    while !rest.is_empty() {
        let (part, after) = SamplePart::first(rest, &round.records);
        let mut left = entries;
        while let [entry, others @ ..] = left {
            left = others;
            let rewritten = entry.judge_samples(&part, sole, packed, round, failures);
            if rewritten && left.iter().any(|entry| entry.validator.subscription().wants_samples()) {
                // Those that are left see other series, which may also be too large for one batch.
                judge_samples_in_parts(left, part.rows(), sole, packed, round, failures);
                break;
            }
        }
        // Nobody sees these rows again.
        *packed = PackedBatches::default();
        rest = after;
    }
}

impl ValidatorEntry {
    /// Judges those of `rows` that it wants.
    fn judge_events(
        &self,
        rows: &[usize],
        packed: &mut PackedBatches<EventBatch>,
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
            let batch = packed.of(rows, || event_batch(rows, &round.records));
            match self.validator.validate_events(batch) {
                Ok(verdict) => {
                    packed.forget(&apply_to_events(self.validator.name(), rows, verdict, round));
                }
                Err(failure) => packed.forget(self.apply_failure(&failure, rows, round, failures)),
            }
            rest = after;
        }
    }

    /// Judges those of a part's samples that it wants. The answer is whether series were rewritten: the part is no more what it was.
    fn judge_samples(
        &self,
        part: &SamplePart<'_>,
        sole: bool,
        packed: &mut PackedBatches<SampleBatch>,
        round: &mut Round<AdmittedSample>,
        failures: &mut Failures<'_>,
    ) -> bool {
        let subscription = self.validator.subscription();
        if !subscription.wants_samples() {
            return false;
        }
        // A sole validator wants all that came to its part, and nobody before it refused any.
        let rows = if sole {
            Cow::Borrowed(part.rows())
        } else {
            Cow::Owned(rows_where(round, part.rows().iter().copied(), |sample| {
                subscription.wants_metric(&sample.series().name)
            }))
        };
        if rows.is_empty() {
            return false;
        }
        let batch = packed.of(&rows, || part.batch(&rows, &round.records));
        match self.validator.validate_samples(batch) {
            Ok(verdict) => {
                let rewritten = !verdict.rewrites.is_empty();
                let changed = apply_to_samples(self.validator.name(), &rows, batch, verdict, round);
                packed.forget(&changed);
                rewritten
            }
            Err(failure) => {
                packed.forget(self.apply_failure(&failure, &rows, round, failures));
                false
            }
        }
    }

    /// The answer is the rows that are refused for it.
    fn apply_failure<'r, T: Admitted>(
        &self,
        failure: &PluginFailure,
        rows: &'r [usize],
        round: &mut Round<T>,
        failures: &mut Failures<'_>,
    ) -> &'r [usize] {
        if self.on_failure == OnFailure::Accept {
            Counters::add(&failures.counters.unvalidated, rows.len());
            return &[];
        }
        failures.report(failure);
        for &row in rows {
            if let Some(note) = round.notes.get_mut(row) {
                note.refusal = Some(RecordError::Plugin(failure.clone()));
            }
        }
        rows
    }
}

/// What validators failed at in one call: one fault each, in however many batches its records are judged.
struct Failures<'a> {
    counters: &'a Counters,
    faults: &'a Faults,
    /// The validators that failed.
    reported: Vec<String>,
}

impl<'a> Failures<'a> {
    fn new(counters: &'a Counters, faults: &'a Faults) -> Self {
        Self { counters, faults, reported: Vec::new() }
    }

    fn report(&mut self, failure: &PluginFailure) {
        if !self.reported.contains(&failure.plugin) {
            self.reported.push(failure.plugin.clone());
            self.faults.report(ErrorCode::PluginFailure, failure);
        }
    }
}

/// The answer is the rows that are others now, or refused.
fn apply_to_events(
    validator: &str,
    rows: &[usize],
    verdict: EventVerdict,
    round: &mut Round<AdmittedEvent>,
) -> Vec<usize> {
    let mut changed = Vec::new();
    for rewrite in verdict.rewrites {
        if let Some(&row) = rows.get(rewrite.row as usize)
            && let Some(event) = round.records.get_mut(row)
        {
            *event = event.clone().rewritten(rewrite.data, rewrite.extra);
            changed.push(row);
        }
    }
    settle(grouped(rows, validator, verdict.issues), round, &mut changed);
    changed
}

/// The answer is the rows that are others now, or refused.
fn apply_to_samples(
    validator: &str,
    rows: &[usize],
    batch: &SampleBatch,
    verdict: SampleVerdict,
    round: &mut Round<AdmittedSample>,
) -> Vec<usize> {
    let mut changed = Vec::new();
    if !verdict.rewrites.is_empty() {
        rewrite_series(rows, batch, verdict.rewrites, round, &mut changed);
    }
    settle(grouped(rows, validator, verdict.issues), round, &mut changed);
    changed
}

/// Looks at each row once, however many series are rewritten.
fn rewrite_series(
    rows: &[usize],
    batch: &SampleBatch,
    rewrites: Vec<SeriesRewrite>,
    round: &mut Round<AdmittedSample>,
    changed: &mut Vec<usize>,
) {
    let mut contexts = vec![None; batch.series_count()];
    for SeriesRewrite { series, context } in rewrites {
        if let Some(place) = contexts.get_mut(series as usize) {
            *place = Some(admission::check_context(&context).map(|()| context));
        }
    }
    for (&row, &series) in rows.iter().zip(batch.series_indices()) {
        let Some(Some(context)) = contexts.get(series as usize) else { continue };
        if let (Some(sample), Some(note)) = (round.records.get_mut(row), round.notes.get_mut(row)) {
            match context {
                Ok(context) => *sample = sample.clone().rewritten(context.clone()),
                Err(too_large) => note.refusal = Some(too_large.clone().into()),
            }
            changed.push(row);
        }
    }
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

/// A record with any rejecting issue is refused with all of its issues, and its row added to `changed`; otherwise they are warnings.
fn settle<T: Admitted>(all: Vec<RecordIssues>, round: &mut Round<T>, changed: &mut Vec<usize>) {
    for RecordIssues { row, reject, issues } in all {
        let (Some(record), Some(note)) = (round.records.get(row), round.notes.get_mut(row)) else { continue };
        if reject {
            note.refusal = Some(RecordError::Invalid { issues, received: record.echo() });
            changed.push(row);
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
