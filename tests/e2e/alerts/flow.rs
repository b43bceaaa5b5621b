//! From records to notifications, undisturbed.

use bridge_telemetry::config::LoggerConfig;
use bridge_telemetry::logging::{Console, LogSetup};
use bridge_telemetry_tests::guest;
use serde_json::{Value, json};
use telemetry_core::AlertStatus;

use super::hook::Hook;
use super::{Scene, shipped, to_hook, watching_cpu};
use crate::fixture::{in_memory, with_plugin};

fn pairs(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(label, status)| ((*label).to_owned(), (*status).to_owned())).collect()
}

/// `threshold` after ten seconds → `router` by the label `team` → `webhook`.
fn routed(hook: &Hook) -> Value {
    let mut config = watching_cpu(in_memory(), json!({"for": "10s"}));
    for sink in ["webhook", "router", "console"] {
        config = shipped(config, sink, json!({}));
    }
    let routes = json!([{"match": {"team": "ops"}, "receivers": ["ops"]}]);
    config["alerting"] = json!({
        "receivers": {
            "ops": hook.receiver(),
            "switch": {"plugin": "router", "config": {"routes": routes, "default": ["console"]}},
        },
        "routes": [{"match": {"severity": {"regex": "crit.*"}}, "receivers": ["switch"]}],
    });
    config
}

#[test]
fn samples_become_alertmanagers_notifications() {
    let hook = Hook::start();
    let scene = Scene::open(routed(&hook));
    for (seconds, a, b) in [(0, 0.95, 0.95), (5, 0.99, 0.5), (5, 0.97, 0.95), (5, 0.96, 0.95)] {
        scene.pass(seconds);
        scene.cpu("a", a);
        scene.cpu("b", b);
    }
    scene.drain();
    assert_eq!(hook.told("host"), pairs(&[("a", "firing")]), "b was not beyond for ten seconds");

    let request = hook.received().remove(0);
    assert_eq!(request.headers["content-type"], "application/json");
    let labels = json!({
        "alertname": "threshold", "host": "a", "key": "hot: cpu{\"host\":\"a\"}", "metric": "cpu", "rule": "hot",
        "severity": "critical", "team": "ops",
    });
    let annotations = json!({"summary": "cpu is 0.97, > 0.9", "value": "0.97"});
    let group = json!({"alertname": "threshold", "key": "hot: cpu{\"host\":\"a\"}"});
    let fingerprint = request.body["alerts"][0]["fingerprint"].clone();
    assert_eq!(fingerprint.as_str().unwrap().len(), 16);
    let expected = json!({
        "version": "4", "groupKey": r#"{}:{alertname="threshold", key="hot: cpu{\"host\":\"a\"}"}"#,
        "truncatedAlerts": 0, "status": "firing", "receiver": "ops", "groupLabels": group,
        "commonLabels": labels, "commonAnnotations": annotations, "externalURL": "http://bridge",
        "alerts": [{
            "status": "firing", "labels": labels, "annotations": annotations,
            "startsAt": "2025-05-21T14:32:27.123Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://bridge", "fingerprint": fingerprint,
        }],
    });
    assert_eq!(request.body, expected);

    scene.pass(1);
    scene.cpu("a", 0.8);
    scene.drain();
    assert_eq!(hook.received().len(), 1, "between clear and threshold nothing changes");
    scene.cpu("a", 0.7);
    scene.drain();
    assert_eq!(hook.told("host"), pairs(&[("a", "firing"), ("a", "resolved")]));
    let requests = hook.received();
    let ended = &requests[1].body["alerts"][0];
    assert_eq!((&ended["status"], &ended["fingerprint"]), (&json!("resolved"), &fingerprint));
    assert_eq!(ended["endsAt"], "2025-05-21T14:32:33.123Z");
    assert_eq!(ended["startsAt"], "2025-05-21T14:32:27.123Z");
    assert_ne!(requests[0].key(), requests[1].key());

    let alerts = scene.alerts();
    assert_eq!(
        (alerts.len(), alerts[0].status, &*alerts[0].monitor),
        (1, AlertStatus::Resolved, "threshold")
    );
    assert_eq!((scene.tally("switch"), scene.tally("ops")), ([0, 2, 0, 0], [2, 0, 0, 0]));
    assert_eq!((scene.tally("console"), scene.pending()), ([0; 4], 0));
    assert_eq!(scene.host.health_json().body["status"], "healthy");
}

#[test]
fn each_series_has_an_alert_of_its_own() {
    let hook = Hook::start();
    let scene = Scene::open(routed(&hook));
    for machine in ["a", "b", "c"] {
        scene.cpu(machine, if machine == "c" { 0.1 } else { 1.0 });
        scene.pass(10);
        scene.cpu(machine, if machine == "c" { 0.1 } else { 1.0 });
    }
    scene.drain();
    scene.cpu("b", 0.0);
    scene.drain();
    assert_eq!(hook.told("host"), pairs(&[("a", "firing"), ("b", "firing"), ("b", "resolved")]));
    assert_eq!(scene.firing().len(), 1);
}

