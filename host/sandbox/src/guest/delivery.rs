//! A sink's functions. In version 0.1 an alert crosses as JSON.

use wasmtime::Store;

use super::{Answer, versions};
use crate::bindings::delivery::{Alert, Outcome, Retry};
use crate::bindings::v0_1;
use crate::state::HostState;

versions! {
    /// The functions of a sink.
    Delivery, DeliveryIndices, delivery
}

impl Delivery {
    pub(crate) fn call_deliver(
        &self,
        store: &mut Store<HostState>,
        alerts: &[Alert<'_>],
        deadline_milliseconds: u32,
    ) -> Answer<Vec<Outcome>> {
        match self {
            Self::Current(guest) => guest.call_deliver(store, alerts, deadline_milliseconds),
            Self::V0_1(guest) => {
                let alerts: Vec<_> = alerts.iter().map(as_json).collect();
                let outcomes = guest.call_deliver(store, &alerts, deadline_milliseconds)?;
                Ok(outcomes.map(|outcomes| outcomes.into_iter().map(Outcome::from).collect()))
            }
        }
    }
}

fn as_json<'a>(alert: &Alert<'a>) -> v0_1::delivery::Alert<'a> {
    v0_1::delivery::Alert {
        idempotency_key: alert.idempotency_key,
        attempt: alert.attempt,
        first_seen: alert.first_seen,
        alert_json: alert.alert_json,
    }
}

impl From<v0_1::delivery::Outcome> for Outcome {
    fn from(outcome: v0_1::delivery::Outcome) -> Self {
        match outcome {
            v0_1::delivery::Outcome::Delivered(reference) => Self::Delivered(reference),
            v0_1::delivery::Outcome::Duplicate => Self::Duplicate,
            v0_1::delivery::Outcome::Rejected(reason) => Self::Rejected(reason),
            v0_1::delivery::Outcome::Retry(retry) => {
                Self::Retry(Retry { after_milliseconds: retry.after_milliseconds, reason: retry.reason })
            }
            v0_1::delivery::Outcome::Forward(receivers) => Self::Forward(receivers),
        }
    }
}
