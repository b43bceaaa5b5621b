//! Callers' errors, each produced by what it stands for, and nothing stored by any of it. The host's own faults are in
//! `faults`, which also holds the list of all codes.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{EventDraft, Host, ManualClock, MetricDraft, RecordError};
use serde_json::{Value, json};
use telemetry_core::{ErrorCode, Subscription, limits};

use crate::fixture::{code, event, host_with_clock, in_memory, message, metric, query};
use crate::holders::Holders;

fn host() -> Host {
    host_with_clock(in_memory()).0
}

fn is_empty(host: &Host) -> bool {
    let health = host.health_json().body;
    health["stats"]["events_total"] == 0 && health["stats"]["metrics_total"] == 0
}

/// The answer to a record or query for which `code` was made. The host that gives it stored nothing by it.
pub(crate) fn answer_with(code: ErrorCode) -> Envelope {
    let host = host();
    let envelope = match code {
        ErrorCode::InvalidEvent => event(&host, json!({"source": "s", "data": 5, "marker": "m"})),
        ErrorCode::InvalidTimestamp => {
            event(&host, json!({"event_type": "A", "source": "s", "timestamp": "2025-05-14T14:32:17Z"}))
        }
        ErrorCode::InvalidMetricName => metric(&host, json!({"metric_name": "", "metric_value": 1})),
        ErrorCode::InvalidMetricValue => metric(&host, json!({"metric_name": "m", "metric_value": null})),
        ErrorCode::InvalidAggregation => query(&host, json!({"aggregation": "MEDIAN"})),
        ErrorCode::InvalidTimeRange => {
            query(&host, json!({"time_range": ["2025-05-21T00:00:00Z", "2025-05-20T00:00:00Z"]}))
        }
        ErrorCode::InvalidQuery => query(&host, json!({"filter": {"k": {"regex": "("}}})),
        ErrorCode::MalformedPayload => host.record_event_json(b"{"),
        ErrorCode::PayloadTooLarge => {
            let large = "x".repeat(10 << 20);
            event(&host, json!({"event_type": "A", "source": "s", "data": {"large": large}}))
        }
        ErrorCode::NotFound => host.event_json("0196f3a0-0000-7000-8000-000000000000"),
        other => panic!("{other} is no caller's error of a single call"),
    };
    assert!(is_empty(&host), "{code}");
    envelope
}

#[test]
fn events_of_a_wrong_shape() {
    let host = host();
    let envelope = answer_with(ErrorCode::InvalidEvent);
    assert_eq!(code(&envelope), "INVALID_EVENT");
    let details = &envelope.body["error"]["details"];
    assert_eq!(details["received_event"]["marker"], "m");
    let fields: Vec<_> =
        details["validation_errors"].as_array().unwrap().iter().map(|issue| issue["field"].clone()).collect();
    assert_eq!(fields, ["data", "event_type"]);
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": " "}))), "INVALID_EVENT");
    assert!(is_empty(&host));
}

#[test]
fn times_outside_the_accepted_range() {
    let host = host();
    for time in ["2025-05-14T14:32:17Z", "2025-05-21T15:32:18Z", "1960-01-01T00:00:00Z"] {
        let envelope = event(&host, json!({"event_type": "A", "source": "s", "timestamp": time}));
        assert_eq!(code(&envelope), "INVALID_TIMESTAMP", "{time}");
        let details = &envelope.body["error"]["details"];
        assert_eq!(details["oldest"], "2025-05-14T14:32:17.123Z");
        assert_eq!(details["newest"], "2025-05-21T15:32:17.123Z");
    }
    let metric =
        metric(&host, json!({"metric_name": "m", "metric_value": 1, "timestamp": "2025-01-01T00:00:00Z"}));
    assert_eq!(code(&metric), "INVALID_TIMESTAMP");
    assert!(is_empty(&host));
}

