//! Rows of the outbox and their identity.

use telemetry_core::{Alert, AlertStatus, PendingDelivery, Timestamp};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// Numbers the states of one alert, growing: every signal counts, and so does a resolution without one.
pub(super) fn state_sequence(alert: &Alert) -> u64 {
    let resolved = u64::from(alert.status == AlertStatus::Resolved);
    alert.times_seen.saturating_mul(2).saturating_add(resolved)
}

/// The same text whenever this state of this alert is delivered to this receiver.
pub(super) fn idempotency_key(alert: &Alert, receiver: &str) -> String {
    let mut identity = Vec::with_capacity(24 + receiver.len());
    identity.extend_from_slice(alert.alert_id.as_bytes());
    identity.extend_from_slice(&state_sequence(alert).to_be_bytes());
    identity.extend_from_slice(receiver.as_bytes());
    Uuid::new_v8(xxh3_128(&identity).to_be_bytes()).to_string()
}

/// A first delivery of a state of an alert to one receiver.
pub(super) fn fresh(alert: &Alert, receiver: &str, due: Timestamp) -> PendingDelivery {
    PendingDelivery {
        idempotency_key: idempotency_key(alert, receiver),
        alert: alert.clone(),
        receiver: receiver.to_owned(),
        created: due,
        due,
        attempts: 0,
        forwarded_by: Vec::new(),
        last_error: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::model::alert;
    use telemetry_core::Severity;

    #[test]
    fn keys_tell_states_and_receivers_apart_and_nothing_else() {
        let mut one = alert("m", "k", Severity::Warning);
        let first = idempotency_key(&one, "a");
        assert_ne!(first, idempotency_key(&one, "b"));
        one.summary = "another".to_owned();
        assert_eq!(first, idempotency_key(&one, "a"));
        one.status = AlertStatus::Resolved;
        let resolved = idempotency_key(&one, "a");
        assert_ne!(first, resolved);
        one.times_seen += 1;
        assert_ne!(resolved, idempotency_key(&one, "a"));
    }
}
