//! A signal's life: alerts, their deliveries and the deliveries that were given up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::signal::Severity;
use crate::time::Timestamp;

/// Whether an alert's condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum AlertStatus {
    Firing,
    Resolved,
}

impl AlertStatus {
    /// The contract's string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert as operators and sinks see it; its JSON is the contract's (spec §7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Identifies one firing period, up to and including its resolution.
    pub alert_id: Uuid,
    /// The monitor that raised it.
    pub monitor: String,
    /// Its identity within the monitor.
    pub key: String,
    /// Whether it fires.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: Severity,
    /// One line for a person.
    pub summary: String,
    /// The value that was judged last.
    pub value: Option<f64>,
    /// Routes match on these.
    pub labels: BTreeMap<String, String>,
    /// When it began to fire.
    pub first_seen: Timestamp,
    /// When it was signalled last.
    pub last_seen: Timestamp,
    /// When it was resolved; absent while it fires.
    pub resolved_at: Option<Timestamp>,
    /// Signals received.
    pub times_seen: u64,
}

/// A state of an alert on its way to one receiver: a row of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingDelivery {
    /// The alert as it was when its state changed.
    pub alert: Alert,
    /// The receiver's name.
    pub receiver: String,
    /// Since when it is to be made; a replay begins anew.
    pub created: Timestamp,
    /// Not before this instant.
    pub due: Timestamp,
    /// Attempts made so far.
    pub attempts: u32,
    /// The receivers that handed it on, first one first; bounded by [`crate::limits::MAX_FORWARD_HOPS`].
    pub forwarded_by: Vec<String>,
    /// The same for every attempt to deliver this state of this alert to this receiver.
    pub idempotency_key: String,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// A delivery that was given up; it can be listed and replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// What was to be delivered.
    pub delivery: PendingDelivery,
    /// Why it was given up.
    pub reason: String,
    /// When it was given up.
    pub since: Timestamp,
}
