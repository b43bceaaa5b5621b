//! What validators answer.

use std::collections::HashSet;

use telemetry_core::batch::{EventBatch, SampleBatch};
use telemetry_core::extension::{
    EventRewrite, EventVerdict, FailureReason, RowIssue, SampleVerdict, SeriesRewrite,
};
use telemetry_core::{Context, JsonObject, admission, limits};

use super::{check_size, message, unusable};
use crate::bindings::validation;
use crate::text::shown;

/// So many bytes may stand for one byte of compact JSON: spaces, and escapes of letters that need none. What is kept is measured
/// without them.
const MOST_BYTES_WRITTEN: usize = 2;

/// Checks a verdict on events.
pub(crate) fn event_verdict(
    verdict: validation::EventVerdict,
    batch: &EventBatch,
) -> Result<EventVerdict, FailureReason> {
    if verdict.issues.is_empty() && verdict.rewrites.is_empty() {
        return Ok(EventVerdict::default());
    }
    let rows = batch.len();
    let issues = issues(verdict.issues, rows)?;
    check_targets("row", verdict.rewrites.iter().map(|rewrite| rewrite.row), rows)?;
    let rewrites = verdict
        .rewrites
        .into_iter()
        .map(|rewrite| {
            let object = |part: &str, text: Option<String>, depth: usize| {
                text.map(|text| object(&format!("{part} of row {}", rewrite.row), &text, depth)).transpose()
            };
            // Before anything is parsed: parsed it takes many times as much memory as it has.
            let parts = [&rewrite.data_json, &rewrite.extra_json];
            let written = limits::MAX_PAYLOAD_BYTES.saturating_mul(MOST_BYTES_WRITTEN);
            check_rewritten(rewrite.row, parts.into_iter().flatten().map(String::len).sum(), written)?;
            let data = object("data", rewrite.data_json, limits::MAX_JSON_DEPTH)?;
            // The object around an event's other fields is none of its own.
            let extra = object("extra", rewrite.extra_json, limits::MAX_JSON_DEPTH.saturating_add(1))?;
            let parts = [&data, &extra];
            let size = parts.into_iter().flatten().map(|part| part.as_str().len()).sum();
            check_rewritten(rewrite.row, size, limits::MAX_PAYLOAD_BYTES)?;
            Ok(EventRewrite { row: rewrite.row, data, extra })
        })
        .collect::<Result<_, FailureReason>>()?;
    Ok(EventVerdict { issues, rewrites })
}

