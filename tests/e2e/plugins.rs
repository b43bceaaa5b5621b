//! Real components inside the host: shipped validators and aggregations, hostile ones, broken ones.

use std::path::Path;
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Config, Host, HostBuilder};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use crate::fixture::{code, host_with_clock, in_memory, with_plugin};

fn with_shipped(config: Value, name: &str, settings: Value) -> Value {
    with_plugin(config, name, &plugin(name).unwrap(), settings)
}

fn with_evil(settings: Value) -> Value {
    with_plugin(in_memory(), "evil", &guest("evil").unwrap(), settings)
}

fn event(host: &Host, body: Value) -> Envelope {
    host.record_event_json(body.to_string().as_bytes())
}

fn metric(host: &Host, body: Value) -> Envelope {
    host.record_metric_json(body.to_string().as_bytes())
}

fn query(host: &Host, body: Value) -> Value {
    let envelope = host.query_json(body.to_string().as_bytes());
    assert_eq!(code(&envelope), "success", "{}", envelope.body);
    envelope.body
}

fn stored(host: &Host, receipt: &Envelope) -> Value {
    host.event_json(receipt.body["event_id"].as_str().unwrap()).body["event"].clone()
}

fn refusal(config: Value) -> String {
    let opened = HostBuilder::new(Config::from_value(config).unwrap()).without_background().open();
    bridge_telemetry::envelope::cause_chain(&opened.err().unwrap())
}

#[test]
fn a_schema_refuses_and_names_the_field() {
    let schema = json!({"type": "object", "properties": {"command_id": {"type": "string"}}, "required": ["command_id"]});
    let config = json!({"config": {"schemas": {"COMMAND_*": schema}}});
    let (host, _) = host_with_clock(with_shipped(in_memory(), "json-schema", config));
    let wrong = json!({"event_type": "COMMAND_RECEIVED", "source": "s", "data": {"command_id": 5}});
    let refused = event(&host, wrong);
    assert_eq!(code(&refused), "INVALID_EVENT", "{}", refused.body);
    let issue = &refused.body["error"]["details"]["validation_errors"][0];
    assert_eq!(issue["validator"], "json-schema");
    assert!(issue["field"].as_str().unwrap().contains("command_id"), "{issue}");
    let right = json!({"event_type": "COMMAND_RECEIVED", "source": "s", "data": {"command_id": "c"}});
    assert_eq!(code(&event(&host, right)), "success");
    assert_eq!(code(&event(&host, json!({"event_type": "OTHER", "source": "s"}))), "success");
    assert_eq!(host.health_check().stats.events_total, 2);
}

#[test]
fn secrets_are_masked_before_they_are_stored_or_echoed() {
    let schema = json!({"type": "object", "required": ["never_there"]});
    let redact = json!({"order": 10, "config": {"patterns": ["hunter\\d"]}});
    let config = with_shipped(in_memory(), "redact", redact);
    let config =
        with_shipped(config, "json-schema", json!({"order": 20, "config": {"schemas": {"REFUSED": schema}}}));
    let (host, _) = host_with_clock(config);

    let data = json!({"user": {"password": "hunter2"}, "note": "it was hunter3, or so"});
    let receipt =
        event(&host, json!({"event_type": "LOGIN", "source": "s", "data": data, "token": "hunter4"}));
    let text = stored(&host, &receipt);
    assert_eq!(text["data"], json!({"user": {"password": "***"}, "note": "it was ***, or so"}));
    assert_eq!(text["token"], "***");

    for value in [json!(1), json!("text")] {
        let sample =
            json!({"metric_name": "logins", "metric_value": value, "context": {"api_key": "hunter5"}});
        let receipt = metric(&host, sample);
        assert_eq!(stored(&host, &receipt)["data"]["context"], json!({"api_key": "***"}), "{value}");
    }

    let refused =
        event(&host, json!({"event_type": "REFUSED", "source": "s", "data": {"password": "hunter6"}}));
    assert_eq!(code(&refused), "INVALID_EVENT");
    assert_eq!(refused.body["error"]["details"]["received_event"]["data"]["password"], "***");
    assert!(!refused.body.to_string().contains("hunter"), "{}", refused.body);
}

