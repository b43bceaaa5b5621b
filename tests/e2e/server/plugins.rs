//! Plugins over HTTP: reloading them, switching them off and on, and their logs.

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
fn a_plugin_is_disabled_and_enabled_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["redact", "ewma"] {
        let component = folder.path().join(name).with_extension("wasm");
        std::fs::copy(plugin(name).unwrap(), component).unwrap();
    }
    let mut config = in_memory();
    config["plugins"] = json!({
        "policy": "any", "directory": folder.path(), "settings": {"ewma": {"required": true}},
    });
    let served = Served::start(config);
    let masks = || {
        let login = json!({"event_type": "LOGIN", "source": "s", "data": {"password": "hunter2"}});
        let receipt = served.post("/v1/events", &login).body;
        let path = format!("/v1/events/{}", receipt["event_id"].as_str().unwrap());
        served.get(&path).body["event"]["data"]["password"] == "***"
    };
    let switch = |name: &str, to: &str| served.post(&format!("/v1/plugins/{name}/{to}"), &json!({}));
    let load = || served.get("/v1/plugins").body["plugins"][1]["load"].clone();
    assert!(masks());
    let answer = switch("redact", "disable");
    assert_eq!((answer.outcome(), &answer.body["changed"]), ((200, "success"), &json!(true)));
    let report = &answer.body["reloads"][0];
    assert_eq!((&report["outcome"], &report["trigger"]), (&json!("disabled"), &json!("request")), "{report}");
    assert_eq!((masks(), load()), (false, json!("disabled")));
    let again = switch("redact", "disable").body;
    assert_eq!((&again["changed"], &again["reloads"]), (&json!(false), &json!([])));
    let answer = switch("redact", "enable");
    assert_eq!(
        (answer.outcome(), &answer.body["reloads"][0]["outcome"]),
        ((200, "success"), &json!("loaded"))
    );
    assert_eq!((masks(), load()), (true, json!("loaded")));

    let refused = switch("ewma", "disable");
    assert_eq!(refused.outcome(), (400, "INVALID_QUERY"), "{}", refused.body);
    assert_eq!(refused.body["error"]["details"], json!({"plugin": "ewma", "key": "required"}));
    for to in ["disable", "enable"] {
        assert_eq!(switch("nobody", to).outcome(), (404, "NOT_FOUND"));
        let answer = served.post(&format!("/v1/plugins/redact/{to}"), &json!({"force": true}));
        assert_eq!(answer.outcome(), (400, "INVALID_QUERY"));
    }
    // Another command holds the folder.
    let claim = std::fs::File::open(folder.path()).unwrap();
    claim.lock().unwrap();
    let busy = switch("redact", "disable");
    assert_eq!(busy.outcome(), (429, "OVERLOADED"), "{}", busy.body);
    assert!(busy.body["error"]["details"]["retry_after_ms"].as_u64().unwrap() > 0);
    drop(claim);
    // What is no plugin any more is enabled, and says why it is not loaded.
    switch("redact", "disable");
    std::fs::write(folder.path().join("redact.wasm"), b"nothing").unwrap();
    let answer = switch("redact", "enable");
    assert_eq!(answer.outcome(), (500, "PLUGIN_FAILURE"), "{}", answer.body);
    assert_eq!(answer.body["error"]["details"]["stage"], "load");
    assert_eq!(load(), "failed");
    assert_eq!(served.get("/v1/health").body["status"], "degraded");
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

/// However many records an array has, its validator is entered once for all of them.
#[test]
fn an_array_of_records_is_one_call_of_a_validator() {
    let served = served(&plugin("redact").unwrap());
    let figures = || {
        let health = served.get("/v1/health").body;
        ["calls", "batches", "rows", "largest_batch"].map(|key| health["plugins"][0][key].as_u64().unwrap())
    };
    let [calls, batches, rows, _] = figures();
    let login = |n: u32| {
        let data = json!({"password": "hunter2", "n": n});
        json!({"event_type": "LOGIN", "source": "s", "data": data})
    };
    let events: Value = (0..700).map(login).collect();
    let answer = served.post("/v1/events", &events);
    assert_eq!((answer.outcome(), answer.body["results"].as_array().unwrap().len()), ((200, "success"), 700));
    assert_eq!(figures(), [calls + 1, batches + 1, rows + 700, 700]);
    let sample = |n: u32| json!({"metric_name": "m", "metric_value": n, "context": {"token": "hunter2"}});
    let samples: Value = (0..900).map(sample).collect();
    assert_eq!(served.post("/v1/metrics", &samples).outcome(), (200, "success"));
    assert_eq!(figures(), [calls + 2, batches + 2, rows + 1_600, 900]);
}