/// A thousand identical events within a second; answers how many passed, and the last answer.
pub(crate) fn thousand_identical_events(host: &Host, clock: &ManualClock) -> (usize, Envelope) {
    let answers: Vec<Envelope> = (0..1000)
        .map(|_| {
            clock.advance(Duration::from_millis(1));
            event(host, json!({"event_type": "TICK", "source": "s", "data": {"n": 1}}))
        })
        .collect();
    let passed = answers.iter().filter(|answer| answer.is_success()).count();
    (passed, answers.last().unwrap().clone())
}

#[test]
fn a_thousand_identical_events_in_a_second() {
    let (host, clock) = host_with_clock(in_memory());
    let (passed, last) = thousand_identical_events(&host, &clock);
    assert_eq!(passed, 5, "the threshold; the storm keeps itself out");
    assert_eq!(code(&last), "LOOP_DETECTED");
    assert_eq!(message(&last), "Event appears to be in an infinite loop");
    let details = &last.body["error"]["details"];
    assert!(details["repeats"].as_u64().unwrap() >= 5 && details["window"] == 100, "{details}");
    assert_eq!(host.health_check().stats.events_total, 5);
    // What is different passes all the same.
    assert_eq!(
        code(&event(&host, json!({"event_type": "TICK", "source": "s", "data": {"n": 2}}))),
        "success"
    );
}

/// What recording answers when it is nested too deeply, and the host on which that happened.
pub(crate) fn nested_too_deeply() -> (Arc<Host>, RecordError) {
    let host = Arc::new(host());
    let weak: Weak<Host> = Arc::downgrade(&host);
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&refusals);
    let everything = Subscription { event_types: Some(Vec::new()), ..Subscription::default() };
    host.subscribe(everything, move |_| {
        let Some(host) = weak.upgrade() else { return };
        let number = host.health_check().stats.recording.events_recorded;
        let data = json!({ "n": number });
        let draft = EventDraft::new("NESTED", "subscriber")
            .with_data(telemetry_core::JsonObject::from(data.as_object().unwrap()));
        if let Err(error) = host.record_event(draft) {
            seen.lock().unwrap().push(error);
        }
    });
    host.record_event(EventDraft::new("FIRST", "test")).unwrap();
    let mut refusals = refusals.lock().unwrap();
    assert_eq!(refusals.len(), 1);
    (host, refusals.remove(0))
}

#[test]
fn recording_nested_too_deeply() {
    let (host, refusal) = nested_too_deeply();
    assert!(matches!(refusal, RecordError::Recursion { limit: limits::MAX_RECURSION_DEPTH, .. }));
    assert_eq!(refusal.code(), ErrorCode::StackExhaustion);
    assert_eq!(host.health_check().stats.recording.events_recorded, u64::from(limits::MAX_RECURSION_DEPTH));
}

#[test]
fn metrics_without_a_name_or_value() {
    let host = host();
    let check =
        |body: Value, expected: &str| assert_eq!(code(&metric(&host, body.clone())), expected, "{body}");
    check(json!({"metric_name": "", "metric_value": 1}), "INVALID_METRIC_NAME");
    check(json!({"metric_value": 1}), "INVALID_METRIC_NAME");
    check(json!({"metric_name": "m", "metric_value": null}), "INVALID_METRIC_VALUE");
    check(json!({"metric_name": "m", "metric_value": [1]}), "INVALID_METRIC_VALUE");
    for value in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            host.record_metric(MetricDraft::new("m", value)).unwrap_err().code(),
            ErrorCode::InvalidMetricValue
        );
    }
    assert!(is_empty(&host));
}

