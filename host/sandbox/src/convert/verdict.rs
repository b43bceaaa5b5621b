//! What validators answer.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use telemetry_core::admission::{self, AdmissionError};
use telemetry_core::batch::{EventBatch, SampleBatch};
use telemetry_core::extension::{
    EventRewrite, EventVerdict, FailureReason, RowIssue, SampleVerdict, SeriesRewrite,
};
use telemetry_core::{Context, JsonObject, json, limits};

use super::{message, unusable};
use crate::bindings::validation;
use crate::text::shown;

/// So many bytes may stand for one byte of compact JSON: spaces, and escapes of letters that need none. What is kept is measured
/// without them.
const MOST_BYTES_WRITTEN: usize = 2;
/// The code of a row's refusal because of what it was rewritten to.
const REWRITE_TOO_LARGE: &str = "rewrite_too_large";

/// Why a rewrite is not made.
enum Unfit {
    /// It breaks the contract: all of the answer is of no use.
    Unusable(FailureReason),
    /// A record is never so large, or so deep. A caller's record can bring any validator there that writes more than it reads, so it costs that
    /// record alone.
    TooLarge(AdmissionError),
}

impl From<FailureReason> for Unfit {
    fn from(reason: FailureReason) -> Self {
        Self::Unusable(reason)
    }
}

/// Checks a verdict on events. What is rewritten to more than an event may have becomes empty, and the event is refused: it is
/// neither stored nor shown as it was, since the validator wanted something of it gone.
pub(crate) fn event_verdict(
    verdict: validation::EventVerdict,
    batch: &EventBatch,
) -> Result<EventVerdict, FailureReason> {
    if verdict.issues.is_empty() && verdict.rewrites.is_empty() {
        return Ok(EventVerdict::default());
    }
    let rows = batch.len();
    let given = issues(verdict.issues, rows)?;
    check_targets("row", verdict.rewrites.iter().map(|rewrite| rewrite.row), rows)?;
    let mut refusals = Vec::new();
    let mut rewrites = Vec::with_capacity(verdict.rewrites.len());
    for rewrite in verdict.rewrites {
        let (row, of_data, of_extra) =
            (rewrite.row, rewrite.data_json.is_some(), rewrite.extra_json.is_some());
        rewrites.push(match event_rewrite(rewrite, batch) {
            Ok(rewrite) => rewrite,
            Err(Unfit::Unusable(reason)) => return Err(reason),
            Err(Unfit::TooLarge(error)) => {
                refusals.push(refusal(row, if of_data { "/data" } else { "" }, &error));
                let emptied = |is_rewritten: bool| is_rewritten.then(JsonObject::default);
                EventRewrite { row, data: emptied(of_data), extra: emptied(of_extra) }
            }
        });
    }
    Ok(EventVerdict { issues: with_refusals(refusals, given), rewrites })
}

fn event_rewrite(rewrite: validation::EventRewrite, batch: &EventBatch) -> Result<EventRewrite, Unfit> {
    let validation::EventRewrite { row, data_json, extra_json } = rewrite;
    let object = |part: &str, text: Option<String>, depth: usize| {
        text.map(|text| object(&format!("{part} of row {row}"), &text, depth)).transpose()
    };
    // The object around an event's other fields is none of its own.
    let (data_depth, extra_depth) = (limits::MAX_JSON_DEPTH, limits::MAX_JSON_DEPTH.saturating_add(1));
    // Before anything is parsed: parsed it takes many times as much memory as it has.
    let written: usize = [&data_json, &extra_json].into_iter().flatten().map(String::len).sum();
    within(
        "the event's JSON as it was written, in bytes",
        written,
        limits::MAX_PAYLOAD_BYTES.saturating_mul(MOST_BYTES_WRITTEN),
    )?;
    no_deeper("data", data_json.as_deref(), data_depth)?;
    no_deeper("one of the event's other fields", extra_json.as_deref(), extra_depth)?;
    let data = object("data", data_json, data_depth)?;
    let extra = object("extra", extra_json, extra_depth)?;
    // What is not rewritten is stored with it.
    let kept = batch.row(row as usize).map_or(("", ""), |event| (event.data, event.extra));
    let size_of =
        |part: &Option<JsonObject>, kept: &str| part.as_ref().map_or(kept.len(), |part| part.as_str().len());
    let size = size_of(&data, kept.0).saturating_add(size_of(&extra, kept.1));
    within("the event's JSON in bytes", size, limits::MAX_PAYLOAD_BYTES)?;
    Ok(EventRewrite { row, data, extra })
}

