//! Builds alerts.

use serde_json::{Value, json};

use crate::JsonObject;
use crate::monitor::Severity;
use crate::sink::Alert;

/// Builds an alert for a unit test; it passes through the same JSON as the host's.
///
/// ```
/// use bridge_telemetry_plugin::testing::AlertBuilder;
///
/// let alert = AlertBuilder::firing("threshold", "cpu|a").label("team", "db").build();
/// assert_eq!(alert.label("team"), Some("db"));
/// assert!(alert.json.contains("\"key\":\"cpu|a\""));
/// ```
#[derive(Clone, Debug)]
pub struct AlertBuilder {
    fields: JsonObject,
    labels: JsonObject,
    attempt: u32,
}

impl AlertBuilder {
    /// An alert that fires since 2025-05-21T14:32:17Z.
    pub fn firing(monitor: &str, key: &str) -> Self {
        let fields = json!({
            "alert_id": "0196f3a0-0000-7000-8000-000000000001", "monitor": monitor, "key": key,
            "status": "firing", "severity": "warning", "summary": key, "value": null,
            "first_seen": "2025-05-21T14:32:17Z", "last_seen": "2025-05-21T14:32:17Z", "resolved_at": null,
            "times_seen": 1,
        });
        let fields = if let Value::Object(fields) = fields { fields } else { JsonObject::new() };
        Self { fields, labels: JsonObject::new(), attempt: 1 }
    }

    /// The same alert, resolved a minute later.
    pub fn resolved(monitor: &str, key: &str) -> Self {
        let minute_later = "2025-05-21T14:33:17Z";
        let alert = Self::firing(monitor, key).set("status", "resolved").set("last_seen", minute_later);
        alert.set("resolved_at", minute_later)
    }

    /// Sets how bad it is.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        self.set("severity", severity.as_str())
    }

    /// Sets the line for a person.
    #[must_use]
    pub fn summary(self, summary: &str) -> Self {
        self.set("summary", summary)
    }

    /// Sets the value that was judged.
    #[must_use]
    pub fn value(self, value: f64) -> Self {
        self.set("value", value)
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.into());
        self
    }

    /// Sets which attempt this is.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The alert, as the host would hand it over.
    #[expect(clippy::expect_used, reason = "a test tool whose fields are all set above")]
    pub fn build(mut self) -> Alert {
        self.fields.insert("labels".to_owned(), self.labels.into());
        let alert = Alert::from_json(Value::Object(self.fields).to_string()).expect("an alert");
        let idempotency_key = format!("{}/{}/test", alert.alert_id, alert.status.as_str());
        let first_seen_at = 1_747_837_937_000_000_000;
        Alert { idempotency_key, first_seen_at, attempt: self.attempt, ..alert }
    }

    fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}
