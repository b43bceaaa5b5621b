//! Builds alerts.

use serde_json::json;

use crate::Timestamp;
use crate::monitor::Severity;
use crate::sink::{Alert, AlertStatus};

/// 2025-05-21T14:32:17Z.
const FIRST_SEEN: Timestamp = 1_747_837_937_000_000_000;
const MINUTE: Timestamp = 60_000_000_000;

/// Builds an alert for a unit test.
///
/// ```
/// use bridge_telemetry_plugin::testing::AlertBuilder;
///
/// let alert = AlertBuilder::firing("threshold", "cpu|a").label("team", "db").build();
/// assert_eq!(alert.label("team"), Some("db"));
/// assert!(alert.json.contains("\"key\":\"cpu|a\""));
/// ```
#[derive(Clone, Debug)]
pub struct AlertBuilder(Alert);

impl AlertBuilder {
    /// An alert that fires since 2025-05-21T14:32:17Z.
    pub fn firing(monitor: &str, key: &str) -> Self {
        Self(Alert {
            alert_id: "0196f3a0-0000-7000-8000-000000000001".to_owned(),
            monitor: monitor.to_owned(),
            key: key.to_owned(),
            status: AlertStatus::Firing,
            severity: Severity::Warning,
            summary: key.to_owned(),
            value: None,
            labels: Default::default(),
            first_seen: FIRST_SEEN,
            last_seen: FIRST_SEEN,
            resolved_at: None,
            times_seen: 1,
            idempotency_key: String::new(),
            attempt: 1,
            json: String::new(),
        })
    }

    /// The same alert, resolved a minute later.
    pub fn resolved(monitor: &str, key: &str) -> Self {
        let Self(alert) = Self::firing(monitor, key);
        let later = FIRST_SEEN + MINUTE;
        Self(Alert { status: AlertStatus::Resolved, last_seen: later, resolved_at: Some(later), ..alert })
    }

    /// Sets how bad it is.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        Self(Alert { severity, ..self.0 })
    }

    /// Sets the line for a person.
    #[must_use]
    pub fn summary(self, summary: &str) -> Self {
        Self(Alert { summary: summary.to_owned(), ..self.0 })
    }

    /// Sets the value that was judged.
    #[must_use]
    pub fn value(self, value: f64) -> Self {
        Self(Alert { value: Some(value), ..self.0 })
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.0.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets which attempt this is.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self(Alert { attempt, ..self.0 })
    }

    /// The alert, as the host would hand it over.
    pub fn build(self) -> Alert {
        let Self(alert) = self;
        let idempotency_key = format!("{}/{}/test", alert.alert_id, alert.status.as_str());
        let json = json(&alert);
        Alert { idempotency_key, json, ..alert }
    }
}

fn json(alert: &Alert) -> String {
    let time = |at: Timestamp| if at == FIRST_SEEN { "2025-05-21T14:32:17Z" } else { "2025-05-21T14:33:17Z" };
    json!({
        "alert_id": alert.alert_id, "monitor": alert.monitor, "key": alert.key, "status": alert.status.as_str(),
        "severity": alert.severity.as_str(), "summary": alert.summary, "value": alert.value, "labels": alert.labels,
        "first_seen": time(alert.first_seen), "last_seen": time(alert.last_seen),
        "resolved_at": alert.resolved_at.map(time), "times_seen": alert.times_seen,
    })
    .to_string()
    .replace("${", "\\u0024{")
}
