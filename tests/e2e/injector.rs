//! The Injector's events and metric (Module 1), as it records them, run as they are.

use bridge_telemetry::{Config, EventDraft, EventQuery, Host, JsonObject, MetricDraft, MetricQuery};
use bridge_telemetry_tests::plugin;
use serde_json::{Value, json};
use telemetry_core::Context;

use crate::fixture::{code, event, host_with_clock, in_folder, metric, open, query, with_plugin};

const SOURCE: &str = "bridge_injector";

fn object(value: Value) -> JsonObject {
    JsonObject::from(value.as_object().unwrap())
}

/// One command's life.
fn inject(host: &Host, id: u32, outcome: Result<f64, &str>) {
    let command_id = format!("cmd-{id}");
    let record = |event_type: &str, data: Value| {
        host.record_event(EventDraft::new(event_type, SOURCE).with_data(object(data))).unwrap()
    };
    record(
        "COMMAND_RECEIVED",
        json!({"command_type": "INJECT_TASK", "command_id": command_id, "source": "orchestrator"}),
    );
    match outcome {
        Ok(time) => {
            record(
                "COMMAND_COMPLETED",
                json!({"command_type": "INJECT_TASK", "command_id": command_id, "status": "SUCCESS", "processing_time_ms": time}),
            );
            let context = Context::from_labels([("command_type", "INJECT_TASK"), ("status", "SUCCESS")]);
            host.record_metric(MetricDraft::new("command_processing_time_ms", time).with_context(context))
                .unwrap();
        }
        Err(message) => {
            record(
                "COMMAND_ERROR",
                json!({"command_type": "INJECT_TASK", "command_id": command_id, "error_code": "E42", "error_message": message}),
            );
        }
    }
}

#[test]
fn commands_are_stored_counted_and_aggregated() {
    let config = json!({"storage_config": {"backend": "memory"}});
    let host = Host::open(Config::from_value(config).unwrap()).unwrap();
    for id in 0..100 {
        inject(&host, id, if id % 10 == 9 { Err("task not found") } else { Ok(f64::from(id)) });
    }
    let query = MetricQuery::of(["command_processing_time_ms"]).group_by(["command_type", "status"]);
    let answer = host.get_metrics(&query).unwrap().to_json();
    let group = answer.pointer("/metrics/command_processing_time_ms/groups/0").unwrap();
    assert_eq!(group["by"], json!({"command_type": "INJECT_TASK", "status": "SUCCESS"}));
    assert_eq!(group["sample_count"], 90);
    assert_eq!(group["value"], 49);

    let errors = EventQuery {
        event_type: Some("COMMAND_ERROR".to_owned()),
        source: Some(SOURCE.to_owned()),
        ..EventQuery::default()
    };
    let page = host.query_events(&errors).unwrap();
    assert_eq!(page.events.len(), 10);
    assert_eq!(page.events[0].data.to_map()["error_message"], "task not found");

    let health = serde_json::to_value(host.health_check()).unwrap();
    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!(health["stats"]["events_recorded"], 200);
    assert_eq!(health["stats"]["metrics_recorded"], 90);
}

/// The Injector's records as its module sends them: two commands, one of which fails.
fn records() -> Vec<(&'static str, Value)> {
    vec![
        ("COMMAND_RECEIVED", json!({"command_type": "INJECT_TASK", "command_id": "cmd-1", "source": "cli"})),
        (
            "COMMAND_COMPLETED",
            json!({"command_type": "INJECT_TASK", "command_id": "cmd-1", "status": "SUCCESS", "processing_time_ms": 135.7}),
        ),
        ("COMMAND_RECEIVED", json!({"command_type": "EXECUTE", "command_id": "cmd-2", "source": "agent_2"})),
        (
            "COMMAND_ERROR",
            json!({"command_type": "EXECUTE", "command_id": "cmd-2", "error_code": "TIMEOUT", "error_message": "no answer\nin 5 s"}),
        ),
    ]
}

/// What the contract says of the data of each event, as a schema for the validator.
fn schemas() -> Value {
    let of = |required: &[&str]| json!({"type": "object", "required": required});
    json!({
        "COMMAND_RECEIVED": of(&["command_type", "command_id", "source"]),
        "COMMAND_COMPLETED": of(&["command_type", "command_id", "status", "processing_time_ms"]),
        "COMMAND_ERROR": of(&["command_type", "command_id", "error_code", "error_message"]),
    })
}

#[test]
fn commands_come_back_as_they_were_recorded_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"config": {"schemas": schemas()}});
    let config =
        with_plugin(in_folder(folder.path()), "json-schema", &plugin("json-schema").unwrap(), settings);
    let (host, clock) = host_with_clock(config.clone());
    let mut receipts = Vec::new();
    for (event_type, data) in records() {
        let answer = event(&host, json!({"event_type": event_type, "source": SOURCE, "data": data}));
        assert_eq!(code(&answer), "success", "{}", answer.body);
        receipts.push(answer.body);
    }
    for (time, status) in [(135.7, "SUCCESS"), (5_000.0, "ERROR")] {
        let context = json!({"command_type": "INJECT_TASK", "status": status});
        let sample =
            json!({"metric_name": "command_processing_time_ms", "metric_value": time, "context": context});
        let answer = metric(&host, sample);
        assert_eq!(code(&answer), "success", "{}", answer.body);
        receipts.push(answer.body);
    }
    let incomplete =
        json!({"event_type": "COMMAND_ERROR", "source": SOURCE, "data": {"command_type": "EXECUTE"}});
    assert_eq!(code(&event(&host, incomplete)), "INVALID_EVENT");
    drop(host);

    let host = open(config, clock);
    for ((event_type, data), receipt) in records().into_iter().zip(&receipts) {
        let found = host.event_json(receipt["event_id"].as_str().unwrap()).body["event"].clone();
        let expected = json!({
            "event_type": event_type, "source": SOURCE, "event_id": receipt["event_id"],
            "timestamp": receipt["timestamp"], "data": data,
        });
        assert_eq!(found, expected);
    }
    let sample = host.event_json(receipts[4]["event_id"].as_str().unwrap()).body["event"].clone();
    assert_eq!((&sample["event_type"], &sample["source"]), (&json!("METRIC"), &json!("metrics_collector")));
    let context = json!({"command_type": "INJECT_TASK", "status": "SUCCESS"});
    let data =
        json!({"metric_name": "command_processing_time_ms", "metric_value": 135.7, "context": context});
    assert_eq!(sample["data"], data);
    let page =
        host.events_json([("type", "COMMAND_RECEIVED"), ("source", SOURCE), ("order", "oldest_first")]);
    let ids: Vec<_> = page.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["command_id"].clone())
        .collect();
    assert_eq!(ids, ["cmd-1", "cmd-2"]);
    let asked = json!({"metric_names": ["command_processing_time_ms"], "filter": {"status": "SUCCESS"}});
    let answer = query(&host, asked).body;
    assert_eq!(answer["metrics"]["command_processing_time_ms"]["value"], 135.7, "{answer}");
}
