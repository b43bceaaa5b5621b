//! Restarts, quarantine and the way back, on a clock that the test moves.

use std::time::Duration;

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use telemetry_sandbox::PluginState;

use crate::fixture::{Fixture, events};

#[test]
fn repeated_failures_lead_to_quarantine_and_a_probe_leads_out() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil");
    let validator = plugin.validator().unwrap();
    let panic = || validator.validate_events(&events(&["panic"])).unwrap_err().reason;
    assert_eq!(panic().kind(), "trap");
    assert_eq!(panic().kind(), "trap", "the first restart is at once");
    let FailureReason::Quarantined { retry_in } = panic() else { panic!("the second one waits") };
    assert_eq!(plugin.status().state, PluginState::Restarting { retry_in });
    for _ in 0..3 {
        fixture.clock.advance(limits::MAX_PLUGIN_RESTART_BACKOFF);
        assert_eq!(panic().kind(), "trap");
    }
    let state = PluginState::Quarantined { retry_in: limits::PLUGIN_QUARANTINE };
    assert_eq!(plugin.status().state, state);
    assert_eq!(
        validator.validate_events(&events(&["harmless"])).unwrap_err().reason,
        FailureReason::Quarantined { retry_in: limits::PLUGIN_QUARANTINE }
    );

    fixture.clock.advance(limits::PLUGIN_QUARANTINE);
    assert_eq!(panic().kind(), "trap", "the probe");
    let PluginState::Quarantined { retry_in } = plugin.status().state else {
        panic!("{:?}", plugin.status())
    };
    assert_eq!(retry_in, limits::PLUGIN_QUARANTINE * 2);

    fixture.clock.advance(retry_in);
    validator.validate_events(&events(&["harmless"])).unwrap();
    let status = plugin.status();
    assert_eq!(status.state, PluginState::Active);
    assert_eq!(status.failures_by_kind, [("quarantined", 2), ("trap", 6)].into());
    assert_eq!(status.restarts, 6);
}

#[test]
fn one_plugin_in_quarantine_does_not_disturb_another() {
    let fixture = Fixture::new();
    let (evil, other) = (fixture.guest("evil"), fixture.guest("evil"));
    let validator = evil.validator().unwrap();
    for _ in 0..10 {
        validator.validate_events(&events(&["panic"])).unwrap_err();
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert!(matches!(evil.status().state, PluginState::Quarantined { .. }));
    other.validator().unwrap().validate_events(&events(&["harmless"])).unwrap();
    assert!(other.status().state.is_active());
}

#[test]
fn the_status_is_one_flat_object() {
    let plugin = Fixture::new().guest("evil");
    let status = serde_json::to_value(plugin.status()).unwrap();
    assert_eq!(status["state"], "active");
    assert_eq!(status["failures"], 0);
    assert!(status["time_used_seconds"].is_f64());
}
