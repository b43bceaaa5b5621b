//! The `delivery` interface over [`Sink`].

use std::time::Duration;

use crate::bindings::delivery::exports::bridge::telemetry::delivery::{self as wit, Guest};
use crate::bindings::imports::types;
use crate::error::{PluginError, Result};
use crate::guest::{Exported, with};
use crate::sink::{Alert, Outcome, Sink};

impl<E: Exported> Guest for E
where
    E::Plugin: Sink,
{
    fn deliver(
        alerts: Vec<wit::Alert>,
        deadline_milliseconds: u32,
    ) -> Result<Vec<wit::Outcome>, types::PluginError> {
        let alerts = alerts.into_iter().map(alert).collect::<Result<Vec<_>>>()?;
        let deadline = Duration::from_millis(deadline_milliseconds.into());
        let outcomes = with::<E, _>(|plugin| plugin.deliver_all(&alerts, deadline))?;
        if outcomes.len() != alerts.len() {
            return Err(PluginError::other("deliver_all answered not one outcome per alert").into());
        }
        Ok(outcomes.into_iter().map(outcome).collect())
    }
}

fn alert(raw: wit::Alert) -> Result<Alert> {
    let alert = Alert::from_json(raw.alert_json)?;
    let (idempotency_key, attempt, first_seen_at) = (raw.idempotency_key, raw.attempt, raw.first_seen);
    Ok(Alert { idempotency_key, attempt, first_seen_at, ..alert })
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
