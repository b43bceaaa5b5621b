//! What validators answer.

use std::collections::HashSet;

use telemetry_core::batch::{EventBatch, SampleBatch};
use telemetry_core::extension::{
    EventRewrite, EventVerdict, FailureReason, RowIssue, SampleVerdict, SeriesRewrite,
};
use telemetry_core::{Context, JsonObject, admission, limits};

use super::{message, unusable};
use crate::bindings::validation;
use crate::text::shown;

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
            let object = |part: &str, text: Option<String>| {
                text.map(|text| object(&format!("{part} of row {}", rewrite.row), &text)).transpose()
            };
            let (data, extra) = (object("data", rewrite.data_json)?, object("extra", rewrite.extra_json)?);
            let size = [&data, &extra].into_iter().flatten().map(|text| text.as_str().len()).sum::<usize>();
            if size > limits::MAX_PAYLOAD_BYTES {
                return Err(unusable(format!("row {} was rewritten to {size} bytes", rewrite.row)));
            }
            Ok(EventRewrite { row: rewrite.row, data, extra })
        })
        .collect::<Result<_, _>>()?;
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
            let context = Context::parse(&rewrite.context_json).map_err(|error| fault(error.to_string()))?;
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

fn object(what: &str, text: &str) -> Result<JsonObject, FailureReason> {
    JsonObject::parse(text).map_err(|error| unusable(format!("{what} is no JSON object: {error}")))
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
    }
}
