//! What a plugin may say and count in one call: enough for some words about each row of the largest batch, and not without end.

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use telemetry_sandbox::{Plugin, PluginSpec, PluginState};

use crate::fixture::{Fixture, events, spec};

/// A validator that makes one of the zoo's attacks at each batch.
fn ordered(attack: &str) -> PluginSpec {
    spec("evil").with_config(serde_json::json!({"order": format!("validate-events/{attack}")}))
}

/// Shows a batch of so many rows; answers why the call failed.
fn failure(plugin: &Plugin, event_type: &str, rows: usize) -> Option<FailureReason> {
    let batch = events(&vec![event_type; rows]);
    plugin.validator().unwrap().validate_events(&batch).err().map(|failure| failure.reason)
}

/// What a call that shows `rows` rows may do.
fn lines(rows: u32) -> u64 {
    let at_once = limits::PLUGIN_LOG_LINES_PER_SECOND * limits::PLUGIN_LOG_BURST_SECONDS;
    (limits::MAX_LOG_LINES_PER_CALL + at_once + rows * limits::MAX_LOG_LINES_PER_ROW).into()
}

fn counts(rows: u32) -> u64 {
    (limits::MAX_COUNTER_CALLS_PER_CALL + rows * limits::MAX_COUNTER_CALLS_PER_ROW).into()
}

fn too_many_lines(rows: u32) -> Option<FailureReason> {
    Some(FailureReason::Limit { what: "log lines within one call", limit: lines(rows) })
}

#[test]
fn a_word_about_each_row_of_the_largest_batch_is_no_flood() {
    let plugin = Fixture::new().guest("evil");
    assert_eq!(failure(&plugin, "chatty", limits::MAX_BATCH_RECORDS), None);
    let status = plugin.status();
    assert_eq!((status.failures, status.counters_dropped), (0, 0));
    assert_eq!(status.counters["rows"], limits::MAX_BATCH_RECORDS as f64);
    // Two lines each, of which few are kept: that costs the plugin nothing but lines.
    assert!(status.log_dropped > limits::MAX_BATCH_RECORDS as u64);

    let plugin = Fixture::new().guest("evil-monitor");
    let mut monitor = plugin.monitor(None).unwrap().unwrap();
    monitor.on_events(&events(&["ATTACK_CHATTY"; limits::MAX_LOG_READ])).unwrap();
    assert_eq!(plugin.status().counters["rows"], limits::MAX_LOG_READ as f64);
}

#[test]
fn a_flood_of_lines_ends_its_call_by_name() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil");
    assert_eq!(failure(&plugin, "log_flood", 1), too_many_lines(1));
    assert_eq!(failure(&plugin, "harmless", 1), None, "the next call has a new instance and new room");
    let status = plugin.status();
    assert_eq!(status.last_failure.unwrap(), too_many_lines(1).unwrap().to_string());
    assert_eq!(status.restarts, 1);
    // What is printed becomes lines, too; and a few giant ones are many.
    for attack in ["log.write*", "log.write-giant", "print*", "print-lines"] {
        let plugin = fixture.sandbox.load(ordered(attack)).unwrap();
        assert_eq!(failure(&plugin, "x", 3), too_many_lines(3), "{attack}");
    }
    let plugin = fixture.sandbox.load(ordered("print-giant")).unwrap();
    let limit = limits::MAX_PLUGIN_WRITE_BYTES;
    assert_eq!(
        failure(&plugin, "x", 3),
        Some(FailureReason::Limit { what: "bytes written to a stream at once", limit })
    );
}

#[test]
fn a_flood_of_counts_ends_its_call_by_name() {
    let fixture = Fixture::new();
    for attack in ["counters.add*", "counters.set*", "counters.add-giant", "counter-flood"] {
        let plugin = fixture.sandbox.load(ordered(attack)).unwrap();
        let what = "calls to its counters within one call";
        assert_eq!(failure(&plugin, "x", 1), Some(FailureReason::Limit { what, limit: counts(1) }));
    }
}

#[test]
fn the_room_grows_with_the_batch_and_with_the_rate() {
    let fixture = Fixture::new();
    // Ten thousand lines, whatever it is shown.
    let flood = || ordered("log-flood");
    let plugin = fixture.sandbox.load(flood()).unwrap();
    assert_eq!(failure(&plugin, "x", 1_000), too_many_lines(1_000));
    assert_eq!(failure(&plugin, "x", 1_200), None);
    // What the configured rate lets through at once is no flood.
    let mut spec = flood();
    spec.limits.log_lines_per_second = 2_000;
    let plugin = fixture.sandbox.load(spec).unwrap();
    assert_eq!(failure(&plugin, "x", 1), None);
    assert_eq!(plugin.status().log_dropped, 0);
}

/// Ten thousand lines at each batch are well within a deadline, and would go on for ever.
#[test]
fn a_monitor_that_floods_its_log_gets_into_quarantine() {
    let fixture = Fixture::new();
    for attack in ["log-flood", "counter-flood"] {
        let order = serde_json::json!({"order": format!("on-events/{attack}")});
        let plugin = fixture.sandbox.load(spec("evil-monitor").with_config(order)).unwrap();
        let mut monitor = plugin.monitor(None).unwrap().unwrap();
        for flood in 1..=limits::PLUGIN_FAILURES_TO_QUARANTINE {
            let failure = monitor.on_events(&events(&["x"; 100])).unwrap_err();
            assert_eq!(failure.reason.kind(), "limit", "{attack}: {failure}");
            match plugin.status().state {
                PluginState::Quarantined { .. } => {
                    assert_eq!(flood, limits::PLUGIN_FAILURES_TO_QUARANTINE);
                    break;
                }
                PluginState::Restarting { retry_in } => fixture.clock.advance(retry_in),
                _ => {}
            }
            monitor.restart(None).unwrap();
        }
        assert!(monitor.restart(None).is_err(), "it waits for the end of its quarantine");
        let status = plugin.status();
        assert_eq!(status.state, PluginState::Quarantined { retry_in: limits::PLUGIN_QUARANTINE });
        assert_eq!(status.failures_by_kind["limit"], u64::from(limits::PLUGIN_FAILURES_TO_QUARANTINE));
        assert!(status.last_failure.unwrap().contains("within one call than its limit"), "{attack}");
    }
}
