//! The `delivery` interface over [`Sink`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bindings::delivery::exports::bridge::telemetry::delivery::{self as wit, Guest};
use crate::bindings::imports::types;
use crate::error::PluginError;
use crate::guest::{Exported, with};
use crate::sink::{Alert, AlertStatus, Outcome, Sink};

impl<E: Exported> Guest for E
where
    E::Plugin: Sink,
{
    fn deliver(
        alerts: Vec<wit::Alert>,
        deadline_milliseconds: u32,
    ) -> Result<Vec<wit::Outcome>, types::PluginError> {
        let alerts: Vec<Alert> = alerts.into_iter().map(alert).collect();
        let deadline = Duration::from_millis(deadline_milliseconds.into());
        let outcomes = with::<E, _>(|plugin| plugin.deliver_all(&alerts, deadline))?;
        if outcomes.len() != alerts.len() {
            return Err(PluginError::other("deliver_all answered not one outcome per alert").into());
        }
        Ok(outcomes.into_iter().map(outcome).collect())
    }
}

fn alert(raw: wit::Alert) -> Alert {
    // One by one: collecting them would bring two sorts into the component.
    let mut labels = BTreeMap::new();
    for label in raw.labels {
        labels.insert(label.name, label.value);
    }
    Alert {
        alert_id: raw.alert_id,
        monitor: raw.monitor,
        key: raw.key,
        status: if raw.firing { AlertStatus::Firing } else { AlertStatus::Resolved },
        severity: raw.severity.into(),
        summary: raw.summary,
        value: raw.value,
        labels,
        first_seen: raw.first_seen,
        last_seen: raw.last_seen,
        resolved_at: raw.resolved_at,
        times_seen: raw.times_seen,
        idempotency_key: raw.idempotency_key,
        attempt: raw.attempt,
        json: raw.alert_json,
    }
}

fn outcome(outcome: Outcome) -> wit::Outcome {
    match outcome {
        Outcome::Delivered(reference) => wit::Outcome::Delivered(reference),
        Outcome::Duplicate => wit::Outcome::Duplicate,
        Outcome::Rejected(reason) => wit::Outcome::Rejected(reason),
        Outcome::Retry { after, reason } => {
            wit::Outcome::Retry(wit::Retry { after_milliseconds: after.map(crate::milliseconds), reason })
        }
        Outcome::Forward(receivers) => wit::Outcome::Forward(receivers),
    }
}
