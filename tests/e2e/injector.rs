//! The Injector's events and metric (Module 1), as it records them, run as they are.

use bridge_telemetry::{Config, EventDraft, EventQuery, Host, JsonObject, MetricDraft, MetricQuery};
use serde_json::{Value, json};
use telemetry_core::Context;

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
