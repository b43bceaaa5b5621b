//! What validators answer, carried out: records are rewritten, refused, or get warnings.

use std::collections::BTreeMap;

use telemetry_core::extension::{EventVerdict, RowIssue, SampleVerdict, SeriesRewrite};
use telemetry_core::limits::MAX_ISSUES;
use telemetry_core::{AdmittedEvent, AdmittedSample, SampleBatch, ValidationIssue, admission};

use crate::recording::error::RecordError;
use crate::recording::round::{Admitted, Round};

/// The answer is the rows that are others now, or refused.
pub(super) fn apply_to_events(
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
pub(super) fn apply_to_samples(
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

fn grouped(rows: &[usize], validator: &str, issues: Vec<RowIssue>) -> Vec<RecordIssues> {
    let mut groups = BTreeMap::<usize, RecordIssues>::new();
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