#[test]
fn a_plugins_percentile_is_near_the_exact_one() {
    let (host, _) = host_with_clock(with_shipped(in_memory(), "percentile", json!({})));
    let samples: Vec<Value> = (1..=2_000)
        .map(|n| {
            // Ten decades would be kind to a relative sketch; a curved distribution over three is not.
            let value = f64::from(n * n) / 1_000.0 + 1.0;
            let labels = json!({"half": if n <= 1_000 { "low" } else { "high" }});
            let time = format!("2025-05-21T14:{:02}:00Z", n % 30);
            json!({"metric_name": "latency", "metric_value": value, "context": labels, "timestamp": time})
        })
        .collect();
    for part in samples.chunks(1_000) {
        assert_eq!(code(&metric(&host, json!(part))), "success");
    }
    let mut compared = 0;
    let mut compare = |exact: &Value, near: &Value, what: &str| {
        assert_eq!(exact["sample_count"], near["sample_count"], "{what}");
        let (exact, near) = (exact["value"].as_f64().unwrap(), near["value"].as_f64().unwrap());
        assert!((near / exact - 1.0).abs() < 0.02, "{what}: {near} for {exact}");
        compared += 1;
    };
    let exact = query(&host, json!({"aggregation": "P90", "group_by": ["half"]}));
    let near = query(&host, json!({"aggregation": "percentile(q=0.9)", "group_by": ["half"]}));
    let (exact, near) = (&exact["metrics"]["latency"], &near["metrics"]["latency"]);
    compare(exact, near, "all");
    for (exact, near) in exact["groups"].as_array().unwrap().iter().zip(near["groups"].as_array().unwrap()) {
        assert_eq!(exact["by"], near["by"]);
        compare(exact, near, "a group");
    }
    let exact = query(&host, json!({"aggregation": "P90", "step": "10m"}));
    let near = query(&host, json!({"aggregation": "percentile(q=0.9)", "step": "10m"}));
    let points = |body: &Value| body["metrics"]["latency"]["points"].as_array().unwrap().clone();
    for (exact, near) in points(&exact).iter().zip(&points(&near)) {
        assert_eq!(exact["time"], near["time"]);
        compare(exact, near, "a point");
    }
    assert_eq!(compared, 1 + 2 + 3);
    let envelope = host.query_json(br#"{"aggregation": "percentile(q=2)"}"#);
    assert_eq!(code(&envelope), "INVALID_AGGREGATION", "{}", envelope.body);
}

#[test]
fn a_plugins_moving_average_forgets_by_time() {
    let (host, _) = host_with_clock(with_shipped(in_memory(), "ewma", json!({})));
    for (time, value) in [("14:20:00", 100), ("14:30:00", 10)] {
        let time = format!("2025-05-21T{time}Z");
        metric(&host, json!({"metric_name": "load", "metric_value": value, "timestamp": time}));
    }
    // Two half-lives apart: (10 + 100/4) / (1 + 1/4) = 28.
    let answer = query(&host, json!({"aggregation": "ewma(half_life=\"5m\")"}));
    let value = answer["metrics"]["load"]["value"].as_f64().unwrap();
    assert!((value - 28.0).abs() < 1e-9, "{answer}");
}

#[test]
fn a_hostile_validator_costs_the_record_and_not_the_host() {
    let (host, clock) = host_with_clock(with_evil(json!({"limits": {"deadline_ms": 1_000}})));
    for attack in ["panic", "loop"] {
        let refused = event(&host, json!({"event_type": attack, "source": "s"}));
        assert_eq!(code(&refused), "PLUGIN_FAILURE", "{attack}: {}", refused.body);
        assert_eq!(refused.body["error"]["details"]["plugin"], "evil");
    }
    // Beyond any quarantine.
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    assert_eq!(code(&event(&host, json!({"event_type": "harmless", "source": "s"}))), "success");
    let health = host.health_json().body;
    let listed =
        health["plugins"].as_array().unwrap().iter().find(|listed| listed["name"] == "evil").unwrap().clone();
    assert!(listed["failures"].as_u64().unwrap() >= 2, "{listed}");
    assert_eq!(health["stats"]["events_total"], 1);
}

#[test]
fn a_failed_judgement_passes_where_the_operator_says_so() {
    let (host, _) = host_with_clock(with_evil(json!({"on_failure": "accept"})));
    let passed = event(&host, json!({"event_type": "panic", "source": "s"}));
    assert_eq!(code(&passed), "success", "{}", passed.body);
    let stats = host.health_json().body["stats"].clone();
    assert_eq!(stats["events_total"], 1);
    assert_eq!(host.health_check().stats.recording.unvalidated_records, 1, "{stats}");
}

fn truncated(folder: &Path) -> std::path::PathBuf {
    let whole = std::fs::read(plugin("redact").unwrap()).unwrap();
    let path = folder.join("broken.wasm");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    path
}

#[test]
fn a_broken_component_degrades_the_host_unless_it_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let component = truncated(folder.path());
    let mut config = with_plugin(in_memory(), "broken", &component, json!({}));
    let refused = refusal(config.clone());
    assert!(refused.contains("\"broken\""), "{refused}");
    config["plugins"]["settings"]["broken"]["required"] = json!(false);
    let (host, _) = host_with_clock(config);
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    assert!(health["issues"][0].as_str().unwrap().contains("plugin broken could not be loaded"), "{health}");
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "success");
}

#[test]
fn a_plugins_wrong_configuration_is_named_by_its_key() {
    let refused = refusal(with_shipped(in_memory(), "redact", json!({"config": {"patern": ["x"]}})));
    assert!(refused.contains("redact") && refused.contains("patern"), "{refused}");
    let refused = refusal(with_shipped(in_memory(), "redact", json!({"config": {"patterns": ["("]}})));
    assert!(refused.contains("patterns[0]"), "{refused}");
}
