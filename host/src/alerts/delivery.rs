//! Rows of the outbox: their identity and their place in it.

use std::sync::atomic::{AtomicI64, Ordering};

use telemetry_core::time::NANOS_PER_MILLI;
use telemetry_core::{Alert, AlertStatus, DeadLetter, PendingDelivery, Timestamp};
use telemetry_store::{DeadLetterKey, DeliveryKey};
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

/// The row's key in the store.
pub(super) fn key_of(delivery: &PendingDelivery) -> DeliveryKey {
    DeliveryKey { due: delivery.due, alert_id: delivery.alert.alert_id, receiver: delivery.receiver.clone() }
}

/// The dead letter's key in the store.
pub(super) fn letter_key(letter: &DeadLetter) -> DeadLetterKey {
    DeadLetterKey {
        alert_id: letter.delivery.alert.alert_id,
        receiver: letter.delivery.receiver.clone(),
        idempotency_key: letter.delivery.idempotency_key.clone(),
    }
}

/// A first delivery of a state of an alert to one receiver.
pub(super) fn fresh(alert: &Alert, receiver: &str, due: Timestamp) -> PendingDelivery {
    PendingDelivery {
        idempotency_key: idempotency_key(alert, receiver),
        alert: alert.clone(),
        receiver: receiver.to_owned(),
        due,
        attempts: 0,
        forwarded_by: Vec::new(),
        last_error: None,
    }
}

/// Gives rows their due times.
///
/// The store's key of a row is its due time, alert and receiver. Two states of one alert may become due for one receiver in
/// the same instant, so the digits below the millisecond are a counter: no two rows share a key.
#[derive(Debug)]
pub struct DueSlots(AtomicI64);

impl DueSlots {
    /// Slots that follow those of the rows that are there already.
    pub fn following(pending: &[PendingDelivery]) -> Self {
        let last = pending.iter().map(|delivery| delivery.due.nanos().rem_euclid(NANOS_PER_MILLI)).max();
        Self(AtomicI64::new(last.map_or(0, |slot| slot + 1)))
    }

    /// A due time at or shortly before `now`.
    pub(super) fn now(&self, now: Timestamp) -> Timestamp {
        let start = now.floor_to_millis().nanos().saturating_sub(NANOS_PER_MILLI);
        Timestamp::from_nanos(start.saturating_add(self.slot()))
    }

    /// A due time in the millisecond of `instant`.
    pub(super) fn at(&self, instant: Timestamp) -> Timestamp {
        Timestamp::from_nanos(instant.floor_to_millis().nanos().saturating_add(self.slot()))
    }

    fn slot(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed).rem_euclid(NANOS_PER_MILLI)
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

    #[test]
    fn rows_of_one_instant_have_different_places() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let slots = DueSlots::following(&[]);
        let (one, two) = (slots.now(now), slots.now(now));
        assert!(one <= now && two <= now && one != two);
        assert!(slots.at(now) >= now);
        let again = DueSlots::following(&[fresh(&alert("m", "k", Severity::Info), "a", two)]);
        assert_ne!(again.now(now), two);
        assert_ne!(again.now(now), one);
    }
}
