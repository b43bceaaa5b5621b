//! Sinks: outcomes, key-value, and hostile ones.

use std::time::Duration;

use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, FailureReason, PluginFailure, Sink};
use telemetry_core::{Alert, AlertStatus, Severity, Timestamp};

use crate::fixture::{Fixture, NOW};

/// Long enough for any honest delivery on a busy machine.
pub(crate) const TIME: Duration = Duration::from_secs(20);

/// An alert whose idempotency key tells the guest what to do.
pub(crate) fn alert(attack: &str) -> AlertForDelivery {
    let now = Timestamp::parse(NOW).unwrap();
    AlertForDelivery {
        alert: Alert {
            alert_id: uuid::Uuid::from_u128(7),
            monitor: "threshold".to_owned(),
            key: "cpu".to_owned(),
            status: AlertStatus::Firing,
            severity: Severity::Error,
            summary: "hot".to_owned(),
            value: Some(0.5),
            labels: [("host".to_owned(), "a".to_owned())].into(),
            first_seen: now,
            last_seen: now,
            resolved_at: None,
            times_seen: 1,
        },
        idempotency_key: attack.to_owned(),
        attempt: 1,
    }
}

fn delivered(sink: &mut dyn Sink, attack: &str) -> Result<DeliveryOutcome, PluginFailure> {
    sink.deliver(&[alert(attack)], TIME).map(|outcomes| outcomes.into_iter().next().unwrap())
}

#[test]
fn every_outcome() {
    let plugin = Fixture::new().guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    assert_eq!(sink.name(), "evil-sink");
    assert_eq!(delivered(&mut *sink, "anything").unwrap(), DeliveryOutcome::Duplicate);
    assert_eq!(
        delivered(&mut *sink, "retry").unwrap(),
        DeliveryOutcome::Retry { after: Some(Duration::from_millis(1500)), reason: "busy".to_owned() }
    );
    assert_eq!(
        delivered(&mut *sink, "forward pager,mail").unwrap(),
        DeliveryOutcome::Forward(vec!["pager".to_owned(), "mail".to_owned()])
    );
    let DeliveryOutcome::Delivered(Some(json)) = delivered(&mut *sink, "alert").unwrap() else { panic!() };
    let alert: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(alert["alert_id"], "00000000-0000-0000-0000-000000000007");
    assert_eq!((&alert["status"], &alert["severity"]), (&"firing".into(), &"error".into()));
    let outcomes = sink.deliver(&[self::alert("a"), self::alert("retry")], TIME).unwrap();
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn there_is_one_sink_and_its_instance_lives_on() {
    let plugin = Fixture::new().guest("evil-sink");
    let sink = plugin.sink().unwrap();
    assert!(plugin.sink().is_none());
    drop(sink);
    assert_eq!(plugin.status().instances, 1);
    assert!(plugin.sink().is_some());
}

#[test]
fn writes_go_through_and_are_seen_by_the_next_instance() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    delivered(&mut *sink, "put note").unwrap();
    assert_eq!(fixture.key_value.0.lock().unwrap().values().next().unwrap(), b"note");
    delivered(&mut *sink, "panic").unwrap_err();
    assert_eq!(delivered(&mut *sink, "get").unwrap(), DeliveryOutcome::Delivered(Some("note".to_owned())));
    assert_eq!(plugin.status().restarts, 1);
}

#[test]
fn hostile_sinks_are_contained() {
    let plugin = Fixture::new().guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    let mut check = |attack: &str, kind: &str, text: &str| {
        let failure = delivered(&mut *sink, attack).unwrap_err();
        assert_eq!(failure.reason.kind(), kind, "{attack}: {failure}");
        assert!(failure.reason.to_string().contains(text), "{attack}: {failure}");
        assert_eq!(delivered(&mut *sink, "anything").unwrap(), DeliveryOutcome::Duplicate);
    };
    check("panic", "trap", "sink down");
    check("too_few", "output", "0 outcomes of 1 alerts");
    check("forward_many", "output", "100000 receivers");
    check("forward ,", "output", "must not be empty");
    check("error", "transient", "later");
}

#[test]
fn a_sink_that_only_computes_has_the_time_of_any_call_however_long_its_delivery_may_take() {
    let plugin = Fixture::new().hurried_guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    let failure = sink.deliver(&[alert("loop")], Duration::from_secs(3_600)).unwrap_err();
    assert_eq!(failure.reason, FailureReason::Deadline(Duration::from_millis(50)), "{failure}");
}

#[test]
fn a_slow_sink_meets_the_deadline_of_its_delivery() {
    let plugin = Fixture::new().hurried_guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    let failure = sink.deliver(&[alert("loop")], Duration::from_millis(50)).unwrap_err();
    assert_eq!(failure.reason.kind(), "deadline", "{failure}");
}
