//! Every error code of the contract, produced by what it stands for, and nothing stored by any of it.

use std::sync::{Arc, Barrier, Mutex, Weak};
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{EventDraft, Host, MetricDraft, RecordError};
use serde_json::{Value, json};
use telemetry_core::{ErrorCode, Subscription, limits};

use crate::fixture::{code, host_with_clock, in_folder, in_memory};

fn host() -> Host {
    host_with_clock(in_memory()).0
}

fn event(host: &Host, body: Value) -> Envelope {
    host.record_event_json(body.to_string().as_bytes())
}

fn metric(host: &Host, body: Value) -> Envelope {
    host.record_metric_json(body.to_string().as_bytes())
}

fn query(host: &Host, body: Value) -> Envelope {
    host.query_json(body.to_string().as_bytes())
}

fn is_empty(host: &Host) -> bool {
    let health = host.health_json().body;
    health["stats"]["events_total"] == 0 && health["stats"]["metrics_total"] == 0
}

#[test]
fn events_of_a_wrong_shape() {
    let host = host();
    let envelope = event(&host, json!({"source": "s", "data": 5, "marker": "m"}));
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

#[test]
fn a_thousand_identical_events_in_a_second() {
    let (host, clock) = host_with_clock(in_memory());
    let mut codes = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..1000 {
        clock.advance(Duration::from_millis(1));
        let envelope = event(&host, json!({"event_type": "TICK", "source": "s", "data": {"n": 1}}));
        *codes.entry(code(&envelope).to_owned()).or_default() += 1;
        if code(&envelope) == "LOOP_DETECTED" {
            assert_eq!(envelope.body["error"]["message"], "Event appears to be in an infinite loop");
            assert!(envelope.body["error"]["details"]["repeats"].as_u64().unwrap() >= 5);
        }
    }
    assert!(codes["LOOP_DETECTED"] > 900, "{codes:?}");
    assert!(codes["success"] >= 5, "{codes:?}");
    // What is different passes all the same.
    assert_eq!(
        code(&event(&host, json!({"event_type": "TICK", "source": "s", "data": {"n": 2}}))),
        "success"
    );
}

#[test]
fn recording_nested_too_deeply() {
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
    let refusals = refusals.lock().unwrap();
    assert_eq!(refusals.len(), 1);
    assert!(matches!(refusals[0], RecordError::Recursion { limit: limits::MAX_RECURSION_DEPTH, .. }));
    assert_eq!(refusals[0].code(), ErrorCode::StackExhaustion);
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
fn unknown_ids() {
    let host = host();
    for id in ["0196f3a0-0000-7000-8000-000000000000", "not-an-id", "0196f3a0-0000-8000-8000-000000000000"] {
        assert_eq!(code(&host.event_json(id)), "NOT_FOUND", "{id}");
    }
}

#[test]
fn too_many_records_on_their_way() {
    let host = Arc::new(host());
    let (entered, leave) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let metrics = Subscription { metrics: Some(vec!["held".to_owned()]), ..Subscription::default() };
    let (inside, out) = (Arc::clone(&entered), Arc::clone(&leave));
    host.subscribe(metrics, move |_| {
        inside.wait();
        out.wait();
    });
    let mut batch = vec![MetricDraft::new("other", 1); limits::MAX_BATCH_RECORDS - 1];
    batch.push(MetricDraft::new("held", 1));
    let holders: Vec<_> = (0..2)
        .map(|_| {
            let (host, batch) = (Arc::clone(&host), batch.clone());
            std::thread::spawn(move || host.record_metrics(batch))
        })
        .collect();
    entered.wait();
    let refused = event(&host, json!({"event_type": "A", "source": "s"}));
    leave.wait();
    assert_eq!(code(&refused), "OVERLOADED");
    assert!(refused.body["error"]["details"]["retry_after_ms"].as_u64().unwrap() > 0);
    for holder in holders {
        assert!(holder.join().unwrap().iter().all(Result::is_ok));
    }
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "success");
}

#[test]
fn a_disk_without_room() {
    let folder = tempfile::tempdir().unwrap();
    let (host, _) = host_with_clock(in_folder(folder.path()));
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    drop(host);
    let mut config = in_folder(folder.path());
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    let (host, _) = host_with_clock(config);
    let envelope = metric(&host, json!({"metric_name": "m", "metric_value": 2}));
    assert_eq!(code(&envelope), "STORAGE_FAILURE");
    let answer = query(&host, json!({"aggregation": "SUM"}));
    assert_eq!(
        answer.body["metrics"]["m"]["value"], 1,
        "reads go on, nothing of the refused record is there"
    );
}
