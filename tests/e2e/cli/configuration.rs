//! Configuration files, variables and flags as the program takes them.

use bridge_telemetry_tests::{component_folder, plugin};
use serde_json::json;

use super::place::{Place, document, told};
use super::running::{Running, wait_for};

#[test]
fn a_configuration_is_checked_with_line_and_column() {
    let place = Place::new();
    place.write("wrong.toml", "[logger_config]\n\n  min_log_level = \"LOUD\"\n");
    let output = place.run(&["config", "check", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("wrong.toml:3:19: logger_config.min_log_level: unknown variant"),
        "{}",
        told(&output)
    );
    place.write("right.toml", "[logger_config]\nmin_log_level = \"DEBUG\"\n");
    assert_eq!(place.run(&["config", "check", "right.toml"]).status.code(), Some(0));
    let (exit, body) = place.json(&["config", "check", "--config", "right.toml"]);
    assert_eq!((exit, &body["status"]), (0, &json!("success")), "{body}");
    assert_eq!(place.run(&["config", "check"]).status.code(), Some(2));
    let (exit, schema) = place.json(&["config", "schema"]);
    assert_eq!(exit, 0);
    assert!(schema["properties"]["retention_policy"].is_object(), "{schema}");
}

#[test]
fn what_plugins_are_configured_with_is_checked_by_their_own_schemas() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let text = |comparison: &str, url: &str| {
        format!(
            r#"[plugins]
directory = {folder:?}

[plugins.settings.busy]
component = "threshold"

[[plugins.settings.busy.config.rules]]
metric = "cpu"
comparison = "{comparison}"
threshold = 90.0

[plugins.settings.webhook]
config = {{ timeout = "5s" }}

[alerting.receivers.on-call]
plugin = "webhook"
config = {{ {url} }}
grants = {{ http = ["https://hooks.example.com"] }}
"#
        )
    };
    place.write("wrong.toml", &text("~", "hurl = 1"));
    let output = place.run(&["config", "check", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    for fault in [
        "wrong.toml:9:14: plugins.settings.busy.config.rules[0].comparison: \"~\" is not one of",
        "alerting.receivers.on-call.config: \"url\" is a required property",
    ] {
        assert!(told(&output).contains(fault), "{}", told(&output));
    }
    place.write("right.toml", &text(">", "url = \"https://hooks.example.com/alerts\""));
    let output = place.run(&["config", "check", "right.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn yaml_variables_and_flags_win_in_this_order() {
    let place = Place::new();
    let yaml = "
storage_config:
  connection_string: from-yaml
retention_policy:
  events: {duration_days: 3}
  metrics: {duration_days: 4}
server:
  listen: 127.0.0.1:1
";
    place.write("c.yaml", yaml);
    let mut run = place.bare(&["run", "--config", "c.yaml", "--no-system"]);
    run.env("BRIDGE_TELEMETRY__RETENTION_POLICY__METRICS__DURATION_DAYS", "5");
    run.env("BRIDGE_TELEMETRY__SERVER__LISTEN", "127.0.0.1:2");
    let running = Running::of(run);
    assert_eq!(running.summary["data"], "from-yaml");
    let port = running.summary["address"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    assert!(!["1", "2"].contains(&port.as_str()), "{port}");
    // The command finds the host by the same file.
    let (exit, health) = document(&mut place.bare(&["health", "--json", "--config", "c.yaml"]));
    let stats = &health["stats"];
    assert_eq!(
        (exit, &stats["data_retention_days"], &stats["metrics_retention_days"]),
        (0, &json!(3), &json!(5)),
        "{health}"
    );
    assert_eq!(running.terminate(), 0);
}

#[test]
fn names_of_plugins_that_are_not_there_are_told_with_their_place() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let text = format!(
        "[plugins]\ndirectory = {folder:?}\n\n[plugins.settings.redcat]\nconfig = {{ keys = [\"pin\"] }}\n"
    );
    place.write("c.toml", &text);
    let expected = format!(
        "c.toml:4:1: plugins.settings.redcat: there is no plugin redcat in {}; did you mean \"redact\"?",
        folder.display()
    );
    let output = place.run(&["config", "check", "c.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains(&expected), "{}", told(&output));
    // A host starts without the plugin, as it would without one that is broken, and says it wherever it can.
    let running = Running::of(place.command(&["run", "--no-system", "--config", "c.toml"]));
    let (_, health) = place.json(&["health"]);
    assert_eq!(health["status"], "degraded", "{health}");
    let issues = health["issues"].to_string();
    assert!(issues.contains("plugin redcat could not be loaded"), "{issues}");
    assert!(issues.contains("did you mean"), "{issues}");
    assert_eq!(running.terminate(), 0);
    let log = place.read("runtime/logs/bridge_telemetry.log");
    assert!(log.contains("c.toml:4:1: plugins.settings.redcat"), "{log}");
    place.write("c.toml", &format!("{text}required = true\n"));
    let output = place.run(&["run", "--config", "c.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("redcat"), "{}", told(&output));
}

#[test]
fn two_plugins_of_one_component_are_two() {
    let place = Place::new();
    let rules = |metric: &str| {
        format!("config = {{ rules = [{{ metric = \"{metric}\", comparison = \">\", threshold = 5 }}] }}")
    };
    let text = format!(
        "[plugins]\npolicy = \"any\"\n[plugins.settings.a-high]\ncomponent = {0:?}\n{1}\n[plugins.settings.b-high]\ncomponent = {0:?}\n{2}\n",
        plugin("threshold").unwrap(),
        rules("a"),
        rules("b")
    );
    place.write("c.toml", &text);
    let running = Running::of(place.command(&["run", "--no-system", "--config", "c.toml"]));
    let (_, body) = place.json(&["plugin", "list"]);
    let names: Vec<_> = body["plugins"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["a-high", "b-high"], "{body}");
    for metric in ["a", "b"] {
        assert_eq!(place.json(&["record", "metric", metric, "9"]).0, 0);
    }
    let monitors = wait_for("an alert of each", || {
        let (_, body) = place.json(&["alerts", "--status", "firing"]);
        let alerts = body["alerts"].as_array().unwrap();
        let mut monitors: Vec<_> = alerts.iter().map(|alert| alert["monitor"].to_string()).collect();
        monitors.sort();
        (monitors.len() == 2).then_some(monitors)
    });
    assert_eq!(monitors, ["\"a-high\"", "\"b-high\""]);
    let output = place.run(&["alerts"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("firing") && text.contains("a-high"), "{text}");
    assert_eq!(running.terminate(), 0);
}
