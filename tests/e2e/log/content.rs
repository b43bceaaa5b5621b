//! What stands in the log.

use std::sync::Weak;
use std::time::Duration;

use bridge_telemetry::{EventDraft, Host};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};
use telemetry_core::{JsonObject, Subscription};

use super::Logged;
use crate::errors::thousand_identical_events;
use crate::fixture::{code, event, in_folder, in_memory, metric, query, with_plugin};

/// The contract's keys, in its order.
const KEYS: [&str; 8] =
    ["eventId", "timestamp", "source", "status", "payload", "logLevel", "message", "errorDetails"];

/// Checks the record of a refused event, and answers its reason and payload.
fn check_refusal(record: &Value) -> (&str, &Value) {
    assert_eq!(record.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    let fixed = json!([record["source"], record["status"], record["logLevel"], record["message"]]);
    assert_eq!(fixed, json!(["Bridge_Telemetry", "ERROR", "ERROR", "Event validation failed."]));
    assert_eq!(record["errorDetails"]["errorCode"], "INVALID_EVENT", "{record}");
    let id: uuid::Uuid = record["eventId"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    (record["errorDetails"]["errorMessage"].as_str().unwrap(), &record["payload"])
}

/// That an event that is refused with `code` stands in the log, with what its reason contains.
fn check(logged: &Logged, body: Value, expected: &str, words: &[&str]) {
    let records = logged.logged(|host| assert_eq!(code(&event(host, body.clone())), expected));
    assert_eq!(records.len(), 1, "{records:?}");
    let (reason, payload) = check_refusal(&records[0]);
    assert_eq!(payload, &body);
    // Where the caller was answered another code, the reason begins with it.
    let begins = if expected == "INVALID_EVENT" { String::new() } else { format!("{expected}: ") };
    assert!(reason.starts_with(&begins), "{reason}");
    for word in words {
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[test]
fn every_refused_event_whatever_the_reason() {
    let logged = Logged::new(json!({}));
    let check = |body: Value, expected: &str, words: &[&str]| check(&logged, body, expected, words);
    check(
        json!({"event_type": "", "source": "s", "data": {}}),
        "INVALID_EVENT",
        &["event_type: must not be empty"],
    );
    let wrong = json!({"event_type": 1, "data": []});
    check(
        wrong,
        "INVALID_EVENT",
        &["event_type: must be a string", "data: must be an object", "source: is required"],
    );
    let old = json!({"event_type": "A", "source": "s", "timestamp": "2025-01-01T00:00:00Z", "data": {}});
    check(old, "INVALID_TIMESTAMP", &["outside the accepted range"]);
    let records = logged.logged(|host| {
        assert_eq!(code(&host.record_event_json(b"{\"event_type\": oops")), "MALFORMED_PAYLOAD");
        assert_eq!(code(&host.record_event_json(b"\xff\xfe")), "MALFORMED_PAYLOAD");
    });
    let (reason, payload) = check_refusal(&records[0]);
    assert!(reason.starts_with("MALFORMED_PAYLOAD: the payload is not JSON"), "{reason}");
    assert_eq!(payload, "{\"event_type\": oops");
    assert_eq!(check_refusal(&records[1]).1, "\u{fffd}\u{fffd}");
    // Of an array what is wrong, of an import likewise; what is good is stored.
    let records = logged.logged(|host| {
        event(host, json!([{"event_type": "A", "source": "s"}, {"source": "t"}, 5]));
        let id = uuid::Uuid::new_v4();
        let body = json!({"batch_id": id, "name": "n", "events": [{"source": "u"}, {"event_type": "B", "source": "s"}]});
        assert!(host.import_json(body.to_string().as_bytes()).is_success());
    });
    let payloads: Vec<_> = records.iter().map(|record| check_refusal(record).1.clone()).collect();
    assert_eq!(payloads, [json!({"source": "t"}), json!(5), json!({"source": "u"})]);
    // Two events and the import's own.
    assert_eq!(logged.host.health_check().stats.events_total, 3);
}

#[test]
fn refusals_by_validators_with_what_they_rewrote() {
    let schema = json!({"type": "object", "required": ["never_there"]});
    let redact = json!({"order": 10, "config": {"patterns": ["hunter\\d"]}});
    let config = with_plugin(in_memory(), "redact", &plugin("redact").unwrap(), redact);
    let settings = json!({"order": 20, "config": {"schemas": {"REFUSED": schema}}});
    let logged =
        Logged::of(with_plugin(config, "json-schema", &plugin("json-schema").unwrap(), settings), json!({}));
    let records = logged.logged(|host| {
        let body = json!({"event_type": "REFUSED", "source": "s", "data": {"password": "hunter2"}});
        assert_eq!(code(&event(host, body)), "INVALID_EVENT");
    });
    let (reason, payload) = check_refusal(&records[0]);
    assert!(reason.contains("never_there"), "{reason}");
    assert_eq!(payload["data"]["password"], "***");
    assert!(!std::fs::read_to_string(logged.path()).unwrap().contains("hunter"));
}

/// The caller gets back what he sent; the log has it only as far as it tells one record from another.
#[test]
fn what_was_refused_before_a_validator_could_mask_it_is_withheld() {
    let logged =
        Logged::of(with_plugin(in_memory(), "redact", &plugin("redact").unwrap(), json!({})), json!({}));
    let secret = json!({"password": "hunter2"});
    let records = logged.logged(|host| {
        let login = json!({"event_type": "LOGIN", "source": "s", "data": secret});
        let answers: Vec<_> = (0..6).map(|_| event(host, login.clone())).collect();
        assert_eq!(code(&answers[5]), "LOOP_DETECTED");
        let shapeless = json!({"event_type": "", "source": "s", "data": secret});
        let refused = event(host, shapeless.clone());
        assert_eq!(refused.body["error"]["details"]["received_event"], shapeless);
        event(
            host,
            json!({"event_type": "A", "source": "s", "timestamp": "2025-01-01T00:00:00Z", "data": secret}),
        );
        event(host, json!({"event_type": "A", "source": "s", "event_id": "none", "data": secret}));
        host.record_event_json(b"{\"password\": \"hunter2\" oops");
        metric(host, json!({"metric_name": "m", "metric_value": 1, "context": "hunter2"}));
        metric(host, json!({"metric_name": "", "metric_value": 1, "context": {"token": "hunter2"}}));
        metric(host, json!({"metric_name": 4_111_111_111_111_111_u64, "metric_value": 1}));
        let id = uuid::Uuid::new_v4();
        let body = json!({"batch_id": id, "name": "n", "events": [{"source": "u", "data": secret}]});
        host.import_json(body.to_string().as_bytes());
    });
    let mut payloads: Vec<Value> = records.iter().map(|record| record["payload"].clone()).collect();
    assert!(payloads[0]["event_id"].is_string(), "{}", payloads[0]);
    payloads[0]["event_id"] = json!("made");
    let expected = [
        json!({"event_type": "LOGIN", "source": "s", "event_id": "made", "withheld": true}),
        json!({"event_type": "", "source": "s", "withheld": true}),
        json!({"event_type": "A", "source": "s", "withheld": true}),
        json!({"event_type": "A", "source": "s", "event_id": "none", "withheld": true}),
        json!({"withheld": true}),
        json!({"metric_name": "m", "withheld": true}),
        json!({"metric_name": "", "withheld": true}),
        json!({"withheld": true}),
        json!({"source": "u", "withheld": true}),
    ];
    assert_eq!(payloads, expected);
    let log = std::fs::read_to_string(logged.path()).unwrap();
    assert!(!log.contains("hunter") && !log.contains("4111111111111111"), "{log}");
}

#[test]
fn refused_metrics_under_their_own_code() {
    let logged = Logged::new(json!({}));
    let records = logged.logged(|host| {
        metric(host, json!({"metric_name": "", "metric_value": 1, "context": {"a": "b"}}));
        metric(host, json!({"metric_name": "m", "metric_value": [1]}));
        let nan = bridge_telemetry::MetricDraft::new("m", f64::NAN);
        assert!(host.record_metric(nan).is_err());
    });
    let brief: Vec<_> = records
        .iter()
        .map(|record| json!([record["message"], record["errorDetails"]["errorCode"], record["payload"]]))
        .collect();
    let message = "Metric validation failed.";
    let expected = [
        json!([message, "INVALID_METRIC_NAME", {"metric_name": "", "metric_value": 1, "context": {"a": "b"}}]),
        json!([message, "INVALID_METRIC_VALUE", {"metric_name": "m", "metric_value": [1]}]),
        json!([message, "INVALID_METRIC_VALUE", {"metric_name": "m", "metric_value": "NaN", "context": {}}]),
    ];
    assert_eq!(brief, expected);
}

#[test]
fn a_flood_of_refusals_is_counted() {
    let logged = Logged::new(json!({}));
    let records = logged.logged(|host| {
        assert_eq!(thousand_identical_events(host, &logged.clock).0, 5);
        host.close();
    });
    let (counts, each): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record["payload"]["left_out"].is_u64());
    for record in &each {
        let (reason, payload) = check_refusal(record);
        assert_eq!(reason, "LOOP_DETECTED: Event appears to be in an infinite loop");
        assert_eq!(payload["event_type"], "TICK");
    }
    // Fifty at once and ten a second; the others are counted before the next one, the last ones when the host closes.
    assert!((50..=62).contains(&each.len()), "{}", each.len());
    let left_out: u64 = counts.iter().map(|record| record["payload"]["left_out"].as_u64().unwrap()).sum();
    assert_eq!(left_out, 995 - each.len() as u64);
    assert!(counts.iter().all(|record| record["logLevel"] == "WARNING" && record["status"] == "WARNING"));
    assert!(records.last().unwrap()["payload"]["since"].is_string());
}

#[test]
fn a_loop_and_a_recursion_with_what_was_recorded() {
    let logged = Logged::new(json!({}));
    let records = logged.logged(|host| {
        for _ in 0..6 {
            event(host, json!({"event_type": "BEAT", "source": "s", "data": {"n": 1}}));
        }
    });
    assert_eq!(records.len(), 1);
    assert!(check_refusal(&records[0]).0.starts_with("LOOP_DETECTED: "));
    let weak: Weak<Host> = std::sync::Arc::downgrade(&logged.host);
    let everything = Subscription { event_types: Some(vec!["NESTED".to_owned()]), ..Subscription::default() };
    logged.host.subscribe(everything, move |_| {
        let Some(host) = weak.upgrade() else { return };
        let number = json!({"n": host.health_check().stats.recording.events_recorded});
        let draft = EventDraft::new("NESTED", "s").with_data(JsonObject::from(number.as_object().unwrap()));
        let _ = host.record_event(draft);
    });
    let records = logged.logged(|host| drop(host.record_event(EventDraft::new("NESTED", "s"))));
    assert_eq!(records.len(), 1);
    let (reason, payload) = check_refusal(&records[0]);
    assert_eq!(reason, "STACK_EXHAUSTION: recording is nested 100 deep; the limit is 100");
    assert_eq!(payload["event_type"], "NESTED");
}

#[test]
fn a_payload_over_a_mebibyte_is_summarised() {
    let logged = Logged::new(json!({}));
    let body = json!({"event_type": "", "source": "s", "data": {"text": "é".repeat(700_000)}});
    let records = logged.logged(|host| {
        let refused = event(host, body.clone());
        // The caller gets all of it back.
        assert_eq!(refused.body["error"]["details"]["received_event"], body);
        let small = json!({"event_type": "", "source": "s", "data": {"text": "x".repeat(1_000_000)}});
        event(host, small);
    });
    let text = body.to_string();
    let summary: String = text.chars().take(1000).collect();
    let expected = json!({"truncated": true, "original_size": text.len(), "summary": summary});
    assert_eq!(check_refusal(&records[0]).1, &expected);
    assert_eq!(check_refusal(&records[1]).1["data"]["text"].as_str().unwrap().len(), 1_000_000);
}

#[test]
fn nothing_in_a_record_ends_its_line_or_steers_a_terminal() {
    let logged = Logged::new(json!({}));
    let evil = "x\n{\"forged\":true}\r\u{1b}[2J\u{9b}31m\u{202e}\u{2028}";
    let records = logged.logged(|host| {
        event(host, json!({"event_type": evil, "source": evil, "data": {evil: evil}}));
        tracing::warn!(source = evil, "{evil}");
    });
    assert_eq!(records.len(), 2);
    assert_eq!(check_refusal(&records[0]).1["data"][evil], evil, "the value is the same");
    let text = std::fs::read_to_string(logged.path()).unwrap();
    assert!(
        text.chars().all(|c| c == '\n' || !(c.is_control() || "\u{202e}\u{2028}".contains(c))),
        "{text:?}"
    );
}

#[test]
fn three_errors_of_the_hosts_own_and_the_request_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    let logged = Logged::of(config, json!({}));
    let records = logged.logged(|host| {
        for n in 0..3 {
            let refused = event(host, json!({"event_type": "A", "source": "s", "data": {"n": n}}));
            assert_eq!(code(&refused), "STORAGE_FAILURE");
        }
    });
    let brief: Vec<_> = records
        .iter()
        .map(|record| json!([record["logLevel"], record["errorDetails"]["errorCode"], record["payload"]]))
        .collect();
    let failure = json!(["ERROR", "STORAGE_FAILURE", null]);
    let asked = json!({"error_code": "STORAGE_FAILURE", "errors": 3, "period_seconds": 600});
    // The last one is the event of the request, which cannot be stored either.
    let expected =
        [failure.clone(), failure.clone(), failure.clone(), json!(["WARNING", null, asked]), failure];
    assert_eq!(brief, expected);
    assert_eq!(records[3]["message"], "AUTO_REBOOT_TRIGGERED");
    let told = records[0]["errorDetails"]["errorMessage"].as_str().unwrap();
    assert!(told.contains("the disk is nearly full"), "{told}");
}

#[test]
fn failed_queries_and_plugins_with_their_codes() {
    let logged = Logged::of(with_plugin(in_memory(), "evil", &guest("evil").unwrap(), json!({})), json!({}));
    let records = logged.logged(|host| {
        assert_eq!(code(&event(host, json!({"event_type": "panic", "source": "s"}))), "PLUGIN_FAILURE");
        assert_eq!(code(&query(host, json!({"aggregation": "MEDIAN"}))), "INVALID_AGGREGATION");
    });
    let errors: Vec<_> = records.iter().filter(|record| record["logLevel"] == "ERROR").collect();
    // A caller's own fault in a query is his to see.
    assert_eq!(errors.len(), 1, "{records:?}");
    assert_eq!(errors[0]["errorDetails"]["errorCode"], "PLUGIN_FAILURE");
    assert!(errors[0]["errorDetails"]["errorMessage"].as_str().unwrap().contains("it was all a trap"));
    // The runtime logs through the same layer.
    assert!(records.iter().any(|record| record["source"].as_str().unwrap().starts_with("telemetry_sandbox")));
}

#[test]
fn below_the_least_level_nothing_is_written() {
    for (least, expected) in [("DEBUG", 5), ("INFO", 4), ("WARNING", 3), ("ERROR", 2), ("FATAL", 1)] {
        let logged = Logged::new(json!({"min_log_level": least}));
        let records = logged.logged(|host| {
            tracing::debug!("d");
            tracing::info!("i");
            tracing::warn!("w");
            event(host, json!({"event_type": "", "source": "s"}));
            tracing::error!(fatal = true, "f");
        });
        let levels: Vec<_> = records.iter().map(|record| record["logLevel"].as_str().unwrap()).collect();
        assert_eq!(levels, ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"][5 - expected..], "{least}");
        logged.clock.advance(Duration::from_secs(1));
    }
}
