//! A new version that fails after it took its place is taken back by itself.

use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::plugins::{ReloadOutcome, ReloadTrigger, StateHandover};
use bridge_telemetry::{Config, EventDraft, Host, HostBuilder, MetricDraft};
use serde_json::{Value, json};
use telemetry_core::limits::{MAX_DELIVERY_BACKOFF, RELOAD_FAILURES, RELOAD_PROBATION};

use super::monitors::LONG;
use super::{Shelf, is_reloaded, listing, reload, shipped, test_guest};
use crate::alerts::hook::Hook;
use crate::fixture::{code, event, host_with_clock, query, with_order};

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

/// An aggregation of whose versions the second fails as soon as it sees a 13.
fn unlucky(shelf: &Shelf) -> Value {
    shelf.put_revised("stats", &test_guest("evil-aggregation"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["stats"]["config"] = json!({"only": "total"});
    config["plugins"]["reload"] = json!({"watch": false});
    config
}

fn reload_unlucky(shelf: &Shelf, host: &Host) {
    shelf.put("stats", &with_order(&test_guest("evil-aggregation"), "update/trap-at-13"));
    host.record_metric(MetricDraft::new("m", 1)).unwrap();
    assert!(is_reloaded(&reload(host, "stats")));
    assert_eq!(total(host).body["metrics"]["m"]["value"], 1, "the new version works");
    host.record_metric(MetricDraft::new("m", 13)).unwrap();
}

fn total(host: &Host) -> Envelope {
    query(host, json!({"metric_names": ["m"], "aggregation": "total"}))
}

#[test]
fn an_aggregation_comes_back() {
    let shelf = Shelf::new();
    let (host, clock) = host_with_clock(unlucky(&shelf));
    let before = listing(&host, "stats").sha256;
    reload_unlucky(&shelf, &host);
    for _ in 0..RELOAD_FAILURES {
        let answer = total(&host);
        assert_eq!(code(&answer), "PLUGIN_FAILURE", "{}", answer.body);
        clock.advance(Duration::from_secs(1));
    }
    assert!(host.drain(LONG));
    taken_back(&host, "stats", before.as_ref());
    assert_eq!(total(&host).body["metrics"]["m"]["value"], 14);
    assert!(listing(&host, "stats").status.unwrap().state.is_active());
    assert!(host.reload_changed_plugins().is_empty() && host.reload_changed_plugins().is_empty());
}

/// The host's own thread, on the real clock.
#[test]
fn a_host_with_a_background_takes_versions_back_by_itself() {
    let shelf = Shelf::new();
    let host = HostBuilder::new(Config::from_value(unlucky(&shelf)).unwrap()).open().unwrap();
    let before = listing(&host, "stats").sha256;
    reload_unlucky(&shelf, &host);
    let deadline = std::time::Instant::now() + LONG;
    while listing(&host, "stats").history.rollbacks == 0 {
        assert!(std::time::Instant::now() < deadline);
        total(&host);
    }
    taken_back(&host, "stats", before.as_ref());
    assert_eq!(total(&host).body["metrics"]["m"]["value"], 14);
}

#[test]
fn a_sink_comes_back_in_its_own_state_and_delivers_what_waited() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("journal", &test_guest("journal-sink"), 1);
    let mut config = shelf.in_memory();
    let receiver = hook.receiver_of("journal", json!({}));
    config["alerting"] = json!({"receivers": {"ops": receiver}, "default_receivers": ["ops"]});
    let (host, clock) = host_with_clock(config);
    let before = listing(&host, "ops").sha256;
    let sample = |value: i64| drop(host.record_metric(MetricDraft::new("tally", value)).unwrap());
    sample(5);
    assert!(host.drain(LONG));

    // The new version starts, and fails at whatever it is to deliver.
    shelf.put("journal", &with_order(&test_guest("evil-sink"), "deliver/trap"));
    assert!(is_reloaded(&reload(&host, "ops")));
    sample(1);
    until_taken_back(&host, &clock, "ops");
    taken_back(&host, "ops", before.as_ref());
    assert_eq!(listing(&host, "ops").history.last_reload.unwrap().state, StateHandover::Former);
    let receiver = || {
        let health = host.health_json().body;
        let receivers = health["outbox"]["receivers"].as_array().unwrap();
        receivers.iter().find(|receiver| receiver["receiver"] == "ops").unwrap().clone()
    };
    let failed = receiver();
    assert_eq!((&failed["delivered"], &failed["retried"]), (&json!(1), &json!(RELOAD_FAILURES)), "{failed}");
    assert!(failed["last_error"].as_str().unwrap().contains("it was all a trap"), "{failed}");

    // After its pause the delivery goes to the version before, which was not started anew.
    clock.advance(MAX_DELIVERY_BACKOFF * 2);
    assert!(host.drain(LONG));
    sample(5);
    assert!(host.drain(LONG));
    let delivered = receiver();
    assert_eq!((&delivered["delivered"], &delivered["waiting"]), (&json!(3), &json!(0)), "{delivered}");
    let told: Vec<_> =
        hook.received().iter().map(|it| (it.body["what"].clone(), it.body["calls"].clone())).collect();
    let call = |calls: u64| [(json!("begin"), json!(calls)), (json!("end"), json!(calls))];
    assert_eq!(told, [1, 2, 3].into_iter().flat_map(call).collect::<Vec<_>>());
    assert!(host.reload_changed_plugins().is_empty() && host.reload_changed_plugins().is_empty());
}
