//! What makes an answer useless, and what costs one record alone.

use super::*;
use telemetry_core::EventRow;

fn events(count: usize) -> EventBatch {
    let mut batch = EventBatch::default();
    for _ in 0..count {
        batch.push(EventRow { timestamp: 1, id: "i", event_type: "t", source: "s", data: "{}", extra: "{}" });
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
    ] {
        assert_eq!(kind(garbage.clone()), Err("output"), "{garbage:?}");
    }
}

/// The verdict on two events of which the second is rewritten to more than is stored.
fn refused(rewrite: validation::EventRewrite) -> EventVerdict {
    let verdict = kind(validation::EventVerdict { issues: vec![issue(0)], rewrites: vec![rewrite] });
    let verdict = verdict.unwrap();
    assert_eq!((verdict.issues.len(), verdict.rewrites.len()), (2, 1));
    let refusal = &verdict.issues[0];
    assert_eq!((refusal.row, refusal.reject, refusal.code.as_str()), (1, true, "rewrite_too_large"));
    verdict
}

#[test]
fn an_event_that_is_rewritten_to_more_than_is_stored_is_refused_and_emptied() {
    let half = limits::MAX_PAYLOAD_BYTES / 2;
    let object = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - r#"{"a":""}"#.len()));
    let verdict = refused(rewrite(1, &object(2 * half)));
    let message = &verdict.issues[0].message;
    assert!(message.ends_with("the event's JSON in bytes is 4194306, the limit is 4194304"), "{message}");
    assert_eq!(verdict.issues[0].path, "/data");
    let rewritten = &verdict.rewrites[0];
    assert_eq!((rewritten.data.as_ref().unwrap().as_str(), rewritten.extra.is_none()), ("{}", true));
    // With `extra` as it was, "{}", it fits.
    let fits =
        kind(validation::EventVerdict { issues: vec![], rewrites: vec![rewrite(1, &object(2 * half - 2))] });
    assert!(fits.unwrap().issues.is_empty());

    let extra_json = Some(object(half + 1));
    let both = validation::EventRewrite { row: 1, data_json: Some(object(half)), extra_json };
    let verdict = refused(both);
    assert!(verdict.rewrites[0].data.as_ref().unwrap().is_empty());
    assert!(verdict.rewrites[0].extra.as_ref().unwrap().is_empty());
    let alone = validation::EventRewrite { row: 1, data_json: None, extra_json: Some(object(2 * half)) };
    let verdict = refused(alone);
    assert_eq!((verdict.issues[0].path.as_str(), verdict.rewrites[0].data.is_none()), ("", true));
}

#[test]
fn what_is_kept_of_an_event_counts_with_what_is_rewritten() {
    let most = limits::MAX_PAYLOAD_BYTES;
    let kept = format!("{{\"a\":\"{}\"}}", "x".repeat(most / 2));
    let mut batch = EventBatch::default();
    batch.push(EventRow { timestamp: 1, id: "i", event_type: "t", source: "s", data: "{}", extra: &kept });
    let verdict = |data: &str| {
        let rewrites = vec![rewrite(0, data)];
        event_verdict(validation::EventVerdict { issues: vec![], rewrites }, &batch).unwrap()
    };
    assert_eq!(verdict(&kept).issues[0].code, "rewrite_too_large");
    assert!(verdict("{}").issues.is_empty());
}

#[test]
fn what_is_rewritten_is_measured_before_it_is_parsed() {
    let half = limits::MAX_PAYLOAD_BYTES;
    // Parsed, neither would be found to be JSON.
    let (data, extra) = ("x".repeat(half), "x".repeat(half + 1));
    let both = validation::EventRewrite { row: 1, data_json: Some(data.clone()), extra_json: Some(extra) };
    let verdict = refused(both);
    let message = &verdict.issues[0].message;
    assert!(message.contains("as it was written, in bytes is 8388609"), "{message}");
    let verdict = validation::EventVerdict { issues: vec![], rewrites: vec![rewrite(1, &data)] };
    let reason = event_verdict(verdict, &events(2)).unwrap_err().to_string();
    assert!(reason.contains("data of row 1 is no JSON object"), "{reason}");
}

#[test]
fn numbers_that_are_longer_when_written_anew_count_as_they_are_stored() {
    let numbers = "1e9,".repeat(limits::MAX_PAYLOAD_BYTES / 8);
    refused(rewrite(1, &format!("{{\"a\":[{numbers}1]}}")));
}

