//! A bad new version never takes the old one down, and says why it was refused.

use bridge_telemetry::plugins::{ReloadError, ReloadOutcome, ReloadStage};
use bridge_telemetry::{EventDraft, Host, MetricDraft};
use serde_json::json;

use super::{Shelf, is_reloaded, listing, refusal, reload, revised, shipped, test_guest};
use crate::fixture::{code, event, host_with_clock};

/// The version that ran before still runs and works; what was refused is told.
fn refused(host: &Host, name: &str, stage: ReloadStage, why: &str) {
    let before = listing(host, name);
    let error = host.reload_plugin(name).unwrap_err();
    assert_eq!(error.stage(), Some(stage), "{error:?}");
    let reason = bridge_telemetry::envelope::cause_chain(&error);
    assert!(reason.contains(why), "{reason}");
    let after = listing(host, name);
    assert_eq!((&before.sha256, before.history.generation), (&after.sha256, after.history.generation));
    assert_eq!(after.history.reloads_refused, before.history.reloads_refused + 1);
    let last = after.history.last_reload.unwrap();
    assert!(matches!(last.outcome, ReloadOutcome::Refused { stage: told, .. } if told == stage), "{last:?}");
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    let issues = health["issues"].to_string();
    assert!(issues.contains(&format!("plugin {name}: a version was refused")), "{issues}");
}

#[test]
fn a_validator_that_is_no_good_is_refused() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["redact"]["config"] = json!({"keys": ["password"]});
    let (host, _) = host_with_clock(config);
    let whole = revised(&shipped("redact"), 2);
    shelf.put("redact", &whole[..whole.len() / 2]);
    refused(&host, "redact", ReloadStage::Load, "truncated");
    shelf.put("redact", b"not a component");
    refused(&host, "redact", ReloadStage::Load, "redact");
    shelf.put_revised("redact", &shipped("threshold"), 1);
    refused(&host, "redact", ReloadStage::Load, "is a validator, and its new version is a monitor");
    shelf.put_revised("redact", &shipped("json-schema"), 1);
    refused(&host, "redact", ReloadStage::Trial, "configuration");
    std::fs::remove_file(shelf.path().join("redact.wasm")).unwrap();
    assert!(refusal(&host, "redact").contains("there is nothing at"));

    let masked = event(&host, json!({"event_type": "A", "source": "s", "data": {"password": "hunter2"}}));
    assert_eq!(code(&masked), "success");
    shelf.put_revised("redact", &shipped("redact"), 3);
    assert!(is_reloaded(&reload(&host, "redact")));
    assert_eq!(host.health_json().body["status"], "healthy");
}

#[test]
fn a_validator_that_fails_on_recent_events_is_refused() {
    let shelf = Shelf::new();
    shelf.put_revised("guard", &shipped("redact"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    host.record_event(EventDraft::new("panic", "s")).unwrap();
    shelf.put_revised("guard", &test_guest("evil"), 1);
    refused(&host, "guard", ReloadStage::Trial, "it was all a trap");
    assert_eq!(code(&event(&host, json!({"event_type": "panic", "source": "s"}))), "success");
}

#[test]
fn an_aggregation_that_fails_on_recent_samples_is_refused() {
    let shelf = Shelf::new();
    shelf.put_revised("stats", &shipped("percentile"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    host.record_metric(MetricDraft::new("m", 1.0)).unwrap();
    shelf.put_revised("stats", &test_guest("evil-aggregation"), 1);
    refused(&host, "stats", ReloadStage::Trial, "its function");
    let answer = host.query_json(br#"{"aggregation": "percentile(q=0.5)"}"#);
    assert_eq!(code(&answer), "success", "{}", answer.body);
}

#[test]
fn a_monitor_that_refuses_the_state_is_refused() {
    let shelf = Shelf::new();
    shelf.put_revised("watcher", &test_guest("tally"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    host.record_metric(MetricDraft::new("tally", 1.0)).unwrap();
    assert!(host.drain(super::monitors::LONG));
    shelf.put_revised("watcher", &test_guest("evil-monitor"), 1);
    refused(&host, "watcher", ReloadStage::Trial, "state version 7");
    host.record_metric(MetricDraft::new("tally", 2.0)).unwrap();
    assert!(host.drain(super::monitors::LONG));
    assert_eq!(listing(&host, "watcher").status.unwrap().counters["seen"], 2.0);
}

#[test]
fn names_that_stand_for_nothing_are_told() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["redact"] = json!({"enabled": false});
    let (host, _) = host_with_clock(config);
    assert!(matches!(host.reload_plugin("nobody"), Err(ReloadError::Unknown { .. })));
    assert!(matches!(host.reload_plugin("redact"), Err(ReloadError::Disabled { .. })));
    host.close();
    assert!(matches!(host.reload_plugin("redact"), Err(ReloadError::Closed)));
}
