//! What sinks are given and answer.

use std::time::Duration;

use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, FailureReason};
use telemetry_core::{AlertStatus, Severity, Timestamp, limits};

use super::{message, unusable};
use crate::bindings::{delivery, types};

/// Alerts with what of them has to be made before they can be borrowed.
pub(crate) struct Alerts<'a>(Vec<Prepared<'a>>);

struct Prepared<'a> {
    given: &'a AlertForDelivery,
    alert_id: String,
    labels: Vec<types::LabelParam<'a>>,
    json: String,
}

impl<'a> Alerts<'a> {
    /// # Errors
    /// When an alert cannot be written as JSON.
    pub(crate) fn new(given: &'a [AlertForDelivery]) -> Result<Self, FailureReason> {
        given.iter().map(prepared).collect::<Result<_, _>>().map(Self)
    }

    /// As they cross the boundary.
    pub(crate) fn borrowed(&self) -> Vec<delivery::Alert<'_>> {
        self.0.iter().map(Prepared::borrowed).collect()
    }
}

fn prepared(given: &AlertForDelivery) -> Result<Prepared<'_>, FailureReason> {
    let alert = &given.alert;
    let json = serde_json::to_string(alert)
        .map_err(|error| FailureReason::Other(format!("the alert cannot be written as JSON: {error}")))?;
    // What a sender wrote names no secret in a body that is made of this: in JSON `${` stands within texts alone.
    let json = json.replace("${", "\\u0024{");
    let labels = alert.labels.iter().map(|(name, value)| types::LabelParam { name, value }).collect();
    Ok(Prepared { given, alert_id: alert.alert_id.to_string(), labels, json })
}

impl Prepared<'_> {
    fn borrowed(&self) -> delivery::Alert<'_> {
        let AlertForDelivery { alert, idempotency_key, attempt } = self.given;
        delivery::Alert {
            idempotency_key,
            attempt: *attempt,
            alert_id: &self.alert_id,
            monitor: &alert.monitor,
            key: &alert.key,
            firing: alert.status == AlertStatus::Firing,
            severity: severity(alert.severity),
            summary: &alert.summary,
            value: alert.value,
            labels: &self.labels,
            first_seen: alert.first_seen.nanos(),
            last_seen: alert.last_seen.nanos(),
            resolved_at: alert.resolved_at.map(Timestamp::nanos),
            times_seen: alert.times_seen,
            alert_json: &self.json,
        }
    }
}

const fn severity(severity: Severity) -> types::Severity {
    match severity {
        Severity::Info => types::Severity::Info,
        Severity::Warning => types::Severity::Warning,
        Severity::Error => types::Severity::Error,
        Severity::Critical => types::Severity::Critical,
    }
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
            // Nobody would get the alert, and nobody would hear of it.
            if receivers.is_empty() {
                return Err(unusable("an alert is forwarded to no receiver"));
            }
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
    use telemetry_core::Alert;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_alert_as_json_names_no_secret() {
        let text = r"${secret:KEY} \${$${ \u0024{".to_owned();
        let alert = Alert {
            alert_id: Uuid::nil(),
            monitor: "m".to_owned(),
            key: text.clone(),
            status: AlertStatus::Firing,
            severity: Severity::Info,
            summary: text.clone(),
            value: None,
            labels: [(text.clone(), text)].into(),
            first_seen: Timestamp::default(),
            last_seen: Timestamp::default(),
            resolved_at: None,
            times_seen: 1,
        };
        let given = [AlertForDelivery { alert, idempotency_key: String::new(), attempt: 1 }];
        let alerts = Alerts::new(&given).unwrap();
        let borrowed = alerts.borrowed();
        assert!(!borrowed[0].alert_json.contains("${"), "{}", borrowed[0].alert_json);
        assert_eq!(serde_json::from_str::<Alert>(borrowed[0].alert_json).unwrap(), given[0].alert);
        assert_eq!(borrowed[0].summary, given[0].alert.summary, "as it is, where it is no JSON");
    }

    #[test]
    fn one_outcome_for_each_alert() {
        assert_eq!(outcomes(vec![delivery::Outcome::Duplicate], 1).unwrap(), [DeliveryOutcome::Duplicate]);
        assert!(outcomes(vec![], 1).is_err());
        assert!(outcomes(vec![delivery::Outcome::Duplicate; 2], 1).is_err());
    }

    #[test]
    fn forwards_are_bounded() {
        let forward = |names: Vec<String>| outcomes(vec![delivery::Outcome::Forward(names)], 1);
        assert_eq!(forward(vec!["a".to_owned()]).unwrap(), [DeliveryOutcome::Forward(vec!["a".to_owned()])]);
        assert_eq!(forward(vec![]).unwrap_err().kind(), "output");
        assert!(forward(vec![String::new()]).is_err());
        assert!(forward(vec!["x".repeat(limits::MAX_NAME_BYTES + 1)]).is_err());
        assert!(forward(vec!["a".to_owned(); limits::MAX_FORWARD_RECEIVERS + 1]).is_err());
    }
}
