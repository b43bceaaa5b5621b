//! Monitors: state, checkpoints, buffered writes, queries, and hostile ones.

use std::time::Duration;

use telemetry_core::extension::{KeyValuePort, Monitor, SavedState};
use telemetry_core::{Severity, Timestamp, limits};
use telemetry_sandbox::{Execution, Plugin, PluginState, SandboxOptions};

use crate::fixture::{Fixture, NOW, events, sample, spec};

fn started(plugin: &Plugin) -> Box<dyn Monitor> {
    plugin.monitor(None).unwrap().unwrap()
}

fn state(seen: u64) -> SavedState {
    SavedState { version: 1, bytes: seen.to_le_bytes().to_vec() }
}

#[test]
fn signals_carry_all_that_was_said() {
    let plugin = Fixture::new().guest("evil-monitor");
    let mut monitor = started(&plugin);
    assert_eq!(monitor.name(), "evil-monitor");
    assert_eq!(monitor.subscription().tick, Some(Duration::from_secs(1)));
    assert!(monitor.subscription().wants_event("ATTACK_X", "any"));
    let signals = monitor.on_events(&events(&["ATTACK_disk"])).unwrap();
    assert_eq!((signals[0].key.as_str(), signals[0].severity), ("disk", Severity::Critical));
    assert_eq!(signals[0].labels["evil"], "yes");
    assert_eq!(signals[0].timestamp, Timestamp::parse(NOW).unwrap());
    let signals = monitor.on_samples(&sample("m", 2.5)).unwrap();
    assert_eq!(signals[0].value, Some(2.5));
    let signals = monitor.tick(Timestamp::from_millis(5)).unwrap();
    assert_eq!((signals[0].summary.as_str(), signals[0].firing), ("tick after 2 batches", false));
}

#[test]
fn there_is_one_instance_at_a_time() {
    let plugin = Fixture::new().guest("evil-monitor");
    let first = started(&plugin);
    let Some(Err(second)) = plugin.monitor(None) else { panic!("two monitors") };
    assert!(second.to_string().contains("runs already"), "{second}");
    drop(first);
    started(&plugin);
    assert!(plugin.validator().is_none() && plugin.sink().is_none() && plugin.aggregations().is_none());
}

#[test]
fn a_restarted_monitor_continues_from_its_checkpoint() {
    let plugin = Fixture::new().guest("evil-monitor");
    let mut monitor = started(&plugin);
    monitor.on_events(&events(&["ATTACK_a"])).unwrap();
    let checkpoint = monitor.checkpoint().unwrap();
    assert_eq!(checkpoint.state, Some(state(1)));
    monitor.committed();
    let failure = monitor.on_events(&events(&["ATTACK_PANIC"])).unwrap_err();
    assert!(failure.reason.to_string().contains("monitor down"), "{failure}");
    assert!(monitor.on_events(&events(&["ATTACK_a"])).is_err(), "it must be restarted first");
    monitor.restart(checkpoint.state).unwrap();
    monitor.on_events(&events(&["ATTACK_a"])).unwrap();
    assert_eq!(monitor.checkpoint().unwrap().state, Some(state(2)));
    assert_eq!(plugin.status().restarts, 1);
}

#[test]
fn writes_wait_for_the_checkpoint_and_die_with_a_restart() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil-monitor");
    let mut monitor = started(&plugin);
    monitor.on_events(&events(&["ATTACK_PUT"])).unwrap();
    let seen =
        |monitor: &mut dyn Monitor| monitor.on_events(&events(&["ATTACK_GET"])).unwrap().remove(0).summary;
    assert_eq!(seen(&mut *monitor), "Some([1, 0, 0, 0, 0, 0, 0, 0])");
    assert!(fixture.key_value.0.lock().unwrap().is_empty());

    let checkpoint = monitor.checkpoint().unwrap();
    assert_eq!(checkpoint.writes.len(), 1);
    for write in &checkpoint.writes {
        fixture.key_value.write("evil-monitor", &write.key, write.value.as_deref()).unwrap();
    }
    monitor.committed();
    assert!(monitor.checkpoint().unwrap().writes.is_empty());

    monitor.on_events(&events(&["ATTACK_DELETE"])).unwrap();
    assert_eq!(seen(&mut *monitor), "None");
    monitor.restart(checkpoint.state).unwrap();
    assert_eq!(seen(&mut *monitor), "Some([1, 0, 0, 0, 0, 0, 0, 0])");
}

