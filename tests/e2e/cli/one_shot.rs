//! Commands where no host runs: they open the store themselves.

use bridge_telemetry_tests::{component_folder, plugin};
use serde_json::{Value, json};

use super::place::{Place, told};
use super::running::Running;

#[test]
fn commands_open_the_store_where_no_host_runs() {
    let place = Place::new();
    let (exit, receipt) =
        place.json(&["record", "event", r#"{"event_type":"A","source":"s","data":{"n":1}}"#]);
    assert_eq!((exit, &receipt["status"]), (0, &json!("success")), "{receipt}");
    for (value, host) in [("1", "a"), ("2.5", "b"), ("-0.5", "c")] {
        let label = format!("host={host}");
        let (exit, body) = place.json(&["record", "metric", "load", value, "--context", &label]);
        assert_eq!(exit, 0, "{body}");
    }
    assert_eq!(place.aggregate("load", "SUM"), 3);
    let count = |filters: &[&str]| {
        let arguments = [&["get", "load", "--aggregation", "COUNT", "--last", "1h"][..], filters].concat();
        place.json(&arguments).1["metrics"]["load"]["value"].clone()
    };
    assert_eq!(count(&["--filter", "host=b"]), 1);
    assert_eq!(count(&["--filter", "host=b", "--filter", "host=c"]), 2, "any of the values");
    let (_, body) = place.json(&["get", "load", "--group-by", "host", "--step", "1h"]);
    assert_eq!(body["metrics"]["load"]["groups"][2]["points"][0]["value"], -0.5, "{body}");
    let (_, body) = place.json(&["events", "--type", "A", "--source", "s", "--limit", "1"]);
    assert_eq!(body["events"][0]["event_id"], receipt["event_id"], "{body}");
    let (_, body) = place.json(&["events", "--from", receipt["timestamp"].as_str().unwrap()]);
    assert_eq!(body["events"].as_array().unwrap().len(), 1, "{body}");
    let (exit, body) = place.json(&["health"]);
    assert_eq!(
        (exit, &body["status"], &body["stats"]["events_total"]),
        (0, &json!("healthy"), &json!(1)),
        "{body}"
    );
    let (exit, body) = place.json(&["alerts"]);
    assert_eq!((exit, &body["alerts"]), (0, &json!([])));
}

#[test]
fn values_and_times_are_taken_as_they_are_written() {
    let place = Place::new();
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    let earlier = now.minus(std::time::Duration::from_secs(3_600)).floor_to_millis().to_string();
    let (exit, receipt) = place.json(&["record", "metric", "state", "up", "--timestamp", &earlier]);
    assert_eq!((exit, &receipt["timestamp"]), (0, &json!(earlier)), "{receipt}");
    assert_eq!(place.json(&["record", "metric", "state", "down"]).0, 0);
    assert_eq!(place.aggregate("state", "COUNT"), 2);
    let (_, body) = place.json(&["get", "state", "--aggregation", "COUNT", "--to", &earlier]);
    assert_eq!(body["metrics"]["state"]["value"], 1, "{body}");
    let (exit, body) = place.json(&["record", "metric", "state", "NaN"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_METRIC_VALUE")));
    let (exit, body) = place.json(&["record", "metric", "state", "1", "--timestamp", "1970-01-02T00:00:00Z"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_TIMESTAMP")));
}

#[test]
fn events_come_from_standard_input() {
    let place = Place::new();
    let (exit, body) =
        place.json_with_input(&["record", "event", "-"], br#"{"event_type":"A","source":"s"}"#);
    assert_eq!((exit, &body["status"]), (0, &json!("success")), "{body}");
    let many = br#"[{"event_type":"B","source":"s"},{"source":"s"},{"event_type":"B","source":"t"}]"#;
    let (exit, body) = place.json_with_input(&["record", "event", "-"], many);
    assert_eq!((exit, &body["status"]), (0, &json!("partial")), "{body}");
    assert_eq!(body["results"][1]["error"]["code"], "INVALID_EVENT");
    let (exit, body) = place.json_with_input(&["record", "event", "-"], b"\xff{");
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("MALFORMED_PAYLOAD")), "{body}");
    let large = format!(r#"{{"event_type":"A","source":"s","data":{{"x":"{}"}}}}"#, "x".repeat(5 << 20));
    let (exit, body) = place.json_with_input(&["record", "event", "-"], large.as_bytes());
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("PAYLOAD_TOO_LARGE")), "{body}");
    let (_, body) = place.json(&["events"]);
    assert_eq!(body["events"].as_array().unwrap().len(), 3, "{body}");
    // The same through a running host.
    let running = Running::start(&place);
    let (exit, _) = place.json_with_input(&["record", "event", "-"], br#"{"event_type":"C","source":"s"}"#);
    assert_eq!(exit, 0);
    let (_, body) = place.json(&["events", "--type", "C"]);
    assert_eq!(body["events"].as_array().unwrap().len(), 1, "{body}");
    assert_eq!(running.terminate(), 0);
}

#[test]
fn exit_codes_tell_failures_apart() {
    let place = Place::new();
    let (exit, body) = place.json(&["record", "event", r#"{"source":"s"}"#]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_EVENT")));
    let (exit, body) = place.json(&["get", "--aggregation", "MEDIAN"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_AGGREGATION")));
    assert_eq!(place.run(&["get", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(place.run(&[]).status.code(), Some(2));
    place.write("wrong.toml", "[storage_config]\nmax_byts = 5\n");
    let output = place.run(&["health", "--config", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("max_byts"));
    let (exit, body) = place.json(&["health", "--config", "absent.toml"]);
    assert_eq!(exit, 2, "{body}");
    place.write("a_file", "");
    let output = place.bare(&["health", "--json", "--data", "a_file/store"]).output().unwrap();
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &body["error"]["code"]),
        (Some(3), &json!("STORAGE_FAILURE")),
        "{body}"
    );
    for done in [&["--help"][..], &["--version"], &["record", "--help"]] {
        let output = place.bare(done).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{done:?}");
    }
}

#[test]
fn the_log_file_is_left_to_hosts() {
    let place = Place::new();
    place.write("c.toml", "[logger_config]\nlog_path = \"log/host.log\"\nmax_log_size = \"1 KiB\"\n");
    std::fs::create_dir(place.path().join("log")).unwrap();
    let full = "a line of a running host\n".repeat(1_000);
    place.write("log/host.log", &full);
    // A refusal is logged (spec §2); without a host that is on standard error.
    let output = place.run(&["record", "event", r#"{"source":"s"}"#, "--config", "c.toml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("Event validation failed."), "{}", told(&output));
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
    assert_eq!(place.read("log/host.log"), full, "neither written nor rotated");
    assert_eq!(std::fs::read_dir(place.path().join("log")).unwrap().count(), 1);
    assert!(!place.path().join("runtime").exists(), "nor is another one made");
    place.write("quiet.toml", "[logger_config]\nenable_console = false\n");
    let output = place.run(&["record", "event", r#"{"source":"s"}"#, "--config", "quiet.toml", "--json"]);
    assert_eq!(told(&output), "");
}

#[test]
fn plugins_are_listed_and_inspected() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let folder = folder.to_str().unwrap();
    let (exit, body) = place.json(&["plugin", "list", "--plugins", folder]);
    assert_eq!(exit, 0, "{body}");
    let listed = |name: &str| {
        body["plugins"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    for (name, kind) in [("percentile", "aggregator"), ("redact", "validator"), ("console", "sink")] {
        assert_eq!((&listed(name)["load"], &listed(name)["kind"]), (&json!("ready"), &json!(kind)));
        assert_eq!(
            (&listed(name)["trust"]["pinned"], &listed(name)["version"]),
            (&json!(true), &json!("0.8.0"))
        );
    }
    assert!(!place.path().join("data").exists(), "no store is opened for it");
    let unused = listed("webhook");
    assert_eq!((&unused["load"], &unused["kind"]), (&json!("unused"), &json!("sink")), "{unused}");
    assert_eq!(unused["reason"], "no receiver names it");
    // One-shot commands load the same plugins as the host: what redact masks is masked here, too.
    let secret = r#"{"event_type":"LOGIN","source":"s","data":{"password":"hunter2"}}"#;
    let (exit, receipt) = place.json(&["record", "event", secret, "--plugins", folder]);
    assert_eq!(exit, 0, "{receipt}");
    assert_eq!(place.json(&["events"]).1["events"][0]["data"]["password"], "***");
    let (exit, body) = place.json(&["plugin", "inspect", plugin("redact").unwrap().to_str().unwrap()]);
    assert_eq!((exit, &body["plugin"]["name"]), (0, &json!("redact")), "{body}");
    assert!(body["plugin"]["config_schema"]["properties"]["patterns"].is_object(), "{body}");
    let (exit, body) = place.json(&["plugin", "inspect", "threshold", "--plugins", folder]);
    assert_eq!((exit, &body["plugin"]["kind"]), (0, &json!("monitor")), "{body}");
    assert_eq!(place.run(&["plugin", "inspect", "no-such-plugin"]).status.code(), Some(2));
    place.write("broken.wasm", "no component");
    let (exit, body) = place.json(&["plugin", "inspect", "broken.wasm"]);
    assert_eq!(exit, 1, "{body}");
}

#[test]
fn what_a_record_says_cannot_pass_for_another_line() {
    let place = Place::new();
    let line = "\n2026-01-01T00:00:00Z  FORGED \u{1b}[2J\u{202e}";
    let record = |source: &str| {
        let event = json!({"event_type": "A", "source": source, "data": {"k": line}}).to_string();
        place.run(&["record", "event", &event])
    };
    let refused = record(line);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!told(&refused).contains(['\u{1b}', '\u{202e}']), "{}", told(&refused));
    assert_eq!(record("\u{202e}s").status.code(), Some(0));
    let text = String::from_utf8(place.run(&["events"]).stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("FORGED") && !text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    assert_eq!(place.json(&["events"]).1["events"][0]["data"]["k"], line, "it is stored as it came");
}

#[test]
fn commands_take_the_plugins_of_the_host_that_ran_last() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let run = place.command(&["run", "--no-system", "--plugins", folder.to_str().unwrap()]);
    assert_eq!(Running::of(run).terminate(), 0);
    let secret = r#"{"event_type":"A","source":"s","data":{"password":"hunter2"}}"#;
    assert_eq!(place.json(&["record", "event", secret]).0, 0);
    let (_, body) = place.json(&["events", "--type", "A"]);
    assert_eq!(body["events"][0]["data"], json!({"password": "***"}), "{body}");
    // Unless it is told otherwise.
    let none = place.path().join("none");
    std::fs::create_dir(&none).unwrap();
    assert_eq!(place.json(&["record", "event", secret, "--plugins", none.to_str().unwrap()]).0, 0);
    let (_, body) = place.json(&["events", "--type", "A", "--limit", "1"]);
    assert_eq!(body["events"][0]["data"]["password"], "hunter2", "{body}");
    // What is remembered and gone is told, with what to do.
    std::fs::write(place.path().join("data/run.json"), r#"{"config":"/nowhere/x.toml","plugins":null}"#)
        .unwrap();
    let output = place.run(&["health"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("run.json") && told(&output).contains("--config"), "{}", told(&output));
}