#[test]
fn contexts_keep_their_limits() {
    let mut batch = SampleBatch::default();
    let (series, other) = (batch.add_series("m", "{}"), batch.add_series("n", "{}"));
    for series in [series, other, series] {
        batch.push(series, 1, 1.0);
    }
    let check = |series, context: &str| {
        let rewrites = vec![validation::SeriesRewrite { series, context_json: context.to_owned() }];
        sample_verdict(validation::SampleVerdict { issues: vec![issue(0)], rewrites }, &batch)
    };
    assert_eq!(check(0, r#"{"b":1,"a":2}"#).unwrap().rewrites[0].context.as_str(), r#"{"a":2,"b":1}"#);
    assert!(check(2, "{}").is_err());
    assert!(check(0, "7").is_err());
    // Of what is too large the context is empty, and all of the series' samples are refused.
    let refused = |context: &str, words: &str| {
        let verdict = check(0, context).unwrap();
        assert!(verdict.rewrites[0].context.is_empty());
        let (refusals, given) = verdict.issues.split_at(2);
        assert_eq!(refusals.iter().map(|refusal| refusal.row).collect::<Vec<_>>(), [0, 2]);
        for refusal in refusals {
            let RowIssue { reject, code, path, message, .. } = refusal;
            assert_eq!((*reject, code.as_str(), path.as_str()), (true, "rewrite_too_large", "/context"));
            assert!(message.ends_with(words), "{message}");
        }
        assert_eq!((given.len(), given[0].code.as_str()), (1, "c"));
    };
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(limits::MAX_CONTEXT_BYTES));
    refused(&long, "the context as JSON in bytes is 8200, the limit is 8192");
    let keys: Vec<_> = (0..=limits::MAX_CONTEXT_KEYS).map(|key| format!("\"{key}\":\"\"")).collect();
    refused(&format!("{{{}}}", keys.join(",")), "the context's keys is 129, the limit is 128");
    // Parsed, it would be found to be no JSON.
    let unparsed = "x".repeat(2 * limits::MAX_CONTEXT_BYTES + 1);
    refused(&unparsed, "the context as it was written, in bytes is 16385, the limit is 16384");
    let nested = |depth: usize| format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!(check(0, &nested(limits::MAX_JSON_DEPTH)).unwrap().issues.len(), 1);
    for depth in [limits::MAX_JSON_DEPTH + 1, 1_000] {
        refused(&nested(depth), "the context is nested deeper than 100 levels");
    }
    // Spaces and escapes count for nothing, and a number that became longer is a float.
    let spaced = format!(r#"{{"a": "{}", "b": 18446744073709552000}}"#, r"\u0436".repeat(2_700));
    let context = check(0, &spaced).unwrap().rewrites[0].context.clone();
    assert_eq!(context.as_str(), format!(r#"{{"a":"{}","b":1.8446744073709552e+19}}"#, "ж".repeat(2_700)));
}

#[test]
fn whatever_is_admitted_can_be_written_anew() {
    let nested = |depth: usize| format!("{{\"a\":{}0{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let rewrite = |data: usize, extra: usize| {
        let (data, extra) = (nested(data), nested(extra));
        let rewrite = validation::EventRewrite { row: 0, data_json: Some(data), extra_json: Some(extra) };
        kind(validation::EventVerdict { issues: vec![], rewrites: vec![rewrite] })
    };
    let refusals = |data: usize, extra: usize| {
        let issues = rewrite(data, extra).unwrap().issues;
        issues.into_iter().map(|issue| (issue.code, issue.message)).collect::<Vec<_>>()
    };
    let deepest = limits::MAX_JSON_DEPTH;
    assert!(refusals(deepest, deepest + 1).is_empty());
    // The last is deeper than JSON is parsed, too.
    for (data, extra, part) in
        [(deepest + 1, 2, "data"), (2, deepest + 2, "one of the event's other fields"), (1_000, 2, "data")]
    {
        let found = refusals(data, extra);
        let [(code, message)] = &found[..] else { unreachable!("{found:?}") };
        assert_eq!(code, "rewrite_too_large");
        assert!(message.ends_with(&format!("{part} is nested deeper than 100 levels")), "{message}");
    }
    // As a language without integers writes them.
    let verdict = validation::EventVerdict {
        issues: vec![],
        rewrites: vec![self::rewrite(0, r#"{"n":100000000000000000000}"#)],
    };
    let data = kind(verdict).unwrap().rewrites.remove(0).data.unwrap();
    assert_eq!(data.as_str(), r#"{"n":1e+20}"#);
}