/// Checks a verdict on samples.
pub(crate) fn sample_verdict(
    verdict: validation::SampleVerdict,
    batch: &SampleBatch,
) -> Result<SampleVerdict, FailureReason> {
    if verdict.issues.is_empty() && verdict.rewrites.is_empty() {
        return Ok(SampleVerdict::default());
    }
    let issues = issues(verdict.issues, batch.len())?;
    check_targets("series", verdict.rewrites.iter().map(|rewrite| rewrite.series), batch.series_count())?;
    let rewrites = verdict
        .rewrites
        .into_iter()
        .map(|rewrite| {
            let fault =
                |reason: String| unusable(format!("the context of series {}: {reason}", rewrite.series));
            let written = limits::MAX_CONTEXT_BYTES.saturating_mul(MOST_BYTES_WRITTEN);
            check_size(&rewrite.context_json, written).map_err(fault)?;
            let context =
                Context::parse_rounding(&rewrite.context_json).map_err(|error| fault(error.to_string()))?;
            admission::check_context(&context).map_err(|error| fault(error.to_string()))?;
            Ok(SeriesRewrite { series: rewrite.series, context })
        })
        .collect::<Result<_, FailureReason>>()?;
    Ok(SampleVerdict { issues, rewrites })
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

/// A row that was rewritten is no larger than any other.
fn check_rewritten(row: u32, size: usize, limit: usize) -> Result<(), FailureReason> {
    if size > limit {
        return Err(unusable(format!("row {row} was rewritten to {size} bytes, the limit is {limit}")));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::EventRow;

    fn events(count: usize) -> EventBatch {
        let mut batch = EventBatch::default();
        for _ in 0..count {
            batch.push(EventRow {
                timestamp: 1,
                id: "i",
                event_type: "t",
                source: "s",
                data: "{}",
                extra: "{}",
            });
        }
        batch
    }

    fn issue(row: u32) -> validation::Issue {
        validation::Issue { row, reject: true, code: "c".into(), path: "/p".into(), message: "m\n".into() }
    }

    fn rewrite(row: u32, data: &str) -> validation::EventRewrite {
        validation::EventRewrite { row, data_json: Some(data.to_owned()), extra_json: None }
    }

    fn kind(verdict: validation::EventVerdict) -> Result<EventVerdict, &'static str> {
        event_verdict(verdict, &events(2)).map_err(|reason| reason.kind())
    }

    #[test]
    fn good_verdicts_pass_and_text_is_made_safe() {
        let verdict = kind(validation::EventVerdict {
            issues: vec![issue(1)],
            rewrites: vec![rewrite(0, r#" {"a": 1} "#)],
        })
        .unwrap();
        assert_eq!(verdict.issues[0].message, "m\\n");
        assert_eq!(verdict.rewrites[0].data.as_ref().unwrap().as_str(), r#"{"a":1}"#);
    }

    #[test]
    fn garbage_is_refused() {
        let verdict = |issues, rewrites| validation::EventVerdict { issues, rewrites };
        for garbage in [
            verdict(vec![issue(2)], vec![]),
            verdict(vec![issue(u32::MAX)], vec![]),
            verdict((0..2 * limits::MAX_ISSUES + 1).map(|_| issue(0)).collect(), vec![]),
            verdict(vec![], vec![rewrite(2, "{}")]),
            verdict(vec![], vec![rewrite(0, "{}"), rewrite(0, "{}")]),
            verdict(vec![], vec![rewrite(0, "[]")]),
            verdict(vec![], vec![rewrite(0, "{\"a\":")]),
            verdict(vec![], vec![rewrite(0, &format!("{}{}", "{\"a\":".repeat(200), "}".repeat(200)))]),
        ] {
            assert_eq!(kind(garbage.clone()), Err("output"), "{garbage:?}");
        }
    }

    #[test]
    fn what_is_rewritten_is_measured_before_it_is_parsed() {
        let fault = |rewrite| {
            let verdict = validation::EventVerdict { issues: vec![], rewrites: vec![rewrite] };
            event_verdict(verdict, &events(2)).unwrap_err().to_string()
        };
        let half = limits::MAX_PAYLOAD_BYTES;
        // Parsed, neither would be found to be JSON.
        let (data, extra) = ("[".repeat(half), "[".repeat(half + 1));
        let both =
            validation::EventRewrite { row: 1, data_json: Some(data.clone()), extra_json: Some(extra) };
        let reason = fault(both);
        assert!(reason.contains("row 1 was rewritten to 8388609 bytes"), "{reason}");
        let reason = fault(rewrite(1, &data));
        assert!(reason.contains("data of row 1 is no JSON object"), "{reason}");
    }

    #[test]
    fn numbers_that_are_longer_when_written_anew_count_as_they_are_stored() {
        let numbers = "1e9,".repeat(limits::MAX_PAYLOAD_BYTES / 8);
        let verdict = validation::EventVerdict {
            issues: vec![],
            rewrites: vec![rewrite(0, &format!("{{\"a\":[{numbers}1]}}"))],
        };
        assert_eq!(kind(verdict), Err("output"));
    }

    #[test]
    fn contexts_keep_their_limits() {
        let mut batch = SampleBatch::default();
        let series = batch.add_series("m", "{}");
        batch.push(series, 1, 1.0);
        let check = |series, context: &str| {
            let rewrites = vec![validation::SeriesRewrite { series, context_json: context.to_owned() }];
            sample_verdict(validation::SampleVerdict { issues: vec![], rewrites }, &batch)
        };
        assert_eq!(check(0, r#"{"b":1,"a":2}"#).unwrap().rewrites[0].context.as_str(), r#"{"a":2,"b":1}"#);
        assert!(check(1, "{}").is_err());
        assert!(check(0, "7").is_err());
        assert!(check(0, &format!("{{\"a\":\"{}\"}}", "x".repeat(limits::MAX_CONTEXT_BYTES))).is_err());
        // Parsed, it would be found to be no JSON.
        let reason = check(0, &"[".repeat(2 * limits::MAX_CONTEXT_BYTES + 1)).unwrap_err().to_string();
        assert!(reason.contains("16385 bytes, the limit is 16384"), "{reason}");
        // Spaces and escapes count for nothing, and a number that became longer is a float.
        let spaced = format!(r#"{{"a": "{}", "b": 18446744073709552000}}"#, r"\u0436".repeat(2_700));
        let context = check(0, &spaced).unwrap().rewrites[0].context.clone();
        assert_eq!(
            context.as_str(),
            format!(r#"{{"a":"{}","b":1.8446744073709552e+19}}"#, "ж".repeat(2_700))
        );
    }

    #[test]
    fn whatever_is_admitted_can_be_written_anew() {
        let nested = |depth: usize| format!("{{\"a\":{}0{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let rewrite = |data: usize, extra: usize| {
            let (data, extra) = (nested(data), nested(extra));
            let rewrite = validation::EventRewrite { row: 0, data_json: Some(data), extra_json: Some(extra) };
            kind(validation::EventVerdict { issues: vec![], rewrites: vec![rewrite] })
        };
        assert!(rewrite(limits::MAX_JSON_DEPTH, limits::MAX_JSON_DEPTH + 1).is_ok());
        assert_eq!(rewrite(limits::MAX_JSON_DEPTH + 1, 2), Err("output"));
        assert_eq!(rewrite(2, limits::MAX_JSON_DEPTH + 2), Err("output"));
        // As a language without integers writes them.
        let verdict = validation::EventVerdict {
            issues: vec![],
            rewrites: vec![self::rewrite(0, r#"{"n":100000000000000000000}"#)],
        };
        let data = kind(verdict).unwrap().rewrites.remove(0).data.unwrap();
        assert_eq!(data.as_str(), r#"{"n":1e+20}"#);
    }
}
