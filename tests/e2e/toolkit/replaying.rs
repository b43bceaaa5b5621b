//! `plugin replay` over the records of a real store, with and without a host on it.

use std::collections::BTreeSet;
use std::path::Path;

use bridge_telemetry_tests::{guest, language_project, plugin};
use serde_json::{Value, json};

use crate::cli::place::Place;
use crate::cli::running::Running;

const RULES: &str =
    r#"{"rules":[{"name":"hot","metric":"cpu","comparison":">","threshold":90.0,"clear":80.0}]}"#;

/// Records a minute of samples that are too high in its middle, and commands, one of which has a secret.
fn recorded(place: &Place) {
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    let mut lines = String::new();
    for second in 0..60_u64 {
        let time = now.minus(std::time::Duration::from_secs(600 - second)).floor_to_millis();
        let value = if (20..40).contains(&second) { 95.5 } else { 50.0 };
        let sample =
            json!({"metric_name": "cpu", "metric_value": value, "context": {"host": "a"}, "timestamp": time});
        let data = if second == 30 { json!({"password": "hunter2"}) } else { json!({"n": second}) };
        let event = json!({"event_type": "COMMAND_RECEIVED", "source": "s", "data": data, "timestamp": time});
        lines.push_str(&format!("{sample}\n{event}\n"));
    }
    place.write("records.jsonl", &lines);
    let (exit, body) = place.json(&["import", "records.jsonl"]);
    assert_eq!(exit, 0, "{body}");
}

fn replay(place: &Place, plugin_name: &str, more: &[&str]) -> Value {
    replay_component(place, &plugin(plugin_name).unwrap(), more)
}

fn replay_component(place: &Place, component: &Path, more: &[&str]) -> Value {
    let arguments = [&["plugin", "replay", component.to_str().unwrap()][..], more].concat();
    let (exit, body) = place.json(&arguments);
    assert_eq!(exit, 0, "{body}");
    body["replay"].clone()
}

/// What stays of a finding whatever the day: whether it fires, and its value.
fn found(report: &Value) -> Vec<(bool, Value)> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| (finding["firing"] == true, finding["value"].clone())).collect()
}

#[test]
fn a_monitor_shows_what_it_would_have_raised_and_leaves_no_trace() {
    let place = Place::new();
    recorded(&place);
    let report = replay(&place, "threshold", &["--settings", RULES]);
    assert_eq!((&report["samples"], &report["events"]), (&json!(60), &json!(0)), "{report}");
    assert_eq!(found(&report), [(true, json!(95.5)), (false, json!(50.0))], "{report}");
    assert!(report["ticks"].as_u64().unwrap() >= 5, "{report}");
    assert_eq!(replay(&place, "threshold", &["--settings", RULES]), report, "the same at every run");

    let half = report["findings"][1]["timestamp"].as_str().unwrap();
    let report = replay(&place, "threshold", &["--settings", RULES, "--from", half]);
    assert_eq!((&report["samples"], found(&report).len()), (&json!(20), 0), "{report}");

    let (_, alerts) = place.json(&["alerts"]);
    assert_eq!(alerts["alerts"], json!([]));
    let names: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".replay-")), "{names:?}");
}

/// In a host its findings are other ones each time.
#[test]
fn random_numbers_are_the_same_in_every_replay() {
    let place = Place::new();
    recorded(&place);
    let settings = json!({"order": "on-events/nondeterminism", "only": "COMMAND_RECEIVED"}).to_string();
    let dice = || replay_component(&place, &guest("evil-monitor").unwrap(), &["--settings", &settings]);
    let report = dice();
    assert_eq!((&report["events"], &report["failures"]), (&json!(60), &json!([])), "{report}");
    let summaries: BTreeSet<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|found| found["summary"].as_str()).collect();
    assert!(summaries.iter().any(|summary| summary.parse::<u64>().is_ok()), "{report}");
    assert_eq!(dice(), report);
}

#[test]
fn a_replay_runs_beside_a_host() {
    let place = Place::new();
    recorded(&place);
    let alone = replay(&place, "threshold", &["--settings", RULES]);
    let running = Running::start(&place);
    let kept = || {
        let (exit, health) = place.json(&["health"]);
        assert_eq!(exit, 0, "{health}");
        ["events_total", "metrics_total"].map(|name| health["stats"][name].as_u64().unwrap())
    };
    let before = kept();
    assert_eq!(replay(&place, "threshold", &["--settings", RULES]), alone);
    assert_eq!(kept(), before, "nothing of a replay is stored");
    assert_eq!(running.terminate(), 0);
}

#[test]
fn a_validator_shows_what_it_would_have_refused() {
    let place = Place::new();
    recorded(&place);
    let settings = r#"{"schemas":{"COMMAND_*":{"type":"object","required":["n"]}}}"#;
    let report = replay(&place, "json-schema", &["--settings", settings]);
    let findings = report["findings"].as_array().unwrap();
    assert_eq!((&report["events"], findings.len()), (&json!(60), 1), "{report}");
    assert_eq!(
        (&findings[0]["reject"], &findings[0]["record"]["event_type"]),
        (&json!(true), &json!("COMMAND_RECEIVED"))
    );
    let component = plugin("percentile").unwrap();
    let (exit, body) = place.json(&["plugin", "replay", component.to_str().unwrap()]);
    assert_eq!(exit, 2, "an aggregation cannot be replayed: {body}");
}

/// More samples than come in one batch: what the monitor wrote at the first one is there at the last.
#[test]
fn what_a_monitor_keeps_stays_for_what_comes_after() {
    let place = Place::new();
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    let mut lines = String::new();
    for second in 0..2_500_u64 {
        let time = now.minus(std::time::Duration::from_secs(3_000 - second)).floor_to_millis();
        let value = if second == 0 || second == 2_400 { json!(7.0 + second as f64) } else { json!(5.0) };
        let value = if second == 1_200 { json!("unknown") } else { value };
        lines.push_str(&format!(
            "{}\n",
            json!({"metric_name": "level", "metric_value": value, "timestamp": time})
        ));
    }
    place.write("records.jsonl", &lines);
    assert_eq!(place.json(&["import", "records.jsonl"]).0, 0);
    let component = language_project("c-high-water").unwrap().join("high-water.wasm");
    let report = replay_component(&place, &component, &[]);
    assert_eq!((&report["samples"], &report["failures"]), (&json!(2_500), &json!([])), "{report}");
    let values: Vec<Value> = found(&report).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [json!(7.0), json!(5.0), json!(2_407.0)], "{report}");
}
