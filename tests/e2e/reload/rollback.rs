//! A new version that fails after it took its place is taken back by itself.

use std::time::Duration;

use bridge_telemetry::plugins::{ReloadOutcome, ReloadTrigger, StateHandover};
use bridge_telemetry::{EventDraft, Host, MetricDraft};
use serde_json::json;
use telemetry_core::limits::{RELOAD_FAILURES, RELOAD_PROBATION};

use super::monitors::LONG;
use super::{Shelf, is_reloaded, listing, reload, shipped, test_guest};
use crate::fixture::{code, event, host_with_clock};

fn taken_back(host: &Host, name: &str, sha256: Option<&String>) {
    let now = listing(host, name);
    assert_eq!((now.sha256.as_ref(), now.history.generation, now.history.rollbacks), (sha256, 3, 1));
    let last = now.history.last_reload.unwrap();
    assert!(
        matches!(&last.outcome, ReloadOutcome::RolledBack { reason } if reason.contains("it failed 3 times"))
    );
    assert_eq!(last.trigger, ReloadTrigger::Failures);
    let issues = host.health_json().body["issues"].to_string();
    assert!(issues.contains("the new version was taken back"), "{issues}");
}

#[test]
fn a_validator_comes_back() {
    let shelf = Shelf::new();
    shelf.put_revised("guard", &shipped("redact"), 1);
    let (host, clock) = host_with_clock(shelf.in_memory());
    let before = listing(&host, "guard").sha256;
    shelf.put_revised("guard", &test_guest("evil"), 1);
    assert!(is_reloaded(&reload(&host, "guard")));
    for _ in 0..RELOAD_FAILURES {
        assert_eq!(code(&event(&host, json!({"event_type": "panic", "source": "s"}))), "PLUGIN_FAILURE");
        clock.advance(Duration::from_secs(1));
    }
    assert!(host.drain(LONG));
    taken_back(&host, "guard", before.as_ref());
    let masked = event(&host, json!({"event_type": "panic", "source": "s", "data": {"password": "hunter2"}}));
    assert_eq!(code(&masked), "success", "{}", masked.body);
    let id = masked.body["event_id"].as_str().unwrap();
    assert_eq!(host.event_json(id).body["event"]["data"]["password"], "***");
    // The file still holds the version that was taken back: it is not tried again.
    assert!(host.reload_changed_plugins().is_empty() && host.reload_changed_plugins().is_empty());
}

#[test]
fn failures_after_the_probation_are_the_supervisors() {
    let shelf = Shelf::new();
    shelf.put_revised("guard", &shipped("redact"), 1);
    let (host, clock) = host_with_clock(shelf.in_memory());
    shelf.put_revised("guard", &test_guest("evil"), 1);
    assert!(is_reloaded(&reload(&host, "guard")));
    clock.advance(RELOAD_PROBATION);
    assert!(host.drain(LONG));
    for _ in 0..RELOAD_FAILURES {
        event(&host, json!({"event_type": "panic", "source": "s"}));
        clock.advance(Duration::from_secs(1));
    }
    assert!(host.drain(LONG));
    assert_eq!(listing(&host, "guard").history.rollbacks, 0);
}

/// The attacks that wait make the new monitor fail until the old one is back.
fn until_taken_back(host: &Host, clock: &bridge_telemetry::ManualClock, name: &str) {
    for _ in 0..100 {
        host.drain(LONG);
        if listing(host, name).history.rollbacks > 0 {
            return;
        }
        clock.advance(Duration::from_secs(1));
    }
    panic!("{:?}", listing(host, name));
}

#[test]
fn a_monitor_comes_back_and_misses_nothing() {
    let shelf = Shelf::new();
    shelf.put_revised("watcher", &test_guest("tally"), 1);
    let (host, clock) = host_with_clock(shelf.in_folder());
    let before = listing(&host, "watcher").sha256;
    shelf.put_revised("watcher", &test_guest("evil-monitor"), 1);
    assert!(is_reloaded(&reload(&host, "watcher")));
    host.record_event(EventDraft::new("ATTACK_PANIC", "s")).unwrap();
    for value in [5, 6] {
        host.record_metric(MetricDraft::new("tally", value)).unwrap();
    }
    until_taken_back(&host, &clock, "watcher");
    taken_back(&host, "watcher", before.as_ref());
    assert!(host.drain(LONG));
    assert_eq!(listing(&host, "watcher").status.unwrap().counters["seen"], 2.0);
    assert_eq!(host.health_check().monitors[0].poison_records, 0, "the old version looked at it, too");
}

#[test]
fn a_monitor_that_cannot_read_the_new_state_goes_on_from_its_own() {
    let shelf = Shelf::new();
    shelf.put_revised("watcher", &test_guest("tally"), 1);
    let (host, clock) = host_with_clock(shelf.in_folder());
    shelf.put_revised("watcher", &test_guest("evil-monitor"), 1);
    assert!(is_reloaded(&reload(&host, "watcher")));
    // The new version stores a state of its own.
    host.record_event(EventDraft::new("ATTACK_harmless", "s")).unwrap();
    assert!(host.drain(LONG));
    host.record_event(EventDraft::new("ATTACK_PANIC", "s")).unwrap();
    until_taken_back(&host, &clock, "watcher");
    assert_eq!(listing(&host, "watcher").history.last_reload.unwrap().state, StateHandover::Former);
    host.record_metric(MetricDraft::new("tally", 5)).unwrap();
    assert!(host.drain(LONG));
    assert_eq!(listing(&host, "watcher").status.unwrap().counters["seen"], 1.0);
}