#[test]
fn queries_that_cannot_be_answered() {
    let host = host();
    metric(&host, json!({"metric_name": "m", "metric_value": 1}));
    let check = |body: Value, expected: &str| {
        let envelope = query(&host, body.clone());
        assert_eq!(code(&envelope), expected, "{body}");
        envelope
    };
    let envelope = check(json!({"aggregation": "MEDIAN"}), "INVALID_AGGREGATION");
    assert!(
        envelope.body["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Unsupported aggregation method: MEDIAN")
    );
    assert!(envelope.body["error"]["details"].to_string().contains("P99"));
    check(json!({"time_range": ["2025-05-21T00:00:00Z", "2025-05-20T00:00:00Z"]}), "INVALID_TIME_RANGE");
    check(json!({"time_range": ["yesterday", null]}), "INVALID_TIME_RANGE");
    check(json!({"filter": {"k": {"regex": "("}}}), "INVALID_QUERY");
    check(json!({"step": "often"}), "INVALID_QUERY");
    check(json!({"unknown": 1}), "INVALID_QUERY");
    assert_eq!(code(&host.query_json(b"{")), "MALFORMED_PAYLOAD");
    assert_eq!(code(&host.events_json([("cursor", "broken")])), "INVALID_QUERY");
    assert_eq!(code(&host.events_json([("limit", "many")])), "INVALID_QUERY");
}

#[test]
fn payloads_that_are_no_json_or_too_large() {
    let host = host();
    for body in [&b"{"[..], b"", b"\xff\xfe", b"5", b"[[]]"] {
        let envelope = host.record_event_json(body);
        let code = envelope.body.pointer("/error/code").or(envelope.body.pointer("/results/0/error/code"));
        assert_eq!(code.unwrap(), "MALFORMED_PAYLOAD", "{body:?}");
    }
    let large = "x".repeat(10 << 20);
    assert_eq!(
        code(&event(&host, json!({"event_type": "A", "source": "s", "data": {"large": large}}))),
        "PAYLOAD_TOO_LARGE"
    );
    let keys: serde_json::Map<_, _> = (0..10_000).map(|n| (format!("key-{n}"), json!(n))).collect();
    assert_eq!(
        code(&metric(&host, json!({"metric_name": "m", "metric_value": 1, "context": keys}))),
        "PAYLOAD_TOO_LARGE"
    );
    let many = vec![MetricDraft::new("m", 1); limits::MAX_BATCH_RECORDS + 1];
    assert!(
        host.record_metrics(many)
            .iter()
            .all(|outcome| { outcome.as_ref().unwrap_err().code() == ErrorCode::PayloadTooLarge })
    );
    assert!(is_empty(&host));
}

#[test]
fn values_of_the_wrong_type() {
    let host = host();
    let check = |answer: Envelope, expected: &str| assert_eq!(code(&answer), expected, "{}", answer.body);
    for (field, value) in [
        ("event_type", json!(1)),
        ("event_type", json!(null)),
        ("source", json!(["s"])),
        ("data", json!("text")),
        ("data", json!([1])),
        ("timestamp", json!(1_747_837_937)),
        ("timestamp", json!("yesterday")),
        ("event_id", json!(5)),
        ("event_id", json!("no uuid")),
    ] {
        let mut body = json!({"event_type": "A", "source": "s"});
        body[field] = value;
        let answer = event(&host, body);
        assert_eq!(
            answer.body["error"]["details"]["validation_errors"][0]["field"], field,
            "{}",
            answer.body
        );
        check(answer, "INVALID_EVENT");
    }
    let sample = |field: &str, value: Value| {
        let mut body = json!({"metric_name": "m", "metric_value": 1});
        body[field] = value;
        metric(&host, body)
    };
    check(sample("metric_name", json!(5)), "INVALID_METRIC_NAME");
    check(sample("metric_value", json!(true)), "INVALID_METRIC_VALUE");
    check(sample("metric_value", json!({})), "INVALID_METRIC_VALUE");
    check(sample("context", json!([])), "INVALID_EVENT");
    check(sample("timestamp", json!([])), "INVALID_EVENT");
    check(sample("labels", json!({})), "INVALID_EVENT");
    for (field, value, expected) in [
        ("metric_names", json!(5), "INVALID_QUERY"),
        ("aggregation", json!(5), "INVALID_QUERY"),
        ("time_range", json!({}), "INVALID_TIME_RANGE"),
        ("time_range", json!([1]), "INVALID_TIME_RANGE"),
        ("filter", json!([]), "INVALID_QUERY"),
        ("group_by", json!(5), "INVALID_QUERY"),
        ("step", json!(true), "INVALID_QUERY"),
        ("limit", json!(-1), "INVALID_QUERY"),
    ] {
        let mut body = json!({});
        body[field] = value;
        check(query(&host, body), expected);
    }
    assert!(is_empty(&host));
}

