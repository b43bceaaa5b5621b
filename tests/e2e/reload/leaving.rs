//! Plugins that leave, in time or not, and come back.

use std::time::{Duration, Instant};

use bridge_telemetry::envelope::EnvelopeError;
use bridge_telemetry::plugins::{PluginListing, PluginState, ReloadError, ReloadOutcome, SwitchError};
use bridge_telemetry::{Config, EventDraft, Host, HostBuilder, MetricDraft};
use serde_json::json;
use telemetry_core::ErrorCode;
use telemetry_core::limits::TRIAL_RECORDS;

use super::monitors::LONG;
use super::switching::{disable, enable, issues};
use super::{Shelf, listing, test_guest};
use crate::fixture::{code, event, host_with_clock};

const NAME: &str = "evil-monitor";

/// Returns when it is so.
fn patiently(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "it never comes to that");
        std::thread::yield_now();
    }
}

/// The monitor, unless it is just on its way.
fn listed(host: &Host) -> Option<PluginListing> {
    host.plugins().into_iter().find(|plugin| plugin.name == NAME)
}

/// A host with threads whose monitor stays in a call for some seconds, and that waits for no monitor.
fn with_busy_monitor(shelf: &Shelf, watch: bool) -> Host {
    shelf.put_revised(NAME, &test_guest(NAME), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["reload"] = json!({"watch": watch, "interval": "100ms"});
    config["plugins"]["settings"][NAME] = json!({"limits": {"deadline_ms": 15_000}});
    let config = Config::from_value(config).unwrap();
    let host = HostBuilder::new(config).handover_wait(Duration::ZERO).open().unwrap();
    let events = ["ATTACK_CHATTY", "ATTACK_LOOP"].map(|event_type| EventDraft::new(event_type, "s"));
    host.record_events(events.into()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
    patiently(|| {
        let log = host.plugin_log(NAME, 0, 10).unwrap();
        log.iter().any(|line| line.message.contains("saw a row"))
    });
    host
}

#[test]
fn a_monitor_that_is_busy_is_stopped_later_also_where_nobody_looks_at_the_files() {
    let shelf = Shelf::new();
    let host = with_busy_monitor(&shelf, false);
    let busy = host.disable_plugin(NAME).unwrap_err();
    assert_eq!(EnvelopeError::code(&busy), ErrorCode::OperationTimeout, "{busy}");
    assert!(issues(&host).contains("it was disabled, and has not stopped yet"), "{}", issues(&host));
    patiently(|| listed(&host).is_some_and(|plugin| plugin.load == PluginState::Disabled));
    assert!(host.health_check().monitors.is_empty());
    assert!(!issues(&host).contains("has not stopped"), "{}", issues(&host));
    assert!(host.drain(LONG));
}

#[test]
fn a_monitor_that_is_enabled_again_before_it_stopped_stops_and_starts_anew() {
    let shelf = Shelf::new();
    let host = with_busy_monitor(&shelf, true);
    // A trial run is not shown what it cannot bear.
    let samples = (0..TRIAL_RECORDS + 1_000).map(|_| MetricDraft::new("m", 1)).collect();
    host.record_metrics(samples).into_iter().for_each(|outcome| drop(outcome.unwrap()));
    host.disable_plugin(NAME).unwrap_err();
    let busy = host.enable_plugin(NAME).unwrap_err();
    let is_busy = matches!(&busy, SwitchError::Plugin(error) if matches!(**error, ReloadError::Stop { .. }));
    assert!(is_busy, "{busy:?}");
    assert!(matches!(host.reload_plugin(NAME), Err(ReloadError::Stop { .. })), "its thread is about to end");
    patiently(|| {
        let last = listed(&host).and_then(|plugin| plugin.history.last_reload);
        last.is_some_and(|report| report.outcome == ReloadOutcome::Loaded)
    });
    assert!(host.drain(LONG));
    let monitor = host.health_check().monitors.remove(0);
    assert_eq!((monitor.failures, monitor.poison_records), (0, 0), "it begins at the end of the log");
    assert!(!issues(&host).contains("has not stopped"), "{}", issues(&host));
}

#[test]
fn a_log_goes_on_where_it_was_and_counts_begin_anew() {
    let shelf = Shelf::new();
    shelf.put_revised("evil", &test_guest("evil"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    let print = || assert_eq!(code(&event(&host, json!({"event_type": "print", "source": "s"}))), "success");
    (0..3).for_each(|_| print());
    let calls = || listing(&host, "evil").status.unwrap().calls;
    let (before, last) = (calls(), host.plugin_log("evil", 0, 1).unwrap()[0].number);
    disable(&host, "evil", &["evil"]);
    enable(&host, "evil", &["evil"]);
    print();
    let lines = host.plugin_log("evil", last, 100).unwrap();
    let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
    assert!(numbers.iter().copied().eq(last + 1..=last + lines.len() as u64), "{numbers:?}");
    let messages = lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join("\n");
    assert!(messages.contains("it has stopped") && messages.ends_with("to the log"), "{messages}");
    assert!(calls() < before, "{} {before}", calls());
}