#[test]
fn a_repeated_signal_tells_nobody_again() {
    let hook = Hook::start();
    let scene = Scene::open(to_hook(watching_cpu(in_memory(), json!({})), &hook));
    scene.cpu("a", 0.95);
    scene.drain();
    let first = scene.alerts().remove(0);
    for _ in 0..3 {
        scene.pass(60);
        scene.cpu("a", 0.99);
        scene.cpu("a", 0.99);
        scene.drain();
        scene.drain();
    }
    let alerts = scene.alerts();
    assert_eq!((alerts.len(), alerts[0].alert_id), (1, first.alert_id));
    assert_eq!((alerts[0].times_seen, alerts[0].value), (4, Some(0.99)), "it is kept fresh");
    assert_eq!((alerts[0].first_seen, alerts[0].last_seen > first.last_seen), (first.first_seen, true));
    assert_eq!(hook.told("host"), pairs(&[("a", "firing")]));

    scene.cpu("a", 0.0);
    scene.cpu("a", 0.0);
    scene.cpu("a", 1.0);
    scene.drain();
    let told = [("a", "firing"), ("a", "resolved"), ("a", "firing")];
    assert_eq!(hook.told("host"), pairs(&told), "a new period is a new alert");
    let alerts = scene.alerts();
    assert_eq!((alerts.len(), alerts[1].alert_id), (2, first.alert_id));
    assert_ne!(alerts[0].alert_id, first.alert_id);
}

#[test]
fn more_than_five_percent_of_errors_raise_and_quiet_resolves() {
    let hook = Hook::start();
    let scene = Scene::open(to_hook(shipped(in_memory(), "error-rate", json!({})), &hook));
    (0..95).for_each(|number| scene.event("COMMAND_COMPLETED", number));
    (0..5).for_each(|number| scene.event("COMMAND_ERROR", number));
    scene.drain();
    assert_eq!(hook.received().len(), 0, "five percent are not more than five percent");
    scene.event("ERROR", 5);
    scene.drain();
    let requests = hook.received();
    assert_eq!((requests.len(), requests[0].status()), (1, "firing"));
    assert_eq!(requests[0].body["commonAnnotations"]["summary"], "5.9 % of 101 events are errors");
    scene.pass(290);
    scene.drain();
    assert_eq!(hook.received().len(), 1, "they are still in the window");
    scene.pass(20);
    scene.drain();
    assert_eq!(hook.told("key"), pairs(&[("error-rate", "firing"), ("error-rate", "resolved")]));
}

#[test]
fn the_console_prints_through_the_plugins_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = shipped(watching_cpu(in_memory(), json!({})), "console", json!({}));
    let scene = Scene::open(config);
    let logger = LoggerConfig { log_path: path.clone(), ..LoggerConfig::default() };
    let (dispatch, log) =
        LogSetup::new(&logger, scene.clock.clone()).console(Console::Off).dispatch().unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        scene.cpu("a", 1.0);
        scene.drain();
        scene.cpu("a", 0.0);
        scene.drain();
    });
    log.flush();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let printed: Vec<&Value> =
        lines.iter().filter(|line| line["message"].as_str().unwrap().starts_with("alert ")).collect();
    assert_eq!(printed.len(), 2, "{text}");
    assert_eq!(
        printed[0]["message"],
        "alert firing [critical] threshold: cpu is 1, > 0.9 (value 1) host=a metric=cpu rule=hot team=ops"
    );
    assert_eq!((&printed[0]["logLevel"], &printed[1]["logLevel"]), (&json!("ERROR"), &json!("INFO")));
    let whole = &printed[1]["payload"].to_string();
    assert!(whole.contains("console") && whole.contains("resolved_at"), "{whole}");
    assert_eq!(scene.tally("console"), [2, 0, 0, 0]);
}

#[test]
fn a_trapping_sink_stops_nobody_and_an_unnamed_one_hears_nothing() {
    let (hook, unnamed) = (Hook::start(), Hook::start());
    let attack = json!({"labels": {"attack": "panic"}});
    let mut config = to_hook(watching_cpu(in_memory(), attack), &hook);
    config = with_plugin(config, "evil-sink", &guest("evil-sink").unwrap(), json!({}));
    config["alerting"] = json!({
        "receivers": {
            "a-trap": {"plugin": "evil-sink"}, "ops": hook.receiver(), "unnamed": unnamed.receiver(),
        },
        "routes": [{"receivers": ["a-trap", "ops"]}],
    });
    let scene = Scene::open(config);
    scene.cpu("a", 1.0);
    scene.drain();
    assert_eq!(hook.told("host"), pairs(&[("a", "firing")]));
    let trap = scene.receiver("a-trap");
    assert_eq!((&trap["waiting"], &trap["retried"]), (&json!(1), &json!(1)), "{trap}");
    assert!(trap["last_error"].as_str().unwrap().contains("trap"), "{trap}");

    scene.cpu("a", 0.0);
    for _ in 0..20 {
        scene.pass(600);
        scene.drain();
    }
    assert_eq!(hook.told("host"), pairs(&[("a", "firing"), ("a", "resolved")]));
    let trap = scene.receiver("a-trap");
    assert!(trap["retried"].as_u64().unwrap() >= 10, "it is tried again and again: {trap}");
    assert_eq!(trap["waiting"], 2, "the end waits behind the beginning: {trap}");
    assert_eq!((scene.tally("unnamed"), unnamed.received().len()), ([0; 4], 0));
    assert!(scene.host.record_metric(bridge_telemetry::MetricDraft::new("still", 1.0)).is_ok());
}