#[test]
fn names_that_are_empty_too_long_or_unprintable() {
    let host = host();
    let long = "x".repeat(limits::MAX_NAME_BYTES + 1);
    for name in ["", " ", "\t\n", "a\u{0}b", "a\u{1b}[2J", long.as_str()] {
        for (event_type, source) in [(name, "s"), ("A", name)] {
            let answer = event(&host, json!({"event_type": event_type, "source": source}));
            assert_eq!(code(&answer), "INVALID_EVENT", "{name:?}");
        }
        assert_eq!(
            code(&metric(&host, json!({"metric_name": name, "metric_value": 1}))),
            "INVALID_METRIC_NAME"
        );
    }
    assert!(is_empty(&host));
    let longest = "é".repeat(limits::MAX_NAME_BYTES / 2);
    assert_eq!(code(&event(&host, json!({"event_type": longest, "source": "s"}))), "success");
}

#[test]
fn text_that_is_no_json_or_no_utf8() {
    let host = host();
    let deep = format!(
        "{{\"event_type\":\"A\",\"source\":\"s\",\"data\":{}{}}}",
        "{\"a\":".repeat(200),
        "}".repeat(200)
    );
    for body in [
        &b"{\"event_type\":\"A\xff\",\"source\":\"s\"}"[..],
        b"{\"event_type\":\"\\ud800\",\"source\":\"s\"}",
        b"{\"event_type\":\"A\",\"source\":\"s\"} {}",
        b"{\"event_type\":\"A\",\"source\":\"s\"",
        b"{'event_type':'A','source':'s'}",
        deep.as_bytes(),
    ] {
        assert_eq!(
            code(&host.record_event_json(body)),
            "MALFORMED_PAYLOAD",
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    for value in ["NaN", "Infinity", "+1", "01", ".5"] {
        let body = format!("{{\"metric_name\":\"m\",\"metric_value\":{value}}}");
        assert_eq!(code(&host.record_metric_json(body.as_bytes())), "MALFORMED_PAYLOAD", "{value}");
    }
    for value in ["1e999", "-1e999", "9223372036854775808"] {
        let body = format!("{{\"metric_name\":\"m\",\"metric_value\":{value}}}");
        assert_eq!(code(&host.record_metric_json(body.as_bytes())), "INVALID_METRIC_VALUE", "{value}");
    }
    assert_eq!(code(&host.query_json(b"\xff")), "MALFORMED_PAYLOAD");
    assert_eq!(code(&host.import_json(b"\xff")), "MALFORMED_PAYLOAD");
    assert!(is_empty(&host));
}

#[test]
fn unknown_ids() {
    let host = host();
    for id in ["0196f3a0-0000-7000-8000-000000000000", "not-an-id", "0196f3a0-0000-8000-8000-000000000000"] {
        assert_eq!(code(&host.event_json(id)), "NOT_FOUND", "{id}");
    }
}

#[test]
pub(crate) fn too_many_records_on_their_way() {
    let host = Arc::new(host());
    let held = Holders::of(&host);
    let refused = event(&host, json!({"event_type": "A", "source": "s"}));
    held.let_go();
    assert_eq!(code(&refused), "OVERLOADED");
    assert!(refused.body["error"]["details"]["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "success");
    let stats = host.health_check().stats;
    assert_eq!((stats.events_total, stats.metrics_total), (1, limits::MAX_RECORDS_IN_FLIGHT as u64));
}