#[test]
fn queries_are_as_of_the_time_of_the_batch() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil-monitor");
    let mut monitor = started(&plugin);
    fixture.clock.advance(Duration::from_secs(3600));
    let signals = monitor.on_events(&events(&["ATTACK_QUERY"])).unwrap();
    assert_eq!(signals[0].summary, format!("{{}} as of {NOW}"));
    let failure = monitor.on_events(&events(&["ATTACK_GIANT_QUERY"])).unwrap_err();
    assert_eq!(failure.reason.kind(), "unsupported", "{failure}");
}

#[test]
fn the_time_of_a_port_is_not_the_plugins() {
    let fixture = Fixture::new();
    let mut spec = spec("evil-monitor");
    spec.limits.deadline_ms = 2_000;
    let plugin = fixture.sandbox.load(spec).unwrap();
    let mut monitor = started(&plugin);
    *fixture.query.0.lock().unwrap() = Some(Duration::from_millis(3_000));
    monitor.on_events(&events(&["ATTACK_QUERY"])).unwrap();
}

#[test]
fn hostile_monitors_are_contained() {
    let fixture = Fixture::new();
    let check = |attack: &str, kind: &str, text: &str| {
        let plugin = match attack {
            "LOOP" => fixture.hurried_guest("evil-monitor"),
            _ => fixture.guest("evil-monitor"),
        };
        let mut monitor = started(&plugin);
        let failure = monitor.on_events(&events(&[&format!("ATTACK_{attack}")])).unwrap_err();
        assert_eq!(failure.reason.kind(), kind, "{attack}: {failure}");
        assert!(failure.reason.to_string().contains(text), "{attack}: {failure}");
        monitor.restart(None).unwrap();
    };
    check("LOOP", "deadline", "");
    check("PANIC", "trap", "monitor down");
    check("EMPTY_KEY", "output", "key must not be empty");
    check("NAN", "output", "NaN");
    check("MANY", "output", "20000 signals");
    check("KEY_VALUE_LOOP", "limit", "calls to the host");
    check("FILL", "error", "between two checkpoints");
}

/// A sender's context can have a monitor say more than an alert holds: what it found is told all the same.
#[test]
fn signals_with_long_keys_and_many_labels_are_brought_within_their_limits() {
    let plugin = Fixture::new().guest("evil-monitor");
    let mut monitor = started(&plugin);
    let mut found =
        |attack: &str| monitor.on_events(&events(&[&format!("ATTACK_{attack}")])).unwrap().remove(0);
    assert_eq!(found("LABELS").labels.len(), limits::MAX_ALERT_LABELS);
    let long = "k".repeat(limits::MAX_NAME_BYTES);
    let keys = [found(&long).key, found(&format!("{long}a")).key, found(&format!("{long}b")).key];
    assert_eq!(keys[0], long);
    assert!(keys[1] != keys[2] && keys.iter().all(|key| key.len() == limits::MAX_NAME_BYTES), "{keys:?}");
    assert_eq!(found(&format!("{long}a")).key, keys[1]);
    let status = plugin.status();
    assert_eq!((status.failures, status.restarts), (0, 0));
    assert_eq!(
        (status.signal_keys_replaced, status.signal_labels_cut),
        (3, 100 - limits::MAX_ALERT_LABELS as u64)
    );
}

