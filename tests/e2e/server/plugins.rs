//! Plugins over HTTP: reloading them, and their logs.

use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use super::Served;
use crate::fixture::{in_memory, with_plugin};

fn served(component: &std::path::Path) -> Served {
    Served::start(with_plugin(in_memory(), "guard", component, json!({})))
}

#[test]
fn a_plugin_is_reloaded_or_the_refusal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("guard.wasm");
    std::fs::copy(plugin("redact").unwrap(), &component).unwrap();
    let served = served(&component);
    let answer = served.post("/v1/plugins/guard/reload", &json!({}));
    assert_eq!(
        (answer.outcome(), &answer.body["reloads"][0]["outcome"]),
        ((200, "success"), &json!("unchanged"))
    );
    std::fs::copy(guest("evil").unwrap(), &component).unwrap();
    let answer = served.post("/v1/plugins/guard/reload", &json!({}));
    assert_eq!(answer.outcome(), (200, "success"), "{}", answer.body);
    let report = &answer.body["reloads"][0];
    assert_eq!(
        (&report["outcome"], &report["from"]["generation"], &report["to"]["version"]),
        (&json!("reloaded"), &json!(1), &json!("6.6.6"))
    );
    assert_eq!(report["to"]["generation"], 2);

    std::fs::write(&component, b"nothing").unwrap();
    let answer = served.post("/v1/plugins/guard/reload", &json!({}));
    assert_eq!(answer.outcome(), (500, "PLUGIN_FAILURE"), "{}", answer.body);
    let details = &answer.body["error"]["details"];
    assert_eq!((&details["plugin"], &details["stage"]), (&json!("guard"), &json!("load")));
    let listed = served.get("/v1/plugins").body["plugins"][0].clone();
    assert_eq!(
        (&listed["generation"], &listed["version"], &listed["reloads_refused"]),
        (&json!(2), &json!("6.6.6"), &json!(1))
    );
    assert_eq!(listed["last_reload"]["outcome"], "refused");

    assert_eq!(served.post("/v1/plugins/nobody/reload", &json!({})).outcome(), (404, "NOT_FOUND"));
    assert_eq!(
        served.post("/v1/plugins/guard/reload", &json!({"force": true})).outcome(),
        (400, "INVALID_QUERY")
    );
}

#[test]
fn the_last_lines_of_a_plugins_log_are_told() {
    let served = served(&guest("evil").unwrap());
    let event = |event_type: &str| {
        served.post("/v1/events", &json!({"event_type": event_type, "source": "s"}));
    };
    event("print");
    let answer = served.get("/v1/plugins/guard/logs");
    assert_eq!(answer.outcome(), (200, "success"), "{}", answer.body);
    let messages = |body: &Value| -> Vec<String> {
        let lines = body["lines"].as_array().unwrap().iter();
        lines
            .map(|line| format!("{} {}", line["level"].as_str().unwrap(), line["message"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(
        messages(&answer.body),
        ["INFO to standard output", "WARN to standard error", "INFO to the log"]
    );
    assert_eq!(answer.body["lines"][2]["fields"], "{\"a\":1}");
    assert_eq!(answer.body["last"], 3);
    event("panic");
    let after = served.get("/v1/plugins/guard/logs?after=3").body;
    let told = messages(&after).join("\n");
    assert!(told.contains("it was all a trap") && told.contains("it lost an instance"), "{told}");
    let last = served.get("/v1/plugins/guard/logs?limit=1").body;
    assert_eq!((last["lines"].as_array().unwrap().len(), &last["last"]), (1, &after["last"]));
    let none = served.get(&format!("/v1/plugins/guard/logs?after={}", after["last"])).body;
    assert_eq!((&none["lines"], &none["last"]), (&json!([]), &after["last"]));

    assert_eq!(served.get("/v1/plugins/nobody/logs").outcome(), (404, "NOT_FOUND"));
    assert_eq!(served.get("/v1/plugins/guard/logs?after=x").outcome(), (400, "INVALID_QUERY"));
    assert_eq!(served.get("/v1/plugins/guard/logs?from=1").outcome(), (400, "INVALID_QUERY"));
}