/// Checks a verdict on samples. A series whose context is rewritten to more than one may have gets an empty one, and its samples are
/// refused, as in [`event_verdict`].
pub(crate) fn sample_verdict(
    verdict: validation::SampleVerdict,
    batch: &SampleBatch,
) -> Result<SampleVerdict, FailureReason> {
    if verdict.issues.is_empty() && verdict.rewrites.is_empty() {
        return Ok(SampleVerdict::default());
    }
    let given = issues(verdict.issues, batch.len())?;
    check_targets("series", verdict.rewrites.iter().map(|rewrite| rewrite.series), batch.series_count())?;
    let mut too_large = HashMap::new();
    let mut rewrites = Vec::with_capacity(verdict.rewrites.len());
    for validation::SeriesRewrite { series, context_json } in verdict.rewrites {
        let context = match rewritten_context(series, &context_json) {
            Ok(context) => context,
            Err(Unfit::Unusable(reason)) => return Err(reason),
            Err(Unfit::TooLarge(error)) => {
                too_large.insert(series, error);
                Context::default()
            }
        };
        rewrites.push(SeriesRewrite { series, context });
    }
    let refusals = match too_large.is_empty() {
        true => Vec::new(),
        false => (0..)
            .zip(batch.series_indices())
            .filter_map(|(row, series)| Some(refusal(row, "/context", too_large.get(series)?)))
            .collect(),
    };
    Ok(SampleVerdict { issues: with_refusals(refusals, given), rewrites })
}

fn rewritten_context(series: u32, text: &str) -> Result<Context, Unfit> {
    within(
        "the context as it was written, in bytes",
        text.len(),
        limits::MAX_CONTEXT_BYTES.saturating_mul(MOST_BYTES_WRITTEN),
    )?;
    no_deeper("the context", Some(text), limits::MAX_JSON_DEPTH)?;
    let context = Context::parse_rounding(text)
        .map_err(|error| unusable(format!("the context of series {series} is no JSON object: {error}")))?;
    admission::check_context(&context).map_err(Unfit::TooLarge)?;
    Ok(context)
}

/// The refusal of a row for what it was rewritten to.
fn refusal(row: u32, path: &str, error: &AdmissionError) -> RowIssue {
    RowIssue {
        row,
        reject: true,
        code: REWRITE_TOO_LARGE.to_owned(),
        path: path.to_owned(),
        message: format!("was rewritten to more than is stored, and is left out here: {error}"),
    }
}

/// The host's refusals come first: of a row's issues only some are kept.
fn with_refusals(mut refusals: Vec<RowIssue>, given: Vec<RowIssue>) -> Vec<RowIssue> {
    if refusals.is_empty() {
        return given;
    }
    refusals.extend(given);
    refusals
}

fn issues(issues: Vec<validation::Issue>, rows: usize) -> Result<Vec<RowIssue>, FailureReason> {
    if issues.len() > rows.saturating_mul(limits::MAX_ISSUES) {
        return Err(unusable(format!("{} issues about {rows} rows", issues.len())));
    }
    issues
        .into_iter()
        .map(|issue| {
            check_target("row", issue.row, rows)?;
            Ok(RowIssue {
                row: issue.row,
                reject: issue.reject,
                code: shown(issue.code, limits::MAX_NAME_BYTES),
                path: shown(issue.path, limits::MAX_NAME_BYTES),
                message: message(issue.message),
            })
        })
        .collect()
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), Unfit> {
    if size > limit { Err(Unfit::TooLarge(AdmissionError::TooLarge { what, size, limit })) } else { Ok(()) }
}

/// Before it is parsed: a parser would call it no JSON.
fn no_deeper(what: &'static str, text: Option<&str>, depth: usize) -> Result<(), Unfit> {
    match text {
        Some(text) if json::is_deeper(text, depth) => {
            Err(Unfit::TooLarge(AdmissionError::TooDeep { what, limit: limits::MAX_JSON_DEPTH }))
        }
        _ => Ok(()),
    }
}

/// Each target lies within the batch and is named once.
fn check_targets(
    what: &str,
    targets: impl ExactSizeIterator<Item = u32>,
    count: usize,
) -> Result<(), FailureReason> {
    if targets.len() > count {
        return Err(unusable(format!("{} rewrites of {count} {what}(s)", targets.len())));
    }
    let mut seen = HashSet::with_capacity(targets.len());
    for target in targets {
        check_target(what, target, count)?;
        if !seen.insert(target) {
            return Err(unusable(format!("{what} {target} is rewritten twice")));
        }
    }
    Ok(())
}

fn check_target(what: &str, target: u32, count: usize) -> Result<(), FailureReason> {
    if (target as usize) < count {
        Ok(())
    } else {
        Err(unusable(format!("it speaks of {what} {target}, the batch has {count}")))
    }
}

fn object(what: &str, text: &str, depth: usize) -> Result<JsonObject, FailureReason> {
    JsonObject::parse_rounding(text, depth)
        .map_err(|error| unusable(format!("{what} is no JSON object: {error}")))
}