#[test]
fn a_snapshot_or_a_restore_that_traps_is_contained() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil-monitor");
    let mut monitor = started(&plugin);
    monitor.on_events(&events(&["ATTACK_SNAPSHOT"])).unwrap();
    let failure = monitor.checkpoint().unwrap_err();
    assert!(failure.reason.to_string().contains("no picture of me"), "{failure}");
    let poisoned = SavedState { version: 66, bytes: vec![] };
    let failure = monitor.restart(Some(poisoned)).unwrap_err();
    assert!(failure.reason.to_string().contains("poisoned state"), "{failure}");
    fixture.clock.advance(Duration::from_secs(1));
    let unknown = SavedState { version: 9, bytes: vec![] };
    assert_eq!(monitor.restart(Some(unknown)).unwrap_err().reason.kind(), "unsupported");
    fixture.clock.advance(Duration::from_secs(1));
    monitor.restart(Some(state(3))).unwrap();
    assert_eq!(monitor.checkpoint().unwrap().state, Some(state(3)));
}

#[test]
fn a_monitor_that_only_starts_has_not_recovered() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil-monitor");
    let mut monitor = started(&plugin);
    // Every restart succeeds and every batch kills it again.
    for _ in 0..100 {
        if matches!(plugin.status().state, PluginState::Quarantined { .. }) {
            break;
        }
        if monitor.on_events(&events(&["ATTACK_PANIC"])).is_err() && monitor.restart(None).is_err() {
            fixture.clock.advance(Duration::from_secs(1));
        }
    }
    let PluginState::Quarantined { retry_in } = plugin.status().state else {
        panic!("{:?}", plugin.status())
    };
    assert!(monitor.restart(None).is_err());
    fixture.clock.advance(retry_in);
    monitor.restart(None).unwrap();
    assert!(!plugin.status().state.is_active(), "the restart alone is no recovery");
    monitor.on_events(&events(&["ATTACK_a"])).unwrap();
    assert!(plugin.status().state.is_active());
}

#[test]
fn queries_of_one_call_have_a_sum_of_time() {
    let cache = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    let fixture = Fixture::with(SandboxOptions {
        cache_directory: Some(cache),
        port_time: Duration::from_millis(100),
        ..SandboxOptions::default()
    });
    *fixture.query.0.lock().unwrap() = Some(Duration::from_millis(30));
    let config = serde_json::json!({"order": "on-events/query.get-metrics*"});
    let plugin = fixture.sandbox.load(spec("evil-monitor").with_config(config)).unwrap();
    let failure = started(&plugin).on_events(&events(&["ATTACK_x"])).unwrap_err();
    assert_eq!(failure.reason.kind(), "limit", "{failure}");
    assert!(failure.to_string().contains("queries in one call"), "{failure}");
}

/// Random numbers differ from instance to instance, unless a run is to be repeatable: then so is what a plugin makes of them.
#[test]
fn what_a_monitor_makes_of_chance_is_the_same_where_runs_are_repeatable() {
    let found = |execution| {
        let cache = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
        let options = SandboxOptions { cache_directory: Some(cache), execution, ..SandboxOptions::default() };
        let config = serde_json::json!({"order": "on-events/nondeterminism"});
        let spec = spec("evil-monitor").with_config(config);
        let plugin = Fixture::with(options).sandbox.load(spec).unwrap();
        started(&plugin).on_events(&events(&["ATTACK_x"])).unwrap().remove(0).summary
    };
    assert_eq!(found(Execution::Repeatable), found(Execution::Repeatable));
    assert_ne!(found(Execution::Fast), found(Execution::Fast));
}

#[test]
fn monitors_are_told_values_within_events() {
    let plugin = Fixture::new().guest("evil-monitor");
    let mut monitor = plugin.monitor(None).unwrap().unwrap();
    assert_eq!(monitor.on_events(&events(&["ATTACK_VALUES"])).unwrap()[0].value, Some(1.0));
}
