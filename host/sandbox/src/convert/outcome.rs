//! What sinks are given and answer.

use std::time::Duration;

use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, FailureReason};
use telemetry_core::limits;

use super::{message, unusable};
use crate::bindings::delivery;

/// An alert as JSON, and what goes with it.
pub(crate) fn alert(given: &AlertForDelivery) -> Result<String, FailureReason> {
    serde_json::to_string(&given.alert)
        .map_err(|error| FailureReason::Other(format!("the alert cannot be written as JSON: {error}")))
}

/// Checks that there is one outcome for each of `alerts` alerts.
pub(crate) fn outcomes(
    given: Vec<delivery::Outcome>,
    alerts: usize,
) -> Result<Vec<DeliveryOutcome>, FailureReason> {
    if given.len() != alerts {
        return Err(unusable(format!("{} outcomes of {alerts} alerts", given.len())));
    }
    given.into_iter().map(outcome).collect()
}

fn outcome(given: delivery::Outcome) -> Result<DeliveryOutcome, FailureReason> {
    Ok(match given {
        delivery::Outcome::Delivered(reference) => DeliveryOutcome::Delivered(reference.map(message)),
        delivery::Outcome::Duplicate => DeliveryOutcome::Duplicate,
        delivery::Outcome::Rejected(reason) => DeliveryOutcome::Rejected(message(reason)),
        delivery::Outcome::Retry(retry) => DeliveryOutcome::Retry {
            after: retry.after_milliseconds.map(|millis| Duration::from_millis(millis.into())),
            reason: message(retry.reason),
        },
        delivery::Outcome::Forward(receivers) => {
            if receivers.len() > limits::MAX_FORWARD_RECEIVERS {
                return Err(unusable(format!("an alert is forwarded to {} receivers", receivers.len())));
            }
            for receiver in &receivers {
                telemetry_core::admission::checked_name(receiver)
                    .map_err(|reason| unusable(format!("the name of a receiver {reason}")))?;
            }
            DeliveryOutcome::Forward(receivers)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outcome_for_each_alert() {
        assert_eq!(outcomes(vec![delivery::Outcome::Duplicate], 1).unwrap(), [DeliveryOutcome::Duplicate]);
        assert!(outcomes(vec![], 1).is_err());
        assert!(outcomes(vec![delivery::Outcome::Duplicate; 2], 1).is_err());
    }

    #[test]
    fn forwards_are_bounded() {
        let forward = |names: Vec<String>| outcomes(vec![delivery::Outcome::Forward(names)], 1);
        assert_eq!(forward(vec![]).unwrap(), [DeliveryOutcome::Forward(vec![])]);
        assert!(forward(vec!["a".to_owned()]).is_ok());
        assert!(forward(vec![String::new()]).is_err());
        assert!(forward(vec!["x".repeat(limits::MAX_NAME_BYTES + 1)]).is_err());
        assert!(forward(vec!["a".to_owned(); limits::MAX_FORWARD_RECEIVERS + 1]).is_err());
    }
}
